//! Pretraining: masked language model and next-sentence prediction (paper, section 3.2).

use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use bert_xml_core::data::nsp::Pair;
use bert_xml_core::data::{
    MaskedTokens, Purpose, TokenStore, epoch_batches, epoch_pairs, mask_tokens, micro_batches, pad_pairs,
    stream,
};
use bert_xml_core::model::gradients::GradientMap;
use bert_xml_core::model::hf_folder::{HfBert, write_hf_folder};
use bert_xml_core::model::loss::cross_entropy;
use bert_xml_core::model::pretrain::PretrainModel;
use bert_xml_core::model::weights::read_weights;
use bert_xml_core::model::{EncoderConfig, Inputs};
use bert_xml_core::text::Tokenizer;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use rand::Rng;
use serde_json::json;

use super::memory::token_budget;
use super::replicas::{MicroStep, Replicas};
use super::resume::{Standing, interrupted, not_finite, save, save_best};
use super::run::Run;
use super::settings::PretrainSettings;
use super::tokens::TokenizedSplit;
use crate::context::Context;
use crate::devices::Devices;
use crate::files::FolderInTheMaking;
use crate::interrupt;
use crate::progress::Unit;

/// Rows are padded to a multiple of this.
pub const ROUND_TO: usize = 8;
/// Dev pairs that the loss is measured on, at most.
const DEV_PAIRS: usize = 4096;
/// Seed of dev pairs and masks: the same for every run, so that losses compare.
const DEV_SEED: u64 = 0xDEF;

/// What pretraining reads.
pub struct PretrainInput<'a> {
    /// Training notes.
    pub train: &'a TokenizedSplit,
    /// Development notes; the epoch with the lowest loss here is kept. Without any, the last one is.
    pub dev: &'a TokenizedSplit,
    /// The vocabulary.
    pub tokenizer: &'a Tokenizer,
    /// Where to start from; a fresh encoder otherwise.
    pub start: Option<HfBert>,
}

/// Losses, means over masked tokens and rows.
#[derive(Clone, Copy, Debug, Default)]
struct Losses {
    mlm: f64,
    nsp: f64,
}

impl Losses {
    fn sum(self) -> f64 {
        self.mlm + self.nsp
    }
}

