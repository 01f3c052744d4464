//! The command line: subcommands in the order of the story.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands;
use crate::context::Context;
use crate::error::{Hint, Interrupted};
use crate::progress::ProgressMode;
use crate::{interrupt, talk};

/// Automated ICD-10 coding: train BERT-XML on your own notes, get codes with evidence.
#[derive(Debug, Parser)]
#[command(name = "bert-xml", version, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    context: Context,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write notes of a synthetic hospital
    Synth(commands::synth::Options),
    /// Write notes of the deep synthetic hospital: thousands of codes over patients' years
    Cohort(commands::cohort::Options),
    /// Put together a list of conditions and their wordings for `synth --conditions`
    Wordings(commands::wordings::Options),
    /// Turn what hospitals and archives have into records: MIMIC, FHIR, C-CDA, VAERS, CodiEsp
    Ingest(commands::ingest::Options),
    /// Turn records into a corpus: filter, split by patient, choose the label set
    Prepare(commands::prepare::Options),
    /// Learn a vocabulary from a corpus, or compare vocabularies
    Vocab(commands::vocab::Options),
    /// Turn a corpus into token ids on disk, once for many trainings
    Tokenize(commands::tokenize::Options),
    /// Pretrain an encoder by masked language model and next-sentence prediction
    Pretrain(commands::pretrain::Options),
    /// Fine-tune an encoder to assign the corpus's codes
    Finetune(commands::finetune::Options),
    /// Judge a model, or prediction files against gold records
    Evaluate(commands::evaluate::Options),
    /// Assign codes with evidence to notes
    Predict(commands::predict::Options),
    /// Write hidden states of notes
    Encode(commands::encode::Options),
    /// Write a trained encoder in Hugging Face's format, or a model to ship
    Export(commands::export::Options),
    /// Read a Hugging Face BERT checkpoint
    Import(commands::import::Options),
    /// Serve this machine's devices to a training on another one
    Worker(commands::worker::Options),
    /// Measure training and inference
    Bench(commands::bench::Options),
    /// Train linear and constant baselines on a corpus
    Baseline(commands::baseline::Options),
    /// Run the whole story on a small synthetic hospital
    Demo(commands::demo::Options),
    /// Train every row of the paper on open data and judge its claims
    Reproduce(commands::reproduce::Options),
}

/// Runs the command line; results go to standard output, talk and errors to standard error.
///
/// Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing is left to say where standard error itself is closed.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    talk::in_json(cli.context.progress == ProgressMode::Json);
    interrupt::listen();
    match dispatch(&cli.context, cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Interrupted>() => {
            talk::say(&error.to_string());
            ExitCode::from(130)
        }
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let hint = error.chain().find_map(|cause| cause.downcast_ref::<Hint>());
            talk::fail(&format!("{error:#}"), hint.map(|hint| hint.hint.as_str()));
            ExitCode::FAILURE
        }
    }
}

/// The reader of our output went away (`bert-xml … | head`): not an error of ours.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

fn dispatch(context: &Context, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Synth(options) => commands::synth::run(context, &options),
        Command::Cohort(options) => commands::cohort::run(context, &options),
        Command::Wordings(options) => commands::wordings::run(&options),
        Command::Ingest(options) => commands::ingest::run(context, &options),
        Command::Prepare(options) => commands::prepare::run(context, &options),
        Command::Vocab(options) => commands::vocab::run(context, &options),
        Command::Tokenize(options) => commands::tokenize::run(context, &options),
        Command::Pretrain(options) => commands::pretrain::run(context, &options),
        Command::Finetune(options) => commands::finetune::run(context, &options),
        Command::Evaluate(options) => commands::evaluate::run(context, &options),
        Command::Predict(options) => commands::predict::run(context, &options),
        Command::Encode(options) => commands::encode::run(context, &options),
        Command::Export(options) => commands::export::run(context, &options),
        Command::Import(options) => commands::import::run(context, &options),
        Command::Worker(options) => commands::worker::run(context, &options),
        Command::Bench(options) => commands::bench::run(context, &options),
        Command::Baseline(options) => commands::baseline::run(context, &options),
        Command::Demo(options) => commands::demo::run(context, &options),
        Command::Reproduce(options) => commands::reproduce::run(context, &options),
    }
}
