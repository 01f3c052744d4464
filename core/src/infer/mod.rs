//! From a note to codes with evidence.
//!
//! notes → tokens → windows → batches → logits, maximum over windows → probabilities → evidence
//!
//! [`engine`] is what computes: burn on a device, or the CPU engine;
//! [`scoring`] takes tokens to logits and knows no text; [`evidence`] takes attention to words; [`Coder`] joins
//! them; [`record`] is the JSON that `bert-xml predict` writes.

pub mod coder;
pub mod engine;
pub mod evidence;
pub mod record;
pub mod scoring;

pub use coder::{CodePrediction, Coder, CoderError, EmptyNote, NotePrediction, PredictOptions};
pub use engine::{CpuEngine, Engine};
pub use evidence::Evidence;
pub use record::{CodeRecord, EvidenceRecord, PredictionRecord};
pub use scoring::{WindowPlan, max_logits};
