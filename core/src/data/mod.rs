//! From notes to batches: splits by patient, windows of token ids, batches, and the pretraining tasks.

pub mod batch;
pub mod split;

pub use batch::{WindowBatch, pad_windows};
pub use split::{Shares, Split};
