//! Ctrl-C, a kill and a hang-up in the middle of a step.
#![cfg(unix)]

use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::process::{Ended, argument, command, small_corpus, succeed};

/// A call whose signals do what they do in a terminal, whatever started this test.
fn in_terminal(arguments: &[&str]) -> Command {
    let mut command = command(arguments);
    let reset = || {
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            // SAFETY: constants that `signal` knows, and no handler of ours to come back to.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(())
    };
    // SAFETY: between fork and exec it calls `signal` only, which is allowed there.
    unsafe { command.pre_exec(reset) };
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A child that does not outlive a test that fails.
struct Running(Option<Child>);

impl Running {
    fn start(mut command: Command) -> Self {
        Self(Some(command.spawn().unwrap()))
    }

    fn child(&mut self) -> &mut Child {
        self.0.as_mut().expect("it is taken at its end")
    }

    fn end(mut self) -> Ended {
        let child = self.0.take().expect("taken once");
        child.wait_with_output().unwrap().into()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

fn send(signal: i32, child: &mut Running) {
    // SAFETY: the child is not waited for yet, so its id is still its own.
    let status = unsafe { libc::kill(i32::try_from(child.child().id()).unwrap(), signal) };
    assert_eq!(status, 0, "the child is gone");
}

/// Waits until something is so; a child that ended meanwhile will not make it so.
#[track_caller]
fn wait_until(child: &mut Running, what: &str, so: impl Fn() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(child.child().try_wait().unwrap().is_none(), "it ended before {what}");
        assert!(start.elapsed() < Duration::from_secs(120), "no {what} in two minutes");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn has_started(folder: &Path, prefix: &str) -> bool {
    names(folder).iter().any(|name| name.starts_with(prefix))
}

/// Starts a call, lets it begin to write in `folder`, sends the signal; nothing may be left there.
#[track_caller]
fn stop_in_the_middle(arguments: &[&str], input: &str, folder: &Path, signal: i32) {
    let mut child = Running::start(in_terminal(arguments));
    // Kept open: a call that reads it is not done before it is closed.
    let mut pipe = child.child().stdin.take().unwrap();
    pipe.write_all(input.as_bytes()).unwrap();
    pipe.flush().unwrap();
    wait_until(&mut child, "a file in the making", || has_started(folder, "."));
    send(signal, &mut child);
    let ended = child.end();
    drop(pipe);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(130), "interrupted\n"), "{arguments:?}");
    assert_eq!(names(folder), [""; 0], "{arguments:?}, signal {signal}");
}

#[test]
fn a_signal_leaves_nothing_half_made() {
    let (made, folder, models) = (small_corpus(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let notes = fs::read_to_string(made.join("notes.jsonl")).unwrap();
    let model = models.path().join("r");
    let (corpus, vocab) = (made.join("corpus"), made.join("vocab"));
    succeed(&[
        "finetune",
        "--recipe",
        "demo",
        "--max-steps",
        "1",
        "--head",
        "cls",
        "--encoder",
        "none",
        "--corpus",
        argument(&corpus),
        "--vocab",
        argument(&vocab),
        "--out",
        argument(&model),
    ]);
    let out = folder.path().join("out");
    let out = argument(&out);
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // More patients than any test could wait for.
        stop_in_the_middle(&["synth", "--patients", "90000000", "--out", out], "", folder.path(), signal);
        stop_in_the_middle(&["prepare", "--input", "-", "--out", out], &notes, folder.path(), signal);
        let predict = ["predict", "--model", argument(&model), "--input", "-", "--out", out];
        stop_in_the_middle(&predict, &notes, folder.path(), signal);
    }
}

/// A pretraining of more steps than a test waits for, in `run`.
fn long_training(run: &Path) -> Vec<String> {
    let made = small_corpus();
    let at = |name: &str| argument(&made.join(name)).to_owned();
    let mut arguments: Vec<String> = ["pretrain", "--recipe", "demo", "--batch", "4", "--max-len", "32"]
        .into_iter()
        .map(Into::into)
        .collect();
    arguments.extend(["--epochs".into(), "5000".into(), "--corpus".into(), at("corpus")]);
    arguments.extend(["--vocab".into(), at("vocab"), "--out".into(), argument(run).to_owned()]);
    arguments
}

fn steps(run: &Path) -> usize {
    fs::read_to_string(run.join("metrics.jsonl")).map_or(0, |text| text.lines().count())
}

#[test]
fn training_saves_its_last_step_and_a_hang_up_that_is_ignored_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let arguments = long_training(&run);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = in_terminal(&arguments);
    // As nohup does.
    let ignore = || {
        // SAFETY: a constant that `signal` knows.
        unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
        Ok(())
    };
    // SAFETY: between fork and exec it calls `signal` only, which is allowed there.
    unsafe { command.pre_exec(ignore) };
    let mut child = Running::start(command);
    wait_until(&mut child, "the second step", || steps(&run) >= 2);
    send(libc::SIGHUP, &mut child);
    let now = steps(&run);
    // The step under way, which a signal would have been the last of, and three more.
    wait_until(&mut child, "steps after the hang-up", || steps(&run) >= now + 4);
    send(libc::SIGTERM, &mut child);
    let ended = child.end();
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert!(ended.stderr.contains("is saved in") && ended.stderr.contains("--resume"), "{}", ended.stderr);
    let newest = format!("step-{:08}", steps(&run));
    assert!(
        names(&run.join("checkpoints")).contains(&newest),
        "{newest}: {:?}",
        names(&run.join("checkpoints"))
    );
}

#[test]
fn a_hang_up_stops_training_as_ctrl_c_does() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let arguments = long_training(&run);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut child = Running::start(in_terminal(&arguments));
    wait_until(&mut child, "the second step", || steps(&run) >= 2);
    send(libc::SIGHUP, &mut child);
    let ended = child.end();
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert!(ended.stderr.contains("is saved in"), "{}", ended.stderr);
}
