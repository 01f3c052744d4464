//! Which codes count as assigned: by one threshold, and where it comes from.

use std::fmt;

use anyhow::{Context, Result};
use bert_xml_core::metrics::{Predictions, threshold};

use super::Table;

/// Where a threshold comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ThresholdFrom {
    /// Whoever asked named it.
    Given,
    /// The model has one of its own.
    Model,
    /// The greatest micro-F1 on development notes.
    Dev {
        /// Micro-F1 there.
        f1_micro: f64,
    },
    /// The `assigned` flags of the prediction file, which one threshold explains.
    Flags,
    /// The `assigned` flags of the prediction file; no single threshold gives them.
    FlagsOfSeveral,
    /// Nothing: .5.
    Default,
}

impl fmt::Display for ThresholdFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given => f.write_str("as given"),
            Self::Model => f.write_str("the model's own, tuned on dev"),
            Self::Dev { f1_micro } => write!(f, "tuned on dev (micro-F1 {f1_micro:.4} there)"),
            Self::Flags => f.write_str("the `assigned` flags of the predictions"),
            Self::FlagsOfSeveral => {
                f.write_str("the `assigned` flags of the predictions, made with more than one threshold")
            }
            Self::Default => f.write_str("0.5, as none is given and nothing to tune it on"),
        }
    }
}

/// The rule by which codes are assigned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assignment {
    /// A code with `probability >= threshold` is assigned; without one the file's flags decide.
    pub threshold: Option<f64>,
    /// Where it comes from.
    pub from: ThresholdFrom,
}

impl Assignment {
    /// A threshold that the caller names.
    pub fn given(threshold: f64) -> Self {
        Self { threshold: Some(threshold), from: ThresholdFrom::Given }
    }

    /// The threshold that a model comes with.
    pub fn of_model(threshold: f64) -> Self {
        Self { threshold: Some(threshold), from: ThresholdFrom::Model }
    }

    /// The rule of a table that comes without a threshold: its flags, or .5.
    pub fn of_table(table: &Table) -> Self {
        let Some(assigned) = &table.assigned else {
            return Self { threshold: Some(0.5), from: ThresholdFrom::Default };
        };
        let (mut lowest_in, mut highest_out) = (f64::INFINITY, 0.0f64);
        for (&probability, &assigned) in table.probabilities.iter().zip(assigned) {
            if assigned {
                lowest_in = lowest_in.min(probability);
            } else {
                highest_out = highest_out.max(probability);
            }
        }
        let threshold = if lowest_in.is_finite() { lowest_in } else { highest_out.next_up() };
        if threshold > highest_out {
            Self { threshold: Some(threshold), from: ThresholdFrom::Flags }
        } else {
            Self { threshold: None, from: ThresholdFrom::FlagsOfSeveral }
        }
    }
}

/// The threshold of greatest micro-F1 on development notes.
///
/// # Shapes
/// `probabilities` row-major `[notes, labels]` after the sigmoid; `gold` a list of label indices a note.
///
/// # Errors
/// A malformed table; no gold code at all.
pub fn tune<T: Copy + Into<f64>>(
    probabilities: &[T],
    gold: &[Vec<u32>],
    labels: usize,
) -> Result<Assignment> {
    let predictions = Predictions::new(probabilities, gold, labels)?;
    let tuned = threshold::tune(&predictions).context("no dev note has a gold code: no threshold to tune")?;
    Ok(Assignment { threshold: Some(tuned.threshold), from: ThresholdFrom::Dev { f1_micro: tuned.f1_micro } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::{Outside, Table};
    use bert_xml_core::codes::LabelSet;

    fn table(assigned: Option<Vec<bool>>) -> Table {
        Table {
            labels: LabelSet::from_tsv(b"system\tcode\tdescription\nx\tA\t\nx\tB\t\n").unwrap(),
            probabilities: vec![0.9, 0.3, 0.6, 0.0],
            gold: vec![vec![0], vec![0]],
            assigned,
            missing_cells: 1,
            outside: Outside::default(),
        }
    }

    #[test]
    fn flags_give_their_threshold_where_there_is_one() {
        let of = |flags: [bool; 4]| {
            let assignment = Assignment::of_table(&table(Some(flags.to_vec())));
            (assignment.threshold, assignment.from)
        };
        assert_eq!(of([true, false, true, false]), (Some(0.6), ThresholdFrom::Flags));
        assert_eq!(of([false, true, false, false]), (None, ThresholdFrom::FlagsOfSeveral));
        assert_eq!(of([false; 4]), (Some(0.9f64.next_up()), ThresholdFrom::Flags));
        assert_eq!(Assignment::of_table(&table(None)).threshold, Some(0.5));
    }

    #[test]
    fn dev_gives_the_threshold_of_greatest_f1() {
        // At .9: 1 of 2 gold, F1 2/3; at .6: both, F1 1.
        let table = table(None);
        let tuned = tune(&table.probabilities, &table.gold, 2).unwrap();
        assert_eq!(tuned, Assignment { threshold: Some(0.6), from: ThresholdFrom::Dev { f1_micro: 1.0 } });
        assert!(tune(&[0.5], &[vec![]], 1).is_err());
    }
}
