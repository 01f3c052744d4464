//! `bert-xml ingest`: what hospitals and public archives have → records.

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};

use anyhow::Result;
use bert_xml_core::codes::CodeSystem;
use clap::{Args, Subcommand};

use crate::context::Context;
use crate::files::{STANDARD, check_file_place, distinct};
use crate::sources::codiesp::{Language, Task};
use crate::sources::mimic::{Edition, Mimic};
use crate::sources::outlet::write_source;
use crate::sources::{Totals, ccda, codiesp, fhir, vaers};
use crate::talk;

/// Options of `ingest`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// What is read.
    #[command(subcommand)]
    source: Source,
    /// Where the records go, for `prepare`: JSON Lines, by the ending also .gz or .zst; `-` is standard output
    #[arg(long, global = true, value_name = "FILE", default_value = "records.jsonl.zst")]
    out: PathBuf,
    /// Where every row goes that was left out or is odd: file, line, rule, value [default: beside --out, .report.tsv]
    #[arg(long, global = true, value_name = "TSV")]
    report: Option<PathBuf>,
    /// Write notes without codes too: an encoder can be pretrained on them
    #[arg(long, global = true)]
    keep_uncoded: bool,
}

#[derive(Clone, Debug, Subcommand)]
enum Source {
    /// MIMIC-III: NOTEEVENTS, ADMISSIONS, DIAGNOSES_ICD as .csv or .csv.gz; codes of ICD-9-CM
    Mimic3 {
        /// Folder of the tables
        #[arg(required = true, value_name = "DIR")]
        folders: Vec<PathBuf>,
        /// Notes of these types only, such as "discharge summary" [default: all]
        #[arg(long, value_delimiter = ',', value_name = "TYPE,…")]
        types: Vec<String>,
    },
    /// MIMIC-IV and MIMIC-IV-Note: hosp/admissions, hosp/diagnoses_icd, note/discharge, note/radiology
    Mimic4 {
        /// Folders of the two data sets, or their hosp and note
        #[arg(required = true, value_name = "DIR")]
        folders: Vec<PathBuf>,
        /// Notes of these types only: discharge summary, radiology, and their addenda [default: all]
        #[arg(long, value_delimiter = ',', value_name = "TYPE,…")]
        types: Vec<String>,
        /// Codes that are taken: icd10cm or icd9cm
        #[arg(long, default_value = "icd10cm", value_name = "NAME", value_parser = icd)]
        system: CodeSystem,
    },
    /// FHIR R4: Bundles and single resources in .json, bulk exports in .ndjson, also with .gz
    Fhir {
        /// Files, and folders with all that is below them
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Codes that are taken: icd10cm, icd9cm, icd10pcs, meddra, or a code system's URL
        #[arg(long, default_value = "icd10cm", value_name = "NAME")]
        system: CodeSystem,
    },
    /// C-CDA documents: .xml, also with .gz
    Ccda {
        /// Files, and folders with all that is below them
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Codes that are taken: icd10cm, icd9cm, or a code system's object identifier
        #[arg(long, default_value = "icd10cm", value_name = "NAME")]
        system: CodeSystem,
    },
    /// VAERS: …VAERSDATA.csv and …VAERSSYMPTOMS.csv of each year; codes are terms of MedDRA
    Vaers {
        /// Files, and folders with all that is below them
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// CodiEsp: text files and tables of codes of train, dev, test and background
    Codiesp {
        /// Folder that the archive was unpacked in
        #[arg(required = true, value_name = "DIR")]
        folders: Vec<PathBuf>,
        /// Which of the two texts
        #[arg(long, value_enum, default_value_t)]
        language: Language,
        /// Which of the two tasks
        #[arg(long, value_enum, default_value_t)]
        task: Task,
    },
}

fn icd(name: &str) -> Result<CodeSystem, String> {
    match CodeSystem::from(name.to_owned()) {
        system @ (CodeSystem::Icd10cm | CodeSystem::Icd9cm) => Ok(system),
        _ => Err("MIMIC-IV is coded in icd9cm or icd10cm".to_owned()),
    }
}

/// Runs the step.
///
/// # Errors
/// A source that lacks a file or a column or is cut off; output that cannot be written.
pub fn run(context: &Context, options: &Options) -> Result<()> {
    let report = options.report.clone().unwrap_or_else(|| beside(&options.out));
    distinct(&[("--out", Some(&*options.out)), ("--report", Some(&*report))])?;
    [&*options.out, &*report].into_iter().try_for_each(check_file_place)?;
    let totals = write_source(&options.out, &report, options.keep_uncoded, |outlet| match &options.source {
        Source::Mimic3 { folders, types } => {
            let (folders, types) = (folders.clone(), types.clone());
            Mimic { edition: Edition::Three, folders, system: CodeSystem::Icd9cm, types }
                .read(context, outlet)
        }
        Source::Mimic4 { folders, types, system } => {
            let (folders, types, system) = (folders.clone(), types.clone(), system.clone());
            Mimic { edition: Edition::Four, folders, system, types }.read(context, outlet)
        }
        Source::Fhir { paths, system } => fhir::read(context, paths, system, outlet),
        Source::Ccda { paths, system } => ccda::read(context, paths, system, outlet),
        Source::Vaers { paths } => vaers::read(context, paths, outlet),
        Source::Codiesp { folders, language, task } => codiesp::read(folders, *language, *task, outlet),
    })?;
    let told = told(&totals, &report);
    if options.out == Path::new(STANDARD) {
        talk::say(told.trim_end());
    } else {
        stdout().lock().write_all(told.as_bytes())?;
    }
    Ok(())
}

/// `records.jsonl.zst` → `records.report.tsv`; `-` → `ingest.report.tsv`.
fn beside(out: &Path) -> PathBuf {
    if out == Path::new(STANDARD) {
        return "ingest.report.tsv".into();
    }
    let name = out.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let endings = [".gz", ".zst", ".jsonl", ".ndjson", ".json"];
    let stem = endings.iter().fold(name.as_str(), |stem, ending| stem.strip_suffix(ending).unwrap_or(stem));
    out.with_file_name(format!("{stem}.report.tsv"))
}

fn told(totals: &Totals, report: &Path) -> String {
    let mut text = format!("{} records with {} codes\n", totals.records, totals.codes);
    for (what, count) in &totals.counted {
        text += &format!("{what}: {count}\n");
    }
    if !totals.listed.is_empty() {
        text += &format!("\nLeft out or odd, each in {}:\n", report.display());
    }
    for (rule, count) in &totals.listed {
        text += &format!("{rule}: {count}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_lies_beside_the_records() {
        for (out, report) in [
            ("d/records.jsonl.zst", "d/records.report.tsv"),
            ("r.json", "r.report.tsv"),
            ("-", "ingest.report.tsv"),
            ("notes", "notes.report.tsv"),
        ] {
            assert_eq!(beside(out.as_ref()), PathBuf::from(report), "{out}");
        }
    }
}
