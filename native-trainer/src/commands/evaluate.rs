//! `bert-xml evaluate`.

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use bert_xml_core::data::Split;
use bert_xml_core::metrics::codiesp::Rules;
use clap::{Args, ValueEnum};

use crate::context::Context;
use crate::corpus::Corpus;
use crate::error::hinted;
use crate::evaluation::codiesp::TaskCodes;
use crate::evaluation::files::Files;
use crate::evaluation::{Judgement, per_code_tsv};
use crate::files::{STANDARD, check_file_place, distinct};
use crate::ingest::Columns;
use crate::prediction::on_corpus;
use crate::prediction::open::open_coder;
use crate::prediction::output::write_result;

/// Options of `evaluate`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Prediction file, as `bert-xml predict` writes it
    #[arg(long, value_name = "FILE", requires = "gold", help_heading = "Judge files")]
    pub predictions: Option<PathBuf>,
    /// Records with the gold codes of the same notes
    #[arg(long, value_name = "FILE", requires = "predictions", help_heading = "Judge files")]
    pub gold: Option<PathBuf>,
    /// Field of the gold records that has the note's id
    #[arg(
        long,
        value_name = "FIELD",
        default_value = "note_id",
        conflicts_with = "model",
        help_heading = "Judge files"
    )]
    pub note_id_field: String,
    /// Field of the gold records that has the codes
    #[arg(
        long,
        value_name = "FIELD",
        default_value = "codes",
        conflicts_with = "model",
        help_heading = "Judge files"
    )]
    pub codes_field: String,
    /// What separates codes that stand in one string [default: `;` or `|`]
    #[arg(long, value_name = "TEXT", conflicts_with = "model", help_heading = "Judge files")]
    pub codes_separator: Option<String>,
    /// Label set whose codes are judged, others counted; default: every code that either file names
    #[arg(long, value_name = "FILE", conflicts_with = "model", help_heading = "Judge files")]
    pub labels: Option<PathBuf>,
    /// Prediction file of development notes, to tune the threshold on
    #[arg(
        long,
        value_name = "FILE",
        requires = "dev_gold",
        conflicts_with = "model",
        help_heading = "Judge files"
    )]
    pub dev_predictions: Option<PathBuf>,
    /// Records of the development notes
    #[arg(
        long,
        value_name = "FILE",
        requires = "dev_predictions",
        conflicts_with = "model",
        help_heading = "Judge files"
    )]
    pub dev_gold: Option<PathBuf>,

    /// Folder of a trained model
    #[arg(
        long,
        value_name = "DIR",
        requires = "corpus",
        conflicts_with = "predictions",
        help_heading = "Judge a model"
    )]
    pub model: Option<PathBuf>,
    /// Corpus that it is judged on
    #[arg(long, value_name = "DIR", requires = "model", help_heading = "Judge a model")]
    pub corpus: Option<PathBuf>,
    /// Split of the corpus: test or dev
    #[arg(long, default_value = "test", conflicts_with = "predictions", help_heading = "Judge a model")]
    pub split: Split,

    /// Assign codes of at least this probability; default: tuned on dev, else the file's `assigned`, else 0.5
    #[arg(long, value_name = "P", conflicts_with = "dev_predictions")]
    pub threshold: Option<f64>,
    /// Add CodiEsp's metrics: a document without a valid prediction is left out of MAP (compat) or 0 (strict)
    #[arg(long, value_name = "RULES")]
    pub codiesp: Option<CodiEspRules>,
    /// CodiEsp's valid codes, one a line or a label set; default: every predicted code is valid
    #[arg(long, value_name = "FILE", requires = "codiesp")]
    pub task_codes: Option<PathBuf>,
    /// Write the metrics as one JSON object; `-` puts it on standard output in place of the table
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the table as Markdown; `-` is standard output, where it goes in any case
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Write one line a code: gold notes, AUC, average precision, F1; `-` puts it on standard output in place of the table
    #[arg(long, value_name = "FILE")]
    pub per_code: Option<PathBuf>,
}

/// What becomes of documents that have no valid prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CodiEspRules {
    /// As the organisers' script: left out of MAP
    Compat,
    /// They count 0
    Strict,
}

