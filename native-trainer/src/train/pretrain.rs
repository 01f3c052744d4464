//! Pretraining: masked language model and next-sentence prediction (paper, section 3.2).

use std::thread::{self, Scope};

use anyhow::{Context as _, Result, bail, ensure};
use bert_xml_core::data::{MaskedTokens, Purpose, micro_batches, stream};
use bert_xml_core::model::gradients::GradientMap;
use bert_xml_core::model::hf_folder::{HfBert, write_hf_folder};
use bert_xml_core::model::pretrain::PretrainModel;
use bert_xml_core::model::recompute::Kept;
use bert_xml_core::model::weights::read_weights;
use bert_xml_core::model::{EncoderConfig, Inputs};
use bert_xml_core::text::Tokenizer;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;
use serde_json::json;

use super::finetune::BATCHES_AHEAD;
use super::memory::token_budget;
use super::pace::Pace;
use super::precision::check_precision;
use super::pretrain_rows::{EpochRows, MaskedRows, Placed, RowStep, RowSteps, mlm_loss, nsp_loss};
use super::replicas::{MicroStep, Replicas};
use super::resume::{Standing, interrupted, not_finite, save, save_best};
use super::run::Run;
use super::settings::{PretrainSettings, Rows};
use super::tokens::{NoteTokens, TokenizedSplit};
use crate::context::Context;
use crate::devices::Devices;
use crate::files::FolderInTheMaking;
use crate::interrupt;
use crate::prefetch::Ahead;
use crate::progress::Unit;

/// Rows are padded to a multiple of this.
pub const ROUND_TO: usize = 8;
/// Dev rows that the loss is measured on, at most.
const DEV_ROWS: usize = 4096;
/// Seed of dev rows and masks: the same for every run, so that losses compare.
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

/// Losses, means over masked tokens and rows. Packed rows have no pairs.
#[derive(Clone, Copy, Debug, Default)]
struct Losses {
    mlm: f64,
    nsp: Option<f64>,
}

impl Losses {
    fn sum(self) -> f64 {
        self.mlm + self.nsp.unwrap_or(0.0)
    }
}

impl std::fmt::Display for Losses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "mlm {:.3}", self.mlm)?;
        self.nsp.map_or(Ok(()), |nsp| write!(f, " nsp {nsp:.3}"))
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
    settings.validate()?;
    for (device, choice) in devices.all() {
        check_precision(settings.precision, device, *choice)?;
    }
    thread::scope(|scope| pretrain_within(scope, context, settings, input, run, &devices))
}

