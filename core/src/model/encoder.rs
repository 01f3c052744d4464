//! The BERT encoder (Devlin et al. 2019): embeddings and post-LN transformer blocks.

use burn::module::Module;
use burn::nn::{
    Dropout, DropoutConfig, Embedding, EmbeddingConfig, Initializer, LayerNorm, LayerNormConfig, Linear,
    LinearConfig,
};
use burn::tensor::activation::{gelu, softmax};
use burn::tensor::module::linear;
use burn::tensor::{Bool, Device, Int, Tensor};

use super::MASKED_SCORE;
use super::config::{ConfigError, EncoderConfig};
use super::products::Products;

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
    /// In which numbers the blocks' products run.
    #[module(skip)]
    pub products: Products,
}

/// Which tokens take no part in a token's attention: true at those, `[batch, 1, 1 or seq, seq]`; none where all of
/// a row take part in all of it.
#[derive(Clone, Debug)]
pub struct Unseen(Option<Tensor<4, Bool>>);

impl Unseen {
    /// Padding is seen by nobody. `keep`: `[batch, seq]`, true at every token that is not padding.
    pub fn padding(keep: Tensor<2, Bool>) -> Self {
        let [batch, seq] = keep.dims();
        Self(Some(keep.bool_not().reshape([batch, 1, 1, seq])))
    }

    /// Rows that hold several notes: a token sees its own note alone. `notes`: `[batch, seq]`, one number for all
    /// tokens of a note in its row, another for padding.
    pub fn other_notes(notes: Tensor<2, Int>) -> Self {
        let [batch, seq] = notes.dims();
        let whole = [batch, 1, seq, seq];
        let of_query = notes.clone().reshape([batch, 1, seq, 1]).expand(whole);
        let of_key = notes.reshape([batch, 1, 1, seq]).expand(whole);
        Self(Some(of_query.not_equal(of_key)))
    }

    /// Rows that are one note each, without padding.
    pub fn nothing() -> Self {
        Self(None)
    }
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
            products: Products::default(),
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
        let unseen = Unseen::padding(keep);
        self.through(0..layers, self.embeddings.forward(ids, segments), &unseen)
    }

    /// Goes on from the hidden states after the first `layers` blocks. Shapes as in [`Encoder::forward`].
    pub fn forward_rest(&self, hidden: Tensor<3>, keep: Tensor<2, Bool>, layers: usize) -> Tensor<3> {
        self.through(layers..self.layers.len(), hidden, &Unseen::padding(keep))
    }

    /// Hidden states of the embeddings and of every layer, `layers + 1` tensors of `[batch, seq, d_model]`.
    pub fn forward_all(
        &self,
        ids: Tensor<2, Int>,
        segments: Tensor<2, Int>,
        keep: Tensor<2, Bool>,
    ) -> Vec<Tensor<3>> {
        let unseen = Unseen::padding(keep);
        let mut states = vec![self.embeddings.forward(ids, segments)];
        for layer in &self.layers {
            states.push(layer.forward(states[states.len() - 1].clone(), &unseen, self.products));
        }
        states
    }

    /// Hidden states of rows that hold several notes: each note has those that it has alone in a row.
    ///
    /// # Shapes
    /// - `ids`, `segments`: `[batch, seq]`
    /// - `positions`: `[batch, seq]`, counted from 0 in every note
    /// - output: `[batch, seq, d_model]`
    pub fn forward_packed(
        &self,
        ids: Tensor<2, Int>,
        segments: Tensor<2, Int>,
        positions: Tensor<2, Int>,
        unseen: &Unseen,
    ) -> Tensor<3> {
        self.forward_blocks(self.embeddings.forward_at(ids, segments, positions), unseen)
    }

    /// All blocks, from the embeddings' hidden states, `[batch, seq, d_model]`.
    pub fn forward_blocks(&self, hidden: Tensor<3>, unseen: &Unseen) -> Tensor<3> {
        self.through(0..self.layers.len(), hidden, unseen)
    }

    /// Some blocks in their order.
    fn through(&self, layers: std::ops::Range<usize>, hidden: Tensor<3>, unseen: &Unseen) -> Tensor<3> {
        let products = self.products;
        self.layers[layers].iter().fold(hidden, |hidden, layer| layer.forward(hidden, unseen, products))
    }
}