impl From<CodiEspRules> for Rules {
    fn from(rules: CodiEspRules) -> Self {
        match rules {
            CodiEspRules::Compat => Self::Compat,
            CodiEspRules::Strict => Self::Strict,
        }
    }
}

/// Runs the step.
///
/// # Errors
/// Input that breaks a rule, or output that cannot be written.
pub fn run(context: &Context, options: &Options) -> Result<()> {
    check_places(options)?;
    let (Some(predictions), Some(gold)) = (&options.predictions, &options.gold) else {
        if let (Some(model), Some(corpus)) = (&options.model, &options.corpus) {
            return evaluate_model(context, options, model, corpus);
        }
        return Err(hinted(
            "nothing to judge",
            "give --predictions FILE --gold FILE, or --model DIR --corpus DIR",
        ));
    };
    let files = Files {
        predictions: predictions.clone(),
        gold: gold.clone(),
        dev: options.dev_predictions.clone().zip(options.dev_gold.clone()),
        threshold: options.threshold,
        labels: options.labels.clone(),
        codiesp: options.codiesp.map(Rules::from),
        task_codes: options.task_codes.clone(),
        columns: Columns {
            note_id_field: Some(options.note_id_field.clone()),
            codes_field: Some(options.codes_field.clone()),
            codes_separator: options.codes_separator.clone(),
            ..Columns::default()
        },
    };
    let judged = files.judge()?;
    ensure_notes(judged.judgement.report.notes as u64, "the gold records have")?;
    if let Some(path) = &options.per_code {
        write_result(path, judged.per_code_tsv().as_bytes())?;
    }
    present(&judged.judgement, options)
}

fn evaluate_model(context: &Context, options: &Options, model: &Path, corpus: &Path) -> Result<()> {
    if let Some(threshold) = options.threshold {
        ensure!((0.0..=1.0).contains(&threshold), "--threshold {threshold}: a probability is 0 to 1");
    }
    let corpus = Corpus::open(corpus)?;
    ensure_notes(corpus.count(options.split), &format!("split {} of the corpus has", options.split))?;
    let coder = open_coder(model, context.device)?;
    let task = TaskCodes::read(options.task_codes.as_deref())?;
    let codiesp = options.codiesp.map(|rules| (Rules::from(rules), task));
    let judged = on_corpus::judge_model(context, &coder, &corpus, options.split, options.threshold, codiesp)?;
    if let Some(path) = &options.per_code {
        let cut = judged.judgement.assignment.threshold.unwrap_or(0.5);
        let table = per_code_tsv(&judged.probabilities, &judged.gold, coder.labels(), |cell| {
            f64::from(judged.probabilities[cell]) >= cut
        });
        write_result(path, table.as_bytes())?;
    }
    present(&judged.judgement, options)
}

/// Places that results can go to, each of its own.
fn check_places(options: &Options) -> Result<()> {
    let outputs = [
        ("--json", options.json.as_deref()),
        ("--markdown", options.markdown.as_deref()),
        ("--per-code", options.per_code.as_deref()),
    ];
    distinct(&outputs)?;
    outputs.into_iter().filter_map(|(_, path)| path).try_for_each(check_file_place)
}

/// Nothing can be said of no notes.
fn ensure_notes(notes: u64, whose: &str) -> Result<()> {
    if notes > 0 {
        return Ok(());
    }
    Err(hinted(
        format!("{whose} no note: there is nothing to judge"),
        "name another --split, or other records",
    ))
}

/// Writes a judgement where it is wanted: JSON, Markdown, and the table on standard output unless another result
/// goes there (`-`).
///
/// # Errors
/// Output that cannot be written.
fn present(judgement: &Judgement, options: &Options) -> Result<()> {
    let (json, markdown) = (options.json.as_deref(), options.markdown.as_deref());
    let object = format!("{:#}\n", judgement.to_json());
    let table = judgement.to_markdown();
    for (path, content) in [(markdown, &table), (json, &object)] {
        if let Some(path) = path {
            write_result(path, content.as_bytes())?;
        }
    }
    if ![json, markdown, options.per_code.as_deref()].contains(&Some(Path::new(STANDARD))) {
        stdout().lock().write_all(table.as_bytes())?;
    }
    Ok(())
}
