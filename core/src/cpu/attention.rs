//! Attention of a block of queries over one sequence: scores, softmax and the mean of the values, fused.
//!
//! Self-attention calls it a head at a time, label attention with the labels as queries and the hidden states as
//! keys and values. A sequence stands alone: no padding is ever computed.
//!
//! In integers, keys have 8 bits and one scale a token, queries 7 bits (labels 8) and one scale a query. A query's weights
//! take the value's scales in and have 14 bits ([`super::fine`]): a token with little weight among thousands still
//! counts.

use super::fine::FineRows;
use super::gemm::{product_f32, product_int8};
use super::isa::Isa;
use super::pack::{PackedF32, PackedInt8};
use super::quantize::{QuantizedRows, QuantizedView};
use super::rows::{Rows, RowsMut};
use super::softmax::{exponentials, exponentials_times, multiply};

/// What an attention's products run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// All in f32.
    F32,
    /// Scores and means in integers.
    Int8,
}

/// Keys and values of one sequence, packed.
#[derive(Debug, Default)]
pub struct KeysValues {
    keys_f32: PackedF32,
    values_f32: PackedF32,
    keys_int8: PackedInt8,
    values_int8: PackedInt8,
    /// One a token.
    value_scales: Vec<f32>,
    row: Vec<i8>,
}

/// Queries in the arithmetic of their keys.
#[derive(Clone, Copy, Debug)]
pub enum Queries<'a> {
    /// `[queries, d]`
    F32(Rows<'a, f32>),
    /// `[queries, d]`
    Int8(QuantizedView<'a>),
}

/// Room for a block of queries.
#[derive(Debug, Default)]
pub struct AttentionScratch {
    /// `[queries, tokens]`, rows a stride apart.
    scores: Vec<f32>,
    sums: Vec<f32>,
    fine: FineRows,
    queries: QuantizedRows,
}

impl KeysValues {
    /// Packs keys and values of `tokens` tokens, rows of `[d, d_value]` numbers wherever they lie.
    pub fn pack<'a>(
        &mut self,
        isa: Isa,
        arithmetic: Arithmetic,
        tokens: usize,
        [d, d_value]: [usize; 2],
        key: impl Fn(usize) -> &'a [f32],
        value: impl Fn(usize) -> &'a [f32],
    ) {
        let Self { keys_int8, values_int8, value_scales, row, .. } = self;
        match arithmetic {
            Arithmetic::F32 => {
                self.keys_f32.pack_rows(tokens, d, key);
                self.values_f32.pack_columns(tokens, d_value, value);
            }
            Arithmetic::Int8 => {
                keys_int8.pack_rows(isa, tokens, d, key, row);
                values_int8.pack_columns(isa, tokens, d_value, value, value_scales, row);
            }
        }
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.keys_f32.bytes()
            + self.values_f32.bytes()
            + self.keys_int8.bytes()
            + self.values_int8.bytes()
            + 4 * self.value_scales.capacity()
            + self.row.capacity()
    }
}

impl AttentionScratch {
    /// `out = softmax(scale · queries · keysᵀ) · values`.
    ///
    /// # Shapes
    /// - `queries`: `[queries, d]` in f32, quantized here if `arithmetic` says so
    /// - `out`: `[queries, d_value]`
    pub fn attend(
        &mut self,
        isa: Isa,
        arithmetic: Arithmetic,
        queries: Rows<'_, f32>,
        over: &KeysValues,
        scale: f32,
        out: RowsMut<'_, f32>,
    ) {
        match arithmetic {
            Arithmetic::F32 => self.attend_with(isa, Queries::F32(queries), over, scale, out),
            Arithmetic::Int8 => {
                let mut quantized = std::mem::take(&mut self.queries);
                quantized.quantize(isa, queries);
                self.attend_with(isa, Queries::Int8(quantized.view()), over, scale, out);
                self.queries = quantized;
            }
        }
    }

