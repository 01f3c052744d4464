//! The whole model: token ids of one window to logits and attention.

use std::collections::BTreeMap;
use std::ops::Range;

use super::encoder::{Encoder, EncoderShape};
use super::isa::Isa;
use super::label_attention::LabelAttention;
use super::linear::Linear;
use super::parameters::{CpuModelError, Parameters};
use super::rows::{Rows, RowsMut};
use super::workspace::Workspace;
use crate::quantization::Matrix;

/// The head's sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadShape {
    /// Label attention (paper, eqs. 2–4).
    Xml {
        /// Width of `W_b`; none where each label has a readout of its own.
        hidden: Option<usize>,
        /// Whether labels have biases.
        bias: bool,
    },
    /// One linear layer over `[CLS]` (paper, eq. 1).
    Cls,
}

/// A model's sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CpuShape {
    /// The encoder's.
    pub encoder: EncoderShape,
    /// The head's.
    pub head: HeadShape,
    /// Codes.
    pub labels: usize,
}

/// A model packed for this machine's processor.
#[derive(Debug)]
pub struct CpuModel {
    shape: CpuShape,
    isa: Isa,
    encoder: Encoder,
    head: Head,
}

#[derive(Debug)]
enum Head {
    Xml(LabelAttention),
    Cls(Linear),
}

impl CpuModel {
    /// Packs a model's matrices, by the paths that training exports: weights of linear layers `[outputs, inputs]`,
    /// vectors as one row. A layer runs in the precision of its weights: f32 and f16 in f32, int8 and int4 in int8.
    ///
    /// # Errors
    /// A matrix that is missing, unknown or of another shape; a size that cannot be built.
    pub fn new(shape: CpuShape, matrices: BTreeMap<String, Matrix>) -> Result<Self, CpuModelError> {
        Self::for_isa(Isa::detect(), shape, matrices)
    }

    /// As [`CpuModel::new`], for other instructions than the best: to compare them.
    ///
    /// # Errors
    /// As [`CpuModel::new`].
    ///
    /// # Panics
    /// If this machine lacks the instructions.
    pub fn for_isa(
        isa: Isa,
        shape: CpuShape,
        matrices: BTreeMap<String, Matrix>,
    ) -> Result<Self, CpuModelError> {
        assert!(isa.is_available(), "{isa:?} on a machine that lacks it");
        let mut from = Parameters(matrices);
        let encoder = Encoder::new(shape.encoder, isa, &mut from)?;
        let d = shape.encoder.d_model;
        let head = match shape.head {
            HeadShape::Xml { hidden, bias } => {
                Head::Xml(LabelAttention::new(isa, d, hidden, bias, shape.labels, &mut from)?)
            }
            HeadShape::Cls => Head::Cls(from.linear("head.Cls.classifier", shape.labels, d)?),
        };
        from.finish()?;
        Ok(Self { shape, isa, encoder, head })
    }

    /// Its sizes.
    pub fn shape(&self) -> &CpuShape {
        &self.shape
    }

    /// Bytes of weights in memory.
    pub fn bytes(&self) -> usize {
        self.encoder.bytes()
            + match &self.head {
                Head::Xml(head) => head.bytes(),
                Head::Cls(head) => head.bytes(),
            }
    }

    /// Hidden states of one window's tokens, special ones included, without padding.
    ///
    /// # Shapes
    /// - `ids`, `segments`: `[seq]`, 1 to `positions` tokens
    /// - `hidden`: `[seq, d_model]`, replaced
    ///
    /// # Panics
    /// If there is no token or there are too many, or an id or a segment is not the model's.
    pub fn encode(&self, ids: &[u32], segments: &[u32], workspace: &mut Workspace, hidden: &mut Vec<f32>) {
        let shape = self.encoder.shape();
        assert!(
            !ids.is_empty() && ids.len() <= shape.positions,
            "{} tokens of 1 to {}",
            ids.len(),
            shape.positions
        );
        assert_eq!(ids.len(), segments.len(), "a segment a token");
        self.encoder.encode(ids, segments, workspace, hidden);
    }

