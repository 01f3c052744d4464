//! `tokens.json`: what makes a folder a tokenized corpus, and which corpus and vocabulary it is of.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use bert_xml_core::data::Split;
use serde::{Deserialize, Serialize};

use crate::error::hinted;

/// What `format` says.
const FORMAT: &str = "bert-xml-tokens";
/// The version that this build writes and reads.
const VERSION: u32 = 1;

/// The manifest's file name.
pub const MANIFEST: &str = "tokens.json";
/// The manifest's file name until all shards are there.
pub const UNFINISHED: &str = "unfinished.json";

/// `tokens.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `bert-xml-tokens`.
    pub format: String,
    /// 1.
    pub version: u32,
    /// The version of the command that wrote it.
    pub made_by: String,
    /// SHA-256 of the corpus's manifest.
    pub corpus: String,
    /// SHA-256 of the vocabulary as `tokenizer.json`.
    pub vocabulary: String,
    /// Tokens of the vocabulary, special ones included.
    pub vocab_size: usize,
    /// A shard is closed with the note that brings it to this many tokens (or to 2^20 notes).
    pub shard_tokens: u64,
    /// The shards of each split, in order.
    pub shards: BTreeMap<Split, Vec<ShardMark>>,
}

/// What a shard must be like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardMark {
    /// Notes.
    pub notes: u64,
    /// Tokens.
    pub tokens: u64,
    /// Occurrences of codes outside the label set.
    pub outside: u64,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

/// The file of a split's shard.
pub fn shard_file(split: Split, at: usize) -> String {
    format!("{split}-{at:05}.tokens")
}

impl Manifest {
    /// Without shards.
    pub fn new(corpus: &str, vocabulary: String, vocab_size: usize, shard_tokens: u64) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            made_by: env!("CARGO_PKG_VERSION").to_owned(),
            corpus: corpus.to_owned(),
            vocabulary,
            vocab_size,
            shard_tokens,
            shards: Split::ALL.into_iter().map(|split| (split, Vec::new())).collect(),
        }
    }

    /// The shards of a split.
    pub fn of(&self, split: Split) -> &[ShardMark] {
        self.shards.get(&split).map_or(&[], Vec::as_slice)
    }

    /// Notes of a split.
    pub fn notes(&self, split: Split) -> u64 {
        self.of(split).iter().map(|mark| mark.notes).sum()
    }

    /// Tokens of a split.
    pub fn tokens(&self, split: Split) -> u64 {
        self.of(split).iter().map(|mark| mark.tokens).sum()
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// A file that cannot be read, or is of another format or version.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let damaged = || format!("{} is damaged", path.display());
        // Format and version first: another version may have other fields.
        let value: serde_json::Value = serde_json::from_slice(&bytes).with_context(damaged)?;
        for (key, ours) in [("format", FORMAT.into()), ("version", serde_json::Value::from(VERSION))] {
            if value[key] != ours {
                return Err(hinted(
                    format!("{}: {key} is {}; this build reads {ours}", path.display(), value[key]),
                    "make the folder anew with `bert-xml tokenize`",
                ));
            }
        }
        serde_json::from_value(value).with_context(damaged)
    }

    /// Checks that the folder is of this corpus and vocabulary.
    ///
    /// # Errors
    /// Which of them is another one.
    pub fn check(&self, folder: &Path, corpus: &str, vocabulary: &str) -> Result<()> {
        for (what, of, given) in
            [("corpus", &self.corpus, corpus), ("vocabulary", &self.vocabulary, vocabulary)]
        {
            if of != given {
                return Err(hinted(
                    format!(
                        "{} was tokenized from another {what}: SHA-256 {:.12}…, not {given:.12}…",
                        folder.display(),
                        of
                    ),
                    format!(
                        "the {what} changed, or another one is named; `bert-xml tokenize` into a new folder"
                    ),
                ));
            }
        }
        let found: Vec<Split> = self.shards.keys().copied().collect();
        ensure!(
            Split::ALL.iter().all(|split| found.contains(split)),
            "{}: {MANIFEST} lacks a split",
            folder.display()
        );
        Ok(())
    }
}
