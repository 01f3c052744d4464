//! Floating-point operations of a step on a device, counted: a multiplication and an addition are two.
//!
//! Products alone, as burn runs them; norms, GELU, softmax, dropout and the optimizer are not counted, and neither is
//! what gradient checkpointing computes twice. A backward pass has two products for each of the forward pass.

use bert_xml_core::model::ModelConfig;
use serde::Serialize;

use super::steps::What;

/// Of one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Flops {
    /// Linear layers of the encoder.
    linear: u64,
    /// Scores and contexts of the encoder's attention.
    attention: u64,
    /// The masked tokens' decoder, the pooler and the pairs' classes; or label attention.
    head: u64,
}

impl Flops {
    /// Of a step of `what` on `rows` full rows of `seq` tokens, `masked` of which the decoder sees.
    pub fn count(what: What, config: &ModelConfig, rows: usize, seq: usize, masked: usize) -> Self {
        let [rows, seq, masked] = [rows, seq, masked].map(|n| n as u64);
        let encoder = &config.encoder;
        let [d, wide, layers, vocab] =
            [encoder.hidden_size, encoder.intermediate_size, encoder.num_hidden_layers, encoder.vocab_size]
                .map(|n| n as u64);
        let [labels, hidden] = [config.labels, config.head_hidden].map(|n| n as u64);
        let head = match what {
            What::Pretrain => masked * (d * d + d * vocab) + rows * (d * d + 2 * d),
            What::Finetune | What::Predict => rows * labels * (2 * seq * d + d * hidden + hidden),
        };
        let passes = if what == What::Predict { 1 } else { 3 };
        Self {
            linear: passes * 2 * layers * rows * seq * (4 * d * d + 2 * d * wide),
            attention: passes * 2 * layers * rows * 2 * seq * seq * d,
            head: passes * 2 * head,
        }
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.linear + self.attention + self.head
    }
}

#[cfg(test)]
mod tests {
    use bert_xml_core::model::{EncoderConfig, HeadKind, Size};

    use super::*;

    #[test]
    fn a_row_of_three_tokens_is_counted_by_hand() {
        let encoder = EncoderConfig {
            vocab_size: 7,
            hidden_size: 2,
            num_hidden_layers: 1,
            num_attention_heads: 1,
            intermediate_size: 3,
            ..EncoderConfig::default()
        };
        let mut config = ModelConfig::new(encoder, HeadKind::Xml, 5);
        config.head_hidden = 4;
        let forward = |what| Flops::count(what, &config, 1, 3, 2);
        // Three tokens through four 2 × 2 and two 2 × 3: 84 multiplications; nine scores and nine weights of width 2;
        // five labels: three scores and three weights of width 2, 2 × 4, 4.
        let predict = Flops { linear: 168, attention: 72, head: 2 * 5 * (12 + 8 + 4) };
        assert_eq!((forward(What::Predict), forward(What::Predict).total()), (predict, 480));
        assert_eq!(forward(What::Finetune).total(), 3 * 480);
        // Two masked tokens through 2 × 2 and 2 × 7, a pooler of 2 × 2, two classes.
        let pretrain = Flops { linear: 3 * 168, attention: 3 * 72, head: 3 * 2 * (2 * (4 + 14) + 4 + 4) };
        assert_eq!(forward(What::Pretrain), pretrain);
        // Rows multiply all of it.
        assert_eq!(Flops::count(What::Finetune, &config, 4, 3, 2).total(), 4 * 3 * 480);
    }

    #[test]
    fn small_costs_211_and_big_637_million_a_token_of_1024() {
        for (size, expected) in [(Size::Small, 0.211), (Size::Big, 0.637)] {
            let config = ModelConfig::new(EncoderConfig::of_size(size), HeadKind::Xml, 1);
            let flops = Flops::count(What::Pretrain, &config, 10, 1024, 1536).total();
            let giga = flops as f64 / 10_240.0 * 1e-9;
            assert!((giga - expected).abs() < 1e-3, "{giga}");
        }
    }
}
