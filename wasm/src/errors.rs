//! Errors as JavaScript sees them: an `Error` whose `code` is stable and says what the caller can do.

use std::error::Error;

use js_sys::Reflect;
use wasm_bindgen::JsValue;

/// Every `code` that this crate throws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorCode {
    /// A file is damaged, swapped, missing, or does not fit the others: fetch it again, or tell who serves it.
    Integrity,
    /// The model was written for a later release: take a newer package.
    #[cfg(feature = "coder")]
    ModelVersion,
    /// What the caller passed cannot be used.
    BadInput,
    /// No adapter or no device: use the CPU build.
    #[cfg(feature = "webgpu")]
    WebgpuUnavailable,
    /// The device failed during a prediction: build another coder.
    #[cfg(feature = "coder")]
    DeviceLost,
}

impl ErrorCode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Integrity => "integrity",
            #[cfg(feature = "coder")]
            Self::ModelVersion => "model-version",
            Self::BadInput => "bad-input",
            #[cfg(feature = "webgpu")]
            Self::WebgpuUnavailable => "webgpu-unavailable",
            #[cfg(feature = "coder")]
            Self::DeviceLost => "device-lost",
        }
    }
}

/// An `Error` with a code.
pub(crate) fn thrown(code: ErrorCode, message: &str) -> JsValue {
    let error = js_sys::Error::new(message);
    Reflect::set(&error, &"code".into(), &code.as_str().into()).expect("an Error takes properties");
    error.into()
}

/// The same from a Rust error and what it was caused by.
pub(crate) fn thrown_for(code: ErrorCode, error: &dyn Error) -> JsValue {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        message += &format!(": {error}");
        source = error.source();
    }
    thrown(code, &message)
}
