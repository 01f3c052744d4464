//! Half-open spans whose unit is in their type, and conversions between the units.
//!
//! Rust slices by bytes, the command line reports Unicode code points, JavaScript counts UTF-16 code
//! units, the model counts tokens. [`OffsetMap`] reads a text once and then converts any number of spans,
//! in any order.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// An offset that does not name a position in the text. Carries no note text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// The span ends before it starts.
    #[error("span {start}..{end} ({unit}) ends before it starts")]
    Reversed {
        /// Where the span starts.
        start: usize,
        /// Where it ends.
        end: usize,
        /// Such as `bytes`.
        unit: &'static str,
    },
    /// The offset lies behind the end of the text.
    #[error("offset {offset} lies outside a text of {length} {unit}")]
    OutOfBounds {
        /// The offset asked for.
        offset: usize,
        /// The text's length in the same unit.
        length: usize,
        /// Such as `bytes`.
        unit: &'static str,
    },
    /// The offset lies inside a character (within its UTF-8 bytes or between two surrogates).
    #[error("offset {offset} ({unit}) lies inside a character")]
    NotABoundary {
        /// The offset asked for.
        offset: usize,
        /// Such as `bytes`.
        unit: &'static str,
    },
}

macro_rules! span {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The first position inside.
            pub start: usize,
            /// The first position behind.
            pub end: usize,
        }

        impl $name {
            /// The span `start..end`; nothing is checked, conversions do that.
            pub const fn new(start: usize, end: usize) -> Self {
                Self { start, end }
            }

            /// Length in this span's unit; 0 where the end does not lie behind the start.
            pub const fn len(&self) -> usize {
                self.end.saturating_sub(self.start)
            }

            /// Whether nothing lies inside.
            pub const fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// As a standard range, to slice with.
            pub const fn range(&self) -> Range<usize> {
                self.start..self.end
            }
        }

        impl From<Range<usize>> for $name {
            fn from(range: Range<usize>) -> Self {
                Self { start: range.start, end: range.end }
            }
        }
    };
}

span!(
    /// In UTF-8 bytes: what slices a Rust `str`.
    ByteSpan
);
span!(
    /// In Unicode code points: what reports carry and Python slices by.
    CharSpan
);
span!(
    /// In UTF-16 code units: what JavaScript slices by.
    Utf16Span
);
span!(
    /// In tokens of a note, special tokens not counted.
    TokenSpan
);

impl ByteSpan {
    /// The text inside; `None` where the span leaves the text or cuts a character.
    pub fn slice<'t>(&self, text: &'t str) -> Option<&'t str> {
        text.get(self.range())
    }
}

/// One position of a text in all three units.
#[derive(Clone, Copy, Debug, Default)]
struct Position {
    byte: usize,
    char: usize,
    utf16: usize,
}

impl Position {
    fn advance(&mut self, c: char) {
        self.byte += c.len_utf8();
        self.char += 1;
        self.utf16 += c.len_utf16();
    }
}

/// Characters between two marks: a lookup reads at most this many.
const CHARS_PER_MARK: usize = 64;

/// Converts spans over one text between bytes, code points and UTF-16 units.
///
/// Built in one pass over the text. A lookup is a binary search and a walk over at most 64 characters;
/// a pure ASCII text needs neither.
#[derive(Clone, Debug)]
pub struct OffsetMap<'t> {
    text: &'t str,
    /// Positions after every 64th character, starting with 0; empty for ASCII.
    marks: Vec<Position>,
    end: Position,
}

impl<'t> OffsetMap<'t> {
    /// Reads `text` once.
    pub fn new(text: &'t str) -> Self {
        if text.is_ascii() {
            let end = Position { byte: text.len(), char: text.len(), utf16: text.len() };
            return Self { text, marks: Vec::new(), end };
        }
        let mut marks = Vec::with_capacity(text.len() / CHARS_PER_MARK + 1);
        let mut at = Position::default();
        for c in text.chars() {
            if at.char.is_multiple_of(CHARS_PER_MARK) {
                marks.push(at);
            }
            at.advance(c);
        }
        Self { text, marks, end: at }
    }

    /// The text's length in code points.
    pub fn char_len(&self) -> usize {
        self.end.char
    }

    /// The text's length in UTF-16 code units.
    pub fn utf16_len(&self) -> usize {
        self.end.utf16
    }

    /// Code points for bytes.
    ///
    /// # Errors
    /// [`SpanError`] where an end is outside the text or inside a character.
    pub fn byte_to_char(&self, span: ByteSpan) -> Result<CharSpan, SpanError> {
        let (start, end) = self.locate(span.range(), "bytes", |p| p.byte)?;
        Ok(CharSpan::new(start.char, end.char))
    }

    /// UTF-16 units for bytes.
    ///
    /// # Errors
    /// [`SpanError`] where an end is outside the text or inside a character.
    pub fn byte_to_utf16(&self, span: ByteSpan) -> Result<Utf16Span, SpanError> {
        let (start, end) = self.locate(span.range(), "bytes", |p| p.byte)?;
        Ok(Utf16Span::new(start.utf16, end.utf16))
    }

