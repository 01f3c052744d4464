//! A step shared over two devices is the step that one takes, dropout and masks included.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::process::{Ended, argument, program, small_corpus};

/// Largest difference of a loss: gradients are added in another order.
const NOISE: f64 = 2e-4;

/// A call on these devices.
fn call(devices: &str, arguments: &[&str]) -> Ended {
    let mut command = Command::new(program());
    command.args(["--device", devices, "--progress", "none"]).args(arguments).env_remove("BERT_XML_DEVICE");
    command.output().unwrap().into()
}

/// Losses by step, all that a line of `metrics.jsonl` has of the training.
fn losses(run: &str) -> Vec<f64> {
    let text = fs::read_to_string(Path::new(run).join("metrics.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let named = |line: Value| ["loss", "mlm_loss", "nsp_loss"].map(|name| line[name].as_f64());
    lines.flat_map(named).flatten().collect()
}

#[track_caller]
fn assert_same_curve(one: &[f64], several: &[f64]) {
    assert_eq!(one.len(), several.len());
    let worst = one.iter().zip(several).map(|(one, several)| (one - several).abs()).fold(0.0, f64::max);
    assert!(worst <= NOISE, "{worst}\n{one:?}\n{several:?}");
}

#[test]
fn two_replicas_take_the_steps_of_one() {
    let (made, folder) = (small_corpus(), tempfile::tempdir().unwrap());
    let at = |name: &str| argument(&folder.path().join(name)).to_owned();
    let (corpus, vocab) = (made.join("corpus"), made.join("vocab"));
    let common = ["--recipe", "demo", "--corpus", argument(&corpus), "--batch", "8", "--max-len", "48"];
    let common =
        [&common[..], &["--micro-batch", "96", "--max-steps", "8", "--epochs", "1", "--set"]].concat();
    let train = |step: &[&str], run: &str, devices: &str| {
        let ended = call(devices, &[step, &common, &["checkpoint_every=3", "--out", run]].concat());
        assert_eq!(ended.code, Some(0), "{devices}: {}", ended.stderr);
    };
    let pretrain = ["pretrain", "--vocab", argument(&vocab)];
    let (one, two, mixed) = (at("one"), at("two"), at("mixed"));
    train(&pretrain, &one, "cpu");
    train(&pretrain, &two, "cpu,cpu");
    assert_eq!(losses(&one).len(), 16, "two losses a step");
    assert_same_curve(&losses(&one), &losses(&two));

    // A run goes on with other devices than it was begun with: from step 6, kept beside the last.
    train(&pretrain, &mixed, "cpu,cpu");
    fs::remove_dir_all(Path::new(&mixed).join("checkpoints/step-00000008")).unwrap();
    fs::remove_dir_all(Path::new(&mixed).join("encoder")).unwrap();
    train(&[&pretrain[..], &["--resume"]].concat(), &mixed, "cpu");
    assert_same_curve(&losses(&one), &losses(&mixed));

    let (tuned_by_one, tuned_by_three) = (at("tuned one"), at("tuned three"));
    let finetune = ["finetune", "--encoder", one.as_str(), "--freeze", "1"];
    train(&finetune, &tuned_by_one, "cpu");
    train(&finetune, &tuned_by_three, "cpu,cpu,cpu");
    assert_eq!(losses(&tuned_by_one).len(), 8);
    assert_same_curve(&losses(&tuned_by_one), &losses(&tuned_by_three));
}

#[test]
fn what_does_not_share_its_work_refuses_several_devices_and_idle_ones_are_told() {
    let (made, folder) = (small_corpus(), tempfile::tempdir().unwrap());
    let (corpus, vocab, run) = (made.join("corpus"), made.join("vocab"), folder.path().join("run"));
    let call = |more: &[&str]| {
        let words = ["pretrain", "--recipe", "demo", "--max-len", "16", "--batch", "4", "--max-steps", "1"];
        let inputs = ["--corpus", argument(&corpus), "--vocab", argument(&vocab), "--out", argument(&run)];
        call("cpu,cpu", &[&words[..], &inputs, more].concat())
    };
    let ended = call(&[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("a step has 1 micro-batches: 1 of 2 devices stand idle"),
        "{}",
        ended.stderr
    );

    let folder = argument(&run);
    let ended = self::call("cpu,cpu", &["encode", "--model", folder, "--input", "none", "--out", "none"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("only pretrain and finetune share their work"), "{}", ended.stderr);
}
