//! `cargo xtask <chore>`: what the project does to itself. Each chore is one file.

mod arm;
mod demo;
mod glue;
mod machine;
mod npm;
mod package;
mod program;
mod stages;
mod stamp;
mod vulkan;
mod wasm_target;
mod workers;

use std::{path::Path, process::ExitCode};

const USAGE: &str = "\
usage: cargo xtask <chore>

  demo [--once] [--again] [-- A]   check, build, `bert-xml demo A`, code a note, build and serve the page;
                                   --once exits instead of serving, --again trains even if it was done before
  test [--only A,B] [--skip A,B]   everything that has to hold, stage by stage; --list names the stages
  package [--only A,B] [--dev]     build the npm package in wasm/ (cpu, cpu-simd, codes, webgpu) and try it in webpack
          [--no-bundlers]          and Next; --dev: not optimised and not tried, --no-bundlers: not tried
  privacy [--write]                the whole privacy proof in a browser; --write puts its table into PRIVACY.md
  arm                              the engine's tests on an emulated ARM processor
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
        "arm" => arm::run(root, rest),
        "demo" => demo::run(root, rest),
        "package" => package::run(root, rest),
        "privacy" => privacy(root, rest),
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

/// The page's proof in its long form; the package must be built.
fn privacy(root: &Path, args: &[String]) -> anyhow::Result<()> {
    let page = root.join("web-demo");
    npm::install(&page)?;
    let words = ["run", "test:privacy", "--", "--long"];
    npm::run(&page, &[&words[..], &args.iter().map(String::as_str).collect::<Vec<_>>()].concat())
}
