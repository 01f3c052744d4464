//! Why a shipped folder gives no model, by what the caller can do.

use std::io;

use thiserror::Error;

use crate::codes::LabelSetError;
use crate::model::ConfigError;
use crate::text::TokenizerError;

/// A shipped folder that gives no model; every variant names the file.
#[derive(Debug, Error)]
pub enum ShippedError {
    /// The file is not there.
    #[error("{file} is missing: a shipped model has manifest.json and every file that it lists")]
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
    /// The file is longer than it may be; it was not read.
    #[error("{file} has {found} bytes, at most {most} are read")]
    TooLarge {
        /// The file.
        file: String,
        /// Its size.
        found: u64,
        /// The limit.
        most: u64,
    },
    /// The file is not what was written: copied in part, changed, or another model's.
    #[error("{file} is damaged or another model's: {what} is {found}, by manifest.json it must be {wanted}")]
    Damaged {
        /// The file.
        file: String,
        /// `size in bytes`, `sha256` or `model_id`.
        what: &'static str,
        /// Of the file.
        found: String,
        /// By the manifest.
        wanted: String,
    },
    /// A file that came out of turn: tokenizer, labels and shards are read in this order.
    #[error("{file} came where {due} is due: files are read in the order of manifest.json")]
    NotDue {
        /// What came.
        file: String,
        /// What is due.
        due: String,
    },
    /// A file of weights that the manifest does not list: a rest of another model.
    #[error("{file} is not listed in manifest.json: the folder holds files of another model")]
    SurplusFile {
        /// The file.
        file: String,
    },
    /// `manifest.json` is of something else.
    #[error("manifest.json: format = {found}: must be \"bert-xml\"")]
    Foreign {
        /// What it says instead.
        found: String,
    },
    /// Written by a later release.
    #[error("manifest.json: schema_version = {found}: this program reads up to {known}; use a newer one")]
    Newer {
        /// The folder's.
        found: u64,
        /// Ours.
        known: u64,
    },
    /// `manifest.json` does not parse.
    #[error("manifest.json cannot be read")]
    Json(#[source] serde_json::Error),
    /// A value of `manifest.json` breaks a rule.
    #[error("manifest.json: {field} = {value}: {rule}")]
    Field {
        /// Its name.
        field: &'static str,
        /// Its value.
        value: String,
        /// The rule.
        rule: String,
    },
    /// A tensor that does not fit the model, the other tensors or the shards.
    #[error("manifest.json: tensor {tensor}: {rule}")]
    Tensor {
        /// Its name.
        tensor: String,
        /// What is wrong.
        rule: String,
    },
    /// Weights that no writer leaves: not a number, or an integer out of its range.
    #[error("{file}: tensor {tensor}: {rule}")]
    Values {
        /// The shard in which the tensor ends.
        file: String,
        /// Its name.
        tensor: String,
        /// What is wrong.
        rule: &'static str,
    },
    /// A size of the model that cannot be built.
    #[error("manifest.json: config")]
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
}
