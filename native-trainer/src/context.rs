//! What every subcommand gets: device, seed, progress display.

use clap::Args;

use crate::devices::DeviceList;
use crate::progress::{Progress, ProgressMode, Unit};

/// Options that every subcommand takes.
#[derive(Clone, Debug, Args)]
pub struct Context {
    /// Where tensors live: auto, cpu, `wgpu[:INDEX]`, `cuda[:INDEX]` or `remote:ADDRESS` of a worker; training shares
    /// its steps over several, as in cuda:0,1,2,3
    #[arg(
        long,
        global = true,
        default_value = "auto",
        env = "BERT_XML_DEVICE",
        help_heading = "Global options"
    )]
    pub device: DeviceList,
    /// Seed of every random stream
    #[arg(long, global = true, default_value_t = 1, help_heading = "Global options")]
    pub seed: u64,
    /// How progress is shown on standard error
    #[arg(long, global = true, value_enum, default_value_t = ProgressMode::Auto, help_heading = "Global options")]
    pub progress: ProgressMode,
}

impl Default for Context {
    /// The defaults of the command line, but silent: what tests use.
    fn default() -> Self {
        Self { device: DeviceList::default(), seed: 1, progress: ProgressMode::None }
    }
}

impl Context {
    /// Starts to show the progress of one step; `total` is in `unit`, none where it is not known.
    pub fn start(&self, step: &str, total: Option<u64>, unit: Unit) -> Progress {
        Progress::start(self.progress, step, total, unit)
    }
}
