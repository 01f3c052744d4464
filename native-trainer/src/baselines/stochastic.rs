//! Logistic regressions of all codes by stochastic gradients: for millions of notes, where Newton's method would read
//! all of them at every step of every code.
//!
//! AdaGrad on mini-batches (Duchi, Hazan, Singer 2011), 64 codes at a time: a note's words are read once for 64 codes,
//! and the weights of these lie in a processor's cache. A word's weights change once a batch, by the sum of its notes.
//! Penalties draw weights towards 0 after each step (the composite step of the same paper); what a word has missed while
//! no note held it is caught up when one does. Blocks of codes run side by side and forget their
//! weights once they are asked for their probabilities. The same seed gives the same bits on any number of cores.

use std::sync::Mutex;

use bert_xml_core::data::{Purpose, stream};
use rand::seq::SliceRandom;
use rayon::prelude::*;

use super::SparseRows;
use super::one_vs_rest::nine_digits;
use crate::progress::Progress;

/// Codes of a block.
const LANES: usize = 64;
/// Added to the root of the squares.
const EPSILON: f32 = 1e-6;

/// How to train.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Passes over the notes.
    pub epochs: usize,
    /// Notes of a step.
    pub batch: usize,
    /// AdaGrad's rate.
    pub rate: f32,
    /// How large weights are kept small.
    pub penalty: Penalty,
    /// Seed of the order of notes.
    pub seed: u64,
}

/// Penalties of weights against the loss of all notes together; intercepts have none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Penalty {
    /// Times ‖w‖₁; 1 / scikit-learn's `C` of an L1 penalty.
    pub l1: f64,
    /// Times ½‖w‖²; 1 / scikit-learn's `C` of an L2 penalty.
    pub l2: f64,
}

impl Penalty {
    /// None.
    pub const NONE: Self = Self { l1: 0.0, l2: 0.0 };
    /// What libraries do unasked: L2 at a `C` of 1.
    pub const VANILLA: Self = Self { l1: 0.0, l2: 1.0 };
    /// L1 at a `C` of 1.
    pub const L1: Self = Self { l1: 1.0, l2: 0.0 };

    /// Against the mean loss of a note.
    fn a_note(self, notes: usize) -> [f32; 2] {
        [self.l1, self.l2].map(|weight| (weight / notes.max(1) as f64) as f32)
    }
}

impl Settings {
    /// Passes and batches for so many notes: at least three passes, and some thousand steps.
    pub fn for_notes(notes: usize, seed: u64) -> Self {
        let epochs = (1_500_000 / notes.max(1)).clamp(3, 30);
        let batch = if notes < 20_000 { 32 } else { 256 };
        Self { epochs, batch, rate: 0.1, penalty: Penalty::VANILLA, seed }
    }
}

/// Fits all labels on `train` and gives their probabilities on every one of `others`, each a table `[notes, labels]`,
/// in nine digits (see [`nine_digits`]). A label of no training note, or of all, gets 0 or 1.
///
/// # Panics
/// If `gold` has another length than `train` has rows, or names a label not below `labels`.
pub fn fit_and_predict(
    train: &SparseRows,
    gold: &[Vec<u32>],
    labels: usize,
    settings: Settings,
    others: &[&SparseRows],
    progress: &mut Progress,
) -> Vec<Vec<f64>> {
    assert_eq!(train.rows(), gold.len(), "gold codes of each training note");
    let mut support = vec![0usize; labels];
    gold.iter().flatten().for_each(|&label| support[label as usize] += 1);
    let orders: Vec<Vec<u32>> = (0..settings.epochs as u64)
        .map(|epoch| {
            let mut order: Vec<u32> = (0..train.rows() as u32).collect();
            order.shuffle(&mut stream(settings.seed, Purpose::Order, [epoch, u64::MAX]));
            order
        })
        .collect();
    let progress = Mutex::new(progress);
    let starts: Vec<usize> = (0..labels).step_by(LANES).collect();
    let blocks: Vec<Vec<Vec<f64>>> = starts
        .par_iter()
        .map(|&first| {
            let width = LANES.min(labels - first);
            let mut block = Block::new(train.width(), &support[first..first + width], train.rows(), settings);
            for order in &orders {
                for batch in order.chunks(settings.batch) {
                    block.step(train, gold, first as u32, batch);
                }
            }
            block.catch_up_all();
            let tables = others.iter().map(|rows| {
                let of_row = |row| block.probabilities(rows, row, width);
                (0..rows.rows()).flat_map(of_row).collect()
            });
            let tables = tables.collect();
            progress.lock().expect("no thread fails while it counts").advance(width as u64);
            tables
        })
        .collect();
    let mut tables: Vec<Vec<f64>> = others.iter().map(|rows| vec![0.0; rows.rows() * labels]).collect();
    for (&first, block) in starts.iter().zip(blocks) {
        let width = LANES.min(labels - first);
        for (table, cells) in tables.iter_mut().zip(block) {
            for (row, cells) in table.chunks_exact_mut(labels).zip(cells.chunks_exact(width)) {
                row[first..first + width].copy_from_slice(cells);
            }
        }
    }
    for (label, &support) in support.iter().enumerate().filter(|(_, n)| **n == 0 || **n == train.rows()) {
        let constant = f64::from(u8::from(support > 0));
        for table in &mut tables {
            table.iter_mut().skip(label).step_by(labels).for_each(|cell| *cell = constant);
        }
    }
    tables
}

