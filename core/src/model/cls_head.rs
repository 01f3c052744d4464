//! The CLS head (paper, eq. 1): one linear layer over the hidden state of `[CLS]`.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};

use super::encoder::bert_linear;

/// `logits = W h_[CLS] + b`; the probability is its sigmoid.
#[derive(Module, Debug)]
pub struct ClsHead {
    /// `[d_model, labels]`
    pub classifier: Linear,
}

impl ClsHead {
    /// Draws a fresh head with weights N(0, `std`) and biases 0.
    pub fn new(d_model: usize, labels: usize, std: f64, device: &Device) -> Self {
        assert!(labels > 0, "a head needs at least one label");
        Self { classifier: bert_linear(d_model, labels, std, device) }
    }

    /// # Shapes
    /// - `hidden`: `[batch, seq, d_model]`, `[CLS]` at position 0
    /// - output: logits `[batch, labels]`
    pub fn forward(&self, hidden: Tensor<3>) -> Tensor<2> {
        self.classifier.forward(hidden.narrow(1, 0, 1).squeeze_dim::<2>(1))
    }
}
