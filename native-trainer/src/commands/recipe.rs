//! Options that `pretrain` and `finetune` share: a recipe, and flags laid over it.

use std::path::Path;

use anyhow::{Context, Result};
use bert_xml_core::text::Tokenizer;
use clap::Args;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::train::settings::{MicroBatch, load, parse_override};

/// Where settings come from: the recipe, then the named flags, then `--set`.
#[derive(Clone, Debug, Args)]
pub struct Recipe {
    /// Settings: paper, demo, codiesp, vaers, or a TOML file
    #[arg(long, default_value = "paper")]
    pub recipe: String,
    /// Passes over the training split
    #[arg(long)]
    pub epochs: Option<u32>,
    /// Rows of an optimizer step
    #[arg(long)]
    pub batch: Option<u32>,
    /// Tokens worked on at once: auto, or a number; changes memory and speed only
    #[arg(long)]
    pub micro_batch: Option<MicroBatch>,
    /// Largest learning rate
    #[arg(long)]
    pub lr: Option<f64>,
    /// Longest row in tokens
    #[arg(long)]
    pub max_len: Option<u32>,
    /// Stop after this many steps
    #[arg(long)]
    pub max_steps: Option<u32>,
    /// Any other setting, such as optimizer.warmup=0.05; repeatable
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_override)]
    pub set: Vec<(String, toml::Value)>,
}

impl Recipe {
    /// The section's settings.
    ///
    /// # Errors
    /// An unknown recipe, field or value; each named.
    pub fn load<T: DeserializeOwned>(
        &self,
        section: &str,
        extra: impl IntoIterator<Item = (String, toml::Value)>,
    ) -> Result<T> {
        let mut overrides: Vec<(String, toml::Value)> = extra.into_iter().collect();
        let whole = [
            ("epochs", self.epochs),
            ("batch", self.batch),
            ("max_len", self.max_len),
            ("max_steps", self.max_steps),
        ];
        overrides.extend(
            whole.into_iter().filter_map(|(key, value)| Some((key.to_owned(), i64::from(value?).into()))),
        );
        overrides.extend(self.lr.map(|lr| ("optimizer.learning_rate".to_owned(), lr.into())));
        if let Some(micro_batch) = self.micro_batch {
            let value = toml::Value::try_from(micro_batch).context("--micro-batch")?;
            overrides.push(("micro_batch".to_owned(), value));
        }
        overrides.extend(self.set.iter().cloned());
        load(&self.recipe, section, &overrides)
    }
}

/// A `tokenizer.json`, a `vocab.txt` (uncased), or a folder that holds one of them.
///
/// # Errors
/// No such file, or not a BERT tokenizer.
pub fn read_tokenizer(path: &Path) -> Result<Tokenizer> {
    let file = if path.is_dir() { path.join("tokenizer.json") } else { path.to_owned() };
    let bytes = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
    let json = file.extension().is_some_and(|extension| extension == "json");
    let tokenizer = match json {
        true => Tokenizer::from_json_bytes(&bytes),
        false => Tokenizer::from_vocab(&String::from_utf8(bytes).context("a vocabulary is UTF-8")?, true),
    };
    tokenizer.with_context(|| file.display().to_string())
}

/// SHA-256 of a tokenizer as `tokenizer.json`.
///
/// # Errors
/// The library cannot write it.
pub fn tokenizer_digest(tokenizer: &Tokenizer) -> Result<String> {
    Ok(Sha256::digest(tokenizer.to_json()?).iter().map(|byte| format!("{byte:02x}")).collect())
}
