//! A tokenized corpus, opened: its shards mapped into memory.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bert_xml_core::data::{Split, TokenSource};

use super::layout::MappedShard;
use super::manifest::{MANIFEST, Manifest, ShardMark, UNFINISHED, shard_file};
use crate::corpus::Corpus;
use crate::error::hinted;
use crate::files::sha256;

const AGAIN: &str = "remove the folder and make it again with `bert-xml tokenize`";

/// A folder that `tokenize` wrote, of the corpus and the vocabulary at hand.
pub struct TokenFolder {
    folder: PathBuf,
    manifest: Manifest,
}

impl TokenFolder {
    /// Opens the folder.
    ///
    /// # Errors
    /// A folder that is none or not finished, or was made from another corpus or vocabulary (`digest`: its SHA-256 as
    /// `tokenizer.json`).
    pub fn open(folder: &Path, corpus: &Corpus, digest: &str) -> Result<Self> {
        let path = folder.join(MANIFEST);
        if !path.is_file() {
            return Err(match folder.join(UNFINISHED).is_file() {
                true => hinted(
                    format!("{} is not finished", folder.display()),
                    "call `bert-xml tokenize` again: it goes on where it was ended",
                ),
                false => hinted(
                    format!("{} is no tokenized corpus: it has no {MANIFEST}", folder.display()),
                    "name the folder that `bert-xml tokenize --out` wrote",
                ),
            });
        }
        let manifest = Manifest::read(&path)?;
        manifest.check(folder, corpus.digest(), digest)?;
        for split in Split::ALL {
            ensure!(
                manifest.notes(split) == corpus.count(split),
                "{}: {} notes of {split}; the corpus has {}",
                path.display(),
                manifest.notes(split),
                corpus.count(split)
            );
        }
        Ok(Self { folder: folder.to_owned(), manifest })
    }

    /// Reads every byte of a split's shards once, compares their SHA-256, and maps them.
    ///
    /// # Errors
    /// A shard that is missing or damaged, by name.
    pub fn split(&self, split: Split) -> Result<MappedSplit> {
        let mut mapped = MappedSplit::default();
        for (at, mark) in self.manifest.of(split).iter().enumerate() {
            let shard = open_shard(&self.folder.join(shard_file(split, at)), mark)?;
            mapped.firsts.push(mapped.notes);
            mapped.notes += shard.notes();
            mapped.outside += mark.outside;
            mapped.shards.push(shard);
        }
        Ok(mapped)
    }
}

fn open_shard(path: &Path, mark: &ShardMark) -> Result<MappedShard> {
    let size = std::fs::metadata(path).with_context(|| format!("reading {}", path.display()))?.len();
    let damaged = |what: String| hinted(format!("{} {what}: the shard is damaged", path.display()), AGAIN);
    if size != mark.bytes {
        return Err(damaged(format!("has {size} bytes, not {}", mark.bytes)));
    }
    if sha256(path)? != mark.sha256 {
        return Err(damaged(format!("has another SHA-256 than {MANIFEST} says")));
    }
    let shard = MappedShard::open(path)?;
    if (shard.notes() as u64, shard.tokens() as u64) != (mark.notes, mark.tokens) {
        return Err(damaged(format!("has other counts than {MANIFEST} says")));
    }
    Ok(shard)
}

/// The notes of a split in its shards. Pages are read when a note is looked at, and the system drops them when it needs
/// the memory.
#[derive(Default)]
pub struct MappedSplit {
    shards: Vec<MappedShard>,
    /// The first note of each shard.
    firsts: Vec<usize>,
    notes: usize,
    /// Occurrences of codes outside the label set.
    pub outside: u64,
}

impl MappedSplit {
    /// Label indices of a note, rising.
    pub fn labels(&self, note: usize) -> Vec<u32> {
        let (shard, note) = self.place(note);
        shard.labels(note)
    }

    /// A note's id.
    pub fn name(&self, note: usize) -> &str {
        let (shard, note) = self.place(note);
        shard.name(note)
    }

    fn place(&self, note: usize) -> (&MappedShard, usize) {
        assert!(note < self.notes, "note {note} of {}", self.notes);
        let shard = self.firsts.partition_point(|&first| first <= note) - 1;
        (&self.shards[shard], note - self.firsts[shard])
    }
}

impl TokenSource for MappedSplit {
    fn len(&self) -> usize {
        self.notes
    }

    fn note_len(&self, at: usize) -> usize {
        let (shard, note) = self.place(at);
        shard.note_len(note)
    }

    fn append(&self, at: usize, tokens: Range<usize>, ids: &mut Vec<u32>) {
        let (shard, note) = self.place(at);
        shard.append(note, tokens, ids);
    }
}
