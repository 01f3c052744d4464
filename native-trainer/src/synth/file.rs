//! A hospital on disk: records as JSON Lines or Parquet, and where each condition is named.

#[cfg(feature = "parquet")]
use std::fs::File;
#[cfg(feature = "parquet")]
use std::io::BufWriter;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Result;
use rayon::prelude::*;

#[cfg(feature = "parquet")]
use super::parquet::ParquetNotes;
use super::{Hospital, Summary, SynthNote};
use crate::context::Context;
#[cfg(not(feature = "parquet"))]
use crate::error::hinted;
#[cfg(feature = "parquet")]
use crate::files::write_atomic_with;
use crate::files::write_lines;
use crate::progress::{Progress, Unit};

/// Patients that are written side by side.
const PATIENTS_AT_ONCE: u64 = 512;

/// What was written.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// Counts over the notes.
    pub summary: Summary,
    /// Bytes of the notes before compression.
    pub bytes: u64,
}

/// Writes the notes of the first `patients` to `out` (by its ending also .gz, .zst or .parquet; `-` is standard output)
/// and, where a file is named for it, the gold evidence: both whole or not at all.
///
/// # Errors
/// What the disk says; Parquet in a build without it.
pub fn write_hospital(
    context: &Context,
    hospital: &Hospital,
    patients: u64,
    out: &Path,
    gold_evidence: Option<&Path>,
) -> Result<Written> {
    let mut summary = Summary::default();
    let draw = |number| hospital.patient(number);
    let counted = |notes: &[SynthNote]| notes.iter().for_each(|note| summary.add(note));
    let bytes = write_notes(context, "synth", patients, draw, out, gold_evidence, counted)?;
    Ok(Written { summary, bytes })
}

/// Draws the first `patients`, on all cores, and writes them in order as [`write_hospital`] does; `counted` sees each
/// patient's notes, in order. Returns the bytes of the notes as JSON Lines.
///
/// # Errors
/// As there.
pub(crate) fn write_notes(
    context: &Context,
    step: &'static str,
    patients: u64,
    draw: impl Fn(u64) -> Vec<SynthNote> + Sync,
    out: &Path,
    gold_evidence: Option<&Path>,
    mut counted: impl FnMut(&[SynthNote]),
) -> Result<u64> {
    let mut progress = context.start(step, None, Unit::Notes);
    let mut bytes = 0;
    let mut write = |notes: &mut Sink<'_>, gold: Option<&mut dyn Write>| -> io::Result<()> {
        bytes = write_patients(&draw, patients, notes, gold, &mut counted, &mut progress)?;
        Ok(())
    };
    match gold_evidence {
        None => open(out, |notes| write(notes, None))?,
        Some(path) => open(path, |gold| {
            let gold = gold.lines()?;
            open(out, |notes| write(notes, Some(gold))).map_err(into_io)
        })?,
    }
    progress.finish();
    Ok(bytes)
}

/// Where notes go.
enum Sink<'a> {
    /// One JSON object a line.
    Lines(&'a mut dyn Write),
    #[cfg(feature = "parquet")]
    Parquet(&'a mut ParquetNotes),
}

impl Sink<'_> {
    /// The file as one of lines.
    fn lines(&mut self) -> io::Result<&mut dyn Write> {
        match self {
            Self::Lines(file) => Ok(file),
            #[cfg(feature = "parquet")]
            Self::Parquet(_) => {
                Err(io::Error::other("gold evidence is written as JSON Lines: choose .jsonl, .gz or .zst"))
            }
        }
    }

    fn write(&mut self, notes: &[SynthNote], lines: &[u8]) -> io::Result<()> {
        match self {
            Self::Lines(file) => file.write_all(lines),
            #[cfg(feature = "parquet")]
            Self::Parquet(file) => notes.iter().try_for_each(|written| file.write(&written.note)),
        }?;
        // Without Parquet, lines are all there is.
        let _ = notes;
        Ok(())
    }
}

/// Writes all patients in order; returns the bytes of the notes as JSON Lines.
fn write_patients(
    draw: &(impl Fn(u64) -> Vec<SynthNote> + Sync),
    patients: u64,
    notes: &mut Sink<'_>,
    mut gold: Option<&mut dyn Write>,
    counted: &mut impl FnMut(&[SynthNote]),
    progress: &mut Progress,
) -> io::Result<u64> {
    let mut bytes = 0;
    for first in (0..patients).step_by(PATIENTS_AT_ONCE as usize) {
        let here = first..(first + PATIENTS_AT_ONCE).min(patients);
        let with_gold = gold.is_some();
        let drawn: Vec<(Vec<SynthNote>, Vec<u8>, Vec<u8>)> = here
            .into_par_iter()
            .map(|number| {
                let drawn = draw(number);
                let (mut lines, mut mentions) = (Vec::new(), Vec::new());
                for written in &drawn {
                    serde_json::to_writer(&mut lines, &written.note)?;
                    lines.push(b'\n');
                    for mention in written.evidence.iter().filter(|_| with_gold) {
                        serde_json::to_writer(&mut mentions, mention)?;
                        mentions.push(b'\n');
                    }
                }
                Ok((drawn, lines, mentions))
            })
            .collect::<io::Result<_>>()?;
        for (drawn, lines, mentions) in drawn {
            notes.write(&drawn, &lines)?;
            bytes += lines.len() as u64;
            if let Some(gold) = gold.as_deref_mut() {
                gold.write_all(&mentions)?;
            }
            counted(&drawn);
            progress.advance(drawn.len() as u64);
        }
    }
    Ok(bytes)
}

/// Opens `path` for notes or lines, in the format of its ending, whole or not at all; `-` is standard output.
fn open(path: &Path, write: impl FnOnce(&mut Sink<'_>) -> io::Result<()>) -> Result<()> {
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet")) {
        #[cfg(not(feature = "parquet"))]
        return Err(hinted(
            format!("{}: this build writes no Parquet", path.display()),
            "build with --features parquet, or choose an ending such as .jsonl.zst",
        ));
        #[cfg(feature = "parquet")]
        return write_atomic_with(path, |file: &mut BufWriter<&File>| {
            file.flush()?;
            let mut notes = ParquetNotes::new(file.get_ref().try_clone()?)?;
            write(&mut Sink::Parquet(&mut notes))?;
            notes.finish()
        });
    }
    write_lines(path, |lines| write(&mut Sink::Lines(lines)))
}

/// Through the callback of another file; a closed pipe stays one.
fn into_io(error: anyhow::Error) -> io::Error {
    let kind = error.downcast_ref::<io::Error>().map_or(io::ErrorKind::Other, io::Error::kind);
    io::Error::new(kind, format!("{error:#}"))
}
