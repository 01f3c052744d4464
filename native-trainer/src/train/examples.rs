//! Windows of notes as training examples, and what a frozen part of the encoder says of them.

use anyhow::Result;
use bert_xml_core::data::{
    PackedBatch, TokenSource, WindowBatch, epoch_batches, lay_out, micro_batches, pack, pad_windows,
};
use bert_xml_core::model::encoder::Encoder;
use bert_xml_core::model::{EncoderConfig, Inputs};
use bert_xml_core::text::{SpecialTokens, TokenSpan, windows};
use burn::tensor::{DType, Device, Tensor, TensorData};

use super::frozen_on_cpu;
use super::memory::{available_bytes, states_fit};
use super::pretrain::ROUND_TO;
use super::settings::Rows;
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
        for note in 0..split.tokens.len() {
            let spans = windows(split.tokens.note_len(note), max_len, stride);
            let spans = if spans.is_empty() { vec![TokenSpan::new(0, 0)] } else { spans };
            all.extend(spans.into_iter().map(|span| Example { note: note as u32, span }));
        }
        let lengths = all.iter().map(|example| example.span.len() as u32 + 2).collect();
        Self { split, all, lengths, special, max_len }
    }

    /// One window's tokens, special ones included.
    pub fn window(&self, row: usize) -> Vec<u32> {
        let Example { note, span } = self.all[row];
        let mut window = Vec::with_capacity(span.len() + 2);
        window.push(self.special.cls);
        self.split.tokens.append(note as usize, span.range(), &mut window);
        window.push(self.special.sep);
        window
    }

    /// The notes that windows are of, by their ids.
    pub fn note_ids(&self, rows: &[u32]) -> impl Iterator<Item = &str> {
        rows.iter().map(|&row| self.split.tokens.note_id(self.all[row as usize].note as usize))
    }

    /// Windows as a padded batch.
    pub fn batch(&self, rows: &[u32]) -> WindowBatch {
        let windows: Vec<Vec<u32>> = rows.iter().map(|&row| self.window(row as usize)).collect();
        pad_windows(&windows, &self.special, ROUND_TO, self.max_len)
    }

    /// 0 or 1 for each label: every window carries its note's codes. Row-major `[rows, labels]`.
    pub fn targets(&self, rows: &[u32], labels: usize) -> Vec<f32> {
        let mut data = vec![0f32; rows.len() * labels];
        for (at, &row) in rows.iter().enumerate() {
            for &label in &self.split.gold[self.all[row as usize].note as usize] {
                data[at * labels + label as usize] = 1.0;
            }
        }
        data
    }

    /// The steps of a training from `first` on, each with its epoch's own order; without end. A step's rows depend on
    /// nothing but seed and number. `sizes`: windows of a step, and tokens that are worked on at once.
    pub fn steps(
        &self,
        kind: Rows,
        (batch, budget): (usize, usize),
        labels: usize,
        seed: u64,
        first: u64,
    ) -> impl Iterator<Item = WindowStep> + Send {
        let an_epoch = self.all.len().div_ceil(batch) as u64;
        // Windows of like length fill no row: those that are packed come in any order.
        let order_by = match kind {
            Rows::Padded => self.lengths.clone(),
            Rows::Packed => vec![0; self.lengths.len()],
        };
        (first / an_epoch..).flat_map(move |epoch| {
            let skipped = first.saturating_sub(epoch * an_epoch) as usize;
            let batches = epoch_batches(&order_by, batch, seed, epoch);
            batches.into_iter().skip(skipped).map(move |windows| self.step(kind, windows, budget, labels))
        })
    }

    fn step(&self, kind: Rows, windows: Vec<u32>, budget: usize, labels: usize) -> WindowStep {
        let micro = match kind {
            Rows::Padded => micro_batches(&windows, &self.lengths, budget)
                .into_iter()
                .map(|windows| {
                    self.micro(windows.to_vec(), labels, |of| RowsOfWindows::Padded(self.batch(of)))
                })
                .collect(),
            Rows::Packed => self
                .packed(&windows, budget)
                .into_iter()
                .map(|rows| {
                    self.micro(rows.concat(), labels, |_| {
                        let window = |&window: &u32| self.window(window as usize);
                        let rows: Vec<Vec<Vec<u32>>> =
                            rows.iter().map(|row| row.iter().map(window).collect()).collect();
                        RowsOfWindows::Packed(lay_out(&rows, &self.special, ROUND_TO, self.max_len))
                    })
                })
                .collect(),
        };
        WindowStep { micro, windows }
    }

    fn micro(
        &self,
        windows: Vec<u32>,
        labels: usize,
        rows: impl FnOnce(&[u32]) -> RowsOfWindows,
    ) -> MicroBatch {
        let tokens = windows.iter().map(|&window| self.lengths[window as usize] as usize).sum();
        MicroBatch { rows: rows(&windows), targets: self.targets(&windows, labels), tokens, windows }
    }

    /// Micro-batches of rows that hold several windows.
    fn packed(&self, windows: &[u32], budget: usize) -> Vec<Vec<Vec<u32>>> {
        let of_step: Vec<u32> = windows.iter().map(|&window| self.lengths[window as usize]).collect();
        let mut rows = pack(&of_step, self.max_len);
        let used = |row: &Vec<u32>| row.iter().map(|&at| of_step[at as usize]).sum::<u32>();
        rows.sort_by_key(used);
        let row_lengths: Vec<u32> = rows.iter().map(used).collect();
        let order: Vec<u32> = (0..rows.len() as u32).collect();
        let take = |row: &u32| rows[*row as usize].iter().map(|&at| windows[at as usize]).collect();
        micro_batches(&order, &row_lengths, budget)
            .into_iter()
            .map(|group| group.iter().map(take).collect())
            .collect()
    }

    /// All windows, in groups of at most `budget` tokens with padding and of like length.
    pub fn by_length(&self, budget: usize) -> Vec<Vec<u32>> {
        let mut order: Vec<u32> = (0..self.all.len() as u32).collect();
        order.sort_by_key(|&row| self.lengths[row as usize]);
        micro_batches(&order, &self.lengths, budget).into_iter().map(<[u32]>::to_vec).collect()
    }
}

