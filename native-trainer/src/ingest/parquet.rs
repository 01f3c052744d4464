//! Parquet, streamed in batches of rows; only the wanted columns are decoded.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, ArrayRef, AsArray, LargeStringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::columns::Wanted;
use super::error::RecordError;
use super::record::{Cell, Row};

/// Rows decoded at once. Long notes: 1,024 of 100 KB are 100 MB.
const BATCH: usize = 1024;

/// The rows of a Parquet file; a row's line is its number from 1.
pub(super) struct ParquetRows {
    file: Arc<str>,
    batches: ParquetRecordBatchReader,
    /// The name of each wanted field.
    names: Vec<String>,
    columns: Vec<Option<Column>>,
    /// Next row of the batch, and rows in it.
    at: usize,
    rows: usize,
    line: u64,
    read: Arc<AtomicU64>,
    bytes_per_row: f64,
}

impl ParquetRows {
    /// Opens the file and chooses the columns. The first `skipped` rows are left out; groups of rows that hold no
    /// other are not read.
    ///
    /// # Errors
    /// A file that is no Parquet file, or lacks a column that a flag names.
    pub fn open(
        path: &Path,
        wanted: Vec<Wanted>,
        skipped: u64,
        read: Arc<AtomicU64>,
    ) -> Result<Self, RecordError> {
        let name: Arc<str> = path.display().to_string().into();
        let unreadable = |source| RecordError::Unreadable { file: name.to_string(), source };
        let malformed = |rule| RecordError::Malformed { file: name.to_string(), line: 1, rule };
        let file = File::open(path).map_err(unreadable)?;
        let bytes = file.metadata().map_err(unreadable)?.len();
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)
            .map_err(|error| malformed(format!("not a Parquet file: {error}")))?;
        let schema = builder.schema().clone();
        for Wanted { name, asked, .. } in &wanted {
            if *asked && schema.column_with_name(name).is_none() {
                return Err(malformed(format!("the file has no column `{name}`")));
            }
        }
        let roots = wanted.iter().filter_map(|field| Some(schema.column_with_name(&field.name)?.0));
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        let rows = builder.metadata().file_metadata().num_rows();
        let batches = builder
            .with_projection(mask)
            .with_batch_size(BATCH)
            .with_offset(skipped as usize)
            .build()
            .map_err(|error| malformed(format!("the Parquet file is damaged: {error}")))?;
        let names: Vec<String> = wanted.into_iter().map(|field| field.name).collect();
        let bytes_per_row = bytes as f64 / rows.max(1) as f64;
        Ok(Self {
            file: name,
            batches,
            names,
            columns: Vec::new(),
            at: 0,
            rows: 0,
            line: skipped,
            read,
            bytes_per_row,
        })
    }

    /// Rows of a file, as it says itself.
    ///
    /// # Errors
    /// A file that is no Parquet file.
    pub fn count(path: &Path) -> Result<u64, RecordError> {
        let name = path.display().to_string();
        let file =
            File::open(path).map_err(|source| RecordError::Unreadable { file: name.clone(), source })?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| {
            RecordError::Malformed { file: name, line: 1, rule: format!("not a Parquet file: {error}") }
        })?;
        Ok(u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0))
    }

    fn read(&mut self) -> Result<Option<Row>, RecordError> {
        while self.at == self.rows {
            let Some(batch) = self.batches.next() else { return Ok(None) };
            let line = self.line + 1;
            let damaged = |error| RecordError::Malformed {
                file: self.file.to_string(),
                line,
                rule: format!("the Parquet file is damaged from this row on: {error}"),
            };
            let batch = batch.map_err(damaged)?;
            let columns =
                self.names.iter().map(|name| batch.column_by_name(name).map(Column::new).transpose());
            self.columns = columns.collect::<Result<_, _>>().map_err(damaged)?;
            (self.at, self.rows) = (0, batch.num_rows());
            self.read.fetch_add((self.bytes_per_row * self.rows as f64) as u64, Ordering::Relaxed);
        }
        let at = self.at;
        self.at += 1;
        self.line += 1;
        let cells =
            self.columns.iter().map(|column| column.as_ref().map_or(Cell::Absent, |column| column.cell(at)));
        Ok(Some(Row { line: self.line, cells: cells.collect() }))
    }
}

impl Iterator for ParquetRows {
    type Item = Result<Row, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// One column of a batch, its strings and numbers as strings.
enum Column {
    Text(LargeStringArray),
    Integer(LargeStringArray),
    /// Items of all rows, where each row's begin and end, and which rows are null.
    List {
        items: LargeStringArray,
        offsets: Vec<usize>,
        lists: ArrayRef,
    },
    Other {
        kind: &'static str,
        array: ArrayRef,
    },
}

impl Column {
    fn new(array: &ArrayRef) -> Result<Self, ArrowError> {
        let strings = |array: &ArrayRef| -> Result<LargeStringArray, ArrowError> {
            Ok(cast(array, &DataType::LargeUtf8)?.as_string::<i64>().clone())
        };
        Ok(match array.data_type() {
            kind if is_text(kind) || kind.is_temporal() => Self::Text(strings(array)?),
            kind if kind.is_integer() => Self::Integer(strings(array)?),
            DataType::List(item) if is_text(item.data_type()) || item.data_type().is_integer() => {
                let lists = array.as_list::<i32>();
                let offsets = lists.offsets().iter().map(|offset| *offset as usize).collect();
                Self::List { items: strings(lists.values())?, offsets, lists: array.clone() }
            }
            DataType::LargeList(item) if is_text(item.data_type()) || item.data_type().is_integer() => {
                let lists = array.as_list::<i64>();
                let offsets = lists.offsets().iter().map(|offset| *offset as usize).collect();
                Self::List { items: strings(lists.values())?, offsets, lists: array.clone() }
            }
            DataType::Boolean => Self::Other { kind: "true or false", array: array.clone() },
            kind if kind.is_floating() => {
                Self::Other { kind: "a number with a fraction", array: array.clone() }
            }
            DataType::List(_) | DataType::LargeList(_) => {
                Self::Other { kind: "a list that does not hold strings only", array: array.clone() }
            }
            _ => Self::Other { kind: "a value of another type", array: array.clone() },
        })
    }

