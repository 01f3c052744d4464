//! `bert-xml evaluate`.

use std::io::Write;
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
use crate::files::write_atomic;
use crate::ingest::Columns;
use crate::prediction::on_corpus;
use crate::prediction::open::open_coder;

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
    #[arg(long, value_name = "FIELD", default_value = "note_id", help_heading = "Judge files")]
    pub note_id_field: String,
    /// Field of the gold records that has the codes
    #[arg(long, value_name = "FIELD", default_value = "codes", help_heading = "Judge files")]
    pub codes_field: String,
    /// What separates codes that stand in one string [default: `;` or `|`]
    #[arg(long, value_name = "TEXT", help_heading = "Judge files")]
    pub codes_separator: Option<String>,
    /// Label set whose codes are judged, others counted; default: every code that either file names
    #[arg(long, value_name = "FILE", help_heading = "Judge files")]
    pub labels: Option<PathBuf>,
    /// Prediction file of development notes, to tune the threshold on
    #[arg(long, value_name = "FILE", requires = "dev_gold", help_heading = "Judge files")]
    pub dev_predictions: Option<PathBuf>,
    /// Records of the development notes
    #[arg(long, value_name = "FILE", requires = "dev_predictions", help_heading = "Judge files")]
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
    #[arg(long, default_value = "test", help_heading = "Judge a model")]
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
    /// Write the table as Markdown
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Write one line a code: gold notes, AUC, average precision, F1
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
    if let Some(path) = &options.per_code {
        write_atomic(path, judged.per_code_tsv().as_bytes())?;
    }
    present(&judged.judgement, options.json.as_deref(), options.markdown.as_deref())
}

fn evaluate_model(context: &Context, options: &Options, model: &Path, corpus: &Path) -> Result<()> {
    if let Some(threshold) = options.threshold {
        ensure!((0.0..=1.0).contains(&threshold), "--threshold {threshold}: a probability is 0 to 1");
    }
    let corpus = Corpus::open(corpus)?;
    let coder = open_coder(model, context.device)?;
    let task = TaskCodes::read(options.task_codes.as_deref())?;
    let codiesp = options.codiesp.map(|rules| (Rules::from(rules), task));
    let judged = on_corpus::judge_model(context, &coder, &corpus, options.split, options.threshold, codiesp)?;
    if let Some(path) = &options.per_code {
        let cut = judged.judgement.assignment.threshold.unwrap_or(0.5);
        let table = per_code_tsv(&judged.probabilities, &judged.gold, coder.labels(), |cell| {
            f64::from(judged.probabilities[cell]) >= cut
        });
        write_atomic(path, table.as_bytes())?;
    }
    present(&judged.judgement, options.json.as_deref(), options.markdown.as_deref())
}

/// Writes a judgement where it is wanted: JSON (`-`: standard output, nothing else there), Markdown, and the
/// table on standard output.
///
/// # Errors
/// Output that cannot be written.
pub fn present(judgement: &Judgement, json: Option<&Path>, markdown: Option<&Path>) -> Result<()> {
    let object = format!("{:#}\n", judgement.to_json());
    let table = judgement.to_markdown();
    if let Some(path) = markdown {
        write_atomic(path, table.as_bytes())?;
    }
    let to_stdout = json == Some(Path::new("-"));
    if let Some(path) = json.filter(|_| !to_stdout) {
        write_atomic(path, object.as_bytes())?;
    }
    std::io::stdout().lock().write_all(if to_stdout { object } else { table }.as_bytes())?;
    Ok(())
}
