//! An estimate with what each patient contributes to it: its standard error, interval, and differences.
//!
//! To first order an AUC is its value plus a sum of influences, one a patient, that are independent of each other
//! because patients are. Their squares give the variance (DeLong, DeLong, Clarke-Pearson 1988 where every note is a
//! patient; Obuchowski 1997 where patients have several). Influences of the same patients add: those of a mean of
//! codes are the mean of theirs, those of a difference of two models their difference.

use serde::{Deserialize, Serialize};

/// The normal distribution's quantile of a two-sided interval of 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// A 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The estimate.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A mean over codes, or a pooled number, with the influence of every patient on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// The value itself.
    pub value: f64,
    /// Codes that it is over.
    pub codes: usize,
    /// `[clusters]`; they sum to 0.
    pub influence: Vec<f64>,
}

impl Estimate {
    /// The standard error, clustered by patient; none with fewer than two patients.
    pub fn standard_error(&self) -> Option<f64> {
        let clusters = self.influence.len() as f64;
        let squares: f64 = self.influence.iter().map(|e| e * e).sum();
        (clusters > 1.0).then(|| (squares * clusters / (clusters - 1.0)).sqrt())
    }

    /// The interval of an AUC: symmetric in ln(a / (1 − a)), so that it stays between 0 and 1. An AUC of 0 or 1 has no
    /// width. None with fewer than two patients.
    pub fn interval(&self) -> Option<Interval> {
        let error = self.standard_error()?;
        let value = self.value;
        let spread = value * (1.0 - value);
        if spread <= 0.0 {
            return Some(Interval { value, low: value, high: value });
        }
        let (middle, width) = ((value / (1.0 - value)).ln(), Z * error / spread);
        let back = |logit: f64| 1.0 / (1.0 + (-logit).exp());
        Some(Interval { value, low: back(middle - width), high: back(middle + width) })
    }

    /// The interval of a difference, value ± 1.96 standard errors. None with fewer than two patients.
    pub fn plain_interval(&self) -> Option<Interval> {
        let (value, error) = (self.value, self.standard_error()?);
        Some(Interval { value, low: value - Z * error, high: value + Z * error })
    }

    /// This less another estimate from the same notes: their common patients cancel what they have in common.
    ///
    /// # Panics
    /// If the two have different numbers of patients.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        assert_eq!(self.influence.len(), other.influence.len(), "the same notes of the same patients");
        let influence = self.influence.iter().zip(&other.influence).map(|(a, b)| a - b).collect();
        Self { value: self.value - other.value, codes: self.codes.min(other.codes), influence }
    }

    /// The mean over all codes of several disjoint groups of codes; none where they have no code.
    ///
    /// # Panics
    /// If they have different numbers of patients.
    pub fn mean<'a>(groups: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let groups: Vec<&Self> = groups.into_iter().filter(|group| group.codes > 0).collect();
        let codes: usize = groups.iter().map(|group| group.codes).sum();
        let mut sum = Self { value: 0.0, codes, influence: vec![0.0; groups.first()?.influence.len()] };
        for group in groups {
            assert_eq!(sum.influence.len(), group.influence.len(), "the same notes of the same patients");
            let share = group.codes as f64 / codes as f64;
            sum.value += share * group.value;
            sum.influence.iter_mut().zip(&group.influence).for_each(|(e, of)| *e += share * of);
        }
        Some(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(value: f64, codes: usize, influence: &[f64]) -> Estimate {
        Estimate { value, codes, influence: influence.to_vec() }
    }

    #[test]
    fn intervals_by_hand() {
        // Σ e² = .0002, times 2 / 1: an error of .02.
        let one = estimate(0.8, 1, &[0.01, -0.01]);
        assert!((one.standard_error().unwrap() - 0.02).abs() < 1e-12);
        let plain = one.plain_interval().unwrap();
        assert!((plain.low - (0.8 - 0.0392)).abs() < 1e-5 && (plain.high - 0.8392).abs() < 1e-5);
        // ln 4 ± 1.96 · .02 / .16 = 1.3863 ± .2450.
        let interval = one.interval().unwrap();
        assert!(
            (interval.low - 0.75794).abs() < 1e-4 && (interval.high - 0.83635).abs() < 1e-4,
            "{interval:?}"
        );
        let sure = estimate(1.0, 1, &[0.0, 0.0]).interval().unwrap();
        assert_eq!((sure.low, sure.high), (1.0, 1.0));
        assert_eq!(estimate(0.8, 1, &[0.0]).interval(), None);
    }

    #[test]
    fn what_two_models_have_in_common_cancels() {
        let (a, b) = (estimate(0.9, 3, &[0.02, -0.02]), estimate(0.8, 3, &[0.02, -0.02]));
        let difference = a.minus(&b);
        assert!((difference.value - 0.1).abs() < 1e-12);
        assert_eq!(difference.standard_error(), Some(0.0));
        let mean = Estimate::mean([&a, &estimate(0.5, 1, &[-0.02, 0.02]), &estimate(0.0, 0, &[])]).unwrap();
        assert!((mean.value - 0.8).abs() < 1e-12 && mean.codes == 4);
        assert!((mean.influence[0] - 0.01).abs() < 1e-12);
        assert_eq!(Estimate::mean([]), None);
    }
}
