//! Operations of one note, counted: a multiplication and an addition are two.

use bert_xml_core::cpu::{CpuShape, HeadShape};
use serde::Serialize;

/// Products of one window; norms, GELU and softmax are not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Operations {
    /// Linear layers of the encoder.
    linear: u64,
    /// Scores and contexts of the encoder's attention.
    attention: u64,
    /// Label attention: `W_b` applied to tokens, scores, contexts, `W_a`.
    labels: u64,
    /// Attention of the best labels, computed once more.
    evidence: u64,
}

impl Operations {
    /// Of a window of `tokens`, two of them special, with evidence of `top` labels.
    pub fn count(shape: &CpuShape, tokens: usize, top: usize) -> Self {
        let [tokens, real, top, labels] = [tokens, tokens - 2, top, shape.labels].map(|n| n as u64);
        let encoder = &shape.encoder;
        let [d, wide, layers] = [encoder.d_model, encoder.intermediate, encoder.layers].map(|n| n as u64);
        let head = match shape.head {
            HeadShape::Xml { hidden: Some(hidden), .. } => {
                let hidden = hidden as u64;
                real * d * hidden + labels * (real * d + real * hidden + hidden)
            }
            HeadShape::Xml { hidden: None, .. } => labels * (2 * real * d + d),
            HeadShape::Cls => labels * d,
        };
        Self {
            linear: 2 * layers * tokens * (4 * d * d + 2 * d * wide),
            attention: 2 * layers * 2 * tokens * tokens * d,
            labels: 2 * head,
            evidence: if shape.head == HeadShape::Cls { 0 } else { 2 * top * real * d },
        }
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.linear + self.attention + self.labels + self.evidence
    }
}

#[cfg(test)]
mod tests {
    use bert_xml_core::cpu::EncoderShape;

    use super::*;

    #[test]
    fn a_window_of_three_tokens_is_counted_by_hand() {
        let encoder = EncoderShape {
            vocab: 9,
            positions: 9,
            segments: 2,
            d_model: 2,
            layers: 1,
            heads: 1,
            intermediate: 3,
            epsilon: 1e-12,
        };
        let mut shape =
            CpuShape { encoder, head: HeadShape::Xml { hidden: Some(4), bias: false }, labels: 5 };
        let found = Operations::count(&shape, 3, 2);
        // Three tokens through four 2 × 2 and two 2 × 3; nine scores and nine weights of width 2; one word piece
        // through W_b (2 × 4), then a score of width 2, a context and a readout of width 4 for five labels.
        let hand = Operations { linear: 168, attention: 72, labels: 2 * (8 + 5 * 10), evidence: 8 };
        assert_eq!((found, found.total()), (hand, 364));
        shape.head = HeadShape::Cls;
        assert_eq!(Operations::count(&shape, 3, 2).total(), 168 + 72 + 20);
    }
}
