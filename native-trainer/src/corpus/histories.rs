//! The histories of all patients, on disk: imputation needs a patient's notes together, and they come in any order.
//!
//! While notes stream in, each is spooled as it is, and what imputation needs of it (40 bytes and its chronic codes) goes
//! into one of [`PARTS`] files by its patient's hash. Then one part after the other is sorted in memory, and what it adds
//! goes back to disk; and the spool is read again, merged with what was added. So memory holds a part: a billion notes
//! make parts of 700 MB. All files are without a name, and gone with the process.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use bert_xml_core::data::Split;
use bert_xml_core::text::Note;

use super::imputation::{ChronicImputation, Undated, Visit, day_of, impute};
use crate::error::hinted;
use crate::ingest::Record;
use crate::ingest::numbered::{Numbered, hashed};

/// Files by which patients are told apart.
const PARTS: u64 = 64;
/// zstd's fastest usual level: the spool is read once.
const SPOOL_LEVEL: i32 = 1;
/// A note without a date.
const UNDATED: i32 = i32::MIN;

/// Notes and histories in the making.
pub(super) struct Histories {
    rule: ChronicImputation,
    spool: zstd::stream::write::Encoder<'static, BufWriter<File>>,
    parts: Vec<BufWriter<File>>,
    codes: Numbered,
    files: Vec<Arc<str>>,
    notes: u64,
    folder: PathBuf,
}

impl Histories {
    /// Starts, with its files in `folder`'s file system.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub(super) fn start(rule: ChronicImputation, folder: &Path) -> Result<Self> {
        let parts = (0..PARTS).map(|_| nameless(folder)).collect::<Result<_>>()?;
        let spool = zstd::stream::write::Encoder::new(nameless(folder)?, SPOOL_LEVEL)?;
        Ok(Self {
            rule,
            spool,
            parts,
            codes: Numbered::default(),
            files: Vec::new(),
            notes: 0,
            folder: folder.to_owned(),
        })
    }

    /// Keeps a note; `is_chronic` says it of its canonical codes.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub(super) fn add(
        &mut self,
        split: Split,
        record: &Record,
        is_chronic: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let ordinal = self.notes;
        self.notes += 1;
        let note = &record.note;
        let mut line = serde_json::to_vec(&(split, note)).context("spooling a note as JSON")?;
        line.push(b'\n');
        self.spool.write_all(&line).context(SPOOLING)?;
        // A note that is its own patient has no other encounter.
        if !record.has_patient {
            return Ok(());
        }
        let patient = hashed(&note.patient_id);
        let encounter = match &record.encounter {
            Some(encounter) => hashed(&format!("{}\n{encounter}", note.patient_id)),
            None => hashed(&format!("{}\n\n{ordinal}", note.patient_id)),
        };
        if self.files.last().is_none_or(|last| *last != record.file) {
            self.files.push(record.file.clone());
        }
        let chronic =
            note.codes.iter().filter(|code| is_chronic(code)).map(|code| self.codes.number(code)).collect();
        let row = Row {
            patient,
            ordinal,
            line: record.line,
            file: (self.files.len() - 1) as u32,
            visit: Visit { encounter, day: note.date.as_deref().and_then(day_of), chronic },
        };
        row.write(&mut self.parts[(patient % PARTS) as usize]).context(SPOOLING)
    }

    /// Notes so far.
    pub(super) fn notes(&self) -> u64 {
        self.notes
    }

    /// Imputes, and gives every note back in the order it came in, with the codes that were added to it, sorted.
    ///
    /// # Errors
    /// A note without a date where the order decides; whatever the disk says.
    pub(super) fn finish(self, mut each: impl FnMut(Split, Note, Vec<String>) -> Result<()>) -> Result<()> {
        let mut added = Vec::new();
        for part in self.parts {
            let mut rows = read_rows(reopened(part)?).context(SPOOLING)?;
            rows.sort_unstable_by_key(|row| (row.patient, row.ordinal));
            let mut additions = nameless(&self.folder)?;
            let mut found: Vec<Addition> = Vec::new();
            for history in rows.chunk_by(|a, b| a.patient == b.patient) {
                let visits: Vec<Visit> = history.iter().map(|row| row.visit.clone()).collect();
                let codes = impute(self.rule, &visits).map_err(|Undated(at)| {
                    undated(&self.files[history[at].file as usize], history[at].line)
                })?;
                let some = history.iter().zip(codes).filter(|(_, codes)| !codes.is_empty());
                found.extend(some.map(|(row, codes)| Addition { ordinal: row.ordinal, codes }));
            }
            found.sort_unstable_by_key(|addition| addition.ordinal);
            found.iter().try_for_each(|addition| addition.write(&mut additions)).context(SPOOLING)?;
            added.push(reopened(additions)?);
        }
        let mut added = Merged::start(added).context(SPOOLING)?;
        let spool = reopened(self.spool.finish().context(SPOOLING)?)?;
        let mut spool = BufReader::new(zstd::stream::read::Decoder::with_buffer(spool)?);
        let mut line = Vec::new();
        for ordinal in 0..self.notes {
            line.clear();
            spool.read_until(b'\n', &mut line).context(SPOOLING)?;
            let (split, note): (Split, Note) = serde_json::from_slice(&line).context(SPOOLING)?;
            let codes = added.of(ordinal).context(SPOOLING)?;
            let mut codes: Vec<String> = codes.iter().map(|code| self.codes.code(*code).to_owned()).collect();
            codes.sort_unstable();
            each(split, note, codes)?;
        }
        Ok(())
    }
}

