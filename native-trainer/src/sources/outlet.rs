//! Where all sources put their records: the last checks, and the lines that `prepare` reads.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Map, Value};

use super::ledger::{Ledger, Place};
use crate::files::write_lines;
use crate::ingest::columns::MAX_NAME;
use crate::ingest::numbered::hashed;
use crate::ingest::record::is_iso_date;

/// A note on its way out. Empty fields are not written.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SourceRecord {
    /// Unique among all notes.
    pub note_id: String,
    /// The patient.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub patient_id: String,
    /// The encounter or admission.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub encounter_id: String,
    /// ISO 8601.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub date: String,
    /// Such as `discharge summary`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note_type: String,
    /// The source's own split.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub split: String,
    /// The note.
    pub text: String,
    /// Its codes, each once.
    pub codes: Vec<String>,
    /// Further fields of the source.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What came out of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records written.
    pub records: u64,
    /// Their codes.
    pub codes: u64,
    /// Rows of the report by rule.
    pub listed: BTreeMap<String, u64>,
    /// What else was counted.
    pub counted: BTreeMap<String, u64>,
}

/// Takes records. Memory holds 64 bits of each note id seen.
pub struct Outlet<'a> {
    lines: &'a mut dyn Write,
    /// The report.
    pub ledger: Ledger,
    keep_uncoded: bool,
    seen: HashSet<u64>,
    records: u64,
    codes: u64,
}

impl Outlet<'_> {
    /// Writes a record, or lists why not: without text, without codes (unless they are kept), with an id that was there
    /// before or a field that cannot be one. A date that is none is left out and listed.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn put(&mut self, place: Place<'_>, mut record: SourceRecord) -> Result<()> {
        let id = record.note_id.clone();
        let fields =
            [&record.note_id, &record.patient_id, &record.encounter_id, &record.note_type, &record.split];
        if fields
            .into_iter()
            .any(|field| field.chars().count() > MAX_NAME || field.contains(char::is_control))
        {
            return self.ledger.list(
                place,
                "an id or a type of more than 200 characters, or with control characters",
                "",
            );
        }
        if record.text.trim().is_empty() {
            return self.ledger.list(place, "the text is empty", &id);
        }
        if record.codes.is_empty() && !self.keep_uncoded {
            return self.ledger.list(place, "a note without a code", &id);
        }
        if !self.seen.insert(hashed(&id)) {
            return self.ledger.list(place, "a note id that was there before", &id);
        }
        if !record.date.is_empty() && !is_iso_date(&record.date) {
            self.ledger.list(place, "the date is none, and left out", &id)?;
            record.date.clear();
        }
        let mut codes = HashSet::new();
        record.codes.retain(|code| codes.insert(code.clone()));
        serde_json::to_writer(&mut self.lines, &record)?;
        self.lines.write_all(b"\n")?;
        self.records += 1;
        self.codes += record.codes.len() as u64;
        Ok(())
    }
}

/// Writes all that a source gives to `out` (by its ending also .gz or .zst; `-` is standard output) and what it leaves
/// out to `report`: both whole or not at all.
///
/// # Errors
/// What the source or the disk says.
pub fn write_source(
    out: &Path,
    report: &Path,
    keep_uncoded: bool,
    source: impl FnOnce(&mut Outlet<'_>) -> Result<()>,
) -> Result<Totals> {
    let ledger = Ledger::start(report)?;
    let mut ended = None;
    let written = write_lines(out, |lines| {
        let seen = HashSet::new();
        let mut outlet = Outlet { lines, ledger, keep_uncoded, seen, records: 0, codes: 0 };
        let result = source(&mut outlet);
        let failed = result.is_err();
        ended = Some(result.map(|()| (outlet.records, outlet.codes, outlet.ledger)));
        if failed { Err(io::Error::other("the source cannot be read")) } else { Ok(()) }
    });
    let (records, codes, ledger) = match ended {
        Some(Err(error)) => return Err(error),
        Some(Ok(totals)) => totals,
        None => return written.map(|()| Totals::default()),
    };
    written.context("writing records")?;
    let [listed, counted] = ledger.finish()?;
    Ok(Totals { records, codes, listed, counted })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The records that a source gives, its totals, and the rows of its report without the folder.
    pub(crate) fn read(
        keep_uncoded: bool,
        source: impl FnOnce(&mut Outlet<'_>) -> Result<()>,
    ) -> Result<(Vec<Value>, Totals, String)> {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let totals = write_source(&at("r.jsonl"), &at("report.tsv"), keep_uncoded, source)?;
        let lines = std::fs::read_to_string(at("r.jsonl")).unwrap();
        let records = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Ok((records, totals, std::fs::read_to_string(at("report.tsv")).unwrap()))
    }

    #[test]
    fn what_prepare_would_refuse_is_listed() {
        let place = Place { file: "f", line: 1 };
        let record = |note_id: &str, text: &str, codes: &[&str], date: &str| SourceRecord {
            note_id: note_id.into(),
            text: text.into(),
            date: date.into(),
            codes: codes.iter().map(|code| (*code).to_owned()).collect(),
            ..SourceRecord::default()
        };
        let source = |outlet: &mut Outlet<'_>| {
            outlet.put(place, record("a", "Cough.", &["R05.9", "R05.9"], "2026-01-02"))?;
            outlet.put(place, record("a", "Cough.", &["R05.9"], ""))?;
            outlet.put(place, record("b", " ", &["R05.9"], ""))?;
            outlet.put(place, record("c", "Cough.", &[], ""))?;
            outlet.put(place, record("d", "Cough.", &["R05.9"], "02.01.2026"))?;
            outlet.put(place, record(&"e".repeat(300), "Cough.", &["R05.9"], ""))
        };
        let (records, totals, _) = read(false, source).unwrap();
        assert_eq!((totals.records, totals.codes, totals.listed.values().sum::<u64>()), (2, 2, 5));
        assert_eq!(
            records[0],
            serde_json::json!({"note_id": "a", "date": "2026-01-02", "text": "Cough.", "codes": ["R05.9"]})
        );
        assert!(records[1].get("date").is_none());
        let (records, ..) = read(true, source).unwrap();
        assert_eq!(records.len(), 3, "a note without codes is kept where that is asked for");
    }
}
