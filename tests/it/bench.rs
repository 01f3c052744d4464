//! `bench` through the command line: one JSON object for each of the three steps, for the CPU engine and for the parity
//! of a device, on the smallest shapes.

use std::fs;

use bert_xml_core::model_folder::ShippedModel;
use bert_xml_core::quantization::Precision;
use serde_json::Value;

use crate::process::{argument, fail, succeed};

const SHAPE: [&str; 10] = ["--size", "tiny", "--seq", "16", "--batch", "2", "--labels", "10", "--steps", "2"];

fn bench(what: &str, more: &[&str]) -> Value {
    serde_json::from_str(&succeed(&[&["bench", what], &SHAPE[..], more].concat()).stdout).unwrap()
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
    // Rows of 16: 32 tokens through two layers, and the products over all pairs of tokens.
    let linear = 2 * 2 * 32 * (4 * 128 * 128 + 2 * 128 * 512);
    let attention = 2 * 2 * 2 * 2 * 16 * 16 * 128;
    let of_labels = 2 * 2 * 10 * (2 * 16 * 128 + 128 * 128 + 128);
    // 15 % of 13 word pieces a row is 2.
    let of_pretraining = 2 * (4 * (128 * 128 + 128 * 20_000) + 2 * (128 * 128 + 2 * 128));
    for (what, head) in heads {
        let report = bench(what, &["--peak-tflops", "2"]);
        assert_eq!(report["parameters"], encoder + head, "{report}");
        assert_eq!((report["what"].as_str(), report["precision"].as_str()), (Some(what), Some("f32")));
        let of = &report["lengths"][0];
        assert_eq!((&of["seq"], &of["rows"], &of["tokens_per_step"]), (&16.into(), &2.into(), &32.into()));
        let time = |key: &str| of["ms_per_step"][key].as_f64().unwrap();
        assert!(0.0 < time("min") && time("min") <= time("median") && time("median") <= time("max"));
        let speed = of["tokens_per_second"].as_f64().unwrap();
        assert!((speed - 32_000.0 / time("median")).abs() <= 0.5, "{report}");
        let parts: Vec<&str> = of["ms_by_part"].as_object().unwrap().keys().map(String::as_str).collect();
        let (expected, flops): (&[&str], u64) = match what {
            "pretrain" => {
                (&["backward", "data", "forward", "optimizer"], 3 * (linear + attention + of_pretraining))
            }
            "finetune" => (
                &["backward", "data", "forward", "labels", "optimizer"],
                3 * (linear + attention + of_labels),
            ),
            _ => (&["data", "encoder", "labels", "read"], linear + attention + of_labels),
        };
        assert_eq!((parts, of["flops_per_step"].as_u64()), (expected.to_vec(), Some(flops)), "{report}");
        let share = flops as f64 / time("median") * 1e-9 / 2.0;
        assert!((of["mfu"].as_f64().unwrap() / share - 1.0).abs() < 1e-9, "{report}");
        // The weights alone are four bytes each.
        assert!(report["peak_resident_bytes"].as_u64().unwrap() > 4 * (encoder + head) as u64, "{report}");
        let call = format!(
            "bert-xml --device cpu --seed 1 bench {what} --size tiny --seq 16 --batch 2 --labels 10 --label-chunk 256 \
             --precision f32 --attention-dropout 0.1 --steps 2 --peak-tflops 2"
        );
        assert_eq!(report["command"], call);
        assert_eq!(report["bert_xml"], env!("CARGO_PKG_VERSION"));
    }
}

#[test]
fn lengths_are_compared_and_peers_take_their_turns_at_every_step() {
    let folder = tempfile::tempdir().unwrap();
    let peer = |name: &str, milliseconds: &str| {
        let (script, seen) = (folder.path().join(name), folder.path().join(format!("{name}.seen")));
        let answer = format!(
            "echo \"$@\" >> {0}; while read line; do echo $line >> {0}; echo {milliseconds} 1; done",
            argument(&seen)
        );
        fs::write(&script, answer).unwrap();
        format!("sh {}", argument(&script))
    };
    let (slow, fast) = (peer("slow", "2.5"), peer("fast", "1.25"));
    let more = [
        "--seq",
        "8,16",
        "--precision",
        "bf16",
        "--attention-dropout",
        "0",
        "--peer",
        &slow,
        "--peer",
        &fast,
    ];
    // `train` is another word for `pretrain`; the last --seq counts.
    let shape: Vec<&str> = SHAPE.into_iter().filter(|word| !["--seq", "16"].contains(word)).collect();
    let call = [&["bench", "train"], &shape[..], &more].concat();
    let report: Value = serde_json::from_str(&succeed(&call).stdout).unwrap();
    let lengths = report["lengths"].as_array().unwrap();
    let median = |of: &Value| of["ms_per_step"]["median"].as_f64().unwrap();
    for of in lengths {
        assert_eq!(of["peers"][0]["ms_per_step"]["median"], 2.5, "{report}");
        let ratio = of["peers"][1]["ratio"].as_f64().unwrap();
        assert!((ratio * 1.25 / median(of) - 1.0).abs() < 1e-9, "{report}");
        let over = of["throughput_over_best_peer"].as_f64().unwrap();
        assert!((over * ratio - 1.0).abs() < 1e-9, "{report}");
        assert!(of["mfu"].is_null(), "no peak is known for this processor");
    }
    let ratio = report["row_cost_of_longest_over_shortest"].as_f64().unwrap();
    assert!((ratio * median(&lengths[0]) / median(&lengths[1]) - 1.0).abs() < 1e-9, "{report}");
    let seen = fs::read_to_string(folder.path().join("slow.seen")).unwrap();
    let told: Vec<&str> = seen.lines().collect();
    assert!(told[0].starts_with("--what pretrain --device cpu --threads "), "{seen}");
    let shapes = "--precision bf16 --attention-dropout 0 --size tiny --seq";
    assert!(told[0].ends_with(&format!("{shapes} 8 --batch 2 --labels 10")), "{seen}");
    assert_eq!(told[1..4], ["step"; 3], "one that is not counted and two that are");
    assert!(told[4].ends_with(&format!("{shapes} 16 --batch 2 --labels 10")), "{seen}");
    assert_eq!(told.len(), 8);
}

#[test]
fn a_device_is_compared_with_the_cpu_in_f32() {
    let checkpoint = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/bert");
    let parity = |more: &[&str]| {
        let all = [&["bench", "parity", "--encoder", checkpoint], more].concat();
        crate::process::call(&all)
    };
    for (precision, least, most) in [("f32", 0.0, 0.0), ("bf16", 1e-4, 2e-2)] {
        let ended = parity(&["--precision", precision]);
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        let errors = report["relative_errors"].as_object().unwrap();
        assert_eq!(errors.len(), 7, "{report}");
        for (output, error) in errors {
            let error = error.as_f64().unwrap();
            // Losses are two numbers, which can be right by chance.
            assert!(error <= most && (error >= least || output.contains("loss")), "{output}: {report}");
        }
        assert_eq!(report["passed"], true);
    }
    let ended = parity(&["--precision", "bf16", "--tolerance", "1e-5"]);
    assert_eq!(ended.code, Some(1));
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report["passed"], false);
    assert!(
        ended.stderr.contains("error: cpu differs from the CPU by more than 0.00001: "),
        "{}",
        ended.stderr
    );
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
