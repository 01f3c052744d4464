//! A trained model made ready for others: stored small, its probabilities calibrated, and told how much that changed.
//!
//! training folder + dev notes → calibration → quantized tensors → comparison with f32 → remedy where it goes too far
//! → shipped folder and report

mod agreement;
mod dev_notes;
mod names;
mod parts;
mod remedy;
mod report;
mod ship;

pub use agreement::{Agreement, Limits, TOP};
pub use dev_notes::DevNotes;
pub use names::Names;
pub use remedy::{Contribution, Remedy};
pub use report::{CalibrationReport, ShippingReport, TensorReport};
pub use ship::{Shipping, ship};
