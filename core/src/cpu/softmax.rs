//! The numerator of a softmax: `exp(scale · score − max)`, and the sum that it is to be divided by.

use super::isa::for_each_isa;
use super::quantize::ROUNDER;

/// Numbers that are summed side by side, whatever the processor: the order of a sum is part of the result.
const LANES: usize = 16;

for_each_isa! {
    /// Replaces scores by `exp(scale · (score − max))` and returns their sum, at least 1; 0 of nothing.
    pub fn exponentials(scores: &mut [f32], scale: f32) -> f32 = exponentials_of
}

#[inline(always)]
fn exponentials_of(scores: &mut [f32], scale: f32) -> f32 {
    let largest = largest(scores);
    let mut sums = [0.0_f32; LANES];
    let mut chunks = scores.chunks_exact_mut(LANES);
    for chunk in &mut chunks {
        for lane in 0..LANES {
            chunk[lane] = exp((chunk[lane] - largest) * scale);
            sums[lane] += chunk[lane];
        }
    }
    for (score, sum) in chunks.into_remainder().iter_mut().zip(&mut sums) {
        *score = exp((*score - largest) * scale);
        *sum += *score;
    }
    sum_of(sums)
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
    let chunks = values.chunks_exact(LANES);
    for (lane, value) in lanes.iter_mut().zip(chunks.remainder()) {
        *lane = *value;
    }
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] = if chunk[lane] > lanes[lane] { chunk[lane] } else { lanes[lane] };
        }
    }
    lanes.iter().fold(f32::NEG_INFINITY, |largest, value| if *value > largest { *value } else { largest })
}

/// The sum of the lanes, in halves.
#[inline(always)]
pub(super) fn sum_of(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// eˣ for x ≤ 0, 0 below −87: `2ⁿ eʳ` with |r| ≤ ln 2 / 2 and a polynomial of degree 6; relative error 2e-7.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    let x = if x < -87.0 { -87.0 } else { x };
    let rounded = x * std::f32::consts::LOG2_E + ROUNDER;
    let n = rounded - ROUNDER;
    // ln 2 in two parts: the first has few bits, so that n times it is exact.
    let r = x - n * 0.693_359_4;
    let r = r + n * 2.121_944_4e-4;
    let p = 1.388_888_9e-3;
    let p = p * r + 8.333_334e-3;
    let p = p * r + 4.166_666_8e-2;
    let p = p * r + 1.666_666_7e-1;
    let p = p * r + 0.5;
    let p = p * r + 1.0;
    let p = p * r + 1.0;
    let exponent = (rounded.to_bits().wrapping_sub(ROUNDER.to_bits()).wrapping_add(127)) << 23;
    p * f32::from_bits(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::isa::Isa;

    #[test]
    fn exp_is_within_three_ten_millionths() {
        for i in 0..=870_000 {
            let x = -(i as f32) * 1e-4;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 3e-7, "exp({x}) is off by {error}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NEG_INFINITY) < 2e-38);
    }

    #[test]
    fn a_softmax_is_that_of_f64_and_has_the_same_bits_on_every_isa() {
        for len in [1, 2, 15, 16, 17, 100, 1024] {
            let scores: Vec<f32> = (0..len).map(|i| (i * 7919 % 1013) as f32 * 0.05 - 20.0).collect();
            let mut plain = scores.clone();
            let sum = exponentials_of(&mut plain, 0.125);
            let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let exact: Vec<f64> =
                scores.iter().map(|score| (0.125 * f64::from(score - largest)).exp()).collect();
            let exact_sum: f64 = exact.iter().sum();
            for (found, exact) in plain.iter().zip(&exact) {
                assert!((f64::from(found / sum) - exact / exact_sum).abs() < 1e-6);
            }
            for isa in Isa::available() {
                let mut values = scores.clone();
                assert_eq!(exponentials(isa, &mut values, 0.125).to_bits(), sum.to_bits(), "{isa:?}, {len}");
                assert!(values.iter().zip(&plain).all(|(a, b)| a.to_bits() == b.to_bits()), "{isa:?}, {len}");
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
