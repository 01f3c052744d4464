//! The ICD-10-CM release that the command carries.

use anyhow::{Context, Result};
use bert_xml_core::codes::IcdTable;

/// The release of April 2026, gzip; source and notice: `core/data/NOTICE.md`.
const ICD10CM: &[u8] = include_bytes!("../../../core/data/icd10cm-2026-04.tsv.gz");

/// The built-in ICD-10-CM table.
///
/// # Errors
/// The bytes inside the binary are damaged.
pub fn icd10cm() -> Result<IcdTable> {
    IcdTable::from_bytes(ICD10CM).context("reading the built-in ICD-10-CM table")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_release_knows_diabetes() {
        let table = icd10cm().unwrap();
        assert_eq!(table.release(), "2026-04");
        let entry = table.lookup("e119").unwrap().unwrap();
        assert_eq!(entry.description(), "Type 2 diabetes mellitus without complications");
    }
}
