//! What every subcommand gets: device, seed, progress display; and errors that say what to do.

use std::fmt;

use clap::{Args, ValueEnum};

use crate::device::DeviceChoice;
use crate::progress::{Progress, Unit};

/// Options that every subcommand takes.
#[derive(Clone, Debug, Args)]
pub struct Context {
    /// Where tensors live: auto, cpu, `wgpu[:INDEX]` or `cuda[:INDEX]`
    #[arg(
        long,
        global = true,
        default_value = "auto",
        env = "BERT_XML_DEVICE",
        help_heading = "Global options"
    )]
    pub device: DeviceChoice,
    /// Seed of every random stream
    #[arg(long, global = true, default_value_t = 1, help_heading = "Global options")]
    pub seed: u64,
    /// How progress is shown on standard error
    #[arg(long, global = true, value_enum, default_value_t = ProgressMode::Auto, help_heading = "Global options")]
    pub progress: ProgressMode,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ProgressMode {
    /// A bar where standard error is a terminal, else nothing
    #[default]
    Auto,
    /// A bar
    Bar,
    /// One JSON object a line
    Json,
    /// Nothing
    None,
}

impl Default for Context {
    /// The defaults of the command line, but silent: what tests use.
    fn default() -> Self {
        Self { device: DeviceChoice::Auto, seed: 1, progress: ProgressMode::None }
    }
}

impl Context {
    /// Starts to show the progress of one step; `total` is in `unit`, none where it is not known.
    pub fn start(&self, step: &str, total: Option<u64>, unit: Unit) -> Progress {
        Progress::start(self.progress, step, total, unit)
    }
}

/// An error's advice: printed after the chain as `hint: …`. Made by [`hinted`].
#[derive(Debug)]
pub struct Hint {
    message: String,
    /// What the user can do.
    pub hint: String,
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Hint {}

/// An error with a message and advice.
pub fn hinted(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Hint { message: message.into(), hint: hint.into() })
}
