//! From logits to probabilities, with the same bits on every machine: the exponential of std is the platform's own,
//! and a browser's differs from a server's in the last bit.

/// `1 / (1 + e⁻ˣ)`
pub fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + libm::expf(-logit))
}

/// `1 / (1 + e⁻ˣ)` in f64.
pub(super) fn sigmoid_f64(logit: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-logit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_are_fixed() {
        // Correctly rounded: 0.26894142137…, 0.5, 0.95257412682…
        assert_eq!([-1.0, 0.0, 3.0].map(sigmoid), [0.268_941_43, 0.5, 0.952_574_13]);
        assert_eq!((sigmoid(200.0), sigmoid(-200.0)), (1.0, 0.0));
        assert!((sigmoid_f64(-1.0) - 0.268_941_421_369_995_1).abs() < 1e-16);
    }
}
