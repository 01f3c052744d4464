//! Probabilities that mean what they say: a line through the logits, fitted on development notes by maximum
//! likelihood (Platt 1999; the smoothed targets are his, the Newton steps those of Lin, Lin and Weng 2007).
//!
//! [`super::calibration`] measures the error that this corrects. A rising line keeps the order of a note's codes
//! and every AUC.

use serde::{Deserialize, Serialize};

use super::sigmoid::sigmoid_f64 as sigmoid;

/// Newton steps at most; a dozen do.
const STEPS: usize = 100;

/// Which line is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CalibrationMethod {
    /// The slope alone, 1 / temperature (Guo et al. 2017).
    Temperature,
    /// Slope and intercept.
    Platt,
}

/// `probability = sigmoid(slope · logit + intercept)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// How it was fitted.
    pub method: CalibrationMethod,
    /// Positive and finite.
    pub slope: f64,
    /// Finite; 0 by temperature.
    pub intercept: f64,
}

/// What was tried: log loss a cell in nats, each half of the notes judged by the line of the other half.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// The line of least loss, fitted on all notes; none where the logits do best as they are.
    pub calibration: Option<Calibration>,
    /// Of the logits as they are.
    pub loss: f64,
    /// By temperature; none where no rising line fits.
    pub temperature_loss: Option<f64>,
    /// By Platt's line.
    pub platt_loss: Option<f64>,
}

impl Calibration {
    /// The calibrated probability of a logit.
    pub fn probability(&self, logit: f32) -> f32 {
        sigmoid(self.slope * f64::from(logit) + self.intercept) as f32
    }

    /// Where a threshold on the scale of `sigmoid(logit)` lies on the calibrated scale. 0 and 1 stay.
    pub fn threshold(&self, threshold: f64) -> f64 {
        if threshold <= 0.0 || threshold >= 1.0 {
            return threshold;
        }
        sigmoid(self.slope * (threshold / (1.0 - threshold)).ln() + self.intercept)
    }

    /// The rule that the numbers break, if they do.
    pub fn broken_rule(&self) -> Option<&'static str> {
        let rising = self.slope.is_finite() && self.slope > 0.0;
        match (rising, self.intercept.is_finite()) {
            (false, _) => Some("the slope must be positive and finite"),
            (_, false) => Some("the intercept must be finite"),
            _ => None,
        }
    }
}

/// Chooses between the logits as they are, temperature and Platt's line. A half without notes (or a line that
/// does not rise) leaves the logits as they are.
///
/// # Shapes
/// `logits` row-major `[notes, labels]`; `gold` a list of label indices a note.
///
/// # Panics
/// If `logits` is not `gold.len() × labels` long.
pub fn choose(logits: &[f32], gold: &[Vec<u32>], labels: usize) -> Choice {
    let all = Cells::new(logits, gold, labels, |_| true);
    let halves = [0, 1].map(|half| Cells::new(logits, gold, labels, |note| note % 2 == half));
    let cells = all.cells.len().max(1) as f64;
    let loss = all.loss(1.0, 0.0) / cells;
    let crossed = |method| {
        let lines = [halves[0].fit(method)?, halves[1].fit(method)?];
        let sum = halves[1].loss(lines[0].slope, lines[0].intercept)
            + halves[0].loss(lines[1].slope, lines[1].intercept);
        Some(sum / cells)
    };
    let temperature_loss = crossed(CalibrationMethod::Temperature);
    let platt_loss = crossed(CalibrationMethod::Platt);
    let mut best = (loss, None);
    for (tried, method) in
        [(temperature_loss, CalibrationMethod::Temperature), (platt_loss, CalibrationMethod::Platt)]
    {
        if let Some(tried) = tried.filter(|&tried| tried < best.0) {
            best = (tried, Some(method));
        }
    }
    let calibration = best.1.and_then(|method| all.fit(method));
    Choice { calibration, loss, temperature_loss, platt_loss }
}

/// The line of greatest likelihood; none without a gold and another cell, or where it does not rise.
///
/// # Shapes
/// As in [`choose`]. A cell that is not finite (a note without tokens) is left out.
///
/// # Panics
/// If `logits` is not `gold.len() × labels` long.
pub fn fit(
    logits: &[f32],
    gold: &[Vec<u32>],
    labels: usize,
    method: CalibrationMethod,
) -> Option<Calibration> {
    Cells::new(logits, gold, labels, |_| true).fit(method)
}

/// Logits with whether they are gold.
struct Cells {
    cells: Vec<(f32, bool)>,
    gold: usize,
}

