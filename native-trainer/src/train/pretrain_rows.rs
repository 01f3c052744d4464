//! What pretraining reads, a row at a time (padded pairs of segments, or rows packed full of notes) and step by step,
//! masked and ready for the device.

use bert_xml_core::data::nsp::{Pair, Piece};
use bert_xml_core::data::{
    MaskedTokens, PackedBatch, Purpose, TokenSource, WindowBatch, epoch_batches, epoch_pairs, epoch_rows,
    lay_out, mask_tokens, micro_batches, pad_pairs, stream,
};
use bert_xml_core::model::encoder::Unseen;
use bert_xml_core::model::loss::cross_entropy;
use bert_xml_core::model::pretrain::PretrainModel;
use bert_xml_core::model::{Inputs, PackedInputs};
use bert_xml_core::text::SpecialTokens;
use burn::tensor::{Device, Int, Tensor};
use rand::Rng;

use super::pretrain::ROUND_TO;
use super::settings::Rows;
use super::tokens::NoteTokens;

/// All rows of an epoch.
pub(crate) enum EpochRows {
    /// Two segments a row.
    Pairs(Vec<Pair>),
    /// Pieces of notes, one behind the other.
    Packed(Vec<Vec<Piece>>),
}

/// Some rows, with what is to be found in them.
#[derive(PartialEq)]
pub(crate) struct MaskedRows {
    /// The rows.
    pub rows: RowsOfBatch,
    /// The masked tokens.
    pub masked: MaskedTokens,
}

/// Rows with what only their kind has.
#[derive(PartialEq)]
pub(crate) enum RowsOfBatch {
    /// Whether each row's second segment follows the first.
    Pairs(WindowBatch, Vec<bool>),
    /// Positions and notes of their own.
    Packed(PackedBatch),
}

impl RowsOfBatch {
    /// Rows.
    pub fn count(&self) -> usize {
        self.windows().batch
    }

    /// Tokens that are not padding.
    pub fn tokens(&self) -> usize {
        self.windows().tokens()
    }

    fn windows(&self) -> &WindowBatch {
        match self {
            Self::Pairs(windows, _) => windows,
            Self::Packed(packed) => &packed.rows,
        }
    }
}

impl EpochRows {
    /// The rows of an epoch, in an order that follows from seed and epoch.
    pub fn new(kind: Rows, notes: &impl TokenSource, max_len: usize, seed: u64, epoch: u64) -> Self {
        match kind {
            Rows::Padded => Self::Pairs(epoch_pairs(notes, max_len, seed, epoch)),
            Rows::Packed => Self::Packed(epoch_rows(notes, max_len, seed, epoch)),
        }
    }

    /// Rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Pairs(pairs) => pairs.len(),
            Self::Packed(rows) => rows.len(),
        }
    }

    /// Keeps the first rows only.
    pub fn truncate(&mut self, rows: usize) {
        match self {
            Self::Pairs(pairs) => pairs.truncate(rows),
            Self::Packed(packed) => packed.truncate(rows),
        }
    }

    /// Tokens of each row, special ones included.
    pub fn lengths(&self) -> Vec<u32> {
        match self {
            Self::Pairs(pairs) => pairs.iter().map(Pair::len).collect(),
            Self::Packed(rows) => {
                rows.iter().map(|row| row.iter().map(|piece| piece.len + 2).sum()).collect()
            }
        }
    }

    /// The notes that some rows are made of.
    pub fn notes<'a>(&'a self, rows: &'a [u32]) -> Box<dyn Iterator<Item = u32> + 'a> {
        let rows = rows.iter().map(|&row| row as usize);
        match self {
            Self::Pairs(pairs) => Box::new(rows.flat_map(|row| [pairs[row].a.note, pairs[row].b.note])),
            Self::Packed(packed) => Box::new(rows.flat_map(|row| packed[row].iter().map(|piece| piece.note))),
        }
    }

    /// Some rows as a batch with masked tokens.
    pub fn masked(
        &self,
        rows: &[u32],
        notes: &impl TokenSource,
        (special, vocab): (&SpecialTokens, usize),
        max_len: usize,
        random: &mut impl Rng,
    ) -> MaskedRows {
        match self {
            Self::Pairs(pairs) => {
                let rows: Vec<Pair> = rows.iter().map(|&row| pairs[row as usize]).collect();
                let mut windows = pad_pairs(&rows, notes, special, ROUND_TO, max_len);
                let masked = mask_tokens(&mut windows, special, vocab, random);
                let follows = rows.iter().map(|pair| pair.follows).collect();
                MaskedRows { rows: RowsOfBatch::Pairs(windows, follows), masked }
            }
            Self::Packed(packed) => {
                let window = |piece: &Piece| {
                    let tokens = piece.start as usize..(piece.start + piece.len) as usize;
                    let mut window = vec![special.cls];
                    notes.append(piece.note as usize, tokens, &mut window);
                    window.push(special.sep);
                    window
                };
                let rows: Vec<Vec<Vec<u32>>> =
                    rows.iter().map(|&row| packed[row as usize].iter().map(window).collect()).collect();
                let mut batch = lay_out(&rows, special, ROUND_TO, max_len);
                let masked = mask_tokens(&mut batch.rows, special, vocab, random);
                MaskedRows { rows: RowsOfBatch::Packed(batch), masked }
            }
        }
    }
}

