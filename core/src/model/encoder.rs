//! The BERT encoder (Devlin et al. 2019): embeddings and post-LN transformer blocks.

use burn::module::Module;
use burn::nn::{
    Dropout, DropoutConfig, Embedding, EmbeddingConfig, Initializer, LayerNorm, LayerNormConfig, Linear,
    LinearConfig,
};
use burn::tensor::activation::{gelu, softmax};
use burn::tensor::{Bool, Device, Int, Tensor};

use super::MASKED_SCORE;
use super::config::{ConfigError, EncoderConfig};

/// Token, position and segment embeddings, summed, normalised and dropped out.
#[derive(Module, Debug)]
pub struct Embeddings {
    /// `[vocab, d_model]`
    pub word: Embedding,
    /// `[max_positions, d_model]`
    pub position: Embedding,
    /// `[segments, d_model]`
    pub segment: Embedding,
    /// After the sum.
    pub norm: LayerNorm,
    /// After the norm.
    pub dropout: Dropout,
}

/// Multi-head self-attention with its output projection, residual and LayerNorm.
#[derive(Module, Debug)]
pub struct SelfAttention {
    /// `[d_model, d_model]`
    pub query: Linear,
    /// `[d_model, d_model]`
    pub key: Linear,
    /// `[d_model, d_model]`
    pub value: Linear,
    /// `[d_model, d_model]`
    pub output: Linear,
    /// After the residual sum.
    pub norm: LayerNorm,
    /// Of the attention weights.
    pub attention_dropout: Dropout,
    /// Of the output projection.
    pub dropout: Dropout,
    heads: usize,
}

/// The position-wise feed-forward layer with residual and LayerNorm; GELU by the error function.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// `[d_model, intermediate]`
    pub intermediate: Linear,
    /// `[intermediate, d_model]`
    pub output: Linear,
    /// After the residual sum.
    pub norm: LayerNorm,
    /// Of the output.
    pub dropout: Dropout,
}

/// One post-LN transformer block.
#[derive(Module, Debug)]
pub struct Layer {
    /// Self-attention half.
    pub attention: SelfAttention,
    /// Feed-forward half.
    pub feed_forward: FeedForward,
}

/// The encoder: `[batch, seq]` token ids to `[batch, seq, d_model]` hidden states.
#[derive(Module, Debug)]
pub struct Encoder {
    /// Input embeddings.
    pub embeddings: Embeddings,
    /// Transformer blocks, first to last.
    pub layers: Vec<Layer>,
}

impl EncoderConfig {
    /// Draws a fresh encoder: weights N(0, `initializer_range`), biases 0, LayerNorm gains 1.
    ///
    /// # Errors
    /// A field that [`EncoderConfig::validate`] refuses.
    pub fn init(&self, device: &Device) -> Result<Encoder, ConfigError> {
        self.validate()?;
        let d_model = self.hidden_size;
        let embedding = |rows| {
            EmbeddingConfig::new(rows, d_model).with_initializer(normal(self.initializer_range)).init(device)
        };
        let linear = |d_in, d_out| bert_linear(d_in, d_out, self.initializer_range, device);
        let norm = || LayerNormConfig::new(d_model).with_epsilon(self.layer_norm_eps).init(device);
        let dropout = || DropoutConfig::new(self.hidden_dropout_prob).init();
        let layer = || Layer {
            attention: SelfAttention {
                query: linear(d_model, d_model),
                key: linear(d_model, d_model),
                value: linear(d_model, d_model),
                output: linear(d_model, d_model),
                norm: norm(),
                attention_dropout: DropoutConfig::new(self.attention_probs_dropout_prob).init(),
                dropout: dropout(),
                heads: self.num_attention_heads,
            },
            feed_forward: FeedForward {
                intermediate: linear(d_model, self.intermediate_size),
                output: linear(self.intermediate_size, d_model),
                norm: norm(),
                dropout: dropout(),
            },
        };
        Ok(Encoder {
            embeddings: Embeddings {
                word: embedding(self.vocab_size),
                position: embedding(self.max_position_embeddings),
                segment: embedding(self.type_vocab_size),
                norm: norm(),
                dropout: dropout(),
            },
            layers: (0..self.num_hidden_layers).map(|_| layer()).collect(),
        })
    }
}

impl Encoder {
    /// Hidden states of the last layer.
    ///
    /// # Shapes
    /// - `ids`, `segments`: `[batch, seq]`
    /// - `keep`: `[batch, seq]`, true at every token that is not padding
    /// - output: `[batch, seq, d_model]`
    pub fn forward(&self, ids: Tensor<2, Int>, segments: Tensor<2, Int>, keep: Tensor<2, Bool>) -> Tensor<3> {
        self.forward_rest(self.forward_first(ids, segments, keep.clone(), 0), keep, 0)
    }