impl Cells {
    fn new(logits: &[f32], gold: &[Vec<u32>], labels: usize, keep: impl Fn(usize) -> bool) -> Self {
        assert_eq!(logits.len(), gold.len() * labels, "{} notes of {labels} labels", gold.len());
        let mut cells = Vec::new();
        for (note, row) in logits.chunks_exact(labels.max(1)).enumerate().filter(|(note, _)| keep(*note)) {
            let mut is_gold = vec![false; labels];
            gold[note].iter().for_each(|&label| is_gold[label as usize] = true);
            cells.extend(row.iter().copied().zip(is_gold).filter(|(logit, _)| logit.is_finite()));
        }
        let gold = cells.iter().filter(|cell| cell.1).count();
        Self { cells, gold }
    }

    /// Sum of −log likelihoods of what is gold and what is not.
    fn loss(&self, slope: f64, intercept: f64) -> f64 {
        self.weighted_loss(slope, intercept, (1.0, 0.0))
    }

    /// The same against targets (of a gold cell, of another): `softplus(z) − target · z`.
    fn weighted_loss(&self, slope: f64, intercept: f64, targets: (f64, f64)) -> f64 {
        let of = |&(logit, is_gold): &(f32, bool)| {
            let z = slope * f64::from(logit) + intercept;
            let target = if is_gold { targets.0 } else { targets.1 };
            z.max(0.0) + (-z.abs()).exp().ln_1p() - target * z
        };
        self.cells.iter().map(of).sum()
    }

