//! `--device`: which backend computes, checked before anything is allocated on it.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;

use crate::error::hinted;
use crate::remote::RemoteAddress;
use crate::remote::address::AddressError;
use crate::remote::connect::connect;

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
    /// A device of another machine, which `bert-xml worker` serves.
    Remote(RemoteAddress),
}

/// A word that names no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// None of the words for one.
    #[error("`{0}` is no device; it must be auto, cpu, wgpu, wgpu:INDEX, cuda, cuda:INDEX or remote:ADDRESS")]
    Word(String),
    /// The address behind `remote:`.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// In a list.
    #[error("`{0}` stands twice in the list of devices")]
    Twice(String),
    /// In a list.
    #[error("`auto` stands alone: a list names its devices")]
    AutoInList,
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(word: &str) -> Result<Self, DeviceError> {
        if let Some(address) = word.strip_prefix("remote:") {
            return Ok(Self::Remote(address.parse()?));
        }
        let (kind, index) = word.split_once(':').map_or((word, None), |(kind, index)| (kind, Some(index)));
        let error = || DeviceError::Word(word.to_owned());
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
            Self::Remote(address) => write!(f, "remote:{address}"),
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
            Self::Remote(address) => Ok((connect(address)?, self)),
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

/// Whether NCCL, by which cards add up among themselves, is on this machine.
#[cfg(feature = "cuda")]
pub fn has_nccl() -> bool {
    // SAFETY: NCCL's initialisers have no preconditions; the library is closed again.
    ["libnccl.so.2", "libnccl.so"].into_iter().any(|name| unsafe { libloading::Library::new(name) }.is_ok())
}

/// Whether NCCL, by which cards add up among themselves, is on this machine; this binary has no use for it.
#[cfg(not(feature = "cuda"))]
pub fn has_nccl() -> bool {
    false
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
        for word in ["auto", "cpu", "wgpu:1", "cuda:3", "remote:ws://node7:3000#1"] {
            assert_eq!(word.parse::<DeviceChoice>().unwrap().to_string(), word);
        }
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        for word in ["gpu", "cpu:1", "cuda:x", "cuda:", "remote:", "remote:node7"] {
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
