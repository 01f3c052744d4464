//! What a run has to show, for people: one self-contained HTML page, and the same note on a terminal.
//!
//! content → marks (the note cut at the ends of its evidence) → page, terminal
//!
//! All of it is pure: a [`Page`] goes in, text comes out, and whoever made the text writes the file. The page
//! fetches nothing and runs no script; it works under the strictest content security policy that still allows
//! a style sheet inside the file.

mod content;
mod html;
mod marks;
mod style;
mod terminal;

pub use content::{Fact, JudgedModel, Page, PlantedCode, ReportedCode, SampleNote, Step};
pub use html::{escape, page};
pub use marks::{Mark, marks};
pub(crate) use style::SHEET;
pub use terminal::{Ink, note_on_terminal, table_on_terminal};
