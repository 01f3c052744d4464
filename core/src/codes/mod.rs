//! Codes: the rules of ICD-10-CM, its table of a release, label sets, search and chronic indicators.
//!
//! Nothing here is baked into the library: a table is read from bytes that the caller has, such as the
//! file under `core/data`, so that a browser build loads it only when it is wanted.

#[cfg(feature = "tabular")]
pub mod alphabetic;
pub mod chronic;
pub mod icd;
pub mod label_set;
pub mod order_file;
pub mod search;
pub mod table;
#[cfg(feature = "tabular")]
pub mod tabular;
#[cfg(feature = "tabular")]
mod xml;

#[cfg(feature = "tabular")]
pub use alphabetic::{AlphabeticIndex, IndexEntry};
pub use chronic::{Chronic, Indicator};
pub use icd::{Code, CodeError};
pub use label_set::{CodeSystem, Label, LabelSet, LabelSetError};
pub use order_file::{OrderEntry, OrderFile, OrderFileError, OrderSystem};
pub use search::{Hit, SearchIndex};
pub use table::{Entry, IcdTable, Kind, TableError};
#[cfg(feature = "tabular")]
pub use tabular::{TabularSources, table_from_tabular};
#[cfg(feature = "tabular")]
pub use xml::XmlError;
