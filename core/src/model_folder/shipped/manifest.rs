//! `manifest.json`: what the model is, how it wants to be used, and where every tensor lies.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::error::ShippedError;
use super::layout::{ALIGNMENT, aligned, tensor_bytes, tensor_count, tensor_shapes};
use crate::codes::CodeSystem;
use crate::metrics::Calibration;
use crate::model::ModelConfig;
use crate::model_folder::manifest::{LABELS, Manifest, TOKENIZER};
use crate::quantization::Precision;

/// The manifest's file name.
pub const SHIPPED_MANIFEST: &str = "manifest.json";
/// What `format` says.
pub const SHIPPED_FORMAT: &str = "bert-xml";
/// The version that this release writes, and the newest that it reads.
pub const SCHEMA_VERSION: u64 = 1;
/// Bytes of a shard, at most.
pub const SHARD_BYTES: u64 = 16 << 20;
/// Bytes of `manifest.json`, `tokenizer.json` and `labels.tsv`, at most.
pub const TEXT_BYTES: u64 = 64 << 20;

/// Digits of a SHA-256.
const DIGITS: usize = 64;

/// A file that the manifest lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedFile {
    /// Its name in the folder.
    pub file: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

/// The outputs' codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedLabels {
    /// The systems that the labels are of, in the order of their first label.
    pub systems: Vec<CodeSystem>,
    /// System, code and description of every output, in order: a file with the header of
    /// [`crate::codes::label_set::HEADER`].
    pub listed: ListedFile,
}

/// A tensor in the stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedTensor {
    /// Its path in the model.
    pub name: String,
    /// Outputs, or entries of a table; 1 for a vector.
    pub rows: usize,
    /// Inputs, or the vector's length.
    pub cols: usize,
    /// How its values are stored.
    pub precision: Precision,
    /// First byte in the stream.
    pub offset: u64,
}

/// What people should know before they use the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelCard {
    /// The model's name.
    pub name: String,
    /// Language of the notes, a BCP 47 tag; `und` is undetermined.
    pub language: String,
    /// Licence of the weights, an SPDX expression or a sentence.
    pub licence: String,
    /// The notes that it learned from.
    pub trained_on: String,
    /// What it is for.
    pub intended_use: String,
    /// What it cannot do.
    pub limits: String,
}

impl Default for ModelCard {
    fn default() -> Self {
        Self {
            name: "bert-xml".to_owned(),
            language: "und".to_owned(),
            licence: "not stated: ask whoever trained the model".to_owned(),
            trained_on: "not stated".to_owned(),
            intended_use: "Suggests codes for clinical notes to people who check them.".to_owned(),
            limits: "No diagnosis and no billing without a person. Codes that were rare in training are found badly; \
                     notes unlike those of training are coded badly."
                .to_owned(),
        }
    }
}

/// The content of `manifest.json`; [`super`] describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShippedManifest {
    /// [`SHIPPED_FORMAT`].
    pub format: String,
    /// [`SCHEMA_VERSION`] at the time of writing.
    pub schema_version: u64,
    /// SHA-256 of this file with 64 zeros in place of the id; through the files' hashes it covers the content.
    pub model_id: String,
    /// For people.
    pub card: ModelCard,
    /// Encoder, head and number of labels.
    pub config: ModelConfig,
    /// Longest window in tokens, `[CLS]` and `[SEP]` included.
    pub max_len: usize,
    /// Tokens from the start of one window to the start of the next.
    pub stride: usize,
    /// A code is assigned at this probability (after calibration) and above.
    pub threshold: f64,
    /// One threshold a label, in the order of labels, where they were tuned so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_thresholds: Option<Vec<f64>>,
    /// From logits to probabilities; without it, their sigmoid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// The outputs' codes.
    pub labels: ListedLabels,
    /// The vocabulary.
    pub tokenizer: ListedFile,
    /// What was asked for; single tensors can be stored finer.
    pub precision: Precision,
    /// In the order of names, by bytes, which is that of the stream.
    pub tensors: Vec<ListedTensor>,
    /// The stream's pieces, in order.
    pub shards: Vec<ListedFile>,
    /// Where the model comes from: seed, versions, corpus digest, settings, metrics.
    #[serde(default)]
    pub provenance: Map<String, Value>,
}