/// Trains and leaves the best encoder with its heads under `encoder/` of the run, in Hugging Face's format.
///
/// # Errors
/// Nothing to train on, a loss that is not finite, a full disk; [`crate::error::Interrupted`] after Ctrl-C, with a checkpoint.
pub fn pretrain(
    context: &Context,
    settings: &PretrainSettings,
    input: PretrainInput<'_>,
    run: &mut Run,
    devices: impl Into<Devices>,
) -> Result<()> {
    let devices = devices.into();
    let (device, _) = devices.first().clone();
    settings.validate()?;
    let config = match &input.start {
        Some(start) => EncoderConfig {
            hidden_dropout_prob: settings.dropout,
            attention_probs_dropout_prob: settings.dropout,
            ..start.config.clone()
        },
        None => settings.encoder(input.tokenizer.vocab_size()),
    };
    ensure!(
        settings.max_len <= config.max_position_embeddings,
        "pretrain.max_len = {}: the encoder has {} positions",
        settings.max_len,
        config.max_position_embeddings
    );
    let pairs_in = |epoch| epoch_pairs(&input.train.tokens, settings.max_len, context.seed, epoch);
    let batches_in = |epoch: u64| pairs_in(epoch).len().div_ceil(settings.batch) as u64;
    // The number of pairs differs from epoch to epoch.
    let ends: Vec<u64> = (0..settings.epochs)
        .scan(0, |end, epoch| {
            *end += batches_in(epoch);
            Some(*end)
        })
        .collect();
    let all = ends.last().copied().unwrap_or(0);
    ensure!(all > 0, "no note of the training split has two tokens: nothing to pretrain on");
    let steps = if settings.max_steps > 0 { all.min(settings.max_steps) } else { all };

    let train_device = device.clone().autodiff();
    train_device.seed(stream(context.seed, Purpose::Weights, [0, 0]).next_u64());
    let mut progress = context.start("pretrain", Some(steps), Unit::Steps);
    let fresh = match input.start {
        Some(start) => {
            let (model, drawn) = HfBert { config: config.clone(), ..start }.into_pretrain(&train_device)?;
            if !drawn.is_empty() {
                progress.warn(&format!("not in the checkpoint, drawn at random: {}", drawn.join(", ")));
            }
            model
        }
        None => PretrainModel::new(&config, &train_device)?,
    };
    let standing = Standing::take_up(fresh, &settings.optimizer, run, &mut progress, &device)?;
    let Standing { mut model, mut optimizer, mut state } = standing;
    let listener = interrupt::Listener::new();
    let budget = token_budget(settings.micro_batch, devices.scarcest(), &config, settings.max_len);
    let draws = config.hidden_dropout_prob > 0.0 || config.attention_probs_dropout_prob > 0.0;
    let replicas = &Replicas::new(&devices, draws);
    let trainer = Trainer { context, settings, tokenizer: input.tokenizer, replicas, budget };

    let clock = Instant::now();
    let tokens_before = state.tokens;
    for epoch in 0..settings.epochs {
        let start = if epoch == 0 { 0 } else { ends[epoch as usize - 1] };
        let end = ends[epoch as usize].min(steps);
        if start >= steps {
            break;
        }
        if state.step >= end {
            continue;
        }
        let pairs = pairs_in(epoch);
        let lengths: Vec<u32> = pairs.iter().map(Pair::len).collect();
        let batches = epoch_batches(&lengths, settings.batch, context.seed, epoch);
        while state.step < end {
            let batch = &batches[(state.step - start) as usize];
            let rows = (&pairs[..], &lengths[..]);
            let (gradients, losses, tokens) =
                trainer.gradients(&model, &input.train.tokens, rows, batch, state.step).map_err(|error| {
                    not_finite(error, state.step + 1, note_ids(&pairs, batch, input.train), run)
                })?;
            let rate = settings.optimizer.schedule(state.step, steps);
            model = optimizer.step(model, gradients, rate).0;
            state.step += 1;
            state.tokens += tokens as u64;
            let speed = (state.tokens - tokens_before) as f64 / clock.elapsed().as_secs_f64();
            progress.advance(1);
            progress.message(format!("mlm {:.3} nsp {:.3} {speed:.0} tokens/s", losses.mlm, losses.nsp));
            run.log(json!({
                "step": state.step, "epoch": epoch + 1, "mlm_loss": losses.mlm, "nsp_loss": losses.nsp,
                "learning_rate": rate * settings.optimizer.learning_rate, "tokens": state.tokens,
                "tokens_per_second": speed.round(),
            }))?;
            let epoch_over = state.step == end;
            if epoch_over {
                let dev = trainer.dev_losses(&model.valid(), &input.dev.tokens, &device)?;
                let score = dev.map_or(f64::NEG_INFINITY, Losses::sum);
                let better = state.best.is_none_or(|(best, _)| score < best || dev.is_none());
                if let Some(dev) = dev {
                    progress.say(&format!(
                        "epoch {}: dev mlm {:.3} nsp {:.3}{}",
                        epoch + 1,
                        dev.mlm,
                        dev.nsp,
                        if better { ", the best so far" } else { "" }
                    ));
                    run.log(json!({
                        "step": state.step, "epoch": epoch + 1, "dev_mlm_loss": dev.mlm, "dev_nsp_loss": dev.nsp,
                    }))?;
                }
                if better {
                    state.best = Some((if dev.is_some() { score } else { 0.0 }, epoch + 1));
                    save_best(state.step, &model, run)?;
                }
            }
            let stop = interrupt::asked();
            if epoch_over || stop || state.step.is_multiple_of(settings.checkpoint_every) {
                save(&state, &model, &optimizer, run)?;
            }
            if stop && state.step < steps {
                return Err(interrupted(&state, steps, run));
            }
        }
    }
    drop(listener);
    progress.finish();
    finish(run, &config, input.tokenizer)
}

fn finish(run: &Run, config: &EncoderConfig, tokenizer: &Tokenizer) -> Result<()> {
    let place = run.folder().join("encoder");
    if place.exists() {
        return Ok(());
    }
    let path = run.best_weights();
    let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let (weights, _) = read_weights(&bytes).with_context(|| format!("{} is damaged", path.display()))?;
    let making = FolderInTheMaking::start(&place)?;
    write_hf_folder(making.path(), config, tokenizer, &weights)?;
    making.finish()
}

struct Trainer<'a> {
    context: &'a Context,
    settings: &'a PretrainSettings,
    tokenizer: &'a Tokenizer,
    replicas: &'a Replicas,
    budget: usize,
}

