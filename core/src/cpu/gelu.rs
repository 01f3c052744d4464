//! GELU by the error function, `x Φ(x)`, as BERT has it.

use super::isa::for_each_isa;
use super::softmax::exp2;

for_each_isa! {
    /// Replaces every x by `x Φ(x)`; within 1e-6 of the exact value.
    pub fn gelu(values: &mut [f32]) = gelu_all
}

#[inline(always)]
fn gelu_all(values: &mut [f32]) {
    for value in values {
        let x = *value;
        let size = x.abs();
        let positive = if x > 0.0 { x } else { 0.0 };
        *value = positive - size * upper_tail(size);
    }
}

/// 1 − Φ(x) for x ≥ 0, within 1e-7 (Abramowitz and Stegun, 7.1.26, halved and in x). Taken off x instead of
/// multiplied with it, it leaves a large x as it is.
#[inline(always)]
fn upper_tail(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x);
    let p = 0.530_702_7;
    let p = p * t - 0.726_576;
    let p = p * t + 0.710_706_9;
    let p = p * t - 0.142_248_37;
    let p = p * t + 0.127_414_8;
    p * t * exp2(x * x * (-0.5 * std::f32::consts::LOG2_E))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::isa::Isa;

    /// Φ(x) by the series of erf (|x| small) or its continued fraction: exact to 1e-14.
    fn exact(x: f64) -> f64 {
        let z = x.abs() / 2.0_f64.sqrt();
        let erfc = if z < 2.5 {
            let (mut term, mut sum) = (z, z);
            for n in 1..200 {
                term *= -z * z / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            1.0 - 2.0 / std::f64::consts::PI.sqrt() * sum
        } else {
            let fraction = (1..200).rev().fold(z, |f, n| z + f64::from(n) / 2.0 / f);
            (-z * z).exp() / (std::f64::consts::PI.sqrt() * fraction)
        };
        x * if x > 0.0 { 1.0 - erfc / 2.0 } else { erfc / 2.0 }
    }

    #[test]
    fn it_is_within_a_millionth_everywhere_and_the_same_on_every_isa() {
        let grid: Vec<f32> = (-130_000..=130_000).map(|i| i as f32 * 1e-4).collect();
        let mut plain = grid.clone();
        gelu_all(&mut plain);
        for (x, y) in grid.iter().zip(&plain) {
            let error = (f64::from(*y) - exact(f64::from(*x))).abs();
            assert!(error <= 1e-6, "gelu({x}) = {y}, off by {error}");
        }
        for isa in Isa::available() {
            let mut values = grid.clone();
            gelu(isa, &mut values);
            assert!(values.iter().zip(&plain).all(|(a, b)| a.to_bits() == b.to_bits()), "{isa:?}");
        }
    }

    #[test]
    fn known_values() {
        let mut values = [0.0, 1.0, -1.0, 100.0, -100.0];
        gelu(Isa::detect(), &mut values);
        assert!((values[1] - 0.841_344_7).abs() < 1e-6 && (values[2] + 0.158_655_3).abs() < 1e-6);
        assert_eq!((values[0], values[3]), (0.0, 100.0));
        assert!(values[4].abs() < 1e-5);
    }
}
