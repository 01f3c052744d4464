//! From notes to batches: splits by patient, windows of token ids, batches, and the pretraining tasks.
//!
//! Plain numbers, no tensors. Everything random is drawn from a seed and a place ([`random`]), so that the
//! same seed gives the same batches and a resumed run the batches it would have had.

pub mod batch;
pub mod mlm;
pub mod nsp;
pub mod order;
pub mod packing;
pub mod random;
pub mod split;
pub mod tokens;

pub use batch::{WindowBatch, pad_windows};
pub use mlm::{MaskedTokens, mask_tokens};
pub use nsp::{Pair, epoch_pairs, pad_pairs};
pub use order::{epoch_batches, micro_batches};
pub use packing::{PackedBatch, epoch_rows, lay_out, pack};
pub use random::{Purpose, stream};
pub use split::{Shares, Split};
pub use tokens::{TokenSource, TokenStore};
