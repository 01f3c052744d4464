//! The coder: texts in, codes with evidence out.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::Device;
use thiserror::Error;

use super::engine::{CpuEngine, Engine};
use super::evidence::Evidence;
use super::group::Group;
use super::scoring::{WindowPlan, max_logits};
use crate::codes::LabelSet;
use crate::cpu::CpuModelError;
use crate::model::BertXml;
use crate::model_folder::{Manifest, ModelFolder, ModelFolderError, ShippedModel};
use crate::text::{TokenizedNote, Tokenizer};

/// Hidden states are kept for this many tokens before their evidence is read: at 768 units of f32, 100 MB.
const GROUP_TOKENS: usize = 32 * 1024;

/// A model with its tokenizer, labels and settings, on a device without autodiff.
#[derive(Clone, Debug)]
pub struct Coder {
    engine: Engine,
    tokenizer: Tokenizer,
    labels: LabelSet,
    manifest: Manifest,
}

/// Parts that make no coder.
#[derive(Debug, Error)]
pub enum CoderError {
    /// The folder.
    #[error(transparent)]
    Folder(#[from] ModelFolderError),
    /// The CPU engine's weights.
    #[error(transparent)]
    Cpu(#[from] CpuModelError),
}

/// What to report, and how to compute it. `chunk` and `batch_tokens` change speed and memory only.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictOptions {
    /// Codes a note, most probable first; none for all of them.
    pub top: Option<usize>,
    /// Overrides the model's own thresholds.
    pub threshold: Option<f64>,
    /// Stretches of evidence a code, at most.
    pub evidence: usize,
    /// Labels a piece of the XML head.
    pub chunk: usize,
    /// Tokens a batch, padding included.
    pub batch_tokens: usize,
}

impl Default for PredictOptions {
    fn default() -> Self {
        Self { top: Some(15), threshold: None, evidence: 5, chunk: 4096, batch_tokens: 8192 }
    }
}

/// The codes of a note.
#[derive(Clone, Debug, PartialEq)]
pub struct NotePrediction {
    /// Tokens of the note, special ones not counted.
    pub tokens: usize,
    /// Windows that it was cut into.
    pub windows: usize,
    /// By falling probability, ties in the order of the labels.
    pub codes: Vec<CodePrediction>,
}

/// One code of a note.
#[derive(Clone, Debug, PartialEq)]
pub struct CodePrediction {
    /// Index in the label set.
    pub label: usize,
    /// The greatest over the note's windows.
    pub probability: f32,
    /// The threshold that it was held against.
    pub threshold: f64,
    /// Whether it reaches the threshold.
    pub assigned: bool,
    /// From the window with the greatest probability, by falling weight. The CLS head has none to give.
    pub evidence: Vec<Evidence>,
}

/// A note in which the tokenizer finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the note has no tokens: there is nothing to code")]
pub struct EmptyNote;

impl Coder {
    /// A coder from its parts.
    ///
    /// # Errors
    /// Parts that do not fit each other.
    ///
    /// # Panics
    /// If the model lies on an autodiff device, where it would drop out: pass `model.valid()`.
    pub fn new(
        model: BertXml,
        manifest: Manifest,
        tokenizer: Tokenizer,
        labels: LabelSet,
    ) -> Result<Self, ModelFolderError> {
        assert!(!model.device().is_autodiff(), "a coder takes a model without autodiff: `model.valid()`");
        let folder = ModelFolder { manifest, tokenizer, labels, parameters: BTreeMap::new() };
        folder.validate()?;
        let ModelFolder { manifest, tokenizer, labels, .. } = folder;
        Ok(Self { engine: Engine::Burn(model), tokenizer, labels, manifest })
    }

    /// A model folder's or a shipped model's coder on the CPU engine, with so many threads: layers run in the
    /// precision in which they are stored.
    ///
    /// # Errors
    /// Weights that do not fit the manifest.
    pub fn on_cpu(model: ShippedModel, threads: usize) -> Result<Self, CoderError> {
        let ShippedModel { manifest, tokenizer, labels, tensors } = model;
        let engine = CpuEngine::new(&manifest.config, tensors, threads)?;
        Ok(Self { engine: Engine::Cpu(Arc::new(engine)), tokenizer, labels, manifest: manifest.settings() })
    }

    /// What computes.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Loads a model folder's model onto a device.
    ///
    /// # Errors
    /// Weights that do not fit the manifest.
    pub fn from_folder(folder: &ModelFolder, device: &Device) -> Result<Self, ModelFolderError> {
        let model = folder.to_model(device)?;
        Self::new(model, folder.manifest.clone(), folder.tokenizer.clone(), folder.labels.clone())
    }

