//! Devices of other machines, by burn's own remote backend: `bert-xml worker` serves them, `--device remote:…` uses them.
//!
//! address → token → connection or server; and what becomes of a run whose worker is lost. A binary without the feature `remote`
//! knows the words and says how to get the rest.

pub mod address;
pub mod connect;
pub mod lost;
pub mod serve;
pub mod token;

pub use address::RemoteAddress;
