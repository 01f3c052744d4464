//! From a note to codes with evidence.
//!
//! notes → tokens → windows → batches → logits, maximum over windows → probabilities → evidence
//!
//! [`engine`] is what computes: burn on a device, or the CPU engine; [`reading`] fetches what it computed;
//! [`scoring`] takes tokens to logits and knows no text; [`evidence`] takes attention to words; `group` takes some
//! notes through all of it; [`Coder`] does whole texts at once, and [`steps`] one note window by window, where
//! nothing may block; [`record`] is the JSON that `bert-xml predict` writes.

pub mod coder;
pub mod engine;
pub mod evidence;
mod group;
pub mod reading;
pub mod record;
pub mod scoring;
pub mod steps;

pub use coder::{CodePrediction, Coder, CoderError, EmptyNote, NotePrediction, PredictOptions};
pub use engine::{CpuEngine, Engine};
pub use evidence::Evidence;
pub use reading::DeviceError;
pub use record::{CodeRecord, EvidenceRecord, PredictionRecord};
pub use scoring::{WindowPlan, max_logits};
pub use steps::Steps;
