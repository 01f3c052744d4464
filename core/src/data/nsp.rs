//! Next-sentence prediction (Devlin et al. 2019, section 3.1; kept by the paper): segment B is the true
//! successor of A in half of the pairs, and a piece of another note in the other half.

use rand::{Rng, RngExt};

use super::batch::WindowBatch;
use super::random::{Purpose, stream};
use super::tokens::TokenSource;
use crate::text::SpecialTokens;

/// `[CLS]` A `[SEP]` B `[SEP]`.
pub const SPECIALS_PER_PAIR: usize = 3;

/// A rest of a note shorter than this starts no pair of its own.
pub const SHORTEST_REST: usize = 16;

/// A run of tokens of one note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The note.
    pub note: u32,
    /// Its first token.
    pub start: u32,
    /// Tokens.
    pub len: u32,
}

/// Two segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The first segment.
    pub a: Piece,
    /// The second segment.
    pub b: Piece,
    /// Whether B follows A in the note.
    pub follows: bool,
}

impl Pair {
    /// Tokens of a row, special ones included.
    pub fn len(&self) -> u32 {
        self.a.len + self.b.len + SPECIALS_PER_PAIR as u32
    }

    /// The pair's row: `[CLS]` A `[SEP]` B `[SEP]`.
    pub fn row(&self, notes: &impl TokenSource, special: &SpecialTokens) -> Vec<u32> {
        let mut row = Vec::with_capacity(self.len() as usize);
        row.push(special.cls);
        for piece in [self.a, self.b] {
            let tokens = piece.start as usize..(piece.start + piece.len) as usize;
            notes.append(piece.note as usize, tokens, &mut row);
            row.push(special.sep);
        }
        row
    }

    /// Never: both segments have a token.
    pub fn is_empty(&self) -> bool {
        false
    }
}

/// The pairs of one epoch, in the order of the notes.
///
/// A note is read from its start: A takes between a quarter and three quarters of the room, B the rest of it;
/// after a true pair reading goes on behind B, after a random one behind A, as in BERT, so that (but for rests
/// shorter than [`SHORTEST_REST`]) every token of every note is seen. Notes with less than two tokens give none.
///
/// # Panics
/// If `max_len` leaves no room for two tokens.
pub fn epoch_pairs(notes: &impl TokenSource, max_len: usize, seed: u64, epoch: u64) -> Vec<Pair> {
    assert!(max_len >= SPECIALS_PER_PAIR + 2, "max_len {max_len} leaves no room for a pair");
    let room = max_len - SPECIALS_PER_PAIR;
    let mut random = stream(seed, Purpose::Pairs, [epoch, 0]);
    let usable: Vec<u32> =
        (0..notes.len()).filter(|&at| notes.note_len(at) >= 2).map(|at| at as u32).collect();
    let mut pairs = Vec::new();
    for (place, &note) in usable.iter().enumerate() {
        let tokens = notes.note_len(note as usize);
        let mut start = 0;
        while tokens - start >= 2 && (start == 0 || tokens - start >= SHORTEST_REST) {
            let take = room.min(tokens - start);
            let quarter = (take / 4).max(1);
            let a_len = random.random_range(quarter..=(take - quarter).max(quarter));
            let a = Piece { note, start: start as u32, len: a_len as u32 };
            let room_b = take - a_len;
            if usable.len() == 1 || random.random_bool(0.5) {
                let b = Piece { note, start: (start + a_len) as u32, len: room_b as u32 };
                pairs.push(Pair { a, b, follows: true });
                start += take;
            } else {
                // Any usable note but this one, each equally likely.
                let other = (place + 1 + random.random_range(0..usable.len() - 1)) % usable.len();
                let b = random_piece(notes, usable[other], room_b, &mut random);
                pairs.push(Pair { a, b, follows: false });
                start += a_len;
            }
        }
    }
    pairs
}

fn random_piece(notes: &impl TokenSource, note: u32, room: usize, random: &mut impl Rng) -> Piece {
    let tokens = notes.note_len(note as usize);
    let len = room.min(tokens);
    let start = random.random_range(0..=tokens - len);
    Piece { note, start: start as u32, len: len as u32 }
}

/// Pairs as a batch, padded to the longest rounded up to a multiple of `round_to` but not beyond `max_len`.
///
/// # Panics
/// If there is no pair, or one is longer than `max_len`.
pub fn pad_pairs(
    pairs: &[Pair],
    notes: &impl TokenSource,
    special: &SpecialTokens,
    round_to: usize,
    max_len: usize,
) -> WindowBatch {
    let windows: Vec<Vec<u32>> = pairs.iter().map(|pair| pair.row(notes, special)).collect();
    let mut batch = super::batch::pad_windows(&windows, special, round_to, max_len);
    for (row, pair) in pairs.iter().enumerate() {
        let start = row * batch.seq + pair.a.len as usize + 2;
        batch.segments[start..start + pair.b.len as usize + 1].fill(1);
    }
    batch
}

#[cfg(test)]
mod tests {
    use super::super::tokens::TokenStore;
    use super::*;

    const SPECIAL: SpecialTokens = SpecialTokens { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 };

    fn notes() -> TokenStore {
        let mut store = TokenStore::default();
        for note in 0..200u32 {
            store.push(&vec![10 + note; (note as usize * 7) % 90]);
        }
        store
    }

    #[test]
    fn half_of_the_pairs_follow_and_nothing_is_skipped() {
        let notes = notes();
        let pairs = epoch_pairs(&notes, 48, 5, 0);
        let follows = pairs.iter().filter(|pair| pair.follows).count();
        assert!(follows.abs_diff(pairs.len() / 2) < pairs.len() / 10, "{follows} of {}", pairs.len());
        let mut read = vec![0u32; notes.len()];
        for pair in &pairs {
            assert!(pair.len() <= 48 && pair.a.len > 0 && pair.b.len > 0);
            assert_eq!(pair.a.start, read[pair.a.note as usize], "reading goes on where it stopped");
            read[pair.a.note as usize] += pair.a.len;
            if pair.follows {
                assert_eq!((pair.b.note, pair.b.start), (pair.a.note, pair.a.start + pair.a.len));
                read[pair.a.note as usize] += pair.b.len;
            } else {
                assert_ne!(pair.b.note, pair.a.note);
            }
        }
        for (note, &read) in read.iter().enumerate() {
            let tokens = notes.note(note).len();
            assert!(tokens < 2 || tokens - (read as usize) < SHORTEST_REST, "note {note}");
        }
        assert_eq!(pairs, epoch_pairs(&notes, 48, 5, 0));
        assert_ne!(pairs, epoch_pairs(&notes, 48, 5, 1));
    }

    #[test]
    fn a_pair_becomes_a_row_with_two_segments() {
        let mut notes = TokenStore::default();
        notes.push(&[10, 11, 12]);
        let piece = |start, len| Piece { note: 0, start, len };
        let pair = Pair { a: piece(0, 1), b: piece(1, 2), follows: true };
        let batch = pad_pairs(&[pair], &notes, &SPECIAL, 8, 128);
        assert_eq!(batch.ids, [2, 10, 3, 11, 12, 3, 0, 0]);
        assert_eq!(batch.segments, [0, 0, 0, 1, 1, 1, 0, 0]);
        assert_eq!(batch.real, [false, true, false, true, true, false, false, false]);
        assert_eq!(pair.len(), 6);
    }

    #[test]
    fn a_single_note_gives_true_pairs_only() {
        let mut notes = TokenStore::default();
        notes.push(&[10; 40]);
        assert!(epoch_pairs(&notes, 24, 1, 0).iter().all(|pair| pair.follows));
    }
}
