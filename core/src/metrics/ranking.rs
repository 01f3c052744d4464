//! The order of codes within a note: P@k, R-precision, mean average precision.
//!
//! Codes rank by falling probability; of equal ones the lower label index comes first (the order that a
//! stable sort gives). All three metrics follow from the ranks of the gold codes alone.

use super::auc::mean;
use super::predictions::Predictions;

/// Ranking metrics, each a mean over notes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranking {
    /// Gold codes among the first 5, divided by 5 (even where there are fewer codes); over all notes.
    pub p_at_5: Option<f64>,
    /// The same for 8.
    pub p_at_8: Option<f64>,
    /// The same for 15.
    pub p_at_15: Option<f64>,
    /// Gold codes among the first R, divided by R, the note's number of gold codes; over notes with gold.
    pub r_precision: Option<f64>,
    /// Average precision of the note's ranking; over notes with gold.
    pub map: Option<f64>,
}

/// Computes P@5, P@8, P@15, R-precision and MAP.
pub fn ranking<T: Copy + Into<f64>>(predictions: &Predictions<'_, T>) -> Ranking {
    let ranks: Vec<Vec<usize>> = (0..predictions.notes())
        .map(|note| gold_ranks(predictions.row(note), predictions.gold(note)))
        .collect();
    let hits = |ranks: &[usize], k| ranks.partition_point(|&rank| rank <= k) as f64;
    let precision_at = |k| mean(ranks.iter().map(|ranks| hits(ranks, k) / k as f64));
    let with_gold = || ranks.iter().filter(|ranks| !ranks.is_empty());
    Ranking {
        p_at_5: precision_at(5),
        p_at_8: precision_at(8),
        p_at_15: precision_at(15),
        r_precision: mean(with_gold().map(|ranks| hits(ranks, ranks.len()) / ranks.len() as f64)),
        map: mean(with_gold().map(|ranks| average_precision_of_ranks(ranks, ranks.len()))),
    }
}

/// Average precision of a ranking: precision at the rank of each gold code found, summed and divided by
/// `gold`, the number of gold codes (found or not).
pub(super) fn average_precision_of_ranks(ranks: &[usize], gold: usize) -> f64 {
    let precisions = ranks.iter().enumerate().map(|(found, &rank)| (found + 1) as f64 / rank as f64);
    precisions.sum::<f64>() / gold as f64
}

/// Ranks from 1 of the gold labels in one note's row, rising.
fn gold_ranks<T: Copy + Into<f64>>(row: &[T], gold: &[u32]) -> Vec<usize> {
    let precedes = |a: (f64, usize), b: (f64, usize)| a.0 > b.0 || (a.0 == b.0 && a.1 < b.1);
    let mut ordered: Vec<(f64, usize)> =
        gold.iter().map(|&label| (row[label as usize].into(), label as usize)).collect();
    // Stable, and `gold` rises: of equal probabilities the lower index stays first.
    ordered.sort_by(|a, b| b.0.partial_cmp(&a.0).expect("checked: no NaN"));
    // others[i]: labels of no gold behind exactly i gold ones.
    let mut others = vec![0usize; gold.len() + 1];
    let mut next_gold = gold.iter().copied().peekable();
    for (label, &probability) in row.iter().enumerate() {
        if next_gold.next_if(|&next| next as usize == label).is_none() {
            let cell = (probability.into(), label);
            others[ordered.partition_point(|&gold| precedes(gold, cell))] += 1;
        }
    }
    let mut before = 0;
    (0..gold.len())
        .map(|i| {
            before += others[i];
            before + i + 1
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_by_hand_with_ties() {
        // Order: 3 (.9), 0 1 4 (.5, by index), 2 (.1).
        let row = [0.5f32, 0.5, 0.1, 0.9, 0.5];
        assert_eq!(gold_ranks(&row, &[1, 2]), [3, 5]);
        assert_eq!(gold_ranks(&row, &[0, 3, 4]), [1, 2, 4]);
        assert!(gold_ranks(&row, &[]).is_empty());
    }

    #[test]
    fn metrics_by_hand() {
        let table = [0.5f32, 0.5, 0.1, 0.9, 0.5, 0.5, 0.5, 0.1, 0.9, 0.5];
        let gold = [vec![1, 2], vec![]];
        let ranking = ranking(&Predictions::new(&table, &gold, 5).unwrap());
        assert_eq!(ranking.p_at_5, Some(2.0 / 5.0 / 2.0)); // the note without gold counts 0
        assert_eq!(ranking.p_at_8, Some(2.0 / 8.0 / 2.0));
        assert_eq!(ranking.r_precision, Some(0.0)); // ranks 3 and 5, R = 2; the other note is left out
        assert_eq!(ranking.map, Some((1.0 / 3.0 + 2.0 / 5.0) / 2.0));
    }
}
