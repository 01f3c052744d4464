//! Fine-tuning: an encoder and a head learn the codes of a corpus (paper, sections 3.3 and 3.4).

use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use bert_xml_core::data::{Purpose, WindowBatch, epoch_batches, micro_batches, stream};
use bert_xml_core::metrics::{self, Predictions, Report};
use bert_xml_core::model::chunked::loss_and_gradients;
use bert_xml_core::model::gradients::GradientMap;
use bert_xml_core::model::parameters::import;
use bert_xml_core::model::weights::read_weights;
use bert_xml_core::model::{BertXml, Inputs, ModelConfig};
use burn::module::Module;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};
use rand::Rng;
use serde_json::json;

use super::checkpoint::State;
use super::examples::{Examples, FrozenStates};
use super::memory::token_budget;
use super::replicas::{MicroStep, Replicas};
use super::resume::{Standing, interrupted, not_finite, save, save_best};
use super::run::Run;
use super::settings::{FinetuneSettings, KeepBy};
use super::start::{FinetuneInput, fresh_model};
use crate::context::Context;
use crate::devices::Devices;
use crate::interrupt;
use crate::progress::Unit;

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
    mut input: FinetuneInput<'_>,
    run: &mut Run,
    devices: impl Into<Devices>,
) -> Result<Finetuned> {
    let devices = devices.into();
    let (device, choice) = devices.first().clone();
    settings.validate()?;
    ensure!(!input.train.tokens.is_empty(), "the training split has no note: nothing to learn from");
    let train_device = device.clone().autodiff();
    train_device.seed(stream(context.seed, Purpose::Weights, [1, 0]).next_u64());
    let (model, config, without_description) = fresh_model(settings, &mut input, &train_device)?;
    let frozen_layers = settings.freeze;

    let special = input.tokenizer.special();
    let budget = token_budget(settings.micro_batch, devices.scarcest(), &config.encoder, settings.max_len);
    let part = |split| -> Result<Part<'_>> {
        let examples = Examples::new(split, special, settings.max_len, settings.stride());
        let encoder = model.encoder.valid();
        let (shape, place) = (&config.encoder, (&device, choice));
        let states =
            |layers| FrozenStates::compute(context, &encoder, shape, layers, &examples, budget, place);
        let frozen = (frozen_layers > 0).then(|| states(frozen_layers)).transpose()?;
        Ok(Part { examples, frozen })
    };
    let (train, dev) = (part(input.train)?, part(input.dev)?);

    let batches_an_epoch = train.examples.all.len().div_ceil(settings.batch) as u64;
    let all = settings.epochs * batches_an_epoch;
    let steps = if settings.max_steps > 0 { all.min(settings.max_steps) } else { all };
    let mut progress = context.start("finetune", Some(steps), Unit::Steps);
    let standing = Standing::take_up(model, &settings.optimizer, run, &mut progress, &device)?;
    let Standing { mut model, mut optimizer, mut state } = standing;
    let listener = interrupt::Listener::new();
    let draws = settings.dropout > 0.0;
    let replicas = &Replicas::new(&devices, draws);
    let trainer = Trainer { context, settings, labels: config.labels, replicas, budget };
    let clock = Instant::now();
    let tokens_before = state.tokens;
    while state.step < steps {
        let epoch = state.step / batches_an_epoch;
        let batches = epoch_batches(&train.examples.lengths, settings.batch, context.seed, epoch);
        let (start, end) = (epoch * batches_an_epoch, ((epoch + 1) * batches_an_epoch).min(steps));
        while state.step < end {
            let rows = &batches[(state.step - start) as usize];
            let (gradients, loss, tokens) = trainer
                .gradients(&model, &train, rows, state.step)
                .map_err(|error| not_finite(error, state.step + 1, train.examples.note_ids(rows), run))?;
            let rate = settings.optimizer.schedule(state.step, steps);
            model = optimizer.step(model, gradients, rate).0;
            state.step += 1;
            state.tokens += tokens as u64;
            let speed = (state.tokens - tokens_before) as f64 / clock.elapsed().as_secs_f64();
            progress.advance(1);
            progress.message(format!("loss {loss:.4} {speed:.0} tokens/s"));
            run.log(json!({
                "step": state.step, "epoch": epoch + 1, "loss": loss,
                "learning_rate": rate * settings.optimizer.learning_rate, "tokens": state.tokens,
                "tokens_per_second": speed.round(),
            }))?;
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
    examples: Examples<'a>,
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
        rows: &[u32],
        step: u64,
    ) -> Result<(GradientMap, f64, usize)> {
        let encoder_learns = self.settings.freeze < model.encoder.layers.len() || part.frozen.is_none();
        let micro = micro_batches(rows, &part.examples.lengths, self.budget);
        let step_done = self.replicas.step(model, micro.len(), |model, device, at| {
            let rows_here = micro[at];
            device.seed(stream(self.context.seed, Purpose::Dropout, [step, at as u64]).next_u64());
            let batch = part.examples.batch(rows_here);
            let hidden = self.hidden(model, part, rows_here, &batch, device);
            let real = Inputs::new(&batch, device).real;
            let targets = part.examples.targets(rows_here, self.labels, device);
            let weight = rows_here.len() as f64 / rows.len() as f64;
            let chunk = self.settings.label_chunk;
            let pass =
                loss_and_gradients(&model.head, hidden.clone(), real, targets, chunk, weight, encoder_learns);
            let mut gradients = GradientMap::default();
            if let Some(objective) = pass.encoder_objective(hidden) {
                let mut grads = objective.backward();
                gradients.add_all(GradientMap::take(&model.encoder, "encoder.", &mut grads));
            }
            gradients.add_all(pass.parameters);
            MicroStep { gradients, losses: [pass.loss], tokens: batch.tokens() }
        });
        let [loss] = step_done.losses;
        if !loss.is_finite() {
            bail!("step {}: the loss is not finite ({loss})", step + 1);
        }
        Ok((step_done.gradients, loss, step_done.tokens))
    }

    /// Hidden states with the graph of the layers that learn.
    fn hidden(
        &self,
        model: &BertXml,
        part: &Part<'_>,
        rows: &[u32],
        batch: &WindowBatch,
        device: &Device,
    ) -> Tensor<3> {
        let inputs = Inputs::new(batch, device);
        let Some(frozen) = &part.frozen else {
            return model.encode(&inputs);
        };
        let plain = Inputs::new(batch, &device.clone().inner());
        let states = frozen.states(&model.encoder.valid(), rows, &plain, batch.seq);
        model.encoder.forward_rest(Tensor::from_inner(states), inputs.keep, frozen.layers)
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
