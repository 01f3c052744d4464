//! What cards can do at most, by the names that their drivers give: the vendors' figures for dense products (without
//! the doubling for sparse ones), in TFLOP/s.

use bert_xml_core::model::Products;
use burn::tensor::Device;

/// Part of the name; bf16 with sums in f32; f32 outside the tensor cores. The first that fits counts.
const CARDS: [(&str, f64, f64); 15] = [
    ("B200", 2250.0, 80.0),
    ("H200", 989.0, 67.0),
    ("H100 PCIe", 756.0, 51.0),
    ("H100 NVL", 835.0, 60.0),
    ("H100", 989.0, 67.0),
    ("A100", 312.0, 19.5),
    ("A800", 312.0, 19.5),
    ("L40S", 362.0, 91.6),
    ("L40", 181.0, 90.5),
    ("L4", 121.0, 30.3),
    ("A10", 125.0, 31.2),
    ("A40", 150.0, 37.4),
    ("RTX A6000", 155.0, 38.7),
    ("RTX 4090", 165.0, 82.6),
    ("RTX 3090", 71.0, 35.6),
];

/// The card's peak in TFLOP/s, where it is known.
pub(super) fn peak_tflops(card: &str, products: Products) -> Option<f64> {
    let (_, bf16, f32) = CARDS.into_iter().find(|(name, ..)| card.contains(name))?;
    Some(if products == Products::Bf16 { bf16 } else { f32 })
}

/// The name that the driver gives the device's card; none for the CPU.
pub(super) fn name(device: &Device) -> Option<String> {
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    {
        device.identity().map(|identity| identity.name)
    }
    #[cfg(not(any(feature = "cuda", feature = "wgpu")))]
    {
        let _ = device;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_known_by_a_part_of_its_name() {
        let peak = |card| peak_tflops(card, Products::Bf16);
        assert_eq!(peak("NVIDIA H200"), Some(989.0));
        assert_eq!((peak("NVIDIA H100 80GB HBM3"), peak("NVIDIA H100 PCIe")), (Some(989.0), Some(756.0)));
        assert_eq!((peak("NVIDIA L40S"), peak("NVIDIA L4")), (Some(362.0), Some(121.0)));
        assert_eq!(peak_tflops("NVIDIA A100-SXM4-80GB", Products::F32), Some(19.5));
        assert_eq!(peak("llvmpipe (LLVM 15.0.6, 256 bits)"), None);
        assert!(name(&Device::flex()).is_none());
        // A name that holds another comes before it.
        for (at, (name, ..)) in CARDS.iter().enumerate() {
            assert!(CARDS[..at].iter().all(|(before, ..)| !name.contains(before)), "{name}");
        }
    }
}
