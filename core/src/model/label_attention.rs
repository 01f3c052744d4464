//! The multi-label attention head (paper, eqs. 2–4): one query a code over all real word pieces.

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::{relu, softmax};
use burn::tensor::{Bool, DType, Device, Tensor};

use super::MASKED_SCORE;
use super::encoder::normal;

/// `a_ij = softmax_i ⟨h_i, l_j⟩`, `c_j = Σ_i a_ij h_i`, `logit_j = W_a relu(W_b c_j)`; no biases, `W_a` and
/// `W_b` shared by all labels.
#[derive(Module, Debug)]
pub struct LabelAttention {
    /// The label embeddings l_j, `[labels, d_model]`.
    pub labels: Param<Tensor<2>>,
    /// `W_b`, stored `[d_model, d_hidden]`.
    pub hidden: Linear,
    /// `W_a`, stored `[d_hidden, 1]`.
    pub output: Linear,
}

/// What the head says of a chunk of labels.
#[derive(Clone, Debug)]
pub struct LabelOutput {
    /// Before the sigmoid, `[batch, labels]`.
    pub logits: Tensor<2>,
    /// `[batch, labels, seq]`; a row sums to 1 over the note's real word pieces.
    pub attention: Tensor<3>,
}

impl LabelAttention {
    /// Draws a fresh head with weights N(0, `std`). The paper does not give `d_hidden`; ours is `d_model`
    /// by default.
    pub fn new(d_model: usize, d_hidden: usize, labels: usize, std: f64, device: &Device) -> Self {
        assert!(labels > 0, "a head needs at least one label");
        let linear = |d_in, d_out| {
            LinearConfig::new(d_in, d_out).with_bias(false).with_initializer(normal(std)).init(device)
        };
        Self {
            labels: normal(std).init([labels, d_model], device),
            hidden: linear(d_model, d_hidden),
            output: linear(d_hidden, 1),
        }
    }

    /// Logits of all labels, `chunk` labels at a time: the largest tensor is `[batch, chunk, seq]`.
    ///
    /// Under autodiff the graph of every chunk stays alive until the backward pass.
    ///
    /// # Shapes
    /// - `hidden`: `[batch, seq, d_model]`
    /// - `real`: `[batch, seq]`, true at word pieces of the note, false at `[CLS]`, `[SEP]` and padding
    /// - output: logits `[batch, labels]`
    pub fn forward(&self, hidden: Tensor<3>, real: Tensor<2, Bool>, chunk: usize) -> Tensor<2> {
        assert!(chunk > 0, "a chunk needs at least one label");
        let embeddings = self.labels.val();
        let [labels, _] = embeddings.dims();
        let chunks = (0..labels)
            .step_by(chunk)
            .map(|start| {
                let part = embeddings.clone().narrow(0, start, chunk.min(labels - start));
                self.attend(hidden.clone(), real.clone(), part).logits
            })
            .collect();
        Tensor::cat(chunks, 1)
    }

    /// Logits and attention of the given label embeddings.
    ///
    /// Scores and softmax run in f32 whatever the input's precision (the maximum is subtracted first).
    ///
    /// # Shapes
    /// - `hidden`: `[batch, seq, d_model]`
    /// - `real`: `[batch, seq]`
    /// - `labels`: `[labels, d_model]`
    pub fn attend(&self, hidden: Tensor<3>, real: Tensor<2, Bool>, labels: Tensor<2>) -> LabelOutput {
        let [batch, seq, d_model] = hidden.dims();
        let [count, width] = labels.dims();
        assert_eq!(width, d_model, "label embeddings of width {width} over hidden states of {d_model}");
        assert_eq!(real.dims(), [batch, seq], "the mask's shape differs from the hidden states'");
        let dtype = hidden.dtype();
        let scores = hidden.clone().matmul(labels.transpose().unsqueeze::<3>()); // [batch, seq, labels]
        let scores = scores.swap_dims(1, 2).cast(DType::F32); // [batch, labels, seq]
        let masked = real.bool_not().reshape([batch, 1, seq]).expand([batch, count, seq]);
        let attention = softmax(scores.mask_fill(masked, MASKED_SCORE), 2);
        let context = attention.clone().cast(dtype).matmul(hidden); // [batch, labels, d_model]
        let logits = self.output.forward(relu(self.hidden.forward(context))).cast(DType::F32);
        LabelOutput { logits: logits.squeeze_dim::<2>(2), attention }
    }
}