const SPOOLING: &str = "spooling notes for chronic imputation";

fn undated(file: &str, line: u64) -> anyhow::Error {
    hinted(
        format!(
            "{file}, line {line}: a note without a date; chronic imputation needs the order of this patient's notes"
        ),
        "name the field with the date with --date-field, or leave imputation off",
    )
}

fn nameless(folder: &Path) -> Result<BufWriter<File>> {
    let file = tempfile::tempfile_in(folder).with_context(|| format!("writing in {}", folder.display()))?;
    Ok(BufWriter::with_capacity(1 << 16, file))
}

/// A written file, from its beginning.
fn reopened(file: BufWriter<File>) -> Result<BufReader<File>> {
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error).context(SPOOLING)?;
    file.rewind().context(SPOOLING)?;
    Ok(BufReader::with_capacity(1 << 16, file))
}

/// What imputation needs of a note.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    patient: u64,
    ordinal: u64,
    line: u64,
    file: u32,
    visit: Visit,
}

impl Row {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for number in [self.patient, self.ordinal, self.line, self.visit.encounter] {
            out.write_all(&number.to_le_bytes())?;
        }
        out.write_all(&self.file.to_le_bytes())?;
        out.write_all(&self.visit.day.unwrap_or(UNDATED).to_le_bytes())?;
        write_numbers(&self.visit.chronic, out)
    }
}

fn read_rows(mut input: impl Read) -> io::Result<Vec<Row>> {
    let mut rows = Vec::new();
    while let Some(patient) = next_u64(&mut input)? {
        let [ordinal, line, encounter] = [u64_of(&mut input)?, u64_of(&mut input)?, u64_of(&mut input)?];
        let file = u32_of(&mut input)?;
        let day = u32_of(&mut input)?.cast_signed();
        let visit = Visit {
            encounter,
            day: Some(day).filter(|day| *day != UNDATED),
            chronic: read_numbers(&mut input)?,
        };
        rows.push(Row { patient, ordinal, line, file, visit });
    }
    Ok(rows)
}

/// Codes that a note gets.
struct Addition {
    ordinal: u64,
    codes: Vec<u32>,
}

impl Addition {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.ordinal.to_le_bytes())?;
        write_numbers(&self.codes, out)
    }

    fn read(input: &mut impl Read) -> io::Result<Option<Self>> {
        let Some(ordinal) = next_u64(input)? else { return Ok(None) };
        Ok(Some(Self { ordinal, codes: read_numbers(input)? }))
    }
}

/// What all parts add, by the place of the note.
struct Merged {
    parts: Vec<BufReader<File>>,
    heads: BinaryHeap<Reverse<(u64, usize, Vec<u32>)>>,
}

impl Merged {
    fn start(parts: Vec<BufReader<File>>) -> io::Result<Self> {
        let mut merged = Self { parts, heads: BinaryHeap::new() };
        for part in 0..merged.parts.len() {
            merged.advance(part)?;
        }
        Ok(merged)
    }

    fn advance(&mut self, part: usize) -> io::Result<()> {
        if let Some(next) = Addition::read(&mut self.parts[part])? {
            self.heads.push(Reverse((next.ordinal, part, next.codes)));
        }
        Ok(())
    }

