//! Losses: binary cross-entropy over labels, cross-entropy over classes.

use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{Int, Tensor};

/// Mean binary cross-entropy over batch and labels, from logits: `max(x, 0) − x·t + ln(1 + e^−|x|)`. At a logit of
/// exactly 0 its gradient is `−t` in place of `½ − t`, for relu and abs have slope 0 there.
///
/// # Shapes
/// - `logits`, `targets` (0 or 1): `[batch, labels]`
/// - output: `[1]`
pub fn binary_cross_entropy(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    assert_eq!(logits.dims(), targets.dims(), "logits and targets differ in shape");
    let softplus = logits.clone().abs().neg().exp().log1p();
    (relu(logits.clone()) - logits * targets + softplus).mean()
}

/// Mean cross-entropy over rows.
///
/// # Shapes
/// - `logits`: `[rows, classes]`
/// - `classes`: `[rows]`
/// - output: `[1]`
pub fn cross_entropy(logits: Tensor<2>, classes: Tensor<1, Int>) -> Tensor<1> {
    let [rows, _] = logits.dims();
    assert_eq!([rows], classes.dims(), "one class a row");
    log_softmax(logits, 1).gather(1, classes.unsqueeze_dim::<2>(1)).mean().neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn a_logit_of_zero_costs_ln_two_and_a_huge_one_stays_finite() {
        let device = Device::flex();
        let logits = Tensor::<2>::from_data([[0.0, 200.0], [-200.0, 200.0]], &device);
        let targets = Tensor::<2>::from_data([[1.0, 1.0], [0.0, 0.0]], &device);
        let loss: f32 = binary_cross_entropy(logits, targets).into_scalar();
        assert!((loss - (2f32.ln() + 200.0) / 4.0).abs() < 1e-5, "{loss}");
    }

    #[test]
    fn uniform_logits_cost_ln_classes() {
        let device = Device::flex();
        let logits = Tensor::<2>::zeros([3, 4], &device);
        let classes = Tensor::<1, Int>::from_data(TensorData::from([0i64, 3, 1]), &device);
        let loss: f32 = cross_entropy(logits, classes).into_scalar();
        assert!((loss - 4f32.ln()).abs() < 1e-6, "{loss}");
    }
}
