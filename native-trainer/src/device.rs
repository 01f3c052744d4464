//! `--device`: which backend computes, checked before anything is allocated on it.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;

use crate::error::hinted;

/// Where tensors live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// CUDA where it is built in and a card answers, else the CPU.
    #[default]
    Auto,
    /// burn's flex backend.
    Cpu,
    /// burn's wgpu backend: its default adapter for 0, else the discrete card of this index, counted from 0.
    Wgpu(usize),
    /// burn's CUDA backend, the card of this index.
    Cuda(usize),
}

/// A word that names no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no device; it must be auto, cpu, wgpu, wgpu:INDEX, cuda or cuda:INDEX")]
pub struct DeviceError(String);

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(word: &str) -> Result<Self, DeviceError> {
        let (kind, index) = word.split_once(':').map_or((word, None), |(kind, index)| (kind, Some(index)));
        let error = || DeviceError(word.to_owned());
        let number = index.map_or(Ok(0), |index| index.parse().map_err(|_| error()));
        match kind {
            "auto" if index.is_none() => Ok(Self::Auto),
            "cpu" if index.is_none() => Ok(Self::Cpu),
            "wgpu" => Ok(Self::Wgpu(number?)),
            "cuda" => Ok(Self::Cuda(number?)),
            _ => Err(error()),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Wgpu(index) => write!(f, "wgpu:{index}"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl DeviceChoice {
    /// The device, without autodiff, and the choice that it came to (never `Auto`).
    ///
    /// # Errors
    /// A backend that this binary was not built with, or a device that this machine does not have; with a
    /// hint at what to install or ask for.
    pub fn open(self) -> anyhow::Result<(Device, Self)> {
        match self {
            Self::Auto => {
                let card = if cfg!(feature = "cuda") { cuda(0).ok() } else { None };
                Ok(card.map_or_else(|| (Device::flex(), Self::Cpu), |device| (device, Self::Cuda(0))))
            }
            Self::Cpu => Ok((Device::flex(), self)),
            Self::Wgpu(index) => Ok((wgpu(index)?, self)),
            Self::Cuda(index) => Ok((cuda(index)?, self)),
        }
    }
}

#[cfg(not(feature = "cuda"))]
fn cuda(index: usize) -> anyhow::Result<Device> {
    Err(hinted(
        format!("device cuda:{index}: this binary was built without CUDA"),
        "build it with `cargo build --release -p bert-xml-trainer --features cuda`, or use --device cpu",
    ))
}

/// burn panics where the driver is missing: ask the dynamic loader first.
#[cfg(feature = "cuda")]
fn cuda(index: usize) -> anyhow::Result<Device> {
    let library = ["libcuda.so.1", "libcuda.so", "nvcuda.dll"]
        .into_iter()
        // SAFETY: the CUDA driver's initialisers have no preconditions; the library is closed again.
        .any(|name| unsafe { libloading::Library::new(name) }.is_ok());
    if !library {
        return Err(hinted(
            format!("device cuda:{index}: no NVIDIA driver (libcuda) on this machine"),
            "install the driver and the CUDA toolkit (NVRTC and headers), or use --device cpu",
        ));
    }
    probed(&format!("cuda:{index}"), move || Device::cuda(index))
}

#[cfg(not(feature = "wgpu"))]
fn wgpu(index: usize) -> anyhow::Result<Device> {
    Err(hinted(
        format!("device wgpu:{index}: this binary was built without wgpu"),
        "build it with `cargo build --release -p bert-xml-trainer --features wgpu`, or use --device cpu",
    ))
}

#[cfg(feature = "wgpu")]
fn wgpu(index: usize) -> anyhow::Result<Device> {
    use burn::tensor::DeviceKind;
    // burn has no index over all adapters: above 0 they are discrete cards, counted from 0 (`wgpu:1` is the second).
    let kind = if index == 0 { DeviceKind::DefaultDevice } else { DeviceKind::DiscreteGpu(index) };
    probed(&format!("wgpu:{index}"), move || Device::wgpu(kind))
}

/// Opens a device and computes one sum on it; the backends panic where that cannot work.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn probed(name: &str, open: impl FnOnce() -> Device + std::panic::UnwindSafe) -> anyhow::Result<Device> {
    let probe = std::panic::catch_unwind(|| {
        let device = open();
        let sum: f32 = burn::tensor::Tensor::<1>::ones([4], &device).sum().into_scalar();
        (device, sum)
    });
    match probe {
        Ok((device, 4.0)) => Ok(device),
        _ => Err(hinted(
            format!("device {name} does not answer"),
            "check the driver and the index, or use --device cpu",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_written() {
        for word in ["auto", "cpu", "wgpu:1", "cuda:3"] {
            assert_eq!(word.parse::<DeviceChoice>().unwrap().to_string(), word);
        }
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        for word in ["gpu", "cpu:1", "cuda:x", "cuda:"] {
            assert!(word.parse::<DeviceChoice>().is_err(), "{word}");
        }
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_missing_backend_says_how_to_get_it() {
        let error = DeviceChoice::Cuda(2).open().unwrap_err();
        assert_eq!(error.to_string(), "device cuda:2: this binary was built without CUDA");
        assert!(DeviceChoice::Auto.open().unwrap().1 == DeviceChoice::Cpu);
    }
}