    /// The labels, in the order of the outputs.
    pub fn labels(&self) -> &LabelSet {
        &self.labels
    }

    /// The vocabulary.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// What `model.json` says.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Codes with evidence for each text, in order; an empty note has its own error and disturbs no other.
    pub fn predict(
        &self,
        texts: &[&str],
        options: &PredictOptions,
    ) -> Vec<Result<NotePrediction, EmptyNote>> {
        let mut results: Vec<Result<NotePrediction, EmptyNote>> = vec![Err(EmptyNote); texts.len()];
        let (mut notes, mut places, mut tokens) = (Vec::new(), Vec::new(), 0);
        for (place, text) in texts.iter().enumerate() {
            let note = self.tokenizer.encode(text);
            if note.is_empty() {
                continue;
            }
            if tokens + note.len() > GROUP_TOKENS {
                self.predict_group(std::mem::take(&mut notes), &places, options, &mut results);
                places.clear();
                tokens = 0;
            }
            tokens += note.len();
            notes.push(note);
            places.push(place);
        }
        self.predict_group(notes, &places, options, &mut results);
        results
    }

    /// Codes the notes of a group, each result at its place.
    fn predict_group(
        &self,
        notes: Vec<TokenizedNote>,
        places: &[usize],
        options: &PredictOptions,
        results: &mut [Result<NotePrediction, EmptyNote>],
    ) {
        let mut group = Group::new(notes, self, self.plan(options), options.evidence > 0);
        while let Some((batch, logits)) = group.encode_next(self) {
            group.add(batch, &logits.read());
        }
        let mut predictions = group.rank(self, options);
        for question in group.questions(&predictions) {
            let attention = group.ask(self, &question).read();
            group.answer(&question, &attention, options.evidence, &mut predictions);
        }
        for (&place, prediction) in places.iter().zip(predictions) {
            results[place] = Ok(prediction);
        }
    }

    /// Probabilities of every code for every text: dense, `[notes, labels]`.
    ///
    /// # Errors
    /// The index of the first empty note.
    pub fn probabilities(&self, texts: &[&str], options: &PredictOptions) -> Result<Vec<f32>, usize> {
        let notes: Vec<TokenizedNote> = texts.iter().map(|text| self.tokenizer.encode(text)).collect();
        if let Some(empty) = notes.iter().position(TokenizedNote::is_empty) {
            return Err(empty);
        }
        let ids: Vec<&[u32]> = notes.iter().map(|note| note.ids.as_slice()).collect();
        Ok(self.probabilities_of_tokens(&ids, options))
    }

    /// Probabilities of every code for notes that are token ids already: dense, `[notes, labels]`. Special tokens
    /// are added here.
    ///
    /// # Panics
    /// If a note has no token.
    pub fn probabilities_of_tokens(&self, notes: &[&[u32]], options: &PredictOptions) -> Vec<f32> {
        assert!(notes.iter().all(|note| !note.is_empty()), "a note without tokens has no probabilities");
        let logits = self.logits_of_tokens(notes, options);
        logits.into_iter().map(|logit| self.manifest.probability(logit)).collect()
    }

    /// Logits of every code for notes that are token ids already, the greatest over each note's windows: dense,
    /// `[notes, labels]`; −∞ for a note without tokens.
    pub fn logits_of_tokens(&self, notes: &[&[u32]], options: &PredictOptions) -> Vec<f32> {
        max_logits(&self.engine, notes, &self.plan(options), &self.tokenizer.special())
    }

    pub(super) fn plan(&self, options: &PredictOptions) -> WindowPlan {
        WindowPlan {
            max_len: self.manifest.max_len,
            stride: self.manifest.stride,
            chunk: options.chunk.max(1),
            batch_tokens: options.batch_tokens,
        }
    }

    /// The reported codes without their evidence.
    pub(super) fn rank(&self, logits: &[f32], options: &PredictOptions) -> Vec<CodePrediction> {
        let mut order: Vec<usize> = (0..logits.len()).collect();
        let probabilities: Vec<f32> = logits.iter().map(|&logit| self.manifest.probability(logit)).collect();
        order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]).then(a.cmp(&b)));
        order.truncate(options.top.unwrap_or(logits.len()));
        let code = |label| {
            let probability = probabilities[label];
            let threshold = options.threshold.unwrap_or_else(|| self.manifest.threshold_of(label));
            let assigned = f64::from(probability) >= threshold;
            CodePrediction { label, probability, threshold, assigned, evidence: Vec::new() }
        };
        order.into_iter().map(code).collect()
    }
}

#[cfg(test)]
#[path = "coder_tests.rs"]
mod tests;
