//! `--precision`: in which numbers matrix products run, checked before a device is asked for them.

use anyhow::Result;
use bert_xml_core::model::Products;
use burn::tensor::Device;

use crate::device::DeviceChoice;
use crate::error::hinted;

/// Precisions as words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Precision {
    /// Single precision
    F32,
    /// Products in bf16; weights, optimizer, softmax, LayerNorm and losses in f32
    Bf16,
}

impl From<Precision> for Products {
    fn from(word: Precision) -> Self {
        match word {
            Precision::F32 => Self::F32,
            Precision::Bf16 => Self::Bf16,
        }
    }
}

/// Refuses numbers that a device does not compute in: burn would give garbage.
///
/// # Errors
/// The device and the numbers, by name.
pub fn check_precision(products: Products, device: &Device, choice: DeviceChoice) -> Result<()> {
    if device.supports_dtype(products.dtype()) {
        return Ok(());
    }
    Err(hinted(
        format!("precision bf16: {choice} does not compute in it"),
        "use --precision f32, or a card with tensor cores for bf16 and --device cuda",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_computes_in_both() {
        for precision in [Precision::F32, Precision::Bf16] {
            check_precision(precision.into(), &Device::flex(), DeviceChoice::Cpu).unwrap();
        }
    }
}
