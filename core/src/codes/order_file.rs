//! The order files of CMS and CDC, as published: `icd10cm_order_YYYY.txt`, `icd10pcs_order_YYYY.txt`.
//!
//! Fixed columns, one code a line (in characters, from 1): order number 1–5, code without its dot 7–13,
//! 15 is `1` where a claim may carry the code and `0` for a heading, short description 17–76, long
//! description from 78. The files say which codes a release has, with their seventh characters; what the
//! tabular list says of them is for [`super::tabular`].

use std::collections::{HashMap, HashSet};

use super::icd::Code;
use super::label_set::{CodeSystem, Label};

/// Why bytes are no order file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderFileError {
    /// The file is not UTF-8.
    #[error("line {line}: not UTF-8")]
    Encoding {
        /// Line of the first bad byte, from 1.
        line: usize,
    },
    /// A line breaks a rule of the layout.
    #[error("line {line}: `{value}`: {rule}")]
    Row {
        /// Line in the file, from 1.
        line: usize,
        /// The value that is wrong.
        value: String,
        /// The rule it breaks.
        rule: String,
    },
    /// No line holds a code.
    #[error("an order file needs at least one code")]
    Empty,
}

/// Which of the two order files is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderSystem {
    /// Diagnoses, ICD-10-CM.
    Icd10cm,
    /// Procedures, ICD-10-PCS.
    Icd10pcs,
}

/// One line of an order file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderEntry {
    /// The order number, which rises through the file.
    pub order: u32,
    /// The code; ICD-10-CM codes with their dot.
    pub code: String,
    /// Whether a claim may carry it; headings are not billable.
    pub billable: bool,
    /// The description in at most 60 characters, abbreviated.
    pub short: String,
    /// The description in full.
    pub long: String,
}

/// The codes of a release in the file's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFile {
    system: OrderSystem,
    entries: Vec<OrderEntry>,
    index: HashMap<String, usize>,
}

impl OrderFile {
    /// Reads an order file from its bytes. A byte-order mark and empty lines are skipped.
    ///
    /// # Errors
    /// [`OrderFileError`] with line, value and rule: a line too short, an order number that does not rise,
    /// a code that the system cannot have or that stands twice, a flag that is not 0 or 1.
    pub fn from_bytes(bytes: &[u8], system: OrderSystem) -> Result<Self, OrderFileError> {
        let text = std::str::from_utf8(bytes).map_err(|error| OrderFileError::Encoding {
            line: 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count(),
        })?;
        let mut entries: Vec<OrderEntry> = Vec::new();
        let mut index = HashMap::new();
        for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim_end();
            if line.is_empty() {
                continue;
            }
            let wrong = |value: &str, rule: &str| OrderFileError::Row {
                line: at + 1,
                value: value.into(),
                rule: rule.into(),
            };
            let entry = entry(line, system).map_err(|(value, rule)| wrong(&value, &rule))?;
            if entries.last().is_some_and(|last| last.order >= entry.order) {
                return Err(wrong(&entry.order.to_string(), "order numbers rise from line to line"));
            }
            if index.insert(entry.code.clone(), entries.len()).is_some() {
                return Err(wrong(&entry.code, "each code stands once"));
            }
            entries.push(entry);
        }
        if entries.is_empty() {
            return Err(OrderFileError::Empty);
        }
        Ok(Self { system, entries, index })
    }

    /// Which system the codes belong to.
    pub fn system(&self) -> OrderSystem {
        self.system
    }

    /// All lines in order, headings too.
    pub fn entries(&self) -> &[OrderEntry] {
        &self.entries
    }

    /// The line of a code, written as in [`OrderEntry::code`].
    pub fn get(&self, code: &str) -> Option<&OrderEntry> {
        self.index.get(code).map(|at| &self.entries[*at])
    }

    /// The ICD-10-CM codes, headings too; empty for ICD-10-PCS.
    pub fn icd10cm_codes(&self) -> HashSet<Code> {
        self.entries
            .iter()
            .filter_map(|entry| Code::parse(&entry.code).ok())
            .filter(|_| self.system == OrderSystem::Icd10cm)
            .collect()
    }

    /// The billable codes with their long descriptions, in order: rows for a label set.
    pub fn labels(&self) -> Vec<Label> {
        let system = match self.system {
            OrderSystem::Icd10cm => CodeSystem::Icd10cm,
            OrderSystem::Icd10pcs => CodeSystem::Icd10pcs,
        };
        let billable = self.entries.iter().filter(|entry| entry.billable);
        billable
            .map(|entry| Label {
                system: system.clone(),
                code: entry.code.clone(),
                description: entry.long.clone(),
            })
            .collect()
    }
}

/// The text in these columns, the first counted from 1, the last included; trimmed.
fn columns(line: &str, first: usize, last: usize) -> &str {
    let byte = |column: usize| line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
    line[byte(first - 1)..byte(last)].trim()
}

