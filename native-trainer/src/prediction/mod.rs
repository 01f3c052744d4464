//! A trained model at work: codes with evidence, hidden states, and the way from and to Hugging Face's format.

pub mod bundled;
pub mod exchange;
pub mod on_corpus;
pub mod open;
pub mod output;
pub mod part;
pub mod place;
pub mod states;
pub mod stream;

pub use part::Part;
pub use place::ModelPlace;
