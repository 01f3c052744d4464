//! `bert-xml predict`.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Instant;

use anyhow::{Result, ensure};
use bert_xml_core::infer::PredictOptions;
use clap::Args;

use crate::context::Context;
use crate::error::hinted;
use crate::files::{STANDARD, check_file_place};
use crate::ingest::{Columns, Record, RecordError, count_records};
use crate::prediction::Part;
use crate::prediction::bundled::bundled_model;
use crate::prediction::open::open_coder;
use crate::prediction::output::Output;
use crate::prediction::part::{PartPlace, Request};
use crate::prediction::stream::{notes, notes_of, plain_note, write_predictions};
use crate::progress::Unit;
use crate::talk;

/// Options of `predict`.
#[derive(Clone, Debug, Args)]
#[command(group = clap::ArgGroup::new("notes").required(true))]
pub struct Options {
    /// A model folder, or the run of a fine-tuning [default: BERT_XML_MODEL, else the model that came with the command]
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Records to predict: JSON Lines, CSV or Parquet; - reads JSON Lines from standard input
    #[arg(long, value_name = "FILE", group = "notes")]
    pub input: Option<PathBuf>,
    /// One note as plain text; - reads it from standard input
    #[arg(long, value_name = "FILE", group = "notes")]
    pub text: Option<PathBuf>,
    /// Codes a note, most probable first, or all
    #[arg(long, value_name = "K|all", default_value = "15")]
    pub top: Top,
    /// Probability from which a code counts as assigned [default: the model's own]
    #[arg(long, value_name = "P")]
    pub threshold: Option<f64>,
    /// Stretches of evidence a code, at most
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub evidence: usize,
    /// Where to write one JSON object a note; - is standard output; with --shard a folder
    #[arg(long, value_name = "FILE|DIR", default_value = "-")]
    pub out: PathBuf,
    /// Predict the I-th of N parts of --input into the folder --out, as `part-I-of-N.jsonl`; one that is there is left
    #[arg(long, value_name = "I/N", requires = "input")]
    pub shard: Option<Part>,
    /// Predict a part again, and over that of another model
    #[arg(long, requires = "shard")]
    pub force: bool,
    /// Names of the record's fields
    #[command(flatten)]
    pub columns: Columns,
}

/// `--top`: a number of codes, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Top(
    /// None for all.
    pub Option<usize>,
);

impl FromStr for Top {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        if word == "all" {
            return Ok(Self(None));
        }
        match word.parse() {
            Ok(count) if count > 0 => Ok(Self(Some(count))),
            _ => Err("must be a number from 1, or all".to_owned()),
        }
    }
}

/// Predicts every note.
///
/// # Errors
/// A model that cannot be read, a record that cannot be read or is empty; a file is written whole or not at all.
pub fn run(context: &Context, options: &Options) -> Result<()> {
    if let Some(threshold) = options.threshold {
        ensure!((0.0..=1.0).contains(&threshold), "--threshold {threshold}: a probability is 0 to 1");
    }
    let model = options.model.clone().map_or_else(bundled_model, Ok)?;
    let settings = PredictOptions {
        top: options.top.0,
        threshold: options.threshold,
        evidence: options.evidence,
        ..PredictOptions::default()
    };
    match (&options.input, &options.text, options.shard) {
        (Some(input), _, Some(part)) => return run_part(context, options, (&model, input, part), &settings),
        (Some(input), ..) => {
            let notes = |options: &Options| notes(input, &options.columns);
            let (count, seconds) = write(context, options, &model, &settings, &options.out, notes)?;
            tell(count, seconds);
        }
        (None, Some(text), _) => {
            let note = |_: &Options| Ok(std::iter::once(plain_note(text)));
            write(context, options, &model, &settings, &options.out, note)?;
        }
        (None, None, _) => anyhow::bail!("give --input or --text"),
    }
    Ok(())
}

/// Predicts one part of the records, if it is not there already.
fn run_part(
    context: &Context,
    options: &Options,
    (model, input, part): (&Path, &Path, Part),
    settings: &PredictOptions,
) -> Result<()> {
    if input.as_os_str() == STANDARD {
        return Err(hinted(
            "--shard: standard input has no parts, it is read once",
            "name a file by --input",
        ));
    }
    if options.out.as_os_str() == STANDARD {
        return Err(hinted("--shard: a part goes into a folder", "name one by --out"));
    }
    let request = Request::new(part, model, input, &options.columns, settings)?;
    let place = PartPlace::new(&options.out, part)?;
    if !options.force
        && let Some(notes) = place.finished(&request)?
    {
        talk::say(&format!(
            "finished already: part {part}, {notes} notes in {}",
            place.predictions.display()
        ));
        return Ok(());
    }
    let records = count_records(input, &options.columns).map_err(RecordError::hinted)?;
    let notes = |options: &Options| notes_of(input, &options.columns, part.range(records));
    let (count, seconds) = write(context, options, model, settings, &place.predictions, notes)?;
    place.mark(request, count)?;
    tell(count, seconds);
    Ok(())
}

/// Predicts notes into a file; how many, and the seconds that it took without the opening of the model.
fn write<N: Iterator<Item = Result<Record>>>(
    context: &Context,
    options: &Options,
    model: &Path,
    settings: &PredictOptions,
    place: &Path,
    notes: impl FnOnce(&Options) -> Result<N>,
) -> Result<(u64, f64)> {
    check_file_place(place)?;
    let coder = open_coder(model, context.device)?;
    let mut out = Output::open(place)?;
    let mut progress = context.start("predict", None, Unit::Notes);
    let start = Instant::now();
    let count = write_predictions(&coder, notes(options)?, settings, &mut progress, &mut out)?;
    out.finish()?;
    progress.finish();
    Ok((count, start.elapsed().as_secs_f64()))
}

fn tell(notes: u64, seconds: f64) {
    talk::say(&format!("{notes} notes in {seconds:.1} s: {:.1} notes/s", notes as f64 / seconds));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn top_is_a_number_or_all() {
        assert_eq!(("all".parse(), "3".parse()), (Ok(Top(None)), Ok(Top(Some(3)))));
        for word in ["0", "-1", "many"] {
            assert!(word.parse::<Top>().is_err(), "{word}");
        }
    }
}