    fn fit(&self, method: CalibrationMethod) -> Option<Calibration> {
        let others = self.cells.len() - self.gold;
        if self.gold == 0 || others == 0 {
            return None;
        }
        // Platt's targets: a line through data that a threshold parts stays finite.
        let (gold, rest) = (self.gold as f64, others as f64);
        let targets = ((gold + 1.0) / (gold + 2.0), 1.0 / (rest + 2.0));
        let with_intercept = method == CalibrationMethod::Platt;
        let (mut slope, mut intercept) = (1.0, 0.0);
        let mut loss = self.weighted_loss(slope, intercept, targets);
        for _ in 0..STEPS {
            // Gradient (g) and curvature (h) by slope (s) and intercept (i).
            let (mut gs, mut gi, mut hss, mut hsi, mut hii) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for &(logit, is_gold) in &self.cells {
                let logit = f64::from(logit);
                let probability = sigmoid(slope * logit + intercept);
                let gap = probability - if is_gold { targets.0 } else { targets.1 };
                let weight = probability * (1.0 - probability);
                gs += gap * logit;
                gi += gap;
                hss += weight * logit * logit;
                hsi += weight * logit;
                hii += weight;
            }
            let (step, shift) = if with_intercept {
                // A little ridge: logits that are all alike leave the curvature singular.
                let (hss, hii) = (hss * (1.0 + 1e-12) + 1e-12, hii * (1.0 + 1e-12) + 1e-12);
                let determinant = hss * hii - hsi * hsi;
                ((hii * gs - hsi * gi) / determinant, (hss * gi - hsi * gs) / determinant)
            } else {
                (gs / (hss + 1e-12), 0.0)
            };
            // Halved until the loss falls: far from the minimum a whole step can overshoot.
            let mut part = 1.0;
            let next = loop {
                let (to, at) = (slope - part * step, intercept - part * shift);
                let next = self.weighted_loss(to, at, targets);
                if next < loss {
                    (slope, intercept) = (to, at);
                    break next;
                }
                part /= 2.0;
                if part < 1e-10 {
                    break loss;
                }
            };
            let fell = loss - next;
            loss = next;
            if fell <= 1e-13 * loss.abs() {
                break;
            }
        }
        let line = Calibration { method, slope, intercept };
        line.broken_rule().is_none().then_some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One label: of `at` many notes with a logit, `gold` have the code.
    fn notes(groups: &[(f32, usize, usize)]) -> (Vec<f32>, Vec<Vec<u32>>) {
        let (mut logits, mut gold) = (Vec::new(), Vec::new());
        for &(logit, count, golden) in groups {
            logits.extend(vec![logit; count]);
            gold.extend((0..count).map(|at| if at < golden { vec![0] } else { vec![] }));
        }
        (logits, gold)
    }

    #[test]
    fn two_groups_of_notes_get_the_line_through_their_shares() {
        // At logit 2 are 30 of 40 gold, at −3 10 of 60: the smoothed targets' means are the fitted probabilities.
        let (logits, gold) = notes(&[(2.0, 40, 30), (-3.0, 60, 10)]);
        let line = fit(&logits, &gold, 1, CalibrationMethod::Platt).unwrap();
        let (yes, no) = (41.0 / 42.0, 1.0 / 62.0);
        let shares = [(30.0 * yes + 10.0 * no) / 40.0, (10.0 * yes + 50.0 * no) / 60.0];
        let z = shares.map(|share: f64| (share / (1.0 - share)).ln());
        let slope = (z[0] - z[1]) / 5.0;
        assert!((line.slope - slope).abs() < 1e-6, "{line:?}, not {slope}");
        assert!((line.intercept - (z[0] - 2.0 * slope)).abs() < 1e-6, "{line:?}");
        assert!((f64::from(line.probability(2.0)) - shares[0]).abs() < 1e-6);
    }

    #[test]
    fn at_the_fitted_temperature_the_gaps_weigh_nothing_along_the_logits() {
        let (logits, gold) = notes(&[(6.0, 30, 25), (1.0, 30, 16), (-4.0, 90, 12)]);
        let line = fit(&logits, &gold, 1, CalibrationMethod::Temperature).unwrap();
        assert_eq!(line.intercept, 0.0);
        assert!(line.slope > 0.1 && line.slope < 0.9, "too sure: cooled, {line:?}");
        let (yes, no) = (54.0 / 55.0, 1.0 / 99.0); // 53 gold, 97 not
        let gaps = logits.iter().zip(&gold).map(|(&logit, gold)| {
            let target = if gold.is_empty() { no } else { yes };
            (sigmoid(line.slope * f64::from(logit)) - target) * f64::from(logit)
        });
        let sum: f64 = gaps.sum();
        assert!(sum.abs() < 1e-4, "{sum}");
    }

    #[test]
    fn the_choice_is_the_line_that_serves_the_other_half() {
        // Every second note is of the other half; both halves are alike, and far from the logits' own scale.
        let (logits, gold) = notes(&[(8.0, 40, 30), (2.0, 80, 24), (-2.0, 160, 16)]);
        let choice = choose(&logits, &gold, 1);
        let (temperature, platt) = (choice.temperature_loss.unwrap(), choice.platt_loss.unwrap());
        assert!(platt < temperature && temperature < choice.loss, "{choice:?}");
        assert_eq!(choice.calibration.unwrap().method, CalibrationMethod::Platt);
        // Logits that are right already are left alone: at 0 one half is gold.
        let (logits, gold) = notes(&[(0.0, 8, 4)]);
        assert_eq!(choose(&logits, &gold, 1).calibration, None);
    }

    #[test]
    fn nothing_to_learn_from_gives_no_line() {
        let none = |groups: &[(f32, usize, usize)], method| {
            let (logits, gold) = notes(groups);
            assert_eq!(fit(&logits, &gold, 1, method), None);
            assert_eq!(choose(&logits, &gold, 1).calibration, None);
        };
        none(&[(1.0, 4, 0)], CalibrationMethod::Platt);
        none(&[], CalibrationMethod::Temperature);
        none(&[(f32::NEG_INFINITY, 3, 1)], CalibrationMethod::Platt);
        none(&[(2.0, 40, 4), (-2.0, 40, 36)], CalibrationMethod::Platt); // a falling line
    }

    #[test]
    fn notes_that_a_threshold_parts_give_a_finite_line() {
        let (logits, gold) = notes(&[(3.0, 10, 10), (-3.0, 10, 0)]);
        let line = fit(&logits, &gold, 1, CalibrationMethod::Platt).unwrap();
        // The targets are 11/12 and 1/12.
        assert!((f64::from(line.probability(3.0)) - 11.0 / 12.0).abs() < 1e-6, "{line:?}");
        assert!(line.intercept.abs() < 1e-6);
    }

    #[test]
    fn a_threshold_moves_with_the_probabilities() {
        let line = Calibration { method: CalibrationMethod::Platt, slope: 0.5, intercept: -1.0 };
        let (logit, before) = (1.5f32, sigmoid(1.5));
        assert!((line.threshold(before) - f64::from(line.probability(logit))).abs() < 1e-7);
        assert_eq!((line.threshold(0.0), line.threshold(1.0)), (0.0, 1.0));
        assert!(Calibration { slope: 0.0, ..line }.broken_rule().is_some());
        assert!(Calibration { intercept: f64::NAN, ..line }.broken_rule().is_some());
    }
}
