//! Probabilities against gold codes: from prediction files, or from whatever computes a table of them.
//!
//! predictions + gold → table → threshold → judgement → JSON, Markdown, one line a code
//!
//! [`judge`] is the one door to `core::metrics`; training, baselines and the demo call it too.

pub mod codiesp;
pub mod files;
mod gold;
mod intervals;
mod judgement;
mod per_code;
mod prediction_file;
mod table;
mod threshold;

pub use gold::{GoldNote, read_gold};
pub use intervals::AucIntervals;
pub use judgement::{Judgement, judge};
pub use per_code::per_code_tsv;
pub use prediction_file::{PredictedCode, PredictedNote, read_predictions, write_predictions};
pub use table::{Outside, Table};
pub use threshold::{Assignment, ThresholdFrom, tune};