/// The weights of some codes, and what a step needs.
struct Block {
    /// `[width + 1]` rows of codes; the last one is the intercepts.
    weights: Vec<[f32; LANES]>,
    /// Sums of squared gradients.
    squares: Vec<[f32; LANES]>,
    /// The step up to which each word's penalty is paid.
    paid: Vec<u32>,
    steps: u32,
    /// Where a word's gradient lies in this batch, + 1; 0 for none.
    slot: Vec<u32>,
    words: Vec<u32>,
    gradients: Vec<[f32; LANES]>,
    rate: f32,
    /// L1 and L2 against the mean loss of a note.
    penalties: [f32; 2],
}

impl Block {
    fn new(width: usize, support: &[usize], notes: usize, settings: Settings) -> Self {
        let mut weights = vec![[0.0; LANES]; width + 1];
        for (lane, &with) in support.iter().enumerate() {
            // Half a note on either side.
            weights[width][lane] = ((with as f32 + 0.5) / (notes as f32 - with as f32 + 0.5)).ln();
        }
        Self {
            weights,
            squares: vec![[0.0; LANES]; width + 1],
            paid: vec![0; width + 1],
            steps: 0,
            slot: vec![0; width + 1],
            words: Vec::new(),
            gradients: Vec::new(),
            rate: settings.rate,
            penalties: settings.penalty.a_note(notes),
        }
    }

    fn step(&mut self, rows: &SparseRows, gold: &[Vec<u32>], first: u32, batch: &[u32]) {
        let intercept = self.weights.len() - 1;
        let (rate, penalties) = (self.rate, self.penalties);
        self.words.clear();
        self.gradients.clear();
        let touched = batch.iter().flat_map(|&note| rows.row(note as usize).map(|(column, _)| column));
        for word in touched.chain([intercept]) {
            if self.slot[word] == 0 {
                self.words.push(word as u32);
                self.gradients.push([0.0; LANES]);
                self.slot[word] = self.words.len() as u32;
                if word != intercept {
                    let missed = self.steps - self.paid[word];
                    catch_up(&mut self.weights[word], &self.squares[word], missed, rate, penalties);
                }
            }
        }
        let share = 1.0 / batch.len() as f32;
        for &note in batch {
            let note = note as usize;
            let mut residual = self.logits(rows, note);
            residual.iter_mut().for_each(|value| *value = sigmoid(*value) * share);
            let from = gold[note].partition_point(|&label| label < first);
            let here = gold[note][from..].iter().take_while(|&&label| label < first + LANES as u32);
            here.for_each(|&label| residual[(label - first) as usize] -= share);
            for (column, value) in rows.row(note) {
                add(&mut self.gradients[self.slot[column] as usize - 1], value as f32, &residual);
            }
            add(&mut self.gradients[self.slot[intercept] as usize - 1], 1.0, &residual);
        }
        self.steps += 1;
        for (&word, gradient) in self.words.iter().zip(&self.gradients) {
            let word = word as usize;
            self.slot[word] = 0;
            let (weights, squares) = (&mut self.weights[word], &mut self.squares[word]);
            for lane in 0..LANES {
                let g = gradient[lane];
                squares[lane] += g * g;
                weights[lane] -= rate * g / (squares[lane].sqrt() + EPSILON);
            }
            if word != intercept {
                catch_up(weights, squares, 1, rate, penalties);
            }
            self.paid[word] = self.steps;
        }
    }

    fn catch_up_all(&mut self) {
        let intercept = self.weights.len() - 1;
        for word in 0..intercept {
            let missed = self.steps - self.paid[word];
            catch_up(&mut self.weights[word], &self.squares[word], missed, self.rate, self.penalties);
            self.paid[word] = self.steps;
        }
    }

    fn logits(&self, rows: &SparseRows, note: usize) -> [f32; LANES] {
        let mut logits = self.weights[self.weights.len() - 1];
        for (column, value) in rows.row(note) {
            add(&mut logits, value as f32, &self.weights[column]);
        }
        logits
    }

    fn probabilities(&self, rows: &SparseRows, note: usize, width: usize) -> Vec<f64> {
        let logits = self.logits(rows, note);
        logits[..width].iter().map(|&logit| nine_digits(f64::from(sigmoid(logit)))).collect()
    }
}

/// `sum += factor × row`.
fn add(sum: &mut [f32; LANES], factor: f32, row: &[f32; LANES]) {
    for lane in 0..LANES {
        sum[lane] += factor * row[lane];
    }
}

