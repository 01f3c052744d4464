//! What a trained model is on disk and over HTTP: a folder of four files.
//!
//! - `model.json`: format and version, the model's shape, window length and stride, thresholds, provenance, and
//!   size and SHA-256 of the other files ([`Manifest`])
//! - `tokenizer.json`: Hugging Face's format
//! - `labels.tsv`: system, code and description of every output, in order
//! - `weights.safetensors`: all parameters by our paths, f32
//!
//! Everything goes through bytes, so that a browser reads the same folder that a server writes; only
//! [`ModelFolder::read`] and [`ModelFolder::write`] touch the file system.

mod error;
mod folder;
mod manifest;

pub use error::ModelFolderError;
pub use folder::ModelFolder;
pub use manifest::{FORMAT, FileEntry, LABELS, MANIFEST, Manifest, TOKENIZER, VERSION, WEIGHTS};
