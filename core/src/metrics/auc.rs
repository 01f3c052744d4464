//! Threshold-free ranking quality of label columns: AUC and average precision, micro and macro.

use super::predictions::Predictions;
use super::tally::Tally;

/// AUC and average precision over a table of predictions. `None` where nothing is defined.
///
/// A code is *present* if at least one note has it and one has not; the others have no AUC. They are
/// left out of every number here but `auc_micro_all`, and counted in `codes_undefined`. Micro pools the
/// cells of all codes into one ranking; macro is the plain mean over codes. Absent codes flatter a
/// pooled AUC, because a model that has never seen a code scores it low everywhere: both are given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AreaUnderCurve {
    /// AUC of the pooled cells of the codes present.
    pub auc_micro: Option<f64>,
    /// Mean AUC of the codes present.
    pub auc_macro: Option<f64>,
    /// AUC of the pooled cells of all codes.
    pub auc_micro_all: Option<f64>,
    /// Average precision (scikit-learn's definition) of the pooled cells of the codes present.
    pub auprc_micro: Option<f64>,
    /// Mean average precision of the codes present.
    pub auprc_macro: Option<f64>,
    /// Codes not present.
    pub codes_undefined: usize,
}

/// Stretches of labels that are counted side by side.
const PARTS: usize = 8;

/// A stretch of labels, with counts of its own of the pooled cells.
struct Part {
    first: usize,
    labels: Vec<Tally>,
    /// Of the codes present, and of the others: among the positives of all codes.
    pooled: Tally,
    others: Tally,
    /// Of the codes present among their own positives, where those are not all.
    apart: Option<Tally>,
}

/// Computes AUC and average precision, micro and macro, in one pass over the table.
pub fn area_under_curve<T: Copy + Into<f64> + Sync>(predictions: &Predictions<'_, T>) -> AreaUnderCurve {
    let (present, labels) = (predictions.present(), predictions.labels());
    let mut positives = vec![Vec::new(); labels];
    for note in 0..predictions.notes() {
        for &label in predictions.gold(note) {
            positives[label as usize].push(predictions.row(note)[label as usize].into());
        }
    }
    let of_present: Vec<f64> = (0..labels)
        .filter(|&label| present[label])
        .flat_map(|label| positives[label].iter().copied())
        .collect();
    let of_all: Vec<f64> = positives.iter().flatten().copied().collect();
    // They differ by codes that every note has.
    let apart = (of_all.len() != of_present.len()).then(|| Tally::new(of_present));
    let pooled = Tally::new(of_all);
    let share = labels.div_ceil(PARTS).max(1);
    let mut of_label = positives.into_iter().map(Tally::new);
    let starts = (0..labels).step_by(share);
    let mut parts: Vec<Part> = starts
        .map(|first| {
            let labels = of_label.by_ref().take(share).collect();
            let (pooled, others) = (pooled.clone(), pooled.clone());
            Part { first, labels, pooled, others, apart: apart.clone() }
        })
        .collect();
    let work = |part: &mut Part| part.count(predictions, &present);
    #[cfg(not(target_arch = "wasm32"))]
    {
        use rayon::prelude::*;
        parts.par_iter_mut().for_each(work);
    }
    #[cfg(target_arch = "wasm32")]
    parts.iter_mut().for_each(work);

    let (mut pooled, mut all, mut apart) = (pooled.clone(), pooled, apart);
    for part in &parts {
        pooled.add_all(&part.pooled);
        all.add_all(&part.pooled);
        all.add_all(&part.others);
        if let (Some(sum), Some(by)) = (&mut apart, &part.apart) {
            sum.add_all(by);
        }
    }
    let of_label: Vec<&Tally> = parts.iter().flat_map(|part| &part.labels).collect();
    let pooled = apart.unwrap_or(pooled);
    let mean_over_present = |metric: fn(&Tally) -> Option<f64>| {
        let defined = of_label.iter().zip(&present).filter(|&(_, &present)| present);
        mean(defined.filter_map(|(tally, _)| metric(tally)))
    };
    AreaUnderCurve {
        auc_micro: pooled.auc(),
        auc_macro: mean_over_present(Tally::auc),
        auc_micro_all: all.auc(),
        auprc_micro: pooled.average_precision(),
        auprc_macro: mean_over_present(Tally::average_precision),
        codes_undefined: present.iter().filter(|&&present| !present).count(),
    }
}

