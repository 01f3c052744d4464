//! The labels of a model: an ordered list of (system, code, description) that names its output rows.
//!
//! On disk a label set is a tab-separated file with the header `system`, `code`, `description`. The
//! order of its rows is the order of the model's outputs.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::icd::Code;

/// First line of a label set file.
pub const HEADER: &str = "system\tcode\tdescription";

/// Where a code comes from. Written `icd10cm`, `icd10pcs`, `icd9cm`, `meddra`; anything else is custom.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum CodeSystem {
    /// ICD-10-CM diagnoses.
    Icd10cm,
    /// ICD-10-PCS procedures.
    Icd10pcs,
    /// ICD-9-CM diagnoses and procedures.
    Icd9cm,
    /// MedDRA terms.
    Meddra,
    /// Any other system, by its name.
    Custom(String),
}

impl CodeSystem {
    /// The name used in files.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Icd10cm => "icd10cm",
            Self::Icd10pcs => "icd10pcs",
            Self::Icd9cm => "icd9cm",
            Self::Meddra => "meddra",
            Self::Custom(name) => name,
        }
    }
}

impl From<String> for CodeSystem {
    fn from(name: String) -> Self {
        match name.trim().to_ascii_lowercase().as_str() {
            "icd10cm" => Self::Icd10cm,
            "icd10pcs" => Self::Icd10pcs,
            "icd9cm" => Self::Icd9cm,
            "meddra" => Self::Meddra,
            _ => Self::Custom(name.trim().to_owned()),
        }
    }
}

impl From<CodeSystem> for String {
    fn from(system: CodeSystem) -> Self {
        system.as_str().to_owned()
    }
}

impl FromStr for CodeSystem {
    type Err = std::convert::Infallible;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(name.to_owned().into())
    }
}

impl fmt::Display for CodeSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The system that the code belongs to.
    pub system: CodeSystem,
    /// The code; ICD-10-CM codes with their dot.
    pub code: String,
    /// The official description; empty if none is known.
    pub description: String,
}

/// Why a label set could not be read or built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelSetError {
    /// The file is not UTF-8.
    #[error("line {line}: not UTF-8")]
    Encoding {
        /// Line of the first bad byte, from 1.
        line: usize,
    },
    /// A line of the file, or a label of the list, breaks a rule.
    #[error("line {line}: {}{rule}", place(value))]
    Line {
        /// Line in the file, from 1; the header is line 1.
        line: usize,
        /// The value that is wrong; empty where it is the whole line, or where the rule names it.
        value: String,
        /// The rule it breaks.
        rule: String,
    },
    /// The set has no labels.
    #[error("a label set needs at least one label")]
    Empty,
}

fn place(value: &str) -> String {
    if value.is_empty() { String::new() } else { format!("`{value}`: ") }
}

/// Labels in order, each code once. Serialized as the list of its labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Label>", into = "Vec<Label>")]
pub struct LabelSet {
    labels: Vec<Label>,
    index: HashMap<String, usize>,
}

impl LabelSet {
    /// A label set from labels in output order. ICD-10-CM codes are checked and brought to their dotted
    /// upper-case spelling; other codes stay as they are.
    ///
    /// # Errors
    /// [`LabelSetError`] for an empty list, an empty code, a tab or line break inside a value, a code that
    /// is not of its system, or a code given twice; the line is that of the file that would be written.
    pub fn new(labels: Vec<Label>) -> Result<Self, LabelSetError> {
        Self::from_numbered(labels.into_iter().enumerate().map(|(at, label)| (at + 2, label)))
    }

    fn from_numbered(rows: impl Iterator<Item = (usize, Label)>) -> Result<Self, LabelSetError> {
        let mut labels = Vec::new();
        let mut index = HashMap::new();
        for (line, mut label) in rows {
            label.description = label.description.trim().to_owned();
            let wrong = |value: &str, rule: &str| LabelSetError::Line {
                line,
                value: value.into(),
                rule: rule.into(),
            };
            for value in [label.system.as_str(), &label.code, &label.description] {
                if value.contains(['\t', '\n', '\r']) {
                    return Err(wrong(value, "a value holds no tab and no line break"));
                }
            }
            if label.system.as_str().is_empty() {
                return Err(wrong("", "the system must not be empty"));
            }
            if label.code.trim() != label.code || label.code.is_empty() {
                return Err(wrong(&label.code, "a code is not empty and has no white space around it"));
            }
            if label.system == CodeSystem::Icd10cm {
                // The error itself says which value.
                let code = Code::parse(&label.code).map_err(|error| wrong("", &error.to_string()))?;
                label.code = code.dotted();
            }
            if let Some(first) = index.insert(label.code.clone(), labels.len()) {
                return Err(wrong(
                    &label.code,
                    &format!("each code stands once; this one is also label {first}"),
                ));
            }
            labels.push(label);
        }
        if labels.is_empty() {
            return Err(LabelSetError::Empty);
        }
        Ok(Self { labels, index })
    }

