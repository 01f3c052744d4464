//! Where results and talk go: streams that are closed or full, places that are something else than a file, two
//! results in one place, and JSON Lines on standard error.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::process::{Ended, argument, command, fail, program, small_corpus, succeed};

#[cfg(unix)]
#[test]
fn a_closed_or_full_stream_is_no_crash() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| argument(&folder.path().join(name)).to_owned();
    let notes = argument(&small_corpus().join("notes.jsonl")).to_owned();
    let prepare = |out: &str| command(&["prepare", "--input", &notes, "--more-than", "3", "--out", out]);

    // `prepare | true`: who was to read went away.
    let mut child = prepare(&at("closed")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended: Ended = child.wait_with_output().unwrap().into();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));

    if !cfg!(target_os = "linux") {
        return;
    }
    let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let ended: Ended = prepare(&at("full")).stdout(full()).output().unwrap().into();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("No space left"), "{}", ended.stderr);

    let synth = ["synth", "--patients", "3", "--codes", "12", "--out", &at("a.jsonl")];
    assert_eq!(command(&synth).stderr(full()).status().unwrap().code(), Some(0));
}

#[cfg(unix)]
#[test]
fn a_device_stays_a_device_and_a_folder_is_refused_before_the_work() {
    use std::os::unix::fs::FileTypeExt;

    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| argument(&folder.path().join(name)).to_owned();
    succeed(&[
        "synth",
        "--patients",
        "3",
        "--codes",
        "12",
        "--out",
        "/dev/null",
        "--gold-evidence",
        "/dev/null",
    ]);
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());

    let said = fail(&["synth", "--patients", "90000000", "--out", argument(folder.path())]);
    assert!(said.contains(" is a folder"), "{said}");
    let said =
        fail(&["predict", "--model", "none", "--input", "none.jsonl", "--out", argument(folder.path())]);
    assert!(said.contains(" is a folder"), "{said}");

    // An empty folder is filled where it stands: `--out .`.
    let notes = argument(&small_corpus().join("notes.jsonl")).to_owned();
    fs::create_dir(at("here")).unwrap();
    let mut prepare = command(&["prepare", "--input", &notes, "--more-than", "3", "--out", "."]);
    assert_eq!(prepare.current_dir(at("here")).status().unwrap().code(), Some(0));
    assert!(folder.path().join("here/corpus.json").is_file());
    assert!(
        fs::read_dir(at("here"))
            .unwrap()
            .flatten()
            .all(|entry| !argument(&entry.path()).contains(".making-"))
    );
}

#[test]
fn two_results_do_not_go_to_one_place() {
    let folder = tempfile::tempdir().unwrap();
    let one = argument(&folder.path().join("x")).to_owned();
    for place in [one.as_str(), "-"] {
        let said = fail(&["synth", "--out", place, "--gold-evidence", place]);
        assert!(said.contains("--out and --gold-evidence name the same place"), "{said}");
        let judge = ["evaluate", "--predictions", "p", "--gold", "g", "--json", place, "--markdown", place];
        assert!(fail(&judge).contains("--json and --markdown name the same place"));
    }
    assert!(fail(&["encode", "--model", "m", "--input", "i", "--out", "-"]).contains("name a file"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn every_line_of_json_progress_is_an_object() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| argument(&folder.path().join(name)).to_owned();
    let call = |arguments: &[&str]| -> (Ended, Vec<Value>) {
        let mut command = Command::new(program());
        let ended: Ended = command.args(["--progress", "json"]).args(arguments).output().unwrap().into();
        let lines = ended.stderr.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        (ended, lines)
    };
    let (ended, lines) = call(&["synth", "--patients", "30", "--codes", "12", "--out", &at("n.jsonl")]);
    assert_eq!(ended.code, Some(0));
    assert!(lines.iter().any(|line| line["event"] == "note"), "{lines:?}");
    let (_, lines) =
        call(&["vocab", "--corpus", argument(&small_corpus().join("corpus")), "--out", &at("v")]);
    assert!(lines.iter().any(|line| line.get("seconds_left").is_some()), "{lines:?}");
    let (ended, lines) = call(&["prepare", "--input", "none.jsonl", "--out", &at("c")]);
    assert_eq!((ended.code, lines.len(), &lines[0]["event"]), (Some(1), 1, &Value::from("error")));
}

#[test]
fn codes_that_nobody_knows_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| argument(&folder.path().join(name)).to_owned();
    let text = "A note that is long enough to be kept by the filter on its length.";
    let line = serde_json::json!({"text": text, "codes": "I10, E11.9"}).to_string();
    let plain = serde_json::json!({"text": text, "codes": "I10"}).to_string();
    fs::write(at("n.jsonl"), format!("{line}\n{plain}\n")).unwrap();
    let shares = ["--shares", "100/0/0", "--more-than", "0", "--input", &at("n.jsonl")];
    let said = succeed(&[&["prepare", "--out", &at("c")][..], &shares].concat()).stderr;
    assert!(said.contains("warning: 1 unknown codes in 1 places, see "), "{said}");
    assert!(said.contains("--codes-separator"), "{said}");

    // A text in the place of codes is not shown.
    let texts = ["--codes-field", "text", "--unknown-codes", "error"];
    let said = fail(&[&["prepare", "--out", &at("d")][..], &shares, &texts].concat());
    assert!(said.contains("a value of 66 characters is unknown"), "{said}");
    for field in ["--date-field", "--split-field", "--note-id-field"] {
        fs::write(at("n.jsonl"), format!("{plain}\n{plain}\n")).unwrap();
        let said = fail(&[&["prepare", "--out", &at("d"), field, "text"][..], &shares].concat());
        assert!(said.contains(", line ") && !said.contains("long enough"), "{said}");
    }
}