impl Part {
    /// Places the negatives of this stretch of labels.
    fn count<T: Copy + Into<f64>>(&mut self, predictions: &Predictions<'_, T>, present: &[bool]) {
        let end = self.first + self.labels.len();
        for note in 0..predictions.notes() {
            let gold = predictions.gold(note);
            let from = gold.partition_point(|&label| (label as usize) < self.first);
            let mut gold = gold[from..].iter().copied().peekable();
            for (at, &score) in predictions.row(note)[self.first..end].iter().enumerate() {
                let label = self.first + at;
                if gold.next_if(|&next| next as usize == label).is_some() {
                    continue;
                }
                let score = score.into();
                let place = self.pooled.place(score);
                if present[label] {
                    self.labels[at].add_negative(score);
                    self.pooled.count(place);
                    if let Some(apart) = &mut self.apart {
                        apart.add_negative(score);
                    }
                } else {
                    self.others.count(place);
                }
            }
        }
    }
}

/// AUC of one ranking: the share of (gold, other) pairs in the right order, ties counting one half.
/// `None` unless both kinds occur. The slices pair up cell by cell; a longer one's rest is not read.
pub fn auc<T: Copy + Into<f64>>(probabilities: &[T], gold: &[bool]) -> Option<f64> {
    tally(probabilities, gold).auc()
}

/// Average precision of one ranking by scikit-learn's definition, Σ (R_n − R_{n−1}) P_n over distinct
/// scores. `None` without a gold cell. The slices pair up cell by cell; a longer one's rest is not read.
pub fn average_precision<T: Copy + Into<f64>>(probabilities: &[T], gold: &[bool]) -> Option<f64> {
    tally(probabilities, gold).average_precision()
}

fn tally<T: Copy + Into<f64>>(probabilities: &[T], gold: &[bool]) -> Tally {
    let cells = || probabilities.iter().map(|&probability| probability.into()).zip(gold.iter().copied());
    let mut tally = Tally::new(cells().filter(|&(_, is_gold)| is_gold).map(|(score, _)| score).collect());
    cells().filter(|&(_, is_gold)| !is_gold).for_each(|(score, _)| tally.add_negative(score));
    tally
}

/// Arithmetic mean; `None` of nothing.
pub(super) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0u64), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_without_positives_changes_the_pooled_auc_over_all_only() {
        // Code 0: gold .6 against .4 → 1; code 1: gold .3 against .7 → 0; code 2 never occurs.
        let table = [0.6, 0.7, 0.0, 0.4, 0.3, 0.1];
        let gold = [vec![0], vec![1]];
        let area = area_under_curve(&Predictions::new(&table, &gold, 3).unwrap());
        assert_eq!(area.auc_macro, Some(0.5));
        // Pooled: .6 > .4, .6 < .7, .3 < .4, .3 < .7: 1 of 4; with code 2's four more right pairs 5 of 8.
        assert_eq!(area.auc_micro, Some(0.25));
        assert_eq!(area.auc_micro_all, Some(0.625));
        assert_eq!(area.codes_undefined, 1);
        // Ranks .7-, .6+, .4-, .3+: ½·½ + ½·2/4.
        assert_eq!(area.auprc_micro, Some(0.5));
        assert_eq!(area.auprc_macro, Some(0.75));
    }

    #[test]
    fn nothing_defined_is_none() {
        let area = area_under_curve(&Predictions::new(&[0.5f32, 0.5], &[vec![0], vec![0]], 1).unwrap());
        assert_eq!((area.auc_micro, area.auc_macro, area.codes_undefined), (None, None, 1));
    }

    #[test]
    fn one_ranking() {
        assert_eq!(auc(&[0.9f32, 0.1, 0.1], &[true, false, true]), Some(0.75));
        assert_eq!(average_precision(&[0.9f32, 0.1, 0.1], &[true, false, true]), Some(0.5 + 1.0 / 3.0));
    }
}
