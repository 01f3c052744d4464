//! Training through the command line: the same seed gives the same run, a resume gives the same weights,
//! settings and inputs that differ are refused.

use std::fs;
use std::path::Path;

use bert_xml_core::model::weights::read_weights;
use serde_json::Value;

use crate::process::{argument, command, fail, small_corpus, succeed};

/// Tiny shapes; an encoder of 2 layers, 24 steps at most.
const PRETRAIN: [&str; 9] =
    ["pretrain", "--recipe", "demo", "--batch", "8", "--max-len", "48", "--set", "checkpoint_every=5"];
const FINETUNE: [&str; 9] =
    ["finetune", "--recipe", "demo", "--batch", "8", "--max-len", "64", "--set", "checkpoint_every=5"];

struct Place {
    folder: tempfile::TempDir,
    corpus: String,
    vocab: String,
}

impl Place {
    fn new() -> Self {
        let made = small_corpus();
        let at = |name: &str| made.join(name).to_str().unwrap().to_owned();
        Self { folder: tempfile::tempdir().unwrap(), corpus: at("corpus"), vocab: at("vocab") }
    }

    fn at(&self, name: &str) -> String {
        argument(&self.folder.path().join(name)).to_owned()
    }

    fn pretrain<'a>(&'a self, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let inputs = ["--corpus", &self.corpus, "--vocab", &self.vocab, "--out", out];
        [&PRETRAIN[..], &inputs, more].concat()
    }

    fn finetune<'a>(&'a self, encoder: &'a str, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let inputs = ["--corpus", &self.corpus, "--encoder", encoder, "--out", out];
        let vocab = ["--vocab", &self.vocab];
        let vocab = if encoder == "none" { &vocab[..] } else { &[] };
        [&FINETUNE[..], &inputs, vocab, more].concat()
    }
}

/// Every line of `metrics.jsonl` without what a clock says.
fn metrics(run: &str) -> Vec<Value> {
    let text = fs::read_to_string(Path::new(run).join("metrics.jsonl")).unwrap();
    let clean = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        for clock in ["seconds", "tokens_per_second", "waited_percent", "resident_mb"] {
            line.as_object_mut().unwrap().remove(clock);
        }
        line
    };
    text.lines().map(clean).collect()
}

fn bytes(run: &str, file: &str) -> Vec<u8> {
    fs::read(Path::new(run).join(file)).unwrap()
}

fn losses(run: &str) -> Vec<f64> {
    metrics(run).iter().filter_map(|line| line["loss"].as_f64()).collect()
}

/// A copy of a run as it stood at an earlier checkpoint.
fn as_it_stood(run: &str, copy: &str, step: u64) {
    fs::create_dir_all(Path::new(copy).join("checkpoints")).unwrap();
    for file in ["settings.toml", "provenance.json", "metrics.jsonl"] {
        fs::copy(Path::new(run).join(file), Path::new(copy).join(file)).unwrap();
    }
    let name = format!("checkpoints/step-{step:08}");
    fs::create_dir(Path::new(copy).join(&name)).unwrap();
    for file in ["state.json", "weights.safetensors", "optimizer.safetensors"] {
        fs::copy(Path::new(run).join(&name).join(file), Path::new(copy).join(&name).join(file)).unwrap();
    }
}

#[test]
fn the_same_seed_gives_the_same_run_and_a_resume_the_same_weights() {
    let place = Place::new();
    let (first, second, resumed, other) = (place.at("a"), place.at("b"), place.at("c"), place.at("d"));
    let steps = ["--epochs", "1", "--max-steps", "12"];
    for run in [&first, &second] {
        succeed(&place.pretrain(run, &steps));
    }
    let weights = bytes(&first, "encoder/model.safetensors");
    assert!(weights == bytes(&second, "encoder/model.safetensors"), "same seed, other weights");
    assert_eq!(metrics(&first), metrics(&second));
    assert_eq!(metrics(&first).len(), 13, "12 steps and a line of dev losses");

    // Step 10 is a checkpoint in the middle of an epoch; steps 11 and 12 come again, in a new process.
    as_it_stood(&first, &resumed, 10);
    succeed(&place.pretrain(&resumed, &[&steps[..], &["--resume"]].concat()));
    assert!(weights == bytes(&resumed, "encoder/model.safetensors"), "a resume changed the weights");
    assert_eq!(metrics(&first), metrics(&resumed));

    succeed(&place.pretrain(&other, &[&steps[..], &["--seed", "2"]].concat()));
    assert!(weights != bytes(&other, "encoder/model.safetensors"), "the seed decides nothing");
    let said = fail(&place.pretrain(&resumed, &[&steps[..], &["--resume", "--lr", "1e-5"]].concat()));
    assert!(said.contains("optimizer.learning_rate = "), "{said}");
    let said = fail(&place.pretrain(&resumed, &[&steps[..], &["--resume", "--seed", "2"]].concat()));
    assert!(said.contains("was started with seed 1, not 2"), "{said}");
    let said = fail(&place.pretrain(&first, &steps));
    assert!(said.contains("is not empty") && said.contains("hint: ") && said.contains("--resume"), "{said}");
}

