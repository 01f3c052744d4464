//! `bert-xml synth`: writes the notes of a synthetic hospital as records.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow};
use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;
use rayon::prelude::*;

use crate::context::{Context, hinted};
use crate::corpus::builtin;
use crate::files::write_atomic_with;
use crate::progress::{Progress, Unit};
use crate::synth::{Hospital, Length, Summary, SynthError, SynthNote, SynthSettings};

/// Patients that are written side by side.
const PATIENTS_AT_ONCE: u64 = 512;

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
    let mut progress = context.start("synth", None, Unit::Notes);
    let mut summary = Summary::default();
    let mut bytes = 0;
    let mut write_notes = |notes: &mut dyn Write, gold: Option<&mut dyn Write>| -> io::Result<()> {
        bytes = write_patients(&hospital, options.patients, notes, gold, &mut summary, &mut progress)?;
        Ok(())
    };
    match &options.gold_evidence {
        None => write_records(&options.out, |notes| write_notes(notes, None))?,
        Some(path) => write_records(path, |gold| {
            write_records(&options.out, |notes| write_notes(notes, Some(gold))).map_err(into_io)
        })?,
    }
    progress.finish();
    let seconds = start.elapsed().as_secs_f64();
    eprintln!("{summary}\nwritten in {seconds:.1} s ({:.1} MB/s)", bytes as f64 / 1e6 / seconds.max(1e-9));
    Ok(())
}

/// Writes all patients in order; returns the bytes of the notes before compression.
fn write_patients(
    hospital: &Hospital,
    patients: u64,
    notes: &mut dyn Write,
    mut gold: Option<&mut dyn Write>,
    summary: &mut Summary,
    progress: &mut Progress,
) -> io::Result<u64> {
    let mut bytes = 0;
    for first in (0..patients).step_by(PATIENTS_AT_ONCE as usize) {
        let here = first..(first + PATIENTS_AT_ONCE).min(patients);
        let drawn: Vec<(Vec<SynthNote>, Vec<u8>)> = here
            .into_par_iter()
            .map(|number| {
                let drawn = hospital.patient(number);
                let mut lines = Vec::new();
                for written in &drawn {
                    serde_json::to_writer(&mut lines, &written.note)?;
                    lines.push(b'\n');
                }
                Ok((drawn, lines))
            })
            .collect::<io::Result<_>>()?;
        for (drawn, lines) in drawn {
            notes.write_all(&lines)?;
            bytes += lines.len() as u64;
            for written in &drawn {
                summary.add(written);
                if let Some(gold) = gold.as_deref_mut() {
                    for mention in &written.evidence {
                        serde_json::to_writer(&mut *gold, mention)?;
                        gold.write_all(b"\n")?;
                    }
                }
            }
            progress.advance(drawn.len() as u64);
        }
    }
    Ok(bytes)
}

/// Opens `path` for lines, compressed by its ending, whole or not at all; `-` is standard output.
fn write_records(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    if path == Path::new("-") {
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        return write(&mut out).and_then(|()| out.flush()).context("writing to standard output");
    }
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or("").to_ascii_lowercase();
    write_atomic_with(path, |file: &mut BufWriter<&File>| match ending.as_str() {
        "gz" => {
            let mut packed = GzEncoder::new(file, Compression::default());
            write(&mut packed)?;
            packed.finish()?;
            Ok(())
        }
        "zst" => {
            let mut packed = zstd::Encoder::new(file, 0)?;
            write(&mut packed)?;
            packed.finish()?;
            Ok(())
        }
        _ => write(file),
    })
}

/// Through the callback of another file; a closed pipe stays one.
fn into_io(error: anyhow::Error) -> io::Error {
    let kind = error.downcast_ref::<io::Error>().map_or(io::ErrorKind::Other, io::Error::kind);
    io::Error::new(kind, format!("{error:#}"))
}
