//! From files to a coder.

use bert_xml_core::model_folder::{ShippedError, ShippedReader};
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::*;

use crate::coder::Coder;
use crate::errors::{ErrorCode, thrown_for};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = "
export interface ListedFile {
  file: string;
  bytes: number;
  /** Lower-case hexadecimal digits. */
  sha256: string;
}
";

/// Takes a model's files one by one, checks each before it is parsed, and builds the coder.
#[wasm_bindgen]
pub struct ModelLoader {
    reader: ShippedReader,
}

#[wasm_bindgen]
impl ModelLoader {
    /// Reads `manifest.json`. Throws `integrity` for a file that is not one, or was changed, and `model-version` for
    /// one of a later release.
    #[wasm_bindgen(constructor)]
    pub fn new(manifest: &[u8]) -> Result<Self, JsValue> {
        Ok(Self { reader: ShippedReader::new(manifest).map_err(refused)? })
    }

    /// What `manifest.json` says, as JSON has it.
    #[wasm_bindgen(getter, unchecked_return_type = "unknown")]
    pub fn manifest(&self) -> JsValue {
        to_js(self.reader.manifest())
    }

    /// What to fetch, in the order in which to add it.
    #[wasm_bindgen(unchecked_return_type = "ListedFile[]")]
    pub fn files(&self) -> JsValue {
        to_js(&self.reader.manifest().files().collect::<Vec<_>>())
    }

    /// Takes in the file that is due; the bytes are not needed afterwards. Throws `integrity` for a file that is not
    /// what the manifest lists, by its name; one that came damaged can be added again.
    pub fn add(&mut self, file: &str, bytes: &[u8]) -> Result<(), JsValue> {
        self.reader.add(file, bytes).map_err(refused)
    }

    /// The coder. The loader is used up, whatever comes of it. Throws `integrity` where files are missing and
    /// `webgpu-unavailable` where the WebGPU build finds no adapter or gets no device.
    pub async fn finish(self) -> Result<Coder, JsValue> {
        Coder::of_model(self.reader.finish().map_err(refused)?).await
    }
}

/// Objects as `JSON.parse` would give them.
pub(crate) fn to_js(value: &impl Serialize) -> JsValue {
    value.serialize(&Serializer::json_compatible()).expect("plain data")
}

fn refused(error: ShippedError) -> JsValue {
    let code = match &error {
        ShippedError::Newer { .. } => ErrorCode::ModelVersion,
        _ => ErrorCode::Integrity,
    };
    thrown_for(code, &error)
}
