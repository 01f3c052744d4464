//! CSV and TSV with a header; values in quotes may hold line breaks.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};
use encoding_rs::Encoding;

use super::columns::Wanted;
use super::error::RecordError;
use super::record::{Cell, Row, SkipRows};
use super::source::{Compression, read_error};

/// The longest row in bytes, as for a line of JSON: a quote that is not closed would take in the rest of the file.
const MAX_ROW: u64 = 64 << 20;
/// Read behind the last byte of the file. Outside of quotes it is a row of its own; inside, it is the end of a value
/// whose quote was never closed.
const END: &[u8] = b"\n\"\x02end of file\x03\"\n";
/// The value of that row.
const END_VALUE: &[u8] = b"\x02end of file\x03";
/// How a value ends whose quote was never closed: what looked like an opening quote closed it.
const CUT_OFF: &[u8] = b"\n\x02end of file\x03\"";

/// The rows of a table; the header is line 1. An empty value is absent where it is not a text's.
pub(crate) struct CsvRows<R> {
    file: Arc<str>,
    reader: Reader<Guarded<R>>,
    /// Columns of the header.
    width: usize,
    compression: Compression,
    /// The column of each wanted field.
    columns: Vec<Option<usize>>,
    /// 1 where lines end in CR LF: csv then takes a record's beginning for the LF of the line before.
    behind: u64,
    record: ByteRecord,
    /// What a value is written in that is not UTF-8; none where that is an error.
    otherwise: Option<&'static Encoding>,
    /// Values that were.
    pub legacy: u64,
    /// Whether nothing that follows an error can be read: the file is cut off, damaged or open-ended.
    pub broken: bool,
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
        let malformed = |rule| RecordError::Malformed { file: file.to_string(), line: 1, rule };
        let nameless = || malformed("the first line names the columns".to_owned());
        if begin.is_empty() {
            return Err(nameless());
        }
        let guarded = Guarded { inner: input, left: MAX_ROW, end: END };
        // Lengths are looked at here: the row behind the end has its own.
        let mut reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(guarded);
        let header = reader.byte_headers().map_err(|error| csv_error(file, compression, 1, error))?.clone();
        if is_end(&header) {
            return Err(nameless());
        }
        if let Some(line) = unclosed(&header, 1) {
            return Err(malformed(not_closed(line)));
        }
        let mut columns = Vec::with_capacity(wanted.len());
        for Wanted { name, asked, any_case } in wanted {
            let named = |title: &[u8]| match any_case {
                true => title.trim_ascii().eq_ignore_ascii_case(name.as_bytes()),
                false => title.trim_ascii() == name.as_bytes(),
            };
            let mut places = header.iter().enumerate().filter(|(_, title)| named(title));
            let place = places.next().map(|(at, _)| at);
            if places.next().is_some() {
                return Err(malformed(format!("column `{name}` stands twice in the header")));
            }
            if place.is_none() && *asked {
                return Err(malformed(format!("the header has no column `{name}`")));
            }
            columns.push(place);
        }
        let (file, width) = (file.clone(), header.len());
        let record = ByteRecord::new();
        let (otherwise, legacy, broken) = (None, 0, false);
        Ok(Self { file, reader, width, compression, columns, behind, record, otherwise, legacy, broken })
    }

    /// Takes values that are not UTF-8 for text in another encoding.
    pub fn otherwise(mut self, encoding: &'static Encoding) -> Self {
        self.otherwise = Some(encoding);
        self
    }
}

impl<R: Read> CsvRows<R> {
    /// The line of the next row, which is then in `record`; none at the end.
    fn advance(&mut self) -> Result<Option<u64>, RecordError> {
        let next = self.reader.position().line() + self.behind;
        self.reader.get_mut().left = MAX_ROW;
        let read = self.reader.read_byte_record(&mut self.record);
        let read = read.map_err(|error| {
            self.broken = true;
            csv_error(&self.file, self.compression, next, error)
        })?;
        if !read || is_end(&self.record) {
            return Ok(None);
        }
        let line = self.record.position().map_or(next, |at| at.line() + self.behind);
        let malformed = |rule| RecordError::Malformed { file: self.file.to_string(), line, rule };
        if let Some(line) = unclosed(&self.record, line) {
            self.broken = true;
            return Err(malformed(not_closed(line)));
        }
        let (found, width) = (self.record.len(), self.width);
        if found != width {
            return Err(malformed(format!("{found} values; the header has {width} columns")));
        }
        Ok(Some(line))
    }

