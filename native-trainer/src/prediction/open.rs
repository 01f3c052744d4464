//! A coder out of a model on disk, on the device that was asked for.

use std::path::Path;

use anyhow::{Context as _, Result};
use bert_xml_core::infer::Coder;
use bert_xml_core::model_folder::{ModelCard, ModelFolder, SHIPPED_MANIFEST, ShippedModel};
use bert_xml_core::quantization::Precision;

use super::place::ModelPlace;
use crate::device::DeviceChoice;
use crate::devices::DeviceList;

/// Reads a model with its head: on the CPU for the CPU engine, in the precision in which it is stored; elsewhere for
/// burn, in f32.
///
/// # Errors
/// The path holds no such model; a device that this machine does not have.
pub fn open_coder(path: &Path, device: DeviceList) -> Result<Coder> {
    let place = ModelPlace::find_coder(path)?;
    let told = || place.display().to_string();
    let (device, choice) = device.open()?;
    if choice != DeviceChoice::Cpu {
        let folder = ModelFolder::read(&place).with_context(told)?;
        return Coder::from_folder(&folder, &device).with_context(told);
    }
    let shipped = if place.join(SHIPPED_MANIFEST).is_file() {
        ShippedModel::read(&place).with_context(told)?
    } else {
        on_slices(&ModelFolder::read(&place).with_context(told)?).with_context(told)?
    };
    on_cpu(shipped).with_context(told)
}

/// A training folder's weights for the CPU engine, as trained.
///
/// # Errors
/// Weights that do not fit the manifest.
pub fn on_slices(folder: &ModelFolder) -> Result<ShippedModel> {
    Ok(ShippedModel::of_folder(folder, ModelCard::default(), Precision::F32, |_| false)?)
}

/// A coder on the CPU engine, with as many threads as rayon has.
///
/// # Errors
/// Weights that do not fit the manifest.
pub fn on_cpu(model: ShippedModel) -> Result<Coder> {
    Ok(Coder::on_cpu(model, rayon::current_num_threads())?)
}
