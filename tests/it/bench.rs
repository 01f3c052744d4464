//! `bench` through the command line: one JSON object for each of the three steps and for the CPU engine, on the
//! smallest shapes.

use std::fs;

use bert_xml_core::model_folder::ShippedModel;
use bert_xml_core::quantization::Precision;
use serde_json::Value;

use crate::process::{argument, fail, succeed};

const SHAPE: [&str; 10] = ["--size", "tiny", "--seq", "16", "--batch", "2", "--labels", "10", "--steps", "2"];

fn bench(what: &str) -> Value {
    serde_json::from_str(&succeed(&[&["bench", what], &SHAPE[..]].concat()).stdout).unwrap()
}

#[test]
fn each_step_is_measured() {
    // tiny: embeddings (20,000 + 1,024 + 2 + norm of 2) · 128; two layers of 4 · (128² + 128) for attention,
    // 2 · 128 · 512 + 512 + 128 for the rest, two norms of 2 · 128.
    let encoder = 21_028 * 128 + 2 * (4 * (128 * 128 + 128) + 2 * 128 * 512 + 640 + 4 * 128);
    let heads = [
        // Transform with its norm, a bias a token; pooler; two classes.
        ("pretrain", 128 * 128 + 3 * 128 + 20_000 + 128 * 128 + 128 + 2 * 128 + 2),
        // Ten queries; W_b and W_a.
        ("finetune", 10 * 128 + 128 * 128 + 128),
        ("predict", 10 * 128 + 128 * 128 + 128),
    ];
    for (what, head) in heads {
        let report = bench(what);
        assert_eq!(report["parameters"], encoder + head, "{report}");
        assert_eq!((report["what"].as_str(), &report["tokens_per_step"]), (Some(what), &Value::from(32)));
        let time = |key: &str| report["ms_per_step"][key].as_f64().unwrap();
        assert!(0.0 < time("min") && time("min") <= time("median") && time("median") <= time("max"));
        let speed = report["tokens_per_second"].as_f64().unwrap();
        assert!((speed - 32_000.0 / time("median")).abs() <= 0.5, "{report}");
        // The weights alone are four bytes each.
        assert!(report["peak_resident_bytes"].as_u64().unwrap() > 4 * (encoder + head) as u64, "{report}");
        let call = format!(
            "bert-xml --device cpu --seed 1 bench {what} --size tiny --seq 16 --batch 2 --labels 10 --label-chunk 256 \
             --steps 2"
        );
        assert_eq!(report["command"], call);
        assert_eq!(report["bert_xml"], env!("CARGO_PKG_VERSION"));
    }
}

#[test]
fn a_peer_takes_its_turn_at_every_step() {
    let folder = tempfile::tempdir().unwrap();
    let (script, seen) = (folder.path().join("peer.sh"), folder.path().join("seen"));
    let answer = format!(
        "echo \"$@\" > {0}; while read line; do echo $line >> {0}; echo 2.5 1; done",
        argument(&seen)
    );
    fs::write(&script, answer).unwrap();
    let peer = format!("sh {}", argument(&script));
    let call = [&["bench", "finetune"], &SHAPE[..], &["--peer", &peer]].concat();
    let report: Value = serde_json::from_str(&succeed(&call).stdout).unwrap();
    assert_eq!(report["peer"]["ms_per_step"]["median"], 2.5);
    let [ours, ratio] =
        [&report["ms_per_step"]["median"], &report["peer"]["ratio"]].map(|n| n.as_f64().unwrap());
    assert!((ratio * 2.5 / ours - 1.0).abs() < 1e-9, "{report}");
    let seen = fs::read_to_string(seen).unwrap();
    let told: Vec<&str> = seen.lines().collect();
    assert!(told[0].starts_with("--what finetune --threads "), "{seen}");
    assert!(told[0].ends_with("--size tiny --seq 16 --batch 2 --labels 10"), "{seen}");
    assert_eq!(told[1..], ["step"; 3], "one that is not counted and two that are");
}

