//! Gold codes of notes, from records.

use std::path::Path;

use anyhow::Result;

use crate::error::hinted;
use crate::ingest::{Columns, RecordError, read_records};

/// The gold codes of one note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoldNote {
    /// The note's id.
    pub note_id: String,
    /// Its patient; the note's own id where the record names none.
    pub patient_id: String,
    /// Its codes, any strings, in any order, each once.
    pub codes: Vec<String>,
}

/// Reads note ids and codes of records; their text is not asked for.
///
/// # Errors
/// Those of the record reader; a record without the note id; a file in which no record has a code.
pub fn read_gold(path: &Path, columns: &Columns) -> Result<Vec<GoldNote>> {
    let columns =
        Columns { note_id_field: Some(columns.note_id().to_owned()), without_text: true, ..columns.clone() };
    let mut notes = Vec::new();
    for record in read_records(path, &columns).map_err(RecordError::hinted)? {
        let note = record.map_err(RecordError::hinted)?.note;
        notes.push(GoldNote { note_id: note.note_id, patient_id: note.patient_id, codes: note.codes });
    }
    if notes.iter().all(|note| note.codes.is_empty()) {
        return Err(hinted(
            format!("{}: no gold code in the field `{}` of any record", path.display(), columns.codes()),
            "name the field of the codes with --codes-field",
        ));
    }
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, content: &str, columns: &Columns) -> Result<Vec<GoldNote>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        read_gold(&path, columns)
            .map_err(|error| format!("{error:#}").replace(&path.display().to_string(), name))
    }

    #[test]
    fn records_need_an_id_and_codes_but_no_text() {
        let columns = Columns::default();
        let notes =
            read("g.jsonl", "{\"note_id\": 5, \"codes\": [\"B\", \"A\", \"B\"]}\n", &columns).unwrap();
        let patient_id = "5".to_owned();
        assert_eq!(
            notes,
            [GoldNote { note_id: "5".into(), patient_id, codes: vec!["B".into(), "A".into()] }]
        );
        let other = Columns { codes_field: Some("dx".into()), ..Columns::default() };
        let notes = read("g.csv", "note_id,dx\na,I10;E11.9\nb,\n", &other).unwrap();
        assert_eq!((notes[0].codes.len(), notes[1].codes.len()), (2, 0));
        let message =
            read("g.jsonl", "{\"note_id\": \"a\", \"codes\": [\"B\"]}\n{\"codes\": []}\n", &columns);
        let message = message.unwrap_err();
        assert!(
            message.contains("g.jsonl") && message.contains('2') && message.contains("note_id"),
            "{message}"
        );
        let message = read("g.jsonl", "{\"note_id\": \"a\", \"dx\": [\"B\"]}\n", &columns).unwrap_err();
        assert_eq!(message, "g.jsonl: no gold code in the field `codes` of any record");
    }
}
