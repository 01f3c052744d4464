//! What can be wrong with a record file.

use std::io;

/// A record, or a record file, that breaks a rule. Names file, line, field and rule; never shows note text.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be opened or read.
    #[error("{file}: cannot be read")]
    Unreadable {
        /// The file as given.
        file: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The compressed stream is damaged or ends early.
    #[error("{file}, line {line}: the {compression} stream is damaged or cut off")]
    Damaged {
        /// The file as given.
        file: String,
        /// The line that could not be read any more, from 1.
        line: u64,
        /// `gzip` or `zstd`.
        compression: &'static str,
        /// What the decoder says.
        #[source]
        source: io::Error,
    },
    /// The file's name ends in nothing that names a format.
    #[error(
        "{file}: unknown format; a record file ends in .jsonl, .ndjson, .json, .csv or .tsv (also with .gz or .zst), \
         or .parquet"
    )]
    UnknownFormat {
        /// The file as given.
        file: String,
    },
    /// No regular file: a pipe or a device can be read once, and has no name that says what is in it.
    #[error("{file}: is no regular file")]
    NotRegular {
        /// The file as given.
        file: String,
    },
    /// The format is understood by builds with another cargo feature.
    #[error("{file}: this binary was built without {format}")]
    NotBuilt {
        /// The file as given.
        file: String,
        /// `Parquet`.
        format: &'static str,
    },
    /// Bytes that are not UTF-8.
    #[error("{file}, line {line}: not UTF-8 at byte {byte} of the line")]
    Encoding {
        /// The file as given.
        file: String,
        /// Line from 1.
        line: u64,
        /// First bad byte, from 1.
        byte: usize,
    },
    /// A line, row or file that breaks the format.
    #[error("{file}, line {line}: {rule}")]
    Malformed {
        /// The file as given.
        file: String,
        /// Line (Parquet: row) from 1.
        line: u64,
        /// The rule it breaks.
        rule: String,
    },
    /// A field that must be there is not.
    #[error("{file}, line {line}: field `{field}` is missing: {rule}")]
    Missing {
        /// The file as given.
        file: String,
        /// Line (Parquet: row) from 1.
        line: u64,
        /// The field's name in the file.
        field: String,
        /// What needs it.
        rule: &'static str,
    },
    /// A field's value breaks a rule.
    #[error("{file}, line {line}: field `{field}`: {value} {rule}")]
    Value {
        /// The file as given.
        file: String,
        /// Line (Parquet: row) from 1.
        line: u64,
        /// The field's name in the file.
        field: String,
        /// The value in backquotes where it is an id, a code or a date; else what it is, such as `a number`.
        value: String,
        /// The rule it breaks.
        rule: String,
    },
    /// A note id that was there before.
    #[error(
        "{file}, line {line}: field `{field}`: {note_id} was there before; each note has an id of its own"
    )]
    Duplicate {
        /// The file as given.
        file: String,
        /// Line (Parquet: row) from 1.
        line: u64,
        /// The field's name in the file.
        field: String,
        /// The id, or its length where it may be note text.
        note_id: String,
    },
    /// A note without text, where one is needed.
    #[error("{file}, line {line}: note {note_id} has an empty text")]
    EmptyText {
        /// The file as given.
        file: String,
        /// Line (Parquet: row) from 1.
        line: u64,
        /// The note's id, or its length where it may be note text.
        note_id: String,
    },
}

impl RecordError {
    /// What the user can do, for the variants where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotBuilt { .. } => Some(
                "build it with `cargo build -p bert-xml-trainer --features parquet`, or convert the file to JSON Lines",
            ),
            Self::Missing { .. } => Some(
                "name the fields of your file: --patient-field, --note-id-field, --date-field, --type-field, \
                 --text-field, --codes-field, --split-field",
            ),
            Self::NotRegular { .. } => Some("`-` reads JSON Lines from standard input"),
            Self::Duplicate { .. } => Some("name the field that tells notes apart with --note-id-field"),
            _ => None,
        }
    }

    /// As an error of the command line, with its hint.
    pub fn hinted(self) -> anyhow::Error {
        match self.hint() {
            // Hint keeps a message only: sources stand in none of the hinted variants.
            Some(hint) => crate::error::hinted(self.to_string(), hint),
            None => self.into(),
        }
    }
}
