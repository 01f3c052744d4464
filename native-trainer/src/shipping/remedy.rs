//! What to do where integers change a model too much: which parts are to blame, and the cheapest of them in half
//! precision.
//!
//! 1. The notes whose probabilities changed most are the sample.
//! 2. Each part alone is stored in integers, all else as trained: how far does it move the sample? Parts move it
//!    nearly independently of each other, so that their squares add.
//! 3. Parts in the order of what they move a byte: bisection finds the fewest first ones that, in half precision,
//!    bring the sample within the limit.
//! 4. All development notes judge. Where they refuse, the notes that changed most join the sample, and the search
//!    goes on with more parts.

use anyhow::Result;
use bert_xml_core::model_folder::{ModelFolder, ShippedModel};
use bert_xml_core::quantization::{Matrix, Precision};
use serde::Serialize;

use super::agreement::{Agreement, Limits, greatest_change};
use super::dev_notes::DevNotes;
use super::parts::{Part, parts_in_integers};
use crate::context::Context;
use crate::prediction::open::{on_cpu, on_slices};
use crate::progress::{ProgressMode, Unit};

/// Tokens of the sample, about: its last note may go beyond.
const SAMPLE_TOKENS: usize = 8192;
/// Notes of the sample at most.
const SAMPLE_NOTES: usize = 64;
/// Notes that join the sample where all development notes refuse.
const MORE_NOTES: usize = 8;

/// What a part is to blame for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contribution {
    /// The part: a pattern of names, as `--keep-f32` takes it.
    pub part: String,
    /// Root of the mean squared Δ probability on the sample, this part alone in integers.
    pub rms: f64,
    /// Greatest |Δ probability| there.
    pub greatest: f64,
    /// Bytes that half precision would take more.
    pub bytes: usize,
}

/// What was stored finer than asked for, and how it was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Remedy {
    /// The parts, by patterns of names.
    pub parts: Vec<String>,
    /// How they are stored.
    pub precision: Precision,
    /// Bytes that it takes more.
    pub bytes: usize,
    /// Without it.
    pub before: Agreement,
    /// Notes that the search ran on.
    pub sample: usize,
    /// Models that were tried on the sample.
    pub tried: usize,
    /// Models that were tried on all development notes.
    pub judged: usize,
}

/// The development notes with their probabilities in f32: what every variant is compared with.
pub(super) struct Comparison<'a> {
    pub context: &'a Context,
    pub folder: &'a ModelFolder,
    pub dev: &'a DevNotes,
    /// Calibrated, `[notes, labels]`.
    pub exact: &'a [f32],
}

impl Comparison<'_> {
    /// Calibrated probabilities of a model on the CPU engine, where what is stored in integers runs in integers and
    /// activations are rounded too.
    pub fn probabilities(&self, model: ShippedModel, dev: &DevNotes, step: &str) -> Result<Vec<f32>> {
        let silent = Context { progress: ProgressMode::None, ..self.context.clone() };
        let context = if step.is_empty() { &silent } else { self.context };
        let logits = dev.logits(context, &on_cpu(model)?, step);
        Ok(logits.iter().map(|&logit| self.folder.manifest.probability(logit)).collect())
    }

    /// A model's probabilities against f32.
    pub fn agreement(&self, found: &[f32]) -> Result<Agreement> {
        Agreement::of(self.exact, found, &self.dev.gold, self.folder.labels.len())
    }

    /// All notes, those first that changed most.
    fn by_change(&self, found: &[f32]) -> Vec<usize> {
        let labels = self.folder.labels.len();
        let change = |note: usize| {
            let row = note * labels..(note + 1) * labels;
            greatest_change(&self.exact[row.clone()], &found[row])
        };
        let changes: Vec<f64> = (0..self.dev.ids.len()).map(change).collect();
        let mut notes: Vec<usize> = (0..changes.len()).collect();
        notes.sort_by(|&a, &b| changes[b].total_cmp(&changes[a]));
        notes
    }

    fn rows(&self, notes: &[usize]) -> Vec<f32> {
        let labels = self.folder.labels.len();
        notes.iter().flat_map(|&note| &self.exact[note * labels..(note + 1) * labels]).copied().collect()
    }
}

/// A search for the parts to blame, and for a remedy.
pub(super) struct Search<'a> {
    comparison: &'a Comparison<'a>,
    asked: &'a ShippedModel,
    /// As trained.
    exact: ShippedModel,
    /// Those that move the sample most for a byte first.
    parts: Vec<(Part, Contribution)>,
    sample: Vec<usize>,
    tried: usize,
}

