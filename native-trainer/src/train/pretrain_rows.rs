//! What an epoch of pretraining reads, a row at a time: padded pairs of segments, or rows packed full of notes.

use bert_xml_core::data::nsp::{Pair, Piece};
use bert_xml_core::data::{
    MaskedTokens, PackedBatch, TokenStore, WindowBatch, epoch_pairs, epoch_rows, lay_out, mask_tokens,
    pad_pairs,
};
use bert_xml_core::text::SpecialTokens;
use rand::Rng;

use super::pretrain::ROUND_TO;
use super::settings::Rows;

/// All rows of an epoch.
pub(crate) enum EpochRows {
    /// Two segments a row.
    Pairs(Vec<Pair>),
    /// Pieces of notes, one behind the other.
    Packed(Vec<Vec<Piece>>),
}

/// Some rows, with what is to be found in them.
pub(crate) struct MaskedRows {
    /// The rows.
    pub rows: RowsOfBatch,
    /// The masked tokens.
    pub masked: MaskedTokens,
}

/// Rows with what only their kind has.
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
    pub fn new(kind: Rows, notes: &TokenStore, max_len: usize, seed: u64, epoch: u64) -> Self {
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
        notes: &TokenStore,
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
                    let (start, end) = (piece.start as usize, (piece.start + piece.len) as usize);
                    [&[special.cls], &notes.note(piece.note as usize)[start..end], &[special.sep]].concat()
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
