//! `model.json`: what the other files are, and how the model wants to be used.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::ModelFolderError;
use crate::codes::CodeSystem;
use crate::metrics::{Calibration, sigmoid};
use crate::model::ModelConfig;
use crate::text::window::SPECIALS_PER_WINDOW;

/// What `format` says.
pub const FORMAT: &str = "bert-xml-model";
/// The version that this release writes, and the newest that it reads.
pub const VERSION: u64 = 1;
/// The manifest's file name.
pub const MANIFEST: &str = "model.json";
/// The tokenizer's file name.
pub const TOKENIZER: &str = "tokenizer.json";
/// The label set's file name.
pub const LABELS: &str = "labels.tsv";
/// The parameters' file name.
pub const WEIGHTS: &str = "weights.safetensors";

/// Size and hash of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

/// The content of `model.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`] at the time of writing.
    pub version: u64,
    /// Encoder, head and number of labels.
    pub model: ModelConfig,
    /// Longest window in tokens, `[CLS]` and `[SEP]` included; at most the encoder's positions.
    pub max_len: usize,
    /// Tokens from the start of one window to the start of the next.
    pub stride: usize,
    /// A code is assigned at this probability and above; tuned on the development split.
    pub threshold: f64,
    /// One threshold a label, in the order of labels, where they were tuned so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_thresholds: Option<Vec<f64>>,
    /// From logits to probabilities; without it, their sigmoid. Thresholds are on its scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// The systems that the labels are of, in the order of their first label; filled in by writing.
    #[serde(default)]
    pub systems: Vec<CodeSystem>,
    /// Where the model comes from: seed, versions, corpus digest, settings, metrics.
    #[serde(default)]
    pub provenance: Map<String, Value>,
    /// The other files; filled in by writing.
    #[serde(default)]
    pub files: BTreeMap<String, FileEntry>,
}

