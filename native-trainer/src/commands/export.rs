//! `bert-xml export`.

use std::fs;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bert_xml_core::model_folder::ModelCard;
use bert_xml_core::quantization::Precision;
use clap::{Args, ValueEnum};

use crate::context::Context;
use crate::prediction::exchange;
use crate::shipping::{Names, Shipping, ship};

/// Options of `export`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// A model folder, or a run of pretraining or fine-tuning
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// The folder to write: a Hugging Face BERT, and head.safetensors for a fine-tuned model; with --quantize a model to
    /// ship
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Write the model for servers and browsers, its weights stored so
    #[arg(long, value_name = "PRECISION", requires = "corpus", help_heading = "Ship a fine-tuned model")]
    pub quantize: Option<Quantize>,
    /// Corpus whose dev split calibrates the probabilities and is compared on
    #[arg(long, value_name = "DIR", requires = "quantize", help_heading = "Ship a fine-tuned model")]
    pub corpus: Option<PathBuf>,
    /// Keep tensors of this name in f32; * stands for any characters
    #[arg(long, value_name = "PATTERN", requires = "quantize", help_heading = "Ship a fine-tuned model")]
    pub keep_f32: Vec<String>,
    /// What is done where 8 bits change the codes too much
    #[arg(
        long,
        value_name = "REMEDY",
        value_enum,
        default_value_t = RemedyWord::Auto,
        requires = "quantize",
        help_heading = "Ship a fine-tuned model"
    )]
    pub remedy: RemedyWord,
    /// TOML file for people: name, language, licence, trained_on, intended_use, limits
    #[arg(long, value_name = "FILE", requires = "quantize", help_heading = "Ship a fine-tuned model")]
    pub card: Option<PathBuf>,
    /// Development notes at most, evenly from the split
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1000,
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Ship a fine-tuned model"
    )]
    pub dev_notes: u32,
}

/// How weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Quantize {
    /// In f32, as trained
    None,
    /// In half precision
    F16,
    /// In 8 bits, one scale a row
    Int8,
    /// In 4 bits, one scale for 32 weights
    Int4,
}

/// What is done beyond the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RemedyWord {
    /// The cheapest parts that mend it are stored in half precision
    Auto,
    /// Nothing: it is told
    None,
}

impl From<Quantize> for Precision {
    fn from(quantize: Quantize) -> Self {
        match quantize {
            Quantize::None => Self::F32,
            Quantize::F16 => Self::F16,
            Quantize::Int8 => Self::Int8,
            Quantize::Int4 => Self::Int4,
        }
    }
}

/// Writes the encoder in Hugging Face's format and the head beside it, or the whole model to ship.
///
/// # Errors
/// A damaged model; the output folder holds something already; what shipping needs and does not find.
pub fn run(context: &Context, options: &Options) -> Result<()> {
    match (options.quantize, &options.corpus) {
        (Some(quantize), Some(corpus)) => {
            let shipping = Shipping {
                model: options.model.clone(),
                corpus: corpus.clone(),
                out: options.out.clone(),
                precision: quantize.into(),
                keep_f32: Names(options.keep_f32.clone()),
                mend: options.remedy == RemedyWord::Auto,
                card: options.card.as_deref().map(read_card).transpose()?.unwrap_or_default(),
                dev_notes: options.dev_notes as usize,
            };
            write!(stdout(), "{}", ship(context, &shipping)?.summary())?;
        }
        _ => exchange::export(&options.model, &options.out)?,
    }
    writeln!(stdout(), "written: {}", options.out.display())?;
    Ok(())
}

fn read_card(path: &Path) -> Result<ModelCard> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}
