//! Where a training stands: taken up from the newest checkpoint of its run, and left there again.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Error, Result};
use bert_xml_core::model::parameters::{Values, export, import};
use bert_xml_core::model::weights::write_weights;
use burn::module::Module;
use burn::tensor::Device;
use serde_json::json;

use super::adamw::{AdamW, OptimizerSettings};
use super::checkpoint::{Checkpoint, State};
use super::run::Run;
use crate::error::{Interrupted, hinted};
use crate::files::write_atomic;
use crate::progress::Progress;

/// Which notes gave a loss that is not finite.
const NOT_FINITE: &str = "not-finite.json";
/// What helps against it.
const LOWER: &str = "train anew with a lower --lr or a longer warm-up (optimizer.warmup)";

/// All that a step changes.
pub struct Standing<M> {
    /// The model.
    pub model: M,
    /// Its optimizer.
    pub optimizer: AdamW,
    /// Steps, tokens, best epoch.
    pub state: State,
}

impl<M: Module> Standing<M> {
    /// The newest checkpoint's, or a start with the fresh model where there is none. `device` without autodiff.
    ///
    /// # Errors
    /// No checkpoint is whole, or its weights are not of this model.
    pub fn take_up(
        fresh: M,
        settings: &OptimizerSettings,
        run: &mut Run,
        progress: &mut Progress,
        device: &Device,
    ) -> Result<Self> {
        let Some(found) = Checkpoint::load_newest(&run.checkpoints(), |line| progress.warn(line))? else {
            // Killed before its first checkpoint: all its steps come again.
            run.rewind_metrics(0)?;
            let optimizer = AdamW::new(settings.clone());
            return Ok(Self { model: fresh, optimizer, state: State::default() });
        };
        let Checkpoint { state, mut weights, optimizer: moments } = found;
        let model = import(fresh, &mut weights).context("the checkpoint does not fit the model")?;
        let optimizer = AdamW::import(settings.clone(), state.optimizer_steps, moments, device)?;
        run.rewind_metrics(state.step)?;
        progress.start_at(state.step);
        Ok(Self { model, optimizer, state })
    }
}

/// Writes a checkpoint.
///
/// # Errors
/// Weights that are not finite, or whatever the disk says; older checkpoints are untouched then.
pub fn save<M: Module>(state: &State, model: &M, optimizer: &AdamW, run: &Run) -> Result<()> {
    let (optimizer_steps, moments) = optimizer.export();
    let state = State { optimizer_steps, ..state.clone() };
    let weights = finite_weights(model, state.step)?;
    Checkpoint { state, weights, optimizer: moments }.save(&run.checkpoints())
}

/// Writes the weights of the best epoch so far.
///
/// # Errors
/// Weights that are not finite, or whatever the disk says; those of an earlier epoch are untouched then.
pub fn save_best<M: Module>(step: u64, model: &M, run: &Run) -> Result<()> {
    write_atomic(&run.best_weights(), &write_weights(&finite_weights(model, step)?))
}

/// A step with a finite loss can leave weights that are none: they must not take the place of good ones.
fn finite_weights<M: Module>(model: &M, step: u64) -> Result<BTreeMap<String, Values>> {
    let weights = export(model);
    let spoilt = weights.iter().find(|(_, values)| !values.data.iter().all(|value| value.is_finite()));
    if let Some((name, _)) = spoilt {
        return Err(hinted(
            format!("step {step} left a number in {name} that is not finite: its weights are not saved"),
            LOWER,
        ));
    }
    Ok(weights)
}

/// What a loss that is not finite comes to: `note_ids`, the notes of its batch, are left in the run.
pub fn not_finite<'a>(
    error: Error,
    step: u64,
    note_ids: impl IntoIterator<Item = &'a str>,
    run: &Run,
) -> Error {
    let note_ids: BTreeSet<&str> = note_ids.into_iter().collect();
    let what = json!({"step": step, "error": format!("{error:#}"), "note_ids": note_ids});
    let listed = match write_atomic(&run.folder().join(NOT_FINITE), format!("{what:#}\n").as_bytes()) {
        Ok(()) => format!("its {} notes are listed in {NOT_FINITE} of the run", note_ids.len()),
        Err(unwritten) => format!("its notes could not be listed ({unwritten:#})"),
    };
    let saved = Checkpoint::any(&run.checkpoints());
    let kept =
        if saved { "the checkpoints of earlier steps are untouched" } else { "no checkpoint was saved yet" };
    hinted(format!("{error:#}; {listed}; {kept}"), LOWER)
}

/// What Ctrl-C comes to after a checkpoint.
pub fn interrupted(state: &State, steps: u64, run: &Run) -> Error {
    let (step, folder) = (state.step, run.folder().display());
    Interrupted(format!("step {step} of {steps} is saved in {folder}; go on with --resume")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::LinearConfig;
    use burn::tensor::Tensor;

    #[test]
    fn weights_that_are_not_finite_take_no_good_ones_place() {
        let parent = tempfile::tempdir().unwrap();
        let settings = OptimizerSettings::default();
        let run = Run::start(&parent.path().join("run"), "x", &settings, json!({}), false).unwrap();
        let device = Device::flex();
        let good = LinearConfig::new(2, 1).init(&device);
        save_best(3, &good, &run).unwrap();
        let before = std::fs::read(run.best_weights()).unwrap();
        let mut spoilt = good.clone();
        spoilt.weight = spoilt.weight.map(|_| Tensor::from_data([[1.0], [f32::NAN]], &device));
        let error = save_best(4, &spoilt, &run).unwrap_err().to_string();
        assert!(error.starts_with("step 4 left a number in weight that is not finite"), "{error}");
        let optimizer = AdamW::new(settings);
        assert!(save(&State::default(), &spoilt, &optimizer, &run).is_err());
        assert_eq!(std::fs::read(run.best_weights()).unwrap(), before);
        assert!(!Checkpoint::any(&run.checkpoints()));
    }
}
