//! From the cells of a row to a note, by the rules that hold for every format.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bert_xml_core::text::{Note, shown};

use super::columns::{Columns, MAX_NAME, Wanted};
use super::csv::CsvRows;
use super::error::RecordError;
use super::json::JsonRows;
use super::numbered::hashed;
use super::source::{self, Format};

/// A record: a note, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The note. Its text may be empty ([`Record::require_text`]); its codes are as written, trimmed, each once.
    pub note: Note,
    /// The word in the split field, as written; none without `--split-field`.
    pub split: Option<String>,
    /// The encounter that the note belongs to, where the record names it.
    pub encounter: Option<String>,
    /// Whether the record names its patient.
    pub has_patient: bool,
    /// The file as given.
    pub file: Arc<str>,
    /// Line in the file (Parquet: row), from 1.
    pub line: u64,
}

impl Record {
    /// Refuses a note without text.
    ///
    /// # Errors
    /// [`RecordError::EmptyText`].
    pub fn require_text(&self) -> Result<(), RecordError> {
        if !self.note.text.trim().is_empty() {
            return Ok(());
        }
        Err(RecordError::EmptyText {
            file: self.file.to_string(),
            line: self.line,
            note_id: shown(&self.note.note_id),
        })
    }
}

/// What a field holds in one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Nothing, or null.
    Absent,
    Text(String),
    /// An integer, as written.
    Integer(String),
    List(Vec<String>),
    /// A value of another type, by its name.
    Other(&'static str),
}

/// A row's wanted cells.
pub(crate) struct Row {
    pub line: u64,
    pub cells: Vec<Cell>,
}

/// Rows that can be passed over without looking into them.
pub(super) trait SkipRows {
    /// Passes over the next row; false at the end.
    fn skip_row(&mut self) -> Result<bool, RecordError>;

    /// Passes over `count` rows, or as many as there are; how many.
    fn skip_rows(&mut self, count: u64) -> Result<u64, RecordError> {
        for done in 0..count {
            if !self.skip_row()? {
                return Ok(done);
            }
        }
        Ok(count)
    }
}

pub(super) type Rows = Box<dyn Iterator<Item = Result<Row, RecordError>> + Send>;

/// Reads one file, or standard input as `-`. See [`Records::open`].
///
/// # Errors
/// As [`Records::open`].
pub fn read_records(path: &Path, columns: &Columns) -> Result<Records, RecordError> {
    Records::open(&[path], columns)
}

/// As [`read_records`], without the first `skipped` records. What is skipped is not looked into: only its lines and
/// quotes must be sound.
///
/// # Errors
/// As [`Records::open`].
pub fn read_records_from(path: &Path, columns: &Columns, skipped: u64) -> Result<Records, RecordError> {
    Records::open_at(&[path], columns, skipped)
}

/// How many records a file has, without looking into them; a Parquet file says it itself.
///
/// # Errors
/// A file that cannot be read, or whose lines or quotes are not sound.
pub fn count_records(path: &Path, columns: &Columns) -> Result<u64, RecordError> {
    let (format, compression) = source::format_of(path)?;
    let file: Arc<str> = path.display().to_string().into();
    let open = || source::open(path, compression, Arc::default());
    let table = |delimiter| CsvRows::new(&file, open()?, compression, delimiter, &columns.wanted());
    match format {
        Format::JsonLines => JsonRows::new(&file, open()?, compression, Vec::new()).skip_rows(u64::MAX),
        Format::Csv => table(b',')?.skip_rows(u64::MAX),
        Format::Tsv => table(b'\t')?.skip_rows(u64::MAX),
        #[cfg(feature = "parquet")]
        Format::Parquet => super::parquet::ParquetRows::count(path),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => Err(RecordError::NotBuilt { file: file.to_string(), format: "Parquet" }),
    }
}

/// The records of several files as one stream. An error is the last item.
///
/// Memory holds one record, and 64 bits of each note id seen: two different ids are taken for the same one
/// with a probability of about one in a million for six million notes.
pub struct Records {
    builder: Builder,
    /// Files that are still to come and what names their notes, the next one last.
    ahead: Vec<(PathBuf, String)>,
    current: Option<(Place, Rows)>,
    seen: HashSet<u64>,
    read: Arc<AtomicU64>,
    failed: bool,
}

/// Names of the file that is read.
struct Place {
    file: Arc<str>,
    /// What names notes without an id.
    name: String,
}

impl Records {
    /// Opens the first file and checks that all of them exist and have a known format.
    ///
    /// # Errors
    /// A file that is missing, has an unknown format, or (first file) breaks the format at once.
    pub fn open<P: AsRef<Path>>(paths: &[P], columns: &Columns) -> Result<Self, RecordError> {
        Self::open_at(paths, columns, 0)
    }

