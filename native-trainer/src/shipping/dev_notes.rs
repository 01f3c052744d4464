//! The development notes that a shipped model is calibrated and compared on.

use anyhow::Result;
use bert_xml_core::data::Split;
use bert_xml_core::infer::{Coder, PredictOptions};

use crate::context::Context;
use crate::corpus::Corpus;
use crate::error::hinted;
use crate::prediction::on_corpus::check_labels;
use crate::progress::Unit;

/// Notes that are batched together.
const GROUP: usize = 64;

/// Tokens and gold codes of development notes.
#[derive(Clone, Debug)]
pub struct DevNotes {
    /// Token ids, special ones not included; never none.
    pub ids: Vec<Vec<u32>>,
    /// Label indices by note, rising.
    pub gold: Vec<Vec<u32>>,
    /// Notes in the split.
    pub of: u64,
    /// Notes that were left out because the tokenizer finds nothing in them.
    pub without_tokens: usize,
}

impl DevNotes {
    /// Reads at most `most` notes, evenly from the whole split.
    ///
    /// # Errors
    /// A corpus of other labels; a split without notes; a damaged corpus.
    pub fn read(corpus: &Corpus, coder: &Coder, most: usize) -> Result<Self> {
        check_labels(coder, corpus)?;
        let of = corpus.count(Split::Dev);
        let mut notes = Self { ids: Vec::new(), gold: Vec::new(), of, without_tokens: 0 };
        for (at, note) in (0..).zip(corpus.notes(Split::Dev)?) {
            let note = note?;
            if !is_drawn(at, of, most as u64) {
                continue;
            }
            let ids = coder.tokenizer().encode(&note.text).ids;
            if ids.is_empty() {
                notes.without_tokens += 1;
                continue;
            }
            let (gold, _) = coder.labels().indices(&note.codes);
            notes.ids.push(ids);
            notes.gold.push(gold);
        }
        if notes.ids.is_empty() {
            return Err(hinted(
                "the corpus has no development notes: a model is calibrated and compared on them",
                "prepare the corpus with a dev split",
            ));
        }
        Ok(notes)
    }

    /// The notes at these places.
    pub fn only(&self, places: &[usize]) -> Self {
        let of = |all: &[Vec<u32>]| places.iter().map(|&place| all[place].clone()).collect();
        Self { ids: of(&self.ids), gold: of(&self.gold), ..*self }
    }

    /// Logits of every code, `[notes, labels]`.
    pub fn logits(&self, context: &Context, coder: &Coder, step: &str) -> Vec<f32> {
        let mut progress = context.start(step, Some(self.ids.len() as u64), Unit::Notes);
        let mut logits = Vec::with_capacity(self.ids.len() * coder.labels().len());
        for group in self.ids.chunks(GROUP) {
            let rows: Vec<&[u32]> = group.iter().map(Vec::as_slice).collect();
            logits.extend(coder.logits_of_tokens(&rows, &PredictOptions::default()));
            progress.advance(group.len() as u64);
        }
        progress.finish();
        logits
    }
}

/// Whether place `at` is one of `most` places spread evenly over `of`.
fn is_drawn(at: u64, of: u64, most: u64) -> bool {
    let before = |at: u64| u128::from(at) * u128::from(most.min(of)) / u128::from(of.max(1));
    before(at + 1) > before(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_spread_evenly_and_as_many_as_asked_for() {
        let drawn = |of, most| (0..of).filter(|&at| is_drawn(at, of, most)).collect::<Vec<u64>>();
        assert_eq!(drawn(10, 4), [2, 4, 7, 9]);
        assert_eq!(drawn(3, 1000), [0, 1, 2]);
        assert_eq!(drawn(196, 150).len(), 150);
    }
}
