//! Which codes are chronic conditions, by AHRQ's indicators.

use std::path::{Path, PathBuf};

use anyhow::Result;
use bert_xml_core::codes::{Chronic, Code, Indicator};
use serde::{Deserialize, Serialize};

use super::code_table::{CodeTable, read_chronic};
use super::imputation::ChronicImputation;
use crate::error::hinted;

/// Where the indicator comes from. Written `ccir` or as a path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "PathBuf", into = "PathBuf")]
pub enum ChronicIndicator {
    /// That of the code table: the refined one (CCIR), unless `--table` came with another.
    #[default]
    Ccir,
    /// A file as AHRQ publishes it: CCIR, or the classic one (CCI), which the paper used.
    File(PathBuf),
}

impl ChronicIndicator {
    /// The file, where there is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Ccir => None,
            Self::File(path) => Some(path),
        }
    }

    /// Imputation by this indicator in a few words: `off`, `paper (ccir)`, `causal (cci.csv)`.
    pub fn described(&self, rule: ChronicImputation) -> String {
        let name =
            self.path().map_or("ccir".into(), |path| path.file_name().unwrap_or_default().to_string_lossy());
        match rule {
            ChronicImputation::Off => "off".to_owned(),
            rule => format!("{} ({name})", rule.as_str()),
        }
    }
}

impl From<PathBuf> for ChronicIndicator {
    fn from(path: PathBuf) -> Self {
        if path.as_os_str() == "ccir" { Self::Ccir } else { Self::File(path) }
    }
}

impl From<&str> for ChronicIndicator {
    fn from(word: &str) -> Self {
        PathBuf::from(word).into()
    }
}

impl From<ChronicIndicator> for PathBuf {
    fn from(indicator: ChronicIndicator) -> Self {
        match indicator {
            ChronicIndicator::Ccir => "ccir".into(),
            ChronicIndicator::File(path) => path,
        }
    }
}

/// An open indicator.
#[derive(Debug)]
pub(super) enum ChronicCodes {
    /// The code table says it.
    Table,
    File(Box<Chronic>),
}

impl ChronicCodes {
    /// Reads the file, or looks whether the table has indicators.
    ///
    /// # Errors
    /// A file that is neither CCI nor CCIR; a code system for which there is none.
    pub(super) fn open(indicator: &ChronicIndicator, table: &CodeTable) -> Result<Self> {
        if !table.has_icd10cm() {
            return Err(hinted(
                format!("chronic imputation: AHRQ's indicators are for icd10cm, not for {}", table.system()),
                "--chronic-imputation off",
            ));
        }
        match indicator {
            ChronicIndicator::Ccir if table.has_chronic() => Ok(Self::Table),
            ChronicIndicator::Ccir => Err(hinted(
                "chronic imputation: the code table has no chronic indicators",
                "give AHRQ's file with --chronic-indicator FILE, or with the table by --chronic",
            )),
            ChronicIndicator::File(path) => Ok(Self::File(Box::new(read_chronic(path)?))),
        }
    }

    /// Whether a canonical code is a chronic condition.
    pub(super) fn contains(&self, code: &str, table: &CodeTable) -> bool {
        let found = match self {
            Self::Table => table.chronic(code),
            Self::File(file) => Code::parse(code).ok().and_then(|code| file.get(code)),
        };
        found == Some(Indicator::Chronic)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use bert_xml_core::codes::CodeSystem;

    use super::*;

    #[test]
    fn the_table_and_a_file_may_judge_a_code_otherwise() {
        let table = CodeTable::open(CodeSystem::Icd10cm, None, None).unwrap();
        let refined = ChronicCodes::open(&ChronicIndicator::Ccir, &table).unwrap();
        assert!(refined.contains("I10", &table) && !refined.contains("J06.9", &table));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cci.csv");
        fs::write(&path, "'ICD-10-CM CODE','CHRONIC INDICATOR','BODY SYSTEM'\n'J069','1','8'\n").unwrap();
        let classic = ChronicCodes::open(&path.clone().into(), &table).unwrap();
        assert!(classic.contains("J06.9", &table) && !classic.contains("I10", &table));
        fs::write(&path, "code,chronic\n").unwrap();
        let error = ChronicCodes::open(&path.into(), &table).unwrap_err();
        assert!(format!("{error:#}").contains("not a CCI or CCIR file"), "{error:#}");
    }

    #[test]
    fn other_systems_have_no_indicator() {
        let table = CodeTable::open("icd9cm".to_owned().into(), None, None).unwrap();
        let error = ChronicCodes::open(&ChronicIndicator::Ccir, &table).unwrap_err();
        assert_eq!(
            error.to_string(),
            "chronic imputation: AHRQ's indicators are for icd10cm, not for icd9cm"
        );
    }
}
