//! Plain Rust: what the others are compared with, and what runs where there is no kernel for the processor.

use super::Tile;
use crate::cpu::pack::{ByteLine, FloatLine, GROUP, PANEL};
use crate::cpu::rows::Rows;

/// Rows a tile.
pub const ROWS: usize = 4;

/// Sums of `left · panelᵀ` in f32, a row after a row.
pub fn tile_f32(left: Rows<'_, f32>, panel: &[FloatLine], tile: &mut Tile<f32>) {
    for (row, sums) in tile.iter_mut().enumerate().take(left.rows()) {
        let mut lanes = [0.0_f32; PANEL];
        for (x, line) in left.row(row).iter().zip(panel) {
            for lane in 0..PANEL {
                lanes[lane] += x * line.0[lane];
            }
        }
        sums[..PANEL].copy_from_slice(&lanes);
    }
}

/// Sums of `left · panelᵀ` in integers; `left` has whole groups.
pub fn tile_int8(left: Rows<'_, u8>, panel: &[ByteLine], tile: &mut Tile<i32>) {
    for (row, sums) in tile.iter_mut().enumerate().take(left.rows()) {
        let mut lanes = [0_i32; PANEL];
        for (x, line) in left.row(row).chunks_exact(GROUP).zip(panel) {
            for lane in 0..PANEL {
                for at in 0..GROUP {
                    lanes[lane] += i32::from(x[at]) * i32::from(line.0[lane * GROUP + at]);
                }
            }
        }
        sums[..PANEL].copy_from_slice(&lanes);
    }
}
