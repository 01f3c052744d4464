//! What the command says: its help, and its errors word for word. A snapshot holds exit code, standard
//! output and standard error; after a change that is meant, `INSTA_UPDATE=always cargo test --test it cli`
//! writes them anew, to be read in the diff.

use std::fs;
use std::path::Path;

use insta::{Settings, assert_snapshot};

use crate::process::{Ended, argument, command, small_corpus};

/// Runs a call in a folder, on a page of 100 columns and without what this machine's environment says.
fn call(folder: &Path, arguments: &[&str]) -> Ended {
    let mut command = command(arguments);
    for variable in ["COLUMNS", "CLICOLOR_FORCE", "RUST_BACKTRACE", "RUST_LIB_BACKTRACE"] {
        command.env_remove(variable);
    }
    command.current_dir(folder).output().unwrap().into()
}

/// A call and all that came of it.
fn transcript(folder: &Path, arguments: &[&str]) -> String {
    let Ended { code, stdout, stderr } = call(folder, arguments);
    let code = code.expect("no signal was sent");
    let mut text = format!("$ {}\nexit code: {code}\n", [&["bert-xml"], arguments].concat().join(" "));
    for (name, said) in [("stdout", stdout), ("stderr", stderr)] {
        if !said.is_empty() {
            text += &format!("{name}:\n{said}");
        }
    }
    text
}

/// Compares with the snapshot of this name; what differs between machines and releases is masked.
#[track_caller]
fn compare(name: &str, text: &str) {
    let mut settings = Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.add_filter(&regex_of(argument(&small_corpus())), "[MADE]");
    settings.add_filter("bert-xml-under-test", "bert-xml");
    settings.add_filter(r"bert-xml \d+\.\d+\.\d+\S*", "bert-xml [VERSION]");
    settings.add_filter(r"\(os error \d+\)", "(os error [NUMBER])");
    settings.bind(|| assert_snapshot!(name, text));
}

/// A path as a pattern that finds it: its dots are dots.
fn regex_of(path: &str) -> String {
    path.replace('\\', r"\\").replace('.', r"\.")
}

#[test]
fn help_of_the_command_and_of_each_step() {
    let folder = tempfile::tempdir().unwrap();
    let whole = call(folder.path(), &["--help"]);
    compare("help", &transcript(folder.path(), &["--help"]));
    compare("version", &transcript(folder.path(), &["--version"]));

    // From the help itself, so that a new subcommand comes with a snapshot.
    let listed = whole.stdout.lines().skip_while(|line| *line != "Commands:").skip(1);
    let steps: Vec<&str> = listed.map_while(|line| line.split_whitespace().next()).collect();
    assert!(
        steps.starts_with(&["synth", "cohort", "wordings", "ingest", "prepare"])
            && steps.ends_with(&["demo", "reproduce", "help"]),
        "{steps:?}"
    );
    for step in &steps[..steps.len() - 1] {
        let help = call(folder.path(), &[step, "--help"]);
        assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""), "{step}");
        compare(&format!("help-{step}"), &transcript(folder.path(), &[step, "--help"]));
    }
}

#[test]
fn wrong_usage_is_answered_with_the_usage() {
    let folder = tempfile::tempdir().unwrap();
    let calls: [&[&str]; 7] = [
        &[],
        &["predickt"],
        &["prepare"],
        &["vocab", "--out", "v"],
        &["synth", "--patients", "0", "--out", "notes.jsonl"],
        &["finetune", "--corpus", "c", "--encoder", "none", "--out", "r", "--label-init", "mean"],
        &["predict", "--model", "m", "--input", "a", "--text", "b"],
    ];
    let said: Vec<String> = calls.iter().map(|call| transcript(folder.path(), call)).collect();
    assert!(said.iter().all(|said| said.contains("\nexit code: 2\nstderr:\n")), "{said:#?}");
    compare("usage", &said.join("\n"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a wrong call wrote something");
}

#[test]
fn errors_say_what_is_wrong_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    fs::create_dir(folder.path().join("full")).unwrap();
    fs::write(folder.path().join("full/mine.txt"), "keep me").unwrap();
    fs::write(folder.path().join("notes.jsonl"), "{\"note_id\": \"a\", \"text\": \"Cough.\"}\n").unwrap();
    let made = small_corpus();
    let (corpus, vocab) = (made.join("corpus"), made.join("vocab"));
    let (corpus, vocab) = (argument(&corpus), argument(&vocab));
    let train = ["pretrain", "--corpus", corpus, "--vocab", vocab, "--out", "r"];
    let tune = ["finetune", "--corpus", corpus, "--out", "r", "--recipe", "demo", "--encoder"];
    let calls: Vec<Vec<&str>> = vec![
        vec!["synth", "--codes", "99999", "--out", "new.jsonl"],
        vec!["synth", "--extra-code-rate", "2", "--out", "new.jsonl"],
        vec!["prepare", "--input", "none.jsonl", "--out", "c"],
        vec!["prepare", "--input", "notes.jsonl", "--out", "full"],
        vec!["vocab", "--corpus", "empty", "--out", "v"],
        vec!["vocab", "--corpus", corpus, "--size", "3", "--out", "v"],
        vec!["pretrain", "--corpus", corpus, "--vocab", "empty", "--out", "r"],
        [&train[..], &["--recipe", "mine"]].concat(),
        [&train[..], &["--set", "learning=1"]].concat(),
        [&train[..], &["--set", "dropout=2"]].concat(),
        [&tune[..], &["none"]].concat(),
        [&tune[..], &["empty"]].concat(),
        [&tune[..], &["none", "--vocab", vocab, "--freeze", "9"]].concat(),
        vec!["evaluate"],
        vec!["evaluate", "--model", "empty", "--corpus", corpus],
        vec!["predict", "--model", corpus, "--input", "notes.jsonl"],
        vec!["encode", "--model", "empty", "--input", "notes.jsonl", "--out", "h.safetensors"],
        vec!["export", "--model", "empty", "--out", "e"],
        vec!["import", "empty", "--out", "i"],
        vec!["baseline", "--corpus", "empty", "--out", "b"],
        vec!["worker", "--listen", "iroh:4433", "--token-file", "none"],
        vec!["demo", "--out", "full"],
    ];
    let said: Vec<String> = calls.iter().map(|call| transcript(folder.path(), call)).collect();
    assert!(said.iter().all(|said| said.contains("\nexit code: 1\nstderr:\nerror: ")), "{said:#?}");
    compare("errors", &said.join("\n"));
    let mut left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["empty", "full", "notes.jsonl"], "something half-written was left");
}
