//! `bert-xml cohort`: writes the notes of the deep synthetic hospital, and its data card.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::cohort::card::Card;
use crate::cohort::{Cohort, Parameters, Tally};
use crate::context::Context;
use crate::corpus::builtin;
use crate::error::hinted;
use crate::files::{STANDARD, check_file_place, distinct, write_atomic};
use crate::synth::write_notes;
use crate::talk;

/// Options of `cohort`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Number of patients; each has 7.5 notes on average
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub patients: u64,
    /// Where the notes go: JSON Lines, by the ending also .gz, .zst or .parquet; `-` for standard output
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Also write where each condition is named, as JSON Lines with code-point offsets; `-` for standard output
    #[arg(long, value_name = "FILE")]
    pub gold_evidence: Option<PathBuf>,
    /// Also write the data card: FILE as Markdown, and beside it the same as .json
    #[arg(long, value_name = "FILE")]
    pub card: Option<PathBuf>,
    /// Other numbers than the frozen ones: a file like configs/cohort.toml
    #[arg(long, value_name = "TOML")]
    pub parameters: Option<PathBuf>,
}

/// Runs the step.
///
/// # Errors
/// Parameters that break a rule, or what the disk says.
pub fn run(context: &Context, options: &Options) -> Result<()> {
    let page = options.card.as_deref();
    let json = page.map(|page| page.with_extension("json"));
    if let Some(page) = page {
        ensure!(page.as_os_str() != STANDARD, "--card -: name a file; a second one comes beside it");
        ensure!(json.as_deref() != Some(page), "--card {}: the page is Markdown; choose .md", page.display());
    }
    let outputs = [
        ("--out", Some(&*options.out)),
        ("--gold-evidence", options.gold_evidence.as_deref()),
        ("--card", page),
        ("--card, as JSON", json.as_deref()),
    ];
    distinct(&outputs)?;
    outputs.into_iter().filter_map(|(_, path)| path).try_for_each(check_file_place)?;
    let parameters = options.parameters.as_deref().map_or_else(|| Ok(Parameters::built_in()), read)?;
    let table = builtin::icd10cm()?;
    let cohort = Cohort::new(&table, parameters, context.seed)
        .map_err(|error| hinted(error.to_string(), "choose a smaller codes.count"))?;
    let mut tally = Tally::new(&cohort);
    let start = Instant::now();
    let draw = |number| cohort.patient(number);
    let gold = options.gold_evidence.as_deref();
    let bytes =
        write_notes(context, "cohort", options.patients, draw, &options.out, gold, |notes| tally.add(notes))?;
    let seconds = start.elapsed().as_secs_f64();
    let card = Card::new(&cohort, &tally, table.release());
    if let (Some(page), Some(json)) = (page, &json) {
        write_atomic(page, card.markdown().as_bytes())?;
        let mut text = serde_json::to_string_pretty(&card)?;
        text.push('\n');
        write_atomic(json, text.as_bytes())?;
    }
    talk::say(&format!(
        "{} notes of {} patients, {} after the filter; {:.2} notes a patient; {:.2} codes a note, {:.2} after imputation; \
         {} of {} codes; median of {:.0} tokens\nwritten in {seconds:.1} s ({:.1} MB/s)",
        card.notes_written,
        card.patients,
        card.notes,
        card.notes_per_patient[0],
        card.codes_per_note_coded,
        card.codes_per_note,
        card.codes_seen,
        card.codes,
        card.tokens[0],
        bytes as f64 / 1e6 / seconds.max(1e-9),
    ));
    Ok(())
}

fn read(path: &Path) -> Result<Parameters> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Parameters::from_toml(&text).map_err(|error| {
        hinted(format!("{}: {error}", path.display()), "all fields of configs/cohort.toml are needed")
    })
}
