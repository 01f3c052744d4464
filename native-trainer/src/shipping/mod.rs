//! A trained model made ready for others: stored small, its probabilities calibrated, and told how much that changed.
//!
//! training folder + dev notes → calibration → quantized tensors → comparison with f32 → shipped folder and report

mod agreement;
mod dev_notes;
mod names;
mod report;
mod ship;

pub use agreement::{Agreement, Limits, TOP};
pub use dev_notes::DevNotes;
pub use names::Names;
pub use report::{CalibrationReport, Contribution, ShippingReport, TensorReport};
pub use ship::{Shipping, ship};