    /// Hidden states after the first `layers` blocks; those of the embeddings for 0. Shapes as in
    /// [`Encoder::forward`].
    pub fn forward_first(
        &self,
        ids: Tensor<2, Int>,
        segments: Tensor<2, Int>,
        keep: Tensor<2, Bool>,
        layers: usize,
    ) -> Tensor<3> {
        let masked = keep.bool_not();
        self.layers[..layers].iter().fold(self.embeddings.forward(ids, segments), |hidden, layer| {
            layer.forward(hidden, masked.clone())
        })
    }

    /// Goes on from the hidden states after the first `layers` blocks. Shapes as in [`Encoder::forward`].
    pub fn forward_rest(&self, hidden: Tensor<3>, keep: Tensor<2, Bool>, layers: usize) -> Tensor<3> {
        let masked = keep.bool_not();
        self.layers[layers..].iter().fold(hidden, |hidden, layer| layer.forward(hidden, masked.clone()))
    }

    /// Hidden states of the embeddings and of every layer, `layers + 1` tensors of `[batch, seq, d_model]`.
    pub fn forward_all(
        &self,
        ids: Tensor<2, Int>,
        segments: Tensor<2, Int>,
        keep: Tensor<2, Bool>,
    ) -> Vec<Tensor<3>> {
        let masked = keep.bool_not();
        let mut states = vec![self.embeddings.forward(ids, segments)];
        for layer in &self.layers {
            states.push(layer.forward(states[states.len() - 1].clone(), masked.clone()));
        }
        states
    }
}

impl Embeddings {
    /// # Shapes
    /// - `ids`, `segments`: `[batch, seq]`; `seq` at most the number of positions
    /// - output: `[batch, seq, d_model]`
    pub fn forward(&self, ids: Tensor<2, Int>, segments: Tensor<2, Int>) -> Tensor<3> {
        let [_, seq] = ids.dims();
        let [positions, _] = self.position.weight.dims();
        assert_eq!(ids.dims(), segments.dims(), "token ids and segments differ in shape");
        assert!(seq <= positions, "{seq} tokens in a row, the encoder has {positions} positions");
        let position = Tensor::<1, Int>::arange(0..seq as i64, &ids.device()).unsqueeze::<2>(); // [1, seq]
        let sum = self.word.forward(ids) + self.segment.forward(segments) + self.position.forward(position);
        self.dropout.forward(self.norm.forward(sum))
    }
}

impl Layer {
    fn forward(&self, hidden: Tensor<3>, masked: Tensor<2, Bool>) -> Tensor<3> {
        self.feed_forward.forward(self.attention.forward(hidden, masked))
    }
}

impl SelfAttention {
    /// `hidden`: `[batch, seq, d_model]`, `masked`: `[batch, seq]`, true at padding.
    fn forward(&self, hidden: Tensor<3>, masked: Tensor<2, Bool>) -> Tensor<3> {
        let [batch, seq, d_model] = hidden.dims();
        let d_head = d_model / self.heads;
        let split = |x: Tensor<3>| x.reshape([batch, seq, self.heads, d_head]).swap_dims(1, 2);
        let query = split(self.query.forward(hidden.clone())); // [batch, heads, seq, d_head]
        let key = split(self.key.forward(hidden.clone()));
        let value = split(self.value.forward(hidden.clone()));
        let scores = query.matmul(key.transpose()).div_scalar((d_head as f64).sqrt()); // [batch, heads, seq, seq]
        let masked = masked.reshape([batch, 1, 1, seq]).expand([batch, self.heads, seq, seq]);
        let attention = softmax(scores.mask_fill(masked, MASKED_SCORE), 3);
        let context = self.attention_dropout.forward(attention).matmul(value);
        let context = context.swap_dims(1, 2).reshape([batch, seq, d_model]); // [batch, seq, d_model]
        self.norm.forward(self.dropout.forward(self.output.forward(context)) + hidden)
    }
}

impl FeedForward {
    fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        let inner = gelu(self.intermediate.forward(hidden.clone()));
        self.norm.forward(self.dropout.forward(self.output.forward(inner)) + hidden)
    }
}

/// BERT's initial distribution of weights.
pub(crate) fn normal(std: f64) -> Initializer {
    Initializer::Normal { mean: 0.0, std }
}

/// A linear layer with BERT's initial weights and a bias of 0.
pub(crate) fn bert_linear(d_in: usize, d_out: usize, std: f64, device: &Device) -> Linear {
    let mut linear = LinearConfig::new(d_in, d_out).with_initializer(normal(std)).init(device);
    linear.bias = Some(Initializer::Zeros.init([d_out], device));
    linear
}
