//! The corpus: the folder that `prepare` writes and every later step reads.
//!
//! | file | what |
//! |---|---|
//! | `corpus.json` | format and version, settings, inputs, counts, size and SHA-256 of every other file |
//! | `labels.tsv` | the label set, by falling training count, then by code |
//! | `label_counts.tsv` | notes of each split that carry a label, in the order of `labels.tsv` |
//! | `train.jsonl.zst`, `dev.jsonl.zst`, `test.jsonl.zst` | one [`Note`](bert_xml_core::text::Note) a line with all of its codes; `labels.tsv` selects |
//! | `dropped.tsv` | every record that is in no split, and why |
//! | `unknown_codes.tsv` | codes that the code table does not list |
//! | `statistics.json`, `statistics.md` | what the notes and codes are like |
//!
//! Patients are in one split only. [`Corpus`] reads; [`prepare()`] makes one of records.

pub mod builtin;
pub mod billable;
pub mod code_table;
pub mod manifest;
pub mod reader;
pub mod writer;
pub mod imputation;
pub mod chronic_codes;
pub mod settings;
pub mod statistics;
pub mod statistics_page;
mod patients;
mod histories;
mod unknown;
mod label_choice;
pub mod prepare;
pub mod vocabulary;

pub use chronic_codes::ChronicIndicator;
pub use code_table::CodeTable;
pub use imputation::ChronicImputation;
pub use manifest::{InputFile, Manifest, SplitCounts};
pub use prepare::prepare;
pub use reader::Corpus;
pub use settings::{Settings, Unknown};
pub use writer::{Contents, CorpusWriter, LabelCount};
