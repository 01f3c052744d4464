//! JSON Lines: one object a line; fields that nobody asked for are skipped without being stored.

use std::fmt;
use std::io::{BufRead, Read};
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::columns::Wanted;
use super::error::RecordError;
use super::record::{Cell, Row, SkipRows};
use super::source::{Compression, read_error};

/// Longest line: a longer one is a file that is no JSON Lines, and would fill the memory.
const MAX_LINE: u64 = 64 << 20;

/// The rows of a JSON Lines stream. Empty lines are skipped, but counted.
pub(super) struct JsonRows<R> {
    file: Arc<str>,
    input: R,
    compression: Compression,
    wanted: Vec<Wanted>,
    buffer: Vec<u8>,
    line: u64,
}

impl<R: BufRead> JsonRows<R> {
    pub fn new(file: &Arc<str>, input: R, compression: Compression, wanted: Vec<Wanted>) -> Self {
        Self { file: file.clone(), input, compression, wanted, buffer: Vec::new(), line: 0 }
    }

    fn read(&mut self) -> Result<Option<Row>, RecordError> {
        if !self.advance()? {
            return Ok(None);
        }
        let text = std::str::from_utf8(&self.buffer).expect("a line that is there is UTF-8");
        self.parse(if self.line == 1 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text })
            .map(Some)
    }

    /// The next line that is not empty, in the buffer; false at the end.
    fn advance(&mut self) -> Result<bool, RecordError> {
        loop {
            self.buffer.clear();
            let line = self.line + 1;
            let count = (&mut self.input)
                .take(MAX_LINE)
                .read_until(b'\n', &mut self.buffer)
                .map_err(|source| read_error(&self.file, line, self.compression, source))?;
            if count == 0 {
                return Ok(false);
            }
            self.line = line;
            if count as u64 == MAX_LINE && self.buffer.last() != Some(&b'\n') {
                return Err(self.malformed(format!("a line has at most {} MiB", MAX_LINE >> 20)));
            }
            let mut bytes = self.buffer.as_slice();
            if line == 1 {
                bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            }
            let text = std::str::from_utf8(bytes).map_err(|error| RecordError::Encoding {
                file: self.file.to_string(),
                line,
                byte: error.valid_up_to() + 1,
            })?;
            if !text.trim().is_empty() {
                return Ok(true);
            }
        }
    }

    fn parse(&self, text: &str) -> Result<Row, RecordError> {
        // An object for certain: serde's messages for other values would quote them.
        if !text.trim_start().starts_with('{') {
            return Err(
                self.malformed("each line is one JSON object `{…}` (JSON Lines, not one JSON array)".into())
            );
        }
        let mut cells = vec![Cell::Absent; self.wanted.len()];
        // Without its end of line: what is missing is missing here, not on a second line.
        let mut json = serde_json::Deserializer::from_str(text.trim_end());
        let parsed = Object { wanted: &self.wanted, cells: &mut cells }.deserialize(&mut json);
        parsed.and_then(|()| json.end()).map_err(|error| {
            // "expected `,` or `}` at line 1 column 9": the line is that of the buffer.
            let message = error.to_string();
            let what = message.split(" at line ").next().unwrap_or_default();
            self.malformed(format!("not JSON: {what} at column {}", error.column()))
        })?;
        Ok(Row { line: self.line, cells })
    }

    fn malformed(&self, rule: String) -> RecordError {
        RecordError::Malformed { file: self.file.to_string(), line: self.line, rule }
    }
}

impl<R: BufRead> SkipRows for JsonRows<R> {
    fn skip_row(&mut self) -> Result<bool, RecordError> {
        self.advance()
    }
}

impl<R: BufRead> Iterator for JsonRows<R> {
    type Item = Result<Row, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// Takes the wanted fields of an object. A key that comes twice counts as its last value.
struct Object<'a> {
    wanted: &'a [Wanted],
    cells: &'a mut [Cell],
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(at) = map.next_key_seed(Key(self.wanted))? {
            match at {
                Some(at) => self.cells[at] = map.next_value_seed(Value)?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// A key as its place among the wanted fields.
struct Key<'a>(&'a [Wanted]);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|wanted| wanted.name == key))
    }
}

