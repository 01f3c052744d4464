//! npm in one of the project's folders.

use crate::{
    machine, program,
    stamp::{Inputs, Step},
};
use anyhow::{Context, Result};
use std::{fs, path::Path, process::Command};

/// What is missing of Node and npm, if anything is.
pub fn lacking() -> Option<String> {
    if let Err(found) = machine::node() {
        return Some(format!("Node: {found}"));
    }
    program::on_path("npm").is_none().then(|| "npm: not found".into())
}

/// `npm ci`, unless what the lock file says is installed.
///
/// # Errors
/// npm's.
pub fn install(folder: &Path) -> Result<()> {
    let lock = folder.join("package-lock.json");
    // npm leaves a lock file of its own; ours beside it says which one it was made from.
    let stamp = folder.join("node_modules/.installed-lock.json");
    let wanted = fs::read(&lock).with_context(|| format!("reading {}", lock.display()))?;
    if fs::read(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    run(folder, &["ci", "--no-audit", "--no-fund"])?;
    fs::write(&stamp, wanted).with_context(|| format!("writing {}", stamp.display()))
}

/// `npm run build` into `dist/`, unless these inputs made what lies there.
///
/// # Errors
/// npm's.
pub fn build(folder: &Path, words: &[&str], inputs: Inputs) -> Result<()> {
    // Beside the packages that build it, outside of what is published or served.
    let step = Step::new(folder.join("node_modules/.built.json"), folder.join("dist"), inputs);
    if step.done().is_some() {
        return Ok(());
    }
    let behind: &[&str] = if words.is_empty() { &[] } else { &["--"] };
    run(folder, &[&["run", "build"], behind, words].concat())?;
    step.record(serde_json::Value::Null)
}

/// One npm command.
///
/// # Errors
/// It does not start, or fails.
pub fn run(folder: &Path, words: &[&str]) -> Result<()> {
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    program::run(Command::new(npm).args(words).current_dir(folder))
        .with_context(|| format!("in {}", folder.display()))
}
