//! Windows of different lengths as one rectangle of token ids, with masks that are true where one keeps.

use crate::text::SpecialTokens;

/// A batch of windows, row-major `[batch, seq]`. Plain numbers: [`crate::model::Inputs`] makes tensors of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WindowBatch {
    /// Rows.
    pub batch: usize,
    /// Tokens a row, padding included.
    pub seq: usize,
    /// Token ids, `[batch, seq]`.
    pub ids: Vec<u32>,
    /// Segment of each token (0, or 1 in the second sentence of NSP), `[batch, seq]`.
    pub segments: Vec<u32>,
    /// True at every token that is not padding, `[batch, seq]`.
    pub keep: Vec<bool>,
    /// True at word pieces of the note, false at `[CLS]`, `[SEP]` and padding, `[batch, seq]`.
    pub real: Vec<bool>,
}

impl WindowBatch {
    /// Tokens that are not padding.
    pub fn tokens(&self) -> usize {
        self.keep.iter().filter(|keep| **keep).count()
    }
}

/// Pads windows (each `[CLS]` … `[SEP]`, see [`crate::text::build_window`]) to the longest, rounded up to a
/// multiple of `round_to` tokens but not beyond `max_len`; segments are 0.
///
/// A window without any word piece keeps its `[CLS]` in `real`, so that its attention has something to look at.
///
/// # Panics
/// If there is no window, or one is longer than `max_len`.
pub fn pad_windows<W: AsRef<[u32]>>(
    windows: &[W],
    special: &SpecialTokens,
    round_to: usize,
    max_len: usize,
) -> WindowBatch {
    let longest = windows.iter().map(|window| window.as_ref().len()).max().expect("a batch has a window");
    assert!(longest <= max_len, "a window of {longest} tokens in batches of {max_len}");
    let seq = longest.next_multiple_of(round_to.max(1)).min(max_len);
    let cells = windows.len() * seq;
    let mut batch = WindowBatch {
        batch: windows.len(),
        seq,
        ids: vec![special.pad; cells],
        segments: vec![0; cells],
        keep: vec![false; cells],
        real: vec![false; cells],
    };
    for (row, window) in windows.iter().enumerate() {
        let window = window.as_ref();
        let start = row * seq;
        batch.ids[start..start + window.len()].copy_from_slice(window);
        for (at, &id) in window.iter().enumerate() {
            batch.keep[start + at] = true;
            batch.real[start + at] = ![special.cls, special.sep, special.pad].contains(&id);
        }
        if !batch.real[start..start + window.len()].contains(&true) {
            batch.real[start] = true;
        }
    }
    batch
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECIAL: SpecialTokens = SpecialTokens { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 };

    #[test]
    fn rows_are_padded_and_masked() {
        let batch = pad_windows(&[vec![2, 9, 1, 3], vec![2, 3]], &SPECIAL, 8, 6);
        assert_eq!((batch.batch, batch.seq, batch.tokens()), (2, 6, 6));
        assert_eq!(batch.ids, [2, 9, 1, 3, 0, 0, 2, 3, 0, 0, 0, 0]);
        assert_eq!(batch.keep[..6], [true, true, true, true, false, false]);
        assert_eq!(batch.real[..6], [false, true, true, false, false, false]);
        assert_eq!(batch.real[6..], [true, false, false, false, false, false], "an empty window keeps [CLS]");
        assert_eq!(pad_windows(&[vec![2, 9, 3]], &SPECIAL, 1, 6).seq, 3);
    }
}
