//! `bert-xml import`.

use std::io::{Write, stdout};
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::context::Context;
use crate::prediction::exchange;

/// Options of `import`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// A Hugging Face BERT folder: config.json, model.safetensors, vocab.txt or tokenizer.json
    #[arg(value_name = "HF_DIR")]
    pub folder: PathBuf,
    /// The folder to write, in the same format
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Positions to extend to; new ones are random by --seed, as in the paper
    #[arg(long, value_name = "TOKENS", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(3..=65_536))]
    pub max_positions: u32,
}

/// Reads a checkpoint, extends its positions, and says what was found, missing and unused.
///
/// # Errors
/// A folder that is no BERT of ours; the output folder holds something already.
pub fn run(context: &Context, options: &Options) -> Result<()> {
    let (before, bert) =
        exchange::import(&options.folder, &options.out, options.max_positions as usize, context.seed)?;
    let (config, mut out) = (&bert.config, stdout().lock());
    writeln!(
        out,
        "encoder: {} layers of {} units, {} heads, {} tokens ({})",
        config.num_hidden_layers,
        config.hidden_size,
        config.num_attention_heads,
        bert.tokenizer.vocab_size(),
        if bert.tokenizer.lowercase() { "lowercased" } else { "cased" },
    )?;
    let now = config.max_position_embeddings;
    if now > before {
        writeln!(
            out,
            "positions: {before} found, {} new ones drawn with seed {}",
            now - before,
            context.seed
        )?;
    } else {
        writeln!(out, "positions: {now} found")?;
    }
    let heads = [("mlm", bert.has_mlm), ("nsp", bert.has_nsp), ("pooler", bert.has_pooler)];
    let names = |there: bool| {
        let names: Vec<&str> = heads.iter().filter(|head| head.1 == there).map(|head| head.0).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    writeln!(out, "heads found: {}", names(true))?;
    writeln!(out, "heads missing: {} (pretraining draws them afresh)", names(false))?;
    let unused = if bert.unused.is_empty() { "none".to_owned() } else { bert.unused.join(", ") };
    writeln!(out, "tensors without use here: {unused}")?;
    writeln!(out, "written: {}", options.out.display())?;
    Ok(())
}
