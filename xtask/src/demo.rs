//! `cargo xtask demo`: from a fresh checkout to codes with evidence, in one command.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    machine::{needs, program, table},
    wasm_target,
};

/// Longest that `rustup` may take for the wasm target, which the demo can do without.
const RUSTUP: Duration = Duration::from_secs(60);

/// Checks the machine, builds what the tests build, and runs `bert-xml demo` with the arguments behind `--`.
///
/// # Errors
/// Something needed is missing; the build or the demo failed; unknown arguments.
pub fn run(root: &Path, args: &[String]) -> Result<()> {
    let (own, passed) = match args.iter().position(|word| word == "--") {
        Some(at) => (&args[..at], &args[at + 1..]),
        None => (args, &[][..]),
    };
    let once = match own {
        [] => false,
        [word] if word == "--once" => true,
        _ => {
            bail!("`demo` takes --once, and behind `--` what `bert-xml demo` takes; not `{}`", own.join(" "))
        }
    };
    let target = target_folder(root)?;
    check(&target)?;
    build(root)?;
    let binary = target.join("debug").join(format!("bert-xml{}", env::consts::EXE_SUFFIX));
    let shown = binary.strip_prefix(root).unwrap_or(&binary).display().to_string();
    eprintln!("\n== {shown} demo {}", passed.join(" "));
    let status = Command::new(&binary)
        .arg("demo")
        .args(passed)
        .current_dir(root)
        .status()
        .with_context(|| format!("{shown} does not start"))?;
    ensure!(status.success(), "the demo did not finish: {status}");
    if !once {
        println!("\nOpen the report in any browser: it is one file and needs no network.");
        println!("`bert-xml` is {shown}.");
    }
    Ok(())
}

/// Where cargo builds: CARGO_TARGET_DIR, or `target` in the workspace.
fn target_folder(root: &Path) -> Result<PathBuf> {
    match env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty()) {
        Some(folder) => std::path::absolute(folder).context("CARGO_TARGET_DIR"),
        None => Ok(root.join("target")),
    }
}

/// Prints what is there and what is not, and adds the wasm target where that is safe.
fn check(target: &Path) -> Result<()> {
    let start = Instant::now();
    let found = needs(target);
    eprint!("{}", table(&found));
    eprintln!("checked in {:.1} s", start.elapsed().as_secs_f64());
    let lacking: Vec<&str> =
        found.iter().filter(|need| need.required && need.found.is_err()).map(|need| need.name).collect();
    ensure!(lacking.is_empty(), "missing: {}; the commands above bring it", lacking.join(", "));
    if !wasm_target::is_installed().unwrap_or(false) && program("rustup").is_some() {
        eprintln!("\nadding the wasm32 target (rustup, at most {} s)", RUSTUP.as_secs());
        if !add_wasm_target() {
            eprintln!("it was not added; the demo goes on without it");
        }
    }
    Ok(())
}

/// `rustup target add`, ended when it takes too long: a machine without network must not wait for it.
fn add_wasm_target() -> bool {
    let child = Command::new("rustup")
        .args(["target", "add", wasm_target::TARGET])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else { return false };
    let start = Instant::now();
    while start.elapsed() < RUSTUP {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => thread::sleep(Duration::from_millis(100)),
            Err(_) => break,
        }
    }
    // It may have ended meanwhile; either way it is over.
    let _ = child.kill();
    let _ = child.wait();
    false
}

/// The build of the tests, features and all: one set of artifacts for both.
fn build(root: &Path) -> Result<()> {
    let arguments = ["build", "--locked", "--all-targets"];
    eprintln!("\n== cargo {}", arguments.join(" "));
    let start = Instant::now();
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(arguments)
        .current_dir(root)
        .status()
        .context("cargo does not start")?;
    ensure!(status.success(), "the build failed: {status}");
    eprintln!("built in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}
