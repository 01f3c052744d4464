//! What a training run is told: presets and recipes in TOML, overridden by flags; kept in the run's folder.

use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use bert_xml_core::model::{EncoderConfig, HeadKind, Products, Readout, Size, XmlOptions};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::adamw::OptimizerSettings;
use crate::error::hinted;

/// Recipes that come with the command, by name.
const RECIPES: [(&str, &str); 6] = [
    ("paper", include_str!("../../configs/paper.toml")),
    ("fast", include_str!("../../configs/fast.toml")),
    ("demo", include_str!("../../configs/demo.toml")),
    ("codiesp", include_str!("../../configs/codiesp.toml")),
    ("vaers", include_str!("../../configs/vaers.toml")),
    ("bundled", include_str!("../../configs/bundled.toml")),
];

/// Tokens of a micro-batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MicroBatch {
    /// As many as the device's memory allows by the model's shape (see `memory.rs`).
    #[default]
    Auto,
    /// This many, padding included; a single longer row still goes.
    Tokens(usize),
}

impl std::str::FromStr for MicroBatch {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word.parse() {
            _ if word == "auto" => Ok(Self::Auto),
            Ok(tokens) if tokens > 0 => Ok(Self::Tokens(tokens)),
            _ => Err(format!("`{word}`: must be auto or a number of tokens")),
        }
    }
}

/// How notes lie in the rows that the encoder reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rows {
    /// A row is a window, or in pretraining a pair of segments; padded to the longest of its batch. The paper's.
    #[default]
    Padded,
    /// Rows full of windows, each with positions of its own and seeing itself alone; pretraining is then by masked
    /// tokens only.
    Packed,
}

/// Settings of `bert-xml pretrain`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PretrainSettings {
    /// Encoder size. Paper: small and big.
    pub size: Size,
    /// Positions of the encoder. Paper: 1,024.
    pub max_positions: usize,
    /// Dropout of hidden states and attention weights. Paper: .1.
    pub dropout: f64,
    /// Dropout of attention weights; that of hidden states where it is not given.
    pub attention_dropout: Option<f64>,
    /// How notes lie in rows. Paper: padded.
    pub rows: Rows,
    /// Numbers that matrix products take; all else is in f32.
    pub precision: Products,
    /// Whether the encoder's blocks are computed twice instead of kept: less memory, a third more time.
    pub gradient_checkpointing: bool,
    /// Longest row in tokens, special ones included. Paper: 512 and 1,024.
    pub max_len: usize,
    /// Passes over the training split. Paper: 2.
    pub epochs: u64,
    /// Rows of a step. Paper: 32.
    pub batch: usize,
    /// Tokens of a micro-batch.
    pub micro_batch: MicroBatch,
    /// Steps after which to stop, whatever `epochs` says; 0 for none. The schedule ends there too.
    pub max_steps: u64,
    /// Steps between checkpoints.
    pub checkpoint_every: u64,
    /// Optimizer and schedule.
    pub optimizer: OptimizerSettings,
}

impl Default for PretrainSettings {
    fn default() -> Self {
        Self {
            size: Size::Small,
            max_positions: 1024,
            dropout: 0.1,
            attention_dropout: None,
            rows: Rows::Padded,
            precision: Products::F32,
            gradient_checkpointing: false,
            max_len: 1024,
            epochs: 2,
            batch: 32,
            micro_batch: MicroBatch::Auto,
            max_steps: 0,
            checkpoint_every: 500,
            optimizer: OptimizerSettings { learning_rate: 1e-4, ..OptimizerSettings::default() },
        }
    }
}

impl PretrainSettings {
    /// Dropout of attention weights.
    pub fn attention_dropout(&self) -> f64 {
        self.attention_dropout.unwrap_or(self.dropout)
    }