/// Rows on a device.
// There is one at a time: the difference in size is of no account.
#[allow(clippy::large_enum_variant)]
pub(super) enum Placed<'a> {
    Pairs(Inputs, Unseen, &'a [bool]),
    Packed(PackedInputs),
}

impl<'a> Placed<'a> {
    /// Copies them there.
    pub(super) fn new(rows: &'a RowsOfBatch, device: &Device) -> Self {
        match rows {
            RowsOfBatch::Pairs(windows, follows) => {
                let inputs = Inputs::new(windows, device);
                let unseen = Unseen::padding(inputs.keep.clone());
                Self::Pairs(inputs, unseen, follows)
            }
            RowsOfBatch::Packed(packed) => Self::Packed(PackedInputs::new(packed, device)),
        }
    }

    /// What a token does not see.
    pub(super) fn unseen(&self) -> &Unseen {
        match self {
            Self::Pairs(_, unseen, _) => unseen,
            Self::Packed(inputs) => &inputs.unseen,
        }
    }

    /// Hidden states of the embeddings, `[rows, seq, d_model]`.
    pub(super) fn embed(&self, model: &PretrainModel) -> Tensor<3> {
        let embeddings = &model.encoder.embeddings;
        match self {
            Self::Pairs(inputs, ..) => embeddings.forward(inputs.ids.clone(), inputs.segments.clone()),
            Self::Packed(inputs) => {
                let (ids, segments) = (inputs.ids.clone(), inputs.segments.clone());
                embeddings.forward_at(ids, segments, inputs.positions.clone())
            }
        }
    }

    /// Hidden states of the last layer, `[rows, seq, d_model]`.
    pub(super) fn hidden(&self, model: &PretrainModel) -> Tensor<3> {
        model.encoder.forward_blocks(self.embed(model), self.unseen())
    }

    /// Mean MLM loss over masked tokens and, of pairs, mean NSP loss over rows, each `[1]`.
    pub(super) fn losses(
        &self,
        model: &PretrainModel,
        hidden: Tensor<3>,
        masked: &MaskedTokens,
        device: &Device,
    ) -> (Tensor<1>, Option<Tensor<1>>) {
        let nsp = match self {
            Self::Pairs(_, _, follows) => Some(nsp_loss(model, hidden.clone(), follows, device)),
            Self::Packed(_) => None,
        };
        (mlm_loss(model, hidden, masked, device), nsp)
    }
}

fn integers(values: impl Iterator<Item = i32>, device: &Device) -> Tensor<1, Int> {
    Tensor::from_data(values.collect::<Vec<i32>>().as_slice(), device)
}

/// Mean over masked tokens, `[1]`.
pub(super) fn mlm_loss(
    model: &PretrainModel,
    hidden: Tensor<3>,
    masked: &MaskedTokens,
    device: &Device,
) -> Tensor<1> {
    let positions = integers(masked.positions.iter().map(|&at| at as i32), device);
    let targets = integers(masked.targets.iter().map(|&id| id as i32), device);
    cross_entropy(model.mlm_logits(hidden, positions), targets)
}

/// Mean over rows, `[1]`.
pub(super) fn nsp_loss(
    model: &PretrainModel,
    hidden: Tensor<3>,
    follows: &[bool],
    device: &Device,
) -> Tensor<1> {
    // Class 0 means "B follows A", as in BERT.
    let classes = integers(follows.iter().map(|&follows| i32::from(!follows)), device);
    cross_entropy(model.nsp_logits(hidden), classes)
}

/// The rows of one optimizer step.
pub(crate) struct RowStep {
    /// In parts that are worked on at once.
    pub micro: Vec<MaskedRows>,
    /// The notes that they are made of.
    notes: Vec<u32>,
}

