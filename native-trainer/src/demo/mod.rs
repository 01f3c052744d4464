//! The whole story on a small synthetic hospital, in minutes on a CPU.
//!
//! hospital → records → corpus → vocabulary → pretraining → fine-tuning (XML, CLS) → judging → a note → report
//!
//! Every step is the library call of the subcommand with the same name; this room only puts them in order
//! (`story`), keeps the time of each (`clock`) and the folder that they write to (`place`), and turns what came
//! out into a [`crate::report::Page`] (`telling`).

mod clock;
mod place;
mod story;
mod telling;

pub use story::{Settings, run};