/// The name of a shard, from 0.
pub fn shard_name(index: usize) -> String {
    format!("weights-{index:05}.bin")
}

/// Whether a file is named as a shard.
pub(super) fn is_shard_name(name: &str) -> bool {
    name.starts_with("weights-") && name.ends_with(".bin")
}

impl ShippedManifest {
    /// Reads the bytes of `manifest.json`: format and version first, so that a foreign or newer file is called so;
    /// then the id, then every field against every other.
    ///
    /// # Errors
    /// Another format, a newer version, a changed file, a field that is missing, unknown or breaks a rule.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ShippedError> {
        let found = bytes.len() as u64;
        if found > TEXT_BYTES {
            return Err(ShippedError::TooLarge {
                file: SHIPPED_MANIFEST.to_owned(),
                found,
                most: TEXT_BYTES,
            });
        }
        let value: Value = serde_json::from_slice(bytes).map_err(ShippedError::Json)?;
        if value["format"] != SHIPPED_FORMAT {
            return Err(ShippedError::Foreign { found: value["format"].to_string() });
        }
        let version = value["schema_version"].as_u64().unwrap_or(0);
        if version > SCHEMA_VERSION {
            return Err(ShippedError::Newer { found: version, known: SCHEMA_VERSION });
        }
        let manifest: Self = serde_json::from_value(value).map_err(ShippedError::Json)?;
        manifest.check_id(bytes)?;
        manifest.validate()?;
        Ok(manifest)
    }

    /// The text of `manifest.json`, and the id that it gets (this one's is not read). The same manifest gives the
    /// same bytes.
    pub fn to_json(&self) -> (String, String) {
        let zeros = "0".repeat(DIGITS);
        let unsigned = Self { model_id: zeros.clone(), ..self.clone() };
        let text = serde_json::to_string_pretty(&unsigned).expect("a manifest serializes") + "\n";
        let id = hexadecimal(&Sha256::digest(text.as_bytes()));
        // Only format and version come before the id.
        (text.replacen(&zeros, &id, 1), id)
    }

    /// Every file but the manifest, in the order of loading.
    pub fn files(&self) -> impl Iterator<Item = &ListedFile> {
        [&self.tokenizer, &self.labels.listed].into_iter().chain(&self.shards)
    }

    /// Windows, thresholds and calibration as the training folder has them.
    pub fn settings(&self) -> Manifest {
        Manifest {
            max_len: self.max_len,
            stride: self.stride,
            threshold: self.threshold,
            label_thresholds: self.label_thresholds.clone(),
            calibration: self.calibration,
            systems: self.labels.systems.clone(),
            provenance: self.provenance.clone(),
            ..Manifest::new(self.config.clone())
        }
    }

    fn check_id(&self, bytes: &[u8]) -> Result<(), ShippedError> {
        let id = self.model_id.as_bytes();
        if id.len() != DIGITS || !id.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return field("model_id", &self.model_id, "must be 64 lower-case hexadecimal digits");
        }
        let mut places = bytes.windows(DIGITS).enumerate().filter(|(_, window)| *window == id);
        let (Some((at, _)), None) = (places.next(), places.next()) else {
            return field("model_id", &self.model_id, "must stand in the file once");
        };
        let mut hash = Sha256::new();
        hash.update(&bytes[..at]);
        hash.update([b'0'; DIGITS]);
        hash.update(&bytes[at + DIGITS..]);
        let found = hexadecimal(&hash.finalize());
        if found == self.model_id {
            return Ok(());
        }
        Err(ShippedError::Damaged {
            file: SHIPPED_MANIFEST.to_owned(),
            what: "model_id",
            found,
            wanted: self.model_id.clone(),
        })
    }

    /// Checks every field, without a step or an allocation that grows with a number in it.
    ///
    /// # Errors
    /// The first that breaks a rule.
    pub fn validate(&self) -> Result<(), ShippedError> {
        if self.schema_version == 0 {
            return field("schema_version", 0, "versions start at 1");
        }
        self.config.validate()?;
        if let Some((name, value, rule)) = self.settings().broken_rule() {
            return Err(ShippedError::Field { field: name, value, rule });
        }
        for (name, listed, wanted) in
            [("tokenizer", &self.tokenizer, TOKENIZER), ("labels", &self.labels.listed, LABELS)]
        {
            if listed.file != wanted {
                return field(name, &listed.file, &format!("the file must be {wanted}"));
            }
            if listed.bytes > TEXT_BYTES {
                return field(name, listed.bytes, &format!("a file has at most {TEXT_BYTES} bytes"));
            }
        }
        let stream = self.stream_bytes()?;
        self.validate_tensors(stream)
    }

    /// Bytes of all shards.
    fn stream_bytes(&self) -> Result<u64, ShippedError> {
        let mut stream = 0u64;
        for (index, shard) in self.shards.iter().enumerate() {
            let name = shard_name(index);
            if shard.file != name {
                return field("shards", &shard.file, &format!("must be {name}: shards stand in order"));
            }
            if !(1..=SHARD_BYTES).contains(&shard.bytes) {
                return field("shards", shard.bytes, &format!("a shard has 1 to {SHARD_BYTES} bytes"));
            }
            stream += shard.bytes; // a manifest has no room for shards enough to overflow
        }
        Ok(stream)
    }

    fn validate_tensors(&self, stream: u64) -> Result<(), ShippedError> {
        let (count, found) = (tensor_count(&self.config), self.tensors.len());
        if count != Some(found) {
            let wanted = count.map_or_else(|| "more than there can be".to_owned(), |count| count.to_string());
            return field("tensors", format!("{found} tensors"), &format!("the model has {wanted}"));
        }
        let mut end = 0;
        for (tensor, shape) in self.tensors.iter().zip(tensor_shapes(&self.config)) {
            let wrong = |rule: String| Err(ShippedError::Tensor { tensor: tensor.name.clone(), rule });
            if tensor.name != shape.name {
                return wrong(format!("must be {}: the model's tensors in the order of names", shape.name));
            }
            if (tensor.rows, tensor.cols) != (shape.rows, shape.cols) {
                return wrong(format!(
                    "{} × {}: must be {} × {}",
                    tensor.rows, tensor.cols, shape.rows, shape.cols
                ));
            }
            if !tensor.offset.is_multiple_of(ALIGNMENT) {
                return wrong(format!("offset = {}: must be a multiple of {ALIGNMENT}", tensor.offset));
            }
            if tensor.offset < end {
                return wrong(format!("offset = {}: overlaps the tensor before it", tensor.offset));
            }
            if Some(tensor.offset) != aligned(end) {
                return wrong(format!(
                    "offset = {}: leaves a gap behind the tensor before it",
                    tensor.offset
                ));
            }
            let bytes = tensor_bytes(tensor.rows, tensor.cols, tensor.precision);
            match bytes.and_then(|bytes| tensor.offset.checked_add(bytes)) {
                Some(stop) if stop <= stream => end = stop,
                _ => return wrong(format!("ends behind the {stream} bytes of all shards")),
            }
        }
        if end != stream {
            return field("shards", format!("{stream} bytes"), &format!("the tensors end at {end}"));
        }
        Ok(())
    }
}

fn field<T>(field: &'static str, value: impl ToString, rule: &str) -> Result<T, ShippedError> {
    Err(ShippedError::Field { field, value: value.to_string(), rule: rule.to_owned() })
}

/// Lower-case hexadecimal digits.
pub(super) fn hexadecimal(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the manifest says of a file's bytes.
pub(super) fn listed(file: &str, bytes: &[u8]) -> ListedFile {
    let sha256 = hexadecimal(&Sha256::digest(bytes));
    ListedFile { file: file.to_owned(), bytes: bytes.len() as u64, sha256 }
}
