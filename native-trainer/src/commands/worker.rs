//! `bert-xml worker`.

use std::io::{Write, stdout};
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;

use crate::context::Context;
use crate::device::DeviceChoice;
use crate::remote::serve::{Listen, Serving, serve};
use crate::remote::token::{RELAYS, TOKEN_FILE, read};
use crate::talk;

/// Options of `worker`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Where to listen: iroh:PORT (UDP, encrypted), or `ws://ADDRESS:PORT` on a network that you trust
    #[arg(long, value_name = "iroh:PORT|ws://ADDRESS:PORT")]
    pub listen: Listen,
    /// File with the token that a training must show; without it the environment's BERT_XML_TOKEN
    #[arg(long, env = TOKEN_FILE)]
    pub token_file: Option<PathBuf>,
    /// The worker's key for Iroh, made where there is none; whoever has it can pose as this worker
    #[arg(long, default_value = "worker.key")]
    pub key_file: PathBuf,
    /// How Iroh finds workers that cannot be dialled: disabled, a relay's URL, or public (those of n0, its makers)
    #[arg(long, env = RELAYS)]
    pub relays: Option<String>,
}

/// Runs the step.
///
/// # Errors
/// Those of the step.
pub fn run(context: &Context, options: &Options) -> Result<()> {
    let token = read(options.token_file.as_deref())?;
    let remote = context.device.choices().iter().find(|choice| matches!(choice, DeviceChoice::Remote(_)));
    ensure!(remote.is_none(), "--device {}: a worker serves devices of its own machine", context.device);
    let devices = context.device.open_all()?;
    let serving = Serving {
        listen: options.listen.clone(),
        token,
        key_file: options.key_file.clone(),
        relays: options.relays.clone(),
    };
    let names: Vec<String> = devices.all().iter().map(|(_, choice)| choice.to_string()).collect();
    let devices = devices.all().iter().map(|(device, _)| device.clone()).collect();
    serve(devices, &serving, |place| {
        talk::say(&format!("serving {}; a training takes --device remote:{place}", names.join(",")));
        writeln!(stdout(), "{place}")?;
        Ok(stdout().flush()?)
    })
}
