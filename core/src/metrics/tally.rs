//! How many positives and negatives lie at, and between, the distinct scores of the positives.
//!
//! AUC, average precision and the best F1 threshold need the order of all scores only as far as it
//! separates positives from negatives. So the positives are sorted (a note has a dozen of them among
//! thousands of labels) and each negative is placed among them by binary search: memory grows with the
//! positives, and one pass over the table in storage order serves every label at once.

/// Counts around the positives' distinct scores.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// Distinct scores of positives, rising.
    scores: Vec<f64>,
    /// Positives at each of `scores`.
    positives: Vec<u64>,
    /// Negatives at exactly each of `scores`.
    tied: Vec<u64>,
    /// `between[i]`: negatives strictly below `scores[i]` and strictly above `scores[i - 1]`; the last
    /// entry counts those above all positives.
    between: Vec<u64>,
}

impl Tally {
    /// Starts with the scores of all positives, in any order, none of them NaN.
    pub(super) fn new(mut scores: Vec<f64>) -> Self {
        scores.sort_unstable_by(f64::total_cmp);
        let mut tally = Tally::default();
        for score in scores {
            match (tally.scores.last(), tally.positives.last_mut()) {
                (Some(&last), Some(count)) if last == score => *count += 1,
                _ => {
                    tally.scores.push(score);
                    tally.positives.push(1);
                }
            }
        }
        tally.tied = vec![0; tally.scores.len()];
        tally.between = vec![0; tally.scores.len() + 1];
        tally
    }

    /// Adds one negative.
    pub(super) fn add_negative(&mut self, score: f64) {
        let at = self.scores.partition_point(|&positive| positive < score);
        if self.scores.get(at) == Some(&score) {
            self.tied[at] += 1;
        } else {
            self.between[at] += 1;
        }
    }

    /// Area under the ROC curve: the share of (positive, negative) pairs in the right order, a tie
    /// counting one half (Mann and Whitney's U with midranks). `None` without a positive or a negative.
    pub(super) fn auc(&self) -> Option<f64> {
        let (mut below, mut right_twice, mut positives) = (0u64, 0u128, 0u64);
        for i in 0..self.scores.len() {
            below += self.between[i];
            right_twice += u128::from(self.positives[i]) * u128::from(2 * below + self.tied[i]);
            below += self.tied[i];
            positives += self.positives[i];
        }
        let negatives = below + self.between.last().copied().unwrap_or(0);
        let pairs_twice = 2 * u128::from(positives) * u128::from(negatives);
        (pairs_twice > 0).then(|| right_twice as f64 / pairs_twice as f64)
    }

    /// Average precision by scikit-learn's definition, Σ (R_n − R_{n−1}) P_n over the distinct scores,
    /// without interpolation; recall rises only at the positives' scores. `None` without a positive.
    pub(super) fn average_precision(&self) -> Option<f64> {
        let all: u64 = self.positives.iter().sum();
        let mut sum = 0.0;
        self.for_each_threshold(|i, hits, assigned| {
            sum += self.positives[i] as f64 * (hits as f64 / assigned as f64);
        });
        (all > 0).then(|| sum / all as f64)
    }

    /// The score at which "assign if ≥" has the greatest F1, and that F1; of equals the highest score.
    /// No other value can beat the positives' own scores: between two of them only false positives
    /// change. `None` without a positive.
    pub(super) fn best_f1(&self) -> Option<(f64, f64)> {
        let all: u64 = self.positives.iter().sum();
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
        best.map(|(hits, size, i)| (self.scores[i], 2.0 * hits as f64 / size as f64))
    }

    /// From the highest positive score down: index, positives and all cells at or above it.
    fn for_each_threshold(&self, mut visit: impl FnMut(usize, u64, u64)) {
        let (mut hits, mut assigned) = (0, 0);
        for i in (0..self.scores.len()).rev() {
            hits += self.positives[i];
            assigned += self.between[i + 1] + self.positives[i] + self.tied[i];
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
