//! Windows of notes as training examples, and what a frozen part of the encoder says of them.

use anyhow::Result;
use bert_xml_core::data::{WindowBatch, micro_batches, pad_windows};
use bert_xml_core::model::encoder::Encoder;
use bert_xml_core::model::{EncoderConfig, Inputs};
use bert_xml_core::text::{SpecialTokens, TokenSpan, build_window, windows};
use burn::tensor::{DType, Device, Tensor, TensorData};

use super::frozen_on_cpu;
use super::memory::{available_bytes, states_fit};
use super::pretrain::ROUND_TO;
use super::tokens::TokenizedSplit;
use crate::context::Context;
use crate::device::DeviceChoice;
use crate::progress::Unit;
use crate::talk;

/// One window of a note. A note without tokens has one window with nothing but `[CLS]` and `[SEP]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Example {
    /// The note.
    pub note: u32,
    /// Its tokens.
    pub span: TokenSpan,
}

/// All windows of a split.
pub struct Examples<'a> {
    /// The notes.
    pub split: &'a TokenizedSplit,
    /// Windows in the order of the notes.
    pub all: Vec<Example>,
    /// Tokens of each window, special ones included.
    pub lengths: Vec<u32>,
    special: SpecialTokens,
    max_len: usize,
}

impl<'a> Examples<'a> {
    /// Cuts every note into windows.
    pub fn new(split: &'a TokenizedSplit, special: SpecialTokens, max_len: usize, stride: usize) -> Self {
        let mut all = Vec::new();
        for (note, ids) in split.tokens.iter().enumerate() {
            let spans = windows(ids.len(), max_len, stride);
            let spans = if spans.is_empty() { vec![TokenSpan::new(0, 0)] } else { spans };
            all.extend(spans.into_iter().map(|span| Example { note: note as u32, span }));
        }
        let lengths = all.iter().map(|example| example.span.len() as u32 + 2).collect();
        Self { split, all, lengths, special, max_len }
    }

    /// The special tokens of its vocabulary.
    pub fn special(&self) -> SpecialTokens {
        self.special
    }

    /// One window's tokens, special ones included.
    pub fn window(&self, row: usize) -> Vec<u32> {
        let example = self.all[row];
        build_window(self.split.tokens.note(example.note as usize), example.span, &self.special)
    }

    /// The notes that windows are of, by their ids.
    pub fn note_ids(&self, rows: &[u32]) -> impl Iterator<Item = &str> {
        rows.iter().map(|&row| self.split.note_ids[self.all[row as usize].note as usize].as_str())
    }

    /// Windows as a padded batch.
    pub fn batch(&self, rows: &[u32]) -> WindowBatch {
        let windows: Vec<Vec<u32>> = rows.iter().map(|&row| self.window(row as usize)).collect();
        pad_windows(&windows, &self.special, ROUND_TO, self.max_len)
    }

    /// 0 or 1 for each label: every window carries its note's codes. `[rows, labels]`.
    pub fn targets(&self, rows: &[u32], labels: usize, device: &Device) -> Tensor<2> {
        let mut data = vec![0f32; rows.len() * labels];
        for (at, &row) in rows.iter().enumerate() {
            for &label in &self.split.gold[self.all[row as usize].note as usize] {
                data[at * labels + label as usize] = 1.0;
            }
        }
        Tensor::from_data(TensorData::new(data, [rows.len(), labels]), device)
    }

    /// All windows, in groups of at most `budget` tokens with padding and of like length.
    pub fn by_length(&self, budget: usize) -> Vec<Vec<u32>> {
        let mut order: Vec<u32> = (0..self.all.len() as u32).collect();
        order.sort_by_key(|&row| self.lengths[row as usize]);
        micro_batches(&order, &self.lengths, budget).into_iter().map(<[u32]>::to_vec).collect()
    }
}

/// Hidden states after the first `layers` blocks, computed once (for a frozen part of the encoder).
pub struct FrozenStates {
    /// Blocks that are frozen.
    pub layers: usize,
    /// `[tokens, d_model]` a window, unpadded; none where they would not fit into memory.
    rows: Option<Vec<Vec<f32>>>,
}

