//! The table of an ICD-10-CM release: chapters, blocks and codes with what the tabular list says of them.
//!
//! Read from the file that `xtask/icd_table.py` makes; that script describes the format. The rows of codes
//! with a seventh character are not in the file: they are made here from their parent and its rule, as the
//! tabular list does. Rows stay as text and are split when asked for, so that the whole release takes a
//! few MiB and a fraction of a second to read.

mod entry;
mod reader;

use std::io::Read;

pub use entry::Entry;

use super::icd::{Code, CodeError};

const FORMAT: &str = "#bert-xml-icd10cm\t1";
const NONE: u32 = u32::MAX;
/// Bytes of a table, uncompressed, that are read at most: ours has 9 MB.
const LARGEST: u64 = 256 << 20;

/// Why bytes are not a table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The gzip stream is damaged or cut off.
    #[error("the ICD-10-CM table is damaged")]
    Gzip(#[from] std::io::Error),
    /// More than any table has.
    #[error("not an ICD-10-CM table: it has more than {} MiB uncompressed", LARGEST >> 20)]
    TooLarge,
    /// The bytes are no ICD-10-CM table, or one of another format version.
    #[error("not an ICD-10-CM table of format version 1 (UTF-8 text, plain or gzip)")]
    Foreign,
    /// A row breaks a rule of the format.
    #[error("ICD-10-CM table, line {line}: `{value}`: {rule}")]
    Row {
        /// Line of the uncompressed file, from 1.
        line: usize,
        /// The value that is wrong.
        value: String,
        /// The rule it breaks.
        rule: String,
    },
}

/// What a row of the table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One of the chapters, named by its number.
    Chapter,
    /// A block of categories such as `A00-A09`; some blocks hold blocks.
    Block,
    /// A code, billable or not.
    Code,
}

/// One seventh character and its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeventhCharacter {
    /// The character, a digit or an upper-case letter.
    pub character: char,
    /// Its meaning, which ends the description of the codes that carry it.
    pub meaning: String,
    /// Further terms that the list gives for it.
    pub inclusion_terms: Vec<String>,
}

#[derive(Debug)]
struct Node {
    kind: Kind,
    /// The code; none for chapters and blocks, whose names are read from the row.
    code: Option<Code>,
    /// The stored row in the text: its own, or its parent's if `seventh` is set.
    row: (u32, u32),
    parent: u32,
    /// One past the last node below this one.
    end: u32,
    /// Rule of seventh characters that holds here, `u16::MAX` for none.
    rule: u16,
    /// Place in the rule of the seventh character of a node that was made, `u8::MAX` for a stored one.
    seventh: u8,
    chronic: u8,
}

/// An ICD-10-CM release in memory.
#[derive(Debug)]
pub struct IcdTable {
    text: String,
    release: String,
    rules: Vec<Vec<SeventhCharacter>>,
    /// All nodes in the order of the tabular list, each before those below it.
    nodes: Vec<Node>,
    /// Nodes that are codes, sorted by code.
    sorted: Vec<u32>,
}

