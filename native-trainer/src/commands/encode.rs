//! `bert-xml encode`.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;

use crate::context::Context;
use crate::files::{STANDARD, check_file_place};
use crate::ingest::Columns;
use crate::prediction::ModelPlace;
use crate::prediction::states::StateReader;
use crate::prediction::stream::notes;
use crate::progress::Unit;

/// Options of `encode`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// A model folder, a run, or a Hugging Face BERT folder
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// Records to encode: JSON Lines, CSV or Parquet; - reads JSON Lines from standard input
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// The safetensors file to write: NOTE_ID.hidden, a row a token, and NOTE_ID.mean
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Write the means only
    #[arg(long)]
    pub pooled_only: bool,
    /// Longest window in tokens, special ones included [default: all positions of the encoder]
    #[arg(long, value_name = "TOKENS")]
    pub max_len: Option<usize>,
    /// Names of the record's fields
    #[command(flatten)]
    pub columns: Columns,
}

/// Writes the hidden states of every token once, in the order of the note, and their mean.
///
/// # Errors
/// A model that cannot be read, a record that cannot be read or is empty; the file is written whole or not at all.
pub fn run(context: &Context, options: &Options) -> Result<()> {
    ensure!(
        options.out.as_os_str() != STANDARD,
        "--out -: hidden states are a file with its sizes at the front; name a file"
    );
    check_file_place(&options.out)?;
    let bert = ModelPlace::read_encoder(&options.model)?;
    let (positions, d_model) = (bert.config.max_position_embeddings, bert.config.hidden_size);
    let max_len = options.max_len.unwrap_or(positions);
    ensure!(
        (3..=positions).contains(&max_len),
        "--max-len {max_len}: must be 3 to {positions}, the encoder's positions"
    );
    let (device, _) = context.device.open()?;
    let tokenizer = bert.tokenizer.clone();
    let encoder = bert.into_encoder(&device)?;
    let reader =
        StateReader { encoder, tokenizer, device, max_len, d_model, pooled_only: options.pooled_only };
    let mut progress = context.start("encode", None, Unit::Notes);
    let done = reader.write(notes(&options.input, &options.columns)?, &options.out, &mut progress)?;
    progress.say(&format!("{done} notes in {}", options.out.display()));
    progress.finish();
    Ok(())
}
