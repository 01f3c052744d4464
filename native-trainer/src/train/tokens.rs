//! A corpus split as token ids and label indices: tokenized into memory, or mapped from shards. Whatever is made of the
//! one is made of the other, to the last batch.

use std::ops::Range;

use anyhow::Result;
use bert_xml_core::data::{Split, TokenSource, TokenStore};
use bert_xml_core::text::{Note, Tokenizer};

use crate::context::Context;
use crate::corpus::Corpus;
use crate::progress::Unit;
use crate::shards::{Encoders, MappedSplit, TokenFolder};

/// Notes that are tokenized together.
const GROUP: usize = 512;

/// A tokenized split. Notes keep the order of the corpus.
#[derive(Default)]
pub struct TokenizedSplit {
    /// Token ids by note.
    pub tokens: NoteTokens,
    /// Label indices by note, rising; codes outside the label set are left out. In memory, but for pretraining from
    /// shards, which reads none.
    pub gold: Vec<Vec<u32>>,
    /// Occurrences of codes outside the label set.
    pub outside: u64,
}

/// Token ids and the notes' own ids.
pub enum NoteTokens {
    /// In memory.
    Held {
        /// Token ids by note.
        tokens: TokenStore,
        /// Ids of the notes.
        note_ids: Vec<String>,
    },
    /// In shards on disk.
    Mapped(MappedSplit),
}

impl Default for NoteTokens {
    fn default() -> Self {
        Self::Held { tokens: TokenStore::default(), note_ids: Vec::new() }
    }
}

impl NoteTokens {
    /// A note's id.
    ///
    /// # Panics
    /// If there is no such note.
    pub fn note_id(&self, at: usize) -> &str {
        match self {
            Self::Held { note_ids, .. } => &note_ids[at],
            Self::Mapped(split) => split.name(at),
        }
    }
}

impl TokenSource for NoteTokens {
    fn len(&self) -> usize {
        match self {
            Self::Held { tokens, .. } => tokens.len(),
            Self::Mapped(split) => split.len(),
        }
    }

    fn note_len(&self, at: usize) -> usize {
        match self {
            Self::Held { tokens, .. } => tokens.note_len(at),
            Self::Mapped(split) => split.note_len(at),
        }
    }

    fn append(&self, at: usize, range: Range<usize>, ids: &mut Vec<u32>) {
        match self {
            Self::Held { tokens, .. } => tokens.append(at, range, ids),
            Self::Mapped(split) => split.append(at, range, ids),
        }
    }
}

impl TokenizedSplit {
    /// A split out of shards, without its gold labels.
    ///
    /// # Errors
    /// A shard that is missing or damaged.
    pub fn mapped(folder: &TokenFolder, split: Split) -> Result<Self> {
        let mapped = folder.split(split)?;
        Ok(Self { outside: mapped.outside, tokens: NoteTokens::Mapped(mapped), gold: Vec::new() })
    }

    /// With its gold labels in memory, wherever the tokens are.
    #[must_use]
    pub fn with_gold(mut self) -> Self {
        if let NoteTokens::Mapped(split) = &self.tokens {
            self.gold = (0..split.len()).map(|note| split.labels(note)).collect();
        }
        self
    }
}

/// Tokenizes a split on all cores, into memory.
///
/// # Errors
/// The corpus cannot be read.
pub fn tokenize(
    context: &Context,
    corpus: &Corpus,
    split: Split,
    tokenizer: &Tokenizer,
) -> Result<TokenizedSplit> {
    let mut progress = context.start(&format!("tokens {split}"), Some(corpus.count(split)), Unit::Notes);
    let (mut tokens, mut note_ids) = (TokenStore::default(), Vec::new());
    let (mut all_gold, mut outside) = (Vec::new(), 0);
    let encoders = Encoders::new(tokenizer);
    let mut notes = corpus.notes(split)?;
    loop {
        let group: Vec<Note> = notes.by_ref().take(GROUP).collect::<Result<_>>()?;
        if group.is_empty() {
            break;
        }
        let ids = encoders.encode(&group);
        for (note, ids) in group.into_iter().zip(ids) {
            tokens.push(&ids);
            let (gold, others) = corpus.labels().indices(&note.codes);
            outside += others as u64;
            all_gold.push(gold);
            note_ids.push(note.note_id);
            progress.advance(1);
        }
    }
    progress.finish();
    Ok(TokenizedSplit { tokens: NoteTokens::Held { tokens, note_ids }, gold: all_gold, outside })
}