impl RowStep {
    /// Rows.
    pub fn rows(&self) -> usize {
        self.micro.iter().map(|micro| micro.rows.count()).sum()
    }

    /// The notes that the rows are made of, by their ids.
    pub fn note_ids<'a>(&self, notes: &'a NoteTokens) -> impl Iterator<Item = &'a str> {
        self.notes.iter().map(|&note| notes.note_id(note as usize))
    }
}

/// What steps are made from.
#[derive(Clone, Copy)]
pub(crate) struct RowSteps<'a> {
    /// Pairs or packed rows.
    pub kind: Rows,
    /// The notes.
    pub notes: &'a NoteTokens,
    /// Ids of the special tokens.
    pub special: SpecialTokens,
    /// Tokens of the vocabulary.
    pub vocab: usize,
    /// Tokens of a row, at most.
    pub max_len: usize,
    /// Rows of a step.
    pub batch: usize,
    /// Tokens that are worked on at once.
    pub budget: usize,
    /// Seed of rows, order and masks.
    pub seed: u64,
}

impl<'a> RowSteps<'a> {
    /// The steps from `first` on. `epochs` are the epochs with their first step and the one behind their last. A step's
    /// rows depend on nothing but seed, epoch and number.
    pub fn steps(
        self,
        epochs: Vec<(u64, u64, u64)>,
        first: u64,
    ) -> impl Iterator<Item = RowStep> + Send + use<'a> {
        let ahead = epochs.into_iter().filter(move |&(_, start, end)| end > first && end > start);
        ahead.flat_map(move |(epoch, start, end)| {
            let rows = EpochRows::new(self.kind, self.notes, self.max_len, self.seed, epoch);
            let lengths = rows.lengths();
            let batches = epoch_batches(&lengths, self.batch, self.seed, epoch);
            (first.max(start)..end)
                .map(move |step| self.step(&rows, &lengths, &batches[(step - start) as usize], step))
        })
    }

    fn step(&self, rows: &EpochRows, lengths: &[u32], batch: &[u32], step: u64) -> RowStep {
        let micro = (0u64..).zip(micro_batches(batch, lengths, self.budget)).map(|(at, of_batch)| {
            let mut random = stream(self.seed, Purpose::Masking, [step, at]);
            rows.masked(of_batch, self.notes, (&self.special, self.vocab), self.max_len, &mut random)
        });
        RowStep { micro: micro.collect(), notes: rows.notes(batch).collect() }
    }
}

#[cfg(test)]
mod tests {
    use bert_xml_core::data::TokenStore;

    use super::*;

    #[test]
    fn a_start_in_the_middle_gives_the_steps_that_were_left() {
        let mut tokens = TokenStore::default();
        (0..9u32).for_each(|note| tokens.push(&vec![10 + note; 5 + note as usize]));
        let note_ids = (0..9).map(|note| format!("n{note}")).collect();
        let notes = NoteTokens::Held { tokens, note_ids };
        let special = SpecialTokens { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 };
        for kind in [Rows::Padded, Rows::Packed] {
            let made = RowSteps {
                kind,
                notes: &notes,
                special,
                vocab: 30,
                max_len: 32,
                batch: 4,
                budget: 64,
                seed: 3,
            };
            let counts =
                [0, 1].map(|epoch| EpochRows::new(kind, &notes, 32, 3, epoch).len().div_ceil(4) as u64);
            // The last step of the second epoch is left out, as by --max-steps.
            let ranges = vec![(0, 0, counts[0]), (1, counts[0], counts[0] + counts[1] - 1)];
            let all: Vec<RowStep> = made.steps(ranges.clone(), 0).collect();
            assert_eq!(all.len() as u64, counts[0] + counts[1] - 1);
            for first in 0..=all.len() {
                let rest: Vec<RowStep> = made.steps(ranges.clone(), first as u64).collect();
                assert!(
                    rest.iter().map(|step| &step.micro).eq(all[first..].iter().map(|step| &step.micro)),
                    "{first}"
                );
            }
            let step = &all[0];
            assert!(step.rows() <= 4 && step.micro.iter().all(|micro| micro.rows.count() > 0));
            let first = EpochRows::new(kind, &notes, 32, 3, 0);
            let batches = epoch_batches(&first.lengths(), 4, 3, 0);
            let expected: Vec<String> = first.notes(&batches[0]).map(|note| format!("n{note}")).collect();
            assert!(step.note_ids(&notes).eq(expected.iter().map(String::as_str)));
        }
    }
}