/// Three kills; `BERT_XML_KILLS=20 cargo test --test it killed` for more.
#[test]
fn a_killed_run_goes_on_to_the_same_weights() {
    let place = Place::new();
    let (whole, killed) = (place.at("whole"), place.at("killed"));
    let kills: u64 = std::env::var("BERT_XML_KILLS").map_or(3, |kills| kills.parse().expect("a number"));
    let steps = if kills > 3 { 30 * kills } else { 14 }.to_string();
    let settings = ["--epochs", "20", "--max-steps", &steps, "--set", "checkpoint_every=2"];
    succeed(&place.finetune("none", &whole, &settings));
    let resume = place.finetune("none", &killed, &[&settings[..], &["--resume"]].concat());
    let mut finished = 0;
    for kill in 0..kills {
        let mut child = command(&resume).spawn().unwrap();
        // Wherever it is after a while that differs each time.
        std::thread::sleep(std::time::Duration::from_millis(400 + 353 * kill % 1061));
        finished += u64::from(child.try_wait().unwrap().is_some());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    println!("{} of {kills} kills hit a run at work", kills - finished);
    assert!(finished < kills, "no kill hit a run at work: the machine is faster than the waits");
    succeed(&resume);
    for file in ["model/weights.safetensors", "checkpoints/best.safetensors"] {
        assert!(bytes(&whole, file) == bytes(&killed, file), "{file} differs after {kills} kills");
    }
    assert_eq!(metrics(&whole), metrics(&killed));
}

#[test]
fn a_loss_that_is_not_finite_names_its_notes_and_leaves_good_weights() {
    let place = Place::new();
    let (pretrained, tuned) = (place.at("pretrained"), place.at("tuned"));
    // Rates that throw every weight beyond f32 at the first step.
    let beyond =
        ["--epochs", "1", "--lr", "1e38", "--set", "optimizer.warmup=0", "--set", "checkpoint_every=1"];
    let head = ["--set", "optimizer.head_learning_rate=1e38"];
    let runs = [
        (&pretrained, place.pretrain(&pretrained, &beyond)),
        (&tuned, place.finetune("none", &tuned, &[&beyond[..], &head].concat())),
    ];
    for (run, words) in runs {
        let said = fail(&words);
        assert!(said.contains("the loss is not finite") && said.contains("not-finite.json"), "{said}");
        let listed: Value = serde_json::from_slice(&bytes(run, "not-finite.json")).unwrap();
        let ids: Vec<&str> =
            listed["note_ids"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let step = listed["step"].as_u64().unwrap();
        assert!(!ids.is_empty() && ids.iter().all(|id| id.starts_with('P')) && step > 1, "{listed}");
        // The checkpoint is of the last step whose loss was a number.
        let logged = metrics(run);
        assert_eq!(logged.last().unwrap()["step"].as_u64(), Some(step - 1));
        assert!(Path::new(run).join(format!("checkpoints/step-{:08}/state.json", step - 1)).is_file());
    }
}

#[test]
fn micro_batches_change_no_loss_and_frozen_layers_no_weight() {
    let place = Place::new();
    let encoder = place.at("encoder");
    succeed(&place.pretrain(&encoder, &["--epochs", "1", "--max-steps", "2"]));
    let still = ["--epochs", "1", "--max-steps", "6", "--set", "dropout=0.0"];
    let (whole, parts, chunks) = (place.at("whole"), place.at("parts"), place.at("chunks"));
    succeed(&place.finetune(&encoder, &whole, &still));
    succeed(&place.finetune(&encoder, &parts, &[&still[..], &["--micro-batch", "64"]].concat()));
    succeed(&place.finetune(&encoder, &chunks, &[&still[..], &["--set", "label_chunk=2"]].concat()));
    for other in [&parts, &chunks] {
        for (a, b) in losses(&whole).iter().zip(losses(other)) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }

    let vocab = ["--vocab", &place.vocab];
    let said = fail(&place.finetune(&encoder, &place.at("no"), &vocab));
    assert!(said.contains("has a vocabulary of its own") && said.contains("hint: "), "{said}");

    let frozen = place.at("frozen");
    succeed(&place.finetune(&encoder, &frozen, &[&still[..], &["--freeze", "1"]].concat()));
    let read = |path: &str, file: &str| read_weights(&bytes(path, file)).unwrap().0;
    let (before, after) =
        (read(&encoder, "encoder/model.safetensors"), read(&frozen, "model/weights.safetensors"));
    let query = |layer: usize| {
        let theirs = before[&format!("bert.encoder.layer.{layer}.attention.self.query.weight")].transposed();
        theirs == after[&format!("encoder.layers.{layer}.attention.query.weight")]
    };
    assert!(query(0) && !query(1), "the first layer stays, the second learns");
    let words = (&before["bert.embeddings.word_embeddings.weight"], &after["encoder.embeddings.word.weight"]);
    assert!(words.0 == words.1, "embeddings below a frozen layer stay");
}

#[test]
fn packed_rows_and_blocks_computed_twice_change_no_loss() {
    let place = Place::new();
    // All windows in one step, so that both orders are the same.
    let still = ["--epochs", "2", "--set", "dropout=0.0", "--set", "batch=4000"];
    let finetune = |name: &str, more: &[&str]| {
        let run = place.at(name);
        let corpus = ["--corpus", &place.corpus, "--encoder", "none", "--vocab", &place.vocab, "--out", &run];
        let call = ["finetune", "--recipe", "demo", "--max-len", "64", "--micro-batch", "512"];
        succeed(&[&call[..], &corpus, &still, more].concat());
        losses(&run)
    };
    let whole = finetune("whole", &[]);
    let others = [
        finetune("packed", &["--set", "rows=packed"]),
        finetune("twice", &["--gradient-checkpointing"]),
        finetune("both", &["--set", "rows=packed", "--gradient-checkpointing"]),
    ];
    assert_eq!(whole.len(), 2);
    for other in others {
        for (a, b) in whole.iter().zip(other) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }
    let out = place.at("no");
    let said = fail(&place.finetune("none", &out, &["--set", "rows=packed", "--freeze", "1"]));
    assert!(said.contains("finetune.freeze = 1: goes with rows = \"padded\""), "{said}");
}

#[test]
fn a_fast_run_in_bf16_learns_and_a_resume_gives_the_same_weights() {
    let place = Place::new();
    let (first, resumed) = (place.at("first"), place.at("resumed"));
    let fast = ["--set", "rows=packed", "--set", "attention_dropout=0.0"];
    let more = ["--precision", "bf16", "--gradient-checkpointing", "--epochs", "8", "--max-steps", "22"];
    let all = [&fast[..], &more].concat();
    succeed(&place.pretrain(&first, &all));
    let lines = metrics(&first);
    let loss = |line: &Value| line["mlm_loss"].as_f64();
    let (start, end) = (loss(&lines[0]).unwrap(), lines.iter().rev().find_map(loss).unwrap());
    assert!(lines[0]["nsp_loss"].is_null() && end < start - 0.3, "{start} {end}");
    as_it_stood(&first, &resumed, 20);
    succeed(&place.pretrain(&resumed, &[&all[..], &["--resume"]].concat()));
    let file = "encoder/model.safetensors";
    assert!(bytes(&first, file) == bytes(&resumed, file), "a resume changed the weights");
    assert_eq!(lines, metrics(&resumed));
}

#[test]
fn a_sweep_leaves_its_best_model_and_goes_on_where_it_stood() {
    let place = Place::new();
    let (encoder, out) = (place.at("encoder"), place.at("sweep"));
    succeed(&place.pretrain(&encoder, &["--epochs", "1", "--max-steps", "2"]));
    let steps = ["--epochs", "1", "--max-steps", "2"];
    let with = |sweep: &'static str, more: &[&'static str]| {
        let all = [&steps[..], &["--sweep", sweep], more].concat();
        all.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let call = |words: &[String]| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let call = place.finetune(&encoder, &out, &words);
        call.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let run = |words: Vec<String>| {
        let call = call(&words);
        crate::process::call(&call.iter().map(String::as_str).collect::<Vec<_>>())
    };
    // The second trial is wrong: the first does not start.
    let ended = run(with("dropout=0.1,2", &[]));
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("trial dropout = 2: finetune.dropout = 2"), "{}", ended.stderr);
    assert!(!Path::new(&out).exists());

    let ended = run(with("lr=1e-3,1e-5", &[]));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let results: Value = serde_json::from_slice(&bytes(&out, "sweep.json")).unwrap();
    let best = results[0]["trial"].as_str().unwrap().to_owned();
    let weights = bytes(&out, "model/weights.safetensors");
    assert!(weights == bytes(&out, &format!("{best}/model/weights.safetensors")));
    let judge = ["evaluate", "--model", &out, "--corpus", &place.corpus];
    let ended = succeed(&judge);
    assert!(ended.stdout.contains("Threshold: the model's own, tuned on dev."), "{}", ended.stdout);

    // One trial is lost; the other is taken as it is.
    fs::remove_dir_all(Path::new(&out).join("trial-1")).unwrap();
    let ended = run(with("lr=1e-3,1e-5", &["--resume"]));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stderr.matches("finished already").count(), 1, "{}", ended.stderr);
    assert!(bytes(&out, "model/weights.safetensors") == weights && bytes(&out, "sweep.json").len() > 10);
}

