//! What hospitals and public archives have, as they publish it, in; records out.
//!
//! | source | what is read |
//! |---|---|
//! | [`mimic`] | MIMIC-III and MIMIC-IV with MIMIC-IV-Note: notes, admissions and diagnoses as CSV, joined by admission |
//! | [`fhir`] | FHIR R4 Bundles and bulk NDJSON: documents with the conditions of their encounter; attached C-CDA |
//! | [`ccda`] | C-CDA documents: the narrative, and the diagnoses beside it |
//! | [`vaers`] | VAERS: reports and their MedDRA terms |
//! | [`codiesp`] | CodiEsp: cases as text files, codes as TSV |
//!
//! Notes stream; what they are joined with (16 bytes a diagnosis) is in memory. Nothing is dropped silently: every row
//! that is odd, damaged or without its other half is a line of the report ([`ledger`]), by file, line and rule. Nothing
//! is ever fetched from an address.

pub mod ledger;
pub mod outlet;
mod notation;
mod code_lists;
mod files;
mod table;
mod packed;
mod markup;
pub mod mimic;
pub mod vaers;
pub mod codiesp;
pub mod ccda;
pub mod fhir;

pub use ledger::Ledger;
pub use outlet::{Outlet, Totals};
