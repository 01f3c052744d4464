//! The multi-head attention baseline of Table 2 (paper, eqs. 5–8): fixed word embeddings, one bidirectional recurrent
//! layer, attention heads with learnt queries, and one linear layer over all contexts.
//!
//! The paper says bi-LSTM and GRU of the same layer: ours is a GRU. It does not say whether 512 units are one
//! direction's or both's: ours are both's. burn's own GRU writes each step into a copy of the whole sequence, which under
//! autodiff costs the square of the length, and reads padding; so the steps are ours.

use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig, Initializer, Linear, LinearConfig};
use burn::tensor::activation::{sigmoid, softmax, tanh};
use burn::tensor::{Bool, Device, Tensor};

use super::suite::AttentionShape;

/// One direction: gates for update, reset and candidate side by side.
#[derive(Module, Debug)]
pub(super) struct Direction {
    /// `[d_in, 3 · hidden]`
    pub(super) input: Linear,
    /// `[hidden, 3 · hidden]`
    pub(super) hidden: Linear,
}

/// The model without its embeddings, which stay fixed.
#[derive(Module, Debug)]
pub(super) struct MultiHead {
    pub(super) dropout: Dropout,
    pub(super) forward: Direction,
    pub(super) backward: Direction,
    /// `[d_h, heads]`, d_h of both directions.
    pub(super) queries: Param<Tensor<2>>,
    /// `[heads · d_h, labels]`
    pub(super) output: Linear,
}

impl Direction {
    fn new(d_in: usize, hidden: usize, device: &Device) -> Self {
        let linear = |d_in| {
            let start = Initializer::XavierNormal { gain: 1.0 };
            LinearConfig::new(d_in, 3 * hidden).with_initializer(start).init(device)
        };
        Self { input: linear(d_in), hidden: linear(hidden) }
    }

    /// Hidden states by place, `[batch, seq, hidden]`; padding passes a state on as it is.
    ///
    /// # Shapes
    /// - `words`: `[batch, seq, d_in]`
    /// - `keep`: `[batch, seq]`, 1 at words and 0 at padding
    fn states(&self, words: Tensor<3>, keep: &Tensor<2>, reversed: bool) -> Tensor<3> {
        let [batch, seq, _] = words.dims();
        let hidden = self.hidden.weight.dims()[0];
        let inputs = self.input.forward(words); // [batch, seq, 3 · hidden]
        let mut state = Tensor::<2>::zeros([batch, hidden], &inputs.device());
        let mut states = Vec::with_capacity(seq);
        for step in 0..seq {
            let at = if reversed { seq - 1 - step } else { step };
            let input = inputs.clone().narrow(1, at, 1).squeeze_dim::<2>(1);
            let recurrent = self.hidden.forward(state.clone());
            let gates =
                sigmoid(input.clone().narrow(1, 0, 2 * hidden) + recurrent.clone().narrow(1, 0, 2 * hidden));
            let (update, reset) = (gates.clone().narrow(1, 0, hidden), gates.narrow(1, hidden, hidden));
            let candidate =
                tanh(input.narrow(1, 2 * hidden, hidden) + reset * recurrent.narrow(1, 2 * hidden, hidden));
            let moves = (update.neg() + 1.0) * keep.clone().narrow(1, at, 1);
            state = state.clone() + moves * (candidate - state);
            states.push(state.clone());
        }
        if reversed {
            states.reverse();
        }
        Tensor::stack(states, 1)
    }
}

impl MultiHead {
    /// Draws a fresh model.
    pub(super) fn new(shape: &AttentionShape, labels: usize, device: &Device) -> Self {
        let one = shape.hidden / 2;
        let linear = LinearConfig::new(shape.heads * 2 * one, labels);
        let start = Initializer::XavierNormal { gain: 1.0 };
        Self {
            dropout: DropoutConfig::new(0.1).init(),
            forward: Direction::new(shape.embedding, one, device),
            backward: Direction::new(shape.embedding, one, device),
            queries: start.init_with([2 * one, shape.heads], Some(2 * one), Some(shape.heads), device),
            output: linear.with_initializer(start).init(device),
        }
    }