#[test]
fn a_run_keeps_its_encoder_by_content_and_says_no_to_what_does_nothing() {
    let place = Place::new();
    let (encoder, moved, run) = (place.at("encoder"), place.at("moved"), place.at("run"));
    let steps = ["--epochs", "1", "--max-steps", "2"];
    succeed(&place.pretrain(&encoder, &steps));
    succeed(&place.finetune(&encoder, &run, &steps));
    let provenance = String::from_utf8(bytes(&run, "model/model.json")).unwrap();
    assert!(!provenance.contains(argument(place.folder.path())), "a path of this machine is in the model");
    assert!(provenance.contains("\"name\": \"encoder\""), "{provenance}");
    let weights = bytes(&run, "model/weights.safetensors");

    let resume = [&steps[..], &["--resume"]].concat();
    fs::rename(&encoder, &moved).unwrap();
    let said = succeed(&place.finetune(&moved, &run, &resume)).stderr;
    assert!(
        said.contains("finished already") && weights == bytes(&run, "model/weights.safetensors"),
        "{said}"
    );
    succeed(&place.pretrain(&encoder, &[&steps[..], &["--seed", "2"]].concat()));
    let said = fail(&place.finetune(&encoder, &run, &resume));
    assert!(said.contains("was started with encoder {"), "{said}");

    let new = place.at("new");
    let said = fail(&place.finetune(&moved, &new, &["--size", "big"]));
    assert!(said.contains("size = \"big\": the encoder "), "{said}");
    let said = fail(&place.finetune(&moved, &new, &["--head", "cls", "--set", "readout=own"]));
    assert!(said.contains("readout = \"own\": the cls head has none"), "{said}");
    let start = Path::new(&moved).join("encoder");
    let call = ["pretrain", "--recipe", "demo", "--corpus", &place.corpus, "--out", &new, "--size", "big"];
    let said = fail(&[&call[..], &["--start", argument(&start)]].concat());
    assert!(said.contains("size: the encoder of --start "), "{said}");
    assert!(!Path::new(&new).exists());
}