    fn read(&mut self) -> Result<Option<Row>, RecordError> {
        let Some(line) = self.advance()? else { return Ok(None) };
        let mut cells = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let value = column.and_then(|at| self.record.get(at));
            cells.push(match value.map(std::str::from_utf8) {
                None => Cell::Absent,
                Some(Ok(value)) => Cell::Text(value.to_owned()),
                Some(Err(_)) if self.otherwise.is_some() => {
                    self.legacy += 1;
                    let bytes = value.unwrap_or_default();
                    let read = |encoding: &'static Encoding| {
                        encoding.decode_without_bom_handling(bytes).0.into_owned()
                    };
                    Cell::Text(self.otherwise.map(read).unwrap_or_default())
                }
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

impl<R: Read> SkipRows for CsvRows<R> {
    fn skip_row(&mut self) -> Result<bool, RecordError> {
        Ok(self.advance()?.is_some())
    }
}

impl<R: Read> Iterator for CsvRows<R> {
    type Item = Result<Row, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

fn csv_error(file: &str, compression: Compression, line: u64, error: csv::Error) -> RecordError {
    let malformed = |rule| RecordError::Malformed { file: file.to_owned(), line, rule };
    match error.into_kind() {
        ErrorKind::Io(source) if source.kind() == io::ErrorKind::FileTooLarge => malformed(format!(
            "a row has at most {} MiB; a quote opened on line {line} may not be closed",
            MAX_ROW >> 20
        )),
        ErrorKind::Io(source) => read_error(file, line, compression, source),
        // Bytes are read as bytes, rows may have any length, and nothing is deserialized: no other kind comes.
        _ => malformed("not CSV".into()),
    }
}

/// Whether this is the row behind the end of the file.
fn is_end(record: &ByteRecord) -> bool {
    record.len() == 1 && &record[0] == END_VALUE
}

/// The line on which a quote opens that the file does not close, in a record that begins on `line`.
fn unclosed(record: &ByteRecord, line: u64) -> Option<u64> {
    let last = record.iter().next_back().filter(|value| value.ends_with(CUT_OFF))?;
    let breaks = |value: &[u8]| value.iter().filter(|byte| **byte == b'\n').count() as u64;
    Some(line + record.iter().map(breaks).sum::<u64>() - breaks(last))
}

fn not_closed(line: u64) -> String {
    format!("a quote opened on line {line} is not closed")
}

/// A file with [`END`] behind it, of which no more than `left` bytes are read before that is set anew.
struct Guarded<R> {
    inner: R,
    left: u64,
    end: &'static [u8],
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let count = match self.inner.read(buffer)? {
            0 => self.end.read(buffer)?,
            count => count,
        };
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
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
        let first = [
            absent.clone(),
            text("a"),
            absent.clone(),
            absent.clone(),
            absent,
            text("No\nfever, \"ok\""),
            text("I10;Z66"),
        ];
        assert_eq!(rows[0].cells, first);
        assert_eq!(rows[1].cells[5], text(""));
        let unix = rows_of(b"t\n\"a\nb\"\nc\n", Some("t")).unwrap();
        assert_eq!(unix.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 4]);
    }

    #[test]
    fn a_quote_that_is_not_closed_does_not_take_in_the_rest() {
        let open = "f.csv, line 2: a quote opened on line 2 is not closed";
        assert_eq!(message(b"x,t\na,\"b\nc,d\n"), open);
        assert_eq!(message(b"x,t\na,\""), open);
        assert_eq!(message(b"x,t\na,\"\"\"\n"), open, "an escaped quote closes nothing");
        assert_eq!(message(b"x,t\n\"a\nb\",\"c"), "f.csv, line 2: a quote opened on line 3 is not closed");
        assert_eq!(message(b"x,\"t\na,b\n"), "f.csv, line 1: a quote opened on line 1 is not closed");
        for closed in [&b"x,t\na,\"b\""[..], b"x,t\na,\"b\n\"\n\n", b"x,t\na,5\" tall", b"x,t\r\na,\"b\"\r\n"]
        {
            assert_eq!(rows_of(closed, Some("t")).unwrap().len(), 1);
        }
        let mut long = b"x,t\na,\"".to_vec();
        long.resize(MAX_ROW as usize + 20_000, b'y');
        let said = message(&long);
        assert_eq!(
            said,
            "f.csv, line 2: a row has at most 64 MiB; a quote opened on line 2 may not be closed"
        );
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
        assert_eq!(message(b"\n\n"), "f.csv, line 1: the first line names the columns");
        // A column that nobody named may lack.
        assert_eq!(rows_of(b"x\na\n", None).unwrap()[0].cells[5], Cell::Absent);
    }
}
