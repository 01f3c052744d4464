//! `bert-xml evaluate` on files: scikit-learn's numbers, absent codes, thresholds from dev, refusals.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bert_xml_trainer::cli;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Problem {
    name: String,
    labels: usize,
    probabilities: Vec<f64>,
    gold: Vec<Vec<u32>>,
    tuned_threshold: f64,
    tuned_f1_micro: f64,
    report: Value,
}

fn problems() -> Vec<Problem> {
    serde_json::from_str(include_str!("../fixtures/metrics.json")).unwrap()
}

fn code(label: usize) -> String {
    format!("C{label:04}")
}

/// A problem as files: predictions by falling probability without those that `drop`, gold, label set.
fn write(problem: &Problem, folder: &Path, drop: impl Fn(f64) -> bool) -> [PathBuf; 3] {
    let [mut predictions, mut gold] = [String::new(), String::new()];
    for (note, row) in problem.probabilities.chunks_exact(problem.labels).enumerate() {
        let mut codes: Vec<(usize, f64)> =
            row.iter().copied().enumerate().filter(|&(_, probability)| !drop(probability)).collect();
        codes.sort_by(|a, b| b.1.total_cmp(&a.1));
        let codes: Vec<Value> = codes
            .iter()
            .map(|&(label, p)| json!({"code": code(label), "probability": p, "evidence": []}))
            .collect();
        predictions += &format!("{}\n", json!({"note_id": format!("n{note}"), "tokens": 3, "codes": codes}));
        let codes: Vec<String> = problem.gold[note].iter().map(|&label| code(label as usize)).collect();
        gold += &format!("{}\n", json!({"note_id": format!("n{note}"), "text": "secret", "codes": codes}));
    }
    let mut labels = "system\tcode\tdescription\n".to_owned();
    (0..problem.labels).for_each(|label| labels += &format!("local\t{}\t\n", code(label)));
    let paths = ["predictions.jsonl", "gold.jsonl", "labels.tsv"].map(|name| folder.join(name));
    for (path, content) in paths.iter().zip([predictions, gold, labels]) {
        fs::write(path, content).unwrap();
    }
    paths
}

fn evaluate(arguments: &[(&str, &Path)], threshold: Option<f64>) -> (ExitCode, Option<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("metrics.json");
    let mut line = vec!["bert-xml".into(), "evaluate".into(), "--json".into(), json.clone().into_os_string()];
    for (option, path) in arguments {
        line.extend([option.into(), path.as_os_str().to_owned()]);
    }
    if let Some(threshold) = threshold {
        line.extend(["--threshold".into(), threshold.to_string().into()]);
    }
    let code = cli::run(line);
    (code, fs::read(&json).ok().map(|bytes| serde_json::from_slice(&bytes).unwrap()))
}

fn assert_close(what: &str, ours: &Value, theirs: &Value) {
    match (ours.as_f64(), theirs.as_f64()) {
        (Some(a), Some(b)) => assert!((a - b).abs() <= 1e-9, "{what}: {a} is not {b}"),
        _ => assert_eq!(ours, theirs, "{what}"),
    }
}

#[test]
fn files_give_scikit_learns_numbers() {
    for problem in problems() {
        let folder = tempfile::tempdir().unwrap();
        let [predictions, gold, labels] = write(&problem, folder.path(), |_| false);
        let files = [("--predictions", &*predictions), ("--gold", &*gold), ("--labels", &*labels)];
        let (code, ours) = evaluate(&files, problem.report["threshold"].as_f64());
        assert_eq!(code, ExitCode::SUCCESS, "{}", problem.name);
        let ours = ours.unwrap();
        for (field, value) in problem.report.as_object().unwrap() {
            assert_close(&format!("{} {field}", problem.name), &ours[field], value);
        }
        assert_eq!(ours["missing_cells"], 0);
        assert_eq!(ours.as_object().unwrap().len(), 22, "18 metrics, missing_cells and the intervals of AUC");
    }
}

