//! Row 2: the multi-head attention baseline, its embeddings first, then the rest, tuned on dev.

use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use bert_xml_core::data::{Purpose, Split, TokenSource, epoch_batches, stream};
use bert_xml_core::metrics::auc::area_under_curve;
use bert_xml_core::metrics::{Predictions, threshold};
use bert_xml_core::model::gradients::GradientMap;
use bert_xml_core::model::loss::binary_cross_entropy;
use burn::module::Module;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Bool, Device, Tensor, TensorData};
use rand::Rng;

use super::Reproduction;
use super::corpus::judged_split;
use super::embeddings::{self, learn};
use super::multi_head::MultiHead;
use super::rows::Row;
use super::suite::AttentionShape;
use super::training::Standing;
use crate::error::Interrupted;
use crate::interrupt;
use crate::progress::Unit;
use crate::train::adamw::{AdamW, OptimizerSettings};
use crate::train::tokens::{TokenizedSplit, tokenize};

/// Notes that are judged together.
const GROUP: usize = 32;

/// Notes as rows of embeddings, cut at the longest length.
struct Input<'a> {
    shape: &'a AttentionShape,
    words: &'a [f32],
    labels: usize,
}

/// What was kept of a training.
struct Kept {
    model: MultiHead,
    auc: f64,
    rate: f64,
    epoch: u64,
}

impl Reproduction<'_> {
    /// Trains and judges row 2. It is not gone on with in the middle: a call that is stopped begins it anew.
    pub(super) fn attention(&mut self, row: &Row) -> Result<Standing> {
        let clock = Instant::now();
        let tokenizer = self.vocabulary()?;
        self.tokens(&tokenizer)?;
        let [train, dev] = &self.tokenized.as_ref().expect("just made").1;
        let shape = &self.shapes.attention;
        let labels = self.corpus.labels().len();
        let words = learn(
            train,
            embeddings::Settings {
                vocab: tokenizer.vocab_size(),
                labels,
                dims: shape.embedding,
                epochs: shape.embedding_epochs,
                max_len: shape.max_len,
                seed: self.context.seed,
            },
        );
        let input = Input { shape, words: &words, labels };
        let mut best: Option<Kept> = None;
        let (mut steps, mut tokens) = (0, 0);
        let training = Instant::now();
        for &rate in &shape.rates {
            let (done, read) = self.train(&input, [train, dev], rate, &mut best)?;
            (steps, tokens) = (done, tokens + read);
        }
        let seconds = training.elapsed().as_secs_f64();
        let Some(Kept { model, auc, rate, epoch }) = best else {
            bail!("row 2: no dev note has a code: nothing to tune it on")
        };
        let device = &self.device.0;
        let table = input.probabilities(&model, dev, device)?;
        let tuned = threshold::tune(&Predictions::new(&table, &dev.gold, labels)?);
        let threshold = tuned.map_or(0.5, |tuned| tuned.threshold);
        let split = judged_split(self.settings.suite);
        let judged_notes = match split {
            Split::Dev => None,
            _ => Some(tokenize(self.context, &self.corpus, split, &tokenizer)?),
        };
        let table = input.probabilities(&model, judged_notes.as_ref().unwrap_or(dev), device)?;
        let (judged, influence) = self.notes.judge(&table, threshold)?;
        let trained = format!(
            "embeddings of {}, a bidirectional GRU of {} units, {} heads, at most {} tokens; rates {:?}: {rate:e} and pass \
             {epoch} were best on dev (AUC {auc:.3}); {steps} steps of {}",
            shape.embedding, shape.hidden, shape.heads, shape.max_len, shape.rates, shape.budget.batch
        );
        let mut outcome = self.outcome(row, judged, &influence, trained, clock.elapsed().as_secs_f64());
        outcome.tokens = Some((tokens, tokens as f64 / seconds.max(1e-9)));
        self.keep(row, outcome, &influence)
    }

    /// Trains at one rate; `best` holds the best epoch of all rates. Returns the steps and tokens.
    fn train(
        &self,
        input: &Input<'_>,
        [train, dev]: [&TokenizedSplit; 2],
        rate: f64,
        best: &mut Option<Kept>,
    ) -> Result<(u64, u64)> {
        let (shape, seed) = (input.shape, self.context.seed);
        let device = self.device.0.clone().autodiff();
        device.seed(stream(seed, Purpose::Weights, [2, 1]).next_u64());
        let mut model = MultiHead::new(shape, input.labels, &device);
        let settings = OptimizerSettings { learning_rate: rate, warmup: 0.0, ..OptimizerSettings::default() };
        let mut optimizer = AdamW::new(settings);
        let lengths: Vec<u32> =
            (0..train.tokens.len()).map(|note| input.length(train, note) as u32).collect();
        let an_epoch = lengths.len().div_ceil(shape.budget.batch) as u64;
        let all = shape.budget.epochs * an_epoch;
        let steps = if shape.budget.max_steps > 0 { all.min(shape.budget.max_steps) } else { all };
        let mut progress = self.context.start("attention", Some(steps), Unit::Steps);
        let _listener = interrupt::Listener::new();
        let (mut step, mut tokens) = (0, 0);
        for epoch in 0..shape.budget.epochs {
            for rows in epoch_batches(&lengths, shape.budget.batch, seed, epoch) {
                if step == steps {
                    break;
                }
                if interrupt::asked() {
                    return Err(
                        Interrupted("row 2 begins anew when the command is called again".into()).into()
                    );
                }
                device.seed(stream(seed, Purpose::Dropout, [step, 2]).next_u64());
                let notes: Vec<usize> = rows.iter().map(|&row| row as usize).collect();
                let (words, keep) = input.batch(train, &notes, &device);
                let loss =
                    binary_cross_entropy(model.logits(words, keep), input.targets(train, &notes, &device));
                let mut gradients = loss.backward();
                let gradients = GradientMap::take(&model, "", &mut gradients);
                model = optimizer.step(model, gradients, 1.0).0;
                step += 1;
                tokens += rows.iter().map(|&row| u64::from(lengths[row as usize])).sum::<u64>();
                progress.advance(1);
            }
            let valid = model.valid();
            let table = input.probabilities(&valid, dev, &self.device.0)?;
            let area = area_under_curve(&Predictions::new(&table, &dev.gold, input.labels)?);
            if let Some(auc) = area.auc_micro.filter(|auc| best.as_ref().is_none_or(|best| *auc > best.auc)) {
                *best = Some(Kept { model: valid, auc, rate, epoch: epoch + 1 });
            }
            if step == steps {
                break;
            }
        }
        progress.finish();
        Ok((step, tokens))
    }
}

