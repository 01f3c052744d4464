//! Rows that hold several windows, each with its own positions and seeing itself alone: little or no padding.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;

use super::batch::WindowBatch;
use super::nsp::{Piece, SHORTEST_REST};
use super::random::{Purpose, stream};
use super::tokens::TokenSource;
use crate::text::SpecialTokens;

/// `[CLS]` tokens `[SEP]`.
pub const SPECIALS_PER_PIECE: usize = 2;

/// A window's place in a packed batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its row.
    pub row: usize,
    /// Its `[CLS]` in the row.
    pub start: usize,
    /// Tokens, special ones included.
    pub len: usize,
}

/// Rows with several windows each. Plain numbers: [`crate::model::PackedInputs`] makes tensors of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackedBatch {
    /// The rows as one rectangle; segments are 0.
    pub rows: WindowBatch,
    /// Position of each token in its window, `[batch, seq]`.
    pub positions: Vec<u32>,
    /// Which window of its row a token belongs to, counted from 1; 0 for padding. `[batch, seq]`.
    pub notes: Vec<u32>,
    /// Where each window lies, in the order in which they were given.
    pub places: Vec<Place>,
}

impl PackedBatch {
    /// Whether every row is one window without padding: then all tokens of a row may see each other.
    pub fn is_whole(&self) -> bool {
        self.notes.iter().all(|&note| note == 1)
    }
}

/// Puts windows of the given lengths into as few rows of `max_len` tokens as best fit (longest first) finds. Rows of
/// indices, each at least one; a window that is longer than `max_len` has a row of its own.
pub fn pack(lengths: &[u32], max_len: usize) -> Vec<Vec<u32>> {
    let mut order: Vec<u32> = (0..lengths.len() as u32).collect();
    order.sort_by_key(|&at| std::cmp::Reverse(lengths[at as usize]));
    let mut rows: Vec<Vec<u32>> = Vec::new();
    // Rows by the room that is left.
    let mut open: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for at in order {
        let len = lengths[at as usize] as usize;
        let tightest = open.range(len..).next().map(|(&room, _)| room);
        let (row, room) = match tightest {
            Some(room) => {
                let of_room = open.get_mut(&room).expect("found above");
                let row = of_room.pop().expect("no room is kept without a row");
                if of_room.is_empty() {
                    open.remove(&room);
                }
                (row, room)
            }
            None => {
                rows.push(Vec::new());
                (rows.len() - 1, max_len.max(len))
            }
        };
        rows[row].push(at);
        open.entry(room - len).or_default().push(row);
    }
    rows
}

/// Lays rows of windows (each `[CLS]` … `[SEP]`) out, padded to the longest row rounded up to a multiple of `round_to`
/// but not beyond `max_len`.
///
/// # Panics
/// If there is no row, or one is longer than `max_len`.
pub fn lay_out<W: AsRef<[u32]>>(
    rows: &[Vec<W>],
    special: &SpecialTokens,
    round_to: usize,
    max_len: usize,
) -> PackedBatch {
    let joined: Vec<Vec<u32>> = rows
        .iter()
        .map(|row| row.iter().flat_map(|window| window.as_ref().iter().copied()).collect())
        .collect();
    let rectangle = super::batch::pad_windows(&joined, special, round_to, max_len);
    let cells = rectangle.ids.len();
    let mut batch =
        PackedBatch { positions: vec![0; cells], notes: vec![0; cells], places: Vec::new(), rows: rectangle };
    for (row, windows) in rows.iter().enumerate() {
        let mut start = 0;
        for (note, window) in (1..).zip(windows) {
            let len = window.as_ref().len();
            let from = row * batch.rows.seq + start;
            batch.positions[from..from + len].iter_mut().zip(0..).for_each(|(cell, at)| *cell = at);
            batch.notes[from..from + len].fill(note);
            // As alone in a row: an empty window keeps its `[CLS]`.
            if !batch.rows.real[from..from + len].contains(&true) {
                batch.rows.real[from] = true;
            }
            batch.places.push(Place { row, start, len });
            start += len;
        }
    }
    batch
}

