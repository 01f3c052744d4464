//! The constant guesser: every note gets each code's prevalence in training.

/// Share of training notes that carry each label, `[labels]`; zeros without notes.
pub fn prevalence(gold: &[Vec<u32>], labels: usize) -> Vec<f64> {
    let mut counts = vec![0u64; labels];
    for &label in gold.iter().flatten() {
        counts[label as usize] += 1;
    }
    counts.into_iter().map(|count| count as f64 / gold.len().max(1) as f64).collect()
}

/// The same row for every note, `[notes, labels]`.
pub fn predict(prevalence: &[f64], notes: usize) -> Vec<f64> {
    prevalence.repeat(notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_note_gets_the_prevalence() {
        let row = prevalence(&[vec![0, 1], vec![1], vec![], vec![1]], 3);
        assert_eq!(row, [0.25, 0.75, 0.0]);
        assert_eq!(predict(&row, 2), [0.25, 0.75, 0.0, 0.25, 0.75, 0.0]);
        assert_eq!(prevalence(&[], 2), [0.0, 0.0]);
    }
}
