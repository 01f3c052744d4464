//! How many positives and negatives lie at, and between, the distinct scores of the positives.
//!
//! AUC, average precision and the best F1 threshold need the order of all scores only as far as it
//! separates positives from negatives. So the positives are sorted (a note has a dozen of them among
//! thousands of labels) and each negative is placed among them by binary search: memory grows with the
//! positives, and one pass over the table in storage order serves every label at once.

use super::ladder::{Ladder, Place};

/// Counts around the positives' distinct scores.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// Distinct scores of positives.
    ladder: Ladder,
    /// Negatives at exactly each rung.
    tied: Vec<u64>,
    /// `between[i]`: negatives strictly below rung i and strictly above rung i − 1; the last entry counts those above
    /// all positives.
    between: Vec<u64>,
}

impl Tally {
    /// Starts with the scores of all positives, in any order, none of them NaN.
    pub(super) fn new(scores: Vec<f64>) -> Self {
        let ladder = Ladder::new(scores);
        let (tied, between) = (vec![0; ladder.rungs()], vec![0; ladder.rungs() + 1]);
        Self { ladder, tied, between }
    }

    /// Adds one negative.
    pub(super) fn add_negative(&mut self, score: f64) {
        let place = self.ladder.place(score);
        self.count(place);
    }

    /// Where a score falls.
    pub(super) fn place(&self, score: f64) -> Place {
        self.ladder.place(score)
    }

    /// Adds one negative at a place of this tally, or of one with the same positives' scores.
    pub(super) fn count(&mut self, place: Place) {
        let counts = if place.tied { &mut self.tied } else { &mut self.between };
        counts[place.at] += 1;
    }

    /// Adds the negatives of a tally of the same positives.
    pub(super) fn add_all(&mut self, other: &Self) {
        self.tied.iter_mut().zip(&other.tied).for_each(|(sum, by)| *sum += by);
        self.between.iter_mut().zip(&other.between).for_each(|(sum, by)| *sum += by);
    }

    /// Area under the ROC curve: the share of (positive, negative) pairs in the right order, a tie
    /// counting one half (Mann and Whitney's U with midranks). `None` without a positive or a negative.
    pub(super) fn auc(&self) -> Option<f64> {
        self.ladder.read(&self.between, &self.tied).map(|(auc, _)| auc)
    }

    /// Average precision by scikit-learn's definition, Σ (R_n − R_{n−1}) P_n over the distinct scores,
    /// without interpolation; recall rises only at the positives' scores. `None` without a positive.
    pub(super) fn average_precision(&self) -> Option<f64> {
        let all: u64 = self.ladder.positives().iter().map(|&count| u64::from(count)).sum();
        let mut sum = 0.0;
        self.for_each_threshold(|i, hits, assigned| {
            sum += f64::from(self.ladder.positives()[i]) * (hits as f64 / assigned as f64);
        });
        (all > 0).then(|| sum / all as f64)
    }

    /// The score at which "assign if ≥" has the greatest F1, and that F1; of equals the highest score.
    /// No other value can beat the positives' own scores: between two of them only false positives
    /// change. `None` without a positive.
    pub(super) fn best_f1(&self) -> Option<(f64, f64)> {
        let all: u64 = self.ladder.positives().iter().map(|&count| u64::from(count)).sum();
        let mut best: Option<(u64, u64, usize)> = None;
        self.for_each_threshold(|i, hits, assigned| {
            let size = assigned + all;
            // hits / size against the best so far, in whole numbers.
            let better = best
                .is_none_or(|(h, s, _)| u128::from(hits) * u128::from(s) > u128::from(h) * u128::from(size));
            if better {
                best = Some((hits, size, i));
            }
        });
        best.map(|(hits, size, i)| (self.ladder.scores()[i], 2.0 * hits as f64 / size as f64))
    }

    /// From the highest positive score down: index, positives and all cells at or above it.
    fn for_each_threshold(&self, mut visit: impl FnMut(usize, u64, u64)) {
        let (mut hits, mut assigned) = (0, 0);
        for i in (0..self.ladder.rungs()).rev() {
            let positives = u64::from(self.ladder.positives()[i]);
            hits += positives;
            assigned += self.between[i + 1] + positives + self.tied[i];
            visit(i, hits, assigned);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(positives: &[f64], negatives: &[f64]) -> Tally {
        let mut tally = Tally::new(positives.to_vec());
        negatives.iter().for_each(|&score| tally.add_negative(score));
        tally
    }

    #[test]
    fn a_tie_counts_one_half() {
        // Pairs: .8>.5, .8>.2, .8>.9 no; .5=.5 half, .5>.2, .5>.9 no: 3.5 of 6.
        assert_eq!(tally(&[0.8, 0.5], &[0.5, 0.2, 0.9]).auc(), Some(3.5 / 6.0));
        assert_eq!(tally(&[0.5, 0.5], &[0.5]).auc(), Some(0.5));
    }

    #[test]
    fn undefined_without_both_kinds() {
        assert_eq!(tally(&[], &[0.5]).auc(), None);
        assert_eq!(tally(&[0.5], &[]).auc(), None);
        assert_eq!(tally(&[], &[0.5]).average_precision(), None);
        assert_eq!(tally(&[], &[0.5]).best_f1(), None);
    }

    #[test]
    fn average_precision_by_hand() {
        // Down the ranking .9-, .8+, {.5+ .5-}, .2-: ½·(1/2) + ½·(2/4).
        assert_eq!(tally(&[0.8, 0.5], &[0.5, 0.2, 0.9]).average_precision(), Some(0.5));
        assert_eq!(tally(&[0.8, 0.5], &[0.1]).average_precision(), Some(1.0));
    }

    #[test]
    fn best_threshold_by_hand() {
        // At .8: 2·1/(2+2) = .5; at .5: 2·2/(4+2) = 2/3.
        assert_eq!(tally(&[0.8, 0.5], &[0.5, 0.2, 0.9]).best_f1(), Some((0.5, 2.0 / 3.0)));
        // At .9: 2·1/(1+2) = 2/3; at .3: 2·2/(4+2) = 2/3: the higher wins.
        assert_eq!(tally(&[0.9, 0.3], &[0.5, 0.4]).best_f1(), Some((0.9, 2.0 / 3.0)));
    }
}