/// The rows of one epoch of masked language modelling without pairs: notes in shuffled order, one behind the other. A
/// note goes on in the next row where a row is full, as a window of its own, so that (but for the last row, and for
/// rests shorter than [`SHORTEST_REST`] tokens) every row is full and every token is read once. Rows come shuffled.
///
/// # Panics
/// If `max_len` leaves no room for a token.
pub fn epoch_rows(notes: &impl TokenSource, max_len: usize, seed: u64, epoch: u64) -> Vec<Vec<Piece>> {
    assert!(max_len > SPECIALS_PER_PIECE, "max_len {max_len} leaves no room for a token");
    let mut random = stream(seed, Purpose::Order, [epoch, 1]);
    let mut order: Vec<u32> =
        (0..notes.len() as u32).filter(|&note| notes.note_len(note as usize) > 0).collect();
    order.shuffle(&mut random);
    let mut rows = Vec::new();
    let (mut row, mut room) = (Vec::new(), max_len);
    for note in order {
        let tokens = notes.note_len(note as usize);
        let mut start = 0;
        while start < tokens && (start == 0 || tokens - start >= SHORTEST_REST) {
            let len = (tokens - start).min(room.saturating_sub(SPECIALS_PER_PIECE));
            // Neither a scrap at the end of a row, nor a note cut for one.
            if !row.is_empty() && len < (tokens - start).min(SHORTEST_REST) {
                rows.push(std::mem::take(&mut row));
                room = max_len;
                continue;
            }
            row.push(Piece { note, start: start as u32, len: len as u32 });
            room -= len + SPECIALS_PER_PIECE;
            start += len;
        }
    }
    if !row.is_empty() {
        rows.push(row);
    }
    rows.shuffle(&mut random);
    rows
}

#[cfg(test)]
mod tests {
    use super::super::tokens::TokenStore;
    use super::*;

    const SPECIAL: SpecialTokens = SpecialTokens { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 };

    #[test]
    fn windows_go_where_they_fit_best() {
        let rows = pack(&[3, 6, 4, 10, 2, 5], 10);
        assert_eq!(rows, [vec![3], vec![1, 2], vec![5, 0, 4]]);
        assert_eq!(pack(&[12, 4], 10), [vec![0], vec![1]]);
    }

    #[test]
    fn positions_restart_in_every_window_of_a_row() {
        let rows = [vec![vec![2, 9, 3], vec![2, 3]], vec![vec![2, 8, 7, 3]]];
        let batch = lay_out(&rows, &SPECIAL, 2, 16);
        assert_eq!((batch.rows.batch, batch.rows.seq, batch.rows.tokens()), (2, 6, 9));
        assert_eq!(batch.rows.ids, [2, 9, 3, 2, 3, 0, 2, 8, 7, 3, 0, 0]);
        assert_eq!(batch.positions, [0, 1, 2, 0, 1, 0, 0, 1, 2, 3, 0, 0]);
        assert_eq!(batch.notes, [1, 1, 1, 2, 2, 0, 1, 1, 1, 1, 0, 0]);
        assert_eq!(batch.rows.real[3..5], [true, false], "an empty window keeps [CLS]");
        let place = |row, start, len| Place { row, start, len };
        assert_eq!(batch.places, [place(0, 0, 3), place(0, 3, 2), place(1, 0, 4)]);
        assert!(!batch.is_whole() && lay_out(&[vec![vec![2, 9, 3]]], &SPECIAL, 1, 16).is_whole());
    }

    #[test]
    fn rows_of_an_epoch_are_full_and_every_token_is_read_once() {
        let mut notes = TokenStore::default();
        for note in 0..300u32 {
            notes.push(&vec![10 + note; (note as usize * 7) % 150]);
        }
        let rows = epoch_rows(&notes, 64, 5, 0);
        let used = |row: &Vec<Piece>| -> usize {
            row.iter().map(|piece| piece.len as usize + SPECIALS_PER_PIECE).sum()
        };
        let filled: usize = rows.iter().map(used).sum();
        assert!(rows.iter().all(|row| used(row) <= 64));
        assert!(filled as f64 > 0.92 * (64 * rows.len()) as f64, "{filled} of {}", 64 * rows.len());
        let mut pieces: Vec<Piece> = rows.iter().flatten().copied().collect();
        pieces.sort_by_key(|piece| (piece.note, piece.start));
        let mut read = vec![0; notes.len()];
        for piece in pieces {
            assert_eq!(piece.start, read[piece.note as usize]);
            read[piece.note as usize] += piece.len;
        }
        for (note, &read) in read.iter().enumerate() {
            let rest = notes.note(note).len() - read as usize;
            assert!(rest == 0 || (read > 0 && rest < SHORTEST_REST), "note {note} has a rest of {rest}");
        }
        assert_eq!(rows, epoch_rows(&notes, 64, 5, 0));
        assert_ne!(rows, epoch_rows(&notes, 64, 5, 1));
    }
}