#[test]
fn codes_that_a_prediction_lacks_count_as_0_and_are_counted() {
    for mut problem in problems() {
        problem.probabilities.iter_mut().filter(|p| **p < 0.3).for_each(|p| *p = 0.0);
        let zeros = problem.probabilities.iter().filter(|p| **p == 0.0).count();
        let folder = tempfile::tempdir().unwrap();
        let of = |drop: fn(f64) -> bool| {
            let [predictions, gold, labels] = write(&problem, folder.path(), drop);
            let files = [("--predictions", &*predictions), ("--gold", &*gold), ("--labels", &*labels)];
            evaluate(&files, Some(0.5)).1.unwrap()
        };
        let (mut dense, sparse) = (of(|_| false), of(|p| p == 0.0));
        assert_eq!(sparse["missing_cells"], zeros, "{}", problem.name);
        dense["missing_cells"] = sparse["missing_cells"].clone();
        assert_eq!(dense, sparse, "{}", problem.name);
    }
}

#[test]
fn the_threshold_is_tuned_on_dev_and_not_on_what_is_judged() {
    for problem in problems() {
        let (folder, dev) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let [dev_predictions, dev_gold, _] = write(&problem, dev.path(), |_| false);
        // The same notes with codes turned round: another best threshold there.
        let turned = Problem {
            name: problem.name.clone(),
            probabilities: problem.probabilities.iter().map(|p| 1.0 - p).collect(),
            gold: problem.gold.clone(),
            report: Value::Null,
            ..problem
        };
        let [predictions, gold, labels] = write(&turned, folder.path(), |_| false);
        let files = [
            ("--predictions", &*predictions),
            ("--gold", &*gold),
            ("--labels", &*labels),
            ("--dev-predictions", &*dev_predictions),
            ("--dev-gold", &*dev_gold),
        ];
        let ours = evaluate(&files, None).1.unwrap();
        assert_close(&problem.name, &ours["threshold"], &json!(problem.tuned_threshold));
        // Judged at that threshold, as if it had been given.
        let given = evaluate(&files[..3], Some(problem.tuned_threshold)).1.unwrap();
        assert_eq!(ours["f1_micro"], given["f1_micro"], "{}", problem.name);
        let on_dev = [("--predictions", &*dev_predictions), ("--gold", &*dev_gold), ("--labels", &*labels)];
        let f1 = evaluate(&on_dev, Some(problem.tuned_threshold)).1.unwrap()["f1_micro"].clone();
        assert_close(&problem.name, &f1, &json!(problem.tuned_f1_micro));
    }
}

#[test]
fn bad_input_fails_and_writes_nothing() {
    let problem = problems().swap_remove(0);
    let folder = tempfile::tempdir().unwrap();
    let [predictions, gold, _] = write(&problem, folder.path(), |_| false);
    let whole = fs::read_to_string(&predictions).unwrap();
    let first = whole.lines().next().unwrap();
    let bad = [
        whole.replacen("\"probability\":0", "\"probability\":7", 1),
        format!("{whole}{first}\n"),
        whole.lines().skip(1).collect::<Vec<_>>().join("\n"),
        format!("{whole}{}\n", r#"{"note_id": "other", "codes": []}"#),
        whole.replacen("\"codes\"", "\"labels\"", 1),
        whole[..whole.len() - 5].to_owned(),
    ];
    for content in bad {
        assert_ne!(content, whole);
        fs::write(&predictions, content).unwrap();
        let (code, json) = evaluate(&[("--predictions", &predictions), ("--gold", &gold)], Some(0.5));
        assert_eq!((code, json), (ExitCode::FAILURE, None));
    }
    fs::write(&predictions, &whole).unwrap();
    assert_eq!(
        evaluate(&[("--predictions", &predictions), ("--gold", &gold)], Some(0.5)).0,
        ExitCode::SUCCESS
    );
    assert_eq!(
        evaluate(&[("--predictions", &predictions), ("--gold", &gold)], Some(1.5)).0,
        ExitCode::FAILURE
    );
}
