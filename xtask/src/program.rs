//! Other programs: where they are, and run to their end.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

/// The cargo that runs us, in `root`, so that a toolchain chosen on the command line stays chosen.
pub fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo
}

/// The program's place on the PATH.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(&file)).find(|path| path.is_file())
}

/// Waits for it; what it says goes where ours goes.
///
/// # Errors
/// It does not start, or ends with another status than success: the message has its words.
pub fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("{name} does not start"))?;
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
    ensure!(status.success(), "{name} {}: {status}", words.join(" "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_named_with_its_words() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(run(cargo(root).args(["--version", "--quiet"])).is_ok());
        let error = run(cargo(root).args(["no-such-chore", "--at-all"])).unwrap_err().to_string();
        assert!(error.contains("no-such-chore --at-all: exit status"), "{error}");
        let error = run(&mut Command::new("no-such-program-anywhere")).unwrap_err().to_string();
        assert_eq!(error, "no-such-program-anywhere does not start");
    }
}