/// Reads one line; an error is the wrong value and the rule.
fn entry(line: &str, system: OrderSystem) -> Result<OrderEntry, (String, String)> {
    let wrong = |value: &str, rule: &str| (value.to_owned(), rule.to_owned());
    let number = columns(line, 1, 5);
    let order = number.parse().map_err(|_| wrong(number, "columns 1 to 5 hold the order number"))?;
    for column in [6, 14, 16, 77] {
        let between = columns(line, column, column);
        if !between.is_empty() {
            return Err(wrong(between, &format!("column {column} is blank")));
        }
    }
    let written = columns(line, 7, 13);
    let code = match system {
        OrderSystem::Icd10cm => Code::parse(written)
            .map_err(|error| wrong(written, &format!("columns 7 to 13 hold an ICD-10-CM code: {error}")))?
            .dotted(),
        OrderSystem::Icd10pcs => {
            let allowed = |c: u8| c.is_ascii_digit() || c.is_ascii_uppercase() && c != b'I' && c != b'O';
            if !matches!(written.len(), 3 | 7) || !written.bytes().all(allowed) {
                let rule = "columns 7 to 13 hold an ICD-10-PCS code of 7 characters, or 3 of a table: digits and capitals without I and O";
                return Err(wrong(written, rule));
            }
            written.to_owned()
        }
    };
    let billable = match columns(line, 15, 15) {
        "1" => true,
        "0" => false,
        other => return Err(wrong(other, "column 15 is 1 for a billable code, 0 for a heading")),
    };
    let (short, long) = (columns(line, 17, 76), columns(line, 78, usize::MAX));
    if short.is_empty() || long.is_empty() {
        return Err(wrong(
            written,
            "a short description stands in columns 17 to 76 and a long one from column 78",
        ));
    }
    Ok(OrderEntry { order, code, billable, short: short.to_owned(), long: long.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(order: u32, code: &str, flag: u8, short: &str, long: &str) -> String {
        format!("{order:05} {code:<7} {flag} {short:<60} {long}\n")
    }

    #[test]
    fn diagnoses_get_their_dot_and_keep_both_descriptions() {
        let text = line(3, "W07", 0, "Fall from chair", "Fall from chair")
            + &line(4, "W07XXXA", 1, "Fall from chair, init", "Fall from chair, initial encounter")
            + "\n"
            + &line(7, "B20", 1, "Human immunodef", "Human immunodeficiency virus [HIV] disease");
        let file = OrderFile::from_bytes(
            format!("\u{feff}{text}").replace('\n', "\r\n").as_bytes(),
            OrderSystem::Icd10cm,
        )
        .unwrap();
        let entry = file.get("W07.XXXA").unwrap();
        assert_eq!((entry.order, entry.billable), (4, true));
        assert_eq!(
            (entry.short.as_str(), entry.long.as_str()),
            ("Fall from chair, init", "Fall from chair, initial encounter")
        );
        assert_eq!(
            file.labels().into_iter().map(|label| label.code).collect::<Vec<_>>(),
            ["W07.XXXA", "B20"]
        );
        assert!(file.icd10cm_codes().contains(&Code::parse("W07").unwrap()));
        assert_eq!(file.entries().len(), 3);
        assert!(file.get("W08").is_none());
    }

    #[test]
    fn procedures_have_no_dot() {
        let text = line(1, "001", 0, "Nervous, Bypass", "Central Nervous System, Bypass")
            + &line(2, "0016070", 1, "Bypass short", "Bypass long");
        let file = OrderFile::from_bytes(text.as_bytes(), OrderSystem::Icd10pcs).unwrap();
        assert_eq!(file.labels()[0].code, "0016070");
        assert_eq!(file.labels()[0].system, CodeSystem::Icd10pcs);
        assert!(file.icd10cm_codes().is_empty());
    }

    #[test]
    fn columns_are_counted_in_characters() {
        let text = line(1, "H8109", 1, "Ménière's disease", "Ménière's disease, unspecified ear");
        let file = OrderFile::from_bytes(text.as_bytes(), OrderSystem::Icd10cm).unwrap();
        assert_eq!(file.entries()[0].long, "Ménière's disease, unspecified ear");
    }

    #[test]
    fn a_bad_line_is_named_with_value_and_rule() {
        let good = line(1, "A00", 0, "Cholera", "Cholera");
        let message =
            |text: String, system| OrderFile::from_bytes(text.as_bytes(), system).unwrap_err().to_string();
        let cm = OrderSystem::Icd10cm;
        assert_eq!(message(good.clone() + &good, cm), "line 2: `1`: order numbers rise from line to line");
        assert_eq!(
            message(good.clone() + &line(2, "A00", 1, "x", "y"), cm),
            "line 2: `A00`: each code stands once"
        );
        assert!(
            message(line(1, "A0", 1, "x", "y"), cm)
                .starts_with("line 1: `A0`: columns 7 to 13 hold an ICD-10-CM")
        );
        assert!(message(line(1, "A00", 7, "x", "y"), cm).starts_with("line 1: `7`: column 15 is 1"));
        assert!(message(line(1, "A00", 1, "x", ""), cm).starts_with("line 1: `A00`: a short description"));
        assert!(message("code,description\n".into(), cm).starts_with("line 1: `code,`: columns 1 to 5"));
        assert!(message(line(1, "00I6070", 1, "x", "y"), OrderSystem::Icd10pcs).contains("without I and O"));
        assert_eq!(message("\n".into(), cm), "an order file needs at least one code");
        assert_eq!(OrderFile::from_bytes(b"00001 A\n\xff", cm), Err(OrderFileError::Encoding { line: 2 }));
    }
}