/// The same, with batches made on a thread of the scope.
fn pretrain_within<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    context: &Context,
    settings: &'env PretrainSettings,
    input: PretrainInput<'env>,
    run: &mut Run,
    devices: &Devices,
) -> Result<()> {
    let (device, _) = devices.first().clone();
    let config = match &input.start {
        Some(start) => EncoderConfig {
            hidden_dropout_prob: settings.dropout,
            attention_probs_dropout_prob: settings.attention_dropout(),
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
    let rows_in =
        |epoch| EpochRows::new(settings.rows, &input.train.tokens, settings.max_len, context.seed, epoch);
    let batches_in = |epoch: u64| rows_in(epoch).len().div_ceil(settings.batch) as u64;
    // The number of rows differs from epoch to epoch.
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
    let fresh = fresh.with_products(settings.precision);
    let standing = Standing::take_up(fresh, &settings.optimizer, run, &mut progress, &device)?;
    let Standing { mut model, mut optimizer, mut state } = standing;
    let listener = interrupt::Listener::new();
    let budget = token_budget(
        settings.micro_batch,
        devices.scarcest(),
        &config,
        settings.max_len,
        settings.gradient_checkpointing,
    );
    let draws = config.hidden_dropout_prob > 0.0 || config.attention_probs_dropout_prob > 0.0;
    let replicas = &Replicas::new(devices, draws);
    let trainer = Trainer { context, settings, tokenizer: input.tokenizer, replicas, budget };

    let mut pace = Pace::start(state.tokens);
    let made = RowSteps {
        kind: settings.rows,
        notes: &input.train.tokens,
        special: input.tokenizer.special(),
        vocab: input.tokenizer.vocab_size(),
        max_len: settings.max_len,
        batch: settings.batch,
        budget,
        seed: context.seed,
    };
    let ranges = (0..settings.epochs).zip(std::iter::once(0).chain(ends.clone())).zip(ends.clone());
    let ranges: Vec<(u64, u64, u64)> =
        ranges.map(|((epoch, start), end)| (epoch, start, end.min(steps))).collect();
    let mut batches = Ahead::start(scope, BATCHES_AHEAD, made.steps(ranges, state.step));
    for epoch in 0..settings.epochs {
        let end = ends[epoch as usize].min(steps);
        while state.step < end {
            let batch = batches.next().context("the thread that makes batches ended early")?;
            let (gradients, losses, tokens) =
                trainer.gradients(&model, &batch, state.step).map_err(|error| {
                    not_finite(error, state.step + 1, batch.note_ids(&input.train.tokens), run)
                })?;
            let rate = settings.optimizer.schedule(state.step, steps);
            model = optimizer.step(model, gradients, rate).0;
            state.step += 1;
            state.tokens += tokens as u64;
            let now = pace.at(state.tokens, batches.waited());
            progress.advance(1);
            progress.message(format!("{losses} {now}"));
            run.log(now.line(json!({
                "step": state.step, "epoch": epoch + 1, "mlm_loss": losses.mlm, "nsp_loss": losses.nsp,
                "learning_rate": rate * settings.optimizer.learning_rate, "tokens": state.tokens,
            })))?;
            let epoch_over = state.step == end;
            if epoch_over {
                let dev = trainer.dev_losses(&model.valid(), &input.dev.tokens, &device)?;
                let score = dev.map_or(f64::NEG_INFINITY, Losses::sum);
                let better = state.best.is_none_or(|(best, _)| score < best || dev.is_none());
                if let Some(dev) = dev {
                    progress.say(&format!(
                        "epoch {}: dev {dev}{}",
                        epoch + 1,
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
    pace.at(state.tokens, batches.waited()).say();
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
        batch: &RowStep,
        step: u64,
    ) -> Result<(GradientMap, Losses, usize)> {
        let all_masked: usize = batch.micro.iter().map(|micro| micro.masked.targets.len()).sum();
        let step_done = self.replicas.step(model, batch.micro.len(), |model, device, at| {
            let micro = &batch.micro[at];
            let mut dropout = stream(self.context.seed, Purpose::Dropout, [step, at as u64]);
            let drawn = dropout.next_u64();
            device.seed(drawn);
            let mlm_share = micro.masked.targets.len() as f64 / all_masked as f64;
            let nsp_share = micro.rows.count() as f64 / batch.rows() as f64;
            let place = Placed::new(&micro.rows, device);
            let kept = self.settings.gradient_checkpointing.then(|| {
                let seeds = (0..=model.encoder.layers.len()).map(|_| dropout.next_u64()).collect();
                let embed = || place.embed(model);
                Kept::forward(&model.encoder, embed, place.unseen(), seeds, device)
            });
            // What comes behind the encoder draws the same, however that was computed.
            if kept.is_some() {
                device.seed(drawn);
            }
            let hidden = kept.as_ref().map_or_else(|| place.hidden(model), Kept::output);
            let (mlm, nsp) = place.losses(model, hidden.clone(), &micro.masked, device);
            let (mlm, nsp) = (mlm.mul_scalar(mlm_share), nsp.map(|nsp| nsp.mul_scalar(nsp_share)));
            let sum = nsp.clone().map_or_else(|| mlm.clone(), |nsp| mlm.clone() + nsp);
            let mut grads = sum.backward();
            let mut gradients = GradientMap::take(model, "", &mut grads);
            if let Some(kept) = kept {
                let gradient = hidden.grad_remove(&mut grads).expect("losses depend on hidden states");
                let embed = || place.embed(model);
                gradients.add_all(kept.backward(&model.encoder, embed, place.unseen(), gradient));
            }
            // Packed rows have no pairs, and a loss of none.
            let nsp = nsp.map_or_else(|| mlm.clone().inner().zeros_like(), Tensor::inner);
            MicroStep { gradients, losses: [mlm.inner(), nsp], tokens: micro.rows.tokens() }
        });
        let [mlm, nsp] = step_done.losses;
        let losses = Losses { mlm, nsp: (self.settings.rows == Rows::Padded).then_some(nsp) };
        if !losses.sum().is_finite() {
            bail!("step {}: the loss is not finite ({losses})", step + 1);
        }
        Ok((step_done.gradients, losses, step_done.tokens))
    }

    /// Losses on dev rows without dropout; none where dev has no row.
    fn dev_losses(
        &self,
        model: &PretrainModel,
        notes: &NoteTokens,
        device: &Device,
    ) -> Result<Option<Losses>> {
        let mut rows = EpochRows::new(self.settings.rows, notes, self.settings.max_len, DEV_SEED, 0);
        rows.truncate(DEV_ROWS);
        let lengths = rows.lengths();
        if lengths.is_empty() {
            return Ok(None);
        }
        let mut order: Vec<u32> = (0..lengths.len() as u32).collect();
        order.sort_by_key(|&row| lengths[row as usize]);
        let (mut losses, mut targets) = (Losses::default(), 0);
        for (at, of_batch) in (0u64..).zip(micro_batches(&order, &lengths, self.budget)) {
            let mut random = stream(DEV_SEED, Purpose::Masking, [0, at]);
            let words = (&self.tokenizer.special(), self.tokenizer.vocab_size());
            let MaskedRows { rows, masked } =
                rows.masked(of_batch, notes, words, self.settings.max_len, &mut random);
            let place = Placed::new(&rows, device);
            let (mlm, nsp) = place.losses(model, place.hidden(model), &masked, device);
            losses.mlm += f64::from(mlm.into_scalar::<f32>()) * masked.targets.len() as f64;
            if let Some(nsp) = nsp {
                *losses.nsp.get_or_insert(0.0) += f64::from(nsp.into_scalar::<f32>()) * of_batch.len() as f64;
            }
            targets += masked.targets.len();
        }
        let rows = lengths.len() as f64;
        Ok(Some(Losses { mlm: losses.mlm / targets as f64, nsp: losses.nsp.map(|nsp| nsp / rows) }))
    }
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
    let hidden = model.encoder.forward(inputs.ids, inputs.segments, inputs.keep);
    (mlm_loss(model, hidden.clone(), masked, device), nsp_loss(model, hidden, follows, device))
}
