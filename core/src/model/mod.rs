//! The BERT-XML model: encoder, pretraining heads, label attention and losses; their gradients with the
//! feature `train`.
//!
//! Modules are plain burn structs; the backend is the device of their tensors. Masks that are true mean
//! *keep*; [`encoder`] and [`label_attention`] invert them once, where burn wants it.

pub mod bert_xml;
#[cfg(feature = "train")]
pub mod chunked;
pub mod cls_head;
pub mod config;
pub mod encoder;
#[cfg(feature = "train")]
pub mod gradients;
pub mod hf;
pub mod hf_config;
mod hf_error;
pub mod hf_folder;
mod hf_shapes;
mod hf_tokenizer;
pub mod label_attention;
pub mod label_init;
pub mod loss;
pub mod packed;
pub mod parameters;
pub mod pretrain;
pub mod products;
#[cfg(feature = "train")]
pub mod recompute;
pub mod weights;

/// Score of a masked position before a softmax: far below any real score, and finite in half precision, so
/// that a fully masked row stays free of NaN.
pub(crate) const MASKED_SCORE: f32 = -1.0e4;

pub use bert_xml::{BertXml, Head, HeadKind, Inputs, ModelConfig};
pub use config::{ConfigError, EncoderConfig, Size};
pub use label_attention::{LabelAttention, LabelOutput, LabelPart, Readout, XmlOptions};
pub use packed::PackedInputs;
pub use products::Products;
