//! Some notes on their way through the model: encoded batch by batch, ranked, and asked for evidence at the end.
//!
//! The caller reads what the engine computed, by waiting or without, and hands it back; so this is written once for
//! [`super::Coder::predict`] and for [`super::Steps`].

use super::coder::{Coder, NotePrediction, PredictOptions};
use super::engine::Encoded;
use super::evidence::heaviest_words;
use super::reading::Unread;
use super::scoring::{Best, PlacedWindow, WindowPlan, plan_batches};
use crate::text::TokenizedNote;

/// Notes with tokens, and what is known of them so far.
pub(super) struct Group {
    notes: Vec<TokenizedNote>,
    plan: WindowPlan,
    /// The next batch last.
    left: Vec<Vec<PlacedWindow>>,
    best: Best,
    /// Windows of each note that went through.
    windows: Vec<usize>,
    /// Whether hidden states are kept for evidence, and those.
    keep: bool,
    kept: Vec<Encoded>,
}

/// Codes of one note whose evidence lies in one window.
pub(super) struct Question {
    /// Place in what is kept, and the row there.
    batch: usize,
    row: usize,
    note: usize,
    /// Places in the note's reported codes, and their labels.
    codes: Vec<usize>,
    labels: Vec<usize>,
}

impl Group {
    /// Cuts the notes into windows. With `keep`, hidden states stay until the group is dropped.
    pub fn new(notes: Vec<TokenizedNote>, coder: &Coder, plan: WindowPlan, keep: bool) -> Self {
        let ids: Vec<&[u32]> = notes.iter().map(|note| note.ids.as_slice()).collect();
        let mut left = plan_batches(&ids, &plan);
        left.reverse();
        Self {
            best: Best::new(notes.len(), coder.labels().len()),
            windows: vec![0; notes.len()],
            keep: keep && coder.engine().has_attention(),
            kept: Vec::new(),
            notes,
            plan,
            left,
        }
    }

    /// The notes.
    pub fn notes(&self) -> &[TokenizedNote] {
        &self.notes
    }

    /// Batches that are to come.
    pub fn batches_left(&self) -> usize {
        self.left.len()
    }

    /// Sends the next batch through encoder and labels; its logits belong to [`Group::add`]. None is left at the
    /// end.
    pub fn encode_next(&mut self, coder: &Coder) -> Option<(Encoded, Unread)> {
        let rows = self.left.pop()?;
        let ids: Vec<&[u32]> = self.notes.iter().map(|note| note.ids.as_slice()).collect();
        let batch = coder.engine().encode(&ids, rows, &self.plan, &coder.tokenizer().special());
        let logits = coder.engine().logits(&batch, self.plan.chunk);
        Some((batch, logits))
    }

    /// Takes in a batch with its logits, `[rows, labels]`.
    pub fn add(&mut self, batch: Encoded, logits: &[f32]) {
        self.best.add(batch.rows(), logits);
        batch.rows().iter().for_each(|row| self.windows[row.note] += 1);
        if self.keep {
            self.kept.push(batch);
        }
    }

    /// The reported codes of every note, still without evidence.
    pub fn rank(&self, coder: &Coder, options: &PredictOptions) -> Vec<NotePrediction> {
        let rows = self.best.logits.chunks_exact(coder.labels().len());
        let notes = self.notes.iter().zip(&self.windows).zip(rows);
        notes
            .map(|((note, &windows), logits)| {
                let codes = coder.rank(logits, options);
                NotePrediction { tokens: note.len(), windows, codes }
            })
            .collect()
    }

    /// What is to be asked for the evidence of these predictions: each code in the window with its greatest
    /// probability.
    pub fn questions(&self, predictions: &[NotePrediction]) -> Vec<Question> {
        let labels = self.best.start.len() / self.notes.len().max(1);
        let mut questions = Vec::new();
        for (batch, kept) in self.kept.iter().enumerate() {
            for (row, window) in kept.rows().iter().enumerate() {
                let note = window.note;
                let starts = &self.best.start[note * labels..(note + 1) * labels];
                let codes = &predictions[note].codes;
                let here: Vec<usize> = (0..codes.len())
                    .filter(|&at| starts[codes[at].label] as usize == window.span.start)
                    .collect();
                questions.extend(here.chunks(self.plan.chunk).map(|part| Question {
                    batch,
                    row,
                    note,
                    codes: part.to_vec(),
                    labels: part.iter().map(|&at| codes[at].label).collect(),
                }));
            }
        }
        questions
    }

    /// A second, small pass: the attention of a few codes over the kept hidden states of one window.
    pub fn ask(&self, coder: &Coder, question: &Question) -> Unread {
        coder.engine().attention(&self.kept[question.batch], question.row, &question.labels)
    }

    /// Writes the evidence that the attention, `[labels, tokens]`, shows.
    pub fn answer(
        &self,
        question: &Question,
        attention: &[f32],
        spans: usize,
        predictions: &mut [NotePrediction],
    ) {
        let window = self.kept[question.batch].rows()[question.row].span;
        let codes = &mut predictions[question.note].codes;
        for (&at, attention) in question.codes.iter().zip(attention.chunks_exact(window.len())) {
            codes[at].evidence = heaviest_words(&self.notes[question.note], window, attention, spans);
        }
    }
}
