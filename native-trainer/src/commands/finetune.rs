//! `bert-xml finetune`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bert_xml_core::data::Split;
use bert_xml_core::model::HeadKind;
use bert_xml_core::model::hf_folder::{HfBert, is_hf_folder};
use clap::Args;
use serde_json::{Value, json};

use super::recipe::{Recipe, read_tokenizer, tokenizer_digest};
use crate::context::Context;
use crate::corpus::Corpus;
use crate::error::hinted;
use crate::files::write_atomic;
use crate::train::finetune::{Finetuned, finetune};
use crate::train::outcome::write_model;
use crate::train::run::Run;
use crate::train::settings::{FinetuneSettings, LabelInit};
use crate::train::start::{FinetuneInput, encoder_config};
use crate::train::tokens::{TokenizedSplit, tokenize};

/// Options of `finetune`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Corpus folder, from `prepare`
    #[arg(long)]
    pub corpus: PathBuf,
    /// Encoder to start from: a pretraining run, a Hugging Face BERT folder, or none
    #[arg(long, value_name = "RUN|HF_DIR|none")]
    pub encoder: String,
    /// Vocabulary for --encoder none: `tokenizer.json`, or a folder with it
    #[arg(long)]
    pub vocab: Option<PathBuf>,
    /// Run folder to write
    #[arg(long)]
    pub out: PathBuf,
    /// Go on from the newest checkpoint in --out
    #[arg(long, conflicts_with = "sweep")]
    pub resume: bool,
    /// Classification head: xml (label attention) or cls
    #[arg(long)]
    pub head: Option<String>,
    /// How label embeddings start
    #[arg(long, value_enum)]
    pub label_init: Option<LabelInit>,
    /// Keep the first N encoder layers (and the embeddings) as they are; their states are kept where memory allows
    #[arg(long, value_name = "N")]
    pub freeze: Option<u32>,
    /// Size of the encoder with --encoder none
    #[arg(long)]
    pub size: Option<String>,
    /// Train once for each value of a setting and keep the best by dev AUC, such as lr=1e-4,3e-4
    #[arg(long, value_name = "KEY=V1,V2,...")]
    pub sweep: Vec<String>,
    /// Settings
    #[command(flatten)]
    pub recipe: Recipe,
}

/// Runs the step.
///
/// # Errors
/// Those of the step.
pub fn run(context: &Context, options: &Options) -> Result<()> {
    let trials = trials(&options.sweep)?;
    if let [only] = &trials[..] {
        train_once(context, options, &options.out, only).map(|_| ())
    } else {
        sweep(context, options, &trials)
    }
}

/// Settings of one trial beyond recipe and flags.
type Trial = Vec<(String, toml::Value)>;

/// Every combination of the swept values; one empty trial without a sweep.
fn trials(sweeps: &[String]) -> Result<Vec<Trial>> {
    let mut trials: Vec<Trial> = vec![Vec::new()];
    for sweep in sweeps {
        let (key, values) =
            sweep.split_once('=').with_context(|| format!("--sweep {sweep}: must be KEY=V1,V2,..."))?;
        let key = if key == "lr" { "optimizer.learning_rate" } else { key };
        let mut next = Vec::new();
        for trial in &trials {
            for value in values.split(',') {
                let pair = crate::train::settings::parse_override(&format!("{key}={value}"));
                let pair = pair.map_err(|message| anyhow::anyhow!("--sweep {sweep}: {message}"))?;
                next.push(trial.iter().cloned().chain([pair]).collect());
            }
        }
        trials = next;
    }
    Ok(trials)
}

/// Trains every trial in a folder of its own and writes `sweep.json`, best first.
fn sweep(context: &Context, options: &Options, trials: &[Trial]) -> Result<()> {
    crate::files::create_empty_folder(&options.out)?;
    let mut results = Vec::new();
    for (at, trial) in trials.iter().enumerate() {
        let name = format!("trial-{at}");
        let shown: Vec<String> = trial.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        eprintln!("{name}: {}", shown.join(", "));
        let done = train_once(context, options, &options.out.join(&name), trial)?;
        let auc = done.dev.as_ref().and_then(|report| report.auc_micro);
        results.push((auc, json!({"trial": name, "settings": shown, "dev": done.dev, "epoch": done.epoch})));
    }
    results.sort_by(|a, b| b.0.unwrap_or(-1.0).total_cmp(&a.0.unwrap_or(-1.0)));
    let results: Vec<Value> = results.into_iter().map(|(_, result)| result).collect();
    write_atomic(&options.out.join("sweep.json"), serde_json::to_string_pretty(&results)?.as_bytes())?;
    println!("best by dev AUC micro: {} ({})", results[0]["trial"], results[0]["settings"]);
    Ok(())
}

