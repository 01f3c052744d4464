//! The multi-label attention head (paper, eqs. 2–4): one query a code over all real word pieces.

use burn::module::{Module, Param};
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::tensor::activation::{relu, softmax};
use burn::tensor::{Bool, DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use super::encoder::normal;
use super::products::Products;

/// How a label's context c_j becomes its logit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Readout {
    /// `W_a relu(W_b c_j)`, the same for all labels (paper, eq. 4).
    #[default]
    Shared,
    /// `⟨w_j, c_j⟩` with a vector of its own for each label. Differs from the paper: it is CAML's and PLM-ICD's.
    Own,
}

/// Score of a masked token: scores are f32 here, so it can lie below any real one, whatever the embeddings grow to.
const MASKED_LABEL_SCORE: f32 = f32::MIN / 2.0;

/// The parts of the head in which it may depart from the paper; the default does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct XmlOptions {
    /// From context to logit.
    pub readout: Readout,
    /// Whether each label has a bias, added to its logit. Differs from the paper, which has none.
    pub bias: bool,
}

impl XmlOptions {
    /// Whether this is the paper's head.
    pub fn is_paper(&self) -> bool {
        *self == Self::default()
    }
}

/// `a_ij = softmax_i ⟨h_i, l_j⟩`, `c_j = Σ_i a_ij h_i`, `logit_j = W_a relu(W_b c_j)`; no biases, `W_a` and
/// `W_b` shared by all labels. [`XmlOptions`] names the departures.
#[derive(Module, Debug)]
pub struct LabelAttention {
    /// The label embeddings l_j, `[labels, d_model]`.
    pub labels: Param<Tensor<2>>,
    /// `W_b`, stored `[d_model, d_hidden]`; none where labels have weights of their own.
    pub hidden: Option<Linear>,
    /// `W_a`, stored `[d_hidden, 1]`; none where labels have weights of their own.
    pub output: Option<Linear>,
    /// w_j of [`Readout::Own`], `[labels, d_model]`.
    pub weights: Option<Param<Tensor<2>>>,
    /// b_j of [`XmlOptions::bias`], `[labels]`.
    pub bias: Option<Param<Tensor<1>>>,
    /// In which numbers the products over tokens run.
    #[module(skip)]
    pub products: Products,
}

/// What some of the labels have for themselves.
#[derive(Clone, Debug)]
pub struct LabelPart {
    /// Their embeddings, `[labels, d_model]`.
    pub embeddings: Tensor<2>,
    /// Their readout, `[labels, d_model]`.
    pub weights: Option<Tensor<2>>,
    /// Their biases, `[labels]`.
    pub bias: Option<Tensor<1>>,
}

impl LabelPart {
    /// A stretch of these labels.
    pub fn narrow(&self, start: usize, count: usize) -> Self {
        Self {
            embeddings: self.embeddings.clone().narrow(0, start, count),
            weights: self.weights.clone().map(|weights| weights.narrow(0, start, count)),
            bias: self.bias.clone().map(|bias| bias.narrow(0, start, count)),
        }
    }

    /// The same through a function of each tensor's own rank.
    pub fn map(
        self,
        matrix: impl Fn(Tensor<2>) -> Tensor<2>,
        vector: impl Fn(Tensor<1>) -> Tensor<1>,
    ) -> Self {
        Self {
            embeddings: matrix(self.embeddings),
            weights: self.weights.map(&matrix),
            bias: self.bias.map(vector),
        }
    }
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
    /// Draws a fresh head with weights N(0, `std`) and biases of 0. The paper does not give `d_hidden`; ours is
    /// `d_model` by default.
    pub fn new(
        d_model: usize,
        d_hidden: usize,
        labels: usize,
        options: XmlOptions,
        std: f64,
        device: &Device,
    ) -> Self {
        assert!(labels > 0, "a head needs at least one label");
        let shared = options.readout == Readout::Shared;
        let linear = |d_in, d_out| {
            LinearConfig::new(d_in, d_out).with_bias(false).with_initializer(normal(std)).init(device)
        };
        Self {
            labels: normal(std).init([labels, d_model], device),
            hidden: shared.then(|| linear(d_model, d_hidden)),
            output: shared.then(|| linear(d_hidden, 1)),
            weights: (!shared).then(|| normal(std).init([labels, d_model], device)),
            bias: options.bias.then(|| Initializer::Zeros.init([labels], device)),
            products: Products::default(),
        }
    }

    /// What every label has for itself.
    pub fn part(&self) -> LabelPart {
        LabelPart {
            embeddings: self.labels.val(),
            weights: self.weights.as_ref().map(Param::val),
            bias: self.bias.as_ref().map(Param::val),
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
        let all = self.part();
        let [labels, _] = all.embeddings.dims();
        let chunks = (0..labels)
            .step_by(chunk)
            .map(|start| {
                let part = all.narrow(start, chunk.min(labels - start));
                self.attend(hidden.clone(), real.clone(), part).logits
            })
            .collect();
        Tensor::cat(chunks, 1)
    }

    /// Logits and attention of the given labels.
    ///
    /// # Shapes
    /// - `hidden`: `[batch, seq, d_model]`
    /// - `real`: `[batch, seq]`
    /// - `part`: what the labels have for themselves, of [`LabelAttention::part`]
    pub fn attend(&self, hidden: Tensor<3>, real: Tensor<2, Bool>, part: LabelPart) -> LabelOutput {
        let products = self.products;
        let hidden = products.round(hidden);
        let dtype = hidden.dtype();
        let attention = Self::attention(hidden.clone(), real, products.round(part.embeddings));
        let context = attention.clone().cast(dtype).matmul(hidden); // [batch, labels, d_model]
        let logits = match (&self.hidden, &self.output, part.weights) {
            (Some(hidden), Some(output), _) => {
                products.linear(output, relu(products.linear(hidden, context)))
            }
            (_, _, Some(weights)) => (products.widen(context) * weights.unsqueeze::<3>()).sum_dim(2),
            _ => unreachable!("a head has one readout"),
        };
        let logits = logits.cast(DType::F32).squeeze_dim::<2>(2);
        let logits = match part.bias {
            Some(bias) => logits + bias.cast(DType::F32).unsqueeze::<2>(),
            None => logits,
        };
        LabelOutput { logits, attention }
    }

    /// Attention of the given label embeddings over the note's word pieces, `[batch, labels, seq]`.
    ///
    /// Scores and softmax run in f32 whatever the input's precision (the maximum is subtracted first).
    ///
    /// # Shapes
    /// - `hidden`: `[batch, seq, d_model]`
    /// - `real`: `[batch, seq]`
    /// - `embeddings`: `[labels, d_model]`
    pub fn attention(hidden: Tensor<3>, real: Tensor<2, Bool>, embeddings: Tensor<2>) -> Tensor<3> {
        let [batch, seq, d_model] = hidden.dims();
        let [count, width] = embeddings.dims();
        assert_eq!(width, d_model, "label embeddings of width {width} over hidden states of {d_model}");
        assert_eq!(real.dims(), [batch, seq], "the mask's shape differs from the hidden states'");
        let scores = hidden.matmul(embeddings.transpose().unsqueeze::<3>()); // [batch, seq, labels]
        let scores = scores.swap_dims(1, 2).cast(DType::F32); // [batch, labels, seq]
        let masked = real.bool_not().reshape([batch, 1, seq]).expand([batch, count, seq]);
        softmax(scores.mask_fill(masked, MASKED_LABEL_SCORE), 2)
    }
}
