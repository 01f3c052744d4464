//! Fine-tuning: an encoder and a head learn the codes of a corpus (paper, sections 3.3 and 3.4).

use std::thread::{self, Scope};

use anyhow::{Context as _, Result, bail, ensure};
use bert_xml_core::data::{Purpose, TokenSource, stream};
use bert_xml_core::metrics::{self, Predictions, Report};
use bert_xml_core::model::chunked::loss_and_gradients;
use bert_xml_core::model::gradients::GradientMap;
use bert_xml_core::model::parameters::import;
use bert_xml_core::model::recompute::Kept;
use bert_xml_core::model::weights::read_weights;
use bert_xml_core::model::{BertXml, Inputs, ModelConfig};
use burn::module::Module;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor, TensorData};
use rand::Rng;
use serde_json::json;

use super::checkpoint::State;
use super::examples::{Examples, FrozenStates, MicroBatch, WindowStep};
use super::finetune_rows::Placed;
use super::memory::token_budget;
use super::pace::Pace;
use super::precision::check_precision;
use super::replicas::{MicroStep, Replicas};
use super::resume::{Standing, interrupted, not_finite, save, save_best};
use super::run::Run;
use super::settings::{FinetuneSettings, KeepBy};
use super::start::{FinetuneInput, fresh_model};
use crate::context::Context;
use crate::devices::Devices;
use crate::interrupt;
use crate::prefetch::Ahead;
use crate::progress::Unit;

/// Steps whose batches lie ready.
pub(super) const BATCHES_AHEAD: usize = 4;

/// What fine-tuning leaves.
pub struct Finetuned {
    /// The best epoch's model, without autodiff.
    pub model: BertXml,
    /// Its shape.
    pub config: ModelConfig,
    /// Assign a code at this probability and above: the best micro-F1 on dev.
    pub threshold: f64,
    /// On dev, with that threshold; none where dev has no note with a code.
    pub dev: Option<Report>,
    /// The epoch (from 1) that was kept.
    pub epoch: u64,
    /// Codes whose embedding started at random for want of a description.
    pub without_description: Vec<String>,
}

/// Trains.
///
/// # Errors
/// Settings that do not fit the encoder, nothing to train on, a loss that is not finite, a full disk;
/// [`crate::error::Interrupted`] after Ctrl-C, with a checkpoint.
pub fn finetune(
    context: &Context,
    settings: &FinetuneSettings,
    input: FinetuneInput<'_>,
    run: &mut Run,
    devices: impl Into<Devices>,
) -> Result<Finetuned> {
    let devices = devices.into();
    settings.validate()?;
    for (device, choice) in devices.all() {
        check_precision(settings.precision, device, *choice)?;
    }
    ensure!(!input.train.tokens.is_empty(), "the training split has no note: nothing to learn from");
    let special = input.tokenizer.special();
    let examples = |split| Examples::new(split, special, settings.max_len, settings.stride());
    let examples = [examples(input.train), examples(input.dev)];
    thread::scope(|scope| finetune_within(scope, context, settings, input, &examples, run, &devices))
}

