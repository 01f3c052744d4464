//! `bert-xml vocab`: learn a vocabulary from a corpus's training notes, or compare vocabularies.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bert_xml_core::data::Split;
use bert_xml_core::text::{Tokenizer, VocabConfig, VocabMethod, shown};
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::context::Context;
use crate::corpus::Corpus;
use crate::corpus::vocabulary::{Fit, compare, learn, open_vocabulary, table};
use crate::error::hinted;
use crate::files::{FolderInTheMaking, STANDARD, check_file_place, distinct, write_atomic};
use crate::ingest::{Columns, RecordError, Records};
use crate::talk::say;
use crate::train::settings::load;

/// How tokens are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// The most frequent whole words; others are spelled with characters (the paper)
    Words,
    /// Pieces joined by frequency
    Wordpiece,
}

/// Options of `vocab`.
#[derive(Clone, Debug, Args)]
#[command(group(clap::ArgGroup::new("source").required(true).args(["corpus", "input"])))]
#[command(group(clap::ArgGroup::new("task").required(true).multiple(true).args(["out", "compare", "tokenizer"])))]
pub struct Options {
    /// The corpus whose notes are read
    #[arg(long, value_name = "DIR")]
    pub corpus: Option<PathBuf>,
    /// Record files to compare on, instead of a corpus
    #[arg(long, num_args = 1.., value_name = "FILE", conflicts_with = "out")]
    pub input: Vec<PathBuf>,
    /// The fields of the records.
    #[command(flatten)]
    pub columns: Columns,
    /// Learn a vocabulary from the training split: a folder to write, or a file tokenizer.json alone
    #[arg(long, value_name = "DIR|FILE", requires = "corpus")]
    pub out: Option<PathBuf>,
    /// Settings by a recipe's table vocab: demo, vaers, bundled, or a TOML file; flags go over it
    #[arg(long, requires = "out", help_heading = "Learning")]
    pub recipe: Option<String>,
    /// How tokens are chosen [default: words]
    #[arg(long, value_enum, requires = "out", help_heading = "Learning")]
    pub method: Option<Method>,
    /// Most tokens, special ones and characters included [default: 20000, as in the paper]
    #[arg(long, value_name = "N", requires = "out", help_heading = "Learning")]
    pub size: Option<usize>,
    /// Keep capitals and accents (also for a vocab.txt that is compared)
    #[arg(long, help_heading = "Learning")]
    pub cased: bool,
    /// Leave out words that occur less often [default: 1]
    #[arg(long, value_name = "N", requires = "out", help_heading = "Learning")]
    pub min_count: Option<u64>,
    /// Vocabularies to compare, vocab.txt or tokenizer.json: words a note that are not one token
    #[arg(long, num_args = 1.., value_name = "FILE", help_heading = "Comparing")]
    pub compare: Vec<PathBuf>,
    /// One more vocabulary to compare: ours
    #[arg(long, value_name = "FILE", help_heading = "Comparing")]
    pub tokenizer: Option<PathBuf>,
    /// The split to compare on (of records: where --split-field says so)
    #[arg(long, default_value = "train", value_name = "SPLIT", help_heading = "Comparing")]
    pub split: Split,
    /// Write the result as JSON to a file, or instead of the table to standard output (-)
    #[arg(long, value_name = "FILE|-")]
    pub json: Option<PathBuf>,
}

/// Runs the step.
///
/// # Errors
/// A corpus, record file or vocabulary that cannot be read; settings that cannot be met; the disk.
pub fn run(context: &Context, options: &Options) -> Result<()> {
    options.json.as_deref().map_or(Ok(()), check_file_place)?;
    distinct(&[("--out", options.out.as_deref()), ("--json", options.json.as_deref())])?;
    if options.corpus.is_some() && options.columns != Columns::default() {
        return Err(hinted(
            "fields of records are named for --input",
            "leave them out: a corpus has its own",
        ));
    }
    let corpus = options.corpus.as_deref().map(Corpus::open).transpose()?;
    let mut vocabularies = Vec::new();
    for path in options.compare.iter().chain(&options.tokenizer) {
        vocabularies.push((path.display().to_string(), open_vocabulary(path, options.cased)?));
    }
    if let (Some(corpus), Some(out)) = (&corpus, &options.out) {
        vocabularies.push(("own".into(), learn_and_write(context, corpus, out, options)?));
    }
    let tokenizers: Vec<&Tokenizer> = vocabularies.iter().map(|(_, tokenizer)| tokenizer).collect();
    let counts = match &corpus {
        Some(corpus) => {
            let texts = corpus.notes(options.split)?.map(|note| Ok(note?.text));
            compare(context, texts, Some(corpus.count(options.split)), &tokenizers)?
        }
        None => {
            let passed_over = RefCell::default();
            let counts = compare(context, record_texts(options, &passed_over)?, None, &tokenizers)?;
            for (word, records) in passed_over.into_inner() {
                say(&format!("not counted: records of split {word}: {records} (--split {})", options.split));
            }
            counts
        }
    };
    let rows = vocabularies.iter().zip(counts);
    let fits: Vec<Fit> =
        rows.map(|((name, tokenizer), counts)| Fit::new(name.clone(), tokenizer, counts)).collect();
    show(options, &fits)
}

