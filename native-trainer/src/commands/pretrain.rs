//! `bert-xml pretrain`.

use std::path::PathBuf;

use anyhow::Result;
use bert_xml_core::data::Split;
use bert_xml_core::model::hf_folder::HfBert;
use clap::Args;
use serde_json::json;

use super::recipe::{Recipe, size_of, tokenizer_digest, weights_mark};
use crate::context::Context;
use crate::corpus::Corpus;
use crate::corpus::vocabulary::open_vocabulary;
use crate::error::hinted;
use crate::shards::TokenFolder;
use crate::talk;
use crate::train::pretrain::{PretrainInput, pretrain};
use crate::train::run::Run;
use crate::train::settings::PretrainSettings;
use crate::train::tokens::{TokenizedSplit, tokenize};

/// Options of `pretrain`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Corpus folder, from `prepare`
    #[arg(long)]
    pub corpus: PathBuf,
    /// Vocabulary: `tokenizer.json`, or a folder with it, from `vocab`; with --start that of the checkpoint
    #[arg(long, required_unless_present = "start")]
    pub vocab: Option<PathBuf>,
    /// The corpus as token ids, from `tokenize` with the same vocabulary [default: tokenized now, into memory]
    #[arg(long, value_name = "DIR")]
    pub tokens: Option<PathBuf>,
    /// Go on from a Hugging Face BERT folder (or what `import` wrote)
    #[arg(long, conflicts_with = "vocab")]
    pub start: Option<PathBuf>,
    /// Run folder to write
    #[arg(long)]
    pub out: PathBuf,
    /// Go on from the newest checkpoint in --out
    #[arg(long)]
    pub resume: bool,
    /// Encoder size: nano, tiny, mini, small or big
    #[arg(long)]
    pub size: Option<String>,
    /// Settings
    #[command(flatten)]
    pub recipe: Recipe,
}

/// Runs the step.
///
/// # Errors
/// Those of the step.
pub fn run(context: &Context, options: &Options) -> Result<()> {
    let extra = options.size.iter().map(|size| ("size".to_owned(), toml::Value::String(size.clone())));
    let mut settings: PretrainSettings = options.recipe.load("pretrain", extra)?;
    let start = options.start.as_deref().map(HfBert::read).transpose()?;
    if let (Some(start), Some(path)) = (&start, &options.start) {
        let set = options.recipe.set.iter().map(|(key, _)| key.as_str());
        let mut asked = options.size.iter().map(|_| "size").chain(set);
        if let Some(key) = asked.find(|key| ["size", "max_positions"].contains(key)) {
            return Err(hinted(
                format!("{key}: the encoder of --start {} has its own", path.display()),
                "leave it out; `bert-xml import --max-positions` adds positions",
            ));
        }
        // So that the run's settings say what is trained.
        settings.size = size_of(&start.config).unwrap_or(settings.size);
        settings.max_positions = start.config.max_position_embeddings;
    }
    settings.validate()?;
    let corpus = Corpus::open(&options.corpus)?;
    let tokenizer = match (&start, &options.vocab) {
        (Some(start), _) => start.tokenizer.clone(),
        (None, Some(path)) => open_vocabulary(path, false)?,
        (None, None) => unreachable!("clap asks for one of the two"),
    };
    let devices = context.device.open_all()?;
    let vocabulary = tokenizer_digest(&tokenizer)?;
    let tokens = options.tokens.as_deref().map(|folder| TokenFolder::open(folder, &corpus, &vocabulary));
    let tokens = tokens.transpose()?;
    let inputs = json!({
        "seed": context.seed, "corpus": corpus.digest(), "vocabulary": vocabulary,
        "start": options.start.as_deref().map(|path| weights_mark(path, path)).transpose()?,
    });
    let mut run = Run::start(&options.out, "pretrain", &settings, inputs, options.resume)?;
    let read = |split| match &tokens {
        Some(folder) => TokenizedSplit::mapped(folder, split),
        None => tokenize(context, &corpus, split, &tokenizer),
    };
    let (train, dev) = (read(Split::Train)?, read(Split::Dev)?);
    let input = PretrainInput { train: &train, dev: &dev, tokenizer: &tokenizer, start };
    devices.run(|| pretrain(context, &settings, input, &mut run, devices.clone()))?;
    talk::say(&format!("encoder in {}", options.out.join("encoder").display()));
    Ok(())
}