fn train_once(
    context: &Context,
    options: &Options,
    out: &Path,
    trial: &[(String, toml::Value)],
) -> Result<Finetuned> {
    let word = |key: &str, value: &Option<String>| {
        value.as_ref().map(|value| (key.to_owned(), toml::Value::String(value.clone())))
    };
    let mut extra: Vec<(String, toml::Value)> =
        [word("head", &options.head), word("size", &options.size)].into_iter().flatten().collect();
    extra.extend(options.freeze.map(|layers| ("freeze".to_owned(), i64::from(layers).into())));
    if let Some(init) = options.label_init {
        extra.push(("label_init".to_owned(), toml::Value::try_from(init).context("--label-init")?));
    }
    // What is swept goes over every flag.
    let mut recipe = options.recipe.clone();
    recipe.set.extend(trial.iter().cloned());
    let settings: FinetuneSettings = recipe.load("finetune", extra)?;
    settings.validate()?;
    let corpus = Corpus::open(&options.corpus)?;
    let encoder = read_encoder(&options.encoder)?;
    let tokenizer = match (&encoder, &options.vocab) {
        (Some(_), Some(path)) => {
            return Err(hinted(
                format!(
                    "--vocab {}: the encoder {} has a vocabulary of its own",
                    path.display(),
                    options.encoder
                ),
                "leave --vocab out; it goes with --encoder none",
            ));
        }
        (Some(encoder), None) => encoder.tokenizer.clone(),
        (None, Some(path)) => read_tokenizer(path)?,
        (None, None) => {
            return Err(hinted(
                "--encoder none needs a vocabulary",
                "name it by --vocab, or make one with `bert-xml vocab`",
            ));
        }
    };
    if encoder.is_none() && settings.head == HeadKind::Xml && settings.label_init == LabelInit::Semantic {
        eprintln!("no pretrained encoder to read descriptions with: label embeddings start at random");
    }
    // Asked before the run's folder is made: what cannot be trained leaves none.
    encoder_config(&settings, encoder.as_ref().map(|encoder| &encoder.config), tokenizer.vocab_size())?;
    let device = context.device.open()?;
    let inputs = json!({
        "seed": context.seed, "corpus": corpus.digest(), "vocabulary": tokenizer_digest(&tokenizer)?,
        "encoder": options.encoder, "labels": corpus.labels().len(),
    });
    let mut run = Run::start(out, "finetune", &settings, inputs, options.resume)?;
    let train = tokenize(context, &corpus, Split::Train, &tokenizer)?;
    let dev = tokenize(context, &corpus, Split::Dev, &tokenizer)?;
    warn_of_outside(&train, &dev);
    let labels = corpus.labels();
    let input = FinetuneInput { train: &train, dev: &dev, tokenizer: &tokenizer, labels, encoder };
    let done = finetune(context, &settings, input, &mut run, device)?;
    write_model(&run, &settings, &done, &tokenizer, labels)?;
    match &done.dev {
        Some(report) => println!("dev, epoch {}:\n\n{}", done.epoch, report.to_markdown()),
        None => {
            eprintln!("warning: dev has no note with a code: the last epoch was kept, with threshold 0.5")
        }
    }
    if !done.without_description.is_empty() {
        eprintln!(
            "{} codes have no description and started at random: {}",
            done.without_description.len(),
            done.without_description.join(" ")
        );
    }
    eprintln!("model in {}", out.join("model").display());
    Ok(done)
}

fn warn_of_outside(train: &TokenizedSplit, dev: &TokenizedSplit) {
    if train.outside + dev.outside > 0 {
        eprintln!(
            "codes outside the label set are not learnt: {} occurrences in train, {} in dev",
            train.outside, dev.outside
        );
    }
}

/// The encoder of a pretraining run or a Hugging Face folder; none for `none`.
fn read_encoder(name: &str) -> Result<Option<HfBert>> {
    if name == "none" {
        return Ok(None);
    }
    let path = Path::new(name);
    let of_run = path.join("encoder");
    let folder = if is_hf_folder(path) { path } else { &of_run };
    if !is_hf_folder(folder) {
        return Err(hinted(
            format!("--encoder {name}: neither a finished pretraining run nor a Hugging Face BERT folder"),
            "a run has `encoder/config.json`, a BERT folder `config.json`; --encoder none starts at random",
        ));
    }
    Ok(Some(HfBert::read(folder)?))
}
