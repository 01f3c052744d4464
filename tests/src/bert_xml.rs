//! The `bert-xml` command as a process that tests start, stop and kill.

use std::process::ExitCode;

fn main() -> ExitCode {
    bert_xml_trainer::cli::run(std::env::args_os())
}
