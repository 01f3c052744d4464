//! How good are the codes: the metrics of automated coding, on plain slices.
//!
//! [`evaluate`] gives them all; the submodules give them one by one over checked [`Predictions`].
//! Everything is exact (no bins, no grids) but the calibration error, and equal scores are treated
//! explicitly. Checked against scikit-learn to 1e-9 by `tests/fixtures/metrics.json`.

pub mod auc;
pub mod calibration;
pub mod clustered;
pub mod codiesp;
pub mod confusion;
pub mod estimate;
mod ladder;
pub mod platt;
mod predictions;
pub mod ranking;
mod report;
mod sigmoid;
mod tally;
pub mod threshold;

pub use clustered::{AucInfluence, Clusters, clustered_auc};
pub use estimate::{Estimate, Interval};
pub use platt::{Calibration, CalibrationMethod};
use predictions::sparse;
pub use predictions::{Predictions, sparse_gold};
pub use report::{Report, evaluate};
pub use sigmoid::sigmoid;

/// What can be wrong with the input of a metric.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum MetricsError {
    /// The table's size fits neither notes nor labels.
    #[error("{found} cells are not {notes} notes × {labels} labels")]
    Shape {
        /// Cells given.
        found: usize,
        /// Notes, from the gold lists (or whole rows found).
        notes: usize,
        /// Labels stated.
        labels: usize,
    },
    /// A gold list names a label that has no column.
    #[error("note {note}: gold label {label} is not below {labels}")]
    UnknownLabel {
        /// Note, from 0.
        note: usize,
        /// The index given.
        label: u32,
        /// Number of columns.
        labels: usize,
    },
    /// A value is NaN or outside 0..=1 (logits need a sigmoid first).
    #[error("note {note}, label {label}: {value} is not a probability")]
    NotAProbability {
        /// Note, from 0.
        note: usize,
        /// Label, from 0.
        label: usize,
        /// The value given.
        value: f64,
    },
    /// The threshold is NaN or infinite.
    #[error("threshold {value} is not a finite number")]
    Threshold {
        /// The value given.
        value: f64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXTURES: &str = include_str!("../../../tests/fixtures/metrics.json");

    #[derive(serde::Deserialize)]
    struct Problem {
        name: String,
        labels: usize,
        probabilities: Vec<f64>,
        gold: Vec<Vec<u32>>,
        tuned_threshold: f64,
        tuned_f1_micro: f64,
        report: Report,
    }

    fn problems() -> Vec<Problem> {
        serde_json::from_str(FIXTURES).unwrap()
    }

    fn assert_close(what: &str, ours: &serde_json::Value, theirs: &serde_json::Value) {
        match (ours.as_f64(), theirs.as_f64()) {
            (Some(a), Some(b)) => assert!((a - b).abs() <= 1e-9, "{what}: {a} is not {b}"),
            _ => assert_eq!(ours, theirs, "{what}"),
        }
    }

    #[test]
    fn every_field_equals_scikit_learn() {
        let problems = problems();
        assert!(problems.len() >= 4);
        for problem in &problems {
            let threshold = problem.report.threshold;
            let ours = evaluate(&problem.probabilities, &problem.gold, problem.labels, threshold).unwrap();
            let ours = serde_json::to_value(ours).unwrap();
            let theirs = serde_json::to_value(&problem.report).unwrap();
            assert_eq!(ours.as_object().unwrap().len(), 18);
            for (field, value) in ours.as_object().unwrap() {
                assert_close(&format!("{} {field}", problem.name), value, &theirs[field]);
            }
        }
    }

    #[test]
    fn the_tuned_threshold_equals_scikit_learn() {
        for problem in &problems() {
            let predictions =
                Predictions::new(&problem.probabilities, &problem.gold, problem.labels).unwrap();
            let tuned = threshold::tune(&predictions).unwrap();
            assert!((tuned.f1_micro - problem.tuned_f1_micro).abs() <= 1e-9, "{}", problem.name);
            assert_eq!(tuned.threshold, problem.tuned_threshold, "{}", problem.name);
        }
    }

    #[test]
    fn the_order_of_notes_changes_nothing() {
        for problem in &problems() {
            let rows = problem.probabilities.chunks_exact(problem.labels).rev();
            let reversed: Vec<f64> = rows.flatten().copied().collect();
            let gold: Vec<_> = problem.gold.iter().rev().cloned().collect();
            let ours = evaluate(&reversed, &gold, problem.labels, problem.report.threshold).unwrap();
            let (ours, theirs) = (serde_json::to_value(ours), serde_json::to_value(&problem.report));
            let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
            for (field, value) in ours.as_object().unwrap() {
                assert_close(&format!("{} {field}", problem.name), value, &theirs[field]);
            }
        }
    }
}
