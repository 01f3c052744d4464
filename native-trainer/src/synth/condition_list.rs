//! Lists of conditions in words: which codes a hospital has, the commonest first, and how notes write them.

use bert_xml_core::codes::IcdTable;
use bert_xml_core::codes::table::Entry;

const BUILT_IN: &str = include_str!("common_codes.tsv");

/// One condition as a list tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedCondition {
    /// The dotted code.
    pub code: String,
    /// How clinicians write it, beside the official description; may be empty.
    pub wordings: Vec<String>,
    /// Medicines typical for it.
    pub medicines: Vec<String>,
    /// What a note tells when it is there.
    pub signs: Vec<String>,
}

/// Conditions, the most prevalent first, no code twice.
///
/// On disk: lines of code, wordings, medicines, signs, with tabs between; the last three are joined with `|` and may
/// be empty or missing. Lines that begin with `#` are skipped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConditionList(
    /// In order.
    pub Vec<ListedCondition>,
);

/// A line of a list that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {field} `{value}`: {rule}")]
pub struct ListError {
    /// From 1.
    pub line: usize,
    /// Which part of the line.
    pub field: &'static str,
    /// What stands there.
    pub value: String,
    /// The rule that it breaks.
    pub rule: &'static str,
}

impl ConditionList {
    /// The everyday conditions of every synthetic hospital.
    ///
    /// # Panics
    /// The list that is built in breaks its notation (a test reads it).
    pub fn built_in() -> Self {
        Self::from_tsv(BUILT_IN).unwrap_or_else(|error| panic!("common_codes.tsv, {error}"))
    }

    /// Reads a list.
    ///
    /// # Errors
    /// [`ListError`]: too many columns, a code that is none or stands twice.
    pub fn from_tsv(text: &str) -> Result<Self, ListError> {
        let mut list: Vec<ListedCondition> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for (at, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let fields: Vec<&str> = line.split('\t').collect();
            let wrong =
                |field, value: &str, rule| ListError { line: at + 1, field, value: value.into(), rule };
            if let Some(fifth) = fields.get(4) {
                return Err(wrong("column 5", fifth, "a line is code, wordings, medicines, signs"));
            }
            let Ok(code) = bert_xml_core::codes::Code::parse(fields[0].trim()) else {
                return Err(wrong("code", fields[0], "is no ICD-10-CM code"));
            };
            if !seen.insert(code) {
                return Err(wrong("code", fields[0], "stands twice"));
            }
            let part = |at: usize| -> Vec<String> {
                let texts = fields.get(at).unwrap_or(&"").split('|').map(str::trim);
                texts.filter(|text| !text.is_empty()).map(str::to_owned).collect()
            };
            let (wordings, medicines, signs) = (part(1), part(2), part(3));
            list.push(ListedCondition { code: code.dotted(), wordings, medicines, signs });
        }
        Ok(Self(list))
    }

    /// The same as text.
    pub fn to_tsv(&self) -> String {
        let line = |condition: &ListedCondition| {
            let ListedCondition { code, wordings, medicines, signs } = condition;
            format!("{code}\t{}\t{}\t{}\n", wordings.join("|"), medicines.join("|"), signs.join("|"))
        };
        self.0.iter().map(line).collect()
    }

    /// The codes that a claim may not carry, or that the table lacks.
    pub fn not_billable(&self, table: &IcdTable) -> Vec<&str> {
        let billable = |code: &str| {
            table.lookup(code).ok().flatten().is_some_and(|entry: Entry<'_>| entry.is_billable())
        };
        self.0.iter().map(|condition| condition.code.as_str()).filter(|code| !billable(code)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_back_as_it_was_written() {
        let text = "# everyday\nI10\tHTN| high blood pressure\tlisinopril\nr05.9\n";
        let list = ConditionList::from_tsv(text).unwrap();
        assert_eq!(list.0[0].wordings, ["HTN", "high blood pressure"]);
        assert_eq!((list.0[1].code.as_str(), list.0[1].signs.len()), ("R05.9", 0));
        assert_eq!(ConditionList::from_tsv(&list.to_tsv()), Ok(list));
    }

    #[test]
    fn wrong_lines_say_where() {
        let message = |text| ConditionList::from_tsv(text).unwrap_err().to_string();
        assert_eq!(message("I10\n\n1x\tfever"), "line 3: code `1x`: is no ICD-10-CM code");
        assert_eq!(message("I10\ni10"), "line 2: code `i10`: stands twice");
        let five = "line 1: column 5 `e`: a line is code, wordings, medicines, signs";
        assert_eq!(message("I10\tb\tc\td\te"), five);
    }

    #[test]
    fn the_built_in_list_has_wordings_for_every_code() {
        let list = ConditionList::built_in();
        assert!(list.0.len() > 130 && list.0.iter().all(|condition| condition.wordings.len() > 2));
        assert!(list.not_billable(super::super::conditions::tests::table()).is_empty());
    }
}
