//! Gold codes of notes, from records.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result, bail};

/// The gold codes of one note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoldNote {
    /// The note's id.
    pub note_id: String,
    /// Its codes, any strings, in any order; a repeated one counts once.
    pub codes: Vec<String>,
}

pub(super) fn open(path: &Path) -> Result<Box<dyn BufRead>> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    Ok(match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => Box::new(BufReader::new(flate2::read::MultiGzDecoder::new(file))),
        Some("zst") => Box::new(BufReader::new(
            zstd::stream::read::Decoder::new(file).with_context(|| format!("opening {}", path.display()))?,
        )),
        _ => Box::new(BufReader::new(file)),
    })
}

/// Reads note ids and codes of records (`.jsonl`, also `.gz` and `.zst`).
///
/// # Errors
/// Line and rule of the first record that lacks one of the fields or has another kind of value in it, and
/// of a note id that stands twice.
pub fn read_gold(path: &Path, note_id_field: &str, codes_field: &str) -> Result<Vec<GoldNote>> {
    let mut notes = Vec::new();
    let mut first_line: HashMap<String, usize> = HashMap::new();
    for (at, line) in open(path)?.lines().enumerate() {
        let place = || format!("{}, line {}", path.display(), at + 1);
        let line = line.with_context(place)?;
        if line.trim().is_empty() {
            continue;
        }
        let record: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&line).map_err(|_| anyhow::anyhow!("{}: not a JSON object", place()))?;
        let field = |name: &str| {
            record.get(name).ok_or_else(|| anyhow::anyhow!("{}: field `{name}` is missing", place()))
        };
        let note_id = match field(note_id_field)? {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Number(number) => number.to_string(),
            _ => bail!("{}: field `{note_id_field}` is neither text nor a number", place()),
        };
        let codes: Vec<String> = serde_json::from_value(field(codes_field)?.clone())
            .map_err(|_| anyhow::anyhow!("{}: field `{codes_field}` is not a list of texts", place()))?;
        if let Some(first) = first_line.insert(note_id.clone(), at + 1) {
            bail!(
                "{}: note_id `{note_id}`: each note stands once; this one is also on line {first}",
                place()
            );
        }
        notes.push(GoldNote { note_id, codes });
    }
    Ok(notes)
}