    /// As [`AttentionScratch::attend`], of queries that are in their arithmetic already.
    pub fn attend_with(
        &mut self,
        isa: Isa,
        queries: Queries<'_>,
        over: &KeysValues,
        scale: f32,
        mut out: RowsMut<'_, f32>,
    ) {
        let (count, tokens, stride) = self.score(isa, queries, over);
        match queries {
            Queries::F32(_) => {
                self.exponentiate(isa, (count, tokens, stride), scale);
                let weights = Rows::new(&self.scores, count, tokens, stride);
                product_f32(isa, weights, &over.values_f32, None, out.reborrow());
                for (row, sum) in self.sums.iter().enumerate() {
                    multiply(isa, out.row(row), 1.0 / sum);
                }
            }
            Queries::Int8(_) => {
                self.fine.reset(count, tokens);
                for row in 0..count {
                    let weights = &mut self.scores[row * stride..][..tokens];
                    let (sum, largest) = exponentials_times(isa, weights, scale, &over.value_scales);
                    self.fine.push(isa, weights, largest, 1.0 / sum);
                }
                self.fine.product(isa, &over.values_int8, out);
            }
        }
    }

    /// The attention itself: `out = softmax(scale · queries · keysᵀ)`, `[queries, tokens]`.
    pub fn weights(
        &mut self,
        isa: Isa,
        queries: Queries<'_>,
        over: &KeysValues,
        scale: f32,
        out: &mut [f32],
    ) {
        let (count, tokens, stride) = self.score(isa, queries, over);
        self.exponentiate(isa, (count, tokens, stride), scale);
        assert_eq!(out.len(), count * tokens, "a weight a query and token");
        for (row, out) in out.chunks_exact_mut(tokens).enumerate() {
            out.copy_from_slice(&self.scores[row * stride..][..tokens]);
            multiply(isa, out, 1.0 / self.sums[row]);
        }
    }

    /// Leaves `queries · keysᵀ` in `scores`; returns queries, tokens and the stride.
    fn score(&mut self, isa: Isa, queries: Queries<'_>, over: &KeysValues) -> (usize, usize, usize) {
        let (count, tokens) = match queries {
            Queries::F32(queries) => (queries.rows(), over.keys_f32.outputs()),
            Queries::Int8(queries) => (queries.values.rows(), over.keys_int8.outputs()),
        };
        assert!(tokens > 0, "attention over no tokens");
        // Rows 4 KiB apart would share cache sets.
        let stride = tokens.next_multiple_of(16) + 16;
        self.scores.resize(count * stride, 0.0);
        let scores = RowsMut::new(&mut self.scores, count, tokens, stride);
        match queries {
            Queries::F32(queries) => product_f32(isa, queries, &over.keys_f32, None, scores),
            Queries::Int8(queries) => product_int8(isa, queries, &over.keys_int8, None, scores),
        }
        (count, tokens, stride)
    }

