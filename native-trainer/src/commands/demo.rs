//! `bert-xml demo`: the whole story on a small synthetic hospital.

use std::io::{Write, stdout};
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::context::Context;
use crate::demo::{self, Settings};
use crate::report::{Ink, Page, note_on_terminal, table_on_terminal};

/// Options of `demo`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Folder to write; one that an earlier demo wrote is replaced
    #[arg(long, value_name = "DIR", default_value = "out/demo")]
    pub out: PathBuf,
    /// Patients of the hospital
    #[arg(long, value_name = "N", default_value_t = 620, value_parser = clap::value_parser!(u64).range(30..=1_000_000))]
    pub patients: u64,
    /// Codes of the hospital
    #[arg(long, value_name = "M", default_value_t = 100)]
    pub codes: usize,
    /// Stop each training after this many steps: quicker, and worse
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_steps: Option<u64>,
}

/// Runs the step.
///
/// # Errors
/// Those of [`demo::run`].
pub fn run(context: &Context, options: &Options) -> Result<()> {
    let Options { out, patients, codes, max_steps } = options.clone();
    let page = demo::run(context, &Settings { out, patients, codes, max_steps })?;
    let ink = Ink::of(&stdout());
    stdout().lock().write_all(shown(&page, options, ink).as_bytes())?;
    Ok(())
}

fn shown(page: &Page, options: &Options, ink: Ink) -> String {
    let (within, all) = page.planted_within(5);
    let judged = page.models.first().map_or(0, |model| model.metrics.notes);
    format!(
        "\nA note that no model has seen:\n\n{}\n{within} of its {all} codes are among the first five.\n\n\
         On {judged} test notes:\n\n{}\nReport: {} ({:.0} s for everything)\n\nNext:\n{}\n",
        note_on_terminal(page, ink),
        table_on_terminal(page, ink),
        options.out.join("report.html").display(),
        page.seconds(),
        page.next.iter().map(|command| format!("  {command}")).collect::<Vec<_>>().join("\n")
    )
}
