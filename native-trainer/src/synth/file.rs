//! A hospital on disk: records as JSON Lines, and where each condition is named.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Result;
use rayon::prelude::*;

use super::{Hospital, Summary, SynthNote};
use crate::context::Context;
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

/// Writes the notes of the first `patients` to `out` (by its ending also .gz or .zst; `-` is standard output)
/// and, where a file is named for it, the gold evidence: both whole or not at all.
///
/// # Errors
/// What the disk says.
pub fn write_hospital(
    context: &Context,
    hospital: &Hospital,
    patients: u64,
    out: &Path,
    gold_evidence: Option<&Path>,
) -> Result<Written> {
    let mut progress = context.start("synth", None, Unit::Notes);
    let mut summary = Summary::default();
    let mut bytes = 0;
    let mut write_notes = |notes: &mut dyn Write, gold: Option<&mut dyn Write>| -> io::Result<()> {
        bytes = write_patients(hospital, patients, notes, gold, &mut summary, &mut progress)?;
        Ok(())
    };
    match gold_evidence {
        None => write_lines(out, |notes| write_notes(notes, None))?,
        Some(path) => write_lines(path, |gold| {
            write_lines(out, |notes| write_notes(notes, Some(gold))).map_err(into_io)
        })?,
    }
    progress.finish();
    Ok(Written { summary, bytes })
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

/// Through the callback of another file; a closed pipe stays one.
fn into_io(error: anyhow::Error) -> io::Error {
    let kind = error.downcast_ref::<io::Error>().map_or(io::ErrorKind::Other, io::Error::kind);
    io::Error::new(kind, format!("{error:#}"))
}
