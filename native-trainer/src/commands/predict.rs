//! `bert-xml predict`.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Result, ensure};
use bert_xml_core::infer::PredictOptions;
use clap::Args;

use crate::context::Context;
use crate::files::check_file_place;
use crate::ingest::Columns;
use crate::prediction::bundled::bundled_model;
use crate::prediction::open::open_coder;
use crate::prediction::output::Output;
use crate::prediction::stream::{notes, plain_note, write_predictions};
use crate::progress::Unit;

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
    /// Where to write one JSON object a note; - is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub out: PathBuf,
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
    check_file_place(&options.out)?;
    let coder = open_coder(&model, context.device)?;
    let settings = PredictOptions {
        top: options.top.0,
        threshold: options.threshold,
        evidence: options.evidence,
        ..PredictOptions::default()
    };
    let mut out = Output::open(&options.out)?;
    let mut progress = context.start("predict", None, Unit::Notes);
    match (&options.input, &options.text) {
        (Some(input), _) => {
            write_predictions(&coder, notes(input, &options.columns)?, &settings, &mut progress, &mut out)?
        }
        (None, Some(text)) => {
            let note = std::iter::once(plain_note(text));
            write_predictions(&coder, note, &settings, &mut progress, &mut out)?
        }
        (None, None) => anyhow::bail!("give --input or --text"),
    };
    out.finish()?;
    progress.finish();
    Ok(())
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
