//! Attention over tokens to the words that speak for a code.

use serde::{Deserialize, Serialize};

use crate::text::{ByteSpan, TokenSpan, TokenizedNote};

/// A stretch of the note that speaks for a code.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Where it stands in the note.
    pub span: ByteSpan,
    /// Its share of the code's attention over the window, 0..1.
    pub weight: f32,
}

/// Words a span may have on average: bounds the evidence where the attention is flat.
const WORDS_PER_SPAN: usize = 4;
/// A word below this share of the heaviest word's weight says nothing.
const FLOOR: f32 = 0.05;

/// The heaviest stretches of words, by falling weight (ties: by place), at most `spans`.
///
/// A word's weight is the sum over its pieces. Words are taken by falling weight; neighbours become one
/// stretch, whose weight is their sum.
///
/// # Shapes
/// - `attention`: \[`window.len()`\], of the tokens of the window
pub fn heaviest_words(
    note: &TokenizedNote,
    window: TokenSpan,
    attention: &[f32],
    spans: usize,
) -> Vec<Evidence> {
    assert_eq!(attention.len(), window.len(), "one weight a token of the window");
    if spans == 0 || window.is_empty() {
        return Vec::new();
    }
    let first = note.word_ids[window.start];
    let count = (note.word_ids[window.end - 1] - first + 1) as usize;
    let mut weights = vec![0.0f32; count];
    for (token, weight) in window.range().zip(attention) {
        weights[(note.word_ids[token] - first) as usize] += weight;
    }
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]).then(a.cmp(&b)));
    let least = (weights[order[0]] * FLOOR).max(f32::MIN_POSITIVE);

    let mut chosen = vec![false; count];
    let mut stretches = 0;
    for &word in order.iter().take(spans * WORDS_PER_SPAN) {
        let before = word > 0 && chosen[word - 1];
        let behind = word + 1 < count && chosen[word + 1];
        let now = stretches + 1 - usize::from(before) - usize::from(behind);
        if weights[word] < least || now > spans {
            break;
        }
        chosen[word] = true;
        stretches = now;
    }
    let mut found: Vec<Evidence> = Vec::with_capacity(stretches);
    let mut start = 0;
    while start < count {
        let end = start + chosen[start..].iter().take_while(|chosen| **chosen).count();
        if end > start {
            let weight = weights[start..end].iter().sum::<f32>().min(1.0);
            found.push(Evidence { span: span_of(note, first + start as u32, first + end as u32), weight });
        }
        start = end + 1;
    }
    found.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.span.start.cmp(&b.span.start)));
    found
}

/// Where the words `first..end` stand: whole words, also where a window cuts one.
fn span_of(note: &TokenizedNote, first: u32, end: u32) -> ByteSpan {
    let from = note.word_ids.partition_point(|&word| word < first);
    let to = note.word_ids.partition_point(|&word| word < end);
    let last = note.spans[from..to].iter().map(|span| span.end).max().expect("a word has a token");
    ByteSpan::new(note.spans[from].start, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "ab cd-ef": words ab | c·d | - | ef, one token each but the second.
    fn note() -> TokenizedNote {
        let spans = [(0, 2), (3, 4), (4, 5), (5, 6), (6, 8)];
        TokenizedNote {
            ids: vec![5; 5],
            spans: spans.map(|(start, end)| ByteSpan::new(start, end)).to_vec(),
            word_ids: vec![0, 1, 1, 2, 3],
        }
    }

    fn found(window: TokenSpan, attention: &[f32], spans: usize) -> Vec<(usize, usize, f32)> {
        let found = heaviest_words(&note(), window, attention, spans);
        found.iter().map(|e| (e.span.start, e.span.end, e.weight)).collect()
    }

    #[test]
    fn pieces_add_up_and_neighbours_are_one_stretch() {
        let all = TokenSpan::new(0, 5);
        assert_eq!(found(all, &[0.25, 0.25, 0.25, 0.0, 0.25], 1), [(0, 5, 0.75)]);
        assert_eq!(found(all, &[0.25, 0.25, 0.25, 0.0, 0.25], 2), [(0, 5, 0.75), (6, 8, 0.25)]);
        // The third word would be a second stretch until the one between is taken too.
        assert_eq!(found(all, &[0.5, 0.0, 0.0, 0.25, 0.25], 1), [(0, 2, 0.5)]);
        assert_eq!(found(all, &[0.5, 0.0, 0.0, 0.25, 0.25], 2), [(0, 2, 0.5), (5, 8, 0.5)]);
        assert!(found(all, &[0.2; 5], 0).is_empty());
    }

    #[test]
    fn a_word_that_says_nothing_is_no_evidence() {
        assert_eq!(found(TokenSpan::new(0, 5), &[0.96, 0.0, 0.0, 0.0, 0.04], 5), [(0, 2, 0.96)]);
    }

    #[test]
    fn offsets_are_the_notes_and_a_word_cut_by_the_window_is_whole() {
        assert_eq!(found(TokenSpan::new(2, 5), &[0.75, 0.0, 0.25], 5), [(3, 5, 0.75), (6, 8, 0.25)]);
    }
}
