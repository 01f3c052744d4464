//! The numerator of a softmax: `exp(scale · (score − max))`, and the sum that it is to be divided by.

use super::isa::for_each_isa;
use super::lanes::{LANES, ROUNDER, greatest_of, sum_of};

for_each_isa! {
    /// Replaces scores by `exp(scale · (score − max))` and returns their sum, at least 1; 0 of nothing.
    pub fn exponentials(scores: &mut [f32], scale: f32) -> f32 = exponentials_of
}

#[inline(always)]
fn exponentials_of(scores: &mut [f32], scale: f32) -> f32 {
    let largest = largest(scores);
    let scale = scale * std::f32::consts::LOG2_E;
    let mut sums = [0.0_f32; LANES];
    let (chunks, rest) = scores.as_chunks_mut::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            chunk[lane] = exp2((chunk[lane] - largest) * scale);
            sums[lane] += chunk[lane];
        }
    }
    for (score, sum) in rest.iter_mut().zip(&mut sums) {
        *score = exp2((*score - largest) * scale);
        *sum += *score;
    }
    sum_of(sums)
}

for_each_isa! {
    /// As [`exponentials`], and multiplies each with a factor of its own after it was summed. Returns the sum and
    /// the greatest product, of factors that are not negative.
    pub fn exponentials_times(scores: &mut [f32], scale: f32, factors: &[f32]) -> (f32, f32) = times_factors
}

#[inline(always)]
fn times_factors(scores: &mut [f32], scale: f32, factors: &[f32]) -> (f32, f32) {
    let largest = largest(scores);
    let scale = scale * std::f32::consts::LOG2_E;
    let (mut sums, mut greatest) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    let (chunks, rest) = scores.as_chunks_mut::<LANES>();
    let (factors, factors_rest) = factors.as_chunks::<LANES>();
    for (chunk, factors) in chunks.iter_mut().zip(factors) {
        for lane in 0..LANES {
            let weight = exp2((chunk[lane] - largest) * scale);
            sums[lane] += weight;
            let product = weight * factors[lane];
            chunk[lane] = product;
            greatest[lane] = if product > greatest[lane] { product } else { greatest[lane] };
        }
    }
    for (lane, (score, factor)) in rest.iter_mut().zip(factors_rest).enumerate() {
        let weight = exp2((*score - largest) * scale);
        sums[lane] += weight;
        *score = weight * factor;
        greatest[lane] = if *score > greatest[lane] { *score } else { greatest[lane] };
    }
    (sum_of(sums), greatest_of(greatest))
}

for_each_isa! {
    /// Multiplies every number.
    pub fn multiply(values: &mut [f32], factor: f32) = multiply_all
}

#[inline(always)]
fn multiply_all(values: &mut [f32], factor: f32) {
    for value in values {
        *value *= factor;
    }
}

/// The greatest; −∞ of nothing.
#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    lanes[..rest.len()].copy_from_slice(rest);
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] = if chunk[lane] > lanes[lane] { chunk[lane] } else { lanes[lane] };
        }
    }
    greatest_of(lanes)
}

/// 2ˣ for x ≤ 0, 2⁻¹²⁵ below −125: 2 to the nearest integer, which goes into the exponent, times a polynomial of
/// degree 5 for the rest, ±½ (minimax in relative error, 1.5e-7).
#[allow(clippy::approx_constant)] // One coefficient is near ln 2, and better for not being it.
#[inline(always)]
pub(super) fn exp2(x: f32) -> f32 {
    let x = if x > -125.0 { x } else { -125.0 };
    let rounded = x + ROUNDER;
    let rest = x - (rounded - ROUNDER);
    let p = 1.327_647_2e-3;
    let p = p * rest + 9.675_541e-3;
    let p = p * rest + 5.550_713_3e-2;
    let p = p * rest + 2.402_212e-1;
    let p = p * rest + 6.931_47e-1;
    let p = p * rest + 1.0;
    f32::from_bits(p.to_bits().wrapping_add(rounded.to_bits() << 23))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::isa::Isa;

    #[test]
    fn powers_of_two_are_within_three_ten_millionths() {
        for i in 0..=1_250_000 {
            let x = -(i as f32) * 1e-4;
            let exact = f64::from(x).exp2();
            let error = (f64::from(exp2(x)) - exact).abs() / exact;
            assert!(error < 3e-7, "2^{x} is off by {error}");
        }
        assert_eq!((exp2(0.0), exp2(-1.0), exp2(-3.0)), (1.0, 0.5, 0.125));
        assert_eq!(exp2(f32::NEG_INFINITY), exp2(-125.0));
    }

    #[test]
    fn a_softmax_is_that_of_f64_and_has_the_same_bits_on_every_isa() {
        for len in [1, 2, 15, 16, 17, 100, 1024] {
            let scores: Vec<f32> = (0..len).map(|i| (i * 7919 % 1013) as f32 * 0.05 - 20.0).collect();
            let factors: Vec<f32> = (0..len).map(|i| (i % 7) as f32).collect();
            let mut plain = scores.clone();
            let sum = exponentials_of(&mut plain, 0.125);
            let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let exact: Vec<f64> =
                scores.iter().map(|score| (0.125 * f64::from(score - largest)).exp()).collect();
            let exact_sum: f64 = exact.iter().sum();
            for (found, exact) in plain.iter().zip(&exact) {
                assert!((f64::from(found / sum) - exact / exact_sum).abs() < 1e-6);
            }
            let products: Vec<f32> =
                plain.iter().zip(&factors).map(|(weight, factor)| weight * factor).collect();
            let greatest = products.iter().copied().fold(0.0, f32::max);
            for isa in Isa::available() {
                let mut values = scores.clone();
                assert_eq!(exponentials(isa, &mut values, 0.125).to_bits(), sum.to_bits(), "{isa:?}, {len}");
                assert!(values.iter().zip(&plain).all(|(a, b)| a.to_bits() == b.to_bits()), "{isa:?}, {len}");
                let mut values = scores.clone();
                assert_eq!(exponentials_times(isa, &mut values, 0.125, &factors), (sum, greatest));
                assert!(values.iter().zip(&products).all(|(a, b)| a.to_bits() == b.to_bits()));
            }
        }
    }

    #[test]
    fn large_scores_do_not_overflow() {
        let mut scores = [1e30, 1e30, -1e30];
        assert_eq!(exponentials(Isa::detect(), &mut scores, 1.0), 2.0);
        assert!(scores[2] < 1e-37);
    }
}
