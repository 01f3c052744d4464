//! Tokens to logits: windows of many notes in batches of similar length, and the maximum over a note's windows.

use burn::tensor::{Device, Tensor};

use super::engine::Engine;
use crate::data::pad_windows;
use crate::model::Inputs;
use crate::text::{SpecialTokens, TokenSpan, build_window, windows};

/// Rows are padded to a multiple of this, so that a card sees few shapes.
const ROUND_TO: usize = 16;

/// How notes are cut and batched. Only `max_len` and `stride` change what comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowPlan {
    /// Longest window in tokens, `[CLS]` and `[SEP]` included.
    pub max_len: usize,
    /// Tokens from one window's start to the next one's, 1 to `max_len - 2`.
    pub stride: usize,
    /// Labels a piece of the XML head.
    pub chunk: usize,
    /// Tokens a batch, padding included; a longer window has a batch of its own.
    pub batch_tokens: usize,
}

/// One window of one note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacedWindow {
    /// Index of the note.
    pub note: usize,
    /// Its tokens, special ones not counted.
    pub span: TokenSpan,
}

/// A batch that went through the encoder.
pub struct EncodedBatch {
    /// What stands in each row.
    pub rows: Vec<PlacedWindow>,
    /// What went in.
    pub inputs: Inputs,
    /// Hidden states, `[batch, seq, d_model]`; token `i` of a row's span is at `i + 1`.
    pub hidden: Tensor<3>,
}

/// Windows of all notes in batches: similar lengths together, longest first. A note without tokens has none.
pub fn plan_batches(notes: &[&[u32]], plan: &WindowPlan) -> Vec<Vec<PlacedWindow>> {
    let mut all: Vec<PlacedWindow> = Vec::new();
    for (note, ids) in notes.iter().enumerate() {
        let spans = windows(ids.len(), plan.max_len, plan.stride);
        all.extend(spans.into_iter().map(|span| PlacedWindow { note, span }));
    }
    // Stable: the same notes give the same batches.
    all.sort_by_key(|window| std::cmp::Reverse(window.span.len()));
    let mut batches: Vec<Vec<PlacedWindow>> = Vec::new();
    let mut width = 0;
    for window in all {
        match batches.last_mut() {
            Some(batch) if (batch.len() + 1) * width <= plan.batch_tokens => batch.push(window),
            _ => {
                width = (window.span.len() + 2).next_multiple_of(ROUND_TO).min(plan.max_len);
                batches.push(vec![window]);
            }
        }
    }
    batches
}

/// Sends one batch of [`plan_batches`] through the encoder.
pub fn encode_batch(
    encoder: &crate::model::encoder::Encoder,
    notes: &[&[u32]],
    rows: Vec<PlacedWindow>,
    plan: &WindowPlan,
    special: &SpecialTokens,
    device: &Device,
) -> EncodedBatch {
    let ids: Vec<_> = rows.iter().map(|row| build_window(notes[row.note], row.span, special)).collect();
    let inputs = Inputs::new(&pad_windows(&ids, special, ROUND_TO, plan.max_len), device);
    let hidden = encoder.forward(inputs.ids.clone(), inputs.segments.clone(), inputs.keep.clone());
    EncodedBatch { rows, inputs, hidden }
}

/// The greatest logit of every code over each note's windows: dense, `[notes, labels]`; −∞ all along the row of a
/// note without tokens.
///
/// A model on an autodiff device drops out and keeps its graph: pass `model.valid()`.
pub fn max_logits(engine: &Engine, notes: &[&[u32]], plan: &WindowPlan, special: &SpecialTokens) -> Vec<f32> {
    let mut best = Best::new(notes.len(), engine.labels());
    for rows in plan_batches(notes, plan) {
        let encoded = engine.encode(notes, rows, plan, special);
        best.add(encoded.rows(), &engine.logits(&encoded, plan.chunk).read());
    }
    best.logits
}

/// The running maximum over windows.
pub(super) struct Best {
    labels: usize,
    /// `[notes, labels]`
    pub logits: Vec<f32>,
    /// The first token of the window that has it, `[notes, labels]`.
    pub start: Vec<u32>,
}

impl Best {
    pub fn new(notes: usize, labels: usize) -> Self {
        Self { labels, logits: vec![f32::NEG_INFINITY; notes * labels], start: vec![0; notes * labels] }
    }

    /// `logits`: `[rows, labels]`
    pub fn add(&mut self, rows: &[PlacedWindow], logits: &[f32]) {
        for (row, logits) in rows.iter().zip(logits.chunks_exact(self.labels)) {
            let (at, start) = (row.note * self.labels, row.span.start as u32);
            for (label, &logit) in logits.iter().enumerate() {
                let (best, best_start) = (&mut self.logits[at + label], &mut self.start[at + label]);
                // Of equal windows the first in the note, whatever batch comes first.
                // What is no number stays visible: it must not pass for "surely not".
                if logit > *best || (logit == *best && start < *best_start) || logit.is_nan() {
                    (*best, *best_start) = (logit, start);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_similar_lengths_within_the_budget() {
        let notes: Vec<Vec<u32>> = [3usize, 40, 0, 5, 40, 4].map(|tokens| vec![9; tokens]).to_vec();
        let notes: Vec<&[u32]> = notes.iter().map(Vec::as_slice).collect();
        let plan = WindowPlan { max_len: 34, stride: 30, chunk: 1, batch_tokens: 70 };
        let shape: Vec<Vec<(usize, usize)>> = plan_batches(&notes, &plan)
            .iter()
            .map(|batch| batch.iter().map(|row| (row.note, row.span.len())).collect())
            .collect();
        // 40 tokens are windows 0..32 and 8..40, of 34 tokens: two a batch; the short ones take 16 each.
        assert_eq!(shape, [vec![(1, 32), (1, 32)], vec![(4, 32), (4, 32)], vec![(3, 5), (5, 4), (0, 3)]]);
        let tight = WindowPlan { batch_tokens: 1, ..plan };
        assert_eq!(plan_batches(&notes, &tight).len(), 7, "a window longer than the budget stands alone");
    }
}
