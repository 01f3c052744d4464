//! Register tiles: a few rows of the left side times one or two panels of the right side, one kernel a kind of
//! processor. All sum along the inputs in order, so a row's result does not depend on its neighbours.

pub mod portable;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub mod wasm;
#[cfg(target_arch = "x86_64")]
pub mod x86;

use super::pack::PANEL;

/// Rows that a tile may have.
pub const MAX_ROWS: usize = 12;
/// Panels that a tile may have.
pub const MAX_PANELS: usize = 2;

/// The sums of a tile, `[rows, panels × 16]`.
pub type Tile<T> = [[T; MAX_PANELS * PANEL]; MAX_ROWS];
