//! `bert-xml synth`: writes the notes of a synthetic hospital as records.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, anyhow};
use clap::Args;

use crate::context::Context;
use crate::corpus::builtin;
use crate::error::hinted;
use crate::synth::{Hospital, Length, SynthError, SynthSettings, Written, write_hospital};

/// Options of `synth`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Number of patients; each has 1 to 12 encounters
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub patients: u64,
    /// Number of different codes, everyday ones first
    #[arg(long, value_name = "M", default_value_t = SynthSettings::default().codes)]
    pub codes: usize,
    /// Where the notes go: JSON Lines, by the ending also .gz or .zst; `-` for standard output
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Also write where each condition is named, as JSON Lines with code-point offsets
    #[arg(long, value_name = "FILE")]
    pub gold_evidence: Option<PathBuf>,
    /// How long notes are
    #[arg(long, value_enum, default_value_t = Length::Normal)]
    pub length: Length,
    /// Chance that a documented code is missing from a note's codes
    #[arg(long, value_name = "RATE", default_value_t = SynthSettings::default().missing_code_rate)]
    pub missing_code_rate: f64,
    /// Chance that a note carries a code that nothing in it documents
    #[arg(long, value_name = "RATE", default_value_t = SynthSettings::default().extra_code_rate)]
    pub extra_code_rate: f64,
    /// Mean number of mentions a note that give no code: negated, family, past, hypothetical
    #[arg(long, value_name = "MEAN", default_value_t = SynthSettings::default().distractors)]
    pub distractors: f64,
    /// Chance that a note ends with earlier ones copied forward
    #[arg(long, value_name = "RATE", default_value_t = SynthSettings::default().copy_forward_rate)]
    pub copy_forward_rate: f64,
}

impl Options {
    fn settings(&self) -> SynthSettings {
        SynthSettings {
            codes: self.codes,
            length: self.length,
            missing_code_rate: self.missing_code_rate,
            extra_code_rate: self.extra_code_rate,
            distractors: self.distractors,
            copy_forward_rate: self.copy_forward_rate,
        }
    }
}

/// Runs the step.
///
/// # Errors
/// A setting outside its range, more codes than there are, or what the disk says.
pub fn run(context: &Context, options: &Options) -> Result<()> {
    let table = builtin::icd10cm()?;
    let hospital = Hospital::new(&table, options.settings(), context.seed).map_err(|error| match error {
        SynthError::Codes { available, .. } => {
            hinted(error.to_string(), format!("choose --codes from 10 to {available}"))
        }
        SynthError::Setting { .. } => anyhow!(error),
    })?;
    let start = Instant::now();
    let written =
        write_hospital(context, &hospital, options.patients, &options.out, options.gold_evidence.as_deref())?;
    let Written { summary, bytes } = written;
    let seconds = start.elapsed().as_secs_f64();
    eprintln!("{summary}\nwritten in {seconds:.1} s ({:.1} MB/s)", bytes as f64 / 1e6 / seconds.max(1e-9));
    Ok(())
}
