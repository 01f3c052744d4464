//! Notes through a coder, in groups, in their order.

use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use bert_xml_core::infer::{Coder, PredictOptions, PredictionRecord};
use bert_xml_core::text::{Note, shown};

use crate::error::hinted;
use crate::ingest::{Columns, Record, RecordError, read_records_from};
use crate::progress::Progress;

/// Notes that are batched together: enough to find windows of similar length.
const GROUP: usize = 64;

/// Reads records for [`predict`]: an error is an item, and an empty text is one.
///
/// # Errors
/// The file is missing or has an unknown format.
pub fn notes(path: &Path, columns: &Columns) -> Result<impl Iterator<Item = Result<Record>> + use<>> {
    notes_of(path, columns, 0..u64::MAX)
}

/// As [`notes`], those of some records, counted from 0.
///
/// # Errors
/// As there.
pub fn notes_of(
    path: &Path,
    columns: &Columns,
    records: Range<u64>,
) -> Result<impl Iterator<Item = Result<Record>> + use<>> {
    let count = usize::try_from(records.end - records.start).unwrap_or(usize::MAX);
    let records = read_records_from(path, columns, records.start).map_err(RecordError::hinted)?;
    Ok(records.take(count).map(|record| {
        let record = record.map_err(RecordError::hinted)?;
        record.require_text().map_err(RecordError::hinted)?;
        Ok(record)
    }))
}

/// A file's name in characters, beyond which a missing one is not shown; nor is one with spaces.
const LONGEST_NAME: usize = 120;

/// One note as plain text, from a file or (`-`) standard input; its id is the file's name, or `text`.
///
/// # Errors
/// It cannot be read, or is not UTF-8.
pub fn plain_note(path: &Path) -> Result<Record> {
    let standard = path.as_os_str() == "-";
    let name = if standard { "standard input".to_owned() } else { path.display().to_string() };
    // A note in place of a file's name must not come back in the error that the file is missing.
    let like_a_note = name.chars().count() > LONGEST_NAME || name.contains(char::is_whitespace);
    if !standard && !path.exists() && like_a_note {
        let value = format!("--text: a value of {} characters names no file", name.chars().count());
        return Err(hinted(value, "give a file, or - and the note on standard input"));
    }
    let mut bytes = Vec::new();
    if standard { io::stdin().lock().read_to_end(&mut bytes) } else { open(path, &mut bytes) }
        .with_context(|| format!("reading {name}"))?;
    let text = String::from_utf8(bytes)
        .map_err(|error| anyhow!("{name}: not UTF-8 at byte {}", error.utf8_error().valid_up_to() + 1))?;
    let stem = path.file_stem().filter(|_| !standard).and_then(|stem| stem.to_str()).unwrap_or("text");
    let note = Note { patient_id: stem.to_owned(), note_id: stem.to_owned(), text, ..Note::default() };
    let record =
        Record { note, split: None, encounter: None, has_patient: false, file: Arc::from(name), line: 1 };
    record.require_text().map_err(RecordError::hinted)?;
    Ok(record)
}

fn open(path: &Path, bytes: &mut Vec<u8>) -> io::Result<usize> {
    std::fs::File::open(path)?.read_to_end(bytes)
}

/// Predicts every note and hands its record on, in order.
///
/// # Errors
/// The first record that cannot be read or has no tokens, by file, line and id; what `each` says.
pub fn predict(
    coder: &Coder,
    records: impl Iterator<Item = Result<Record>>,
    options: &PredictOptions,
    progress: &mut Progress,
    mut each: impl FnMut(PredictionRecord) -> Result<()>,
) -> Result<u64> {
    let mut records = records.peekable();
    let mut done = 0;
    while records.peek().is_some() {
        let group: Vec<Record> = records.by_ref().take(GROUP).collect::<Result<_>>()?;
        let texts: Vec<&str> = group.iter().map(|record| record.note.text.as_str()).collect();
        for (record, prediction) in group.iter().zip(coder.predict(&texts, options)) {
            // A text of control characters only has no tokens: as empty as a blank one.
            let prediction = prediction.map_err(|_| empty(record))?;
            let Note { note_id, text, .. } = &record.note;
            each(PredictionRecord::new(note_id, text, &prediction, coder.labels()))?;
        }
        done += group.len() as u64;
        progress.advance(group.len() as u64);
    }
    Ok(done)
}

/// The error for a note in which the tokenizer finds nothing.
pub(super) fn empty(record: &Record) -> anyhow::Error {
    let (file, line, note_id) = (record.file.to_string(), record.line, shown(&record.note.note_id));
    RecordError::EmptyText { file, line, note_id }.hinted()
}

/// Writes one prediction a line.
///
/// # Errors
/// As [`predict`]; whatever the disk says.
pub fn write_predictions(
    coder: &Coder,
    records: impl Iterator<Item = Result<Record>>,
    options: &PredictOptions,
    progress: &mut Progress,
    out: &mut impl Write,
) -> Result<u64> {
    predict(coder, records, options, progress, |prediction| {
        serde_json::to_writer(&mut *out, &prediction)
            .map_err(io::Error::from)
            .and_then(|()| out.write_all(b"\n"))
            .context("writing predictions")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_in_place_of_a_files_name_is_not_repeated() {
        let note = "Mr Smith has a cough. ".repeat(20);
        let message = format!("{:#}", plain_note(Path::new(&note)).unwrap_err());
        assert!(message.contains("a value of 440 characters") && !message.contains("Smith"), "{message}");
        let short = format!("{:#}", plain_note(Path::new("Smith, cough")).unwrap_err());
        assert!(short.contains("names no file") && !short.contains("Smith"), "{short}");
    }
}