    /// Reads the bytes of a label set file. Empty lines are skipped; a missing third field is an empty
    /// description.
    ///
    /// # Errors
    /// [`LabelSetError`] with the line, the value and the rule.
    pub fn from_tsv(bytes: &[u8]) -> Result<Self, LabelSetError> {
        let text = std::str::from_utf8(bytes).map_err(|error| LabelSetError::Encoding {
            line: 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count(),
        })?;
        let mut lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines();
        let header = lines.next().unwrap_or_default();
        if header != HEADER {
            let rule = "the first line is `system`, `code` and `description`, separated by tabs".into();
            return Err(LabelSetError::Line { line: 1, value: String::new(), rule });
        }
        let mut rows = Vec::new();
        for (at, line) in lines.enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let fields: Vec<&str> = line.split('\t').collect();
            let (system, code, description) = match fields[..] {
                [system, code] => (system, code, ""),
                [system, code, description] => (system, code, description),
                _ => {
                    let rule =
                        format!("a line has 3 fields separated by tabs; this one has {}", fields.len());
                    return Err(LabelSetError::Line { line: at + 2, value: String::new(), rule });
                }
            };
            let system = system.to_owned().into();
            rows.push((
                at + 2,
                Label { system, code: code.trim().into(), description: description.trim().into() },
            ));
        }
        Self::from_numbered(rows.into_iter())
    }

    /// The label set as a file: header and one line a label, each ended by a line feed.
    pub fn to_tsv(&self) -> String {
        let mut out = format!("{HEADER}\n");
        for Label { system, code, description } in &self.labels {
            out += &format!("{system}\t{code}\t{description}\n");
        }
        out
    }

    /// The output row of a code: as stored, or for an ICD-10-CM code in any spelling.
    pub fn index(&self, code: &str) -> Option<usize> {
        self.index.get(code).copied().or_else(|| {
            let at = *self.index.get(&Code::parse(code).ok()?.dotted())?;
            (self.labels[at].system == CodeSystem::Icd10cm).then_some(at)
        })
    }

    /// The output rows of those codes that are labels, sorted, each once; and how many codes are none.
    pub fn indices(&self, codes: &[String]) -> (Vec<u32>, usize) {
        let found = codes.iter().filter_map(|code| self.index(code)).map(|index| index as u32);
        let mut indices: Vec<u32> = found.collect();
        let outside = codes.len() - indices.len();
        indices.sort_unstable();
        indices.dedup();
        (indices, outside)
    }

    /// The label of an output row.
    pub fn get(&self, index: usize) -> Option<&Label> {
        self.labels.get(index)
    }

    /// All labels in output order.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// Labels in output order.
    pub fn iter(&self) -> std::slice::Iter<'_, Label> {
        self.labels.iter()
    }

    /// Number of labels, at least 1.
    #[allow(clippy::len_without_is_empty)] // a label set is never empty
    pub fn len(&self) -> usize {
        self.labels.len()
    }
}

impl<'a> IntoIterator for &'a LabelSet {
    type Item = &'a Label;
    type IntoIter = std::slice::Iter<'a, Label>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl TryFrom<Vec<Label>> for LabelSet {
    type Error = LabelSetError;

    fn try_from(labels: Vec<Label>) -> Result<Self, LabelSetError> {
        Self::new(labels)
    }
}

impl From<LabelSet> for Vec<Label> {
    fn from(set: LabelSet) -> Self {
        set.labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "system\tcode\tdescription\nicd10cm\ti10\tEssential (primary) hypertension\n\
        meddra\t10019211\tHeadache\nlocal\tX-1\t\n";

    #[test]
    fn reads_and_writes_in_order() {
        let set = LabelSet::from_tsv(FILE.as_bytes()).unwrap();
        assert_eq!(set.len(), 3);
        assert_eq!((set.index("I10"), set.index("i10"), set.index("10019211")), (Some(0), Some(0), Some(1)));
        assert_eq!((set.index("X-1"), set.index("x-1"), set.index("I11")), (Some(2), None, None));
        let codes = ["X-1", "i10", "I10", "I11"].map(str::to_owned);
        assert_eq!(set.indices(&codes), (vec![0, 2], 1));
        assert_eq!(set.get(2).unwrap().system, CodeSystem::Custom("local".into()));
        assert_eq!(set.to_tsv(), FILE.replace("i10", "I10"));
        assert_eq!(LabelSet::from_tsv(set.to_tsv().as_bytes()).unwrap(), set);
    }

    #[test]
    fn json_is_the_list_of_labels() {
        let set = LabelSet::from_tsv(FILE.as_bytes()).unwrap();
        let json = serde_json::to_string(&set).unwrap();
        assert!(json.starts_with(r#"[{"system":"icd10cm","code":"I10","description":"Essential"#), "{json}");
        assert_eq!(serde_json::from_str::<LabelSet>(&json).unwrap(), set);
        assert!(serde_json::from_str::<LabelSet>("[]").is_err());
    }

    #[test]
    fn errors_name_line_value_and_rule() {
        let message =
            |body: &str| LabelSet::from_tsv(format!("{HEADER}\n{body}").as_bytes()).unwrap_err().to_string();
        assert_eq!(
            message("\nicd10cm\t250\tx\n"),
            "line 3: `250`: character 1 is `2`; it must be a letter from A to Z"
        );
        assert_eq!(
            message("a\tb\tc\na\tb\td\n"),
            "line 3: `b`: each code stands once; this one is also label 0"
        );
        assert_eq!(message("icd9cm\n"), "line 2: a line has 3 fields separated by tabs; this one has 1");
        assert_eq!(message("icd9cm\t\tx\n"), "line 2: a code is not empty and has no white space around it");
        assert_eq!(message(""), "a label set needs at least one label");
        assert!(matches!(LabelSet::from_tsv(b"code\n"), Err(LabelSetError::Line { line: 1, .. })));
        assert_eq!(LabelSet::from_tsv(b"a\n\xff"), Err(LabelSetError::Encoding { line: 2 }));
    }
}
