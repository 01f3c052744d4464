//! Codes: the rules of ICD-10-CM, its table of a release, label sets, search and chronic indicators.
//!
//! Nothing here is baked into the library: a table is read from bytes that the caller has, such as the
//! file under `core/data`, so that a browser build loads it only when it is wanted.

pub mod chronic;
pub mod icd;
pub mod label_set;
pub mod search;
pub mod table;

pub use chronic::{Chronic, Indicator};
pub use icd::{Code, CodeError};
pub use label_set::{CodeSystem, Label, LabelSet, LabelSetError};
pub use search::{Hit, SearchIndex};
pub use table::{Entry, IcdTable, Kind, TableError};
