//! `cargo xtask test`: the stages that have to hold, in order, and the time each took.

use crate::{npm, package, program, vulkan, wasm_target, workers};
use anyhow::{Context, Result, anyhow, bail, ensure};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// One step of the check, with a name for `--only` and `--skip`.
struct Stage {
    name: &'static str,
    work: Work,
    env: &'static [(&'static str, &'static str)],
}

/// What a stage does.
enum Work {
    /// A cargo command.
    Cargo(&'static [&'static str]),
    /// burn on wgpu against burn on the CPU, with the binary of the stage `gpu`.
    Vulkan,
    /// Two workers against one device, with the binary of the stage `gpu`.
    Remote,
    /// The npm package, as `cargo xtask package` builds it; the bundlers, which come from the registry, are left to that command.
    Package,
    /// `npm ci` and `npm test` in a folder.
    Npm(&'static str),
}

/// The trainer with all that is off by default: both backends of graphics cards (this needs no card and no CUDA), Parquet
/// and devices of other machines.
const GPU_BUILD: &[&str] = &[
    "build",
    "--locked",
    "-p",
    "bert-xml-trainer",
    "--features",
    "cuda,wgpu,parquet,remote",
    "--profile",
    GPU_PROFILE,
];
const GPU_PROFILE: &str = "gpu-check";

/// In the order they run: cheap answers first, and the tests last, so that a log ends with their lines.
/// What a machine lacks is skipped by name, but for `CI=true`.
const STAGES: &[Stage] = &[
    Stage { name: "fmt", work: Work::Cargo(&["fmt", "--all", "--check"]), env: &[] },
    Stage { name: "build", work: Work::Cargo(&["build", "--locked", "--all-targets"]), env: &[] },
    Stage {
        name: "clippy",
        work: Work::Cargo(&["clippy", "--locked", "--all-targets", "--", "-D", "warnings"]),
        env: &[],
    },
    Stage {
        name: "doc",
        work: Work::Cargo(&["doc", "--locked", "--no-deps"]),
        env: &[("RUSTDOCFLAGS", "-D warnings")],
    },
    Stage { name: "gpu", work: Work::Cargo(GPU_BUILD), env: &[] },
    Stage { name: "vulkan", work: Work::Vulkan, env: &[] },
    Stage { name: "remote", work: Work::Remote, env: &[] },
    Stage { name: "package", work: Work::Package, env: &[] },
    Stage { name: "npm", work: Work::Npm("wasm"), env: &[] },
    Stage { name: "page", work: Work::Npm("web-demo"), env: &[] },
    Stage { name: "test", work: Work::Cargo(&["test", "--locked"]), env: &[] },
];

impl Stage {
    /// The command as somebody would type it.
    fn command(&self) -> String {
        match self.work {
            Work::Cargo(words) => format!("cargo {}", words.join(" ")),
            Work::Vulkan => "bert-xml predict --device wgpu, on a Vulkan of the processor".into(),
            Work::Remote => "bert-xml pretrain --device remote:…, with workers on this machine".into(),
            Work::Package => "cargo xtask package --no-bundlers".into(),
            Work::Npm(folder) => format!("npm ci && npm test, in {folder}/"),
        }
    }

    /// What is missing here for this stage, if anything is. Gets what can be got.
    fn lacking(&self) -> Option<String> {
        match self.work {
            Work::Cargo(_) | Work::Remote => None,
            Work::Vulkan => vulkan::lacking(),
            Work::Package => match wasm_target::ensure() {
                Err(error) => Some(format!("{error:#}")),
                Ok(()) => npm::lacking(),
            },
            Work::Npm(_) => npm::lacking(),
        }
    }

    /// The binary of the stage `gpu`, built where it is not there.
    fn gpu_binary(&self, root: &Path) -> Result<PathBuf> {
        run_cargo(root, GPU_BUILD, self.env)?;
        let built = package::target_directory(root)?.join(GPU_PROFILE);
        Ok(built.join(format!("bert-xml{}", std::env::consts::EXE_SUFFIX)))
    }

    fn run(&self, root: &Path) -> Result<()> {
        match self.work {
            Work::Cargo(words) => run_cargo(root, words, self.env),
            Work::Vulkan => vulkan::check(root, &self.gpu_binary(root)?),
            Work::Remote => workers::check(root, &self.gpu_binary(root)?),
            Work::Package => package::run(root, &["--no-bundlers".into()]),
            Work::Npm(folder) => {
                npm::install(&root.join(folder))?;
                npm::run(&root.join(folder), &["test"])
            }
        }
    }
}

/// Runs the stages that `args` choose (all without arguments) and prints a table of times.
///
/// # Errors
/// A stage that failed, by name (later ones are not run), or arguments that name no stage.
pub fn run(root: &Path, args: &[String]) -> Result<()> {
    if args == ["--list"] {
        STAGES.iter().for_each(|stage| println!("{:<7} {}", stage.name, stage.command()));
        return Ok(());
    }
    let chosen = choose(args)?;
    // Who names a stage wants it done, not passed over; and so does CI.
    let named = args.iter().any(|arg| arg == "--only");
    let may_skip = !named && std::env::var_os("CI").is_none_or(|value| value != "true");
    let mut done = Vec::new();
    let mut failure = None;
    for stage in chosen {
        eprintln!("\n== {}: {}", stage.name, stage.command());
        let start = Instant::now();
        let result = match stage.lacking() {
            Some(what) if may_skip => Ok(Outcome::Skipped(what)),
            Some(what) => Err(anyhow!(what)),
            None => stage.run(root).map(|()| Outcome::Passed),
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

fn run_cargo(root: &Path, words: &[&str], env: &[(&str, &str)]) -> Result<()> {
    program::run(program::cargo(root).args(words).envs(env.iter().copied()))
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
        assert!(names(&[]).unwrap().contains(&"page"));
        assert!(!names(&["--skip", "page"]).unwrap().contains(&"page"));
        assert!(names(&["--only", "pgae"]).is_err());
        assert!(names(&["--only", "fmt", "--skip", "fmt"]).is_err());
    }

    #[test]
    fn a_stage_that_is_skipped_says_so_by_name() {
        let second = Duration::from_secs(1);
        let done = [
            ("fmt", second, Outcome::Passed),
            ("page", second, Outcome::Skipped("no browser".into())),
            ("test", second, Outcome::Failed),
        ];
        assert_eq!(
            table(&done),
            "stage    seconds\nfmt          1.0\npage         1.0  skipped: no browser\n\
             test         1.0  FAILED\ntotal        3.0\n"
        );
    }
}
