//! The token ids of many notes, wherever they lie; in memory end to end in one vector.

use std::ops::Range;

/// Token ids by note, without special tokens.
pub trait TokenSource: Send + Sync {
    /// Number of notes.
    fn len(&self) -> usize;

    /// Whether there is no note.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of tokens of a note.
    ///
    /// # Panics
    /// If there is no such note.
    fn note_len(&self, at: usize) -> usize;

    /// Appends the ids of a note's tokens.
    ///
    /// # Panics
    /// If there is no such note, or it has no such tokens.
    fn append(&self, at: usize, tokens: Range<usize>, ids: &mut Vec<u32>);
}

/// Token ids by note, without special tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenStore {
    ids: Vec<u32>,
    /// Where each note starts; the last entry is the end.
    starts: Vec<usize>,
}

impl Default for TokenStore {
    fn default() -> Self {
        Self { ids: Vec::new(), starts: vec![0] }
    }
}

impl TokenStore {
    /// Appends a note.
    pub fn push(&mut self, ids: &[u32]) {
        self.ids.extend_from_slice(ids);
        self.starts.push(self.ids.len());
    }

    /// Number of notes.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there is no note.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tokens of all notes.
    pub fn tokens(&self) -> usize {
        self.ids.len()
    }

    /// The ids of a note.
    ///
    /// # Panics
    /// If there is no such note.
    pub fn note(&self, at: usize) -> &[u32] {
        &self.ids[self.starts[at]..self.starts[at + 1]]
    }

    /// The notes in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        (0..self.len()).map(|at| self.note(at))
    }
}

impl TokenSource for TokenStore {
    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    fn note_len(&self, at: usize) -> usize {
        self.note(at).len()
    }

    fn append(&self, at: usize, tokens: Range<usize>, ids: &mut Vec<u32>) {
        ids.extend_from_slice(&self.note(at)[tokens]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_come_back() {
        let mut store = TokenStore::default();
        assert!(store.is_empty());
        for note in [&[5, 6][..], &[], &[7]] {
            store.push(note);
        }
        assert_eq!((store.len(), store.tokens()), (3, 3));
        assert_eq!(store.iter().collect::<Vec<_>>(), [&[5, 6][..], &[], &[7]]);
        let mut ids = vec![1];
        store.append(0, 1..2, &mut ids);
        assert_eq!((ids, store.note_len(1)), (vec![1, 6], 0));
    }
}