    /// The encoder's shape for a vocabulary.
    pub fn encoder(&self, vocab_size: usize) -> EncoderConfig {
        EncoderConfig {
            vocab_size,
            max_position_embeddings: self.max_positions,
            hidden_dropout_prob: self.dropout,
            attention_probs_dropout_prob: self.attention_dropout(),
            ..EncoderConfig::of_size(self.size)
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is out of range, with its value and the rule.
    pub fn validate(&self) -> Result<()> {
        self.optimizer.validate()?;
        positive("pretrain.batch", self.batch as u64)?;
        positive("pretrain.epochs", self.epochs)?;
        positive("pretrain.checkpoint_every", self.checkpoint_every)?;
        at_most("pretrain.epochs", self.epochs, MOST_EPOCHS)?;
        at_most("pretrain.max_positions", self.max_positions as u64, MOST as u64)?;
        ensure!(
            (5..=self.max_positions).contains(&self.max_len),
            "pretrain.max_len = {}: must be at least 5 and at most max_positions ({})",
            self.max_len,
            self.max_positions
        );
        self.encoder(8).validate().map_err(|error| anyhow!("pretrain: {error}"))
    }
}

/// How label embeddings start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LabelInit {
    /// Mean encoder output over the word pieces of the official description (paper, section 3.4).
    #[default]
    Semantic,
    /// Drawn at random.
    Random,
}

/// Whether labels have biases, and how they start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LabelBias {
    /// As in the paper: none in the XML head; in the CLS head they start at 0.
    #[default]
    Paper,
    /// Each at the log-odds of its code among the training notes, so that nothing has to be learnt about how
    /// common a code is. In the XML head a departure from the paper.
    Prevalence,
}

/// By which number on dev the best epoch is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum KeepBy {
    /// Micro AUC, as the paper chooses.
    #[default]
    Auc,
    /// Mean average precision over a note's ranked codes: the first codes count most.
    Map,
}

/// Settings of `bert-xml finetune`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FinetuneSettings {
    /// Classification head. Paper: both.
    pub head: HeadKind,
    /// How label embeddings start (XML head).
    pub label_init: LabelInit,
    /// Factor on label embeddings that start semantic. Paper: 1. The attention's scores are ⟨h, l⟩ unscaled; where
    /// the mean hidden state is long, its softmax starts saturated and learns nothing, and a factor below 1 helps.
    pub label_init_scale: f64,
    /// Whether labels have biases (XML head), and how they start. Paper: the XML head has none.
    pub label_bias: LabelBias,
    /// From a label's context to its logit (XML head): shared by all labels, or own. Paper: shared.
    pub readout: Readout,
    /// Where labels have a readout of their own and start semantic: it starts as the description's embedding, less
    /// the mean over all labels, times this; 0 draws it at random. The paper has no such readout.
    pub readout_init_scale: f64,
    /// Width of `W_b`; 0 for that of the hidden states. The paper does not give it.
    pub head_hidden: usize,
    /// Labels worked on at a time (XML head): bounds memory, changes nothing else.
    pub label_chunk: usize,
    /// Longest window in tokens, special ones included. Paper: 512 and 1,024.
    pub max_len: usize,
    /// Content tokens between the starts of two windows; 0 for `max_len - 2` (no overlap). The paper does not
    /// give it.
    pub stride: usize,
    /// Dropout of hidden states and attention weights. Paper: .1.
    pub dropout: f64,
    /// Dropout of attention weights; that of hidden states where it is not given.
    pub attention_dropout: Option<f64>,
    /// How notes lie in rows. Paper: padded.
    pub rows: Rows,
    /// Numbers that matrix products take; all else is in f32.
    pub precision: Products,
    /// Whether the encoder's blocks are computed twice instead of kept: less memory, a third more time.
    pub gradient_checkpointing: bool,
    /// First encoder layers that stay as they are, embeddings included; 0 trains everything.
    pub freeze: usize,
    /// Passes over the training split. Paper: 3.
    pub epochs: u64,
    /// By which number on dev the best epoch is kept.
    pub keep_by: KeepBy,
    /// Windows of a step. Paper: 32.
    pub batch: usize,
    /// Tokens of a micro-batch.
    pub micro_batch: MicroBatch,
    /// Steps after which to stop, whatever `epochs` says; 0 for none. The schedule ends there too.
    pub max_steps: u64,
    /// Steps between checkpoints.
    pub checkpoint_every: u64,
    /// Shape of an encoder that starts at random (`--encoder none`).
    pub size: Size,
    /// Optimizer and schedule.
    pub optimizer: OptimizerSettings,
}

