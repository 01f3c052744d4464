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
/// `wasm` and `gpu` only compile: this needs neither a browser nor a card nor CUDA. `wasm` is skipped where its
/// target is not to be had.
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
    // Who names a stage wants it done, not passed over.
    let may_skip = !args.iter().any(|arg| arg == "--only");
    let mut done = Vec::new();
    let mut failure = None;
    for stage in chosen {
        eprintln!("\n== {}: cargo {}", stage.name, stage.cargo.join(" "));
        let start = Instant::now();
        let result = match prepare(stage) {
            Err(error) if may_skip => Ok(Outcome::Skipped(format!("{error:#}"))),
            Err(error) => Err(error),
            Ok(()) => run_stage(root, stage).map(|()| Outcome::Passed),
        };
        let outcome = result.unwrap_or_else(|error| {
            failure = Some(error.context(format!("stage `{}` failed", stage.name)));
            Outcome::Failed
        });
        done.push((stage.name, start.elapsed(), outcome));
        if failure.is_some() {
            break;
        }
    }
    print!("\n{}", table(&done));
    failure.map_or(Ok(()), Err)
}

/// How a stage came out.
enum Outcome {
    Passed,
    Failed,
    /// What it needs is not to be had here, and why.
    Skipped(String),
}

/// Gets what a stage needs beyond the compiler.
fn prepare(stage: &Stage) -> Result<()> {
    if stage.name == "wasm" { wasm_target::ensure() } else { Ok(()) }
}

fn run_stage(root: &Path, stage: &Stage) -> Result<()> {
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

/// A line a stage with its time, and the sum.
fn table(done: &[(&str, Duration, Outcome)]) -> String {
    let mut table = "stage    seconds\n".to_owned();
    for (name, time, outcome) in done {
        let note = match outcome {
            Outcome::Passed => String::new(),
            Outcome::Failed => "  FAILED".into(),
            Outcome::Skipped(reason) => format!("  skipped: {reason}"),
        };
        table += &format!("{name:<8} {:>7.1}{note}\n", time.as_secs_f64());
    }
    let total: Duration = done.iter().map(|(_, time, _)| *time).sum();
    table + &format!("{:<8} {:>7.1}\n", "total", total.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(args: &[&str]) -> Result<Vec<&'static str>> {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        Ok(choose(&args)?.iter().map(|stage| stage.name).collect())
    }

    #[test]
    fn stages_are_chosen_by_name_and_keep_their_order() {
        assert_eq!(names(&["--only", "test,fmt"]).unwrap(), ["fmt", "test"]);
        assert!(names(&[]).unwrap().contains(&"wasm"));
        assert!(!names(&["--skip", "wasm"]).unwrap().contains(&"wasm"));
        assert!(names(&["--only", "wsam"]).is_err());
        assert!(names(&["--only", "fmt", "--skip", "fmt"]).is_err());
    }

    #[test]
    fn a_stage_that_is_skipped_says_so_by_name() {
        let second = Duration::from_secs(1);
        let done = [
            ("fmt", second, Outcome::Passed),
            ("wasm", second, Outcome::Skipped("no target".into())),
            ("test", second, Outcome::Failed),
        ];
        assert_eq!(
            table(&done),
            "stage    seconds\nfmt          1.0\nwasm         1.0  skipped: no target\n\
             test         1.0  FAILED\ntotal        3.0\n"
        );
    }
}
