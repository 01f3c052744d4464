//! The command as a process of its own: burn's random numbers are one stream a process, and only a process
//! can be killed or run out of disk.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What a call printed and how it ended.
pub struct Ended {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// A call that is ready to start, on the CPU and without progress.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(["--device", "cpu", "--progress", "none"]).args(arguments).env_remove("BERT_XML_DEVICE");
    command
}

/// Where the command lies.
pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_bert-xml-under-test"))
}

/// Runs a call to its end.
pub fn call(arguments: &[&str]) -> Ended {
    command(arguments).output().unwrap().into()
}

/// Runs a call that must succeed.
#[track_caller]
pub fn succeed(arguments: &[&str]) -> Ended {
    let ended = call(arguments);
    assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
    ended
}

/// Runs a call that must fail with exit code 1; its standard error.
#[track_caller]
pub fn fail(arguments: &[&str]) -> String {
    let ended = call(arguments);
    assert_eq!(ended.code, Some(1), "{arguments:?}: {}{}", ended.stdout, ended.stderr);
    ended.stderr
}

/// A path as an argument.
pub fn argument(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A small corpus with its vocabulary, made once for all tests: `corpus` and `vocab` in the folder.
pub fn small_corpus() -> PathBuf {
    static MADE: std::sync::OnceLock<tempfile::TempDir> = std::sync::OnceLock::new();
    let folder = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let notes = at("notes.jsonl");
        succeed(&["synth", "--patients", "40", "--codes", "12", "--length", "short", "--out", &notes]);
        succeed(&["prepare", "--input", &notes, "--more-than", "3", "--out", &at("corpus")]);
        succeed(&["vocab", "--corpus", &at("corpus"), "--size", "600", "--out", &at("vocab")]);
        folder
    });
    folder.path().to_owned()
}
