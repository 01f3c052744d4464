//! `cargo xtask <chore>`: what the project does to itself. Each chore is one file.

mod demo;
mod machine;
mod package;
mod stages;
mod wasm_target;

use std::{path::Path, process::ExitCode};

const USAGE: &str = "\
usage: cargo xtask <chore>

  demo [--once] [-- ARGS]          check the machine, build, and run `bert-xml demo ARGS`; --once says no more
  test [--only A,B] [--skip A,B]   everything that has to hold, stage by stage; --list names the stages
  package [--only A,B] [--dev]     build the npm package in wasm/: cpu, cpu-simd, codes, webgpu; --dev: not optimised
  wasm-target                      make the standard library for wasm32-unknown-unknown available
";

fn main() -> ExitCode {
    match chore(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn chore(args: &[String]) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
    let Some((name, rest)) = args.split_first() else {
        anyhow::bail!("no chore named\n\n{USAGE}");
    };
    match name.as_str() {
        "demo" => demo::run(root, rest),
        "package" => package::run(root, rest),
        "test" => stages::run(root, rest),
        "wasm-target" => {
            anyhow::ensure!(rest.is_empty(), "wasm-target takes no arguments");
            wasm_target::ensure()
        }
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(())
        }
        other => anyhow::bail!("unknown chore `{other}`\n\n{USAGE}"),
    }
}
