//! The engine's sizes of a model's configuration.

use super::encoder::EncoderShape;
use super::model::{CpuShape, HeadShape};
use crate::model::{HeadKind, ModelConfig, Readout};

impl From<&ModelConfig> for CpuShape {
    fn from(config: &ModelConfig) -> Self {
        let encoder = &config.encoder;
        Self {
            encoder: EncoderShape {
                vocab: encoder.vocab_size,
                positions: encoder.max_position_embeddings,
                segments: encoder.type_vocab_size,
                d_model: encoder.hidden_size,
                layers: encoder.num_hidden_layers,
                heads: encoder.num_attention_heads,
                intermediate: encoder.intermediate_size,
                epsilon: encoder.layer_norm_eps as f32,
            },
            head: match config.head {
                HeadKind::Xml => HeadShape::Xml {
                    hidden: (config.xml.readout == Readout::Shared).then_some(config.head_hidden),
                    bias: config.xml.bias,
                },
                HeadKind::Cls => HeadShape::Cls,
            },
            labels: config.labels,
        }
    }
}