/// Any JSON value as a cell. No type is an error here: the rules of the field decide.
struct Value;

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Cell;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cell, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell::Absent)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Cell, E> {
        Ok(Cell::Other("true or false"))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Cell, E> {
        Ok(Cell::Integer(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Cell, E> {
        Ok(Cell::Integer(number.to_string()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Cell, E> {
        Ok(Cell::Other("a number with a fraction"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cell, E> {
        Ok(Cell::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Cell, E> {
        Ok(Cell::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Cell, A::Error> {
        let (mut items, mut other) = (Vec::new(), false);
        while let Some(item) = list.next_element_seed(Self)? {
            match item {
                Cell::Text(text) | Cell::Integer(text) => items.push(text),
                _ => other = true,
            }
        }
        Ok(if other { Cell::Other("a list that does not hold strings only") } else { Cell::List(items) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cell::Other("an object"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::columns::Columns;
    use super::*;

    fn rows(text: &[u8]) -> Vec<Result<Row, RecordError>> {
        let columns = Columns { text_field: vec!["t".into()], ..Columns::default() };
        let wanted =
            columns.wanted().into_iter().filter(|field| ["t", "codes"].contains(&field.name.as_str()));
        JsonRows::new(&"f.jsonl".into(), text, Compression::None, wanted.collect()).collect()
    }

    fn cells(text: &str) -> Vec<Cell> {
        rows(text.as_bytes()).remove(0).unwrap().cells
    }

    fn message(text: &[u8]) -> String {
        let row = rows(text).into_iter().find_map(Result::err);
        row.expect("an error").to_string()
    }

    #[test]
    fn wanted_fields_are_taken_whatever_their_type() {
        let list = Cell::List(vec!["I10".into(), "7".into()]);
        assert_eq!(
            cells(r#"{"x": {"t": "no"}, "t": "a\"é", "codes": ["I10", 7]}"#),
            [Cell::Text("a\"é".into()), list]
        );
        assert_eq!(cells(r#"{"codes": null, "t": -3}"#), [Cell::Integer("-3".into()), Cell::Absent]);
        let other =
            [Cell::Other("a number with a fraction"), Cell::Other("a list that does not hold strings only")];
        assert_eq!(cells(r#"{"t": 1.5, "codes": [{"code": "I10"}]}"#), other);
        assert_eq!(cells(r#"{"t": true, "codes": {}}"#)[1], Cell::Other("an object"));
        // The key may be written with escapes; the last of two values counts.
        assert_eq!(cells(r#"{"\u0074": "a", "t": "b"}"#)[0], Cell::Text("b".into()));
    }

    #[test]
    fn lines_are_counted_with_empty_ones() {
        let lines: Vec<_> = rows(b"\xef\xbb\xbf{}\n\n  \r\n{\"t\": \"x\"}")
            .into_iter()
            .map(|row| row.unwrap().line)
            .collect();
        assert_eq!(lines, [1, 4]);
    }

    #[test]
    fn errors_say_where_and_never_what_the_text_was() {
        assert_eq!(
            message(b"{}\n{\"t\": \"secret\" x}"),
            "f.jsonl, line 2: not JSON: expected `,` or `}` at column 16"
        );
        assert_eq!(
            message(b"{\"t\": \"secr"),
            "f.jsonl, line 1: not JSON: EOF while parsing a string at column 11"
        );
        assert_eq!(message(b"{\"t\":\n"), "f.jsonl, line 1: not JSON: EOF while parsing a value at column 5");
        assert_eq!(message(b"{} \"secret\""), "f.jsonl, line 1: not JSON: trailing characters at column 4");
        assert_eq!(
            message(b"{\"t\": \"a\"}\n{\"t\": \"\xff\"}\n"),
            "f.jsonl, line 2: not UTF-8 at byte 8 of the line"
        );
        let rule = "each line is one JSON object `{…}` (JSON Lines, not one JSON array)";
        for line in ["[{\"t\": \"secret\"}]", "\"secret\"", "[\n"] {
            assert_eq!(message(line.as_bytes()), format!("f.jsonl, line 1: {rule}"));
        }
    }
}
