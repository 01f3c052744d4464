//! What fine-tuning leaves in its run: a model folder with its provenance.

use anyhow::{Context as _, Result};
use bert_xml_core::model_folder::{Manifest, ModelFolder};
use bert_xml_core::text::Tokenizer;
use serde_json::json;

use super::finetune::Finetuned;
use super::run::Run;
use super::settings::FinetuneSettings;
use crate::corpus::Corpus;
use crate::files::FolderInTheMaking;

/// The manifest of a run's model, if it is there and whole: the run is finished.
pub fn finished_model(run: &Run) -> Option<Manifest> {
    ModelFolder::read(&run.folder().join("model")).ok().map(|model| model.manifest)
}

/// Writes `model/` of the run; one that is there is replaced (see [`finished_model`]).
///
/// # Errors
/// Parts that do not fit each other; whatever the disk says.
pub fn write_model(
    run: &Run,
    settings: &FinetuneSettings,
    done: &Finetuned,
    tokenizer: &Tokenizer,
    corpus: &Corpus,
) -> Result<()> {
    let place = run.folder().join("model");
    if place.exists() {
        std::fs::remove_dir_all(&place).with_context(|| format!("replacing {}", place.display()))?;
    }
    let mut manifest = Manifest::new(done.config.clone());
    (manifest.max_len, manifest.stride) = (settings.max_len, settings.stride());
    manifest.threshold = done.threshold;
    let provenance = json!({
        "run": run.provenance()?, "settings": settings, "epoch": done.epoch, "dev": done.dev,
        "chronic_imputation": corpus.manifest().chronic_imputation(),
    });
    manifest.provenance = provenance.as_object().cloned().unwrap_or_default();
    let folder = ModelFolder::of_model(&done.model, manifest, tokenizer.clone(), corpus.labels().clone())?;
    let making = FolderInTheMaking::start(&place)?;
    folder.write(making.path())?;
    making.finish()
}
