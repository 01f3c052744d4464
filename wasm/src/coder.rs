//! A model that is ready to code notes.

use std::rc::Rc;

use bert_xml_core::infer;
use bert_xml_core::model_folder::ShippedModel;
use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::errors::{ErrorCode, thrown_for};
use crate::loader::to_js;
use crate::prediction::Prediction;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
export type DeviceInfo =
  | { kind: "cpu"; simd: "relaxed" | "simd128" }
  | { kind: "webgpu"; adapter: AdapterDescription; f16: boolean };
export interface AdapterDescription {
  /** Empty where the browser does not tell. */
  name: string;
  /** Whether the browser itself says that a CPU computes for it. */
  fallback: boolean;
}
"#;

/// Where a coder runs.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum DeviceInfo {
    #[cfg(not(feature = "webgpu"))]
    Cpu { simd: &'static str },
    #[cfg(feature = "webgpu")]
    Webgpu { adapter: crate::webgpu::AdapterDescription, f16: bool },
}

/// A model with its tokenizer and labels, on a device.
pub(crate) struct LoadedModel {
    pub coder: infer::Coder,
    /// Labels a piece of the XML head.
    pub chunk: usize,
    pub device: DeviceInfo,
}

/// A model that is ready to code notes.
#[wasm_bindgen]
pub struct Coder {
    model: Rc<LoadedModel>,
}

#[wasm_bindgen]
impl Coder {
    /// Where it runs.
    #[wasm_bindgen(getter, unchecked_return_type = "DeviceInfo")]
    pub fn device(&self) -> JsValue {
        to_js(&self.model.device)
    }

    /// Tokenizes a note and cuts it into windows. Throws `bad-input` for a note without tokens.
    pub fn start(&self, note: String) -> Result<Prediction, JsValue> {
        let steps = self.model.coder.steps(&note, self.model.chunk);
        let steps = steps.map_err(|error| thrown_for(ErrorCode::BadInput, &error))?;
        Ok(Prediction::new(self.model.clone(), note, steps))
    }
}

impl Coder {
    /// Builds the model on this build's device.
    pub(crate) async fn of_model(model: ShippedModel) -> Result<Self, JsValue> {
        #[cfg(feature = "webgpu")]
        let model = crate::webgpu::load(model).await?;
        #[cfg(not(feature = "webgpu"))]
        let model = on_cpu(model)?;
        Ok(Self { model: Rc::new(model) })
    }
}

/// The CPU engine on the one thread that a module has.
#[cfg(not(feature = "webgpu"))]
fn on_cpu(model: ShippedModel) -> Result<LoadedModel, JsValue> {
    let coder = infer::Coder::on_cpu(model, 1);
    let coder = coder.map_err(|error| thrown_for(ErrorCode::Integrity, &error))?;
    let simd = if cfg!(target_feature = "relaxed-simd") { "relaxed" } else { "simd128" };
    Ok(LoadedModel { coder, chunk: infer::PredictOptions::default().chunk, device: DeviceInfo::Cpu { simd } })
}