impl Embeddings {
    /// # Shapes
    /// - `ids`, `segments`: `[batch, seq]`; `seq` at most the number of positions
    /// - output: `[batch, seq, d_model]`
    pub fn forward(&self, ids: Tensor<2, Int>, segments: Tensor<2, Int>) -> Tensor<3> {
        let [_, seq] = ids.dims();
        let [positions, _] = self.position.weight.dims();
        assert!(seq <= positions, "{seq} tokens in a row, the encoder has {positions} positions");
        let position = Tensor::<1, Int>::arange(0..seq as i64, &ids.device()).unsqueeze::<2>(); // [1, seq]
        self.forward_at(ids, segments, position)
    }

    /// The same with the position of every token given, `[batch, seq]`, or of every column, `[1, seq]`.
    pub fn forward_at(
        &self,
        ids: Tensor<2, Int>,
        segments: Tensor<2, Int>,
        positions: Tensor<2, Int>,
    ) -> Tensor<3> {
        assert_eq!(ids.dims(), segments.dims(), "token ids and segments differ in shape");
        let sum = self.word.forward(ids) + self.segment.forward(segments) + self.position.forward(positions);
        self.dropout.forward(self.norm.forward(sum))
    }
}

impl Layer {
    /// `hidden` and what comes of it: `[batch, seq, d_model]` in f32.
    pub(crate) fn forward(&self, hidden: Tensor<3>, unseen: &Unseen, products: Products) -> Tensor<3> {
        self.feed_forward.forward(self.attention.forward(hidden, unseen, products), products)
    }
}

impl SelfAttention {
    fn forward(&self, hidden: Tensor<3>, unseen: &Unseen, products: Products) -> Tensor<3> {
        let [batch, seq, d_model] = hidden.dims();
        let d_head = d_model / self.heads;
        let [query, key, value] = self.queries_keys_values(hidden.clone(), products);
        // The query is scaled and not the scores: they are the largest tensor of a block.
        let query = query.div_scalar((d_head as f64).sqrt());
        let scores = products.widen(query.matmul(key.transpose())); // [batch, heads, seq, seq]
        let scores = match &unseen.0 {
            Some(unseen) => {
                scores.mask_fill(unseen.clone().expand([batch, self.heads, seq, seq]), MASKED_SCORE)
            }
            None => scores,
        };
        let attention = products.round(softmax(scores, 3));
        let context = self.attention_dropout.forward(attention).matmul(value);
        let context = context.swap_dims(1, 2).reshape([batch, seq, d_model]); // [batch, seq, d_model]
        let output = self.dropout.forward(products.linear(&self.output, context));
        self.norm.forward(products.widen(output) + hidden)
    }

    /// Three linear layers in one product; each `[batch, heads, seq, d_head]`. Weights lie one by one, as in every
    /// file: side by side they are put here, which costs nothing beside the product.
    fn queries_keys_values(&self, hidden: Tensor<3>, products: Products) -> [Tensor<4>; 3] {
        let [batch, seq, d_model] = hidden.dims();
        let layers = [&self.query, &self.key, &self.value];
        let weights = layers.map(|layer| products.round(layer.weight.val()));
        let biases = layers.map(|layer| products.round(layer.bias.as_ref().expect("as initialised").val()));
        let all = linear(
            products.round(hidden),
            Tensor::cat(weights.to_vec(), 1), // [d_model, 3 · d_model]
            Some(Tensor::cat(biases.to_vec(), 0)),
        );
        let split = |at: usize| {
            let one = all.clone().narrow(2, at * d_model, d_model);
            one.reshape([batch, seq, self.heads, d_model / self.heads]).swap_dims(1, 2)
        };
        [split(0), split(1), split(2)]
    }
}

impl FeedForward {
    fn forward(&self, hidden: Tensor<3>, products: Products) -> Tensor<3> {
        let inner = gelu(products.linear(&self.intermediate, hidden.clone()));
        let output = self.dropout.forward(products.linear(&self.output, inner));
        self.norm.forward(products.widen(output) + hidden)
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
