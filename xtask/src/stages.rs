//! `cargo xtask test`: the stages that have to hold, in order, and the time each took.

use crate::wasm_target;
use anyhow::{Context, Result, bail, ensure};
use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

/// One step of the check: a name for `--only` and `--skip`, and a cargo command.
struct Stage {
    name: &'static str,
    cargo: &'static [&'static str],
    env: &'static [(&'static str, &'static str)],
}

/// In the order they run: cheap answers first, and the tests last, so that a log ends with their lines.
/// `wasm` and `gpu` only compile: this needs neither a browser nor a card nor CUDA.
const STAGES: &[Stage] = &[
    Stage { name: "fmt", cargo: &["fmt", "--all", "--check"], env: &[] },
    Stage { name: "build", cargo: &["build", "--locked", "--all-targets"], env: &[] },
    Stage {
        name: "clippy",
        cargo: &["clippy", "--locked", "--all-targets", "--", "-D", "warnings"],
        env: &[],
    },
    Stage { name: "doc", cargo: &["doc", "--locked", "--no-deps"], env: &[("RUSTDOCFLAGS", "-D warnings")] },
    Stage {
        name: "wasm",
        cargo: &["build", "--locked", "-p", "bert-xml-wasm", "--target", wasm_target::TARGET],
        env: &[],
    },
    Stage {
        name: "gpu",
        cargo: &[
            "build",
            "--locked",
            "-p",
            "bert-xml-trainer",
            "--features",
            "cuda",
            "--profile",
            "gpu-check",
        ],
        env: &[],
    },
    Stage { name: "test", cargo: &["test", "--locked"], env: &[] },
];

/// Runs the stages that `args` choose (all without arguments) and prints a table of times.
///
/// # Errors
/// A stage that failed, by name (later ones are not run), or arguments that name no stage.
pub fn run(root: &Path, args: &[String]) -> Result<()> {
    if args == ["--list"] {
        STAGES.iter().for_each(|stage| println!("{:<7} cargo {}", stage.name, stage.cargo.join(" ")));
        return Ok(());
    }
    let chosen = choose(args)?;
    let mut times = Vec::new();
    let mut failure = None;
    for stage in chosen {
        eprintln!("\n== {}: cargo {}", stage.name, stage.cargo.join(" "));
        let start = Instant::now();
        let outcome = run_stage(root, stage);
        let ok = outcome.is_ok();
        times.push((stage.name, start.elapsed(), ok));
        if let Err(error) = outcome {
            failure = Some(error.context(format!("stage `{}` failed", stage.name)));
            break;
        }
    }
    print_times(&times);
    failure.map_or(Ok(()), Err)
}

fn run_stage(root: &Path, stage: &Stage) -> Result<()> {
    if stage.name == "wasm" {
        wasm_target::ensure()?;
    }
    // The cargo that runs us, so that a toolchain chosen on the command line stays chosen.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(stage.cargo)
        .envs(stage.env.iter().copied())
        .current_dir(root)
        .status()
        .context("cargo does not start")?;
    ensure!(status.success(), "cargo {}: {status}", stage.cargo.join(" "));
    Ok(())
}

/// The stages that `--only A,B` and `--skip A,B` leave, in their own order.
fn choose(args: &[String]) -> Result<Vec<&'static Stage>> {
    let mut chosen: Vec<&Stage> = STAGES.iter().collect();
    let mut rest = args.iter();
    while let Some(flag) = rest.next() {
        let keep_named = match flag.as_str() {
            "--only" => true,
            "--skip" => false,
            other => bail!("unknown argument `{other}`; `test` takes --only, --skip and --list"),
        };
        let list = rest.next().with_context(|| format!("{flag} needs a list of stages"))?;
        let names: Vec<&str> = list.split(',').collect();
        for name in &names {
            ensure!(STAGES.iter().any(|stage| stage.name == *name), "no stage `{name}`; see --list");
        }
        chosen.retain(|stage| names.contains(&stage.name) == keep_named);
    }
    ensure!(!chosen.is_empty(), "no stage is left to run");
    Ok(chosen)
}

fn print_times(times: &[(&str, Duration, bool)]) {
    println!("\nstage    seconds");
    for (name, time, ok) in times {
        println!("{name:<8} {:>7.1}{}", time.as_secs_f64(), if *ok { "" } else { "  FAILED" });
    }
    let total: Duration = times.iter().map(|(_, time, _)| *time).sum();
    println!("{:<8} {:>7.1}", "total", total.as_secs_f64());
}