    /// The codes of a note; asked for in order.
    fn of(&mut self, ordinal: u64) -> io::Result<Vec<u32>> {
        if self.heads.peek().is_none_or(|Reverse((first, ..))| *first != ordinal) {
            return Ok(Vec::new());
        }
        let Some(Reverse((_, part, codes))) = self.heads.pop() else { return Ok(Vec::new()) };
        self.advance(part)?;
        Ok(codes)
    }
}

fn write_numbers(numbers: &[u32], out: &mut impl Write) -> io::Result<()> {
    out.write_all(&(numbers.len() as u32).to_le_bytes())?;
    numbers.iter().try_for_each(|number| out.write_all(&number.to_le_bytes()))
}

fn read_numbers(input: &mut impl Read) -> io::Result<Vec<u32>> {
    let count = u32_of(input)?;
    (0..count).map(|_| u32_of(input)).collect()
}

fn u32_of(input: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn u64_of(input: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    input.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// None at the end of the file.
fn next_u64(input: &mut impl Read) -> io::Result<Option<u64>> {
    match u64_of(input) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        number => number.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: u64, patient: u64, day: Option<&str>, codes: &[&str]) -> Record {
        let note = Note {
            patient_id: format!("p{patient}"),
            note_id: format!("n{number}"),
            date: day.map(str::to_owned),
            text: "No fever.".into(),
            codes: codes.iter().map(|code| (*code).to_owned()).collect(),
            ..Note::default()
        };
        Record { note, split: None, encounter: None, has_patient: true, file: "f".into(), line: number + 1 }
    }

    fn imputed(records: &[Record]) -> Result<Vec<(String, Vec<String>)>> {
        let folder = tempfile::tempdir().unwrap();
        let mut histories = Histories::start(ChronicImputation::Paper, folder.path()).unwrap();
        for record in records {
            histories.add(Split::Train, record, |code| code != "J06.9").unwrap();
        }
        let mut out = Vec::new();
        histories.finish(|split, note, added| {
            assert_eq!(split, Split::Train);
            out.push((note.note_id, added));
            Ok(())
        })?;
        Ok(out)
    }

    #[test]
    fn notes_come_back_in_order_each_with_what_its_own_patient_adds() {
        // 300 patients over all parts, their notes interleaved and the latest first.
        let mut records = Vec::new();
        for (visit, day) in ["2020-03-01", "2020-02-01", "2020-01-01"].into_iter().enumerate() {
            for patient in 0..300 {
                let codes: &[&str] = if visit == 0 { &[] } else { &["I10", "E11.9", "J06.9"] };
                records.push(record(visit as u64 * 300 + patient, patient, Some(day), codes));
            }
        }
        let out = imputed(&records).unwrap();
        assert_eq!(out.len(), 900);
        for (at, (note_id, added)) in out.iter().enumerate() {
            assert_eq!(*note_id, format!("n{at}"));
            let expected: &[&str] = if at < 300 { &["E11.9", "I10"] } else { &[] };
            assert_eq!(added, expected, "{at}");
        }
    }

    #[test]
    fn a_missing_date_is_named_with_its_line_where_it_matters() {
        let fine = [record(0, 1, None, &["I10"]), record(1, 2, None, &["I10"])];
        assert!(imputed(&fine).unwrap().iter().all(|(_, added)| added.is_empty()));
        let error = imputed(&[record(0, 1, Some("2020-01-01"), &["I10"]), record(1, 1, None, &["I10"])]);
        assert_eq!(
            error.unwrap_err().to_string(),
            "f, line 2: a note without a date; chronic imputation needs the order of this patient's notes"
        );
    }

    #[test]
    fn rows_read_back_as_they_were_written() {
        let visit = Visit { encounter: 3, day: Some(20_200_101), chronic: vec![1, 2] };
        let row = Row { patient: 1, ordinal: 2, line: 9, file: 0, visit };
        let undated = Row { visit: Visit { encounter: 4, day: None, chronic: vec![] }, ..row.clone() };
        let mut bytes = Vec::new();
        row.write(&mut bytes).unwrap();
        undated.write(&mut bytes).unwrap();
        assert_eq!(read_rows(bytes.as_slice()).unwrap(), [row, undated]);
    }
}
