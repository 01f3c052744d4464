//! The coder on WebGPU, by way of burn.

use std::cell::RefCell;

use bert_xml_core::infer;
use bert_xml_core::model_folder::{Manifest, ShippedModel};
use burn::tensor::Device;
use burn::tensor::wgpu::{WgpuSetup, wgpu};
use js_sys::Reflect;
use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::coder::{DeviceInfo, LoadedModel};
use crate::errors::{ErrorCode, thrown, thrown_for};
use crate::half::in_half;

/// What the browser says of its adapter.
#[derive(Clone, Serialize)]
pub(crate) struct AdapterDescription {
    /// Empty where the browser does not tell.
    name: String,
    /// Whether a CPU computes for it.
    fallback: bool,
}

/// The one device of this instance: burn registers it for good. A page whose device is lost takes a new instance.
#[derive(Clone)]
struct Gpu {
    device: Device,
    setup: WgpuSetup,
}

thread_local! {
    static GPU: RefCell<Option<Gpu>> = const { RefCell::new(None) };
}

/// Puts a model on the device: in f16 where its shaders can and the probabilities stay, else in f32.
pub(crate) async fn load(model: ShippedModel) -> Result<LoadedModel, JsValue> {
    let gpu = gpu().await?;
    let binding = gpu.setup.device.limits().max_storage_buffer_binding_size;
    check_size(&model, binding)?;
    let folder = model.to_folder();
    drop(model);
    let coder = infer::Coder::from_folder(&folder, &gpu.device);
    let coder = coder.map_err(|error| thrown_for(ErrorCode::Integrity, &error))?;
    let chunk = labels_a_chunk(&folder.manifest, binding);
    drop(folder);
    let half = if gpu.setup.device.features().contains(wgpu::Features::SHADER_F16) {
        in_half(&coder, chunk).await.map_err(|error| thrown_for(ErrorCode::DeviceLost, &error))?
    } else {
        None
    };
    let f16 = half.is_some();
    let info = gpu.setup.adapter.get_info();
    let fallback = info.device_type == wgpu::DeviceType::Cpu;
    let adapter = AdapterDescription { name: info.name, fallback };
    Ok(LoadedModel { coder: half.unwrap_or(coder), chunk, device: DeviceInfo::Webgpu { adapter, f16 } })
}

/// The device of this instance, asked for once, with all that its adapter can.
async fn gpu() -> Result<Gpu, JsValue> {
    let known = || GPU.with_borrow(Clone::clone);
    if let Some(gpu) = known() {
        return Ok(gpu);
    }
    // wgpu panics where there is none to ask.
    let navigator = Reflect::get(&js_sys::global(), &"navigator".into()).unwrap_or_default();
    let has_gpu =
        !navigator.is_falsy() && Reflect::get(&navigator, &"gpu".into()).is_ok_and(|gpu| !gpu.is_falsy());
    if !has_gpu {
        let message = "this browser has no WebGPU, or the page is not a secure context";
        return Err(thrown(ErrorCode::WebgpuUnavailable, message));
    }
    match Device::wgpu_options().init_with_setup_async().await {
        Ok((device, setup)) => {
            let gpu = Gpu { device, setup };
            GPU.replace(Some(gpu.clone()));
            Ok(gpu)
        }
        // Another loader of this instance may have been faster.
        Err(error) => known().ok_or_else(|| thrown_for(ErrorCode::WebgpuUnavailable, &error)),
    }
}

/// Every parameter is bound as a whole.
fn check_size(model: &ShippedModel, binding: u64) -> Result<(), JsValue> {
    let largest =
        model.tensors.values().map(|matrix| (matrix.rows * matrix.cols * 4) as u64).max().unwrap_or(0);
    if largest <= binding {
        return Ok(());
    }
    let message = format!("the model has a tensor of {largest} bytes, this GPU binds at most {binding}");
    Err(thrown(ErrorCode::WebgpuUnavailable, &message))
}

/// As many labels as let scores, `[labels, seq]`, and contexts, `[labels, d_model]`, be bound.
fn labels_a_chunk(manifest: &Manifest, binding: u64) -> usize {
    let config = &manifest.model;
    let row = 4 * manifest.max_len.max(config.encoder.hidden_size).max(config.head_hidden);
    let most = usize::try_from(binding).unwrap_or(usize::MAX) / row;
    infer::PredictOptions::default().chunk.min(most).max(1)
}
