//! The `bert-xml` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    bert_xml_trainer::cli::run(std::env::args_os())
}
