//! Masked language model (Devlin et al. 2019, section 3.1; kept by the paper): 15 % of the word pieces are
//! predicted; of these 80 % are hidden, 10 % replaced, 10 % left.

use rand::seq::index;
use rand::{Rng, RngExt};

use super::batch::WindowBatch;
use crate::text::SpecialTokens;

/// Share of word pieces that are predicted.
pub const MASKED_SHARE: f64 = 0.15;

/// What the decoder has to find.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaskedTokens {
    /// Places in the flattened `[batch · seq]`, rising.
    pub positions: Vec<u32>,
    /// The ids that stood there.
    pub targets: Vec<u32>,
}

/// Hides word pieces of every row of a batch: 15 % of them, rounded, and at least one.
///
/// A replacement is drawn from all tokens that are not special.
///
/// # Panics
/// If the vocabulary has special tokens only.
pub fn mask_tokens(
    batch: &mut WindowBatch,
    special: &SpecialTokens,
    vocab: usize,
    random: &mut impl Rng,
) -> MaskedTokens {
    assert!(vocab > 5, "a vocabulary of special tokens only");
    let mut masked = MaskedTokens::default();
    for row in 0..batch.batch {
        let start = row * batch.seq;
        let places: Vec<usize> = (start..start + batch.seq).filter(|&at| batch.real[at]).collect();
        let count = ((places.len() as f64 * MASKED_SHARE).round() as usize).max(1);
        let mut chosen = index::sample(random, places.len(), count).into_vec();
        chosen.sort_unstable();
        for at in chosen.into_iter().map(|choice| places[choice]) {
            masked.positions.push(at as u32);
            masked.targets.push(batch.ids[at]);
            match random.random_range(0..10) {
                0..8 => batch.ids[at] = special.mask,
                8 => batch.ids[at] = ordinary_token(special, vocab, random),
                _ => {}
            }
        }
    }
    masked
}

fn ordinary_token(special: &SpecialTokens, vocab: usize, random: &mut impl Rng) -> u32 {
    loop {
        let id = random.random_range(0..vocab as u32);
        if !special.contains(id) {
            return id;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::pad_windows;
    use crate::data::random::{Purpose, stream};

    const SPECIAL: SpecialTokens = SpecialTokens { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 };

    #[test]
    fn shares_are_15_percent_and_80_10_10() {
        let windows: Vec<Vec<u32>> = (0..200)
            .map(|row| [2].into_iter().chain((0..100).map(|i| 5 + (row + i) % 500)).chain([3]).collect())
            .collect();
        let original = pad_windows(&windows, &SPECIAL, 8, 128);
        let mut batch = original.clone();
        let masked = mask_tokens(&mut batch, &SPECIAL, 1000, &mut stream(1, Purpose::Masking, [0, 0]));
        assert_eq!(masked.positions.len(), 200 * 15);
        assert!(masked.positions.is_sorted());
        let (mut hidden, mut kept) = (0, 0);
        for (&at, &target) in masked.positions.iter().zip(&masked.targets) {
            let at = at as usize;
            assert!(original.real[at] && original.ids[at] == target);
            hidden += usize::from(batch.ids[at] == SPECIAL.mask);
            kept += usize::from(batch.ids[at] == target);
        }
        assert!(hidden.abs_diff(2400) < 100 && kept.abs_diff(300) < 60, "{hidden} {kept}");
        let changed = (0..batch.ids.len()).filter(|&at| batch.ids[at] != original.ids[at]);
        assert!(changed.clone().all(|at| masked.positions.contains(&(at as u32))));
        assert_eq!(changed.count(), 3000 - kept);
        assert_eq!((batch.keep, batch.real), (original.keep, original.real));
    }

    #[test]
    fn a_short_row_has_one_masked_token_and_the_stream_decides() {
        let run = |step| {
            let mut batch = pad_windows(&[vec![2, 9, 3], vec![2, 8, 7, 3]], &SPECIAL, 8, 128);
            let masked = mask_tokens(&mut batch, &SPECIAL, 1000, &mut stream(1, Purpose::Masking, [step, 0]));
            (batch, masked)
        };
        assert_eq!(run(3), run(3));
        let (_, masked) = run(3);
        assert_eq!((masked.positions.len(), masked.positions[0], masked.targets[0]), (2, 1, 9));
    }
}
