//! Records in, notes out: JSON Lines, CSV and Parquet, one record at a time.
//!
//! ```no_run
//! use bert_xml_trainer::ingest::{Columns, read_records};
//! # fn main() -> anyhow::Result<()> {
//! for record in read_records("notes.jsonl.zst".as_ref(), &Columns::default())? {
//!     let record = record?;
//!     record.require_text()?; // where an empty note is an error
//!     println!("line {}: {}", record.line, record.note.note_id);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The format follows the file's name: `.jsonl`, `.ndjson` or `.json` (one JSON object a line), `.csv`, `.tsv`,
//! each also with `.gz` or `.zst` behind it, and `.parquet` (feature `parquet`); `-` is standard input as JSON
//! Lines. [`Columns`] says which fields hold what; flatten it into a subcommand's options. Every error
//! ([`RecordError`]) names file, line, field and rule, and never note text. [`Records`] reads several files as
//! one and refuses a `note_id` that comes twice.

pub mod columns;
pub mod csv;
pub mod error;
pub mod json;
pub(crate) mod numbered;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod record;
pub mod source;

pub use columns::Columns;
pub use error::RecordError;
pub use record::{Record, Records, count_records, read_records, read_records_from};
