//! `bert-xml baseline`.

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use bert_xml_core::data::Split;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::evaluate::CodiEspRules;
use crate::baselines::on_corpus::{self, Kind};
use crate::baselines::{logistic, stochastic, tfidf};
use crate::context::Context;
use crate::corpus::Corpus;
use crate::evaluation::codiesp::TaskCodes;
use crate::evaluation::write_predictions;
use crate::files::{FolderInTheMaking, write_atomic};
use crate::talk;

/// Options of `baseline`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Corpus, as `bert-xml prepare` writes it
    #[arg(long, value_name = "DIR")]
    pub corpus: PathBuf,
    /// Which baseline
    #[arg(long, default_value = "tfidf")]
    pub kind: BaselineKind,
    /// Folder for metrics.json, metrics.md, predictions.jsonl and baseline.json
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Split to judge: test or dev
    #[arg(long, default_value = "test")]
    pub split: Split,
    /// Assign codes of at least this probability; default: tuned on dev
    #[arg(long, value_name = "P")]
    pub threshold: Option<f64>,
    /// Codes of each note in predictions.jsonl
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub top: usize,
    /// Add CodiEsp's metrics over all gold codes, labels or not
    #[arg(long, value_name = "RULES")]
    pub codiesp: Option<CodiEspRules>,
    /// CodiEsp's valid codes, one a line or a label set; default: every label is valid
    #[arg(long, value_name = "FILE", requires = "codiesp")]
    pub task_codes: Option<PathBuf>,
    /// Weight of the loss against the regularisation, as scikit-learn's C
    #[arg(long, value_name = "C", default_value_t = logistic::Settings::default().c, help_heading = "TF-IDF")]
    pub c: f64,
    /// Training notes that a word or pair must occur in
    #[arg(long, value_name = "N", default_value_t = tfidf::Settings::default().min_df, help_heading = "TF-IDF")]
    pub min_df: usize,
    /// Weight of an L1 penalty against the loss of all notes: 1 / scikit-learn's C; 0 for none
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.0, help_heading = "Words")]
    pub l1: f64,
    /// Weight of an L2 penalty against the loss of all notes
    #[arg(long, value_name = "WEIGHT", default_value_t = stochastic::Penalty::VANILLA.l2, help_heading = "Words")]
    pub l2: f64,
    /// Words only, no pairs
    #[arg(long, help_heading = "TF-IDF")]
    pub words_only: bool,
}

/// Which baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BaselineKind {
    /// Training prevalence of each code for every note
    Constant,
    /// TF-IDF of words and pairs, one logistic regression a code
    Tfidf,
    /// Plain counts of words, one logistic regression a code by stochastic gradients: for millions of notes
    Words,
}

/// A baseline and its settings by their names.
fn described(kind: Kind) -> Value {
    match kind {
        Kind::Constant => json!({"name": "constant"}),
        Kind::Words(words, penalty) => {
            json!({"name": "words", "min_df": words.min_df, "l1": penalty.l1, "l2": penalty.l2})
        }
        Kind::Tfidf(words, regression) => {
            json!({"name": "tfidf", "min_df": words.min_df, "pairs": words.pairs, "c": regression.c})
        }
    }
}

/// Runs the step.
///
/// # Errors
/// A damaged corpus, settings out of range, a full output folder.
pub fn run(context: &Context, options: &Options) -> Result<()> {
    ensure!(options.c > 0.0 && options.c.is_finite(), "--c {}: it must be above 0", options.c);
    ensure!(
        options.split != Split::Train,
        "--split train: a baseline is judged on notes it has not seen, dev or test"
    );
    ensure!(options.min_df >= 1, "--min-df 0: it must be at least 1");
    for (flag, weight) in [("--l1", options.l1), ("--l2", options.l2)] {
        ensure!(weight >= 0.0 && weight.is_finite(), "{flag} {weight}: it must be at least 0");
    }
    if let Some(threshold) = options.threshold {
        ensure!((0.0..=1.0).contains(&threshold), "--threshold {threshold}: it must be between 0 and 1");
    }
    let start = Instant::now();
    let corpus = Corpus::open(&options.corpus)?;
    let task = TaskCodes::read(options.task_codes.as_deref())?;
    let folder = FolderInTheMaking::start(&options.out)?;
    let kind = match options.kind {
        BaselineKind::Constant => Kind::Constant,
        BaselineKind::Words => Kind::Words(
            tfidf::Settings { min_df: options.min_df, pairs: false, counts: true },
            stochastic::Penalty { l1: options.l1, l2: options.l2 },
        ),
        BaselineKind::Tfidf => Kind::Tfidf(
            tfidf::Settings { min_df: options.min_df, pairs: !options.words_only, counts: false },
            logistic::Settings { c: options.c, ..logistic::Settings::default() },
        ),
    };
    let codiesp = options.codiesp.map(|rules| (rules.into(), task));
    let outcome = on_corpus::run(context, &corpus, kind, options.split, options.threshold, codiesp)?;
    let seconds = start.elapsed().as_secs_f64();
    let settings = json!({
        "kind": described(kind), "split": options.split, "corpus": corpus.digest(),
        "version": env!("CARGO_PKG_VERSION"), "seconds": seconds, "remark": outcome.remark,
        "threshold": outcome.judgement.assignment.from.to_string(),
    });
    let markdown = outcome.judgement.to_markdown();
    let at = |name: &str| folder.path().join(name);
    write_atomic(&at("baseline.json"), format!("{settings:#}\n").as_bytes())?;
    write_atomic(&at("metrics.json"), format!("{:#}\n", outcome.judgement.to_json()).as_bytes())?;
    write_atomic(&at("metrics.md"), markdown.as_bytes())?;
    write_predictions(&at("predictions.jsonl"), outcome.predictions(corpus.labels(), options.top))?;
    folder.finish()?;
    talk::say(&format!("{} {seconds:.1} s in all. Written: {}", outcome.remark, options.out.display()));
    std::io::stdout().lock().write_all(markdown.as_bytes())?;
    Ok(())
}
