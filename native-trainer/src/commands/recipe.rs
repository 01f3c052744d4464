//! Options that `pretrain` and `finetune` share: a recipe, and flags laid over it.

use std::path::Path;

use anyhow::{Context, Result};
use bert_xml_core::model::hf_folder::WEIGHTS;
use bert_xml_core::model::{EncoderConfig, Products, Size};
use bert_xml_core::text::Tokenizer;
use clap::Args;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::files::{sha256, sha256_of};
use crate::train::precision::Precision;
use crate::train::settings::{MicroBatch, load, parse_override};

/// Where settings come from: the recipe, then the named flags, then `--set`.
#[derive(Clone, Debug, Args)]
pub struct Recipe {
    /// Settings: paper, fast, demo, codiesp, vaers, bundled, or a TOML file
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
    /// Numbers that matrix products take; bf16 needs a card that has it, and saves memory and time there
    #[arg(long, value_enum)]
    pub precision: Option<Precision>,
    /// Compute the encoder's blocks twice instead of keeping them: less memory, a third more time
    #[arg(long)]
    pub gradient_checkpointing: bool,
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
        if let Some(precision) = self.precision {
            let value = toml::Value::try_from(Products::from(precision)).context("--precision")?;
            overrides.push(("precision".to_owned(), value));
        }
        if self.gradient_checkpointing {
            overrides.push(("gradient_checkpointing".to_owned(), true.into()));
        }
        if let Some(micro_batch) = self.micro_batch {
            let value = toml::Value::try_from(micro_batch).context("--micro-batch")?;
            overrides.push(("micro_batch".to_owned(), value));
        }
        overrides.extend(self.set.iter().cloned());
        load(&self.recipe, section, &overrides)
    }
}

/// SHA-256 of a tokenizer as `tokenizer.json`.
///
/// # Errors
/// The library cannot write it.
pub fn tokenizer_digest(tokenizer: &Tokenizer) -> Result<String> {
    Ok(sha256_of(tokenizer.to_json()?.as_bytes()))
}

/// What tells an encoder from others in a run's inputs: the name under which it was given, without folders, and the
/// SHA-256 of its weights.
///
/// # Errors
/// The weights cannot be read.
pub fn weights_mark(given: &Path, folder: &Path) -> Result<Value> {
    let whole = given.canonicalize().unwrap_or_else(|_| given.to_owned());
    let name = whole.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(json!({"name": name, "sha256": sha256(&folder.join(WEIGHTS))?}))
}

/// The size whose shape an encoder has, if there is one.
pub fn size_of(config: &EncoderConfig) -> Option<Size> {
    let shape = |config: &EncoderConfig| {
        (config.hidden_size, config.num_hidden_layers, config.num_attention_heads, config.intermediate_size)
    };
    [Size::Nano, Size::Tiny, Size::Mini, Size::Small, Size::Big]
        .into_iter()
        .find(|&size| shape(&EncoderConfig::of_size(size)) == shape(config))
}
