//! `bert-xml prepare`.

use anyhow::Result;
use clap::Args;

use crate::context::Context;

/// Options of `prepare`.
#[derive(Clone, Debug, Args)]
pub struct Options {}

/// Runs the step.
///
/// # Errors
/// Those of the step.
pub fn run(_context: &Context, _options: &Options) -> Result<()> {
    anyhow::bail!("`prepare` is not built yet")
}