    fn cell(&self, at: usize) -> Cell {
        let word = |strings: &LargeStringArray| strings.is_valid(at).then(|| strings.value(at).to_owned());
        match self {
            Self::Text(strings) => word(strings).map_or(Cell::Absent, Cell::Text),
            Self::Integer(strings) => word(strings).map_or(Cell::Absent, Cell::Integer),
            Self::List { lists, .. } if lists.is_null(at) => Cell::Absent,
            Self::List { items, offsets, .. } => {
                let items = (offsets[at]..offsets[at + 1])
                    .filter(|item| items.is_valid(*item))
                    .map(|item| items.value(item));
                Cell::List(items.map(str::to_owned).collect())
            }
            // The null type knows no validity: every value is null.
            Self::Other { array, .. } if array.is_null(at) || array.data_type() == &DataType::Null => {
                Cell::Absent
            }
            Self::Other { kind, .. } => Cell::Other(kind),
        }
    }
}

fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_text(value),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Date32Array, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder};
    use parquet::arrow::ArrowWriter;

    use super::super::columns::Columns;
    use super::super::record::{count_records, read_records, read_records_from};

    /// Two rows in two row groups: list<string> codes, an integer id, a date.
    fn file(folder: &std::path::Path) -> std::path::PathBuf {
        use super::*;
        let mut codes = ListBuilder::new(StringBuilder::new());
        codes.append_value([Some("I10"), None, Some(" E11.9 "), Some("I10")]);
        codes.append_null();
        let batch = RecordBatch::try_from_iter([
            ("id", Arc::new(Int64Array::from(vec![7, 8])) as ArrayRef),
            ("text", Arc::new(StringArray::from(vec![Some("No fever."), Some("")]))),
            ("date", Arc::new(Date32Array::from(vec![Some(0), None]))),
            ("dx", Arc::new(codes.finish())),
            ("flag", Arc::new(arrow::array::BooleanArray::from(vec![true, false]))),
        ])
        .unwrap();
        let path = folder.join("notes.parquet");
        let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
        for row in 0..2 {
            writer.write(&batch.slice(row, 1)).unwrap();
            writer.flush().unwrap();
        }
        writer.close().unwrap();
        path
    }

    #[test]
    fn string_and_list_columns_become_notes() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path());
        let columns = Columns {
            note_id_field: Some("id".into()),
            codes_field: Some("dx".into()),
            ..Columns::default()
        };
        let records: Vec<_> = read_records(&path, &columns).unwrap().map(Result::unwrap).collect();
        assert_eq!(records.iter().map(|record| record.line).collect::<Vec<_>>(), [1, 2]);
        let note = &records[0].note;
        assert_eq!((note.note_id.as_str(), note.date.as_deref()), ("7", Some("1970-01-01")));
        assert_eq!((note.text.as_str(), note.codes.join("+").as_str()), ("No fever.", "I10+E11.9"));
        assert!(records[1].note.codes.is_empty() && records[1].note.date.is_none());
    }

    #[test]
    fn rows_that_are_skipped_change_nothing_in_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path());
        let columns = Columns { codes_field: Some("dx".into()), ..Columns::default() };
        assert_eq!(count_records(&path, &columns).unwrap(), 2);
        let all: Vec<_> = read_records(&path, &columns).unwrap().map(Result::unwrap).collect();
        assert_eq!(all[1].note.note_id, "notes.parquet:2");
        for skipped in 0..=3 {
            let rest = read_records_from(&path, &columns, skipped).unwrap().map(Result::unwrap);
            assert!(rest.eq(all.iter().skip(skipped as usize).cloned()), "{skipped}");
        }
    }

    #[test]
    fn wrong_columns_and_foreign_files_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path());
        let message = |columns: &Columns| {
            let error =
                read_records(&path, columns).and_then(|records| records.collect::<Result<Vec<_>, _>>());
            error.unwrap_err().to_string().replace(&path.display().to_string(), "F")
        };
        let codes = |name: &str| Columns { codes_field: Some(name.into()), ..Columns::default() };
        assert_eq!(message(&codes("dxs")), "F, line 1: the file has no column `dxs`");
        assert_eq!(message(&codes("flag")), "F, line 1: field `flag`: true or false where codes belong");
        std::fs::write(&path, "PAR1 not PAR1").unwrap();
        assert!(message(&Columns::default()).starts_with("F, line 1: not a Parquet file: "));
    }
}