/// Pays the penalties of some steps: weights go towards 0, by L1 as far as there. A weight that no note has moved is 0.
fn catch_up(weights: &mut [f32; LANES], squares: &[f32; LANES], steps: u32, rate: f32, [l1, l2]: [f32; 2]) {
    if steps == 0 || (l1 == 0.0 && l2 == 0.0) {
        return;
    }
    let paid = rate * steps as f32;
    for lane in 0..LANES {
        let share = paid / (squares[lane].sqrt() + EPSILON);
        let left = (weights[lane].abs() - l1 * share).max(0.0) / (1.0 + l2 * share);
        weights[lane] = weights[lane].signum() * left;
    }
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baselines::{constant, logistic, one_vs_rest};
    use crate::context::Context;
    use crate::progress::Unit;

    /// Notes of 30 words; word w speaks for code w % labels, most of the time.
    fn notes(count: u32, labels: u32) -> (SparseRows, Vec<Vec<u32>>) {
        let mut rows = SparseRows::new(30);
        let mut gold = Vec::new();
        for note in 0..count {
            let words = [note % 30, (note * 7 + 3) % 30];
            let mut entries: Vec<(u32, f32)> =
                words.iter().map(|&word| (word, 1.0 + (note % 3) as f32)).collect();
            entries.sort_by_key(|entry| entry.0);
            entries.dedup_by_key(|entry| entry.0);
            rows.push(entries);
            let mut codes: Vec<u32> =
                words.iter().filter(|&&word| (note + word) % 5 > 0).map(|&word| word % labels).collect();
            codes.sort_unstable();
            codes.dedup();
            gold.push(codes);
        }
        (rows, gold)
    }

    fn fit(rows: &SparseRows, gold: &[Vec<u32>], labels: usize, settings: Settings) -> Vec<f64> {
        let mut progress = Context::default().start("fit", None, Unit::Codes);
        fit_and_predict(rows, gold, labels, settings, &[rows], &mut progress).remove(0)
    }

    fn loss(table: &[f64], gold: &[Vec<u32>], labels: usize) -> f64 {
        let of = |(note, row): (usize, &[f64])| -> f64 {
            let of_label = |(label, &p): (usize, &f64)| {
                let p = p.clamp(1e-9, 1.0 - 1e-9);
                -if gold[note].contains(&(label as u32)) { p.ln() } else { (1.0 - p).ln() }
            };
            row.iter().enumerate().map(of_label).sum()
        };
        table.chunks_exact(labels).enumerate().map(of).sum::<f64>() / gold.len() as f64
    }

    #[test]
    fn without_a_penalty_the_loss_of_separable_notes_goes_to_0() {
        // More labels than lanes, so that blocks meet.
        let (rows, gold) = notes(600, 70);
        let free = Settings { epochs: 60, batch: 16, penalty: Penalty::NONE, ..Settings::for_notes(600, 1) };
        let found = loss(&fit(&rows, &gold, 70, free), &gold, 70);
        // Every note by its prevalences: what the words must improve on.
        let prevalence = constant::predict(&constant::prevalence(&gold, 70), 600);
        let without = loss(&prevalence, &gold, 70);
        assert!(found < 0.02 * without, "{found} {without}");
        assert_eq!(fit(&rows, &gold, 70, free), fit(&rows, &gold, 70, free), "the same bits");
    }

    #[test]
    fn with_an_l2_penalty_probabilities_come_near_to_newtons() {
        let (rows, gold) = notes(600, 6);
        let settings = Settings { epochs: 80, batch: 16, ..Settings::for_notes(600, 1) };
        let found = fit(&rows, &gold, 6, settings);
        let mut progress = Context::default().start("fit", None, Unit::Codes);
        let newton = logistic::Settings::default();
        let (tables, _) = one_vs_rest::fit_and_predict(&rows, &gold, 6, newton, &[&rows], &mut progress);
        let apart =
            found.iter().zip(&tables[0]).map(|(a, b)| (a - b).abs()).sum::<f64>() / found.len() as f64;
        assert!(apart < 0.03, "{apart}");
    }

    #[test]
    fn a_strong_penalty_leaves_the_intercepts_alone() {
        let (rows, gold) = notes(300, 4);
        let strong = Penalty { l1: 3000.0, l2: 0.0 };
        let settings = Settings { epochs: 40, penalty: strong, ..Settings::for_notes(300, 1) };
        let table = fit(&rows, &gold, 4, settings);
        for label in 0..4 {
            let share = gold.iter().filter(|codes| codes.contains(&(label as u32))).count() as f64 / 300.0;
            assert!(table.iter().skip(label).step_by(4).all(|&p| (p - share).abs() < 0.05), "{label}");
        }
        let loose = fit(&rows, &gold, 4, Settings { penalty: Penalty { l1: 0.03, l2: 0.0 }, ..settings });
        assert!(loss(&loose, &gold, 4) < 0.8 * loss(&table, &gold, 4));
    }

    #[test]
    fn a_code_of_no_note_or_of_all_is_known() {
        let (rows, _) = notes(40, 4);
        let gold = vec![vec![1u32]; 40];
        let table = fit(&rows, &gold, 3, Settings::for_notes(40, 1));
        assert!(table.chunks_exact(3).all(|row| row == [0.0, 1.0, 0.0]));
    }
}
