//! What can be wrong with a Hugging Face BERT folder; every variant names the file or folder.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::config::ConfigError;
use super::hf_config::HfConfigError;
use super::parameters::ParameterError;
use super::weights::WeightsError;
use crate::text::TokenizerError;

/// A folder that gives no BERT of ours.
#[derive(Debug, Error)]
pub enum HfFolderError {
    /// A file cannot be read or written.
    #[error("{path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The folder has weights in another format.
    #[error("{folder} has {found} but no model.safetensors: save it with `safe_serialization`, in one file")]
    OtherWeights {
        /// The folder.
        folder: PathBuf,
        /// What is there instead.
        found: &'static str,
    },
    /// Neither `tokenizer.json` nor `vocab.txt`.
    #[error("{folder} has neither tokenizer.json nor vocab.txt")]
    NoTokenizer {
        /// The folder.
        folder: PathBuf,
    },
    /// The configuration is not one of ours.
    #[error("{folder}")]
    Config {
        /// The folder.
        folder: PathBuf,
        /// The reason.
        source: HfConfigError,
    },
    /// The vocabulary or tokenizer is not BERT's.
    #[error("{path}")]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: TokenizerError,
    },
    /// `tokenizer_config.json` does not parse.
    #[error("{path}: not JSON")]
    Json {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: serde_json::Error,
    },
    /// A setting of `tokenizer_config.json` is of another kind.
    #[error("{path}: {field} = {value}: must be true or false")]
    Setting {
        /// The file.
        path: PathBuf,
        /// The setting.
        field: &'static str,
        /// Its value.
        value: String,
    },
    /// The weights do not parse.
    #[error("{path}")]
    Weights {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: WeightsError,
    },
    /// A tensor of the encoder is missing.
    #[error("{path}: the tensor {name} is missing; the file has {tensors} tensors")]
    Missing {
        /// The file.
        path: PathBuf,
        /// Hugging Face's name, without `bert.`.
        name: String,
        /// How many there are.
        tensors: usize,
    },
    /// A tensor has another shape than the configuration says.
    #[error("{path}: the tensor {name} has shape {found:?}, by config.json it must be {wanted:?}")]
    Shape {
        /// The file.
        path: PathBuf,
        /// Hugging Face's name, without `bert.`.
        name: String,
        /// In the file.
        found: Vec<usize>,
        /// By the configuration.
        wanted: Vec<usize>,
    },
    /// More tokens than embeddings.
    #[error("the vocabulary has {tokens} tokens, but config.json says vocab_size = {vocab_size}")]
    VocabSize {
        /// In the tokenizer.
        tokens: usize,
        /// In the configuration.
        vocab_size: usize,
    },
    /// Sizes that cannot be built.
    #[error(transparent)]
    Sizes(#[from] ConfigError),
    /// Parameters that were changed by hand after reading.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
}
