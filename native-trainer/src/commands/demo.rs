//! `bert-xml demo`.

use anyhow::Result;
use clap::Args;

use crate::context::Context;

/// Options of `demo`.
#[derive(Clone, Debug, Args)]
pub struct Options {}

/// Runs the step.
///
/// # Errors
/// Those of the step.
pub fn run(_context: &Context, _options: &Options) -> Result<()> {
    anyhow::bail!("`demo` is not built yet")
}
