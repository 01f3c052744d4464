//! Numbers that a device may still be computing, and the two ways to fetch them.
//!
//! A server waits for its device (`Unread::read`); a browser must not, and cannot: WebGPU hands results out by
//! promises alone (`Unread::read_async`). Everything else about a prediction is the same code for both.

use burn::tensor::{Tensor, TensorData};
use thiserror::Error;

/// A device that gave no result: lost, out of memory or faulty. Nothing of the note is in the message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the device gave no result: {0}")]
pub struct DeviceError(
    /// What burn says.
    pub String,
);

/// A row of f32.
// One at a time is alive: the difference in size is of no account.
#[allow(clippy::large_enum_variant)]
pub(super) enum Unread {
    /// On a burn device.
    OnDevice(Tensor<1>),
    /// There already.
    Here(Vec<f32>),
}

impl Unread {
    /// Waits for the device.
    ///
    /// # Panics
    /// If the device fails.
    pub fn read(self) -> Vec<f32> {
        match self {
            Self::OnDevice(tensor) => numbers(tensor.into_data()),
            Self::Here(numbers) => numbers,
        }
    }

    /// Lets others run until the device is done; resolves at once for what is there already.
    pub async fn read_async(self) -> Result<Vec<f32>, DeviceError> {
        match self {
            Self::OnDevice(tensor) => {
                let data = tensor.into_data_async().await;
                data.map(numbers).map_err(|error| DeviceError(error.to_string()))
            }
            Self::Here(numbers) => Ok(numbers),
        }
    }
}

fn numbers(data: TensorData) -> Vec<f32> {
    data.try_to_vec().expect("logits and attention are f32 on every device")
}
