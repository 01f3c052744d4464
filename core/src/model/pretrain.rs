//! The pretraining heads of BERT: masked language model (decoder tied to the word embeddings), pooler and
//! next-sentence prediction.

use burn::module::{Module, Param};
use burn::nn::{Initializer, LayerNorm, LayerNormConfig, Linear};
use burn::tensor::activation::{gelu, tanh};
use burn::tensor::{Bool, Device, Int, Tensor};

use super::config::{ConfigError, EncoderConfig};
use super::encoder::{Encoder, bert_linear};
use super::products::Products;

/// `tanh(W h_[CLS] + b)`: the pooled output that NSP reads.
#[derive(Module, Debug)]
pub struct Pooler {
    /// `[d_model, d_model]`
    pub dense: Linear,
}

/// The MLM head: dense, GELU, LayerNorm, then the transposed word embeddings and a bias of its own.
#[derive(Module, Debug)]
pub struct MlmHead {
    /// `[d_model, d_model]`
    pub dense: Linear,
    /// After the GELU.
    pub norm: LayerNorm,
    /// `[vocab]`
    pub bias: Param<Tensor<1>>,
}

/// Encoder with both pretraining heads.
#[derive(Module, Debug)]
pub struct PretrainModel {
    /// What fine-tuning goes on from.
    pub encoder: Encoder,
    /// Reads `[CLS]`.
    pub pooler: Pooler,
    /// Masked language model.
    pub mlm: MlmHead,
    /// `[d_model, 2]`; class 0 means "B follows A", as in BERT.
    pub nsp: Linear,
}

impl Pooler {
    /// Draws a fresh pooler.
    pub fn new(config: &EncoderConfig, device: &Device) -> Self {
        Self { dense: bert_linear(config.hidden_size, config.hidden_size, config.initializer_range, device) }
    }

    /// # Shapes
    /// - `hidden`: `[batch, seq, d_model]`, `[CLS]` at position 0
    /// - output: `[batch, d_model]`
    pub fn forward(&self, hidden: Tensor<3>) -> Tensor<2> {
        tanh(self.dense.forward(hidden.narrow(1, 0, 1).squeeze_dim::<2>(1)))
    }
}

impl MlmHead {
    /// Draws a fresh head.
    pub fn new(config: &EncoderConfig, device: &Device) -> Self {
        Self {
            dense: bert_linear(config.hidden_size, config.hidden_size, config.initializer_range, device),
            norm: LayerNormConfig::new(config.hidden_size).with_epsilon(config.layer_norm_eps).init(device),
            bias: Initializer::Zeros.init([config.vocab_size], device),
        }
    }

    /// Logits over the vocabulary for chosen rows: the decoder runs on masked positions only.
    ///
    /// # Shapes
    /// - `rows`: `[masked, d_model]`, hidden states at the masked positions
    /// - `word`: `[vocab, d_model]`, the tied embeddings
    /// - output: `[masked, vocab]`, in f32 whatever the products' numbers
    pub fn forward(&self, rows: Tensor<2>, word: Tensor<2>, products: Products) -> Tensor<2> {
        let rows = self.norm.forward(products.widen(gelu(products.linear(&self.dense, rows))));
        let logits = products.round(rows).matmul(products.round(word).transpose());
        products.widen(logits) + self.bias.val().unsqueeze::<2>()
    }
}

impl PretrainModel {
    /// Draws a fresh model.
    ///
    /// # Errors
    /// A field that [`EncoderConfig::validate`] refuses.
    pub fn new(config: &EncoderConfig, device: &Device) -> Result<Self, ConfigError> {
        Ok(Self {
            encoder: config.init(device)?,
            pooler: Pooler::new(config, device),
            mlm: MlmHead::new(config, device),
            nsp: bert_linear(config.hidden_size, 2, config.initializer_range, device),
        })
    }

    /// MLM logits at the given flat positions, and NSP logits.
    ///
    /// # Shapes
    /// - `ids`, `segments`, `keep`: `[batch, seq]`
    /// - `positions`: `[masked]`, indices into the flattened `[batch · seq]`
    /// - output: `[masked, vocab]` and `[batch, 2]`
    pub fn forward(
        &self,
        ids: Tensor<2, Int>,
        segments: Tensor<2, Int>,
        keep: Tensor<2, Bool>,
        positions: Tensor<1, Int>,
    ) -> (Tensor<2>, Tensor<2>) {
        let hidden = self.encoder.forward(ids, segments, keep);
        (self.mlm_logits(hidden.clone(), positions), self.nsp_logits(hidden))
    }

    /// MLM logits at the given flat positions, `[masked, vocab]`, of hidden states `[batch, seq, d_model]`.
    pub fn mlm_logits(&self, hidden: Tensor<3>, positions: Tensor<1, Int>) -> Tensor<2> {
        let [batch, seq, d_model] = hidden.dims();
        let rows = hidden.reshape([batch * seq, d_model]).select(0, positions); // [masked, d_model]
        self.mlm.forward(rows, self.encoder.embeddings.word.weight.val(), self.encoder.products)
    }

    /// NSP logits, `[batch, 2]`, of hidden states `[batch, seq, d_model]`; in f32.
    pub fn nsp_logits(&self, hidden: Tensor<3>) -> Tensor<2> {
        self.nsp.forward(self.pooler.forward(hidden))
    }

    /// The same model with its products in other numbers.
    #[must_use]
    pub fn with_products(mut self, products: Products) -> Self {
        self.encoder.products = products;
        self
    }
}
