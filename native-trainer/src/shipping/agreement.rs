//! How far a quantized model's codes are from those of the model in f32.

use anyhow::Result;
use bert_xml_core::metrics::Predictions;
use bert_xml_core::metrics::auc::area_under_curve;
use serde::Serialize;

/// Codes a note whose order is compared.
pub const TOP: usize = 15;

/// What a shipped model may lose.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Limits {
    /// |Δ macro AUC|.
    pub auc_macro: f64,
    /// Greatest |Δ probability|.
    pub probability: f64,
    /// Codes among a note's first [`TOP`] that must stay there, on average.
    pub overlap: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { auc_macro: 0.002, probability: 0.02, overlap: 14.0 }
    }
}

/// Two tables of probabilities of the same notes, compared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// Greatest |Δ probability| over all cells.
    pub probability: f64,
    /// Macro AUC in f32, over codes that some notes have and some have not.
    pub auc_macro_f32: Option<f64>,
    /// Macro AUC of the shipped model.
    pub auc_macro: Option<f64>,
    /// Codes that are compared: [`TOP`], or all where there are fewer.
    pub top: usize,
    /// How many of a note's first `top` codes are the same in both, averaged over notes.
    pub overlap_mean: f64,
    /// The least of them.
    pub overlap_min: usize,
}

impl Agreement {
    /// Compares.
    ///
    /// # Shapes
    /// Both tables row-major `[notes, labels]`; `gold` a list of label indices a note, at least one note.
    ///
    /// # Errors
    /// Tables that do not fit the notes; a value that is no probability.
    pub fn of(reference: &[f32], shipped: &[f32], gold: &[Vec<u32>], labels: usize) -> Result<Self> {
        let auc =
            |table: &[f32]| anyhow::Ok(area_under_curve(&Predictions::new(table, gold, labels)?).auc_macro);
        let (auc_macro_f32, auc_macro) = (auc(reference)?, auc(shipped)?);
        let top = TOP.min(labels);
        let rows = reference.chunks_exact(labels).zip(shipped.chunks_exact(labels));
        let overlaps: Vec<usize> = rows.map(|(a, b)| overlap(&first(a, top), &first(b, top))).collect();
        Ok(Self {
            probability: greatest_change(reference, shipped),
            auc_macro_f32,
            auc_macro,
            top,
            overlap_mean: overlaps.iter().sum::<usize>() as f64 / overlaps.len().max(1) as f64,
            overlap_min: overlaps.iter().copied().min().unwrap_or(top),
        })
    }

    /// |Δ macro AUC|; none where it is undefined.
    pub fn auc_change(&self) -> Option<f64> {
        self.auc_macro_f32.zip(self.auc_macro).map(|(before, after)| (before - after).abs())
    }

    /// What goes beyond the limits, each a sentence.
    pub fn beyond(&self, limits: &Limits) -> Vec<String> {
        let mut beyond = Vec::new();
        if let Some(change) = self.auc_change().filter(|&change| change > limits.auc_macro) {
            beyond.push(format!("macro AUC changes by {change:.4}, the limit is {}", limits.auc_macro));
        }
        if self.probability > limits.probability {
            let (change, limit) = (self.probability, limits.probability);
            beyond.push(format!("a probability changes by {change:.4}, the limit is {limit}"));
        }
        let wanted = limits.overlap * self.top as f64 / TOP as f64;
        if self.overlap_mean < wanted {
            let (mean, top) = (self.overlap_mean, self.top);
            beyond.push(format!(
                "{mean:.2} of a note's first {top} codes stay on average, the limit is {wanted:.2}"
            ));
        }
        beyond
    }
}

/// The greatest |Δ| of two tables.
pub(super) fn greatest_change(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs()).fold(0.0, f64::max)
}

/// The first `top` labels by falling probability, ties in the order of labels; sorted by label.
fn first(row: &[f32], top: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
    order.truncate(top);
    order.sort_unstable();
    order
}

fn overlap(a: &[usize], b: &[usize]) -> usize {
    a.iter().filter(|label| b.binary_search(label).is_ok()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand_over_sixteen_codes() {
        // Codes fall from 0 to 15; in the second note of the shipped model the last two change places.
        let row: Vec<f32> = (0..16).map(|label| 0.8 - 0.04 * label as f32).collect();
        let mut other = row.clone();
        other.swap(14, 15);
        let reference = [row.clone(), row.clone()].concat();
        let shipped = [row, other].concat();
        let gold = [vec![14], vec![]];
        let found = Agreement::of(&reference, &shipped, &gold, 16).unwrap();
        assert!((found.probability - 0.04).abs() < 1e-6);
        assert_eq!((found.top, found.overlap_mean, found.overlap_min), (15, 14.5, 14));
        // Code 14: a gold and another note of the same probability, then the other's falls.
        assert_eq!((found.auc_macro_f32, found.auc_macro), (Some(0.5), Some(1.0)));
        assert_eq!(found.auc_change(), Some(0.5));
        let beyond = found.beyond(&Limits::default());
        assert_eq!(beyond[0], "macro AUC changes by 0.5000, the limit is 0.002");
        assert_eq!(beyond[1], "a probability changes by 0.0400, the limit is 0.02");
        assert_eq!(beyond.len(), 2, "14.5 of 15 is enough");
    }

    #[test]
    fn a_model_agrees_with_itself_and_few_codes_are_compared_whole() {
        let table = [0.5f32, 0.25, 0.125];
        let found = Agreement::of(&table, &table, &[vec![0]], 3).unwrap();
        assert_eq!((found.probability, found.top, found.overlap_min), (0.0, 3, 3));
        assert!(found.auc_change().is_none() && found.beyond(&Limits::default()).is_empty());
        assert!(Agreement::of(&table, &[0.5, 0.25, f32::NAN], &[vec![0]], 3).is_err());
    }
}
