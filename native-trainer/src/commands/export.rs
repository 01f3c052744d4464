//! `bert-xml export`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::context::Context;
use crate::prediction::exchange;

/// Options of `export`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// A model folder, or a run of pretraining or fine-tuning
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// The folder to write: a Hugging Face BERT, and head.safetensors for a fine-tuned model
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Writes the encoder in Hugging Face's format, and the head beside it.
///
/// # Errors
/// A damaged model; the output folder holds something already.
pub fn run(_context: &Context, options: &Options) -> Result<()> {
    exchange::export(&options.model, &options.out)?;
    println!("written: {}", options.out.display());
    Ok(())
}
