//! One threshold for all codes, tuned for micro-F1. Tune on the development split only.

use super::predictions::Predictions;
use super::tally::Tally;

/// A tuned threshold and what it reaches on the notes it was tuned on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TunedThreshold {
    /// Assign a code if `probability >= threshold`. One of the probabilities of a gold cell.
    pub threshold: f64,
    /// Micro-F1 there, over all codes.
    pub f1_micro: f64,
}

/// The threshold with the greatest micro-F1, by an exact sweep over the scores; of several equal ones
/// the highest (fewest codes assigned). `None` if no note has a gold code.
pub fn tune<T: Copy + Into<f64>>(predictions: &Predictions<'_, T>) -> Option<TunedThreshold> {
    let mut positives = Vec::new();
    for note in 0..predictions.notes() {
        let row = predictions.row(note);
        positives.extend(predictions.gold(note).iter().map(|&label| row[label as usize].into()));
    }
    let mut tally = Tally::new(positives);
    predictions.for_each(|_, _, probability, is_gold| {
        if !is_gold {
            tally.add_negative(probability);
        }
    });
    tally.best_f1().map(|(threshold, f1_micro)| TunedThreshold { threshold, f1_micro })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::confusion::at_threshold;

    #[test]
    fn no_score_of_the_table_does_better() {
        let table = [0.9f32, 0.3, 0.3, 0.6, 0.3, 0.1, 0.7, 0.6, 0.2];
        let gold = [vec![0, 1], vec![0], vec![1]];
        let predictions = Predictions::new(&table, &gold, 3).unwrap();
        let tuned = tune(&predictions).unwrap();
        let reached = |threshold| at_threshold(&predictions, threshold).f1_micro.unwrap();
        assert_eq!(reached(tuned.threshold), tuned.f1_micro);
        let best = table.iter().map(|&score| reached(f64::from(score))).fold(0.0, f64::max);
        assert_eq!(tuned.f1_micro, best);
        // 4 gold cells. At .9: 1 hit of 1: 2/5; at .6: 3 of 4: 6/8; at .3: 4 of 7: 8/11.
        assert_eq!(tuned.threshold, f64::from(0.6f32));
        assert_eq!(tuned.f1_micro, 0.75);
    }

    #[test]
    fn no_gold_no_threshold() {
        assert_eq!(tune(&Predictions::new(&[0.5f32], &[vec![]], 1).unwrap()), None);
    }
}
