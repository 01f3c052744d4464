//! The way from a training folder to a shipped one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use bert_xml_core::metrics::calibration::{BINS, expected_calibration_error};
use bert_xml_core::metrics::{Predictions, platt, threshold};
use bert_xml_core::model_folder::{ModelCard, ModelFolder, SHIPPED_MANIFEST, ShippedManifest, ShippedModel};
use bert_xml_core::quantization::Precision;
use serde_json::json;

use super::agreement::Limits;
use super::dev_notes::DevNotes;
use super::names::Names;
use super::remedy::{Comparison, Search};
use super::report::{CalibrationReport, ShippingReport, TensorReport};
use crate::context::Context;
use crate::corpus::Corpus;
use crate::error::hinted;
use crate::files::FolderInTheMaking;
use crate::prediction::ModelPlace;
use crate::prediction::open::{on_cpu, on_slices};

/// What to ship.
#[derive(Clone, Debug)]
pub struct Shipping {
    /// A training folder, or the run that holds it.
    pub model: PathBuf,
    /// The corpus whose dev split calibrates and compares.
    pub corpus: PathBuf,
    /// The folder to write.
    pub out: PathBuf,
    /// How weights are stored.
    pub precision: Precision,
    /// Tensors that stay in f32 all the same.
    pub keep_f32: Names,
    /// Whether 8 bits that go beyond the limits are mended by parts in half precision.
    pub mend: bool,
    /// For people.
    pub card: ModelCard,
    /// Development notes at most.
    pub dev_notes: usize,
}

/// Ships a model; says what that changed. The folder is read back before it is put into its place.
///
/// # Errors
/// A model that is shipped already, damaged or of other labels than the corpus; a pattern of no tensor; `out` holds
/// something already.
pub fn ship(context: &Context, shipping: &Shipping) -> Result<ShippingReport> {
    let mut folder = read_training(shipping)?;
    let names: Vec<&str> = folder.parameters.keys().map(String::as_str).collect();
    shipping.keep_f32.check(&names)?;
    let making = FolderInTheMaking::start(&shipping.out)?;
    let corpus = Corpus::open(&shipping.corpus)?;
    let labels = folder.labels.len();

    // The same engine on both sides: what differs is the weights.
    let reference = on_cpu(on_slices(&folder)?)?;
    let dev = DevNotes::read(&corpus, &reference, shipping.dev_notes)?;
    let logits = dev.logits(context, &reference, "compare: f32");
    drop(reference);
    let probabilities = |logits: &[f32], folder: &ModelFolder| -> Vec<f32> {
        logits.iter().map(|&at| folder.manifest.probability(at)).collect()
    };
    let ece = |table: &[f32]| {
        anyhow::Ok(expected_calibration_error(&Predictions::new(table, &dev.gold, labels)?, BINS))
    };
    let ece_before = ece(&probabilities(&logits, &folder))?;

    // Fitted on f32, so that every precision of a model gives a code the same probability but for its weights.
    let mut choice = platt::choose(&logits, &dev.gold, labels);
    if let Some(line) = &mut choice.calibration {
        (line.slope, line.intercept) = (short(line.slope), short(line.intercept));
        let moved =
            |thresholds: Vec<f64>| thresholds.into_iter().map(|at| short(line.threshold(at))).collect();
        folder.manifest.label_thresholds = folder.manifest.label_thresholds.take().map(moved);
    }
    let threshold_before = folder.manifest.threshold;
    folder.manifest.calibration = choice.calibration;
    folder.manifest.threshold =
        choice.calibration.map_or(threshold_before, |line| line.threshold(threshold_before));

    let asked = ShippedModel::of_folder(&folder, shipping.card.clone(), shipping.precision, |name| {
        shipping.keep_f32.have(name)
    })?;
    let exact = probabilities(&logits, &folder);
    let comparison = Comparison { context, folder: &folder, dev: &dev, exact: &exact };
    let limits = Limits::default();
    let mut after = comparison.probabilities(asked.clone(), &dev, "compare: shipped")?;
    let mut agreement = comparison.agreement(&after)?;
    let (mut contributions, mut remedy, mut shipped) = (Vec::new(), None, asked.clone());
    if !agreement.beyond(&limits).is_empty() {
        let search = Search::new(&comparison, &asked, &after)?;
        contributions = search.contributions();
        if shipping.mend && shipping.precision == Precision::Int8 && !contributions.is_empty() {
            let (model, found, chosen) = search.remedy(&limits, agreement)?;
            (shipped, after) = (model, found);
            agreement = comparison.agreement(&after)?;
            let told = json!({"parts": chosen.parts, "precision": chosen.precision});
            shipped.manifest.provenance.insert("stored_finer".to_owned(), told);
            remedy = Some(chosen);
        }
    }
    let beyond = agreement.beyond(&limits);
    if let Some(tuned) = threshold::tune(&Predictions::new(&after, &dev.gold, labels)?) {
        folder.manifest.threshold = below(tuned.threshold);
    }
    shipped.manifest.threshold = folder.manifest.threshold;

    let (manifest, bytes) = write(&shipped, making.path())?;
    let provenance = |name: &str| Some(folder.manifest.provenance.get(name)?.as_str()?.to_owned());
    let report = ShippingReport {
        model_id: manifest.model_id,
        precision: shipping.precision,
        bytes,
        dev_notes: (dev.ids.len(), dev.of),
        without_tokens: dev.without_tokens,
        chronic_imputation: provenance("chronic_imputation"),
        calibration: CalibrationReport { choice, ece_before, ece_after: ece(&after)? },
        threshold: (folder.manifest.threshold, threshold_before),
        agreement,
        limits,
        beyond,
        remedy,
        contributions,
        tensors: tensors(&folder, &shipped),
    };
    for (name, text) in
        [("report.json", serde_json::to_string_pretty(&report)? + "\n"), ("report.md", report.to_markdown())]
    {
        fs::write(making.path().join(name), text).with_context(|| format!("writing {name}"))?;
    }
    making.finish()?;
    Ok(report)
}

