//! One regression a code: fitted, asked for its probabilities, and forgotten, so that memory holds one
//! weight vector a thread and never a matrix of features × codes.

use std::sync::Mutex;

use rayon::prelude::*;

use super::SparseRows;
use super::logistic::{self, Settings, sigmoid};
use crate::progress::Progress;

/// How the regressions ended.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fitted {
    /// Regressions fitted.
    pub codes: usize,
    /// Codes that no training note has, or every one: they get their prevalence, 0 or 1.
    pub constant: usize,
    /// Regressions whose gradient stayed above the tolerance.
    pub unfinished: usize,
    /// Newton steps in all.
    pub steps: usize,
}

/// Fits each label on `train` and gives its probabilities on every one of `others`, each a table
/// `[notes, labels]`. A probability has nine digits: those of the f32 nearest to it, as f64, so that a
/// written one is read as the same number.
///
/// # Panics
/// If `gold` has another length than `train` has rows, or names a label not below `labels`.
pub fn fit_and_predict(
    train: &SparseRows,
    gold: &[Vec<u32>],
    labels: usize,
    settings: Settings,
    others: &[&SparseRows],
    progress: &mut Progress,
) -> (Vec<Vec<f64>>, Fitted) {
    assert_eq!(train.rows(), gold.len(), "gold codes of each training note");
    let mut positives = vec![Vec::new(); labels];
    for (note, list) in gold.iter().enumerate() {
        list.iter().for_each(|&label| positives[label as usize].push(note));
    }
    let progress = Mutex::new(progress);
    let columns: Vec<(Vec<Vec<f64>>, Fitted)> = positives
        .into_par_iter()
        .map(|notes| {
            let column = fit_one(train, &notes, settings, others);
            progress.lock().expect("no thread fails while it counts").advance(1);
            column
        })
        .collect();
    let mut tables: Vec<Vec<f64>> = others.iter().map(|rows| vec![0.0; rows.rows() * labels]).collect();
    let mut sum = Fitted::default();
    for (label, (column, fitted)) in columns.into_iter().enumerate() {
        for (table, column) in tables.iter_mut().zip(column) {
            for (note, probability) in column.into_iter().enumerate() {
                table[note * labels + label] = probability;
            }
        }
        sum = Fitted {
            codes: sum.codes + fitted.codes,
            constant: sum.constant + fitted.constant,
            unfinished: sum.unfinished + fitted.unfinished,
            steps: sum.steps + fitted.steps,
        };
    }
    (tables, sum)
}

fn fit_one(
    train: &SparseRows,
    notes: &[usize],
    settings: Settings,
    others: &[&SparseRows],
) -> (Vec<Vec<f64>>, Fitted) {
    if notes.is_empty() || notes.len() == train.rows() {
        let constant = f64::from(u8::from(!notes.is_empty()));
        let columns = others.iter().map(|rows| vec![constant; rows.rows()]).collect();
        return (columns, Fitted { constant: 1, ..Fitted::default() });
    }
    let mut positive = vec![false; train.rows()];
    notes.iter().for_each(|&note| positive[note] = true);
    let regression = logistic::fit(train, &positive, settings);
    let columns = others
        .iter()
        .map(|rows| regression.logits(rows).into_iter().map(|logit| nine_digits(sigmoid(logit))).collect());
    let unfinished = usize::from(regression.gradient > settings.tolerance);
    (columns.collect(), Fitted { codes: 1, constant: 0, unfinished, steps: regression.steps })
}

/// The shortest decimal of the nearest f32, as f64. Written as JSON it is read as the same number (from 1e-13
/// up: serde_json is exact for so few digits and so small an exponent).
pub fn nine_digits(probability: f64) -> f64 {
    (probability as f32).to_string().parse().expect("a number's decimal is a number")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use crate::progress::Unit;

    #[test]
    fn every_label_gets_its_own_column() {
        let mut train = SparseRows::new(2);
        (0..4).for_each(|note| train.push([(note % 2, 1.0)]));
        // Label 0: notes with feature 0; label 1: never; label 2: always.
        let gold = [vec![0, 2], vec![2], vec![0, 2], vec![2]];
        let mut progress = Context::default().start("fit", Some(3), Unit::Codes);
        let (tables, fitted) =
            fit_and_predict(&train, &gold, 3, Settings::default(), &[&train], &mut progress);
        let table = &tables[0];
        assert!(table[0] > 0.6 && table[3] < 0.4 && table[6] == table[0], "{table:?}");
        assert_eq!((table[1], table[2]), (0.0, 1.0));
        assert_eq!((fitted.codes, fitted.constant, fitted.unfinished), (1, 2, 0));
    }

    #[test]
    fn nine_digits_come_back_from_json() {
        for p in [0.1f64 + 0.2, 1.0 / 3.0, 2e-13, 0.999_999_999_9] {
            let short = nine_digits(p);
            let text = serde_json::to_string(&short).unwrap();
            assert_eq!(serde_json::from_str::<f64>(&text).unwrap(), short);
            assert!((short - p).abs() <= 1e-7 * p);
        }
    }
}
