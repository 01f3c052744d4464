//! The distinct scores of a ranking's positives, and where other scores fall between them.

/// Bits of a score below its place in the index: 512 stretches an octave.
const INDEX_SHIFT: u32 = 43;
/// From this many scores on, an index narrows the search first.
const INDEX_FROM: usize = 1 << 12;

/// Distinct scores of positives, rising, and how many positives have each.
#[derive(Clone, Debug, Default)]
pub(super) struct Ladder {
    scores: Vec<f64>,
    positives: Vec<u32>,
    /// For each stretch of scores (by their leading bits), the first of `scores` in it or above; empty for few scores.
    index: Vec<u32>,
}

/// Where a score falls: at the rung `at` exactly (`tied`), or below it and above the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) at: usize,
    pub(super) tied: bool,
}

impl Ladder {
    /// From the scores of all positives in any order, none of them NaN.
    pub(super) fn new(mut scores: Vec<f64>) -> Self {
        scores.sort_unstable_by(f64::total_cmp);
        let mut ladder = Self::default();
        for score in scores {
            match (ladder.scores.last(), ladder.positives.last_mut()) {
                (Some(&last), Some(count)) if last == score => *count += 1,
                _ => {
                    ladder.scores.push(score);
                    ladder.positives.push(1);
                }
            }
        }
        let within = |score: Option<&f64>| score.is_some_and(|score| (0.0..=1.0).contains(score));
        let indexed = within(ladder.scores.first()) && within(ladder.scores.last());
        if ladder.scores.len() >= INDEX_FROM && indexed {
            let stretches = stretch(1.0) + 2;
            let mut at = 0;
            ladder.index = Vec::with_capacity(stretches);
            for place in 0..stretches {
                while ladder.scores.get(at).is_some_and(|&score| stretch(score) < place) {
                    at += 1;
                }
                ladder.index.push(at as u32);
            }
        }
        ladder
    }

    /// Distinct scores, rising.
    pub(super) fn scores(&self) -> &[f64] {
        &self.scores
    }

    /// Positives at each of them.
    pub(super) fn positives(&self) -> &[u32] {
        &self.positives
    }

    /// Number of distinct scores.
    pub(super) fn rungs(&self) -> usize {
        self.scores.len()
    }

    /// Where a score falls.
    pub(super) fn place(&self, score: f64) -> Place {
        let (from, to) = match self.index.is_empty() || !(0.0..=1.0).contains(&score) {
            true => (0, self.scores.len()),
            false => {
                let stretch = stretch(score);
                (self.index[stretch] as usize, self.index[stretch + 1] as usize)
            }
        };
        let at = from + self.scores[from..to].partition_point(|&rung| rung < score);
        Place { at, tied: self.scores.get(at) == Some(&score) }
    }

    /// For scores just below each rung (and, last, above all): the share of positives above; a score at the rung has
    /// half of that rung's share less. `[rungs + 1]`.
    pub(super) fn shares_above(&self) -> Vec<f64> {
        let all: u64 = self.positives.iter().map(|&count| u64::from(count)).sum();
        let mut above = vec![0; self.rungs() + 1];
        for rung in (0..self.rungs()).rev() {
            above[rung] = above[rung + 1] + u64::from(self.positives[rung]);
        }
        above.into_iter().map(|count| count as f64 / all as f64).collect()
    }

    /// The AUC, and for each rung the share of negatives below it (those at it counting one half), from how many
    /// negatives fall to each place: `between[at]` below rung `at`, `tied[at]` at it. None without negatives.
    pub(super) fn read(&self, between: &[u64], tied: &[u64]) -> Option<(f64, Vec<f64>)> {
        let negatives: u64 = between.iter().chain(tied).sum();
        let positives: u64 = self.positives.iter().map(|&count| u64::from(count)).sum();
        if negatives == 0 || positives == 0 {
            return None;
        }
        let (mut below, mut right_twice, mut shares) = (0u64, 0u128, Vec::with_capacity(self.rungs()));
        for rung in 0..self.rungs() {
            below += between[rung];
            let twice = 2 * below + tied[rung];
            shares.push(twice as f64 / (2 * negatives) as f64);
            right_twice += u128::from(self.positives[rung]) * u128::from(twice);
            below += tied[rung];
        }
        let pairs_twice = 2 * u128::from(positives) * u128::from(negatives);
        Some((right_twice as f64 / pairs_twice as f64, shares))
    }
}

fn stretch(score: f64) -> usize {
    // −0 counts as 0.
    ((score + 0.0).to_bits() >> INDEX_SHIFT) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_changes_no_place() {
        let scores: Vec<f64> = (0..6000u32).map(|i| f64::from(i * 37 % 7919) / 7919.0).collect();
        let many = Ladder::new(scores.clone());
        let plain = Ladder { index: Vec::new(), ..many.clone() };
        assert!(!many.index.is_empty());
        for score in scores.iter().copied().chain([
            0.0,
            -0.0,
            1.0,
            1e-300,
            0.5,
            0.123_456,
            f64::MIN_POSITIVE,
            1.5,
            -2.0,
        ]) {
            assert_eq!(many.place(score), plain.place(score), "{score}");
        }
    }

    #[test]
    fn placements_by_hand() {
        // Positives .8, .5 and .5; negatives .5, .2 and .9.
        let ladder = Ladder::new(vec![0.8, 0.5, 0.5]);
        assert_eq!(ladder.place(0.5), Place { at: 0, tied: true });
        assert_eq!((ladder.place(0.2).at, ladder.place(0.9).at), (0, 2));
        assert_eq!(ladder.shares_above(), [1.0, 1.0 / 3.0, 0.0]);
        let (auc, shares) = ladder.read(&[1, 0, 1], &[1, 0]).unwrap();
        // .5 beats .2 and ties .5 (twice), .8 beats .2 and .5: (1.5 + 1.5 + 2) / 9.
        assert!((auc - 5.0 / 9.0).abs() < 1e-12);
        assert_eq!(shares, [0.5, 2.0 / 3.0]);
        assert_eq!(ladder.read(&[0; 3], &[0; 2]), None);
    }
}