    /// Logits, `[batch, labels]`.
    ///
    /// # Shapes
    /// - `words`: `[batch, seq, embedding]`
    /// - `keep`: `[batch, seq]`, true at words
    pub(super) fn logits(&self, words: Tensor<3>, keep: Tensor<2, Bool>) -> Tensor<2> {
        let [batch, seq, _] = words.dims();
        let words = self.dropout.forward(words);
        let kept = keep.clone().float();
        let states = Tensor::cat(
            vec![self.forward.states(words.clone(), &kept, false), self.backward.states(words, &kept, true)],
            2,
        ); // [batch, seq, d_h]
        let [_, _, d_h] = states.dims();
        let heads = self.queries.dims()[1];
        let scores = states.clone().matmul(self.queries.val().unsqueeze::<3>()); // [batch, seq, heads]
        let padding = keep.bool_not().unsqueeze_dim::<3>(2).expand([batch, seq, heads]);
        let attention = softmax(scores.mask_fill(padding, MASKED), 1);
        let contexts = attention.swap_dims(1, 2).matmul(states).div_scalar((d_h as f64).sqrt());
        self.output.forward(contexts.reshape([batch, heads * d_h]))
    }
}

/// Far below any score, and finite.
const MASKED: f32 = -1e4;

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;

    fn shape() -> AttentionShape {
        AttentionShape {
            embedding: 3,
            hidden: 4,
            heads: 2,
            max_len: 8,
            embedding_epochs: 1,
            budget: super::super::suite::Budget { epochs: 1, max_steps: 0, batch: 1, rate: 1e-3 },
            rates: vec![1e-3],
        }
    }

    fn logits(model: &MultiHead, rows: &[(&[f32], usize)], seq: usize) -> Vec<f32> {
        let device = Device::flex();
        let (mut words, mut keep) = (Vec::new(), Vec::new());
        for (row, length) in rows {
            words.extend_from_slice(row);
            words.resize(words.len() + (seq - length) * 3, 9.0);
            keep.extend((0..seq).map(|at| at < *length));
        }
        let words = Tensor::<3>::from_data(TensorData::new(words, [rows.len(), seq, 3]), &device);
        let keep = Tensor::<2, Bool>::from_data(TensorData::new(keep, [rows.len(), seq]), &device);
        model.logits(words, keep).into_data().try_to_vec().unwrap()
    }

    #[test]
    fn padding_and_batch_mates_change_nothing() {
        let model = MultiHead::new(&shape(), 5, &Device::flex());
        let (long, short) = ([0.1, 0.9, -0.3, 0.5, -0.2, 0.4, 0.7, 0.0, 0.2], [0.3, -0.8, 0.6]);
        let together = logits(&model, &[(&long, 3), (&short, 1)], 3);
        let alone = logits(&model, &[(&short, 1)], 1);
        let padded = logits(&model, &[(&short, 1)], 6);
        for ((a, b), c) in together[5..].iter().zip(&alone).zip(&padded) {
            assert!((a - b).abs() < 1e-5 && (a - c).abs() < 1e-5, "{a} {b} {c}");
        }
    }

    #[test]
    fn a_step_is_a_gated_recurrent_units_by_hand() {
        // One unit, all weights 1, biases 0, input x = 1 from a state of 0: z = r = σ(1), n = tanh(1), h = (1 − z) n.
        let device = Device::flex();
        let mut unit = Direction::new(1, 1, &device);
        for linear in [&mut unit.input, &mut unit.hidden] {
            linear.weight = Param::from_tensor(Tensor::ones([1, 3], &device));
            linear.bias = Some(Param::from_tensor(Tensor::zeros([3], &device)));
        }
        let words = Tensor::<3>::ones([1, 2, 1], &device);
        let keep = Tensor::<2>::ones([1, 2], &device);
        let states: Vec<f32> = unit.states(words, &keep, false).into_data().try_to_vec().unwrap();
        let sigma = |x: f32| 1.0 / (1.0 + (-x).exp());
        let first = (1.0 - sigma(1.0)) * 1f32.tanh();
        let z = sigma(1.0 + first);
        let second = (1.0 - z) * (1.0 + z * first).tanh() + z * first;
        assert!((states[0] - first).abs() < 1e-6 && (states[1] - second).abs() < 1e-6, "{states:?}");
    }
}
