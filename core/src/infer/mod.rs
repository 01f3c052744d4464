//! From a note to codes with evidence.
//!
//! notes → tokens → windows → batches → logits, maximum over windows → probabilities → evidence
//!
//! [`scoring`] takes tokens to logits and knows no text; [`evidence`] takes attention to words; [`Coder`] joins
//! them; [`record`] is the JSON that `bert-xml predict` writes.

pub mod coder;
pub mod evidence;
pub mod record;
pub mod scoring;

pub use coder::{CodePrediction, Coder, EmptyNote, NotePrediction, PredictOptions};
pub use evidence::Evidence;
pub use record::{CodeRecord, EvidenceRecord, PredictionRecord};
pub use scoring::{WindowPlan, max_logits};