#[test]
fn a_model_is_judged_on_its_own_labels_only() {
    let place = Place::new();
    let run = place.at("run");
    succeed(&place.finetune("none", &run, &["--epochs", "1", "--max-steps", "2", "--head", "cls"]));
    let judge = ["evaluate", "--model", &run, "--corpus", &place.corpus];
    let ended = succeed(&[&judge[..], &["--json", "-"]].concat());
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let keys = [
        "auc_micro",
        "auc_macro",
        "auc_micro_all",
        "auprc_micro",
        "auprc_macro",
        "f1_micro",
        "f1_macro",
        "p_at_5",
        "p_at_8",
        "p_at_15",
        "r_precision",
        "map",
        "exact_match",
        "ece",
        "threshold",
        "notes",
        "codes",
        "codes_undefined",
    ];
    assert!(keys.iter().all(|key| report.get(key).is_some()), "{report}");
    assert!(report["notes"].as_u64().unwrap() > 0);

    let (notes, other) = (place.at("notes.jsonl"), place.at("other"));
    succeed(&["synth", "--patients", "60", "--codes", "30", "--length", "short", "--out", &notes]);
    succeed(&["prepare", "--input", &notes, "--more-than", "3", "--out", &other]);
    let said = fail(&["evaluate", "--model", &run, "--corpus", &other]);
    assert!(said.contains("label sets do not match: the model has ") && said.contains("hint: "), "{said}");
    let said = fail(&["evaluate", "--model", &place.corpus, "--corpus", &other]);
    assert!(said.starts_with("error: "), "{said}");
}

/// A file size limit stands in for a full disk: the same write fails in the same place.
#[cfg(unix)]
#[test]
fn a_full_disk_names_the_file_and_leaves_nothing() {
    let place = Place::new();
    let (notes, out) = (place.at("notes.jsonl"), place.at("full"));
    succeed(&["synth", "--patients", "200", "--codes", "12", "--length", "short", "--out", &notes]);
    let script = "trap '' XFSZ; ulimit -f 24; exec \"$@\"";
    let arguments = ["prepare", "--input", &notes, "--more-than", "3", "--out", &out];
    let output = std::process::Command::new("sh")
        .args(["-c", script, "sh", argument(crate::process::program())])
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("writing ") && said.contains("File too large"), "{said}");
    assert!(!Path::new(&out).exists());
    let left: Vec<_> =
        fs::read_dir(place.folder.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["notes.jsonl"], "something half-written was left");
}
