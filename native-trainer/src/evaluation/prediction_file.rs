//! Prediction files: one JSON object a line, codes by falling probability, as `bert-xml predict` writes them.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use bert_xml_core::text::shown;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;

use crate::files::write_atomic_with;
use crate::ingest::source::{self, Format};

/// The codes predicted for one note.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictedNote {
    /// The note's id; a number is read as its digits.
    #[serde(deserialize_with = "text_or_number")]
    pub note_id: String,
    /// Codes by falling probability, each once. A code that is missing has probability 0.
    pub codes: Vec<PredictedCode>,
}

/// One code of a note. Other fields (the evidence) are not read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictedCode {
    /// The code, any string.
    pub code: String,
    /// Its description, empty if the file has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Probability, 0..=1.
    pub probability: f64,
    /// Whether whoever predicted assigned the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned: Option<bool>,
}

/// A note id written as text or as a whole number.
fn text_or_number<'de, D: serde::Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Id {
        Text(String),
        Number(i64),
    }
    Ok(match Id::deserialize(value)? {
        Id::Text(text) => text,
        Id::Number(number) => number.to_string(),
    })
}

/// Reads a prediction file (`.jsonl`, also `.gz` and `.zst`).
///
/// # Errors
/// Line and rule for text that is no JSON object of this shape, a note id or a code that stands twice, a
/// probability outside 0..=1, probabilities that rise.
pub fn read_predictions(path: &Path) -> Result<Vec<PredictedNote>> {
    let file = path.display().to_string();
    let (format, compression) = source::format_of(path)?;
    ensure!(format == Format::JsonLines, "{file}: predictions are JSON Lines (.jsonl, also .gz and .zst)");
    let mut reader = source::open(path, compression, Arc::default())?;
    let mut notes = Vec::new();
    let mut first_line = HashMap::new();
    let mut bytes = Vec::new();
    for line in 1u64.. {
        bytes.clear();
        let count = reader
            .read_until(b'\n', &mut bytes)
            .map_err(|error| source::read_error(&file, line, compression, error))?;
        if count == 0 {
            break;
        }
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        let note = parse(&bytes).with_context(|| format!("{file}, line {line}"))?;
        if let Some(first) = first_line.insert(note.note_id.clone(), line) {
            bail!(
                "{file}, line {line}: note_id {}: each note stands once; this one is also on line {first}",
                shown(&note.note_id)
            );
        }
        notes.push(note);
    }
    Ok(notes)
}

fn parse(line: &[u8]) -> Result<PredictedNote> {
    let note: PredictedNote = serde_json::from_slice(line).map_err(|error| shape_error(&error))?;
    let mut seen = HashSet::new();
    let mut before = f64::INFINITY;
    for (at, code) in note.codes.iter().enumerate() {
        let wrong = |value: &str, rule: &str| {
            let (note, code) = (shown(&note.note_id), shown(&code.code));
            anyhow::anyhow!("note_id {note}, code {} ({code}): {value}: {rule}", at + 1)
        };
        if code.code.trim() != code.code || code.code.is_empty() || code.code.contains(['\t', '\n', '\r']) {
            return Err(wrong("code", "it is not empty and has no tab, line break or white space around it"));
        }
        if !seen.insert(code.code.as_str()) {
            return Err(wrong("code", "each code stands once in a note"));
        }
        let probability = code.probability;
        if !(0.0..=1.0).contains(&probability) {
            return Err(wrong(&probability.to_string(), "a probability is between 0 and 1"));
        }
        if probability > before {
            let rule = format!("codes stand by falling probability; the one before has {before}");
            return Err(wrong(&probability.to_string(), &rule));
        }
        before = probability;
    }
    Ok(note)
}

/// What is wrong with a line, without any of its text: serde's own message may quote a value.
fn shape_error(error: &serde_json::Error) -> anyhow::Error {
    let column = error.column();
    let what = error.to_string();
    match error.classify() {
        Category::Syntax | Category::Eof | Category::Io => {
            anyhow::anyhow!("column {column}: not JSON (numbers such as NaN are not JSON either)")
        }
        Category::Data if what.starts_with("missing field") => {
            let field = what.split('`').nth(1).unwrap_or_default();
            anyhow::anyhow!("column {column}: field `{field}` is missing; {SHAPE}")
        }
        Category::Data => anyhow::anyhow!("column {column}: a value of the wrong kind; {SHAPE}"),
    }
}

const SHAPE: &str = r#"a line is {"note_id": …, "codes": [{"code": …, "probability": …}, …]}"#;

/// Writes a prediction file, whole or not at all.
///
/// # Errors
/// Whatever the disk says.
pub fn write_predictions(path: &Path, notes: impl IntoIterator<Item = PredictedNote>) -> Result<()> {
    write_atomic_with(path, |file| {
        for note in notes {
            serde_json::to_writer(&mut *file, &note)?;
            file.write_all(b"\n")?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<PredictedNote>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.jsonl");
        std::fs::write(&path, text).unwrap();
        read_predictions(&path)
            .map_err(|error| format!("{error:#}").replace(&format!("{}, ", path.display()), ""))
    }

    #[test]
    fn lines_are_read_and_other_fields_ignored() {
        let text = r#"{"note_id": "a", "tokens": 4, "codes": [{"code": "I10", "probability": 0.5, "assigned": true, "evidence": [{"text": "x"}]}, {"code": "E11.9", "description": "d", "probability": 0.5}]}

            {"note_id": 7, "codes": []}"#;
        let notes = read(text).unwrap();
        assert_eq!(notes.len(), 2);
        assert_eq!((notes[0].codes[0].assigned, notes[0].codes[1].description.as_str()), (Some(true), "d"));
        assert_eq!((notes[1].note_id.as_str(), notes[1].codes.len()), ("7", 0));
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.jsonl");
        let code = PredictedCode {
            code: "X 1".into(),
            description: String::new(),
            probability: 0.1 + 0.2,
            assigned: Some(false),
        };
        let note = PredictedNote { note_id: "n".into(), codes: vec![code] };
        write_predictions(&path, [note.clone()]).unwrap();
        assert_eq!(read_predictions(&path).unwrap(), [note]);
    }

    #[test]
    fn errors_name_line_value_and_rule_but_no_text() {
        let message = |text: &str| read(text).unwrap_err();
        let note = |codes: &str| format!(r#"{{"note_id": "a", "codes": [{codes}]}}"#);
        assert_eq!(
            message(&note(r#"{"code": "I10", "probability": 1.5}"#)),
            "line 1: note_id `a`, code 1 (`I10`): 1.5: a probability is between 0 and 1"
        );
        assert_eq!(
            message(&note(r#"{"code": "A", "probability": 0.1}, {"code": "B", "probability": 0.2}"#)),
            "line 1: note_id `a`, code 2 (`B`): 0.2: codes stand by falling probability; the one before has 0.1"
        );
        assert!(message(&note(r#"{"code": "A", "probability": NaN}"#)).contains(": not JSON"));
        assert!(message(&note(r#"{"code": "A"}"#)).contains("field `probability` is missing"));
        assert_eq!(
            message(&format!("{}\n{}", note(""), note(""))),
            "line 2: note_id `a`: each note stands once; this one is also on line 1"
        );
        let twice = note(r#"{"code": "A", "probability": 0.2}, {"code": "A", "probability": 0.2}"#);
        assert!(message(&twice).ends_with("each code stands once in a note"));
        let secret = message(r#"{"note_id": "a", "codes": "Mrs. Smith has a cough"}"#);
        assert!(secret.contains("wrong kind") && !secret.contains("Smith"), "{secret}");
    }
}
