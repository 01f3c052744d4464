//! Which fields of a record file hold what.

use clap::Args;
use serde::{Deserialize, Serialize};

/// The longest id, code, date or note type, in characters: a longer value is another column's.
pub const MAX_NAME: usize = 200;

/// Names of the fields (JSON keys, column names). Flatten it into a subcommand's options.
///
/// A field that a flag names must be a column of a CSV or Parquet file, and every record must have its
/// patient, note id and split if their flags are given; without flags, what a record lacks is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Columns {
    /// Field with the patient [default: patient_id; a note without one is its own patient]
    #[arg(long, value_name = "NAME", help_heading = "Fields of the records")]
    pub patient_field: Option<String>,
    /// Field with the note's id [default: note_id; a note without one is named FILE:LINE]
    #[arg(long, value_name = "NAME", help_heading = "Fields of the records")]
    pub note_id_field: Option<String>,
    /// Field with the date, ISO 8601 [default: date]
    #[arg(long, value_name = "NAME", help_heading = "Fields of the records")]
    pub date_field: Option<String>,
    /// Field with the encounter: chronic imputation counts encounters [default: encounter_id]
    #[arg(long, value_name = "NAME", help_heading = "Fields of the records")]
    pub encounter_field: Option<String>,
    /// Field with the type of the note [default: note_type]
    #[arg(long, value_name = "NAME", help_heading = "Fields of the records")]
    pub type_field: Option<String>,
    /// Fields with the text, joined by blank lines, absent ones skipped [default: text]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', help_heading = "Fields of the records")]
    pub text_field: Vec<String>,
    /// Field with the codes, a list or one string [default: codes]
    #[arg(long, value_name = "NAME", help_heading = "Fields of the records")]
    pub codes_field: Option<String>,
    /// Field with the split: train, dev or test [default: none, patients are split by hash]
    #[arg(long, value_name = "NAME", help_heading = "Fields of the records")]
    pub split_field: Option<String>,
    /// What separates codes that stand in one string [default: `;` or `|`]
    #[arg(long, value_name = "TEXT", help_heading = "Fields of the records")]
    pub codes_separator: Option<String>,
    /// Whether records may lack the text field: gold codes are read without it.
    #[arg(skip)]
    #[serde(skip)]
    pub without_text: bool,
}

impl Columns {
    /// The patient's field.
    pub fn patient(&self) -> &str {
        self.patient_field.as_deref().unwrap_or("patient_id")
    }

    /// The note id's field.
    pub fn note_id(&self) -> &str {
        self.note_id_field.as_deref().unwrap_or("note_id")
    }

    /// The date's field.
    pub fn date(&self) -> &str {
        self.date_field.as_deref().unwrap_or("date")
    }

    /// The encounter's field.
    pub fn encounter(&self) -> &str {
        self.encounter_field.as_deref().unwrap_or("encounter_id")
    }

    /// The note type's field.
    pub fn note_type(&self) -> &str {
        self.type_field.as_deref().unwrap_or("note_type")
    }

    /// The fields of the text, at least one.
    pub fn text(&self) -> Vec<&str> {
        if self.text_field.is_empty() {
            return vec!["text"];
        }
        self.text_field.iter().map(|name| name.trim()).collect()
    }

    /// The codes' field.
    pub fn codes(&self) -> &str {
        self.codes_field.as_deref().unwrap_or("codes")
    }

    /// Codes in one string, trimmed, without empty ones.
    ///
    /// Neither commas nor spaces separate unless asked for: terms of MedDRA hold both.
    pub fn split_codes<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let parts: Vec<&str> = match self.codes_separator.as_deref() {
            None | Some("") => text.split([';', '|']).collect(),
            Some(separator) => text.split(separator).collect(),
        };
        parts.into_iter().map(str::trim).filter(|code| !code.is_empty()).collect()
    }

    /// Every field that is read, once: the order of [`super::record::Row`]'s cells.
    pub(super) fn wanted(&self) -> Vec<Wanted> {
        let mut wanted: Vec<Wanted> = Vec::new();
        let mut want = |name: &str, asked: bool| match wanted.iter_mut().find(|field| field.name == name) {
            Some(field) => field.asked |= asked,
            None => wanted.push(Wanted { name: name.to_owned(), asked, any_case: false }),
        };
        want(self.patient(), self.patient_field.is_some());
        want(self.note_id(), self.note_id_field.is_some());
        want(self.date(), self.date_field.is_some());
        want(self.encounter(), self.encounter_field.is_some());
        want(self.note_type(), self.type_field.is_some());
        for name in self.text() {
            want(name, !self.text_field.is_empty());
        }
        want(self.codes(), self.codes_field.is_some());
        if let Some(split) = &self.split_field {
            want(split, true);
        }
        wanted
    }
}

/// A field that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub name: String,
    /// Whether it must be there: a flag names it, or the format does.
    pub asked: bool,
    /// Whether the case of a column's title does not matter.
    pub any_case: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_with_commas_and_spaces_survive() {
        let columns = Columns::default();
        assert_eq!(columns.split_codes("Pain, left arm; Fever |;"), ["Pain, left arm", "Fever"]);
        let comma = Columns { codes_separator: Some(",".into()), ..Columns::default() };
        assert_eq!(comma.split_codes("I10, E11.9"), ["I10", "E11.9"]);
        let space = Columns { codes_separator: Some(" ".into()), ..Columns::default() };
        assert_eq!(space.split_codes(" I10  E11.9"), ["I10", "E11.9"]);
    }

    #[test]
    fn fields_are_read_once_and_know_who_asked() {
        let columns = Columns {
            note_id_field: Some("id".into()),
            text_field: vec!["title".into(), "body".into()],
            codes_field: Some("id".into()),
            ..Columns::default()
        };
        let names: Vec<_> = columns.wanted().into_iter().map(|field| (field.name, field.asked)).collect();
        let expected = [
            ("patient_id", false),
            ("id", true),
            ("date", false),
            ("encounter_id", false),
            ("note_type", false),
            ("title", true),
            ("body", true),
        ];
        assert_eq!(names, expected.map(|(name, asked)| (name.to_owned(), asked)));
    }
}
