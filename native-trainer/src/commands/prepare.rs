//! `bert-xml prepare`: records → corpus.

use std::io::{Write, stdout};
use std::path::PathBuf;

use anyhow::Result;
use bert_xml_core::data::Split;
use clap::Args;

use crate::context::Context;
use crate::corpus::{Settings, prepare};

/// Options of `prepare`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Record files: .jsonl, .csv or .tsv, also with .gz or .zst, or .parquet; `-` is standard input
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    pub input: Vec<PathBuf>,
    /// The corpus folder to write; must be empty or not exist
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// How the corpus is made.
    #[command(flatten)]
    pub settings: Settings,
}

/// Runs the step.
///
/// # Errors
/// Those of [`prepare()`].
pub fn run(context: &Context, options: &Options) -> Result<()> {
    let corpus = prepare(context, &options.input, &options.settings, &options.out)?;
    let splits = Split::ALL.map(|split| format!("{split} {}", corpus.count(split)));
    let labels = corpus.labels().len();
    writeln!(
        stdout(),
        "{}: notes: {}; {labels} labels; {} records dropped",
        options.out.display(),
        splits.join(", "),
        corpus.manifest().dropped
    )?;
    Ok(())
}
