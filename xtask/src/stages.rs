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
    group: Group,
    work: Work,
    env: &'static [(&'static str, &'static str)],
}

/// What a stage's time is spent on.
#[derive(Clone, Copy, PartialEq)]
enum Group {
    Building,
    Testing,
    Browsing,
}

/// The groups as they are told.
const GROUPS: [(Group, &str); 3] =
    [(Group::Building, "building"), (Group::Testing, "testing"), (Group::Browsing, "in Node and a browser")];

/// What a stage does.
enum Work {
    /// A cargo command.
    Cargo(&'static [&'static str]),
    /// A cargo command for the target of browsers.
    Wasm(&'static [&'static str]),
    /// burn on wgpu against burn on the CPU, with the binary of the stage `gpu`.
    Vulkan,
    /// Two workers against one device, with the binary of the stage `gpu`.
    Remote,
    /// The npm package, as `cargo xtask package` builds it; the bundlers, which come from the registry, are left to that command.
    Package,
    /// `npm ci`, then scripts of a folder.
    Npm(&'static str, &'static [&'static str]),
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
/// What the tests without features leave out, with the dependencies of [`GPU_BUILD`].
const PARQUET_TESTS: &[&str] = &[
    "test",
    "--locked",
    "-p",
    "bert-xml-trainer",
    "--lib",
    "--features",
    "cuda,wgpu,parquet,remote",
    "--profile",
    GPU_PROFILE,
    "parquet",
];
/// The bindings, which no native build reaches.
const WASM_CLIPPY: &[&str] = &[
    "clippy",
    "--locked",
    "-p",
    "bert-xml-wasm",
    "--lib",
    "--target",
    wasm_target::TARGET,
    "--features",
    "coder,codes",
    "--",
    "-D",
    "warnings",
];

/// In the order they run: cheap answers first, and the tests last, so that a log ends with their lines.
/// What a machine lacks is skipped by name, but for `CI=true`.
const STAGES: &[Stage] = &[
    stage("fmt", Group::Building, Work::Cargo(&["fmt", "--all", "--check"])),
    stage("build", Group::Building, Work::Cargo(&["build", "--locked", "--all-targets"])),
    stage(
        "clippy",
        Group::Building,
        Work::Cargo(&["clippy", "--locked", "--all-targets", "--", "-D", "warnings"]),
    ),
    stage("wasm", Group::Building, Work::Wasm(WASM_CLIPPY)),
    Stage {
        env: &[("RUSTDOCFLAGS", "-D warnings")],
        ..stage("doc", Group::Building, Work::Cargo(&["doc", "--locked", "--no-deps"]))
    },
    stage("gpu", Group::Building, Work::Cargo(GPU_BUILD)),
    stage("vulkan", Group::Testing, Work::Vulkan),
    stage("remote", Group::Testing, Work::Remote),
    stage("parquet", Group::Testing, Work::Cargo(PARQUET_TESTS)),
    stage("package", Group::Building, Work::Package),
    stage("npm", Group::Browsing, Work::Npm("wasm", &["check", "test"])),
    stage("page", Group::Browsing, Work::Npm("web-demo", &["test"])),
    stage("test", Group::Testing, Work::Cargo(&["test", "--locked"])),
];

const fn stage(name: &'static str, group: Group, work: Work) -> Stage {
    Stage { name, group, work, env: &[] }
}

impl Stage {
    /// The command as somebody would type it.
    fn command(&self) -> String {
        match self.work {
            Work::Cargo(words) | Work::Wasm(words) => format!("cargo {}", words.join(" ")),
            Work::Vulkan => "bert-xml predict --device wgpu, on a Vulkan of the processor".into(),
            Work::Remote => "bert-xml pretrain --device remote:…, with workers on this machine".into(),
            Work::Package => "cargo xtask package --no-bundlers".into(),
            Work::Npm(folder, scripts) => {
                let scripts: Vec<String> =
                    scripts.iter().map(|script| format!(" && npm run {script}")).collect();
                format!("npm ci{}, in {folder}/", scripts.concat())
            }
        }
    }

    /// What is missing here for this stage, if anything is. Gets what can be got.
    fn lacking(&self) -> Option<String> {
        match self.work {
            Work::Cargo(_) | Work::Remote => None,
            Work::Vulkan => vulkan::lacking(),
            Work::Wasm(_) => wasm_target::ensure().err().map(|error| format!("{error:#}")),
            Work::Package => match wasm_target::ensure() {
                Err(error) => Some(format!("{error:#}")),
                Ok(()) => npm::lacking(),
            },
            Work::Npm(..) => npm::lacking(),
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
            Work::Cargo(words) | Work::Wasm(words) => run_cargo(root, words, self.env),
            Work::Vulkan => vulkan::check(root, &self.gpu_binary(root)?),
            Work::Remote => workers::check(root, &self.gpu_binary(root)?),
            Work::Package => package::run(root, &["--no-bundlers".into()]),
            Work::Npm(folder, scripts) => {
                let folder = root.join(folder);
                npm::install(&folder)?;
                scripts.iter().try_for_each(|script| npm::run(&folder, &["run", script]))
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
        done.push((stage.name, stage.group, start.elapsed(), outcome));
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

/// A line a stage with its time, and the sums.
fn table(done: &[(&str, Group, Duration, Outcome)]) -> String {
    let mut table = "stage    seconds\n".to_owned();
    for (name, _, time, outcome) in done {
        let note = match outcome {
            Outcome::Passed => String::new(),
            Outcome::Failed => "  FAILED".into(),
            Outcome::Skipped(reason) => format!("  skipped: {reason}"),
        };
        table += &format!("{name:<8} {:>7.1}{note}\n", time.as_secs_f64());
    }
    let sum = |of: &dyn Fn(Group) -> bool| -> f64 {
        done.iter().filter(|(_, group, ..)| of(*group)).map(|(_, _, time, _)| time.as_secs_f64()).sum()
    };
    table += &format!("{:<8} {:>7.1}\n", "total", sum(&|_| true));
    let groups =
        GROUPS.map(|(group, name)| format!("{name} {:.1} min", sum(&|of| of == group) / 60.0)).join(", ");
    table + &groups + "\n"
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
            ("fmt", Group::Building, 60 * second, Outcome::Passed),
            ("page", Group::Browsing, second, Outcome::Skipped("no browser".into())),
            ("test", Group::Testing, second, Outcome::Failed),
        ];
        assert_eq!(
            table(&done),
            "stage    seconds\nfmt         60.0\npage         1.0  skipped: no browser\n\
             test         1.0  FAILED\ntotal       62.0\n\
             building 1.0 min, testing 0.0 min, in Node and a browser 0.0 min\n"
        );
    }
}
