//! The whole model: encoder and one of the two classification heads.

use burn::module::Module;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::cls_head::ClsHead;
use super::config::{ConfigError, EncoderConfig};
use super::encoder::Encoder;
use super::label_attention::{LabelAttention, XmlOptions};
use super::products::Products;
use crate::data::WindowBatch;

/// Which classification head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeadKind {
    /// Multi-label attention (paper, eqs. 2–4).
    #[default]
    Xml,
    /// One linear layer over `[CLS]` (paper, eq. 1).
    Cls,
}

/// The shape of a classification model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// The encoder's shape.
    pub encoder: EncoderConfig,
    /// The head.
    pub head: HeadKind,
    /// Codes.
    pub labels: usize,
    /// Width of `W_b` in the XML head; the paper does not give it, ours is `encoder.hidden_size`.
    pub head_hidden: usize,
    /// Departures of the XML head from the paper, named here where there are any.
    #[serde(default, skip_serializing_if = "XmlOptions::is_paper")]
    pub xml: XmlOptions,
}

/// Encoder and head.
#[derive(Module, Debug)]
pub struct BertXml {
    /// Token ids to hidden states.
    pub encoder: Encoder,
    /// Hidden states to one logit a code.
    pub head: Head,
}

/// One of the two heads.
// A model holds one: the difference in size is of no account.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum Head {
    /// Eqs. 2–4.
    Xml(LabelAttention),
    /// Eq. 1.
    Cls(ClsHead),
}

/// A batch on a device.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// Token ids, `[batch, seq]`.
    pub ids: Tensor<2, Int>,
    /// Segments, `[batch, seq]`.
    pub segments: Tensor<2, Int>,
    /// True at every token that is not padding, `[batch, seq]`.
    pub keep: Tensor<2, Bool>,
    /// True at word pieces of the note, `[batch, seq]`.
    pub real: Tensor<2, Bool>,
}

impl Inputs {
    /// Copies a batch to a device.
    pub fn new(batch: &WindowBatch, device: &Device) -> Self {
        let shape = [batch.batch, batch.seq];
        let int = |values: &[u32]| {
            let values: Vec<i32> = values.iter().map(|&value| value as i32).collect();
            Tensor::<2, Int>::from_data(TensorData::new(values, shape), device)
        };
        let bool =
            |values: &[bool]| Tensor::<2, Bool>::from_data(TensorData::new(values.to_vec(), shape), device);
        Self {
            ids: int(&batch.ids),
            segments: int(&batch.segments),
            keep: bool(&batch.keep),
            real: bool(&batch.real),
        }
    }
}

impl ModelConfig {
    /// A model of `labels` codes over an encoder, with `W_b` as wide as the hidden states.
    pub fn new(encoder: EncoderConfig, head: HeadKind, labels: usize) -> Self {
        let head_hidden = encoder.hidden_size;
        Self { encoder, head, labels, head_hidden, xml: XmlOptions::default() }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that cannot be built, with its value and the rule.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.encoder.validate()?;
        for (field, value) in [("labels", self.labels), ("head_hidden", self.head_hidden)] {
            if value == 0 {
                return Err(ConfigError { field, value: "0".to_owned(), rule: "must be at least 1" });
            }
        }
        Ok(())
    }

    /// Draws a fresh model.
    ///
    /// # Errors
    /// A field that [`ModelConfig::validate`] refuses.
    pub fn init(&self, device: &Device) -> Result<BertXml, ConfigError> {
        self.validate()?;
        let encoder = self.encoder.init(device)?;
        Ok(BertXml { encoder, head: self.init_head(device) })
    }

    /// Draws a fresh head.
    pub fn init_head(&self, device: &Device) -> Head {
        let (d_model, std) = (self.encoder.hidden_size, self.encoder.initializer_range);
        match self.head {
            HeadKind::Xml => {
                let (hidden, labels) = (self.head_hidden, self.labels);
                Head::Xml(LabelAttention::new(d_model, hidden, labels, self.xml, std, device))
            }
            HeadKind::Cls => Head::Cls(ClsHead::new(d_model, self.labels, std, device)),
        }
    }
}

impl BertXml {
    /// Hidden states of the last layer, `[batch, seq, d_model]`.
    pub fn encode(&self, inputs: &Inputs) -> Tensor<3> {
        self.encoder.forward(inputs.ids.clone(), inputs.segments.clone(), inputs.keep.clone())
    }

    /// Number of codes.
    pub fn labels(&self) -> usize {
        match &self.head {
            Head::Xml(head) => head.labels.dims()[0],
            Head::Cls(head) => head.classifier.weight.dims()[1],
        }
    }

    /// The same model with its products in other numbers; the CLS head's one stays in f32.
    #[must_use]
    pub fn with_products(mut self, products: Products) -> Self {
        self.encoder.products = products;
        if let Head::Xml(head) = &mut self.head {
            head.products = products;
        }
        self
    }

    /// Where its parameters lie.
    pub fn device(&self) -> Device {
        self.encoder.embeddings.word.weight.val().device()
    }

    /// Logits of all codes, `[batch, labels]`; the XML head works on `chunk` labels at a time.
    pub fn forward(&self, inputs: &Inputs, chunk: usize) -> Tensor<2> {
        self.head.forward(self.encode(inputs), inputs.real.clone(), chunk)
    }
}

impl Head {
    /// # Shapes
    /// - `hidden`: `[batch, seq, d_model]`
    /// - `real`: `[batch, seq]`, true at word pieces of the note
    /// - output: logits `[batch, labels]`
    pub fn forward(&self, hidden: Tensor<3>, real: Tensor<2, Bool>, chunk: usize) -> Tensor<2> {
        match self {
            Self::Xml(head) => head.forward(hidden, real, chunk),
            Self::Cls(head) => head.forward(hidden),
        }
    }
}
