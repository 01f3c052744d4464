//! CodiEsp as its organisers publish it: for train, dev, test and background a folder with `text_files` (Spanish) and
//! `text_files_en` (English, translated by machine), and beside them `trainD.tsv`, `trainP.tsv`, `trainX.tsv`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bert_xml_core::codes::CodeSystem;
use clap::ValueEnum;
use serde_json::{Map, Value, json};

use super::files;
use super::ledger::Place;
use super::notation::spelled;
use super::outlet::{Outlet, SourceRecord};
use crate::error::hinted;

/// Which of the two texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// The English translation
    #[default]
    En,
    /// The Spanish original; evidence comes with it
    Es,
}

/// Which of the two tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Task {
    /// Diagnoses, ICD-10-CM
    #[default]
    D,
    /// Procedures, ICD-10-PCS
    P,
}

impl Task {
    fn letter(self) -> char {
        match self {
            Self::D => 'D',
            Self::P => 'P',
        }
    }

    /// The word in the first column but one of the evidence table.
    fn kind(self) -> &'static str {
        match self {
            Self::D => "DIAGNOSTICO",
            Self::P => "PROCEDIMIENTO",
        }
    }
}

/// Reads every split below `folders`.
///
/// # Errors
/// No split; a file that cannot be read.
pub fn read(folders: &[PathBuf], language: Language, task: Task, outlet: &mut Outlet<'_>) -> Result<()> {
    let texts = match language {
        Language::En => "text_files_en",
        Language::Es => "text_files",
    };
    let mut splits = Vec::new();
    for folder in folders {
        find(folder, texts, &mut splits)?;
    }
    if splits.is_empty() {
        return Err(hinted(
            format!("no folder `{texts}` in or below the named ones"),
            "name the folder that the published archive was unpacked in",
        ));
    }
    for split in splits {
        read_split(&split, texts, language, task, outlet)?;
    }
    Ok(())
}

/// Folders that hold a folder of texts, at most a few levels down.
fn find(folder: &Path, texts: &str, splits: &mut Vec<PathBuf>) -> Result<()> {
    if folder.join(texts).is_dir() {
        splits.push(folder.to_owned());
        return Ok(());
    }
    for entry in files::entries(folder)? {
        let is_folder = fs::symlink_metadata(&entry).is_ok_and(|data| data.is_dir());
        if is_folder {
            find(&entry, texts, splits)?;
        }
    }
    Ok(())
}

/// Codes of a document, and where each stands in it.
#[derive(Default)]
struct Gold {
    line: u64,
    codes: Vec<String>,
    evidence: Vec<(u64, String, Vec<[usize; 2]>)>,
}

fn read_split(
    folder: &Path,
    texts: &str,
    language: Language,
    task: Task,
    outlet: &mut Outlet<'_>,
) -> Result<()> {
    let name = files::file_name(folder);
    let mut gold: BTreeMap<String, Gold> = BTreeMap::new();
    let table = |letter: char| -> Result<Option<PathBuf>> {
        let ending = format!("{}.tsv", letter.to_ascii_lowercase());
        let of_split = |path: &PathBuf| files::file_name(path) == format!("{name}{ending}");
        Ok(files::entries(folder)?.into_iter().find(of_split))
    };
    let codes_file = table(task.letter())?;
    let codes_name = codes_file.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    if let Some(path) = &codes_file {
        let system = match task {
            Task::D => CodeSystem::Icd10cm,
            Task::P => CodeSystem::Icd10pcs,
        };
        lines(path, outlet, |place, fields, outlet| {
            let &[document, code] = fields else {
                return outlet.ledger.list(place, "a line that is not a document, a tab and a code", "");
            };
            match spelled(&system, &code.to_ascii_uppercase()) {
                Err(rule) => outlet.ledger.list(place, rule, code),
                Ok(code) => {
                    let of = gold.entry(document.to_owned()).or_default();
                    of.line = place.line;
                    of.codes.push(code);
                    Ok(())
                }
            }
        })?;
    }
    let evidence_file = if language == Language::Es { table('X')? } else { None };
    let evidence_name = evidence_file.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    if let Some(path) = &evidence_file {
        lines(path, outlet, |place, fields, outlet| {
            let &[document, kind, code, _words, spans] = fields else {
                return outlet.ledger.list(place, "a line of evidence that has not five fields", "");
            };
            let spans: Option<Vec<[usize; 2]>> = spans.split(';').map(span).collect();
            match (spans, gold.get_mut(document)) {
                _ if !kind.eq_ignore_ascii_case(task.kind()) => Ok(()),
                (None, _) => outlet.ledger.list(place, "spans that are not pairs of numbers", document),
                (_, None) => outlet.ledger.list(place, "evidence of a document without codes", document),
                (Some(spans), Some(of)) => {
                    of.evidence.push((place.line, code.to_ascii_uppercase(), spans));
                    Ok(())
                }
            }
        })?;
    }
    for path in files::entries(&folder.join(texts))? {
        let Some(document) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".txt")) else {
            continue;
        };
        let file = path.display().to_string();
        let place = Place { file: &file, line: 1 };
        let bytes = fs::read(&path).with_context(|| format!("reading {file}"))?;
        let of = gold.remove(document).unwrap_or_default();
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(_) => {
                outlet.ledger.list(place, "a text that is not UTF-8", document)?;
                continue;
            }
        };
        let characters = text.chars().count();
        let mut evidence = Vec::new();
        for (line, code, spans) in of.evidence {
            if spans.iter().any(|[start, end]| start >= end || *end > characters) {
                let place = Place { file: &evidence_name, line };
                outlet.ledger.list(place, "a span that is not inside its text", document)?;
            } else {
                evidence.push(json!({"code": code, "spans": spans}));
            }
        }
        let mut more = Map::new();
        if !evidence.is_empty() {
            more.insert("evidence".to_owned(), Value::from(evidence));
        }
        outlet.put(
            place,
            SourceRecord {
                note_id: document.to_owned(),
                split: name.clone(),
                text,
                codes: of.codes,
                more,
                ..SourceRecord::default()
            },
        )?;
    }
    for (document, of) in gold {
        outlet.ledger.list(
            Place { file: &codes_name, line: of.line },
            "codes of a document without a text",
            &document,
        )?;
    }
    Ok(())
}

/// Hands the fields of every line on.
fn lines(
    path: &Path,
    outlet: &mut Outlet<'_>,
    mut on: impl FnMut(Place<'_>, &[&str], &mut Outlet<'_>) -> Result<()>,
) -> Result<()> {
    let file = path.display().to_string();
    let bytes = fs::read(path).with_context(|| format!("reading {file}"))?;
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let place = Place { file: &file, line: at as u64 + 1 };
        match std::str::from_utf8(line) {
            Err(_) => outlet.ledger.list(place, "a line that is not UTF-8", "")?,
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) => {
                let fields: Vec<&str> =
                    line.trim_start_matches('\u{feff}').split('\t').map(str::trim).collect();
                on(place, &fields, outlet)?;
            }
        }
    }
    Ok(())
}

/// `100 220`: from, to, in characters.
fn span(text: &str) -> Option<[usize; 2]> {
    let (start, end) = text.trim().split_once(' ')?;
    Some([start.parse().ok()?, end.trim().parse().ok()?])
}
