//! Where a training stands: taken up from the newest checkpoint of its run, and left there again.

use anyhow::{Context, Error, Result};
use bert_xml_core::model::parameters::{export, import};
use burn::module::Module;
use burn::tensor::Device;

use super::adamw::{AdamW, OptimizerSettings};
use super::checkpoint::{Checkpoint, State};
use super::run::Run;
use crate::error::{Interrupted, hinted};
use crate::progress::Progress;

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
/// Whatever the disk says; older checkpoints are untouched then.
pub fn save<M: Module>(state: &State, model: &M, optimizer: &AdamW, run: &Run) -> Result<()> {
    let (optimizer_steps, moments) = optimizer.export();
    let state = State { optimizer_steps, ..state.clone() };
    Checkpoint { state, weights: export(model), optimizer: moments }.save(&run.checkpoints())
}

/// What a loss that is not finite comes to.
pub fn not_finite(error: Error, run: &Run) -> Error {
    let saved = Checkpoint::any(&run.checkpoints());
    let kept = if saved { "the last checkpoint is good" } else { "no checkpoint was saved yet" };
    hinted(
        format!("{error:#}; {kept}"),
        "train anew with a lower --lr or a longer warm-up (optimizer.warmup)",
    )
}

/// What Ctrl-C comes to after a checkpoint.
pub fn interrupted(state: &State, steps: u64, run: &Run) -> Error {
    let (step, folder) = (state.step, run.folder().display());
    Interrupted(format!("step {step} of {steps} is saved in {folder}; go on with --resume")).into()
}
