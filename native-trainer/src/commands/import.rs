//! `bert-xml import`.

use anyhow::Result;
use clap::Args;

use crate::context::Context;

/// Options of `import`.
#[derive(Clone, Debug, Args)]
pub struct Options {}

/// Runs the step.
///
/// # Errors
/// Those of the step.
pub fn run(_context: &Context, _options: &Options) -> Result<()> {
    anyhow::bail!("`import` is not built yet")
}
