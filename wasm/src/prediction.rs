//! One note on its way through a model.

use std::rc::Rc;

use bert_xml_core::codes::LabelSet;
use bert_xml_core::infer::{DeviceError, NotePrediction, PredictOptions, Steps};
use bert_xml_core::text::OffsetMap;
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

use crate::coder::LoadedModel;
use crate::errors::{ErrorCode, thrown, thrown_for};
use crate::loader::to_js;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = "
export interface FinishOptions {
  /** Codes to report, most probable first; null for all. */
  topK: number | null;
  /** 0 to 1 instead of the model's own thresholds; null for those. */
  threshold: number | null;
  /** Stretches of evidence a code, at most. */
  evidence: number;
}
export interface PredictionResult {
  tokens: number;
  windows: number;
  /** By falling probability. */
  codes: PredictedCode[];
}
export interface PredictedCode {
  code: string;
  system: string;
  description: string;
  probability: number;
  threshold: number;
  assigned: boolean;
  /** By falling weight. */
  evidence: Evidence[];
}
export interface Evidence {
  /** UTF-16 offsets into the note, the end exclusive. */
  start: number;
  end: number;
  text: string;
  /** Share of the code's attention over its window, 0 to 1. */
  weight: number;
}
";

/// What to report.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FinishOptions {
    top_k: Option<usize>,
    threshold: Option<f64>,
    evidence: usize,
}

#[derive(Serialize)]
struct NoteResult<'a> {
    tokens: usize,
    windows: usize,
    codes: Vec<Code<'a>>,
}

#[derive(Serialize)]
struct Code<'a> {
    code: &'a str,
    system: &'a str,
    description: &'a str,
    probability: f32,
    threshold: f64,
    assigned: bool,
    evidence: Vec<Evidence<'a>>,
}

#[derive(Serialize)]
struct Evidence<'a> {
    start: usize,
    end: usize,
    text: &'a str,
    weight: f32,
}

/// One note on its way through a model. Free it to stop.
#[wasm_bindgen]
pub struct Prediction {
    model: Rc<LoadedModel>,
    note: String,
    steps: Steps,
}

impl Prediction {
    pub(crate) fn new(model: Rc<LoadedModel>, note: String, steps: Steps) -> Self {
        Self { model, note, steps }
    }
}

#[wasm_bindgen]
impl Prediction {
    /// Windows of the note: one step each.
    #[wasm_bindgen(getter)]
    pub fn windows(&self) -> usize {
        self.steps.windows()
    }

    /// Tokens of the note, special ones not counted.
    #[wasm_bindgen(getter)]
    pub fn tokens(&self) -> usize {
        self.steps.tokens()
    }

    /// Sends one window through encoder and labels; true when none is left. Throws `device-lost` where the device
    /// fails.
    pub async fn step(&mut self) -> Result<bool, JsValue> {
        self.steps.step(&self.model.coder).await.map_err(lost)
    }

    /// The codes, after whatever steps are left. The prediction is used up. Throws `bad-input` for options that are
    /// not of their type or range, and `device-lost`.
    #[wasm_bindgen(unchecked_return_type = "PredictionResult")]
    pub async fn finish(
        self,
        #[wasm_bindgen(unchecked_param_type = "FinishOptions")] options: JsValue,
    ) -> Result<JsValue, JsValue> {
        let options = read_options(options)?;
        let coder = &self.model.coder;
        let prediction = self.steps.finish(coder, &options).await.map_err(lost)?;
        Ok(to_js(&described(&prediction, &self.note, coder.labels())))
    }
}

fn read_options(options: JsValue) -> Result<PredictOptions, JsValue> {
    let options: FinishOptions = serde_wasm_bindgen::from_value(options)
        .map_err(|error| thrown(ErrorCode::BadInput, &format!("options: {error}")))?;
    let FinishOptions { top_k, threshold, evidence } = options;
    if let Some(value) = threshold.filter(|value| !(0.0..=1.0).contains(value)) {
        return Err(thrown(ErrorCode::BadInput, &format!("options: threshold = {value}: must be 0 to 1")));
    }
    Ok(PredictOptions { top: top_k, threshold, evidence, ..PredictOptions::default() })
}

fn lost(error: DeviceError) -> JsValue {
    thrown_for(ErrorCode::DeviceLost, &error)
}

/// The prediction in JavaScript's terms: names, and offsets in UTF-16 units.
fn described<'a>(prediction: &NotePrediction, note: &'a str, labels: &'a LabelSet) -> NoteResult<'a> {
    let map = OffsetMap::new(note);
    let codes = prediction.codes.iter().map(|code| {
        let label = labels.get(code.label).expect("a label of this model");
        let evidence = code.evidence.iter().map(|evidence| {
            let span = map.byte_to_utf16(evidence.span).expect("a span of this note");
            let text = evidence.span.slice(note).expect("a span of this note");
            Evidence { start: span.start, end: span.end, text, weight: evidence.weight }
        });
        Code {
            code: &label.code,
            system: label.system.as_str(),
            description: &label.description,
            probability: code.probability,
            threshold: code.threshold,
            assigned: code.assigned,
            evidence: evidence.collect(),
        }
    });
    NoteResult { tokens: prediction.tokens, windows: prediction.windows, codes: codes.collect() }
}