fn read_training(shipping: &Shipping) -> Result<ModelFolder> {
    if let ModelPlace::Coder(place) = ModelPlace::find(&shipping.model)?
        && place.join(SHIPPED_MANIFEST).is_file()
    {
        return Err(hinted(
            format!("{} is shipped already: its weights are no longer those of training", place.display()),
            "give the run of the fine-tuning, or the model folder in it",
        ));
    }
    ModelPlace::read_coder(&shipping.model)
}

fn tensors(folder: &ModelFolder, shipped: &ShippedModel) -> Vec<TensorReport> {
    let stored = shipped.to_folder().parameters;
    let of = |(name, matrix): (&String, &bert_xml_core::quantization::Matrix)| {
        let (trained, stored) = (&folder.parameters[name].data, &stored[name].data);
        let rms = |sum: f64| (sum / trained.len().max(1) as f64).sqrt();
        let square = |value: f64| value * value;
        let errors = || trained.iter().zip(stored).map(|(a, b)| f64::from(*a) - f64::from(*b));
        TensorReport {
            name: name.clone(),
            shape: (matrix.rows, matrix.cols),
            precision: matrix.precision(),
            bytes: matrix.bytes(),
            max_error: errors().map(f64::abs).fold(0.0, f64::max),
            rms_error: rms(errors().map(square).sum()),
            rms_weight: rms(trained.iter().map(|&weight| square(f64::from(weight))).sum()),
        }
    };
    shipped.tensors.iter().map(of).collect()
}

/// Writes the model's files and reads them back; their manifest and bytes.
fn write(shipped: &ShippedModel, place: &Path) -> Result<(ShippedManifest, u64)> {
    let mut bytes = 0;
    for (name, content) in shipped.to_files()? {
        bytes += content.len() as u64;
        fs::write(place.join(&name), content).with_context(|| format!("writing {name}"))?;
    }
    let back = ShippedModel::read(place).context("reading back what was written")?;
    ensure!(back.tensors == shipped.tensors, "what was written reads back as another model");
    Ok((back.manifest, bytes))
}

/// Nine digits behind the point, which JSON gives back exactly.
fn short(value: f64) -> f64 {
    (value * 1e9).round() / 1e9
}

/// A threshold in six digits behind the point that assigns what this one does: rounded down.
fn below(threshold: f64) -> f64 {
    let rounded = (threshold * 1e6).floor() / 1e6;
    if rounded > 0.0 { rounded } else { threshold }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_manifest_are_short_and_a_threshold_never_rises() {
        assert_eq!((short(0.123_456_789_123), short(-2.5)), (0.123_456_789, -2.5));
        assert_eq!((below(0.123_456_9), below(0.25)), (0.123_456, 0.25));
        assert_eq!(below(1e-9), 1e-9, "a threshold of 0 would assign everything");
    }
}
