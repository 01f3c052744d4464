//! The rows of pretraining, step by step: sentence pairs, padded and masked, ready for the device.

use bert_xml_core::data::nsp::Pair;
use bert_xml_core::data::{
    MaskedTokens, Purpose, WindowBatch, epoch_batches, epoch_pairs, mask_tokens, micro_batches, pad_pairs,
    stream,
};
use bert_xml_core::text::SpecialTokens;

use super::pretrain::ROUND_TO;
use super::tokens::NoteTokens;

/// The rows of one optimizer step, in parts that are worked on at once.
pub struct PairStep {
    /// Pairs, the same as tokens with some hidden, and what was hidden.
    pub micro: Vec<(Vec<Pair>, WindowBatch, MaskedTokens)>,
}

impl PairStep {
    /// Pairs.
    pub fn rows(&self) -> usize {
        self.micro.iter().map(|(rows, ..)| rows.len()).sum()
    }

    /// The notes that the pairs are made of, by their ids.
    pub fn note_ids<'a>(&self, notes: &'a NoteTokens) -> impl Iterator<Item = &'a str> {
        let pairs = self.micro.iter().flat_map(|(rows, ..)| rows);
        pairs.flat_map(|pair| [pair.a, pair.b]).map(|piece| notes.note_id(piece.note as usize))
    }
}

/// What steps are made from.
#[derive(Clone, Copy)]
pub struct PairSteps<'a> {
    /// The notes.
    pub notes: &'a NoteTokens,
    /// Ids of the special tokens.
    pub special: SpecialTokens,
    /// Tokens of the vocabulary.
    pub vocab: usize,
    /// Tokens of a row, at most.
    pub max_len: usize,
    /// Pairs of a step.
    pub batch: usize,
    /// Tokens that are worked on at once.
    pub budget: usize,
    /// Seed of pairs, order and masks.
    pub seed: u64,
}

impl<'a> PairSteps<'a> {
    /// The steps from `first` on. `epochs` are the epochs with their first step and the one behind their last. A step's
    /// rows depend on nothing but seed, epoch and number.
    pub fn steps(
        self,
        epochs: Vec<(u64, u64, u64)>,
        first: u64,
    ) -> impl Iterator<Item = PairStep> + Send + use<'a> {
        let ahead = epochs.into_iter().filter(move |&(_, start, end)| end > first && end > start);
        ahead.flat_map(move |(epoch, start, end)| {
            let pairs = epoch_pairs(self.notes, self.max_len, self.seed, epoch);
            let lengths: Vec<u32> = pairs.iter().map(Pair::len).collect();
            let batches = epoch_batches(&lengths, self.batch, self.seed, epoch);
            (first.max(start)..end)
                .map(move |step| self.step(&pairs, &lengths, &batches[(step - start) as usize], step))
        })
    }

    fn step(&self, pairs: &[Pair], lengths: &[u32], batch: &[u32], step: u64) -> PairStep {
        let micro = (0u64..).zip(micro_batches(batch, lengths, self.budget)).map(|(at, rows)| {
            let rows: Vec<Pair> = rows.iter().map(|&row| pairs[row as usize]).collect();
            let mut windows = pad_pairs(&rows, self.notes, &self.special, ROUND_TO, self.max_len);
            let mut random = stream(self.seed, Purpose::Masking, [step, at]);
            let masked = mask_tokens(&mut windows, &self.special, self.vocab, &mut random);
            (rows, windows, masked)
        });
        PairStep { micro: micro.collect() }
    }
}

#[cfg(test)]
mod tests {
    use bert_xml_core::data::TokenStore;

    use super::*;

    #[test]
    fn a_start_in_the_middle_gives_the_steps_that_were_left() {
        let mut tokens = TokenStore::default();
        (0..9u32).for_each(|note| tokens.push(&vec![10 + note; 5 + note as usize]));
        let note_ids = (0..9).map(|note| format!("n{note}")).collect();
        let notes = NoteTokens::Held { tokens, note_ids };
        let special = SpecialTokens { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 };
        let made =
            PairSteps { notes: &notes, special, vocab: 30, max_len: 32, batch: 4, budget: 64, seed: 3 };
        let counts = [0, 1].map(|epoch| epoch_pairs(&notes, 32, 3, epoch).len().div_ceil(4) as u64);
        // The last step of the second epoch is left out, as by --max-steps.
        let ranges = vec![(0, 0, counts[0]), (1, counts[0], counts[0] + counts[1] - 1)];
        let all: Vec<PairStep> = made.steps(ranges.clone(), 0).collect();
        assert_eq!(all.len() as u64, counts[0] + counts[1] - 1);
        for first in 0..=all.len() {
            let rest: Vec<PairStep> = made.steps(ranges.clone(), first as u64).collect();
            assert!(
                rest.iter().map(|step| &step.micro).eq(all[first..].iter().map(|step| &step.micro)),
                "{first}"
            );
        }
        let step = &all[0];
        assert_eq!(step.rows(), 4);
        assert!(step.micro.iter().all(|(rows, windows, _)| rows.len() == windows.batch));
        let first = step.micro[0].0[0].a.note;
        assert_eq!(step.note_ids(&notes).next(), Some(format!("n{first}").as_str()));
    }
}
