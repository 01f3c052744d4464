//! Probabilities and gold codes of the same notes, checked once; every metric of this room reads them.

use super::MetricsError;

/// Probabilities beside the gold codes, both known to be in order.
///
/// # Shapes
/// `probabilities` is row-major `[notes, labels]`, after the sigmoid; one sorted list of distinct
/// label indices a note is the gold. `T` is `f32` or `f64`; arithmetic is in `f64`.
#[derive(Debug, Clone)]
pub struct Predictions<'a, T> {
    probabilities: &'a [T],
    gold: Vec<Vec<u32>>,
    labels: usize,
}

impl<'a, T: Copy + Into<f64>> Predictions<'a, T> {
    /// Checks both inputs. An index that a gold list names twice counts once.
    ///
    /// # Errors
    /// [`MetricsError::Shape`] unless there are `gold.len() * labels` probabilities;
    /// [`MetricsError::UnknownLabel`] for a gold index beyond `labels`;
    /// [`MetricsError::NotAProbability`] for NaN and anything outside 0..=1.
    pub fn new(probabilities: &'a [T], gold: &[Vec<u32>], labels: usize) -> Result<Self, MetricsError> {
        let notes = gold.len();
        if notes.checked_mul(labels) != Some(probabilities.len()) {
            return Err(MetricsError::Shape { found: probabilities.len(), notes, labels });
        }
        for (at, &probability) in probabilities.iter().enumerate() {
            let value = probability.into();
            if !(0.0..=1.0).contains(&value) {
                return Err(MetricsError::NotAProbability { note: at / labels, label: at % labels, value });
            }
        }
        let sorted = sparse(gold, labels)?;
        Ok(Predictions { probabilities, gold: sorted, labels })
    }

    /// Number of notes (rows).
    pub fn notes(&self) -> usize {
        self.gold.len()
    }

    /// Number of labels (columns).
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// Notes that carry each label in the gold, `[labels]`.
    pub fn support(&self) -> Vec<usize> {
        let mut support = vec![0; self.labels];
        for &label in self.gold.iter().flatten() {
            support[label as usize] += 1;
        }
        support
    }

    /// Which labels are present: at least one note with and one note without them, `[labels]`.
    /// AUC is undefined for the others.
    pub fn present(&self) -> Vec<bool> {
        self.support().iter().map(|&positives| positives > 0 && positives < self.notes()).collect()
    }

    /// Probabilities of one note, `[labels]`.
    pub(super) fn row(&self, note: usize) -> &'a [T] {
        &self.probabilities[note * self.labels..(note + 1) * self.labels]
    }

    /// Gold labels of one note, rising and distinct.
    pub(super) fn gold(&self, note: usize) -> &[u32] {
        &self.gold[note]
    }

    /// All probabilities, `[notes, labels]`.
    pub(super) fn probabilities(&self) -> &'a [T] {
        self.probabilities
    }

    /// Visits every cell in row-major order as `(note, label, probability, is gold)`.
    pub(super) fn for_each(&self, mut visit: impl FnMut(usize, usize, f64, bool)) {
        for note in 0..self.notes() {
            let mut gold = self.gold(note).iter().copied().peekable();
            for (label, &probability) in self.row(note).iter().enumerate() {
                let is_gold = gold.next_if(|&next| next as usize == label).is_some();
                visit(note, label, probability.into(), is_gold);
            }
        }
    }
}

/// Gold lists in order: rising, each index once.
pub(super) fn sparse(gold: &[Vec<u32>], labels: usize) -> Result<Vec<Vec<u32>>, MetricsError> {
    let mut sorted = Vec::with_capacity(gold.len());
    for (note, list) in gold.iter().enumerate() {
        let mut list = list.clone();
        list.sort_unstable();
        list.dedup();
        match list.last() {
            Some(&label) if label as usize >= labels => {
                return Err(MetricsError::UnknownLabel { note, label, labels });
            }
            _ => sorted.push(list),
        }
    }
    Ok(sorted)
}

/// Turns a row-major `[notes, labels]` gold table into the sparse lists that this room reads.
///
/// # Errors
/// [`MetricsError::Shape`] if `gold` is not a whole number of rows.
pub fn sparse_gold(gold: &[bool], labels: usize) -> Result<Vec<Vec<u32>>, MetricsError> {
    if labels == 0 || !gold.len().is_multiple_of(labels) {
        let notes = gold.len().checked_div(labels).unwrap_or(0);
        return Err(MetricsError::Shape { found: gold.len(), notes, labels });
    }
    let list = |row: &[bool]| (0..labels).filter(|&label| row[label]).map(|label| label as u32).collect();
    Ok(gold.chunks_exact(labels).map(list).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_come_with_their_gold() {
        let predictions = Predictions::new(&[0.1f32, 0.2, 0.3, 0.4], &[vec![1, 1], vec![]], 2).unwrap();
        let mut seen = Vec::new();
        predictions.for_each(|note, label, _, is_gold| seen.push((note, label, is_gold)));
        assert_eq!(seen, [(0, 0, false), (0, 1, true), (1, 0, false), (1, 1, false)]);
        assert_eq!(predictions.support(), [0, 1]);
        assert_eq!(predictions.present(), [false, true]);
    }

    #[test]
    fn wrong_input_is_an_error() {
        let shape = Predictions::new(&[0.1f64; 3], &[vec![], vec![]], 2).unwrap_err();
        assert_eq!(shape, MetricsError::Shape { found: 3, notes: 2, labels: 2 });
        let label = Predictions::new(&[0.1f64; 4], &[vec![], vec![0, 2]], 2).unwrap_err();
        assert_eq!(label, MetricsError::UnknownLabel { note: 1, label: 2, labels: 2 });
        let nan = Predictions::new(&[0.1, 0.2, f64::NAN, 0.4], &[vec![], vec![]], 2).unwrap_err();
        assert!(matches!(nan, MetricsError::NotAProbability { note: 1, label: 0, value } if value.is_nan()));
        let logit = Predictions::new(&[0.1f64, 1.5], &[vec![]], 2).unwrap_err();
        assert_eq!(logit, MetricsError::NotAProbability { note: 0, label: 1, value: 1.5 });
    }

    #[test]
    fn bools_become_lists() {
        let gold = sparse_gold(&[true, false, true, false, false, false], 3).unwrap();
        assert_eq!(gold, [vec![0, 2], vec![]]);
        assert!(sparse_gold(&[true; 4], 3).is_err());
        assert!(sparse_gold(&[true; 4], 0).is_err());
    }
}