impl Default for FinetuneSettings {
    fn default() -> Self {
        Self {
            head: HeadKind::Xml,
            label_init: LabelInit::Semantic,
            label_init_scale: 1.0,
            label_bias: LabelBias::Paper,
            readout: Readout::Shared,
            readout_init_scale: 0.0,
            head_hidden: 0,
            label_chunk: 256,
            max_len: 1024,
            stride: 0,
            dropout: 0.1,
            attention_dropout: None,
            rows: Rows::Padded,
            precision: Products::F32,
            gradient_checkpointing: false,
            freeze: 0,
            epochs: 3,
            keep_by: KeepBy::Auc,
            batch: 32,
            micro_batch: MicroBatch::Auto,
            max_steps: 0,
            checkpoint_every: 500,
            size: Size::Small,
            optimizer: OptimizerSettings::default(),
        }
    }
}

impl FinetuneSettings {
    /// Dropout of attention weights.
    pub fn attention_dropout(&self) -> f64 {
        self.attention_dropout.unwrap_or(self.dropout)
    }

    /// Content tokens between window starts.
    pub fn stride(&self) -> usize {
        if self.stride == 0 { self.max_len - 2 } else { self.stride }
    }

    /// The XML head's departures from the paper.
    pub fn xml(&self) -> XmlOptions {
        XmlOptions { readout: self.readout, bias: self.label_bias == LabelBias::Prevalence }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is out of range, with its value and the rule.
    pub fn validate(&self) -> Result<()> {
        self.optimizer.validate()?;
        positive("finetune.batch", self.batch as u64)?;
        positive("finetune.epochs", self.epochs)?;
        positive("finetune.checkpoint_every", self.checkpoint_every)?;
        at_most("finetune.epochs", self.epochs, MOST_EPOCHS)?;
        at_most("finetune.head_hidden", self.head_hidden as u64, MOST as u64)?;
        at_most("finetune.max_len", self.max_len as u64, MOST as u64)?;
        positive("finetune.label_chunk", self.label_chunk as u64)?;
        ensure!(
            self.label_init_scale.is_finite() && self.label_init_scale > 0.0,
            "finetune.label_init_scale = {}: must be positive",
            self.label_init_scale
        );
        ensure!(
            self.readout_init_scale.is_finite() && self.readout_init_scale >= 0.0,
            "finetune.readout_init_scale = {}: must be 0 or positive",
            self.readout_init_scale
        );
        ensure!(self.max_len >= 3, "finetune.max_len = {}: must be at least 3", self.max_len);
        ensure!(
            self.stride <= self.max_len - 2,
            "finetune.stride = {}: must be at most max_len - 2, or tokens would be skipped",
            self.stride
        );
        for (field, value) in [("dropout", self.dropout), ("attention_dropout", self.attention_dropout())] {
            ensure!(
                (0.0..1.0).contains(&value),
                "finetune.{field} = {value}: must be at least 0 and below 1"
            );
        }
        ensure!(
            self.freeze == 0 || (self.rows == Rows::Padded && !self.gradient_checkpointing),
            "finetune.freeze = {}: goes with rows = \"padded\" and without gradient_checkpointing",
            self.freeze
        );
        Ok(())
    }
}

/// Far above anything that a machine can hold; below it, a number is a mistake of the user and not of the memory.
const MOST: usize = 1 << 16;
const MOST_EPOCHS: u64 = 1_000_000;

fn at_most(field: &str, value: u64, most: u64) -> Result<()> {
    ensure!(value <= most, "{field} = {value}: must be at most {most}");
    Ok(())
}

fn positive(field: &str, value: u64) -> Result<()> {
    ensure!(value > 0, "{field} = {value}: must be at least 1");
    Ok(())
}

/// One section of a recipe (`vocab`, `pretrain` or `finetune`), with `key=value` overrides laid over it.
///
/// `recipe` is the name of a recipe that comes with the command, or a TOML file.
///
/// # Errors
/// An unknown recipe, field or value; each named.
pub fn load<T: DeserializeOwned>(
    recipe: &str,
    section: &str,
    overrides: &[(String, toml::Value)],
) -> Result<T> {
    let own;
    let text = match RECIPES.iter().find(|(name, _)| *name == recipe) {
        Some((_, text)) => *text,
        None => {
            let path = Path::new(recipe);
            if !path.is_file() {
                let names: Vec<&str> = RECIPES.iter().map(|(name, _)| *name).collect();
                return Err(hinted(
                    format!("recipe `{recipe}` is neither a file nor one of {}", names.join(", ")),
                    "a recipe file is TOML with the tables [vocab], [pretrain] and [finetune]",
                ));
            }
            own = std::fs::read_to_string(path).with_context(|| format!("reading {recipe}"))?;
            &own
        }
    };
    let mut table: toml::Table = text.parse().with_context(|| format!("recipe {recipe}"))?;
    let known = ["vocab", "pretrain", "finetune"];
    if let Some(other) = table.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(anyhow!("recipe {recipe}: unknown table [{other}]; known are {}", known.join(", ")));
    }
    let mut section_table = match table.remove(section) {
        Some(toml::Value::Table(table)) => table,
        Some(_) => return Err(anyhow!("recipe {recipe}: {section} must be a table")),
        None => toml::Table::new(),
    };
    for (key, value) in overrides {
        let (path, last) =
            key.rsplit_once('.').map_or((None, key.as_str()), |(path, last)| (Some(path), last));
        let mut place = &mut section_table;
        for part in path.into_iter().flat_map(|path| path.split('.')) {
            let next = place.entry(part).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            place = next.as_table_mut().ok_or_else(|| anyhow!("{section}.{key}: {part} is not a table"))?;
        }
        place.insert(last.to_owned(), value.clone());
    }
    toml::Value::Table(section_table)
        .try_into()
        .map_err(|error: toml::de::Error| anyhow!("recipe {recipe}, [{section}]: {}", error.message()))
}