impl Manifest {
    /// A manifest with windows as long as the encoder allows, no overlap, and a threshold of .5; all of these
    /// are public fields.
    pub fn new(model: ModelConfig) -> Self {
        let max_len = model.encoder.max_position_embeddings;
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            model,
            max_len,
            stride: max_len - SPECIALS_PER_WINDOW,
            threshold: 0.5,
            label_thresholds: None,
            calibration: None,
            systems: Vec::new(),
            provenance: Map::new(),
            files: BTreeMap::new(),
        }
    }

    /// Reads the bytes of `model.json`: format and version first, so that a foreign or newer file is called so.
    ///
    /// # Errors
    /// Another format, a newer version, a field that is missing, unknown or breaks a rule.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ModelFolderError> {
        let value: Value = serde_json::from_slice(bytes).map_err(ModelFolderError::Json)?;
        if value["format"] != FORMAT {
            return Err(ModelFolderError::Foreign { found: value["format"].to_string() });
        }
        let version = value["version"].as_u64().unwrap_or(0);
        if version > VERSION {
            return Err(ModelFolderError::Newer { found: version, known: VERSION });
        }
        let manifest: Self = serde_json::from_value(value).map_err(ModelFolderError::Json)?;
        manifest.validate()?;
        Ok(manifest)
    }

    /// The text of `model.json`; the same manifest gives the same bytes.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a manifest serializes") + "\n"
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first that breaks a rule.
    pub fn validate(&self) -> Result<(), ModelFolderError> {
        self.model.validate()?;
        match self.broken_rule() {
            Some((field, value, rule)) => Err(ModelFolderError::Field { field, value, rule }),
            None => Ok(()),
        }
    }

    /// The first field beside `model` that breaks a rule: its name, its value and the rule.
    pub(super) fn broken_rule(&self) -> Option<(&'static str, String, String)> {
        if self.version == 0 {
            return Some(("version", "0".to_owned(), "versions start at 1".to_owned()));
        }
        let positions = self.model.encoder.max_position_embeddings;
        if self.max_len <= SPECIALS_PER_WINDOW || self.max_len > positions {
            let rule = format!("must be 3 to {positions}, the encoder's positions");
            return Some(("max_len", self.max_len.to_string(), rule));
        }
        let content = self.max_len - SPECIALS_PER_WINDOW;
        if !(1..=content).contains(&self.stride) {
            return Some(("stride", self.stride.to_string(), format!("must be 1 to {content}, max_len - 2")));
        }
        let (labels, per_label) = (self.model.labels, self.label_thresholds.as_deref().unwrap_or_default());
        if self.label_thresholds.is_some() && per_label.len() != labels {
            let rule = format!("must have one threshold for each of {labels} labels");
            return Some(("label_thresholds", format!("{} values", per_label.len()), rule));
        }
        let rule = "a threshold is a probability, 0 to 1";
        let probability = |threshold: &f64| (0.0..=1.0).contains(threshold);
        if !probability(&self.threshold) {
            return Some(("threshold", self.threshold.to_string(), rule.to_owned()));
        }
        if let Some(at) = per_label.iter().position(|threshold| !probability(threshold)) {
            return Some(("label_thresholds", per_label[at].to_string(), format!("label {at}: {rule}")));
        }
        let line = self.calibration?;
        line.broken_rule().map(|rule| {
            ("calibration", format!("{} · logit + {}", line.slope, line.intercept), rule.to_owned())
        })
    }

    /// The probability of a logit, calibrated where the model says how.
    pub fn probability(&self, logit: f32) -> f32 {
        self.calibration.map_or_else(|| sigmoid(logit), |line| line.probability(logit))
    }

    /// The threshold of a label.
    pub fn threshold_of(&self, label: usize) -> f64 {
        self.label_thresholds.as_ref().map_or(self.threshold, |thresholds| thresholds[label])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EncoderConfig, HeadKind, Size};

    fn manifest() -> Manifest {
        Manifest::new(ModelConfig::new(EncoderConfig::of_size(Size::Tiny), HeadKind::Xml, 3))
    }

    #[test]
    fn json_comes_back_and_a_threshold_may_be_the_labels_own() {
        let mut manifest = manifest();
        assert_eq!((manifest.max_len, manifest.stride), (1024, 1022));
        manifest.provenance.insert("seed".to_owned(), 7.into());
        assert_eq!(Manifest::from_json(manifest.to_json().as_bytes()).unwrap(), manifest);
        assert_eq!(manifest.threshold_of(2), 0.5);
        manifest.label_thresholds = Some(vec![0.1, 0.2, 0.3]);
        assert_eq!(Manifest::from_json(manifest.to_json().as_bytes()).unwrap().threshold_of(2), 0.3);
    }

    #[test]
    fn a_threshold_comes_back_to_the_last_bit() {
        let mut manifest = manifest();
        // A tuned threshold is a probability in f32, widened: 17 digits.
        for at in 1..2000u16 {
            manifest.threshold = f64::from((f32::from(at) * 0.317).sin().abs());
            let again = Manifest::from_json(manifest.to_json().as_bytes()).unwrap();
            assert_eq!(again.threshold.to_bits(), manifest.threshold.to_bits());
        }
    }

    #[test]
    fn an_encoder_with_a_size_left_out_is_refused() {
        let json = manifest().to_json();
        let without = json.replacen("\"num_attention_heads\": 2,", "", 1);
        assert!(without.len() < json.len());
        assert!(matches!(Manifest::from_json(without.as_bytes()), Err(ModelFolderError::Json(_))));
    }

    #[test]
    fn a_wrong_threshold_is_named_with_its_label() {
        let manifest = Manifest { label_thresholds: Some(vec![0.1, 2.0, 0.3]), ..manifest() };
        assert_eq!(
            manifest.validate().unwrap_err().to_string(),
            "model.json: label_thresholds = 2: label 1: a threshold is a probability, 0 to 1"
        );
    }

    #[test]
    fn foreign_newer_and_unknown_are_told_apart() {
        let message = |from: &str, to: &str| {
            let json = manifest().to_json();
            assert!(json.contains(from));
            Manifest::from_json(json.replacen(from, to, 1).as_bytes()).unwrap_err().to_string()
        };
        assert_eq!(
            message("bert-xml-model", "onnx"),
            "model.json: format = \"onnx\": must be \"bert-xml-model\""
        );
        assert_eq!(
            message("\"version\": 1", "\"version\": 2, \"shards\": 4"),
            "model.json: version = 2: this program reads up to 1; use a newer one"
        );
        assert_eq!(message("\"version\": 1", "\"version\": \"x\""), "model.json cannot be read");
        assert_eq!(message("\"stride\"", "\"strife\""), "model.json cannot be read");
        assert!(matches!(Manifest::from_json(b"{}"), Err(ModelFolderError::Foreign { .. })));
        assert!(matches!(Manifest::from_json(b"{"), Err(ModelFolderError::Json(_))));
    }

    #[test]
    fn values_that_break_a_rule_are_named() {
        let message = |change: fn(&mut Manifest)| {
            let mut manifest = manifest();
            change(&mut manifest);
            manifest.validate().unwrap_err().to_string()
        };
        assert_eq!(
            message(|m| m.max_len = 1025),
            "model.json: max_len = 1025: must be 3 to 1024, the encoder's positions"
        );
        assert_eq!(message(|m| m.stride = 1023), "model.json: stride = 1023: must be 1 to 1022, max_len - 2");
        assert_eq!(
            message(|m| m.threshold = f64::NAN),
            "model.json: threshold = NaN: a threshold is a probability, 0 to 1"
        );
        assert_eq!(
            message(|m| m.label_thresholds = Some(vec![0.5])),
            "model.json: label_thresholds = 1 values: must have one threshold for each of 3 labels"
        );
        assert_eq!(message(|m| m.model.labels = 0), "model.json: model");
    }
}
