//! `corpus.json`: what makes a folder a corpus.

use std::collections::BTreeMap;

use bert_xml_core::data::Split;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::chronic_codes::ChronicIndicator;
use super::imputation::ChronicImputation;

/// What `format` says.
pub const FORMAT: &str = "bert-xml-corpus";
/// The version that this build writes and reads.
pub const VERSION: u32 = 1;

/// The manifest's file name.
pub const MANIFEST: &str = "corpus.json";
/// The label set's file name.
pub const LABELS: &str = "labels.tsv";
/// The file with counts of each label.
pub const LABEL_COUNTS: &str = "label_counts.tsv";
/// The file with records that are in no split.
pub const DROPPED: &str = "dropped.tsv";
/// The file with codes that the table does not list.
pub const UNKNOWN_CODES: &str = "unknown_codes.tsv";
/// Statistics for programs.
pub const STATISTICS_JSON: &str = "statistics.json";
/// Statistics for people.
pub const STATISTICS_MD: &str = "statistics.md";

/// The file of a split's notes.
pub fn notes_file(split: Split) -> String {
    format!("{split}.jsonl.zst")
}

/// `corpus.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// The version of the command that wrote it.
    pub made_by: String,
    /// The settings of the step that made it, as that step serializes them.
    pub settings: serde_json::Value,
    /// The record files that were read.
    pub inputs: Vec<InputFile>,
    /// Notes and patients in each split.
    pub splits: BTreeMap<Split, SplitCounts>,
    /// Labels.
    pub labels: u64,
    /// Records that are in no split.
    pub dropped: u64,
    /// Every other file of the folder.
    pub files: BTreeMap<String, FileMark>,
}

impl Manifest {
    /// Whether and how codes of chronic conditions were imputed, in a few words ([`ChronicIndicator::described`]).
    /// Corpora of before there was imputation say nothing of it.
    pub fn chronic_imputation(&self) -> String {
        let rule: ChronicImputation = self.setting("chronic_imputation");
        self.setting::<ChronicIndicator>("chronic_indicator").described(rule)
    }

    fn setting<T: DeserializeOwned + Default>(&self, name: &str) -> T {
        self.settings.get(name).and_then(|value| T::deserialize(value).ok()).unwrap_or_default()
    }
}

/// A record file that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputFile {
    /// Its name without folders; `-` for standard input.
    pub name: String,
    /// Its size in bytes; none for standard input.
    pub bytes: Option<u64>,
    /// Its SHA-256 in lower-case hexadecimal; none for standard input.
    pub sha256: Option<String>,
}

/// How large a split is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitCounts {
    /// Notes.
    pub notes: u64,
    /// Patients; a note without a patient counts as one.
    pub patients: u64,
}

/// What a file must be like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileMark {
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}
