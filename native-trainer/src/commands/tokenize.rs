//! `bert-xml tokenize`.

use std::path::PathBuf;

use anyhow::Result;
use bert_xml_core::data::Split;
use clap::Args;

use super::recipe::tokenizer_digest;
use crate::context::Context;
use crate::corpus::Corpus;
use crate::corpus::vocabulary::open_vocabulary;
use crate::shards::{SHARD_TOKENS, Tokenized, tokenize_corpus};
use crate::talk;

/// Options of `tokenize`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Corpus folder, from `prepare`
    #[arg(long)]
    pub corpus: PathBuf,
    /// Vocabulary: `tokenizer.json`, or a folder with it, from `vocab`; that of the encoder that will be trained
    #[arg(long)]
    pub vocab: PathBuf,
    /// Folder to write, for --tokens of `pretrain` and `finetune`; one that an earlier call left unfinished is finished
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Tokens of a shard; 2 bytes each up to a vocabulary of 65,536, else 4
    #[arg(long, value_name = "N", default_value_t = SHARD_TOKENS)]
    pub shard_tokens: u64,
}

/// Runs the step.
///
/// # Errors
/// Those of the step.
pub fn run(context: &Context, options: &Options) -> Result<()> {
    let corpus = Corpus::open(&options.corpus)?;
    let tokenizer = open_vocabulary(&options.vocab, false)?;
    let digest = tokenizer_digest(&tokenizer)?;
    let vocabulary = (&tokenizer, digest.as_str());
    let done = tokenize_corpus(context, &corpus, vocabulary, &options.out, options.shard_tokens)?;
    talk::say(&told(&done));
    Ok(())
}

fn told(done: &Tokenized) -> String {
    let Tokenized { manifest, found, made, seconds } = done;
    let sum = |count: fn(&crate::shards::Manifest, Split) -> u64| {
        Split::ALL.into_iter().map(|split| count(manifest, split)).sum::<u64>()
    };
    let (notes, tokens) =
        (sum(|manifest, split| manifest.notes(split)), sum(|manifest, split| manifest.tokens(split)));
    let shards = sum(|manifest, split| manifest.of(split).len() as u64);
    let all = format!("{notes} notes, {tokens} tokens in {shards} shards");
    if notes == *found {
        return format!("finished already: {all}");
    }
    let before = if *found > 0 { format!("; {found} notes were done already") } else { String::new() };
    format!("{all}; {:.0} tokens/s{before}", *made as f64 / seconds)
}
