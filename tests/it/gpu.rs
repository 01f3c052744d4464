//! The script for a card, dry: every step for real on the CPU, cut by its time limit and in the middle of training, and
//! gone on with.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::process::{argument, program, succeed};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../native-trainer/gpu/run.sh");

fn call(data: &Path, out: &Path, seconds: &str) -> Command {
    let mut command = Command::new("bash");
    command.args([SCRIPT, "--dry-run", argument(program()), argument(data), argument(out), seconds]);
    command.env("PRETRAIN_OPTIONS", "--batch 8 --max-steps 60 --set checkpoint_every=1000");
    command.env("FINETUNE_OPTIONS", "--batch 8 --max-steps 8 --lr 1e-3");
    for variable in ["WORK", "DEVICE", "SIZE", "PRECISION", "RECIPE", "MICRO_BATCH", "BERT_XML_DEVICE"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[track_caller]
fn said(output: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn a_dry_run_stops_in_time_and_goes_on_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out, work) = ["data", "out", "out.work"].map(|name| folder.path().join(name)).into();
    fs::create_dir(&data).unwrap();
    // Public text as it comes: other fields, a test split that is left out, questions and answers.
    let own = data.join("notes.jsonl");
    succeed(&["synth", "--patients", "4", "--codes", "12", "--length", "short", "--out", argument(&own)]);
    let of_others = [
        r#"{"doc_id": "a", "split": "train", "text_en": "Uncommonword of the training split, which is long enough to be kept in."}"#,
        r#"{"doc_id": "b", "split": "challenge_test2", "text_en": "Secretword of a test split, which is long enough to be kept in."}"#,
        r#"{"id": "c", "url": "u", "qa": [["what", "Whatword is \"this\", a question?", "An answer."], ["why", "Whyword is that?", "So it is."]]}"#,
    ];
    fs::write(data.join("others.jsonl"), of_others.join("\n") + "\n").unwrap();

    // Two seconds of it are for the end, and two are too few for all steps.
    let first = said(&call(&data, &out, "4").output().unwrap(), 75);
    assert!(first.contains("time is up; call again") && out.join("1-figures.json").is_file(), "{first}");
    let done = || -> Vec<String> {
        let files = fs::read_dir(work.join("done")).unwrap();
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
    };
    let before = done();

    let mut second = call(&data, &out, "600").spawn().unwrap();
    let metrics = work.join("pretrained/metrics.jsonl");
    while fs::read_to_string(&metrics).map_or(0, |lines| lines.lines().count()) < 3 {
        assert!(second.try_wait().unwrap().is_none(), "it ended before it trained");
        std::thread::sleep(Duration::from_millis(10));
    }
    // SAFETY: the child is not waited for yet, so its id is still its own.
    unsafe { libc::kill(i32::try_from(second.id()).unwrap(), libc::SIGTERM) };
    let second = said(&second.wait_with_output().unwrap(), 75);
    assert!(before.iter().all(|step| !second.contains(&format!("s: {step}\n"))), "{second}");
    assert!(done().contains(&"vocab".to_owned()) && !done().contains(&"evaluate-xml".to_owned()), "{second}");

    let third = said(&call(&data, &out, "600").output().unwrap(), 0);
    assert!(!third.contains("s: vocab\n") && third.ends_with("s: all done\n"), "{third}");

    let text = fs::read_to_string(work.join("texts.jsonl")).unwrap();
    assert!(text.contains("Uncommonword") && !text.contains("Secretword"), "a test split was read");
    let answers: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let expected = r#"what Whatword is "this", a question? An answer. why Whyword is that? So it is."#;
    assert_eq!((&answers["split"], &answers["text"]), (&"train".into(), &expected.into()));

    // The run that was cut goes from step to step without a gap.
    let metrics = fs::read_to_string(work.join("pretrained/metrics.jsonl")).unwrap();
    let steps: Vec<u64> = metrics
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line.get("mlm_loss").is_some())
        .map(|line| line["step"].as_u64().unwrap())
        .collect();
    assert_eq!(steps, (1..=steps.len() as u64).collect::<Vec<_>>());

    let figures: Value = serde_json::from_slice(&fs::read(out.join("1-figures.json")).unwrap()).unwrap();
    for parity in ["parity-f32", "parity-bf16"] {
        assert_eq!(figures[parity]["passed"], true, "{figures}");
    }
    for bench in ["bench-train-tiny", "bench-train-tiny-fast", "bench-finetune-tiny", "bench-predict-tiny"] {
        assert!(
            figures[bench]["row_cost_of_longest_over_shortest"].as_f64().unwrap() > 0.0,
            "{bench}: {figures}"
        );
    }
    for test in ["test-xml", "test-cls"] {
        assert!(
            figures[test]["auc_micro"].is_number() && figures[test]["notes"].as_u64() > Some(5),
            "{figures}"
        );
    }
    assert!(figures["seconds"]["pretrain"].is_number());

    // Pieces that make a folder again, which codes a note.
    let names: Vec<String> = {
        let mut names: Vec<String> = fs::read_dir(&out)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let expected = [
        "1-figures.json",
        "2-curves.tar.gz",
        "3-xml-int8.tar.00",
        "4-cls-int8.tar.00",
        "5-pretrained.tar.00",
    ];
    assert_eq!(names, expected);
    let back =
        Command::new("tar").arg("-xf").arg(out.join("3-xml-int8.tar.00")).current_dir(folder.path()).status();
    assert!(back.unwrap().success());
    let (note, codes) = (folder.path().join("note.txt"), folder.path().join("codes.jsonl"));
    fs::write(&note, "The patient has hypertension.").unwrap();
    let model = folder.path().join("xml-int8");
    succeed(&["predict", "--model", argument(&model), "--text", argument(&note), "--out", argument(&codes)]);
    assert!(fs::read_to_string(codes).unwrap().contains("probability"));
}
