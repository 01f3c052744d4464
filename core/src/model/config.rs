//! The encoder's shape and its named sizes.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A setting that cannot be built: which field, which value, which rule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field} = {value}: {rule}")]
pub struct ConfigError {
    /// The field's name, with `encoder.` before it where it is the encoder's.
    pub field: &'static str,
    /// The offending value.
    pub value: String,
    /// The rule that it breaks.
    pub rule: &'static str,
}

/// Named encoder sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Size {
    /// 64 hidden, 2 layers, 2 heads, 256 intermediate: half of `tiny`, where a pair is compared in minutes.
    Nano,
    /// 128 hidden, 2 layers, 2 heads, 512 intermediate: tests and the demo.
    Tiny,
    /// 256 hidden, 4 layers, 4 heads, 1,024 intermediate: training on a CPU.
    Mini,
    /// 512 hidden, 8 layers, 8 heads, 2,048 intermediate: the paper's small model.
    Small,
    /// 768 hidden, 12 layers, 12 heads, 3,072 intermediate: the paper's big model.
    Big,
}

/// The shape of a BERT encoder; fields carry the names of Hugging Face's `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderConfig {
    /// Word pieces in the vocabulary. Paper: 20,000.
    pub vocab_size: usize,
    /// Width of a hidden state (`d_model`).
    pub hidden_size: usize,
    /// Transformer blocks.
    pub num_hidden_layers: usize,
    /// Attention heads a block; divides `hidden_size`.
    pub num_attention_heads: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// Longest input in tokens, `[CLS]` and `[SEP]` included. Paper: 1,024.
    pub max_position_embeddings: usize,
    /// Segments (sentence A and B of NSP).
    pub type_vocab_size: usize,
    /// Dropout of hidden states, a probability. Paper: .1.
    pub hidden_dropout_prob: f64,
    /// Dropout of attention weights, a probability. Paper: .1.
    pub attention_probs_dropout_prob: f64,
    /// Added to the variance in LayerNorm. BERT: 1e-12.
    pub layer_norm_eps: f64,
    /// Standard deviation of freshly drawn weights. BERT: .02.
    pub initializer_range: f64,
}

impl Default for EncoderConfig {
    fn default() -> Self {
        Self::of_size(Size::Small)
    }
}

impl EncoderConfig {
    /// A named size with the paper's vocabulary (20,000), length (1,024) and dropout (.1).
    pub fn of_size(size: Size) -> Self {
        let (hidden_size, num_hidden_layers, num_attention_heads, intermediate_size) = match size {
            Size::Nano => (64, 2, 2, 256),
            Size::Tiny => (128, 2, 2, 512),
            Size::Mini => (256, 4, 4, 1024),
            Size::Small => (512, 8, 8, 2048),
            Size::Big => (768, 12, 12, 3072),
        };
        Self {
            vocab_size: 20_000,
            hidden_size,
            num_hidden_layers,
            num_attention_heads,
            intermediate_size,
            max_position_embeddings: 1024,
            type_vocab_size: 2,
            hidden_dropout_prob: 0.1,
            attention_probs_dropout_prob: 0.1,
            layer_norm_eps: 1e-12,
            initializer_range: 0.02,
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that cannot be built, with its value and the rule.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let error = |field, value: String, rule| Err(ConfigError { field, value, rule });
        let positive = [
            ("encoder.vocab_size", self.vocab_size),
            ("encoder.hidden_size", self.hidden_size),
            ("encoder.num_hidden_layers", self.num_hidden_layers),
            ("encoder.num_attention_heads", self.num_attention_heads),
            ("encoder.intermediate_size", self.intermediate_size),
            ("encoder.max_position_embeddings", self.max_position_embeddings),
            ("encoder.type_vocab_size", self.type_vocab_size),
        ];
        for (field, value) in positive {
            if value == 0 {
                return error(field, value.to_string(), "must be at least 1");
            }
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return error(
                "encoder.num_attention_heads",
                self.num_attention_heads.to_string(),
                "must divide hidden_size without remainder",
            );
        }
        if self.max_position_embeddings < 3 {
            return error(
                "encoder.max_position_embeddings",
                self.max_position_embeddings.to_string(),
                "must leave room for [CLS], one token and [SEP]",
            );
        }
        for (field, value) in [
            ("encoder.hidden_dropout_prob", self.hidden_dropout_prob),
            ("encoder.attention_probs_dropout_prob", self.attention_probs_dropout_prob),
        ] {
            if !(0.0..1.0).contains(&value) {
                return error(field, value.to_string(), "must be at least 0 and below 1");
            }
        }
        for (field, value) in [
            ("encoder.layer_norm_eps", self.layer_norm_eps),
            ("encoder.initializer_range", self.initializer_range),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return error(field, value.to_string(), "must be positive and finite");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_sizes_are_valid() {
        for size in [Size::Nano, Size::Tiny, Size::Mini, Size::Small, Size::Big] {
            EncoderConfig::of_size(size).validate().unwrap();
        }
        assert_eq!(EncoderConfig::of_size(Size::Big).intermediate_size, 3072);
    }

    #[test]
    fn heads_must_divide_the_width() {
        let config = EncoderConfig { num_attention_heads: 7, ..EncoderConfig::of_size(Size::Tiny) };
        let error = config.validate().unwrap_err();
        assert_eq!(
            error.to_string(),
            "encoder.num_attention_heads = 7: must divide hidden_size without remainder"
        );
    }

    #[test]
    fn a_dropout_of_one_and_a_nan_epsilon_are_refused() {
        let mut config = EncoderConfig { hidden_dropout_prob: 1.0, ..EncoderConfig::default() };
        assert_eq!(config.validate().unwrap_err().field, "encoder.hidden_dropout_prob");
        config = EncoderConfig { layer_norm_eps: f64::NAN, ..EncoderConfig::default() };
        assert_eq!(config.validate().unwrap_err().field, "encoder.layer_norm_eps");
    }
}
