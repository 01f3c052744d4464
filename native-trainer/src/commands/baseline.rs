//! `bert-xml baseline`.

use anyhow::Result;
use clap::Args;

use crate::context::Context;

/// Options of `baseline`.
#[derive(Clone, Debug, Args)]
pub struct Options {}

/// Runs the step.
///
/// # Errors
/// Those of the step.
pub fn run(_context: &Context, _options: &Options) -> Result<()> {
    anyhow::bail!("`baseline` is not built yet")
}
