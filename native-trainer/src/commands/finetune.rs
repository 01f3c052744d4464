//! `bert-xml finetune`.

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bert_xml_core::data::Split;
use bert_xml_core::model::HeadKind;
use bert_xml_core::model::hf_folder::{HfBert, is_hf_folder};
use bert_xml_core::text::Tokenizer;
use clap::Args;
use serde_json::{Value, json};

use super::recipe::{Recipe, size_of, tokenizer_digest, weights_mark};
use super::sweep::{sweep, trials};
use crate::context::Context;
use crate::corpus::Corpus;
use crate::corpus::vocabulary::open_vocabulary;
use crate::error::hinted;
use crate::shards::TokenFolder;
use crate::talk;
use crate::train::finetune::finetune;
use crate::train::outcome::{finished_model, write_model};
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
    /// The corpus as token ids, from `tokenize` with the same vocabulary [default: tokenized now, into memory]
    #[arg(long, value_name = "DIR")]
    pub tokens: Option<PathBuf>,
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
    #[arg(long)]
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
        let start = Start::read(options)?;
        let settings = settings(options, only, &start)?;
        train_once(context, options, &options.out, &settings, start).map(|_| ())
    } else {
        sweep(context, options, &trials)
    }
}

/// Settings of one trial beyond recipe and flags.
pub(super) type Trial = Vec<(String, toml::Value)>;

/// What a training starts from.
pub(super) struct Start {
    encoder: Option<HfBert>,
    tokenizer: Tokenizer,
    /// What tells the encoder from others, for the run's inputs.
    mark: Value,
}

impl Start {
    pub(super) fn read(options: &Options) -> Result<Self> {
        let folder = find_encoder(&options.encoder)?;
        let encoder = folder.as_deref().map(HfBert::read).transpose()?;
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
            (None, Some(path)) => open_vocabulary(path, false)?,
            (None, None) => {
                return Err(hinted(
                    "--encoder none needs a vocabulary",
                    "name it by --vocab, or make one with `bert-xml vocab`",
                ));
            }
        };
        let mark = match &folder {
            Some(folder) => weights_mark(Path::new(&options.encoder), folder)?,
            None => json!("none"),
        };
        Ok(Self { encoder, tokenizer, mark })
    }
}

/// What a training left.
pub(super) struct Done {
    /// Metrics on dev by name; null where dev has no note with a code.
    pub dev: Value,
    /// The epoch (from 1) that was kept.
    pub epoch: Value,
}

/// Fields that only the XML head reads.
const OF_THE_XML_HEAD: [&str; 6] =
    ["readout", "readout_init_scale", "label_init_scale", "label_init", "label_chunk", "head_hidden"];

/// Recipe, flags and trial, checked against what they are for: before the run's folder is made.
pub(super) fn settings(options: &Options, trial: &Trial, start: &Start) -> Result<FinetuneSettings> {
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
    let asked =
        |key: &str| extra.iter().chain(&recipe.set).find(|(name, _)| name == key).map(|(_, value)| value);
    let mut settings: FinetuneSettings = recipe.load("finetune", extra.clone())?;
    if let Some(encoder) = &start.encoder {
        if let Some(value) = asked("size") {
            return Err(hinted(
                format!("size = {value}: the encoder {} has a size of its own", options.encoder),
                "leave it out; it goes with --encoder none",
            ));
        }
        // So that the run's settings say what is trained.
        settings.size = size_of(&encoder.config).unwrap_or(settings.size);
    }
    if settings.head == HeadKind::Cls {
        if let Some((key, value)) = OF_THE_XML_HEAD.iter().find_map(|key| Some((key, asked(key)?))) {
            return Err(hinted(
                format!("{key} = {value}: the cls head has none"),
                "leave it out; it goes with --head xml",
            ));
        }
        // Those of the recipe are for its own head.
        let paper = FinetuneSettings::default();
        settings.readout = paper.readout;
        settings.readout_init_scale = paper.readout_init_scale;
        settings.label_init_scale = paper.label_init_scale;
    }
    settings.validate()?;
    let encoder = start.encoder.as_ref().map(|encoder| &encoder.config);
    encoder_config(&settings, encoder, start.tokenizer.vocab_size())?;
    Ok(settings)
}

/// Trains a run, or takes it as it is where it is finished already (`--resume`).
pub(super) fn train_once(
    context: &Context,
    options: &Options,
    out: &Path,
    settings: &FinetuneSettings,
    start: Start,
) -> Result<Done> {
    let Start { encoder, tokenizer, mark } = start;
    let corpus = Corpus::open(&options.corpus)?;
    if encoder.is_none() && settings.head == HeadKind::Xml && settings.label_init == LabelInit::Semantic {
        talk::warn("no pretrained encoder to read descriptions with: label embeddings start at random");
    }
    let devices = context.device.open_all()?;
    let vocabulary = tokenizer_digest(&tokenizer)?;
    let tokens = options.tokens.as_deref().map(|folder| TokenFolder::open(folder, &corpus, &vocabulary));
    let tokens = tokens.transpose()?;
    let inputs = json!({
        "seed": context.seed, "corpus": corpus.digest(), "vocabulary": vocabulary,
        "encoder": mark, "labels": corpus.labels().len(),
    });
    let mut run = Run::start(out, "finetune", settings, inputs, options.resume)?;
    if let Some(model) = finished_model(&run) {
        talk::say(&format!("finished already: model in {}", out.join("model").display()));
        let of = |name: &str| model.provenance.get(name).cloned().unwrap_or_default();
        return Ok(Done { dev: of("dev"), epoch: of("epoch") });
    }
    let read = |split| match &tokens {
        Some(folder) => TokenizedSplit::mapped(folder, split).map(TokenizedSplit::with_gold),
        None => tokenize(context, &corpus, split, &tokenizer),
    };
    let (train, dev) = (read(Split::Train)?, read(Split::Dev)?);
    warn_of_outside(&train, &dev);
    let labels = corpus.labels();
    let input = FinetuneInput { train: &train, dev: &dev, tokenizer: &tokenizer, labels, encoder };
    let done = devices.run(|| {
        let done = finetune(context, settings, input, &mut run, devices.clone())?;
        write_model(&run, settings, &done, &tokenizer, &corpus)?;
        Ok(done)
    })?;
    match &done.dev {
        Some(report) => writeln!(stdout(), "dev, epoch {}:\n\n{}", done.epoch, report.to_markdown())?,
        None => talk::warn("dev has no note with a code: the last epoch was kept, with threshold 0.5"),
    }
    if !done.without_description.is_empty() {
        talk::say(&format!(
            "{} codes have no description and started at random: {}",
            done.without_description.len(),
            done.without_description.join(" ")
        ));
    }
    talk::say(&format!("model in {}", out.join("model").display()));
    Ok(Done { dev: serde_json::to_value(&done.dev)?, epoch: done.epoch.into() })
}

fn warn_of_outside(train: &TokenizedSplit, dev: &TokenizedSplit) {
    if train.outside + dev.outside > 0 {
        talk::say(&format!(
            "codes outside the label set are not learnt: {} occurrences in train, {} in dev",
            train.outside, dev.outside
        ));
    }
}

/// The folder of a pretraining run's encoder, or a Hugging Face folder; none for `none`.
fn find_encoder(name: &str) -> Result<Option<PathBuf>> {
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
    Ok(Some(folder.to_owned()))
}
