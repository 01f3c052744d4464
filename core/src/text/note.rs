//! The record that everything starts from: one clinical note.

use serde::{Deserialize, Serialize};

/// A clinical note with the codes that a coder gave it.
///
/// The canonical form of a record in a corpus folder (one JSON object a line).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// The patient; splits and confidence intervals go by it. Equal to `note_id` where the source has none.
    pub patient_id: String,
    /// Unique in a corpus.
    pub note_id: String,
    /// ISO 8601 date (`2026-11-23`), where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Such as `progress` or `discharge summary`, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note_type: Option<String>,
    /// The note as written; evidence offsets refer to it.
    pub text: String,
    /// Distinct codes in the notation of their system (`E11.9`), in the order of the source.
    #[serde(default)]
    pub codes: Vec<String>,
}