/// The same, with batches made on a thread of the scope.
fn finetune_within<'scope>(
    scope: &'scope Scope<'scope, '_>,
    context: &Context,
    settings: &FinetuneSettings,
    mut input: FinetuneInput<'_>,
    [train, dev]: &'scope [Examples<'_>; 2],
    run: &mut Run,
    devices: &Devices,
) -> Result<Finetuned> {
    let (device, choice) = devices.first().clone();
    let train_device = device.clone().autodiff();
    train_device.seed(stream(context.seed, Purpose::Weights, [1, 0]).next_u64());
    let (model, config, without_description) = fresh_model(settings, &mut input, &train_device)?;
    let model = model.with_products(settings.precision);
    let frozen_layers = settings.freeze;

    let budget = token_budget(
        settings.micro_batch,
        devices.scarcest(),
        &config.encoder,
        settings.max_len,
        settings.gradient_checkpointing,
    );
    let part = |examples| -> Result<Part<'_>> {
        let encoder = model.encoder.valid();
        let (shape, place) = (&config.encoder, (&device, choice));
        let states =
            |layers| FrozenStates::compute(context, &encoder, shape, layers, examples, budget, place);
        let frozen = (frozen_layers > 0).then(|| states(frozen_layers)).transpose()?;
        Ok(Part { examples, frozen })
    };
    let (train, dev) = (part(train)?, part(dev)?);

    let batches_an_epoch = train.examples.all.len().div_ceil(settings.batch) as u64;
    let all = settings.epochs * batches_an_epoch;
    let steps = if settings.max_steps > 0 { all.min(settings.max_steps) } else { all };
    let mut progress = context.start("finetune", Some(steps), Unit::Steps);
    let standing = Standing::take_up(model, &settings.optimizer, run, &mut progress, &device)?;
    let Standing { mut model, mut optimizer, mut state } = standing;
    let listener = interrupt::Listener::new();
    let draws = settings.dropout > 0.0 || settings.attention_dropout() > 0.0;
    let replicas = &Replicas::new(devices, draws);
    let trainer = Trainer { context, settings, labels: config.labels, replicas, budget };
    let mut pace = Pace::start(state.tokens);
    let sizes = (settings.batch, budget);
    let made = train.examples.steps(settings.rows, sizes, config.labels, context.seed, state.step);
    let mut batches = Ahead::start(scope, BATCHES_AHEAD, made.take((steps - state.step.min(steps)) as usize));
    while state.step < steps {
        let epoch = state.step / batches_an_epoch;
        let end = ((epoch + 1) * batches_an_epoch).min(steps);
        while state.step < end {
            let batch = batches.next().context("the thread that makes batches ended early")?;
            let (gradients, loss, tokens) =
                trainer.gradients(&model, &train, &batch, state.step).map_err(|error| {
                    not_finite(error, state.step + 1, train.examples.note_ids(&batch.windows), run)
                })?;
            let rate = settings.optimizer.schedule(state.step, steps);
            model = optimizer.step(model, gradients, rate).0;
            state.step += 1;
            state.tokens += tokens as u64;
            let now = pace.at(state.tokens, batches.waited());
            progress.advance(1);
            progress.message(format!("loss {loss:.4} {now}"));
            run.log(now.line(json!({
                "step": state.step, "epoch": epoch + 1, "loss": loss,
                "learning_rate": rate * settings.optimizer.learning_rate, "tokens": state.tokens,
            })))?;
            let epoch_over = state.step == end;
            if epoch_over {
                let report = trainer.dev_report(&model.valid(), &dev, &device)?;
                let better = keep_if_better(&mut state, settings.keep_by, epoch + 1, report.as_ref());
                if let Some(report) = report {
                    progress.say(&dev_line(epoch + 1, &report, better));
                    run.log(json!({"step": state.step, "epoch": epoch + 1, "dev": report}))?;
                }
                if better {
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

    let path = run.best_weights();
    let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let (mut weights, _) = read_weights(&bytes).with_context(|| format!("{} is damaged", path.display()))?;
    let model = import(model, &mut weights).context("the best weights do not fit the model")?.valid();
    let dev = trainer.dev_report(&model, &dev, &device)?;
    let threshold = dev.as_ref().map_or(0.5, |report| report.threshold);
    let epoch = state.best.map_or(settings.epochs, |(_, epoch)| epoch);
    Ok(Finetuned { model, config, threshold, dev, epoch, without_description })
}

/// Marks an epoch as the best so far; without dev codes the last epoch is the best.
fn keep_if_better(state: &mut State, by: KeepBy, epoch: u64, report: Option<&Report>) -> bool {
    let score = report.and_then(|report| match by {
        KeepBy::Auc => report.auc_micro,
        KeepBy::Map => report.map,
    });
    let better = state.best.is_none_or(|(best, _)| score.is_none_or(|score| score > best));
    if better {
        state.best = Some((score.unwrap_or(0.0), epoch));
    }
    better
}

fn dev_line(epoch: u64, report: &Report, better: bool) -> String {
    let show = |value: Option<f64>| value.map_or("undefined".to_owned(), |value| format!("{value:.4}"));
    format!(
        "epoch {epoch}: dev AUC micro {} macro {}, MAP {}, best F1 micro {}{}",
        show(report.auc_micro),
        show(report.auc_macro),
        show(report.map),
        show(report.f1_micro),
        if better { ", the best so far" } else { "" }
    )
}

/// A split ready for the model.
struct Part<'a> {
    examples: &'a Examples<'a>,
    frozen: Option<FrozenStates>,
}

struct Trainer<'a> {
    context: &'a Context,
    settings: &'a FinetuneSettings,
    labels: usize,
    replicas: &'a Replicas,
    budget: usize,
}

impl Trainer<'_> {
    /// Gradients of one step's windows, the mean loss and the tokens read.
    fn gradients(
        &self,
        model: &BertXml,
        part: &Part<'_>,
        batch: &WindowStep,
        step: u64,
    ) -> Result<(GradientMap, f64, usize)> {
        let encoder_learns = self.settings.freeze < model.encoder.layers.len() || part.frozen.is_none();
        let step_done = self.replicas.step(model, batch.micro.len(), |model, device, at| {
            let micro = &batch.micro[at];
            let mut dropout = stream(self.context.seed, Purpose::Dropout, [step, at as u64]);
            let drawn = dropout.next_u64();
            device.seed(drawn);
            let placed = Placed::new(&micro.rows, device);
            let (by_row, kept) = self.hidden(model, part, micro, &placed, (device, &mut dropout));
            // What comes behind the encoder draws the same, however that was computed.
            if kept.is_some() {
                device.seed(drawn);
            }
            let (hidden, real) = placed.by_note(by_row.clone());
            let shape = [micro.windows.len(), self.labels];
            let targets = Tensor::from_data(TensorData::new(micro.targets.clone(), shape), device);
            let weight = micro.windows.len() as f64 / batch.windows.len() as f64;
            let chunk = self.settings.label_chunk;
            let pass =
                loss_and_gradients(&model.head, hidden.clone(), real, targets, chunk, weight, encoder_learns);
            let mut gradients = GradientMap::default();
            if let Some(objective) = pass.encoder_objective(hidden) {
                let mut grads = objective.backward();
                gradients.add_all(GradientMap::take(&model.encoder, "encoder.", &mut grads));
                if let Some(kept) = kept {
                    let gradient = by_row.grad_remove(&mut grads).expect("notes are made of rows");
                    let embed = || placed.embed(model);
                    gradients.add_all(kept.backward(&model.encoder, embed, &placed.unseen(), gradient));
                }
            }
            gradients.add_all(pass.parameters);
            MicroStep { gradients, losses: [pass.loss], tokens: micro.tokens }
        });
        let [loss] = step_done.losses;
        if !loss.is_finite() {
            bail!("step {}: the loss is not finite ({loss})", step + 1);
        }
        Ok((step_done.gradients, loss, step_done.tokens))
    }

    /// Hidden states by row with the graph of the layers that learn; with gradient checkpointing as a leaf.
    fn hidden(
        &self,
        model: &BertXml,
        part: &Part<'_>,
        micro: &MicroBatch,
        placed: &Placed<'_>,
        (device, dropout): (&Device, &mut impl Rng),
    ) -> (Tensor<3>, Option<Kept>) {
        if self.settings.gradient_checkpointing {
            let seeds = (0..=model.encoder.layers.len()).map(|_| dropout.next_u64()).collect();
            let embed = || placed.embed(model);
            let kept = Kept::forward(&model.encoder, embed, &placed.unseen(), seeds, device);
            return (kept.output(), Some(kept));
        }
        let hidden = match (placed, &part.frozen) {
            (Placed::Padded(inputs, batch), Some(frozen)) => {
                let plain = Inputs::new(batch, &device.clone().inner());
                let states = frozen.states(&model.encoder.valid(), &micro.windows, &plain, batch.seq);
                let keep = inputs.keep.clone();
                model.encoder.forward_rest(Tensor::from_inner(states), keep, frozen.layers)
            }
            _ => model.encoder.forward_blocks(placed.embed(model), &placed.unseen()),
        };
        (hidden, None)
    }

    /// Probabilities of every note, the maximum over its windows, row-major `[notes, labels]`.
    fn probabilities(&self, model: &BertXml, part: &Part<'_>, device: &Device) -> Vec<f32> {
        let notes = part.examples.split.tokens.len();
        let mut table = vec![0f32; notes * self.labels];
        for rows in part.examples.by_length(self.budget) {
            let batch = part.examples.batch(&rows);
            let inputs = Inputs::new(&batch, device);
            let hidden = match &part.frozen {
                None => model.encode(&inputs),
                Some(frozen) => {
                    let states = frozen.states(&model.encoder, &rows, &inputs, batch.seq);
                    model.encoder.forward_rest(states, inputs.keep, frozen.layers)
                }
            };
            let logits = model.head.forward(hidden, inputs.real, self.settings.label_chunk);
            let found: Vec<f32> = sigmoid(logits).into_data().try_to_vec().expect("logits are f32");
            for (row, found) in rows.iter().zip(found.chunks_exact(self.labels)) {
                let note = part.examples.all[*row as usize].note as usize;
                let cells = &mut table[note * self.labels..(note + 1) * self.labels];
                cells.iter_mut().zip(found).for_each(|(cell, &value)| *cell = cell.max(value));
            }
        }
        table
    }

    /// All metrics on dev, with the threshold of the best micro-F1 there; none where dev has no code.
    fn dev_report(&self, model: &BertXml, dev: &Part<'_>, device: &Device) -> Result<Option<Report>> {
        let gold = &dev.examples.split.gold;
        let table = self.probabilities(model, dev, device);
        let predictions = Predictions::new(&table, gold, self.labels).context("dev probabilities")?;
        let Some(tuned) = metrics::threshold::tune(&predictions) else {
            return Ok(None);
        };
        Ok(Some(metrics::evaluate(&table, gold, self.labels, tuned.threshold)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_epoch_that_is_kept_is_the_best_by_what_was_asked_for() {
        // Three notes, two codes; the second table ranks every note right and pools worse.
        let gold = [vec![0], vec![1], vec![0]];
        let report = |table: &[f32]| metrics::evaluate(table, &gold, 2, 0.5).unwrap();
        let kept = |by: KeepBy, reports: &[Report]| {
            let mut state = State::default();
            for (epoch, report) in (1..).zip(reports) {
                keep_if_better(&mut state, by, epoch, Some(report));
            }
            state.best.unwrap().1
        };
        let pooled = report(&[0.5, 0.51, 0.1, 0.9, 0.9, 0.1]);
        let ranked = report(&[0.2, 0.1, 0.4, 0.5, 0.9, 0.8]);
        assert!(ranked.map > pooled.map && ranked.auc_micro < pooled.auc_micro, "{ranked:?} {pooled:?}");
        let reports = [pooled, ranked];
        assert_eq!((kept(KeepBy::Auc, &reports), kept(KeepBy::Map, &reports)), (1, 2));
        let mut state = State::default();
        assert!(keep_if_better(&mut state, KeepBy::Map, 1, None));
        assert!(keep_if_better(&mut state, KeepBy::Map, 2, None), "without codes the last epoch");
    }
}
