//! The suite's corpus: the hospital is made, the others are read as published.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bert_xml_core::codes::CodeSystem;
use bert_xml_core::data::Split;

use super::place::Place;
use super::suite::{Shapes, Suite};
use crate::context::Context;
use crate::corpus::{Corpus, Settings, Unknown, builtin, prepare};
use crate::ingest::Columns;
use crate::synth::{Hospital, SynthSettings, write_hospital};

/// Where the hospital's notes lie, and where each condition is named in them.
pub(super) const NOTES: &str = "notes.jsonl.zst";
pub(super) const GOLD_EVIDENCE: &str = "evidence.jsonl.zst";
const CORPUS: &str = "corpus";

/// Opens the corpus, or makes it; without an input of the hospital's notes.
///
/// # Errors
/// Records that break a rule; no label left; the disk.
pub(super) fn corpus(
    context: &Context,
    place: &Place,
    suite: Suite,
    shapes: &Shapes,
    input: Option<&Path>,
) -> Result<Corpus> {
    let folder = place.at(CORPUS);
    if folder.is_dir() {
        return Corpus::open(&folder);
    }
    let input = match input {
        Some(input) => input.to_owned(),
        None => hospital(context, place, shapes)?,
    };
    if suite == Suite::Vaers || suite == Suite::Trials {
        return described(context, &folder, suite, shapes, &input);
    }
    prepare(context, &[input], &settings(suite, shapes), &folder)
}

/// The notes of the hospital: the one place where a hospital is made for a reproduction.
fn hospital(context: &Context, place: &Place, shapes: &Shapes) -> Result<PathBuf> {
    let notes = place.at(NOTES);
    let wish = SynthSettings { codes: shapes.codes, length: shapes.length, ..SynthSettings::default() };
    let hospital = Hospital::new(&builtin::icd10cm()?, wish, context.seed)?;
    if !notes.is_file() {
        let evidence = place.at(GOLD_EVIDENCE);
        write_hospital(context, &hospital, shapes.patients, &notes, Some(&evidence))?;
    }
    Ok(notes)
}

/// How the records of a suite become a corpus.
fn settings(suite: Suite, shapes: &Shapes) -> Settings {
    let word = |word: &str| Some(word.to_owned());
    let more_than = shapes.more_than;
    match suite {
        Suite::Cohort => Settings { more_than, ..Settings::default() },
        Suite::Vaers => Settings {
            columns: Columns { note_id_field: word("id"), split_field: word("split"), ..Columns::default() },
            system: CodeSystem::Meddra,
            min_chars: 1,
            more_than,
            ..Settings::default()
        },
        Suite::Trials => Settings {
            columns: Columns {
                note_id_field: word("id"),
                split_field: word("split"),
                text_field: ["brief_title", "official_title", "summary", "description", "eligibility"]
                    .map(str::to_owned)
                    .to_vec(),
                codes_field: word("mesh_conditions"),
                ..Columns::default()
            },
            system: CodeSystem::Custom("mesh".into()),
            more_than,
            ..Settings::default()
        },
        Suite::Codiesp => Settings {
            columns: Columns {
                note_id_field: word("doc_id"),
                text_field: vec!["text_en".into()],
                codes_field: word("dx"),
                split_field: word("split"),
                ..Columns::default()
            },
            skip_split: vec!["background".into()],
            more_than,
            unknown_codes: Unknown::Keep,
            ..Settings::default()
        },
    }
}

/// A corpus whose codes are words: each is its own description. The label set is not known before the records are
/// read, so they are read twice.
fn described(
    context: &Context,
    folder: &Path,
    suite: Suite,
    shapes: &Shapes,
    input: &Path,
) -> Result<Corpus> {
    let settings = settings(suite, shapes);
    let inputs = [input.to_owned()];
    let scratch = tempfile::tempdir().context("a folder for the first reading")?;
    let first = prepare(context, &inputs, &settings, &scratch.path().join("corpus"))?;
    let lines: String = first.labels().iter().map(|label| format!("{0}\t{0}\n", label.code)).collect();
    let descriptions = scratch.path().join("terms.tsv");
    std::fs::write(&descriptions, lines).context("writing the terms")?;
    prepare(context, &inputs, &Settings { descriptions: Some(descriptions), ..settings }, folder)
}

/// The split that rows are judged on: CodiEsp's test part is not among the published records.
pub(super) fn judged_split(suite: Suite) -> Split {
    if suite == Suite::Codiesp { Split::Dev } else { Split::Test }
}
