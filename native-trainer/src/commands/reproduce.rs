//! `bert-xml reproduce`: every row, table, figure and claim of the paper on data that anyone may have.

use std::io::{Write, stdout};
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;

use crate::context::Context;
use crate::error::hinted;
use crate::reproduce::{self, ROWS, Scale, Settings, Shapes, Suite};

/// Options of `reproduce`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// The data
    #[arg(long, value_enum)]
    pub suite: Suite,
    /// How much machine there is
    #[arg(long, value_enum, default_value_t = Scale::Laptop)]
    pub scale: Scale,
    /// Folder to write; one that an earlier call of the same suite, scale and seed left is gone on with
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The published records: JSON Lines of VAERS, ClinicalTrials.gov or CodiEsp
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// BERT off the shelf for rows 3 to 5, a Hugging Face folder; without it they are not applicable
    #[arg(long, value_name = "HF_DIR")]
    pub bert: Option<PathBuf>,
    /// BioBERT v1.1 for row 6
    #[arg(long, value_name = "HF_DIR")]
    pub biobert: Option<PathBuf>,
    /// Bio+Discharge Summary BERT for row 7
    #[arg(long, value_name = "HF_DIR")]
    pub discharge_bert: Option<PathBuf>,
    /// Train only these rows now, such as 1,8,10 [default: all]
    #[arg(long, value_name = "ROW,…", value_delimiter = ',')]
    pub rows: Vec<String>,
}

/// Runs the step.
///
/// # Errors
/// A row that there is not, and those of [`reproduce::run`].
pub fn run(context: &Context, options: &Options) -> Result<()> {
    if let Some(unknown) = options.rows.iter().find(|id| reproduce::find(id).is_none()) {
        let known: Vec<&str> = ROWS.iter().map(|row| row.id).collect();
        return Err(hinted(
            format!("--rows: there is no row {unknown}"),
            format!("there are {}", known.join(", ")),
        ));
    }
    ensure!(
        options.suite != Suite::Cohort || options.input.is_none(),
        "--input: the suite cohort makes its own records"
    );
    let Options { suite, scale, out, input, bert, biobert, discharge_bert, rows } = options.clone();
    let shapes = Shapes::of(scale).on(suite, scale);
    let settings = Settings { suite, scale, shapes, out, input, bert, biobert, discharge_bert, rows };
    let told = reproduce::run(context, &settings)?;
    let mut out = stdout().lock();
    for claim in &told.claims {
        writeln!(out, "{:>15}  {}: {}", claim.verdict.printed(), claim.claim, claim.ours)?;
    }
    Ok(())
}