    /// Without the first `skipped` records of the first file.
    fn open_at<P: AsRef<Path>>(paths: &[P], columns: &Columns, skipped: u64) -> Result<Self, RecordError> {
        for path in paths.iter().map(AsRef::as_ref) {
            source::format_of(path)?;
            if path.as_os_str() != source::STANDARD_INPUT {
                source::check(path)?;
            }
        }
        let paths: Vec<PathBuf> = paths.iter().map(|path| path.as_ref().to_owned()).collect();
        let ahead = paths.iter().cloned().zip(source::names(&paths)).rev().collect();
        let builder = Builder { columns: columns.clone(), wanted: columns.wanted() };
        let (read, seen) = (Arc::default(), HashSet::new());
        let mut records = Self { builder, ahead, current: None, seen, read, failed: false };
        records.advance(skipped)?;
        Ok(records)
    }

    /// Bytes read so far, as they lie on the disk (compressed).
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Opens the next file, if there is one, and passes over its first `skipped` records.
    fn advance(&mut self, skipped: u64) -> Result<(), RecordError> {
        self.current = None;
        let Some((path, name)) = self.ahead.pop() else { return Ok(()) };
        let (format, compression) = source::format_of(&path)?;
        let file: Arc<str> = path.display().to_string().into();
        let wanted = self.builder.wanted.clone();
        let open = || source::open(&path, compression, self.read.clone());
        let table = |delimiter| CsvRows::new(&file, open()?, compression, delimiter, &wanted);
        let rows: Rows = match format {
            Format::JsonLines => {
                skipping(JsonRows::new(&file, open()?, compression, wanted.clone()), skipped)?
            }
            Format::Csv => skipping(table(b',')?, skipped)?,
            Format::Tsv => skipping(table(b'\t')?, skipped)?,
            #[cfg(feature = "parquet")]
            Format::Parquet => {
                let read = self.read.clone();
                Box::new(super::parquet::ParquetRows::open(&path, wanted.clone(), skipped, read)?)
            }
            #[cfg(not(feature = "parquet"))]
            Format::Parquet => {
                return Err(RecordError::NotBuilt { file: file.to_string(), format: "Parquet" });
            }
        };
        let place = Place { file, name };
        self.current = Some((place, rows));
        Ok(())
    }

    fn read(&mut self) -> Result<Option<Record>, RecordError> {
        while let Some((place, rows)) = &mut self.current {
            if let Some(row) = rows.next() {
                let record = self.builder.build(place, row?)?;
                if !self.seen.insert(hashed(&record.note.note_id)) {
                    return Err(RecordError::Duplicate {
                        file: record.file.to_string(),
                        line: record.line,
                        field: self.builder.columns.note_id().to_owned(),
                        note_id: shown(&record.note.note_id),
                    });
                }
                return Ok(Some(record));
            }
            self.advance(0)?;
        }
        Ok(None)
    }
}

impl Iterator for Records {
    type Item = Result<Record, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let record = self.read().transpose();
        self.failed = matches!(record, Some(Err(_)));
        record
    }
}

/// Rows behind the first `skipped`.
fn skipping<R>(mut rows: R, skipped: u64) -> Result<Rows, RecordError>
where
    R: SkipRows + Iterator<Item = Result<Row, RecordError>> + Send + 'static,
{
    rows.skip_rows(skipped)?;
    Ok(Box::new(rows))
}

struct Builder {
    columns: Columns,
    wanted: Vec<Wanted>,
}

impl Builder {
    fn build(&self, place: &Place, row: Row) -> Result<Record, RecordError> {
        let reader = RowReader { place, wanted: &self.wanted, row };
        let columns = &self.columns;
        let missing = |field: &str, rule| RecordError::Missing {
            file: place.file.to_string(),
            line: reader.row.line,
            field: field.to_owned(),
            rule,
        };
        let note_id = match reader.name(columns.note_id())? {
            Some(id) => id,
            None if columns.note_id_field.is_some() => {
                return Err(missing(columns.note_id(), "--note-id-field asks for it in every record"));
            }
            None => format!("{}:{}", place.name, reader.row.line),
        };
        let patient = reader.name(columns.patient())?;
        if patient.is_none() && columns.patient_field.is_some() {
            return Err(missing(columns.patient(), "--patient-field asks for it in every record"));
        }
        let split = match &columns.split_field {
            None => None,
            Some(field) => match reader.name(field)? {
                None => return Err(missing(field, "--split-field asks for it in every record")),
                word => word,
            },
        };
        let date = reader.name(columns.date())?;
        if let Some(date) = &date {
            reader.check_date(columns.date(), date)?;
        }
        let encounter = reader.name(columns.encounter())?;
        let mut parts = Vec::new();
        let mut present = false;
        for field in columns.text() {
            if let Some(part) = reader.text(field)? {
                present = true;
                parts.extend(Some(part).filter(|part| !part.trim().is_empty()));
            }
        }
        if !present && !columns.without_text {
            return Err(missing(&columns.text().join(","), "a record has a text"));
        }
        let note = Note {
            patient_id: patient.clone().unwrap_or_else(|| note_id.clone()),
            note_id,
            date,
            note_type: reader.name(columns.note_type())?,
            text: parts.join("\n\n"),
            codes: reader.codes(columns)?,
        };
        let (has_patient, file, line) = (patient.is_some(), place.file.clone(), reader.row.line);
        Ok(Record { note, split, encounter, has_patient, file, line })
    }
}

