//! Word embeddings learnt with notes as input and codes as labels (Wu et al. 2018, "StarSpace: Embed All The Things!").
//!
//! A note is the sum of its words' vectors over √n; a code has a vector of its own. For each code of a note and some codes
//! that it does not have, the note must be nearer (by the scalar product) to its own by a margin. Rows take AdaGrad steps,
//! as there. The codes' vectors are thrown away: what stays are the words'.

use bert_xml_core::data::{Purpose, TokenSource, stream};
use rand::RngExt;
use rand::seq::SliceRandom;

use crate::train::tokens::TokenizedSplit;

/// Codes that a note's own are compared with at a time. StarSpace: up to 10 that violate the margin.
const NEGATIVES: usize = 10;
/// By how much a note must be nearer to its own codes.
const MARGIN: f32 = 1.0;
/// AdaGrad's rate.
const RATE: f32 = 0.05;
/// Half the width of the uniform distribution that vectors start in.
const START: f32 = 0.05;

/// What is learnt, and from how much.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) vocab: usize,
    pub(super) labels: usize,
    pub(super) dims: usize,
    pub(super) epochs: usize,
    /// Most tokens of a note.
    pub(super) max_len: usize,
    pub(super) seed: u64,
}

/// Vectors of rows with what AdaGrad keeps of each.
struct Table {
    dims: usize,
    values: Vec<f32>,
    squares: Vec<f32>,
}

impl Table {
    fn new(rows: usize, dims: usize, random: &mut impl rand::Rng) -> Self {
        let values = (0..rows * dims).map(|_| random.random_range(-START..START)).collect();
        Self { dims, values, squares: vec![0.0; rows] }
    }

    fn row(&self, at: usize) -> &[f32] {
        &self.values[at * self.dims..(at + 1) * self.dims]
    }

    fn step(&mut self, at: usize, gradient: &[f32], factor: f32) {
        let square: f32 = gradient.iter().map(|g| (g * factor).powi(2)).sum::<f32>() / self.dims as f32;
        self.squares[at] += square;
        let rate = RATE * factor / (self.squares[at].sqrt() + 1e-6);
        let row = &mut self.values[at * self.dims..(at + 1) * self.dims];
        row.iter_mut().zip(gradient).for_each(|(value, g)| *value -= rate * g);
    }
}

/// Learns the words' vectors, `[vocab, dims]`.
pub(super) fn learn(notes: &TokenizedSplit, settings: Settings) -> Vec<f32> {
    let Settings { vocab, labels, dims, epochs, max_len, seed } = settings;
    let mut random = stream(seed, Purpose::Weights, [2, 0]);
    let mut words = Table::new(vocab, dims, &mut random);
    let mut codes = Table::new(labels, dims, &mut random);
    let mut order: Vec<usize> =
        (0..notes.tokens.len()).filter(|&note| !notes.gold[note].is_empty()).collect();
    let (mut of_note, mut pull, mut push) = (vec![0.0; dims], vec![0.0; dims], vec![0.0; dims]);
    for _ in 0..epochs {
        order.shuffle(&mut random);
        for &note in &order {
            let mut ids = Vec::new();
            notes.tokens.append(note, 0..notes.tokens.note_len(note).min(max_len), &mut ids);
            if ids.is_empty() || notes.gold[note].len() == labels {
                continue;
            }
            let scale = 1.0 / (ids.len() as f32).sqrt();
            ids.sort_unstable();
            let counted: Vec<(usize, f32)> =
                ids.chunk_by(|a, b| a == b).map(|run| (run[0] as usize, scale * run.len() as f32)).collect();
            of_note.fill(0.0);
            for &(word, count) in &counted {
                of_note.iter_mut().zip(words.row(word)).for_each(|(sum, value)| *sum += count * value);
            }
            push.fill(0.0);
            for &code in &notes.gold[note] {
                let code = code as usize;
                let own = dot(&of_note, codes.row(code));
                let mut violated = Vec::with_capacity(NEGATIVES);
                for _ in 0..NEGATIVES {
                    let other = random.random_range(0..labels as u32);
                    let wrong = !notes.gold[note].contains(&other);
                    if wrong && own - dot(&of_note, codes.row(other as usize)) < MARGIN {
                        violated.push(other as usize);
                    }
                }
                if violated.is_empty() {
                    continue;
                }
                let share = 1.0 / violated.len() as f32;
                pull.copy_from_slice(codes.row(code));
                push.iter_mut().zip(&pull).for_each(|(sum, value)| *sum -= value);
                for other in violated {
                    push.iter_mut().zip(codes.row(other)).for_each(|(sum, value)| *sum += share * value);
                    codes.step(other, &of_note, share);
                }
                codes.step(code, &of_note, -1.0);
            }
            for (word, count) in counted {
                words.step(word, &push, count);
            }
        }
    }
    words.values
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use bert_xml_core::data::TokenStore;

    use super::*;
    use crate::train::tokens::NoteTokens;

    #[test]
    fn words_of_one_code_come_together() {
        // Words 0 and 1 speak for code 0, 2 and 3 for code 1, 4 and 5 for code 2; word 6 is in every note.
        let (mut tokens, mut gold) = (TokenStore::default(), Vec::new());
        for at in 0..120u32 {
            let code = at % 3;
            tokens.push(&[2 * code + at / 3 % 2, 6]);
            gold.push(vec![code]);
        }
        let tokens = NoteTokens::Held { tokens, note_ids: Vec::new() };
        let notes = TokenizedSplit { tokens, gold, outside: 0 };
        let settings = Settings { vocab: 7, labels: 3, dims: 8, epochs: 20, max_len: 5, seed: 1 };
        let vectors = learn(&notes, settings);
        let of = |word: usize| &vectors[word * 8..(word + 1) * 8];
        let cosine = |a: usize, b: usize| dot(of(a), of(b)) / (dot(of(a), of(a)) * dot(of(b), of(b))).sqrt();
        assert!(cosine(0, 1) > 0.7 && cosine(2, 3) > 0.7 && cosine(4, 5) > 0.7);
        assert!(cosine(0, 2) < 0.3 && cosine(1, 5) < 0.3);
        assert_eq!(vectors, learn(&notes, settings));
    }
}
