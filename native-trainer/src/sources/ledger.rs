//! The report of an ingest: what was left out or is in doubt, row by row and counted.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

use crate::files::FileInTheMaking;

/// Where a row stands: a file, and its line (an entry of a Bundle, a document) from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The file as it was named.
    pub file: &'a str,
    /// Line, from 1; in a FHIR Bundle the entry.
    pub line: u64,
}

/// A tab-separated list, `file`, `line`, `rule`, `value`, whole or not there, and the counts by rule.
pub struct Ledger {
    file: FileInTheMaking,
    buffer: Vec<u8>,
    /// Rows by rule.
    listed: BTreeMap<String, u64>,
    /// What is counted and nothing to look at.
    counted: BTreeMap<String, u64>,
}

/// The longest id, code or address that is shown, in characters.
const LONGEST: usize = 200;
/// Bytes that are kept before they are written.
const BUFFER: usize = 1 << 16;

impl Ledger {
    /// Starts a list that will stand at `place`.
    ///
    /// # Errors
    /// Its folder cannot be written.
    pub fn start(place: &Path) -> Result<Self> {
        let file = FileInTheMaking::start(place).with_context(|| format!("writing {}", place.display()))?;
        let buffer = b"file\tline\trule\tvalue\n".to_vec();
        Ok(Self { file, buffer, listed: BTreeMap::new(), counted: BTreeMap::new() })
    }

    /// Lists a row under a rule. `value` is an id, a code or a name; where it cannot be one, because columns or quotes have
    /// slipped, it may be words of a note, and only its length is told.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn list(&mut self, place: Place<'_>, rule: &str, value: &str) -> Result<()> {
        let length = value.chars().count();
        if length > LONGEST || value.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return self.list_detail(place, rule, &format!("a value of {length} characters"));
        }
        self.list_detail(place, rule, value)
    }

    /// Lists a row under a rule, with words of ours that say more.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn list_detail(&mut self, place: Place<'_>, rule: &str, detail: &str) -> Result<()> {
        let file = place.file.replace(['\t', '\n', '\r'], " ");
        let line = format!("{file}\t{}\t{rule}\t{detail}\n", place.line);
        self.buffer.extend_from_slice(line.as_bytes());
        self.add_to(rule, 1, true);
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    /// Counts what is no fault.
    pub fn count(&mut self, what: &str, by: u64) {
        self.add_to(what, by, false);
    }

    fn add_to(&mut self, what: &str, by: u64, listed: bool) {
        let counts = if listed { &mut self.listed } else { &mut self.counted };
        match counts.get_mut(what) {
            Some(count) => *count += by,
            None => {
                counts.insert(what.to_owned(), by);
            }
        }
    }

    fn flush(&mut self) -> Result<()> {
        let writing = || format!("writing {}", self.file.place().display());
        self.file.file().write_all(&self.buffer).with_context(writing)?;
        self.buffer.clear();
        Ok(())
    }

    /// Puts the list into its place; the counts of listed rows and of others.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn finish(mut self) -> Result<[BTreeMap<String, u64>; 2]> {
        self.flush()?;
        let place = self.file.place().to_owned();
        self.file.finish().with_context(|| format!("writing {}", place.display()))?;
        Ok([self.listed, self.counted])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_listed_and_counted_by_rule() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.tsv");
        let mut ledger = Ledger::start(&path).unwrap();
        let place = |line| Place { file: "a.csv", line };
        ledger.list(place(3), "no code", "n1").unwrap();
        ledger.list(place(5), "no code", "denies chest pain").unwrap();
        ledger.count("encounters", 7);
        let [listed, counted] = ledger.finish().unwrap();
        assert_eq!((listed["no code"], counted["encounters"]), (2, 7));
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(
            text,
            "file\tline\trule\tvalue\na.csv\t3\tno code\tn1\na.csv\t5\tno code\ta value of 17 characters\n"
        );
    }
}