impl Input<'_> {
    /// Tokens of a note that are read; an empty one has one place of zeros.
    fn length(&self, split: &TokenizedSplit, note: usize) -> usize {
        split.tokens.note_len(note).clamp(1, self.shape.max_len)
    }

    /// Embeddings `[batch, seq, dims]` and a mask that is true at words, `[batch, seq]`.
    fn batch(
        &self,
        split: &TokenizedSplit,
        notes: &[usize],
        device: &Device,
    ) -> (Tensor<3>, Tensor<2, Bool>) {
        let dims = self.shape.embedding;
        let seq = notes.iter().map(|&note| self.length(split, note)).max().unwrap_or(1);
        let mut values = vec![0f32; notes.len() * seq * dims];
        let mut keep = vec![false; notes.len() * seq];
        let mut ids = Vec::new();
        for (row, &note) in notes.iter().enumerate() {
            let length = self.length(split, note);
            keep[row * seq..row * seq + length].fill(true);
            ids.clear();
            split.tokens.append(note, 0..split.tokens.note_len(note).min(length), &mut ids);
            for (at, &id) in ids.iter().enumerate() {
                let vector = &self.words[id as usize * dims..(id as usize + 1) * dims];
                values[(row * seq + at) * dims..][..dims].copy_from_slice(vector);
            }
        }
        (
            Tensor::from_data(TensorData::new(values, [notes.len(), seq, dims]), device),
            Tensor::from_data(TensorData::new(keep, [notes.len(), seq]), device),
        )
    }

    fn targets(&self, split: &TokenizedSplit, notes: &[usize], device: &Device) -> Tensor<2> {
        let mut data = vec![0f32; notes.len() * self.labels];
        for (row, &note) in notes.iter().enumerate() {
            for &label in &split.gold[note] {
                data[row * self.labels + label as usize] = 1.0;
            }
        }
        Tensor::from_data(TensorData::new(data, [notes.len(), self.labels]), device)
    }

    /// Probabilities, `[notes, labels]`, of a model without autodiff.
    fn probabilities(&self, model: &MultiHead, split: &TokenizedSplit, device: &Device) -> Result<Vec<f32>> {
        let mut order: Vec<usize> = (0..split.tokens.len()).collect();
        order.sort_by_key(|&note| self.length(split, note));
        let mut table = vec![0f32; order.len() * self.labels];
        for notes in order.chunks(GROUP) {
            let (words, keep) = self.batch(split, notes, device);
            let found: Vec<f32> = sigmoid(model.logits(words, keep))
                .into_data()
                .try_to_vec()
                .context("reading probabilities")?;
            for (&note, row) in notes.iter().zip(found.chunks_exact(self.labels)) {
                table[note * self.labels..(note + 1) * self.labels].copy_from_slice(row);
            }
        }
        Ok(table)
    }
}