impl<'a> Search<'a> {
    /// Finds what each part contributes; `found` are the probabilities of the model as asked for.
    ///
    /// # Errors
    /// Weights that do not fit the manifest.
    pub fn new(comparison: &'a Comparison<'a>, asked: &'a ShippedModel, found: &[f32]) -> Result<Self> {
        let dev = comparison.dev;
        let mut tokens = 0;
        let worst = comparison.by_change(found).into_iter().take(SAMPLE_NOTES);
        let sample: Vec<usize> = worst
            .take_while(|&note| {
                let before = tokens;
                tokens += dev.ids[note].len();
                before < SAMPLE_TOKENS
            })
            .collect();
        let (notes, reference) = (dev.only(&sample), comparison.rows(&sample));
        let parts = parts_in_integers(&asked.tensors);
        let (context, count) = (comparison.context, parts.len() as u64);
        let mut progress = context.start("find what contributes", Some(count), Unit::Tensors);
        let exact = on_slices(comparison.folder)?;
        let mut search = Self { comparison, asked, exact, parts: Vec::new(), sample, tried: 0 };
        for part in parts {
            let mut alone = search.exact.clone();
            alone.tensors.extend(part.tensors.iter().map(|name| (name.clone(), asked.tensors[name].clone())));
            let found = comparison.probabilities(alone, &notes, "")?;
            let square = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).powi(2);
            let sum: f64 = reference.iter().zip(&found).map(square).sum();
            let contribution = Contribution {
                part: part.pattern.clone(),
                rms: (sum / reference.len() as f64).sqrt(),
                greatest: greatest_change(&reference, &found),
                bytes: part.bytes,
            };
            search.parts.push((part, contribution));
            search.tried += 1;
            progress.advance(1);
        }
        progress.finish();
        let gain = |(_, of): &(Part, Contribution)| of.rms.powi(2) / of.bytes.max(1) as f64;
        search.parts.sort_by(|a, b| gain(b).total_cmp(&gain(a)));
        Ok(search)
    }

    /// What each part contributes, most first.
    pub fn contributions(&self) -> Vec<Contribution> {
        let mut all: Vec<Contribution> = self.parts.iter().map(|(_, of)| of.clone()).collect();
        all.sort_by(|a, b| b.rms.total_cmp(&a.rms));
        all
    }

    /// The model with the fewest parts in half precision that all development notes find within the limits, and its
    /// probabilities; with all parts where none is.
    ///
    /// # Errors
    /// Weights that do not fit the manifest.
    pub fn remedy(mut self, limits: &Limits, before: Agreement) -> Result<(ShippedModel, Vec<f32>, Remedy)> {
        let mut judged = 0;
        let mut least = 1;
        loop {
            let count = self.fewest_within(limits, least)?;
            let model = self.variant(count);
            let found =
                self.comparison.probabilities(model.clone(), self.comparison.dev, "compare: finer")?;
            judged += 1;
            let agreement = self.comparison.agreement(&found)?;
            if agreement.beyond(limits).is_empty() || count == self.parts.len() {
                let finer = &self.parts[..count];
                let remedy = Remedy {
                    parts: finer.iter().map(|(part, _)| part.pattern.clone()).collect(),
                    precision: Precision::F16,
                    bytes: finer.iter().map(|(part, _)| part.bytes).sum(),
                    before,
                    sample: self.sample.len(),
                    tried: self.tried,
                    judged,
                };
                return Ok((model, found, remedy));
            }
            let worst = self.comparison.by_change(&found).into_iter().take(MORE_NOTES);
            let more: Vec<usize> = worst.filter(|note| !self.sample.contains(note)).collect();
            self.sample.extend(more);
            least = count + 1;
        }
    }

    /// The fewest first parts, `least` at least, that bring the sample within the limit of a probability; all where
    /// fewer do not.
    fn fewest_within(&mut self, limits: &Limits, least: usize) -> Result<usize> {
        let (notes, reference) = (self.comparison.dev.only(&self.sample), self.comparison.rows(&self.sample));
        let (mut low, mut high) = (least.min(self.parts.len()), self.parts.len());
        while low < high {
            let middle = (low + high) / 2;
            let found = self.comparison.probabilities(self.variant(middle), &notes, "")?;
            self.tried += 1;
            if greatest_change(&reference, &found) <= limits.probability {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(low)
    }

    /// The model as asked for, but for the first `count` parts.
    fn variant(&self, count: usize) -> ShippedModel {
        let mut model = self.asked.clone();
        for name in self.parts[..count].iter().flat_map(|(part, _)| &part.tensors) {
            let exact = &self.exact.tensors[name];
            let finer = Matrix::new(exact.rows, exact.cols, &exact.to_f32(), Precision::F16);
            model.tensors.insert(name.clone(), finer);
        }
        model
    }
}