    /// One logit a label, before the sigmoid.
    ///
    /// # Shapes
    /// - `hidden`: `[seq, d_model]` of [`CpuModel::encode`]
    /// - `real`: the tokens that are word pieces of the note, not `[CLS]` and `[SEP]`; the CLS head does not ask
    /// - `logits`: `[labels]`, replaced
    ///
    /// # Panics
    /// If `real` is empty or reaches beyond the window.
    pub fn logits(
        &self,
        hidden: &[f32],
        real: Range<usize>,
        workspace: &mut Workspace,
        logits: &mut Vec<f32>,
    ) {
        match &self.head {
            Head::Xml(head) => head.logits(self.tokens(hidden, real), workspace, logits),
            Head::Cls(head) => {
                let d = self.shape.encoder.d_model;
                logits.clear();
                logits.resize(self.shape.labels, 0.0);
                let out = RowsMut::new(logits, 1, self.shape.labels, self.shape.labels);
                let room = workspace.workers.first();
                head.apply(self.isa, Rows::new(&hidden[..d], 1, d, d), &mut room.quantized, out);
            }
        }
    }

    /// The attention of some labels over the real tokens; none from the CLS head.
    ///
    /// # Shapes
    /// - `hidden`, `real`: as in [`CpuModel::logits`]
    /// - output: `[labels.len(), real.len()]`, each row summing to 1
    ///
    /// # Panics
    /// As [`CpuModel::logits`], and if there is no such label.
    pub fn attention_of(
        &self,
        labels: &[usize],
        hidden: &[f32],
        real: Range<usize>,
        workspace: &mut Workspace,
    ) -> Option<Vec<f32>> {
        match &self.head {
            Head::Xml(head) => Some(head.attention(labels, self.tokens(hidden, real), workspace)),
            Head::Cls(_) => None,
        }
    }

