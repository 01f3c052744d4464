//! Sets of assigned codes against sets of gold codes: F1 and exact match at a threshold.

use super::auc::mean;
use super::predictions::Predictions;

/// Counts of one code, or of all codes together, at a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Confusion {
    /// Assigned and gold.
    pub true_positives: u64,
    /// Assigned, not gold.
    pub false_positives: u64,
    /// Gold, not assigned.
    pub false_negatives: u64,
}

impl Confusion {
    /// Share of assigned codes that are gold; `None` if none is assigned.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.true_positives, self.true_positives + self.false_positives)
    }

    /// Share of gold codes that are assigned; `None` if there is no gold.
    pub fn recall(&self) -> Option<f64> {
        ratio(self.true_positives, self.true_positives + self.false_negatives)
    }

    /// 2 TP / (2 TP + FP + FN); `None` if nothing is assigned and nothing is gold.
    pub fn f1(&self) -> Option<f64> {
        ratio(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// F1 and exact match when every code with `probability >= threshold` is assigned.
#[derive(Debug, Clone, PartialEq)]
pub struct AtThreshold {
    /// Counts of each code, `[labels]`.
    pub codes: Vec<Confusion>,
    /// F1 of the pooled counts of all codes.
    pub f1_micro: Option<f64>,
    /// Mean F1 of the codes with at least one gold note; codes without gold would each add a 0 or
    /// nothing at all, depending on the threshold.
    pub f1_macro: Option<f64>,
    /// Share of notes whose assigned set equals the gold set.
    pub exact_match: Option<f64>,
}

/// Assigns each code with `probability >= threshold` and compares with the gold.
pub fn at_threshold<T: Copy + Into<f64>>(predictions: &Predictions<'_, T>, threshold: f64) -> AtThreshold {
    let mut codes = vec![Confusion::default(); predictions.labels()];
    let mut exact = vec![true; predictions.notes()];
    predictions.for_each(|note, label, probability, is_gold| {
        let assigned = probability >= threshold;
        exact[note] &= assigned == is_gold;
        match (assigned, is_gold) {
            (true, true) => codes[label].true_positives += 1,
            (true, false) => codes[label].false_positives += 1,
            (false, true) => codes[label].false_negatives += 1,
            (false, false) => {}
        }
    });
    let pooled = codes.iter().fold(Confusion::default(), |sum, code| Confusion {
        true_positives: sum.true_positives + code.true_positives,
        false_positives: sum.false_positives + code.false_positives,
        false_negatives: sum.false_negatives + code.false_negatives,
    });
    let with_gold = codes.iter().filter(|code| code.true_positives + code.false_negatives > 0);
    AtThreshold {
        f1_micro: pooled.f1(),
        f1_macro: mean(with_gold.filter_map(Confusion::f1)),
        exact_match: mean(exact.iter().map(|&equal| f64::from(u8::from(equal)))),
        codes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_hand() {
        // Notes × codes at .5:      1 0 1 / 0 1 0; gold: {0} / {1}.
        let table = [0.9f32, 0.1, 0.5, 0.2, 0.8, 0.4];
        let gold = [vec![0], vec![1]];
        let at = at_threshold(&Predictions::new(&table, &gold, 3).unwrap(), 0.5);
        assert_eq!(at.codes[2], Confusion { true_positives: 0, false_positives: 1, false_negatives: 0 });
        assert_eq!(at.f1_micro, Some(4.0 / 5.0));
        assert_eq!(at.f1_macro, Some(1.0)); // code 2 has no gold
        assert_eq!(at.exact_match, Some(0.5));
    }

    #[test]
    fn nothing_assigned_and_nothing_gold_is_undefined() {
        let at = at_threshold(&Predictions::new(&[0.1f32], &[vec![]], 1).unwrap(), 0.5);
        assert_eq!((at.f1_micro, at.f1_macro, at.exact_match), (None, None, Some(1.0)));
        let none = Confusion::default();
        assert_eq!((none.precision(), none.recall()), (None, None));
    }
}
