//! The coder: texts in, codes with evidence out.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::Device;
use thiserror::Error;

use super::engine::{CpuEngine, Encoded, Engine};
use super::evidence::{Evidence, heaviest_words};
use super::scoring::{Best, WindowPlan, max_logits, plan_batches};
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
    /// Whether it reaches the threshold.
    pub assigned: bool,
    /// From the window with the greatest probability, by falling weight. The CLS head has none to give.
    pub evidence: Vec<Evidence>,
}

/// A note in which the tokenizer finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the note has no tokens: there is nothing to code")]
pub struct EmptyNote;

/// One note's work in a group.
struct Pending<'t> {
    note: &'t TokenizedNote,
    /// Where the result goes.
    index: usize,
}

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
        let notes: Vec<TokenizedNote> = texts.iter().map(|text| self.tokenizer.encode(text)).collect();
        let mut results: Vec<Result<NotePrediction, EmptyNote>> = vec![Err(EmptyNote); notes.len()];
        let mut group: Vec<Pending<'_>> = Vec::new();
        let mut tokens = 0;
        for (index, note) in notes.iter().enumerate().filter(|(_, note)| !note.is_empty()) {
            if tokens + note.len() > GROUP_TOKENS {
                self.predict_group(&group, options, &mut results);
                group.clear();
                tokens = 0;
            }
            tokens += note.len();
            group.push(Pending { note, index });
        }
        self.predict_group(&group, options, &mut results);
        results
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

    fn plan(&self, options: &PredictOptions) -> WindowPlan {
        WindowPlan {
            max_len: self.manifest.max_len,
            stride: self.manifest.stride,
            chunk: options.chunk.max(1),
            batch_tokens: options.batch_tokens,
        }
    }

    fn predict_group(
        &self,
        group: &[Pending<'_>],
        options: &PredictOptions,
        results: &mut [Result<NotePrediction, EmptyNote>],
    ) {
        let (labels, plan) = (self.labels.len(), self.plan(options));
        let ids: Vec<&[u32]> = group.iter().map(|pending| pending.note.ids.as_slice()).collect();
        let mut best = Best::new(group.len(), labels);
        let mut windows = vec![0; group.len()];
        let mut batches = Vec::new();
        let keep = options.evidence > 0 && self.engine.has_attention();
        for rows in plan_batches(&ids, &plan) {
            let special = self.tokenizer.special();
            let batch = self.engine.encode(&ids, rows, &plan, &special);
            best.add(batch.rows(), &self.engine.logits(&batch, plan.chunk));
            batch.rows().iter().for_each(|row| windows[row.note] += 1);
            if keep {
                batches.push(batch);
            }
        }
        for (at, pending) in group.iter().enumerate() {
            let logits = &best.logits[at * labels..(at + 1) * labels];
            results[pending.index] = Ok(NotePrediction {
                tokens: pending.note.len(),
                windows: windows[at],
                codes: self.rank(logits, options),
            });
        }
        for batch in &batches {
            for (row, window) in batch.rows().iter().enumerate() {
                let starts = &best.start[window.note * labels..(window.note + 1) * labels];
                let pending = &group[window.note];
                let Ok(prediction) = &mut results[pending.index] else { continue };
                let mut codes: Vec<&mut CodePrediction> = prediction
                    .codes
                    .iter_mut()
                    .filter(|code| starts[code.label] as usize == window.span.start)
                    .collect();
                for codes in codes.chunks_mut(plan.chunk) {
                    self.add_evidence(codes, batch, row, pending.note, options.evidence);
                }
            }
        }
    }

    /// The reported codes without their evidence.
    fn rank(&self, logits: &[f32], options: &PredictOptions) -> Vec<CodePrediction> {
        let mut order: Vec<usize> = (0..logits.len()).collect();
        let probabilities: Vec<f32> = logits.iter().map(|&logit| self.manifest.probability(logit)).collect();
        order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]).then(a.cmp(&b)));
        order.truncate(options.top.unwrap_or(logits.len()));
        let code = |label| {
            let probability = probabilities[label];
            let threshold = options.threshold.unwrap_or_else(|| self.manifest.threshold_of(label));
            let assigned = f64::from(probability) >= threshold;
            CodePrediction { label, probability, assigned, evidence: Vec::new() }
        };
        order.into_iter().map(code).collect()
    }

    /// A second, small pass: the attention of a few codes over the kept hidden states of one window.
    fn add_evidence(
        &self,
        codes: &mut [&mut CodePrediction],
        batch: &Encoded,
        row: usize,
        note: &TokenizedNote,
        spans: usize,
    ) {
        let window = batch.rows()[row].span;
        let indices: Vec<usize> = codes.iter().map(|code| code.label).collect();
        let attention = self.engine.attention(batch, row, &indices);
        for (code, attention) in codes.iter_mut().zip(attention.chunks_exact(window.len())) {
            code.evidence = heaviest_words(note, window, attention, spans);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infer::scoring::encode_batch;
    use crate::metrics::{Calibration, CalibrationMethod};
    use crate::model::Head;
    use crate::model::parameters::{export, import};
    use crate::model::{EncoderConfig, HeadKind, ModelConfig};
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const WORDS: [&str; 6] = ["fever", "cough", "diabetes", "no", "chest", "pain"];

    fn coder(head: HeadKind, max_len: usize) -> Coder {
        let vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nfever\ncough\ndia\n##betes\nno\nchest\npain\n.\n";
        let tokenizer = Tokenizer::from_vocab(vocab, true).unwrap();
        let encoder = EncoderConfig {
            vocab_size: 13,
            hidden_size: 8,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            intermediate_size: 16,
            max_position_embeddings: 40,
            ..EncoderConfig::default()
        };
        let labels: String = (0..7).map(|at| format!("local\tC{at}\tCode {at}\n")).collect();
        let labels = LabelSet::from_tsv(format!("system\tcode\tdescription\n{labels}").as_bytes()).unwrap();
        let config = ModelConfig::new(encoder, head, 7);
        let model = fixed(config.init(&Device::flex()).unwrap());
        let manifest = Manifest { max_len, stride: (max_len - 2).div_ceil(2), ..Manifest::new(config) };
        Coder::new(model, manifest, tokenizer, labels).unwrap()
    }

    fn sigmoid(logit: f32) -> f32 {
        1.0 / (1.0 + (-logit).exp())
    }

    #[test]
    fn calibration_moves_probabilities_and_keeps_their_order() {
        let plain = coder(HeadKind::Xml, 40);
        let line = Calibration { method: CalibrationMethod::Platt, slope: 0.5, intercept: -1.0 };
        let mut calibrated = plain.clone();
        calibrated.manifest.calibration = Some(line);
        let options = PredictOptions { top: None, ..PredictOptions::default() };
        let ids = plain.tokenizer.encode("fever, no cough").ids;
        let logits = plain.logits_of_tokens(&[&ids], &options);
        let codes = |coder: &Coder| coder.predict(&["fever, no cough"], &options).remove(0).unwrap().codes;
        for (before, after) in codes(&plain).iter().zip(codes(&calibrated)) {
            assert_eq!(before.label, after.label);
            assert_eq!(before.probability, sigmoid(logits[before.label]));
            assert_eq!(after.probability, line.probability(logits[after.label]));
            assert_eq!(after.assigned, after.probability >= 0.5);
        }
    }

    /// The same weights in every run, wide enough that notes and labels differ.
    fn fixed(model: BertXml) -> BertXml {
        let mut stream = ChaCha8Rng::seed_from_u64(5);
        let mut values = export(&model);
        for (path, values) in &mut values {
            let centre = if path.ends_with("gamma") { 1.0 } else { 0.0 };
            values.data.iter_mut().for_each(|value| *value = centre + stream.random_range(-0.8..0.8));
        }
        import(model, &mut values).unwrap()
    }

    fn close(a: &[f32], b: &[f32]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-6)
    }

    fn text(words: &[usize]) -> String {
        words.iter().map(|&word| WORDS[word % WORDS.len()]).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn codes_come_by_falling_probability_and_thresholds_assign() {
        let coder = coder(HeadKind::Xml, 40);
        let all = PredictOptions { top: None, ..PredictOptions::default() };
        let prediction = coder.predict(&["fever, no cough"], &all).remove(0).unwrap();
        let probabilities = coder.probabilities(&["fever, no cough"], &all).unwrap();
        assert_eq!((prediction.tokens, prediction.windows, prediction.codes.len()), (4, 1, 7));
        assert!(prediction.codes.windows(2).all(|pair| pair[0].probability >= pair[1].probability));
        for code in &prediction.codes {
            assert_eq!(code.probability, probabilities[code.label]);
            assert_eq!(code.assigned, code.probability >= 0.5);
        }
        let third = f64::from(prediction.codes[2].probability);
        let few = PredictOptions { top: Some(5), threshold: Some(third), ..all };
        let assigned: Vec<bool> = coder.predict(&["fever, no cough"], &few)[0]
            .as_ref()
            .unwrap()
            .codes
            .iter()
            .map(|c| c.assigned)
            .collect();
        assert_eq!(assigned, [true, true, true, false, false]);
    }

    #[test]
    fn an_empty_note_is_an_error_and_disturbs_no_other() {
        let coder = coder(HeadKind::Xml, 40);
        let options = PredictOptions::default();
        let results = coder.predict(&["fever", " \u{0}", "cough"], &options);
        assert_eq!(results[1], Err(EmptyNote));
        assert_eq!(results[0], coder.predict(&["fever"], &options)[0]);
        assert_eq!(coder.probabilities(&["fever", ""], &options), Err(1));
        assert!(coder.predict(&[], &options).is_empty());
    }

    #[test]
    fn the_cls_head_has_no_evidence() {
        let prediction =
            coder(HeadKind::Cls, 40).predict(&["fever"], &PredictOptions::default()).remove(0).unwrap();
        assert!(prediction.codes.iter().all(|code| code.evidence.is_empty()));
    }

    #[test]
    fn the_cpu_engine_says_what_burn_says_with_the_same_evidence() {
        for head in [HeadKind::Xml, HeadKind::Cls] {
            let burn = coder(head, 12);
            let Engine::Burn(model) = &burn.engine else { unreachable!() };
            let (manifest, tokenizer) = (burn.manifest.clone(), burn.tokenizer.clone());
            let folder = ModelFolder::of_model(model, manifest, tokenizer, burn.labels.clone()).unwrap();
            let shipped = ShippedModel::of_folder(
                &folder,
                Default::default(),
                crate::quantization::Precision::F32,
                |_| false,
            );
            let notes: Vec<String> = (0..7)
                .map(|at| text(&(0..3 + 9 * at).map(|i| (i * i + i / 3 + at) % 6).collect::<Vec<_>>()))
                .collect();
            let notes: Vec<&str> = notes.iter().map(String::as_str).collect();
            let options = PredictOptions { top: None, ..PredictOptions::default() };
            for threads in [1, 3] {
                let cpu = Coder::on_cpu(shipped.as_ref().unwrap().clone(), threads).unwrap();
                for (ours, theirs) in cpu.predict(&notes, &options).iter().zip(burn.predict(&notes, &options))
                {
                    let (ours, theirs) = (ours.as_ref().unwrap(), theirs.unwrap());
                    assert_eq!((ours.tokens, ours.windows), (theirs.tokens, theirs.windows));
                    let by_label = |mut codes: Vec<CodePrediction>| {
                        codes.sort_by_key(|code| code.label);
                        codes
                    };
                    for (a, b) in by_label(ours.codes.clone()).iter().zip(by_label(theirs.codes)) {
                        assert!((a.probability - b.probability).abs() <= 1e-4, "{a:?} for {b:?}");
                        assert_eq!(a.evidence.len(), b.evidence.len());
                        for (a, b) in a.evidence.iter().zip(&b.evidence) {
                            assert!((a.weight - b.weight).abs() <= 1e-4, "{a:?} for {b:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn evidence_of_a_long_note_is_that_of_the_window_that_won() {
        let coder = coder(HeadKind::Xml, 12);
        let words: Vec<usize> = (0..50).map(|at| (at * at + at / 3) % 6).collect();
        let note = text(&words);
        let options = PredictOptions { top: None, ..PredictOptions::default() };
        let prediction = coder.predict(&[&note], &options).remove(0).unwrap();
        assert!(prediction.windows > 8);
        // The plain way: every window alone, all labels at once.
        let tokens = coder.tokenizer.encode(&note);
        let Engine::Burn(model) = &coder.engine else { unreachable!() };
        let Head::Xml(head) = &model.head else { unreachable!() };
        let mut best = vec![(f32::NEG_INFINITY, Vec::new()); 7];
        let mut winners = std::collections::BTreeSet::new();
        for span in crate::text::windows(tokens.len(), 12, 5) {
            let window = crate::text::build_window(&tokens.ids, span, &coder.tokenizer.special());
            let batch = crate::data::pad_windows(&[window], &coder.tokenizer.special(), 1, 12);
            let inputs = crate::model::Inputs::new(&batch, &model.device());
            let output = head.attend(model.encode(&inputs), inputs.real, head.part());
            let logits = output.logits.into_data().try_to_vec::<f32>().unwrap();
            let attention = output.attention.into_data().try_to_vec::<f32>().unwrap();
            for (label, row) in attention.chunks_exact(batch.seq).enumerate() {
                if logits[label] > best[label].0 {
                    let found = heaviest_words(&tokens, span, &row[1..=span.len()], options.evidence);
                    best[label] = (logits[label], found);
                    winners.insert(span.start);
                }
            }
        }
        assert!(winners.len() > 1, "more than one window wins");
        for code in &prediction.codes {
            let (logit, evidence) = &best[code.label];
            assert!((code.probability - sigmoid(*logit)).abs() <= 1e-6);
            let spans = |evidence: &[Evidence]| evidence.iter().map(|e| e.span).collect::<Vec<_>>();
            assert_eq!(spans(&code.evidence), spans(evidence));
            assert!(code.evidence.iter().zip(evidence).all(|(a, b)| (a.weight - b.weight).abs() <= 1e-5));
        }
        let second = tokens.spans[10].start;
        let behind = |code: &CodePrediction| code.evidence[0].span.start >= second;
        assert!(prediction.codes.iter().any(behind), "all evidence lies in the first window");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn padding_batch_mates_and_chunks_change_no_probability(
            notes in prop::collection::vec(prop::collection::vec(0usize..6, 1..60), 1..6),
            chunk in 1usize..8, batch_tokens in 1usize..300,
        ) {
            for head in [HeadKind::Xml, HeadKind::Cls] {
                let coder = coder(head, 24);
                let texts: Vec<String> = notes.iter().map(|words| text(words)).collect();
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                let together = PredictOptions { chunk, batch_tokens, top: None, ..PredictOptions::default() };
                let mixed = coder.probabilities(&texts, &together).unwrap();
                let alone: Vec<f32> = texts
                    .iter()
                    .flat_map(|text| coder.probabilities(&[text], &PredictOptions::default()).unwrap())
                    .collect();
                prop_assert!(close(&mixed, &alone), "{mixed:?} {alone:?}");
                for (at, prediction) in coder.predict(&texts, &together).into_iter().enumerate() {
                    for code in prediction.unwrap().codes {
                        prop_assert!((code.probability - alone[at * 7 + code.label]).abs() <= 1e-6);
                    }
                }
            }
        }

        #[test]
        fn evidence_is_whole_words_and_weighs_at_most_one(
            words in prop::collection::vec(0usize..6, 1..80), spans in 1usize..6,
        ) {
            let coder = coder(HeadKind::Xml, 24);
            let note = text(&words);
            let options = PredictOptions { evidence: spans, top: Some(3), ..PredictOptions::default() };
            let prediction = coder.predict(&[&note], &options).remove(0).unwrap();
            for code in prediction.codes {
                prop_assert!((1..=spans).contains(&code.evidence.len()));
                let total: f32 = code.evidence.iter().map(|evidence| evidence.weight).sum();
                prop_assert!(total > 0.0 && total <= 1.0 + 1e-5, "{total}");
                for evidence in code.evidence {
                    let slice = evidence.span.slice(&note).unwrap();
                    prop_assert!(slice.split(' ').all(|word| WORDS.contains(&word)), "{slice}");
                }
            }
        }

        #[test]
        fn attention_over_a_windows_real_tokens_sums_to_one(words in prop::collection::vec(0usize..6, 1..20)) {
            let coder = coder(HeadKind::Xml, 40);
            let note = coder.tokenizer.encode(&text(&words));
            let options = PredictOptions { evidence: note.len(), top: None, ..PredictOptions::default() };
            let plan = coder.plan(&options);
            let rows = plan_batches(&[&note.ids], &plan).remove(0);
            let special = coder.tokenizer.special();
            let Engine::Burn(model) = &coder.engine else { unreachable!() };
            let batch = encode_batch(&model.encoder, &[&note.ids], rows, &plan, &special, &model.device());
            let Head::Xml(head) = &model.head else { unreachable!() };
            let output = head.attend(batch.hidden.clone(), batch.inputs.real.clone(), head.part());
            let [_, labels, seq] = output.attention.dims();
            let attention = output.attention.into_data().try_to_vec::<f32>().unwrap();
            prop_assert_eq!(labels, 7);
            for row in attention.chunks_exact(seq) {
                let real: f32 = row[1..=note.len()].iter().sum();
                prop_assert!((real - 1.0).abs() <= 1e-5, "{}", real);
                prop_assert!(row[0] == 0.0 && row[note.len() + 1..].iter().all(|&rest| rest == 0.0));
            }
        }
    }
}
