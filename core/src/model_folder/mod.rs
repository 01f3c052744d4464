//! What a trained model is on disk and over HTTP: a folder, in one of two formats, which [`ModelFolder::read`] tells
//! apart. Training leaves one of four files, in full precision; [`shipped`] is what `bert-xml export --quantize` makes
//! of it, in any precision, and what browsers load. The former:
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
pub mod shipped;

pub use error::ModelFolderError;
pub use folder::ModelFolder;
pub use manifest::{FORMAT, FileEntry, LABELS, MANIFEST, Manifest, TOKENIZER, VERSION, WEIGHTS};
pub use shipped::{ModelCard, SHIPPED_MANIFEST, ShippedError, ShippedManifest, ShippedModel, ShippedReader};