    /// Bytes for code points.
    ///
    /// # Errors
    /// [`SpanError`] where an end is outside the text.
    pub fn char_to_byte(&self, span: CharSpan) -> Result<ByteSpan, SpanError> {
        let (start, end) = self.locate(span.range(), "code points", |p| p.char)?;
        Ok(ByteSpan::new(start.byte, end.byte))
    }

    /// Bytes for UTF-16 units.
    ///
    /// # Errors
    /// [`SpanError`] where an end is outside the text or between two surrogates.
    pub fn utf16_to_byte(&self, span: Utf16Span) -> Result<ByteSpan, SpanError> {
        let (start, end) = self.locate(span.range(), "UTF-16 code units", |p| p.utf16)?;
        Ok(ByteSpan::new(start.byte, end.byte))
    }

    fn locate(
        &self,
        range: Range<usize>,
        unit: &'static str,
        of: fn(&Position) -> usize,
    ) -> Result<(Position, Position), SpanError> {
        if range.end < range.start {
            return Err(SpanError::Reversed { start: range.start, end: range.end, unit });
        }
        Ok((self.position(range.start, unit, of)?, self.position(range.end, unit, of)?))
    }

    fn position(
        &self,
        offset: usize,
        unit: &'static str,
        of: fn(&Position) -> usize,
    ) -> Result<Position, SpanError> {
        let length = of(&self.end);
        if offset > length {
            return Err(SpanError::OutOfBounds { offset, length, unit });
        }
        if self.marks.is_empty() {
            return Ok(Position { byte: offset, char: offset, utf16: offset });
        }
        // The first mark is 0, so at least one mark is not behind the offset.
        let mut at = self.marks[self.marks.partition_point(|mark| of(mark) <= offset) - 1];
        for c in self.text[at.byte..].chars() {
            if of(&at) >= offset {
                break;
            }
            at.advance(c);
        }
        if of(&at) == offset { Ok(at) } else { Err(SpanError::NotABoundary { offset, unit }) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_differ_where_characters_are_wide() {
        // é: 2 bytes, 1 code point, 1 unit; 😀: 4 bytes, 1 code point, 2 units.
        let text = "aé😀b";
        let map = OffsetMap::new(text);
        let smile = ByteSpan::new(3, 7);
        assert_eq!(smile.slice(text), Some("😀"));
        assert_eq!(map.byte_to_char(smile), Ok(CharSpan::new(2, 3)));
        assert_eq!(map.byte_to_utf16(smile), Ok(Utf16Span::new(2, 4)));
        assert_eq!((map.char_len(), map.utf16_len()), (4, 5));
        assert_eq!(map.char_to_byte(CharSpan::new(2, 4)), Ok(ByteSpan::new(3, 8)));
        assert_eq!(map.utf16_to_byte(Utf16Span::new(4, 5)), Ok(ByteSpan::new(7, 8)));
    }

    #[test]
    fn bad_offsets_say_what_is_wrong() {
        let map = OffsetMap::new("aé😀");
        let inside = SpanError::NotABoundary { offset: 2, unit: "bytes" };
        assert_eq!(map.byte_to_char(ByteSpan::new(0, 2)), Err(inside));
        let surrogate = SpanError::NotABoundary { offset: 3, unit: "UTF-16 code units" };
        assert_eq!(map.utf16_to_byte(Utf16Span::new(3, 4)), Err(surrogate));
        let outside = SpanError::OutOfBounds { offset: 4, length: 3, unit: "code points" };
        assert_eq!(map.char_to_byte(CharSpan::new(1, 4)), Err(outside));
        let reversed = SpanError::Reversed { start: 2, end: 1, unit: "code points" };
        assert_eq!(map.char_to_byte(CharSpan::new(2, 1)), Err(reversed));
        let ascii = SpanError::OutOfBounds { offset: 3, length: 2, unit: "bytes" };
        assert_eq!(OffsetMap::new("ab").byte_to_char(ByteSpan::new(0, 3)), Err(ascii));
    }

    #[test]
    fn spans_serialize_as_start_and_end() {
        let json = serde_json::to_string(&CharSpan::new(1, 4)).unwrap();
        assert_eq!(json, r#"{"start":1,"end":4}"#);
        assert_eq!(serde_json::from_str::<CharSpan>(&json).unwrap(), CharSpan::new(1, 4));
    }

    proptest! {
        #[test]
        fn conversions_round_trip_and_agree_with_counting(
            text in "([ -~]|é|😀|漢|\\PC){0,200}", a in any::<usize>(), b in any::<usize>(),
        ) {
            let boundaries: Vec<usize> = text.char_indices().map(|(i, _)| i).chain([text.len()]).collect();
            let (a, b) = (boundaries[a % boundaries.len()], boundaries[b % boundaries.len()]);
            let span = ByteSpan::new(a.min(b), a.max(b));
            let map = OffsetMap::new(&text);
            let chars = map.byte_to_char(span).unwrap();
            let units = map.byte_to_utf16(span).unwrap();
            prop_assert_eq!(chars.start, text[..span.start].chars().count());
            prop_assert_eq!(chars.len(), text[span.range()].chars().count());
            prop_assert_eq!(units.start, text[..span.start].encode_utf16().count());
            prop_assert_eq!(units.len(), text[span.range()].encode_utf16().count());
            prop_assert_eq!(map.char_to_byte(chars), Ok(span));
            prop_assert_eq!(map.utf16_to_byte(units), Ok(span));
        }
    }
}