/// The windows of one optimizer step.
pub struct WindowStep {
    /// The windows, by their places in [`Examples::all`].
    pub windows: Vec<u32>,
    /// The same in parts that are worked on at once.
    pub micro: Vec<MicroBatch>,
}

/// Windows that are worked on at once.
pub struct MicroBatch {
    /// The windows, by their places in [`Examples::all`], in the order of their rows.
    pub windows: Vec<u32>,
    /// Their tokens, laid out.
    pub rows: RowsOfWindows,
    /// Tokens that are not padding.
    pub tokens: usize,
    /// Their codes, row-major `[windows, labels]`.
    pub targets: Vec<f32>,
}

/// Windows as rows of the device.
#[derive(Debug, PartialEq)]
pub enum RowsOfWindows {
    /// A row is a window.
    Padded(WindowBatch),
    /// A row is several.
    Packed(PackedBatch),
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
    use bert_xml_core::data::TokenStore;

    use super::super::tokens::NoteTokens;
    use super::*;

    #[test]
    fn windows_carry_their_notes_codes() {
        let (mut tokens, mut gold) = (TokenStore::default(), Vec::new());
        for (ids, codes) in [(vec![10; 7], vec![1]), (vec![], vec![]), (vec![11; 2], vec![0, 2])] {
            tokens.push(&ids);
            gold.push(codes);
        }
        let tokens = NoteTokens::Held { tokens, note_ids: Vec::new() };
        let split = TokenizedSplit { tokens, gold, outside: 0 };
        let special = SpecialTokens { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 };
        let examples = Examples::new(&split, special, 6, 4);
        assert_eq!(examples.lengths, [6, 6, 2, 4]);
        let notes: Vec<u32> = examples.all.iter().map(|example| example.note).collect();
        assert_eq!(notes, [0, 0, 1, 2]);
        assert_eq!(examples.targets(&[1, 3, 2], 3), [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(examples.batch(&[2, 3]).ids[..4], [2, 3, 0, 0]);
        let groups = examples.by_length(12);
        assert_eq!(groups, [vec![2, 3], vec![0, 1]]);

        // Two steps an epoch; from the second step of the first epoch on.
        let of = |first| {
            let steps = examples.steps(Rows::Padded, (3, 12), 3, 7, first);
            steps.take(4).map(|step| step.windows).collect::<Vec<_>>()
        };
        let (all, rest) = (of(0), of(1));
        assert_eq!(all[1..], rest[..3]);
        assert_eq!(all[2..], epoch_batches(&examples.lengths, 3, 7, 1));
        for kind in [Rows::Padded, Rows::Packed] {
            let step = examples.steps(kind, (3, 12), 3, 7, 0).next().unwrap();
            let mut parts: Vec<u32> = step.micro.iter().flat_map(|part| part.windows.clone()).collect();
            let mut windows = step.windows.clone();
            parts.sort_unstable();
            windows.sort_unstable();
            assert_eq!(parts, windows);
            for part in &step.micro {
                if let RowsOfWindows::Padded(rows) = &part.rows {
                    assert_eq!(*rows, examples.batch(&part.windows));
                }
                assert_eq!(part.targets, examples.targets(&part.windows, 3));
                let lengths = part.windows.iter().map(|&window| examples.lengths[window as usize] as usize);
                assert_eq!(part.tokens, lengths.sum::<usize>());
            }
        }
    }
}
