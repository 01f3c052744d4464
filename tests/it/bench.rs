//! `bench` through the command line: one JSON object for each of the three steps, on the smallest shapes.

use serde_json::Value;

use crate::process::succeed;

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
