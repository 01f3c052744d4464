//! Why a folder gives no model, by what the caller can do.

use std::io;

use thiserror::Error;

use super::shipped::ShippedError;
use crate::codes::LabelSetError;
use crate::model::ConfigError;
use crate::model::parameters::ParameterError;
use crate::model::weights::WeightsError;
use crate::text::TokenizerError;

/// A folder that gives no model; every variant names the file.
#[derive(Debug, Error)]
pub enum ModelFolderError {
    /// A shipped folder, which has files of its own.
    #[error(transparent)]
    Shipped(#[from] ShippedError),
    /// The file is not there.
    #[error("{file} is missing: a model folder has model.json and every file that it lists")]
    Missing {
        /// The file.
        file: String,
    },
    /// The file cannot be read or written.
    #[error("{file}")]
    Io {
        /// The file.
        file: String,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not what was written: copied in part, or changed.
    #[error("{file} is damaged: {what} is {found}, by model.json it must be {wanted}")]
    Damaged {
        /// The file.
        file: String,
        /// `size in bytes` or `sha256`.
        what: &'static str,
        /// Of the file.
        found: String,
        /// By the manifest.
        wanted: String,
    },
    /// `model.json` is of something else.
    #[error("model.json: format = {found}: must be \"bert-xml-model\"")]
    Foreign {
        /// What it says instead.
        found: String,
    },
    /// Written by a later release.
    #[error("model.json: version = {found}: this program reads up to {known}; use a newer one")]
    Newer {
        /// The folder's.
        found: u64,
        /// Ours.
        known: u64,
    },
    /// `model.json` does not parse.
    #[error("model.json cannot be read")]
    Json(#[source] serde_json::Error),
    /// A value of `model.json` breaks a rule.
    #[error("model.json: {field} = {value}: {rule}")]
    Field {
        /// Its name.
        field: &'static str,
        /// Its value.
        value: String,
        /// The rule.
        rule: String,
    },
    /// A size of the model that cannot be built.
    #[error("model.json: model")]
    Config(#[from] ConfigError),
    /// `tokenizer.json` is not BERT's.
    #[error("tokenizer.json")]
    Tokenizer(#[from] TokenizerError),
    /// `labels.tsv` breaks a rule.
    #[error("labels.tsv")]
    Labels(#[from] LabelSetError),
    /// The label set is of another model.
    #[error("labels.tsv has {found} labels, the model has {wanted} outputs")]
    LabelCount {
        /// In the file.
        found: usize,
        /// By the manifest.
        wanted: usize,
    },
    /// The vocabulary is of another model.
    #[error("tokenizer.json has {found} tokens, the model has embeddings for {wanted}")]
    VocabSize {
        /// In the file.
        found: usize,
        /// By the manifest.
        wanted: usize,
    },
    /// `weights.safetensors` does not parse.
    #[error("weights.safetensors")]
    Weights(#[from] WeightsError),
    /// A parameter is missing or has another shape than the model.
    #[error("weights.safetensors")]
    Parameter(#[from] ParameterError),
    /// A weight is no number: the training diverged.
    #[error("weights.safetensors: {tensor} has a value that is not finite: the training diverged")]
    NotFinite {
        /// Its path.
        tensor: String,
    },
    /// A parameter that the model does not have.
    #[error("weights.safetensors: the model has no parameter {0}")]
    Surplus(
        /// Its path.
        String,
    ),
}
