//! `--device A,B,C`: the devices that a training step is shared over. Every other step of the story takes one.

use std::fmt;
use std::str::FromStr;

use anyhow::Result;
use burn::tensor::Device;

use crate::device::{DeviceChoice, DeviceError};
use crate::error::hinted;
use crate::remote::lost;

/// Devices as the command line names them, at least one.
///
/// Named once and kept to the end of the process: so it can be copied like the settings beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceList(&'static [DeviceChoice]);

impl Default for DeviceList {
    fn default() -> Self {
        Self(&[DeviceChoice::Auto])
    }
}

impl FromStr for DeviceList {
    type Err = DeviceError;

    /// A bare number is another device of the kind before it: `cuda:0,1` is `cuda:0,cuda:1`.
    fn from_str(words: &str) -> Result<Self, DeviceError> {
        let mut list: Vec<DeviceChoice> = Vec::new();
        for word in words.split(',') {
            let next = match (word.parse(), list.last()) {
                (Ok(index), Some(DeviceChoice::Cuda(_))) => DeviceChoice::Cuda(index),
                (Ok(index), Some(DeviceChoice::Wgpu(_))) => DeviceChoice::Wgpu(index),
                _ => word.parse()?,
            };
            // Two replicas on the CPU prove what several cards do; a card twice only takes its memory twice.
            if next != DeviceChoice::Cpu && list.contains(&next) {
                return Err(DeviceError::Twice(next.to_string()));
            }
            list.push(next);
        }
        if list.len() > 1 && list.contains(&DeviceChoice::Auto) {
            return Err(DeviceError::AutoInList);
        }
        Ok(Self(list.leak()))
    }
}

impl fmt::Display for DeviceList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&words.join(","))
    }
}

impl DeviceList {
    /// The one device, for what knows no other, as [`DeviceChoice::open`] gives it.
    ///
    /// # Errors
    /// Several devices, or one that cannot be opened.
    pub fn open(self) -> Result<(Device, DeviceChoice)> {
        match self.0 {
            [only] => only.open(),
            _ => Err(hinted(
                format!("--device {self}: only pretrain and finetune share their work over several devices"),
                "name one",
            )),
        }
    }

    /// All of them, in their order.
    ///
    /// # Errors
    /// One that cannot be opened, or workers that burn cannot move numbers between.
    pub fn open_all(self) -> Result<Devices> {
        let encrypted = |choice: &DeviceChoice| match choice {
            DeviceChoice::Remote(address) => Some(address.is_encrypted()),
            _ => None,
        };
        let mut kinds: Vec<bool> = self.0.iter().filter_map(encrypted).collect();
        kinds.dedup();
        if kinds.len() > 1 {
            return Err(hinted(
                format!(
                    "--device {self}: a worker over WebSocket and one over Iroh cannot send each other numbers"
                ),
                "serve all of them the same way",
            ));
        }
        Ok(Devices(self.0.iter().map(|choice| choice.open()).collect::<Result<_>>()?))
    }

    /// Those that are named, in their order.
    pub fn choices(self) -> &'static [DeviceChoice] {
        self.0
    }
}

/// Devices that were opened, without autodiff. The first one holds the model that learns.
#[derive(Clone, Debug)]
pub struct Devices(Vec<(Device, DeviceChoice)>);

impl From<(Device, DeviceChoice)> for Devices {
    fn from(only: (Device, DeviceChoice)) -> Self {
        Self(vec![only])
    }
}

impl Devices {
    /// The first one.
    pub fn first(&self) -> &(Device, DeviceChoice) {
        &self.0[0]
    }

    /// All of them.
    pub fn all(&self) -> &[(Device, DeviceChoice)] {
        &self.0
    }

    /// The one that decides how much fits: a CPU where there is one.
    pub fn scarcest(&self) -> DeviceChoice {
        let cpu = self.0.iter().map(|(_, choice)| *choice).find(|choice| *choice == DeviceChoice::Cpu);
        cpu.unwrap_or(self.first().1)
    }

    /// Runs work on them. Where a worker is among them, its loss is an error.
    ///
    /// # Errors
    /// Those of the work; a worker that is lost.
    pub fn run<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let remote = |choice: &DeviceChoice| matches!(choice, DeviceChoice::Remote(_));
        let names: Vec<String> = self
            .0
            .iter()
            .map(|(_, choice)| choice)
            .filter(|choice| remote(choice))
            .map(ToString::to_string)
            .collect();
        if names.is_empty() { work() } else { lost::catching(&names.join(","), work) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_number_is_another_device_of_the_kind_before_it() {
        let list: DeviceList = "cuda:0,1,2".parse().unwrap();
        assert_eq!(list.choices(), [0, 1, 2].map(DeviceChoice::Cuda));
        assert_eq!(list.to_string(), "cuda:0,cuda:1,cuda:2");
        let list: DeviceList = "remote:ws://a:1,remote:ws://a:1#1".parse().unwrap();
        assert_eq!(list.to_string(), "remote:ws://a:1,remote:ws://a:1#1");
        for words in ["", "cuda,", "1", "cpu,1", "auto,cpu", "cuda:0,cuda", "cuda:0,gpu"] {
            assert!(words.parse::<DeviceList>().is_err(), "{words}");
        }
        let error = "cuda:1,0,1".parse::<DeviceList>().unwrap_err().to_string();
        assert_eq!(error, "`cuda:1` stands twice in the list of devices");
    }

    #[test]
    fn what_takes_one_device_refuses_several() {
        let list: DeviceList = "cpu,cpu".parse().unwrap();
        let error = list.open().unwrap_err().to_string();
        assert!(error.starts_with("--device cpu,cpu: only pretrain and finetune"), "{error}");
        let devices = list.open_all().unwrap();
        assert_eq!((devices.all().len(), devices.scarcest()), (2, DeviceChoice::Cpu));
        assert!("cpu".parse::<DeviceList>().unwrap().open().is_ok());
    }

    #[test]
    fn workers_of_two_transports_do_not_go_together() {
        let words = format!("remote:ws://127.0.0.1:9,remote:{}@127.0.0.1:9", "0f".repeat(32));
        let error = words.parse::<DeviceList>().unwrap().open_all().unwrap_err().to_string();
        assert!(error.ends_with("cannot send each other numbers"), "{error}");
    }
}
