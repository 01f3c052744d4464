//! A corpus split as token ids and label indices, in memory.

use anyhow::Result;
use bert_xml_core::data::{Split, TokenStore};
use bert_xml_core::text::{Note, Tokenizer};
use rayon::prelude::*;

use crate::context::Context;
use crate::corpus::Corpus;
use crate::progress::Unit;

/// Notes that are tokenized together.
const GROUP: usize = 512;

/// A tokenized split. Notes keep the order of the corpus.
#[derive(Clone, Debug, Default)]
pub struct TokenizedSplit {
    /// Token ids by note.
    pub tokens: TokenStore,
    /// Label indices by note, rising; codes outside the label set are left out.
    pub gold: Vec<Vec<u32>>,
    /// Ids of the notes.
    pub note_ids: Vec<String>,
    /// Occurrences of codes outside the label set.
    pub outside: u64,
}

/// Tokenizes a split on all cores.
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
    let mut made = TokenizedSplit::default();
    let mut notes = corpus.notes(split)?;
    loop {
        let group: Vec<Note> = notes.by_ref().take(GROUP).collect::<Result<_>>()?;
        if group.is_empty() {
            break;
        }
        let ids: Vec<Vec<u32>> = group.par_iter().map(|note| tokenizer.encode(&note.text).ids).collect();
        for (note, ids) in group.into_iter().zip(ids) {
            made.tokens.push(&ids);
            let (gold, outside) = corpus.labels().indices(&note.codes);
            made.outside += outside as u64;
            made.gold.push(gold);
            made.note_ids.push(note.note_id);
            progress.advance(1);
        }
    }
    progress.finish();
    Ok(made)
}
