//! The whole paper on data that anyone may have: every row trained, every table and figure told, every claim judged.
//!
//! corpus → vocabulary, encoders → rows → claims, figures → report
//!
//! What is done is data: the rows (`rows`), what the paper claims of them (`claims`), what a scale means (`suite`). Each step
//! leaves a file when it is done, and a call goes on with the first that is not. The steps are the library calls of the
//! subcommands; this room puts them in order and compares what came out.

mod bands;
mod claims;
mod corpus;
mod embeddings;
mod encoders;
mod evidence;
mod figures;
mod html;
mod known;
mod markdown;
mod multi_head;
mod outcome;
mod place;
mod recurrent;
mod rows;
mod suite;
mod svg;
mod told;
mod training;

use std::path::PathBuf;

use anyhow::Result;
use burn::tensor::Device;

pub use claims::{Judgement, Verdict};
pub use rows::{ROWS, Row, find};
pub use suite::{AttentionShape, Budget, Scale, Shapes, Suite};
pub use told::Reproduced;

use bands::Bands;
use outcome::JudgedNotes;
use place::{Place, Subject};

use crate::context::Context;
use crate::corpus::Corpus;
use crate::device::DeviceChoice;
use crate::error::hinted;
use crate::files::{sha256, write_atomic};
use crate::progress::ProgressMode;
use crate::talk;
use crate::train::tokens::TokenizedSplit;

/// What a reproduction is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data.
    pub suite: Suite,
    /// The machine.
    pub scale: Scale,
    /// Its shapes; [`Shapes::of`] and [`Shapes::on`] for those of the scale.
    pub shapes: Shapes,
    /// The folder that everything is written to, and gone on in.
    pub out: PathBuf,
    /// The records of a suite that is published.
    pub input: Option<PathBuf>,
    /// BERT off the shelf, in Hugging Face's format.
    pub bert: Option<PathBuf>,
    /// BioBERT v1.1.
    pub biobert: Option<PathBuf>,
    /// Bio+Discharge Summary BERT.
    pub discharge_bert: Option<PathBuf>,
    /// Rows to train now; all of them where it is empty.
    pub rows: Vec<String>,
}

/// Everything that the steps share.
struct Reproduction<'a> {
    context: &'a Context,
    settings: &'a Settings,
    shapes: Shapes,
    place: Place,
    corpus: Corpus,
    bands: Bands,
    notes: JudgedNotes,
    device: (Device, DeviceChoice),
    /// Training and dev notes by the digest of their vocabulary.
    tokenized: Option<(String, [TokenizedSplit; 2])>,
}

/// Goes through all steps that are not done, and writes `report.html`, `report.md` and `report.json` after each row.
///
/// # Errors
/// A folder that is another's; whatever a step says; [`crate::error::Interrupted`] after Ctrl-C: the same call goes on.
pub fn run(context: &Context, settings: &Settings) -> Result<Reproduced> {
    if settings.suite != Suite::Cohort && settings.input.is_none() {
        return Err(hinted(
            format!("the suite {} needs its records", settings.suite.name()),
            "name the file of the published data by --input",
        ));
    }
    let shapes = settings.shapes.clone();
    let subject = Subject {
        suite: settings.suite,
        scale: settings.scale,
        seed: context.seed,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        input: settings.input.as_deref().map(sha256).transpose()?,
        shapes: shapes.clone(),
    };
    let place = Place::take(&settings.out, &subject)?;
    let corpus = corpus::corpus(context, &place, settings.suite, &shapes, settings.input.as_deref())?;
    let bands = Bands::new(corpus.label_counts(), shapes.rare_below());
    let notes = JudgedNotes::read(&corpus, corpus::judged_split(settings.suite), &bands)?;
    let device = context.device.open()?;
    let tokenized = None;
    let mut work = Reproduction { context, settings, shapes, place, corpus, bands, notes, device, tokenized };
    for row in &ROWS {
        if settings.rows.is_empty() || settings.rows.iter().any(|id| id == row.id) {
            work.row(row)?;
            work.write(&work.tell()?)?;
        }
    }
    work.figures()?;
    let told = work.tell()?;
    work.write(&told)?;
    work.say(&format!("report in {}", settings.out.join("report.html").display()));
    Ok(told)
}

impl Reproduction<'_> {
    /// What is done now, unless the user wants to hear nothing.
    fn say(&self, text: &str) {
        if self.context.progress != ProgressMode::None {
            talk::say(text);
        }
    }

    fn write(&self, told: &Reproduced) -> Result<()> {
        let json = serde_json::to_string_pretty(told)? + "\n";
        write_atomic(&self.place.at("report.json"), json.as_bytes())?;
        write_atomic(&self.place.at("report.md"), markdown::page(told).as_bytes())?;
        write_atomic(&self.place.at("report.html"), html::page(told).as_bytes())
    }
}
