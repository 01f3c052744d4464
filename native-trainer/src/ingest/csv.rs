//! CSV and TSV with a header; values in quotes may hold line breaks.

use std::io::{BufRead, Read};
use std::sync::Arc;

use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};

use super::columns::Wanted;
use super::error::RecordError;
use super::record::{Cell, Row};
use super::source::{Compression, read_error};

/// The rows of a table; the header is line 1. An empty value is absent where it is not a text's.
pub(super) struct CsvRows<R> {
    file: Arc<str>,
    reader: Reader<R>,
    compression: Compression,
    /// The column of each wanted field.
    columns: Vec<Option<usize>>,
    /// 1 where lines end in CR LF: csv then takes a record's beginning for the LF of the line before.
    behind: u64,
    record: ByteRecord,
}

impl<R: BufRead> CsvRows<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// A header that cannot be read, names a wanted column twice, or lacks one that a flag names.
    pub fn new(
        file: &Arc<str>,
        mut input: R,
        compression: Compression,
        delimiter: u8,
        wanted: &[Wanted],
    ) -> Result<Self, RecordError> {
        let begin = input.fill_buf().map_err(|error| read_error(file, 1, compression, error))?;
        let first_line = begin.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let behind = u64::from(first_line.len() < begin.len() && first_line.ends_with(b"\r"));
        let mut reader = ReaderBuilder::new().delimiter(delimiter).from_reader(input);
        let header =
            reader.byte_headers().map_err(|error| csv_error(file, compression, 1, behind, error))?.clone();
        let malformed = |rule| RecordError::Malformed { file: file.to_string(), line: 1, rule };
        if header.is_empty() {
            return Err(malformed("the first line names the columns".into()));
        }
        let mut columns = Vec::with_capacity(wanted.len());
        for Wanted { name, asked } in wanted {
            let mut places =
                header.iter().enumerate().filter(|(_, title)| title.trim_ascii() == name.as_bytes());
            let place = places.next().map(|(at, _)| at);
            if places.next().is_some() {
                return Err(malformed(format!("column `{name}` stands twice in the header")));
            }
            if place.is_none() && *asked {
                return Err(malformed(format!("the header has no column `{name}`")));
            }
            columns.push(place);
        }
        Ok(Self { file: file.clone(), reader, compression, columns, behind, record: ByteRecord::new() })
    }
}

impl<R: Read> CsvRows<R> {
    fn read(&mut self) -> Result<Option<Row>, RecordError> {
        let next = self.reader.position().line() + self.behind;
        let read = self.reader.read_byte_record(&mut self.record);
        if !read.map_err(|error| csv_error(&self.file, self.compression, next, self.behind, error))? {
            return Ok(None);
        }
        let line = self.record.position().map_or(next, |at| at.line() + self.behind);
        let mut cells = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let value = column.and_then(|at| self.record.get(at));
            cells.push(match value.map(std::str::from_utf8) {
                None => Cell::Absent,
                Some(Ok(value)) => Cell::Text(value.to_owned()),
                Some(Err(error)) => {
                    let title = self.reader.byte_headers().ok().and_then(|titles| titles.get((*column)?));
                    let title = String::from_utf8_lossy(title.unwrap_or_default()).into_owned();
                    let byte = error.valid_up_to() + 1;
                    let rule = format!("column `{title}` is not UTF-8 at byte {byte} of the value");
                    return Err(RecordError::Malformed { file: self.file.to_string(), line, rule });
                }
            });
        }
        Ok(Some(Row { line, cells }))
    }
}

impl<R: Read> Iterator for CsvRows<R> {
    type Item = Result<Row, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

fn csv_error(file: &str, compression: Compression, line: u64, behind: u64, error: csv::Error) -> RecordError {
    let malformed = |line, rule| RecordError::Malformed { file: file.to_owned(), line, rule };
    match error.into_kind() {
        ErrorKind::Io(source) => read_error(file, line, compression, source),
        ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.map_or(line, |at| at.line() + behind);
            malformed(line, format!("{len} values; the header has {expected_len} columns"))
        }
        // Bytes are read as bytes, and nothing is deserialized: no other kind comes.
        _ => malformed(line, "not CSV".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::columns::Columns;
    use super::*;

    fn rows_of(text: &[u8], text_field: Option<&str>) -> Result<Vec<Row>, RecordError> {
        let columns =
            Columns { text_field: text_field.map(str::to_owned).into_iter().collect(), ..Columns::default() };
        CsvRows::new(&"f.csv".into(), text, Compression::None, b',', &columns.wanted())?.collect()
    }

    fn message(text: &[u8]) -> String {
        rows_of(text, Some("t")).err().expect("an error").to_string()
    }

    #[test]
    fn quoted_line_breaks_count_as_lines() {
        let rows = rows_of(
            b"\xef\xbb\xbfnote_id,t,codes\r\na,\"No\nfever, \"\"ok\"\"\",I10;Z66\r\nb,,\r\n",
            Some("t"),
        )
        .unwrap();
        assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 4]);
        let text = |text: &str| Cell::Text(text.into());
        let absent = Cell::Absent;
        let first =
            [absent.clone(), text("a"), absent.clone(), absent, text("No\nfever, \"ok\""), text("I10;Z66")];
        assert_eq!(rows[0].cells, first);
        assert_eq!(rows[1].cells[4], text(""));
        let unix = rows_of(b"t\n\"a\nb\"\nc\n", Some("t")).unwrap();
        assert_eq!(unix.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 4]);
    }

    #[test]
    fn errors_name_line_and_column() {
        assert_eq!(message(b"note_id,text\na,b\n"), "f.csv, line 1: the header has no column `t`");
        assert_eq!(message(b"t,t\na,b\n"), "f.csv, line 1: column `t` stands twice in the header");
        assert_eq!(message(b""), "f.csv, line 1: the first line names the columns");
        assert_eq!(message(b"t,x\na,b\nsecret\n"), "f.csv, line 3: 1 values; the header has 2 columns");
        assert_eq!(
            message(b"x,t\na,b\nc,d\xff\n"),
            "f.csv, line 3: column `t` is not UTF-8 at byte 2 of the value"
        );
        // A column that nobody named may lack.
        assert_eq!(rows_of(b"x\na\n", None).unwrap()[0].cells[4], Cell::Absent);
    }
}