/// Texts of the record files; empty ones count as notes without words. Records of other splits are counted by the words
/// in their field.
fn record_texts<'a>(
    options: &Options,
    passed_over: &'a RefCell<BTreeMap<String, u64>>,
) -> Result<impl Iterator<Item = Result<String>> + use<'a>> {
    let records = Records::open(&options.input, &options.columns).map_err(RecordError::hinted)?;
    let (by_split, split) = (options.columns.split_field.is_some(), options.split);
    Ok(records.filter_map(move |record| match record {
        Ok(record) => {
            // `--split-field` asks for it in every record.
            let word = record.split.unwrap_or_default();
            if by_split && word.parse().ok() != Some(split) {
                *passed_over.borrow_mut().entry(shown(&word)).or_default() += 1;
                return None;
            }
            Some(Ok(record.note.text))
        }
        Err(error) => Some(Err(error.hinted())),
    }))
}

fn learn_and_write(context: &Context, corpus: &Corpus, out: &Path, options: &Options) -> Result<Tokenizer> {
    let config = settings(options)?;
    let texts = corpus.notes(Split::Train)?.map(|note| Ok(note?.text));
    let to_file = out.extension().is_some_and(|extension| extension == "json");
    // A place that cannot be written is known before the counting.
    let folder = if to_file {
        check_file_place(out)?;
        None
    } else {
        Some(FolderInTheMaking::start(out)?)
    };
    let (tokenizer, counter) = learn(context, texts, Some(corpus.count(Split::Train)), &config)
        .map_err(|error| hint_at(error, corpus))?;
    let json = tokenizer.to_json()?;
    let Some(folder) = folder else {
        write_atomic(out, json.as_bytes())?;
        return Ok(tokenizer);
    };
    let report = json!({
        "settings": config,
        "corpus": corpus.digest(),
        "tokens": tokenizer.vocab_size(),
        "training_notes": counter.notes(),
        "distinct_words": counter.distinct(),
    });
    let files = [
        ("tokenizer.json", json),
        ("vocab.txt", tokenizer.to_vocab_txt()),
        ("vocab_report.json", serde_json::to_string_pretty(&report)? + "\n"),
    ];
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
    }
    folder.finish()?;
    Ok(tokenizer)
}

/// The recipe's, or the paper's, with the flags over them.
fn settings(options: &Options) -> Result<VocabConfig> {
    let mut config: VocabConfig = match &options.recipe {
        Some(recipe) => load(recipe, "vocab", &[])?,
        None => VocabConfig::default(),
    };
    match options.method {
        Some(Method::Words) => config.method = VocabMethod::Words,
        Some(Method::Wordpiece) => config.method = VocabMethod::WordPiece,
        None => {}
    }
    config.size = options.size.unwrap_or(config.size);
    config.min_count = options.min_count.unwrap_or(config.min_count);
    config.lowercase &= !options.cased;
    Ok(config)
}

fn hint_at(error: anyhow::Error, corpus: &Corpus) -> anyhow::Error {
    if corpus.count(Split::Train) == 0 {
        return hinted(
            format!("{error:#}"),
            "the corpus has no training notes: prepare it with more of them",
        );
    }
    error
}

fn show(options: &Options, fits: &[Fit]) -> Result<()> {
    let json = serde_json::to_string(&json!({"split": options.split, "vocabularies": fits}))? + "\n";
    match options.json.as_deref() {
        Some(path) if path.as_os_str() == STANDARD => std::io::stdout().write_all(json.as_bytes())?,
        path => {
            if let Some(path) = path {
                write_atomic(path, json.as_bytes())?;
            }
            std::io::stdout().write_all(table(fits).as_bytes())?;
        }
    }
    Ok(())
}