#[test]
fn a_model_of_random_weights_can_be_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("random");
    let call =
        ["bench", "model", "--size", "tiny", "--labels", "7", "--precision", "int8", "--out", argument(&out)];
    succeed(&call);
    let model = ShippedModel::read(&out).unwrap();
    assert_eq!((model.manifest.precision, model.labels.len()), (Precision::Int8, 7));
    let (note, codes) = (folder.path().join("note.txt"), folder.path().join("codes.jsonl"));
    fs::write(&note, "w5 w77").unwrap();
    let files = ["--text", argument(&note), "--out", argument(&codes)];
    succeed(&[&["predict", "--model", argument(&out), "--top", "2"], &files[..]].concat());
    assert!(fs::read_to_string(codes).unwrap().contains("Random code"));
    assert!(fail(&call).contains("random"), "the folder holds something already");
}

#[test]
fn the_cpu_engine_is_measured_in_every_setting() {
    let call = "bench infer --size tiny --labels 20 --tokens 6,12 --threads 1,2 --precision f32,int8 --rounds 7 --json -";
    let words: Vec<&str> = call.split(' ').collect();
    let report: Value = serde_json::from_str(&succeed(&words).stdout).unwrap();
    assert_eq!(report["command"], format!("bert-xml --seed 1 {call}"));
    for field in ["bert_xml", "os", "arch", "cpu", "isa", "size"] {
        assert!(report[field].is_string(), "{field}: {report}");
    }
    for field in ["threads", "load", "labels", "evidence", "rounds", "peak_resident_bytes"] {
        assert!(report[field].is_number(), "{field}: {report}");
    }
    assert!(report["debug_assertions"].is_boolean());
    // Matrices of tiny: embeddings, two layers, 20 queries and W_b; vectors besides.
    let matrices = (21_026 + 2 * (4 * 128 + 2 * 512) + 20 + 128) * 128;
    let bytes = |precision: &str| report["weights_bytes"][precision].as_u64().unwrap();
    assert!(
        bytes("f32") >= 4 * matrices && bytes("int8") >= matrices && bytes("int8") < 2 * matrices,
        "{report}"
    );
    let settings = report["settings"].as_array().unwrap();
    let found: Vec<String> = settings
        .iter()
        .map(|setting| {
            format!("{} {} {}", setting["precision"].as_str().unwrap(), setting["tokens"], setting["threads"])
        })
        .collect();
    let expected =
        ["f32 6 1", "f32 12 1", "f32 6 2", "f32 12 2", "int8 6 1", "int8 12 1", "int8 6 2", "int8 12 2"];
    assert_eq!(found, expected);
    for setting in settings {
        let n = setting["tokens"].as_u64().unwrap();
        // Two layers, width 128 and 512; all but two tokens are word pieces; 15 of 20 labels get evidence.
        let linear = 2 * 2 * n * (4 * 128 * 128 + 2 * 128 * 512);
        let attention = 2 * 2 * 2 * n * n * 128;
        let labels = 2 * ((n - 2) * 128 * 128 + 20 * (2 * (n - 2) * 128 + 128));
        let evidence = 2 * 15 * (n - 2) * 128;
        let operations = &setting["operations"];
        let counted =
            ["linear", "attention", "labels", "evidence"].map(|term| operations[term].as_u64().unwrap());
        assert_eq!(counted, [linear, attention, labels, evidence], "{setting}");
        let total = linear + attention + labels + evidence;
        assert_eq!(setting["operations_total"], total);
        for field in ["wall_ms", "cpu_ms", "encoder_wall_ms", "labels_wall_ms", "evidence_wall_ms"] {
            let time = |key: &str| setting[field][key].as_f64().unwrap();
            assert!(time("min") <= time("median") && time("median") <= time("max"), "{field}: {setting}");
        }
        let speed = setting["gop_per_second"].as_f64().unwrap();
        let wall = setting["wall_ms"]["median"].as_f64().unwrap();
        assert!((speed * wall * 1e6 / total as f64 - 1.0).abs() < 1e-9, "{setting}");
        assert!(setting["workspace_bytes"].as_u64().unwrap() > 4 * n * 128, "{setting}");
        assert!(setting["peer"].is_null());
    }
}