    /// The word pieces' hidden states.
    fn tokens<'a>(&self, hidden: &'a [f32], real: Range<usize>) -> Rows<'a, f32> {
        assert!(!real.is_empty(), "a window without word pieces has nothing to attend to");
        let d = self.shape.encoder.d_model;
        Rows::new(hidden, hidden.len() / d, d, d).part(real.start, real.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::allocations::allocations;
    use crate::cpu::reference::{forward, matrices};
    use crate::quantization::Precision;

    fn shape(d_model: usize, heads: usize, labels: usize, head: HeadShape) -> CpuShape {
        let encoder = EncoderShape {
            vocab: 40,
            positions: 1024,
            segments: 2,
            d_model,
            layers: 2,
            heads,
            intermediate: 3 * d_model + 1,
            epsilon: 1e-12,
        };
        CpuShape { encoder, head, labels }
    }

    fn input(seq: usize) -> (Vec<u32>, Vec<u32>) {
        ((0..seq).map(|i| (i * 7919 % 40) as u32).collect(), (0..seq).map(|i| (2 * i / seq) as u32).collect())
    }

    /// Logits of a window whose first and last tokens are special where there are three.
    fn logits(model: &CpuModel, workspace: &mut Workspace, seq: usize) -> Vec<f32> {
        let (ids, segments) = input(seq);
        let (mut hidden, mut logits) = (Vec::new(), Vec::new());
        model.encode(&ids, &segments, workspace, &mut hidden);
        model.logits(&hidden, real(seq), workspace, &mut logits);
        logits
    }

    fn real(seq: usize) -> Range<usize> {
        if seq < 3 { 0..seq } else { 1..seq - 1 }
    }

    fn sigmoid(logit: f64) -> f64 {
        1.0 / (1.0 + (-logit).exp())
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    /// Fowler, Noll and Vo's hash of 64 bits, a word at a time.
    fn fnv_1a(words: &[u32]) -> u64 {
        words.iter().fold(0xcbf2_9ce4_8422_2325, |hash, word| {
            (hash ^ u64::from(*word)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }

    #[test]
    fn in_f32_every_probability_is_that_of_f64_at_all_lengths_and_odd_sizes() {
        let xml = |d| HeadShape::Xml { hidden: Some(d), bias: false };
        let own = HeadShape::Xml { hidden: None, bias: true };
        for (shape, lengths) in [
            (shape(36, 3, 71, xml(19)), &[1, 2, 3, 17, 47, 48, 49, 97, 130][..]),
            (shape(64, 4, 50, xml(64)), &[5, 300, 1024]),
            (shape(10, 1, 1, xml(10)), &[1, 40]),
            (shape(36, 3, 71, own), &[1, 49, 130]),
            (shape(10, 1, 1, HeadShape::Xml { hidden: Some(9), bias: true }), &[1, 40]),
            (shape(22, 2, 37, HeadShape::Cls), &[1, 51]),
        ] {
            let weights = matrices(&shape, 0.25, Precision::F32);
            for isa in Isa::available() {
                let model = CpuModel::for_isa(isa, shape, weights.clone()).unwrap();
                let mut workspace = Workspace::new(1);
                for seq in lengths.iter().copied().filter(|seq| isa == Isa::detect() || *seq < 300) {
                    let (ids, segments) = input(seq);
                    let (expected, _) = forward(&shape, &weights, &ids, &segments, real(seq));
                    for (found, expected) in logits(&model, &mut workspace, seq).iter().zip(&expected) {
                        let error = (sigmoid(f64::from(*found)) - sigmoid(*expected)).abs();
                        assert!(error <= 1e-4, "{isa:?}, {seq} tokens: {found} for {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn attention_is_that_of_f64_and_sums_to_one() {
        let shape = shape(36, 3, 71, HeadShape::Xml { hidden: Some(36), bias: false });
        for (precision, tolerance) in [(Precision::F32, 1e-5), (Precision::Int8, 0.05)] {
            let weights = matrices(&shape, 0.25, precision);
            let model = CpuModel::new(shape, weights.clone()).unwrap();
            let mut workspace = Workspace::new(1);
            let ((ids, segments), mut hidden) = (input(61), Vec::new());
            let (_, expected) = forward(&shape, &weights, &ids, &segments, 1..60);
            model.encode(&ids, &segments, &mut workspace, &mut hidden);
            let labels: Vec<usize> = (0..71).rev().collect();
            let found = model.attention_of(&labels, &hidden, 1..60, &mut workspace).unwrap();
            for (label, found) in labels.iter().zip(found.chunks(59)) {
                assert!((found.iter().sum::<f32>() - 1.0).abs() < 1e-5);
                for (found, expected) in found.iter().zip(&expected[*label]) {
                    let error = (f64::from(*found) - expected).abs();
                    assert!(error < tolerance, "{precision:?}: {found} for {expected}");
                }
            }
        }
    }

    #[test]
    fn in_int8_probabilities_stay_near_f32_and_have_the_same_bits_on_every_isa_and_any_number_of_threads() {
        for shape in [
            shape(64, 4, 150, HeadShape::Xml { hidden: Some(50), bias: false }),
            shape(22, 2, 37, HeadShape::Cls),
        ] {
            // Not wider: errors of random networks grow with their gain.
            let exact = matrices(&shape, 0.12, Precision::F32);
            let weights = matrices(&shape, 0.12, Precision::Int8);
            for seq in [1, 3, 50, 200] {
                let (ids, segments) = input(seq);
                let (expected, _) = forward(&shape, &exact, &ids, &segments, real(seq));
                let mut first: Option<Vec<f32>> = None;
                for isa in Isa::available() {
                    let model = CpuModel::for_isa(isa, shape, weights.clone()).unwrap();
                    for threads in [1, 2, 3] {
                        let found = logits(&model, &mut Workspace::new(threads), seq);
                        let first = first.get_or_insert_with(|| found.clone());
                        assert_eq!(bits(&found), bits(first), "{isa:?}, {threads} threads, {seq} tokens");
                    }
                }
                for (found, expected) in first.unwrap().iter().zip(&expected) {
                    let error = (sigmoid(f64::from(*found)) - sigmoid(*expected)).abs();
                    assert!(error < 0.02, "{seq} tokens: {found} for {expected}");
                }
            }
        }
    }

    /// What every processor has to find: those without a browser or a second instruction set to compare with, too.
    #[test]
    fn in_int8_the_bits_are_those_that_were_written_down() {
        let own = HeadShape::Xml { hidden: None, bias: true };
        for (shape, seq, expected) in [
            (shape(64, 4, 150, HeadShape::Xml { hidden: Some(50), bias: false }), 200, 0x885e_3723_3251_0a17),
            (shape(36, 3, 71, own), 97, 0x19d8_aa41_46bf_e564),
            (shape(22, 2, 37, HeadShape::Cls), 50, 0xfff4_afad_9098_43dd),
        ] {
            let weights = matrices(&shape, 0.12, Precision::Int8);
            for isa in Isa::available() {
                let model = CpuModel::for_isa(isa, shape, weights.clone()).unwrap();
                let bits = bits(&logits(&model, &mut Workspace::new(1), seq));
                assert_eq!(fnv_1a(&bits), expected, "{isa:?}, {seq} tokens");
            }
        }
    }

    #[test]
    fn threads_and_what_was_coded_before_change_no_bit_in_f32() {
        let shape = shape(36, 3, 71, HeadShape::Xml { hidden: Some(36), bias: false });
        let model = CpuModel::new(shape, matrices(&shape, 0.25, Precision::F32)).unwrap();
        let alone = logits(&model, &mut Workspace::new(1), 65);
        for threads in [1, 2, 4] {
            let mut workspace = Workspace::new(threads);
            logits(&model, &mut workspace, 200);
            logits(&model, &mut workspace, 3);
            assert_eq!(bits(&logits(&model, &mut workspace, 65)), bits(&alone), "{threads} threads");
        }
    }

    #[test]
    fn seventy_five_thousand_labels_need_no_more_memory_than_a_block_of_them() {
        let shape = shape(16, 1, 75_000, HeadShape::Xml { hidden: Some(16), bias: false });
        for precision in [Precision::F32, Precision::Int8] {
            let model = CpuModel::new(shape, matrices(&shape, 0.25, precision)).unwrap();
            let mut workspace = Workspace::new(1);
            let logits = logits(&model, &mut workspace, 60);
            assert!(logits.len() == 75_000 && logits.iter().all(|logit| logit.is_finite()));
            // A matrix of labels × tokens would be 18 MB.
            assert!(workspace.bytes() < 300_000, "{} bytes", workspace.bytes());
        }
    }

    #[test]
    fn a_workspace_that_was_used_before_makes_no_allocation() {
        let shape = shape(64, 4, 150, HeadShape::Xml { hidden: Some(50), bias: false });
        for precision in [Precision::F32, Precision::Int8] {
            let model = CpuModel::new(shape, matrices(&shape, 0.12, precision)).unwrap();
            let (mut workspace, mut hidden, mut logits) = (Workspace::new(1), Vec::new(), Vec::new());
            let inputs = [300, 300, 100].map(input);
            let mut code = |(ids, segments): &(Vec<u32>, Vec<u32>)| {
                model.encode(ids, segments, &mut workspace, &mut hidden);
                model.logits(&hidden, 1..ids.len() - 1, &mut workspace, &mut logits);
            };
            let counts = inputs.each_ref().map(|input| allocations(|| code(input)));
            assert!(counts[0] > 0, "the first note finds no room: {counts:?}");
            assert_eq!(counts[1..], [0, 0], "{precision:?}");
        }
    }

    #[test]
    fn single_layers_may_stay_in_f32() {
        let shape = shape(36, 3, 20, HeadShape::Xml { hidden: Some(36), bias: false });
        let exact = matrices(&shape, 0.12, Precision::F32);
        let mut mixed = matrices(&shape, 0.12, Precision::Int8);
        for (path, matrix) in &exact {
            if path.contains("layers.0") || path.contains("output") {
                mixed.insert(path.clone(), matrix.clone());
            }
        }
        let model = CpuModel::new(shape, mixed.clone()).unwrap();
        let (ids, segments) = input(30);
        let (expected, _) = forward(&shape, &mixed, &ids, &segments, real(30));
        for (found, expected) in logits(&model, &mut Workspace::new(1), 30).iter().zip(&expected) {
            assert!((f64::from(*found) - expected).abs() < 0.02, "{found} for {expected}");
        }
    }

    #[test]
    fn matrices_that_do_not_make_the_model_are_named() {
        let shape = shape(10, 1, 3, HeadShape::Cls);
        let weights = matrices(&shape, 0.1, Precision::F32);
        let mut missing = weights.clone();
        missing.remove("encoder.layers.1.attention.key.bias");
        let error = CpuModel::new(shape, missing).unwrap_err();
        assert_eq!(error.to_string(), "parameter encoder.layers.1.attention.key.bias is missing");
        let mut unknown = weights.clone();
        unknown.insert("head.x".to_owned(), weights["head.Cls.classifier.bias"].clone());
        let error = CpuModel::new(shape, unknown).unwrap_err();
        assert_eq!(error.to_string(), "parameter head.x is none of this model's");
        let wider = CpuShape { labels: 4, ..shape };
        let error = CpuModel::new(wider, weights.clone()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "parameter head.Cls.classifier.weight has 3 × 10, the model wants 4 × 10"
        );
        let heads = CpuShape { encoder: EncoderShape { heads: 3, ..shape.encoder }, ..shape };
        let error = CpuModel::new(heads, weights).unwrap_err();
        assert_eq!(error.to_string(), "heads = 3: must divide d_model without remainder");
    }
}