    /// Leaves numerators in `scores` and denominators in `sums`.
    fn exponentiate(&mut self, isa: Isa, (count, tokens, stride): (usize, usize, usize), scale: f32) {
        self.sums.clear();
        for row in 0..count {
            self.sums.push(exponentials(isa, &mut self.scores[row * stride..][..tokens], scale));
        }
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        4 * (self.scores.capacity() + self.sums.capacity()) + self.fine.bytes() + self.queries.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919 + seed * 31) % 1013) as f32 / 506.0 - 1.0).collect()
    }

    fn attend(
        isa: Isa,
        arithmetic: Arithmetic,
        queries: &[f32],
        kv: &[f32],
        d: usize,
        scale: f32,
    ) -> Vec<f32> {
        let (count, tokens) = (queries.len() / d, kv.len() / 2 / d);
        let (mut over, mut scratch) = (KeysValues::default(), AttentionScratch::default());
        let (key, value) = (|at: usize| &kv[2 * d * at..][..d], |at: usize| &kv[2 * d * at + d..][..d]);
        over.pack(isa, arithmetic, tokens, [d, d], key, value);
        let mut out = vec![0.0; count * d];
        let queries = Rows::new(queries, count, d, d);
        scratch.attend(isa, arithmetic, queries, &over, scale, RowsMut::new(&mut out, count, d, d));
        out
    }

    fn exact(queries: &[f32], kv: &[f32], d: usize, scale: f64) -> Vec<f64> {
        let mut out = Vec::new();
        for query in queries.chunks(d) {
            let score = |token: &[f32]| {
                scale * query.iter().zip(token).map(|(q, k)| f64::from(*q) * f64::from(*k)).sum::<f64>()
            };
            let weights: Vec<f64> = kv.chunks(2 * d).map(|token| score(&token[..d]).exp()).collect();
            let sum: f64 = weights.iter().sum();
            for at in 0..d {
                let values = kv.chunks(2 * d).map(|token| f64::from(token[d + at]));
                out.push(weights.iter().zip(values).map(|(w, v)| w * v / sum).sum());
            }
        }
        out
    }

    #[test]
    fn both_arithmetics_give_the_mean_of_the_values() {
        for (count, tokens, d) in [(1, 1, 4), (5, 3, 7), (13, 70, 16), (7, 257, 33), (3, 1024, 64)] {
            let (queries, kv) = (numbers(count * d, 1), numbers(tokens * 2 * d, 2));
            let expected = exact(&queries, &kv, d, 0.5);
            for (arithmetic, tolerance) in [(Arithmetic::F32, 1e-5), (Arithmetic::Int8, 0.03)] {
                for isa in Isa::available() {
                    let found = attend(isa, arithmetic, &queries, &kv, d, 0.5);
                    for (found, expected) in found.iter().zip(&expected) {
                        let error = (f64::from(*found) - expected).abs();
                        assert!(error < tolerance, "{arithmetic:?}, {tokens} tokens: {found} for {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn integers_give_the_same_bits_on_every_isa() {
        let (queries, kv) = (numbers(9 * 24, 3), numbers(101 * 48, 4));
        let expected = attend(Isa::Portable, Arithmetic::Int8, &queries, &kv, 24, 0.7);
        for isa in Isa::available() {
            let found = attend(isa, Arithmetic::Int8, &queries, &kv, 24, 0.7);
            assert!(found.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()), "{isa:?}");
        }
    }

    #[test]
    fn a_thousand_faint_tokens_beside_a_heavy_one_still_count() {
        // One score of 6, 1,023 of 0: e⁶ = 403, so that the faint ones have 72 % of the weight together.
        let (queries, mut kv) = (vec![1.0, 0.0], Vec::new());
        for token in 0..1024 {
            kv.extend(if token == 0 { [6.0, 0.0, 0.0, 0.0] } else { [0.0, 0.0, 1.0, 0.5] });
        }
        let found = attend(Isa::detect(), Arithmetic::Int8, &queries, &kv, 2, 1.0);
        let expected = exact(&queries, &kv, 2, 1.0);
        assert!((f64::from(found[0]) - expected[0]).abs() < 0.01, "{found:?} for {expected:?}");
        assert!((f64::from(found[1]) - expected[1]).abs() < 0.01);
    }

    #[test]
    fn weights_sum_to_one_and_follow_the_scores() {
        let (mut over, mut scratch) = (KeysValues::default(), AttentionScratch::default());
        let keys = [0.0, 2.0_f32.ln(), 3.0_f32.ln()];
        over.pack(Isa::detect(), Arithmetic::F32, 3, [1, 1], |at| &keys[at..][..1], |at| &keys[at..][..1]);
        let mut weights = [0.0; 3];
        let queries = Queries::F32(Rows::new(&[1.0], 1, 1, 1));
        scratch.weights(Isa::detect(), queries, &over, 1.0, &mut weights);
        for (found, expected) in weights.iter().zip([1.0 / 6.0, 1.0 / 3.0, 0.5]) {
            assert!((found - expected).abs() < 1e-6);
        }
    }
}