impl Trainer<'_> {
    /// Gradients of one step's rows, the losses and the tokens read.
    fn gradients(
        &self,
        model: &PretrainModel,
        notes: &TokenStore,
        (pairs, lengths): (&[Pair], &[u32]),
        batch: &[u32],
        step: u64,
    ) -> Result<(GradientMap, Losses, usize)> {
        let (special, vocab) = (self.tokenizer.special(), self.tokenizer.vocab_size());
        let micro: Vec<_> = (0u64..)
            .zip(micro_batches(batch, lengths, self.budget))
            .map(|(at, rows)| {
                let rows: Vec<Pair> = rows.iter().map(|&row| pairs[row as usize]).collect();
                let mut windows = pad_pairs(&rows, notes, &special, ROUND_TO, self.settings.max_len);
                let mut random = stream(self.context.seed, Purpose::Masking, [step, at]);
                let masked = mask_tokens(&mut windows, &special, vocab, &mut random);
                (rows, windows, masked)
            })
            .collect();
        let all_masked: usize = micro.iter().map(|(.., masked)| masked.targets.len()).sum();
        let step_done = self.replicas.step(model, micro.len(), |model, device, at| {
            let (rows, windows, masked) = &micro[at];
            device.seed(stream(self.context.seed, Purpose::Dropout, [step, at as u64]).next_u64());
            let mlm_share = masked.targets.len() as f64 / all_masked as f64;
            let nsp_share = rows.len() as f64 / batch.len() as f64;
            let inputs = Inputs::new(windows, device);
            let (mlm, nsp) = pair_losses(model, inputs, &follows(rows), masked, device);
            let (mlm, nsp) = (mlm.mul_scalar(mlm_share), nsp.mul_scalar(nsp_share));
            let mut grads = (mlm.clone() + nsp.clone()).backward();
            let gradients = GradientMap::take(model, "", &mut grads);
            MicroStep { gradients, losses: [mlm.inner(), nsp.inner()], tokens: windows.tokens() }
        });
        let [mlm, nsp] = step_done.losses;
        let losses = Losses { mlm, nsp };
        if !losses.sum().is_finite() {
            bail!("step {}: the loss is not finite (mlm {}, nsp {})", step + 1, losses.mlm, losses.nsp);
        }
        Ok((step_done.gradients, losses, step_done.tokens))
    }

    /// Losses on dev pairs without dropout; none where dev has no pair.
    fn dev_losses(
        &self,
        model: &PretrainModel,
        notes: &TokenStore,
        device: &Device,
    ) -> Result<Option<Losses>> {
        let mut pairs = epoch_pairs(notes, self.settings.max_len, DEV_SEED, 0);
        pairs.truncate(DEV_PAIRS);
        if pairs.is_empty() {
            return Ok(None);
        }
        pairs.sort_by_key(Pair::len);
        let (special, vocab) = (self.tokenizer.special(), self.tokenizer.vocab_size());
        let order: Vec<u32> = (0..pairs.len() as u32).collect();
        let lengths: Vec<u32> = pairs.iter().map(Pair::len).collect();
        let (mut losses, mut targets) = (Losses::default(), 0);
        for (at, rows) in (0u64..).zip(micro_batches(&order, &lengths, self.budget)) {
            let rows: Vec<Pair> = rows.iter().map(|&row| pairs[row as usize]).collect();
            let mut windows = pad_pairs(&rows, notes, &special, ROUND_TO, self.settings.max_len);
            let masked =
                mask_tokens(&mut windows, &special, vocab, &mut stream(DEV_SEED, Purpose::Masking, [0, at]));
            let inputs = Inputs::new(&windows, device);
            let (mlm, nsp) = pair_losses(model, inputs, &follows(&rows), &masked, device);
            losses.mlm += f64::from(mlm.into_scalar::<f32>()) * masked.targets.len() as f64;
            losses.nsp += f64::from(nsp.into_scalar::<f32>()) * rows.len() as f64;
            targets += masked.targets.len();
        }
        Ok(Some(Losses { mlm: losses.mlm / targets as f64, nsp: losses.nsp / pairs.len() as f64 }))
    }
}

/// The notes that a batch's pairs are made of, by their ids.
fn note_ids<'a>(pairs: &[Pair], batch: &[u32], notes: &'a TokenizedSplit) -> impl Iterator<Item = &'a str> {
    let pieces = batch.iter().map(|&row| pairs[row as usize]).flat_map(|pair| [pair.a, pair.b]);
    pieces.map(|piece| notes.note_ids[piece.note as usize].as_str())
}

fn follows(rows: &[Pair]) -> Vec<bool> {
    rows.iter().map(|pair| pair.follows).collect()
}

/// Mean MLM loss over masked tokens and mean NSP loss over rows, each `[1]`; `follows` says of each row
/// whether its second segment follows the first.
pub(crate) fn pair_losses(
    model: &PretrainModel,
    inputs: Inputs,
    follows: &[bool],
    masked: &MaskedTokens,
    device: &Device,
) -> (Tensor<1>, Tensor<1>) {
    let ints = |values: Vec<i32>| Tensor::<1, Int>::from_data(values.as_slice(), device);
    let positions = ints(masked.positions.iter().map(|&at| at as i32).collect());
    let (mlm, nsp) = model.forward(inputs.ids, inputs.segments, inputs.keep, positions);
    let targets = ints(masked.targets.iter().map(|&id| id as i32).collect());
    // Class 0 means "B follows A", as in BERT.
    let follows = ints(follows.iter().map(|&follows| i32::from(!follows)).collect());
    (cross_entropy(mlm, targets), cross_entropy(nsp, follows))
}
