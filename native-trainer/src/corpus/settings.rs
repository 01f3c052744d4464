//! How a corpus is made of records: the options of `prepare`, kept in `corpus.json`.

use std::path::PathBuf;

use bert_xml_core::codes::CodeSystem;
use bert_xml_core::data::Shares;
use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::chronic_codes::ChronicIndicator;
use super::imputation::ChronicImputation;
use crate::ingest::Columns;

/// What happens to a code that the table does not list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// Stop with its file and line
    Error,
    /// Keep it in its note, and as a label if it is frequent enough
    #[default]
    Keep,
    /// Take it out of its note
    Drop,
}

/// How a corpus is made. Kept in `corpus.json`.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The fields of the records.
    #[command(flatten)]
    pub columns: Columns,
    /// Drop notes with fewer characters (the paper: 50)
    #[arg(long, default_value_t = 50, value_name = "N", help_heading = "Filters")]
    pub min_chars: usize,
    /// Drop notes of these types, in any case; "" drops none (the paper: these)
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "erroneous,student,miscellaneous",
        value_name = "TYPE,…",
        help_heading = "Filters"
    )]
    pub drop_types: Vec<String>,
    /// Drop records with these words in the split field
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "WORD,…",
        requires = "split_field",
        help_heading = "Filters"
    )]
    pub skip_split: Vec<String>,
    /// Percent of the patients in train, dev and test (the paper: 70/10/20)
    #[arg(long, default_value = "70/10/20", value_parser = parse_shares, help_heading = "Split")]
    pub shares: Shares,
    /// Whether chronic codes of two encounters go into a patient's other notes (the paper: paper)
    #[arg(long, value_enum, default_value_t = ChronicImputation::Off, help_heading = "Chronic imputation")]
    #[serde(default)]
    pub chronic_imputation: ChronicImputation,
    /// What is chronic: `ccir` of the code table, or AHRQ's file: CCIR or CCI (the paper: CCI)
    #[arg(
        long,
        default_value = "ccir",
        value_name = "ccir|FILE",
        value_parser = PathBufValueParser::new().map(ChronicIndicator::from),
        help_heading = "Chronic imputation"
    )]
    #[serde(default)]
    pub chronic_indicator: ChronicIndicator,
    /// Keep codes that more than K training notes carry (the paper: 1000)
    #[arg(long, default_value_t = 1000, value_name = "K", help_heading = "Label set")]
    pub more_than: u64,
    /// Keep at most N codes, the most frequent ones
    #[arg(long, value_name = "N", help_heading = "Label set")]
    pub max_labels: Option<usize>,
    /// Where codes come from: icd10cm, icd10pcs, icd9cm, meddra or another name
    #[arg(long, default_value = "icd10cm", value_name = "NAME", help_heading = "Label set")]
    pub system: CodeSystem,
    /// Descriptions of codes: lines of code, tab, description, or a label set. Makes other codes unknown
    #[arg(long, value_name = "TSV", help_heading = "Label set")]
    pub descriptions: Option<PathBuf>,
    /// Another ICD-10-CM release than the built-in one: the published tabular list in XML, or this project's format
    #[arg(long, value_name = "FILE", help_heading = "Label set")]
    pub table: Option<PathBuf>,
    /// With a tabular list: the order file of its release, which has all codes with seventh characters
    #[arg(long, value_name = "TXT", requires = "table", help_heading = "Label set")]
    #[serde(default)]
    pub order: Option<PathBuf>,
    /// With a tabular list: AHRQ's chronic indicators (CCIR or CCI) as CSV
    #[arg(long, value_name = "CSV", requires = "table", help_heading = "Label set")]
    #[serde(default)]
    pub chronic: Option<PathBuf>,
    /// What happens to codes that the table does not list; they are counted and listed in any case
    #[arg(long, value_enum, default_value_t = Unknown::Keep, help_heading = "Label set")]
    pub unknown_codes: Unknown,
    /// Replace codes that are not billable (any more) by the unspecified billable code below them, if there is one
    #[arg(long, help_heading = "Label set")]
    #[serde(default)]
    pub billable: bool,
}

impl Default for Settings {
    /// The paper's, but for chronic imputation, which needs dated notes of several encounters.
    fn default() -> Self {
        Self {
            columns: Columns::default(),
            min_chars: 50,
            drop_types: ["erroneous", "student", "miscellaneous"].map(str::to_owned).to_vec(),
            skip_split: Vec::new(),
            shares: Shares::default(),
            chronic_imputation: ChronicImputation::Off,
            chronic_indicator: ChronicIndicator::Ccir,
            more_than: 1000,
            max_labels: None,
            system: CodeSystem::Icd10cm,
            descriptions: None,
            table: None,
            order: None,
            chronic: None,
            unknown_codes: Unknown::Keep,
            billable: false,
        }
    }
}

impl Settings {
    /// Chronic imputation in a few words ([`ChronicIndicator::described`]).
    pub fn imputation(&self) -> String {
        self.chronic_indicator.described(self.chronic_imputation)
    }
}

fn parse_shares(word: &str) -> Result<Shares, String> {
    let rule = || "three percentages that add up to 100, such as 70/10/20".to_owned();
    let parts: Vec<u8> =
        word.split('/').map(|part| part.trim().parse()).collect::<Result<_, _>>().map_err(|_| rule())?;
    let &[train, dev, test] = parts.as_slice() else { return Err(rule()) };
    let shares = Shares { train, dev, test };
    if shares.is_valid() && train > 0 { Ok(shares) } else { Err(rule()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_three_percentages() {
        assert_eq!(parse_shares("80/10/10"), Ok(Shares { train: 80, dev: 10, test: 10 }));
        for word in ["80/10", "80/10/20", "0/50/50", "a/b/c", "70/10/20/0", "300/0/0"] {
            assert!(parse_shares(word).is_err(), "{word}");
        }
    }
}