impl IcdTable {
    /// Reads a table from the bytes of its file, gzip or plain text.
    ///
    /// # Errors
    /// [`TableError::Gzip`] for a damaged stream, [`TableError::Foreign`] for another file,
    /// [`TableError::Row`] with the line for a row that breaks the format.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TableError> {
        let mut raw = Vec::new();
        if bytes.starts_with(&[0x1f, 0x8b]) {
            flate2::read::MultiGzDecoder::new(bytes).take(LARGEST + 1).read_to_end(&mut raw)?;
        } else {
            raw.extend_from_slice(bytes);
        }
        if raw.len() as u64 > LARGEST {
            return Err(TableError::TooLarge);
        }
        let text = String::from_utf8(raw).map_err(|_| TableError::Foreign)?;
        if text.lines().next() != Some(FORMAT) {
            return Err(TableError::Foreign);
        }
        reader::read(text)
    }

    /// The release, year and month: `2026-04`.
    pub fn release(&self) -> &str {
        &self.release
    }

    /// Number of entries: chapters, blocks and codes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether the table has no entry.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// All entries in the order of the tabular list.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        (0..self.nodes.len() as u32).map(|at| Entry { table: self, at })
    }

    /// The chapters in order.
    pub fn chapters(&self) -> impl Iterator<Item = Entry<'_>> {
        self.siblings(0, self.nodes.len() as u32)
    }

    /// All codes, sorted.
    pub fn codes(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        self.sorted.iter().map(|at| Entry { table: self, at: *at })
    }

    /// The entry of a code, none if this release lacks it.
    pub fn get(&self, code: Code) -> Option<Entry<'_>> {
        let place = self.sorted.binary_search_by_key(&Some(code), |at| self.nodes[*at as usize].code).ok()?;
        Some(Entry { table: self, at: self.sorted[place] })
    }

    /// The entry of a code in any spelling, none if this release lacks it.
    ///
    /// # Errors
    /// [`CodeError`] if the string is no ICD-10-CM code at all.
    pub fn lookup(&self, code: &str) -> Result<Option<Entry<'_>>, CodeError> {
        Code::parse(code).map(|code| self.get(code))
    }

    /// The chapter or block of this name, such as `1` or `A00-A09`. A name without a dash is first taken
    /// for a chapter, then for a block of one category (`B20`).
    pub fn group(&self, name: &str) -> Option<Entry<'_>> {
        self.entries().find(|entry| entry.kind() != Kind::Code && entry.name() == name)
    }

    /// All codes that begin with `prefix` (dot and case do not matter), sorted.
    pub fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = Entry<'_>> {
        let wanted: String =
            prefix.trim().chars().filter(|c| *c != '.').collect::<String>().to_ascii_uppercase();
        let spelled = |at: &u32| self.nodes[*at as usize].code.as_ref().map_or("", |code| code.undotted());
        let first = self.sorted.partition_point(|at| spelled(at) < wanted.as_str());
        self.sorted[first..]
            .iter()
            .take_while(move |at| spelled(at).starts_with(&wanted))
            .map(|at| Entry { table: self, at: *at })
    }

    /// The nodes from `from` up to `end` that stand on the level of the first.
    fn siblings(&self, from: u32, end: u32) -> impl Iterator<Item = Entry<'_>> {
        let mut at = from;
        std::iter::from_fn(move || {
            let here = (at < end).then_some(at)?;
            at = self.nodes[here as usize].end;
            Some(Entry { table: self, at: here })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::chronic::Indicator;

    const RELEASE: &[u8] = include_bytes!("../../../data/icd10cm-2026-04.tsv.gz");

    fn small() -> String {
        format!(
            "{FORMAT}\n#release\t2000-01\n#seventh\t0\tA=first\tA+start\tD=later\nc\t0\t1\tAll\nb\t1\tW00-W19\tFalls\n\
             d\t2\tW07\tFall from chair\t0:*\t01\tTumble|Slip\nd\t2\tW08\tOther fall\td\n"
        )
        .replace("\td\n", "\t\t9\t\t\tnot this (W07)\n")
    }

    #[test]
    fn small_table_by_hand() {
        let table = IcdTable::from_bytes(small().as_bytes()).unwrap();
        assert_eq!((table.release(), table.len(), table.codes().len()), ("2000-01", 6, 4));
        let chair = table.lookup("w07").unwrap().unwrap();
        assert_eq!(chair.inclusion_terms(), ["Tumble", "Slip"]);
        assert!(!chair.is_billable() && chair.chronic().is_none());
        let below: Vec<_> =
            chair.children().map(|e| (e.name().into_owned(), e.chronic(), e.is_billable())).collect();
        let (no, yes) = (Some(Indicator::NotChronic), Some(Indicator::Chronic));
        assert_eq!(below, [("W07.XXXA".to_owned(), no, true), ("W07.XXXD".to_owned(), yes, true)]);
        let first = table.lookup("W07XXXA").unwrap().unwrap();
        assert_eq!(first.description(), "Fall from chair, first");
        assert_eq!(first.inclusion_terms(), ["start"]);
        assert_eq!(first.ancestors().map(|e| e.name()).collect::<Vec<_>>(), ["W07", "W00-W19", "1"]);
        assert_eq!(table.lookup("W08").unwrap().unwrap().excludes1(), ["not this (W07)"]);
        assert_eq!(
            table.with_prefix("w07.xxx").map(|e| e.name()).collect::<Vec<_>>(),
            ["W07.XXXA", "W07.XXXD"]
        );
        assert!(table.lookup("W09").unwrap().is_none() && table.lookup("?").is_err());
    }

    #[test]
    fn damaged_and_foreign_tables_are_refused() {
        assert!(matches!(IcdTable::from_bytes(&RELEASE[..1000]), Err(TableError::Gzip(_))));
        assert!(matches!(IcdTable::from_bytes(b"code,description\n"), Err(TableError::Foreign)));
        assert!(matches!(IcdTable::from_bytes(&[0xff, 0xfe]), Err(TableError::Foreign)));
        let message = |from: &str, to: &str| {
            IcdTable::from_bytes(small().replace(from, to).as_bytes()).unwrap_err().to_string()
        };
        let at = "ICD-10-CM table, line ";
        assert_eq!(message("W08\t", "W8\t"), format!("{at}7: `W8`: not an ICD-10-CM code"));
        assert_eq!(message("W08\t", "W07\t"), format!("{at}7: `W07`: each code stands once"));
        assert_eq!(message("0:*", "1:*"), format!("{at}6: `1`: no such rule of seventh characters"));
        assert_eq!(
            message("0:*", "0:AX"),
            format!("{at}6: `AX`: a seventh character that its rule does not define")
        );
        let rule = "the depth is at most one more than that of the row before";
        assert_eq!(message("d\t2\tW08", "d\t9\tW08"), format!("{at}7: `9`: {rule}"));
    }

    #[test]
    fn the_release_is_whole() {
        let table = IcdTable::from_bytes(RELEASE).unwrap();
        assert_eq!((table.release(), table.len(), table.chapters().count()), ("2026-04", 98_505, 22));
        assert_eq!(table.entries().filter(Entry::is_billable).count(), 74_719);
        let entry = table.lookup("S52.501A").unwrap().unwrap();
        let text =
            "Unspecified fracture of the lower end of right radius, initial encounter for closed fracture";
        assert_eq!(entry.description(), text);
        assert_eq!(entry.chapter().name(), "19");
        assert_eq!(entry.block().unwrap().name(), "S50-S59");
        assert_eq!(entry.seventh_characters().unwrap().len(), 16);
        let diabetes = table.lookup("E119").unwrap().unwrap();
        assert_eq!(diabetes.chronic(), Some(Indicator::Chronic));
        assert_eq!(diabetes.description(), "Type 2 diabetes mellitus without complications");
        assert_eq!(table.group("I10-I1A").unwrap().kind(), Kind::Block);
        assert_eq!(table.group("B20").unwrap().children().next().unwrap().code(), Code::parse("B20").ok());
    }

    #[test]
    fn a_parent_in_the_table_is_the_parent_by_spelling() {
        let table = IcdTable::from_bytes(RELEASE).unwrap();
        for entry in table.codes() {
            let code = entry.code().unwrap();
            assert_eq!(entry.parent().and_then(|parent| parent.code()), code.parent(), "{code}");
            assert_eq!(table.get(code).unwrap().index(), entry.index());
            assert_eq!(entry.name(), code.dotted());
        }
    }
}
