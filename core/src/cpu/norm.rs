//! LayerNorm.

use super::isa::for_each_isa;
use super::lanes::{LANES, sum_of};

/// Gains and shifts of a LayerNorm.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    /// `[d_model]`
    pub gamma: Vec<f32>,
    /// `[d_model]`
    pub beta: Vec<f32>,
    /// Added to the variance.
    pub epsilon: f32,
}

impl LayerNorm {
    /// Normalises a row of `d_model` numbers: mean 0, variance 1, then gains and shifts.
    pub fn apply(&self, isa: super::isa::Isa, row: &mut [f32]) {
        normalize(isa, row, &self.gamma, &self.beta, self.epsilon);
    }

    /// As [`LayerNorm::apply`] to the sum of a row and its residual.
    pub fn apply_to_sum(&self, isa: super::isa::Isa, row: &mut [f32], residual: &[f32]) {
        add(isa, row, residual);
        self.apply(isa, row);
    }
}

for_each_isa! {
    /// Adds `other`, number by number.
    pub fn add(row: &mut [f32], other: &[f32]) = add_all
}

#[inline(always)]
fn add_all(row: &mut [f32], other: &[f32]) {
    for (value, other) in row.iter_mut().zip(other) {
        *value += other;
    }
}

for_each_isa! {
    fn normalize(row: &mut [f32], gamma: &[f32], beta: &[f32], epsilon: f32) = normalize_row
}

#[inline(always)]
fn normalize_row(row: &mut [f32], gamma: &[f32], beta: &[f32], epsilon: f32) {
    let count = row.len() as f32;
    let mean = sum_by(row, |value| value) / count;
    let variance = sum_by(row, |value| (value - mean) * (value - mean)) / count;
    let factor = 1.0 / (variance + epsilon).sqrt();
    for ((value, gamma), beta) in row.iter_mut().zip(gamma).zip(beta) {
        *value = (*value - mean) * factor * gamma + beta;
    }
}

/// A sum in [`LANES`] lanes.
#[inline(always)]
fn sum_by(row: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for (sum, value) in sums.iter_mut().zip(rest) {
        *sum = term(*value);
    }
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] += term(chunk[lane]);
        }
    }
    sum_of(sums)
}

for_each_isa! {
    /// `Σ a b` in 16 lanes: the same bits everywhere.
    pub fn dot(a: &[f32], b: &[f32]) -> f32 = dot_of
}

#[inline(always)]
fn dot_of(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for ((sum, a), b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
        *sum = a * b;
    }
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sum_of(sums)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::isa::Isa;

    fn row(len: usize) -> Vec<f32> {
        (0..len).map(|i| (i * 7919 % 1013) as f32 * 0.01 - 3.0).collect()
    }

    #[test]
    fn it_is_that_of_f64_and_has_the_same_bits_on_every_isa() {
        for len in [1, 2, 15, 24, 130, 512, 768] {
            let norm = LayerNorm { gamma: row(len), beta: vec![0.5; len], epsilon: 1e-12 };
            let row = row(len).iter().map(|x| x * 3.0 + 1.0).collect::<Vec<_>>();
            let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / len as f64;
            let variance = row.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / len as f64;
            let mut plain = row.clone();
            norm.apply(Isa::Portable, &mut plain);
            for (at, found) in plain.iter().enumerate() {
                let exact =
                    (f64::from(row[at]) - mean) / (variance + 1e-12).sqrt() * f64::from(norm.gamma[at]) + 0.5;
                assert!((f64::from(*found) - exact).abs() < 1e-5, "{len}: {found} for {exact}");
            }
            for isa in Isa::available() {
                let mut values = row.clone();
                norm.apply(isa, &mut values);
                assert!(values.iter().zip(&plain).all(|(a, b)| a.to_bits() == b.to_bits()), "{isa:?}, {len}");
                assert_eq!(dot(isa, &row, &plain).to_bits(), dot(Isa::Portable, &row, &plain).to_bits());
            }
        }
    }

    #[test]
    fn two_numbers_become_plus_and_minus_one() {
        let norm = LayerNorm { gamma: vec![1.0, 2.0], beta: vec![0.0, 0.5], epsilon: 1e-12 };
        let mut row = [3.0, 1.0];
        norm.apply_to_sum(Isa::detect(), &mut row, &[2.0, 0.0]);
        assert_eq!(row, [1.0, -1.5]);
        assert_eq!(dot(Isa::detect(), &[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]), 32.0);
    }
}