impl FrozenStates {
    /// Computes the states of all windows, if they fit into memory, and says so where they do not; `encoder`
    /// without autodiff. Without a card the CPU engine computes them, in f32.
    ///
    /// # Errors
    /// An encoder that the CPU engine cannot take; a device failure panics in burn.
    pub fn compute(
        context: &Context,
        encoder: &Encoder,
        config: &EncoderConfig,
        layers: usize,
        examples: &Examples<'_>,
        budget: usize,
        (device, choice): (&Device, DeviceChoice),
    ) -> Result<Self> {
        let d_model = encoder.embeddings.word.weight.dims()[1];
        let tokens: u64 = examples.lengths.iter().map(|&length| u64::from(length)).sum();
        let (needed, available) = (tokens * d_model as u64 * 4, available_bytes());
        if !states_fit(needed, available) {
            let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30));
            let left = available.map_or("an unknown amount".into(), gib);
            talk::say(&format!(
                "the frozen layers' states take {} and {left} is left: they are computed at each use",
                gib(needed)
            ));
            return Ok(Self { layers, rows: None });
        }
        let mut progress = context.start("frozen", Some(examples.all.len() as u64), Unit::Notes);
        if choice == DeviceChoice::Cpu {
            let windows = (examples.all.len(), |row| examples.window(row));
            let rows = frozen_on_cpu::states(encoder, config, layers, windows, &mut progress)?;
            progress.finish();
            return Ok(Self { layers, rows: Some(rows) });
        }
        let mut rows = vec![Vec::new(); examples.all.len()];
        for group in examples.by_length(budget) {
            let batch = examples.batch(&group);
            let hidden = frozen_part(encoder, layers, &Inputs::new(&batch, device));
            let data: Vec<f32> = hidden.cast(DType::F32).into_data().try_to_vec().expect("cast to f32");
            for (at, &row) in group.iter().enumerate() {
                let start = at * batch.seq * d_model;
                let len = examples.lengths[row as usize] as usize * d_model;
                rows[row as usize] = data[start..start + len].to_vec();
            }
            progress.advance(group.len() as u64);
        }
        progress.finish();
        Ok(Self { layers, rows: Some(rows) })
    }

    /// The states of some windows, padded with zeros to `seq`, `[rows, seq, d_model]`; `inputs` are the same
    /// windows. Without autodiff.
    pub fn states(&self, encoder: &Encoder, rows: &[u32], inputs: &Inputs, seq: usize) -> Tensor<3> {
        let device = inputs.ids.device();
        let Some(kept) = &self.rows else {
            return frozen_part(encoder, self.layers, inputs);
        };
        let d_model = encoder.embeddings.word.weight.dims()[1];
        let mut data = vec![0f32; rows.len() * seq * d_model];
        for (at, &row) in rows.iter().enumerate() {
            let states = &kept[row as usize];
            data[at * seq * d_model..][..states.len()].copy_from_slice(states);
        }
        Tensor::from_data(TensorData::new(data, [rows.len(), seq, d_model]), &device)
    }
}

fn frozen_part(encoder: &Encoder, layers: usize, inputs: &Inputs) -> Tensor<3> {
    encoder.forward_first(inputs.ids.clone(), inputs.segments.clone(), inputs.keep.clone(), layers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_carry_their_notes_codes() {
        let mut split = TokenizedSplit::default();
        for (ids, gold) in [(vec![10; 7], vec![1]), (vec![], vec![]), (vec![11; 2], vec![0, 2])] {
            split.tokens.push(&ids);
            split.gold.push(gold);
        }
        let special = SpecialTokens { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 };
        let examples = Examples::new(&split, special, 6, 4);
        assert_eq!(examples.lengths, [6, 6, 2, 4]);
        let notes: Vec<u32> = examples.all.iter().map(|example| example.note).collect();
        assert_eq!(notes, [0, 0, 1, 2]);
        let targets: Vec<f32> =
            examples.targets(&[1, 3, 2], 3, &Device::flex()).into_data().try_to_vec().unwrap();
        assert_eq!(targets, [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(examples.batch(&[2, 3]).ids[..4], [2, 3, 0, 0]);
        let groups = examples.by_length(12);
        assert_eq!(groups, [vec![2, 3], vec![0, 1]]);
    }
}