/// Reads `key=value` of `--set`; the value is TOML, or a bare word.
///
/// # Errors
/// No `=` in it.
pub fn parse_override(word: &str) -> Result<(String, toml::Value), String> {
    let (key, value) = word.split_once('=').ok_or_else(|| format!("`{word}`: must be key=value"))?;
    let parsed = format!("v = {value}").parse::<toml::Table>().ok().and_then(|mut table| table.remove("v"));
    Ok((key.trim().to_owned(), parsed.unwrap_or_else(|| toml::Value::String(value.trim().to_owned()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_is_valid_and_the_paper_is_the_paper() {
        for (name, _) in RECIPES {
            load::<PretrainSettings>(name, "pretrain", &[]).unwrap().validate().unwrap();
            load::<FinetuneSettings>(name, "finetune", &[]).unwrap().validate().unwrap();
        }
        let paper: FinetuneSettings = load("paper", "finetune", &[]).unwrap();
        assert_eq!(paper, FinetuneSettings::default());
        assert_eq!((paper.optimizer.learning_rate, paper.optimizer.warmup), (2e-5, 0.1));
        assert_eq!(load::<PretrainSettings>("paper", "pretrain", &[]).unwrap(), PretrainSettings::default());
    }

    #[test]
    fn overrides_are_laid_over_and_checked() {
        let overrides = ["optimizer.learning_rate=3e-4", "size=tiny", "micro_batch={tokens = 512}"]
            .map(|word| parse_override(word).unwrap());
        let settings: PretrainSettings = load("paper", "pretrain", &overrides).unwrap();
        assert_eq!((settings.optimizer.learning_rate, settings.size), (3e-4, Size::Tiny));
        assert_eq!(settings.micro_batch, MicroBatch::Tokens(512));
        let error = load::<PretrainSettings>("paper", "pretrain", &[parse_override("epoch=3").unwrap()]);
        assert!(error.unwrap_err().to_string().contains("unknown field `epoch`"));
        assert!(parse_override("epochs").is_err());
        let error = load::<PretrainSettings>("papre", "pretrain", &[]).unwrap_err();
        assert!(error.to_string().starts_with("recipe `papre` is neither a file nor one of paper"));
        let huge = FinetuneSettings { head_hidden: 1 << 40, ..FinetuneSettings::default() };
        let said = huge.validate().unwrap_err().to_string();
        assert_eq!(said, "finetune.head_hidden = 1099511627776: must be at most 65536");
        let huge = PretrainSettings { max_positions: 1 << 40, ..PretrainSettings::default() };
        assert!(huge.validate().unwrap_err().to_string().ends_with("must be at most 65536"));
        let bad = FinetuneSettings { stride: 2000, ..FinetuneSettings::default() };
        assert!(
            bad.validate().unwrap_err().to_string().starts_with("finetune.stride = 2000: must be at most")
        );
    }
}
