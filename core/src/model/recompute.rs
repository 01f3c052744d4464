//! Gradient checkpointing (Chen et al. 2016): of the encoder only each block's input is kept, and the backward pass
//! computes a block once more. Memory for activations is that of one block, time a third more.
//!
//! burn's own strategy keeps matrix products, hence the scores of attention, and computes the rest again; those scores
//! are most of the memory here. A block is a graph of its own: the backward pass of Σ out · dL/dout, as in
//! [`super::chunked`], gives its gradients and dL/din.

use burn::tensor::{Device, Tensor};

use super::encoder::{Encoder, Unseen};
use super::gradients::GradientMap;

/// An encoder's pass without a graph.
pub struct Kept {
    /// Input of each block, then the output of the last, `[batch, seq, d_model]` each, without autodiff.
    states: Vec<Tensor<3>>,
    seeds: Vec<u64>,
    device: Device,
}

impl Kept {
    /// Runs the encoder on what `embed` gives. Dropout of the embeddings and of each block is drawn from a seed of its
    /// own, `blocks + 1` of them, so that the second run draws the same.
    ///
    /// # Panics
    /// If there are not as many seeds.
    pub fn forward(
        encoder: &Encoder,
        embed: impl Fn() -> Tensor<3>,
        unseen: &Unseen,
        seeds: Vec<u64>,
        device: &Device,
    ) -> Self {
        assert_eq!(seeds.len(), encoder.layers.len() + 1, "a seed for the embeddings and one a block");
        device.seed(seeds[0]);
        let mut states = vec![embed().inner()];
        for (layer, &seed) in encoder.layers.iter().zip(&seeds[1..]) {
            device.seed(seed);
            let input = Tensor::from_inner(states[states.len() - 1].clone());
            states.push(layer.forward(input, unseen, encoder.products).inner());
        }
        Self { states, seeds, device: device.clone() }
    }

    /// The encoder's output, `[batch, seq, d_model]`: a leaf whose gradient [`Kept::backward`] takes.
    pub fn output(&self) -> Tensor<3> {
        Tensor::from_inner(self.states[self.states.len() - 1].clone()).require_grad()
    }

    /// Gradients of the encoder's parameters, under `encoder.`, from dL/d output, `[batch, seq, d_model]` without
    /// autodiff. Arguments as in [`Kept::forward`].
    pub fn backward(
        mut self,
        encoder: &Encoder,
        embed: impl Fn() -> Tensor<3>,
        unseen: &Unseen,
        gradient: Tensor<3>,
    ) -> GradientMap {
        let (mut map, mut gradient) = (GradientMap::default(), gradient);
        self.states.pop();
        for (at, layer) in encoder.layers.iter().enumerate().rev() {
            let kept = self.states.pop().expect("an input a block");
            let input = Tensor::<3>::from_inner(kept).require_grad();
            self.device.seed(self.seeds[at + 1]);
            let output = layer.forward(input.clone(), unseen, encoder.products);
            let mut gradients = (output * Tensor::from_inner(gradient)).sum().backward();
            gradient = input.grad_remove(&mut gradients).expect("a block's output depends on its input");
            map.add_all(GradientMap::take(layer, &format!("encoder.layers.{at}."), &mut gradients));
        }
        self.device.seed(self.seeds[0]);
        let mut gradients = (embed() * Tensor::from_inner(gradient)).sum().backward();
        map.add_all(GradientMap::take(&encoder.embeddings, "encoder.embeddings.", &mut gradients));
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{WindowBatch, pad_windows};
    use crate::model::{EncoderConfig, Inputs, Products, Size};
    use crate::text::SpecialTokens;

    fn batch() -> WindowBatch {
        let special = SpecialTokens { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 };
        pad_windows(&[vec![2, 9, 8, 7, 3], vec![2, 11, 3]], &special, 8, 32)
    }

    #[test]
    fn blocks_that_are_computed_again_give_the_gradients_of_the_whole_pass() {
        let device = Device::flex().autodiff();
        let config = EncoderConfig {
            vocab_size: 20,
            max_position_embeddings: 8,
            hidden_dropout_prob: 0.0,
            attention_probs_dropout_prob: 0.0,
            ..EncoderConfig::of_size(Size::Tiny)
        };
        let mut encoder = config.init(&device).unwrap();
        let inputs = Inputs::new(&batch(), &device);
        let target = Tensor::<3>::random([2, 8, 128], burn::tensor::Distribution::Default, &device);
        for (products, tolerance) in [(Products::F32, 1e-5), (Products::Bf16, 1e-5)] {
            encoder.products = products;
            let whole = encoder.forward(inputs.ids.clone(), inputs.segments.clone(), inputs.keep.clone());
            let mut gradients = (whole.clone() * target.clone()).sum().backward();
            let expected = GradientMap::take(&encoder, "encoder.", &mut gradients).to_values();

            let embed = || encoder.embeddings.forward(inputs.ids.clone(), inputs.segments.clone());
            let unseen = Unseen::padding(inputs.keep.clone());
            let kept = Kept::forward(&encoder, embed, &unseen, vec![1, 2, 3], &device);
            let output = kept.output();
            let same = (output.clone().inner() - whole.inner()).abs().max().into_scalar::<f32>();
            assert!(same <= 1e-6, "{same}");
            let mut gradients = (output.clone() * target.clone()).sum().backward();
            let gradient = output.grad_remove(&mut gradients).unwrap();
            let found = kept.backward(&encoder, embed, &unseen, gradient).to_values();
            assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
            for (path, values) in &expected {
                let scale = values.data.iter().fold(1e-3f32, |max, value| max.max(value.abs()));
                for (a, b) in values.data.iter().zip(&found[path].data) {
                    assert!((a - b).abs() <= tolerance * scale, "{path}: {a} {b}");
                }
            }
        }
    }
}
