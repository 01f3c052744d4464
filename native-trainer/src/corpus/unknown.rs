//! Codes that the table does not list: how often each came, where first, and which rule it breaks.

use std::collections::BTreeMap;
use std::path::Path;

use super::manifest::UNKNOWN_CODES;
use super::settings::Unknown;
use super::statistics::UnknownCodes;
use crate::ingest::Record;
use crate::talk;

/// An unknown code: how often it came, and where first.
struct FirstSeen {
    notes: u64,
    file: String,
    line: u64,
    rule: String,
    malformed: bool,
}

/// All unknown codes so far.
#[derive(Default)]
pub(super) struct UnknownList {
    seen: BTreeMap<String, FirstSeen>,
}

impl UnknownList {
    /// Counts a code of a record.
    pub(super) fn add(&mut self, code: &str, record: &Record, rule: String, malformed: bool) {
        let first =
            || FirstSeen { notes: 0, file: record.file.to_string(), line: record.line, rule, malformed };
        self.seen.entry(code.to_owned()).or_insert_with(first).notes += 1;
    }

    /// Unknown codes do not vanish unseen.
    pub(super) fn tell(&self, out: &Path, separator_given: bool) {
        if self.seen.is_empty() {
            return;
        }
        let (codes, places) = (self.seen.len(), self.occurrences());
        let file = out.join(UNKNOWN_CODES);
        talk::warn(&format!("{codes} unknown codes in {places} places, see {}", file.display()));
        let comma = |(code, seen): (&String, &FirstSeen)| seen.malformed && code.contains(',');
        if !separator_given && self.seen.iter().any(comma) {
            talk::say("some hold a comma: if it separates codes, give --codes-separator ,");
        }
    }

    /// The counts, for the statistics.
    pub(super) fn counts(&self, handling: Unknown) -> UnknownCodes {
        UnknownCodes {
            handling: format!("{handling:?}").to_lowercase(),
            codes: self.seen.len() as u64,
            occurrences: self.occurrences(),
        }
    }

    /// `unknown_codes.tsv`.
    pub(super) fn to_tsv(&self) -> String {
        let mut listed = "code\tnotes\tfirst_file\tfirst_line\trule\n".to_owned();
        for (code, seen) in &self.seen {
            let code = listed_as(code);
            listed += &format!("{code}\t{}\t{}\t{}\t{}\n", seen.notes, seen.file, seen.line, seen.rule);
        }
        listed
    }

    fn occurrences(&self) -> u64 {
        self.seen.values().map(|seen| seen.notes).sum()
    }
}

/// An unknown code for the list: as it is where it may be a code or a term, else how long it is; it may be note text.
fn listed_as(code: &str) -> String {
    let length = code.chars().count();
    if length <= 40 && code.matches(' ').count() <= 2 {
        code.to_owned()
    } else {
        format!("a value of {length} characters")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_may_be_note_text_is_listed_by_its_length() {
        assert_eq!(listed_as("Injection site pain"), "Injection site pain");
        assert_eq!(listed_as("the patient denies any pain"), "a value of 27 characters");
    }
}
