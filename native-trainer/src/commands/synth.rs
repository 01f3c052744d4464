//! `bert-xml synth`: writes the notes of a synthetic hospital as records.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, anyhow};
use clap::Args;

use super::wordings::read_list;
use crate::context::Context;
use crate::corpus::builtin;
use crate::error::hinted;
use crate::files::{check_file_place, distinct};
use crate::synth::{ConditionList, Hospital, Length, SynthError, SynthSettings, Written, write_hospital};
use crate::talk;

/// Options of `synth`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Number of patients; each has 1 to 12 encounters
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub patients: u64,
    /// Number of different codes, everyday ones first [default: 1000, or those of --conditions]
    #[arg(long, value_name = "M")]
    pub codes: Option<usize>,
    /// The first conditions, in place of the built-in list: lines of code, wordings, medicines, signs
    #[arg(long, value_name = "TSV")]
    pub conditions: Option<PathBuf>,
    /// Where the notes go: JSON Lines, by the ending also .gz or .zst; `-` for standard output
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Also write where each condition is named, as JSON Lines with code-point offsets; `-` for standard output
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
    /// How even the prevalence of codes is: that of rank r is as common as 1 / (r + this)
    #[arg(long, value_name = "OFFSET", default_value_t = SynthSettings::default().prevalence_offset)]
    pub prevalence_offset: f64,
    /// Share of the notes that tell an outpatient visit in full sentences
    #[arg(long, value_name = "SHARE", default_value_t = SynthSettings::default().visit_share)]
    pub visit_share: f64,
}

impl Options {
    fn settings(&self, listed: Option<usize>) -> SynthSettings {
        SynthSettings {
            codes: self.codes.or(listed).unwrap_or(SynthSettings::default().codes),
            length: self.length,
            missing_code_rate: self.missing_code_rate,
            extra_code_rate: self.extra_code_rate,
            distractors: self.distractors,
            copy_forward_rate: self.copy_forward_rate,
            prevalence_offset: self.prevalence_offset,
            visit_share: self.visit_share,
        }
    }
}

/// Runs the step.
///
/// # Errors
/// A setting outside its range, more codes than there are, or what the disk says.
pub fn run(context: &Context, options: &Options) -> Result<()> {
    let outputs = [("--out", Some(&*options.out)), ("--gold-evidence", options.gold_evidence.as_deref())];
    distinct(&outputs)?;
    outputs.into_iter().filter_map(|(_, path)| path).try_for_each(check_file_place)?;
    let table = builtin::icd10cm()?;
    let list = options.conditions.as_deref().map(read_list).transpose()?;
    let settings = options.settings(list.as_ref().map(|list| list.0.len()));
    let list = list.unwrap_or_else(ConditionList::built_in);
    let hospital = Hospital::of_list(&table, &list, settings, context.seed).map_err(|error| match error {
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
    let rate = bytes as f64 / 1e6 / seconds.max(1e-9);
    talk::say(&format!("{summary}\nwritten in {seconds:.1} s ({rate:.1} MB/s)"));
    Ok(())
}