/// Whether this is `YYYY-MM-DD`, or a full timestamp that begins so.
pub(crate) fn is_iso_date(date: &str) -> bool {
    let extended = date.get(4..5) == Some("-") && date.get(7..8) == Some("-");
    extended
        && if date.len() == 10 {
            date.parse::<jiff::civil::Date>().is_ok()
        } else {
            date.parse::<jiff::Timestamp>().is_ok() || date.parse::<jiff::civil::DateTime>().is_ok()
        }
}

struct RowReader<'a> {
    place: &'a Place,
    wanted: &'a [Wanted],
    row: Row,
}

impl RowReader<'_> {
    fn cell(&self, field: &str) -> &Cell {
        let at = self.wanted.iter().position(|wanted| wanted.name == field);
        at.map_or(&Cell::Absent, |at| &self.row.cells[at])
    }

    fn wrong(&self, field: &str, value: impl Into<String>, rule: impl Into<String>) -> RecordError {
        RecordError::Value {
            file: self.place.file.to_string(),
            line: self.row.line,
            field: field.to_owned(),
            value: value.into(),
            rule: rule.into(),
        }
    }

    /// A short word: an id, a date, a type, a split. Trimmed; empty is absent.
    fn name(&self, field: &str) -> Result<Option<String>, RecordError> {
        let value = match self.cell(field) {
            Cell::Absent => return Ok(None),
            Cell::Text(value) | Cell::Integer(value) => value.trim(),
            Cell::List(_) => return Err(self.wrong(field, "a list", "where a string belongs")),
            Cell::Other(kind) => return Err(self.wrong(field, *kind, "where a string belongs")),
        };
        self.check_name(field, value)?;
        Ok(Some(value).filter(|value| !value.is_empty()).map(str::to_owned))
    }

    /// A value that may be shown is short and on one line; a longer one is taken for a text in a wrong column.
    fn check_name(&self, field: &str, value: &str) -> Result<(), RecordError> {
        let chars = value.chars().take(MAX_NAME + 1).count();
        if chars > MAX_NAME || value.contains(char::is_control) {
            let rule = format!("must be at most {MAX_NAME} characters without tabs and line breaks");
            return Err(self.wrong(field, "a value", rule));
        }
        Ok(())
    }

    fn check_date(&self, field: &str, date: &str) -> Result<(), RecordError> {
        let rule = "is no ISO 8601 date (YYYY-MM-DD, or a full timestamp)";
        if is_iso_date(date) {
            return Ok(());
        }
        // With a word in it, it is no date that somebody mistyped, but another column.
        let of_dates = |c: char| c.is_ascii_digit() || "TZ:./+ -".contains(c);
        let value = if date.len() <= 40 && date.chars().all(of_dates) {
            format!("`{date}`")
        } else {
            format!("a value of {} characters", date.chars().count())
        };
        Err(self.wrong(field, value, rule))
    }

    fn text(&self, field: &str) -> Result<Option<&str>, RecordError> {
        match self.cell(field) {
            Cell::Absent => Ok(None),
            Cell::Text(text) => Ok(Some(text)),
            Cell::Integer(_) => Err(self.wrong(field, "a number", "where a text belongs")),
            Cell::List(_) => Err(self.wrong(field, "a list", "where a text belongs")),
            Cell::Other(kind) => Err(self.wrong(field, *kind, "where a text belongs")),
        }
    }

    /// Trimmed, without empty ones and repeats, in the order of the source.
    fn codes(&self, columns: &Columns) -> Result<Vec<String>, RecordError> {
        let field = columns.codes();
        let parts: Vec<&str> = match self.cell(field) {
            Cell::Absent => Vec::new(),
            Cell::Text(text) => columns.split_codes(text),
            Cell::Integer(code) => vec![code],
            Cell::List(list) => list.iter().map(|code| code.trim()).filter(|code| !code.is_empty()).collect(),
            Cell::Other(kind) => return Err(self.wrong(field, *kind, "where codes belong")),
        };
        let mut codes: Vec<String> = Vec::with_capacity(parts.len());
        for code in parts {
            self.check_name(field, code)?;
            if !codes.iter().any(|known| known == code) {
                codes.push(code.to_owned());
            }
        }
        Ok(codes)
    }
}
