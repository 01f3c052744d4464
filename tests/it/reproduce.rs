//! The reproduction, very small: every kind of row for real, every table, figure and claim, and a second call that finds
//! all of it done.

use std::fs;
use std::path::{Path, PathBuf};

use bert_xml_core::model::Size;
use bert_xml_trainer::context::Context;
use bert_xml_trainer::reproduce::{
    AttentionShape, Budget, ROWS, Reproduced, Scale, Settings, Shapes, Suite, Verdict, run,
};
use bert_xml_trainer::synth::Length;
use serde_json::json;

use crate::process::{argument, fail};

fn shapes() -> Shapes {
    let budget = Budget { epochs: 1, max_steps: 4, batch: 8, rate: 1e-3 };
    Shapes {
        patients: 60,
        codes: 20,
        length: Length::Short,
        more_than: 4,
        small: Size::Nano,
        big: Size::Nano,
        short: 32,
        long: 64,
        vocab: 600,
        pretrain: budget,
        finetune: budget,
        head_rate: None,
        label_init_scale: 1.0,
        attention: AttentionShape {
            embedding: 8,
            hidden: 8,
            heads: 4,
            max_len: 16,
            embedding_epochs: 1,
            budget,
            rates: vec![1e-3, 1e-2],
        },
    }
}

fn settings(suite: Suite, out: &Path, input: Option<PathBuf>, rows: &[&str]) -> Settings {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/bert");
    Settings {
        suite,
        scale: Scale::Smoke,
        shapes: shapes(),
        out: out.to_owned(),
        input,
        bert: (suite == Suite::Cohort).then_some(fixture),
        biobert: None,
        discharge_bert: None,
        rows: rows.iter().map(|&row| row.to_owned()).collect(),
    }
}

/// The rows that are done.
fn done(told: &Reproduced) -> Vec<&str> {
    told.rows.iter().filter(|row| row.done.is_some()).map(|row| row.id.as_str()).collect()
}

#[test]
fn every_row_claim_table_and_figure_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("cohort");
    let all = settings(Suite::Cohort, &out, None, &[]);
    let told = run(&Context::default(), &all).unwrap();

    let without: Vec<&str> =
        told.rows.iter().filter(|row| row.done.is_none()).map(|row| row.id.as_str()).collect();
    assert_eq!(without, ["6", "7"], "no BioBERT was given");
    assert!(told.rows[6].why.contains("not applicable: no such encoder was given (--biobert)"));
    for row in told.rows.iter().filter_map(|row| row.done.as_ref()) {
        let (micro, whole) = (row.auc_micro.unwrap(), row.auc_macro.unwrap());
        assert!((micro.value - row.report.auc_micro.unwrap()).abs() < 1e-9);
        assert!((whole.value - row.report.auc_macro.unwrap()).abs() < 1e-9);
        assert!(micro.low < micro.value && micro.value < micro.high && micro.high <= 1.0);
        let codes: usize = row.distribution.iter().sum();
        assert_eq!(codes, row.report.codes - row.report.codes_undefined);
    }
    assert!(told.claims.iter().all(|claim| claim.verdict != Verdict::Open), "{:#?}", told.claims);
    let verdict = |id: &str| told.claims.iter().find(|claim| claim.id == id).unwrap().verdict;
    assert_eq!((verdict("words"), verdict("evidence")), (Verdict::ByConstruction, Verdict::ByConstruction));
    assert_eq!(verdict("cost"), Verdict::NotApplicable);
    assert!(!told.codes.is_empty() && told.codes[0].auc.len() == 4);
    let figures = told.figures.as_ref().unwrap();
    assert_eq!((figures.row.as_str(), figures.heads.len()), ("14", 2));
    assert!(figures.masked.iter().any(|word| word.guesses.len() == 3) && figures.evidence.is_some());

    let html = fs::read_to_string(out.join("report.html")).unwrap();
    for fetched in ["http://", "https://", "src=", "url(", "@import", "<script", "<link"] {
        assert!(!html.contains(fetched), "{fetched}");
    }
    for row in &ROWS {
        assert!(html.contains(row.name), "{}", row.name);
    }
    for title in ["Table 2", "Table 3", "Table 4", "Figure 2", "Figure 4"] {
        assert!(html.contains(title), "{title}");
    }
    let json: Reproduced = serde_json::from_slice(&fs::read(out.join("report.json")).unwrap()).unwrap();
    assert_eq!(json.rows.len(), ROWS.len());
    assert!(fs::read_to_string(out.join("report.md")).unwrap().contains("| 14 | Big + XML, 1,024 |"));

    // A second call finds all done; a row that is lost is judged again, by the model that it trained.
    let weights = out.join("rows/14/run/model/model.safetensors");
    let written = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    let before = written(&out.join("rows/13/outcome.json"));
    let trained =
        fs::read_dir(weights.parent().unwrap()).unwrap().map(|entry| written(&entry.unwrap().path())).max();
    fs::remove_file(out.join("rows/14/outcome.json")).unwrap();
    let again = run(&Context::default(), &all).unwrap();
    let of = |told: &Reproduced, id: &str| {
        told.rows.iter().find(|row| row.id == id).unwrap().done.clone().unwrap()
    };
    assert_eq!(of(&again, "14").report, of(&told, "14").report);
    assert_eq!(written(&out.join("rows/13/outcome.json")), before);
    let now =
        fs::read_dir(weights.parent().unwrap()).unwrap().map(|entry| written(&entry.unwrap().path())).max();
    assert_eq!(now, trained, "nothing is trained twice");

    let other = Context { seed: 2, ..Context::default() };
    let error = run(&other, &all).unwrap_err().to_string();
    assert!(error.contains("holds the suite cohort"), "{error}");
}

/// Records in the layout of a published suite, 90 of them with one of three codes.
fn records(suite: Suite) -> String {
    let line = |at: u32| {
        let split = ["train", "train", "train", "dev", "test"][at as usize % 5];
        let (sign, code) =
            [("fever and chills", 0), ("a painful cough", 1), ("rash of the arm", 2)][at as usize / 5 % 3];
        let text = format!("Seen on day {at} with {sign}; no other complaint was found on examination.");
        match suite {
            Suite::Vaers => {
                let code = ["Pyrexia", "Cough", "Rash"][code];
                json!({"id": at, "split": split, "text": text, "codes": [code]})
            }
            Suite::Trials => {
                let code = ["Fever", "Cough", "Exanthema"][code];
                json!({
                    "id": format!("NCT{at:08}"), "split": split, "brief_title": "A study", "summary": text,
                    "description": "Two arms.", "eligibility": "Adults.", "conditions": [code], "mesh_conditions": [code],
                })
            }
            _ => {
                let code = ["R50.9", "R05.9", "R21"][code];
                let split = if split == "test" { "background" } else { split };
                json!({"doc_id": format!("S{at}"), "split": split, "text_en": text, "text_es": "…", "dx": [code]})
            }
        }
    };
    (0..90).map(|at| format!("{}\n", line(at))).collect()
}

#[test]
fn published_suites_are_read_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    for suite in [Suite::Vaers, Suite::Trials, Suite::Codiesp] {
        let (out, input) =
            (folder.path().join(suite.name()), folder.path().join(format!("{}.jsonl", suite.name())));
        fs::write(&input, records(suite)).unwrap();
        let wish = settings(suite, &out, Some(input), &["1"]);
        let told = run(&Context::default(), &wish).unwrap();
        assert_eq!(done(&told), ["1"], "{}", suite.name());
        let row = told.rows[0].done.as_ref().unwrap();
        assert_eq!((row.report.codes, row.report.notes), (3, 18), "{}", suite.name());
        assert!(row.auc_macro.unwrap().value > 0.95, "each code has words of its own");
        let longer = told.claims.iter().find(|claim| claim.id == "longer").unwrap();
        let expected = if suite == Suite::Vaers { Verdict::NotApplicable } else { Verdict::Open };
        assert_eq!(longer.verdict, expected);
        assert!(told.figures.is_none(), "no row with attention is done");
    }
}

#[test]
fn a_wrong_wish_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let start = ["reproduce", "--out", argument(&out), "--suite"];
    let error = fail(&[&start[..], &["cohort", "--rows", "1,17"]].concat());
    assert!(error.contains("there is no row 17") && error.contains("hint: there are 1, 1-l1, 2"), "{error}");
    let error = fail(&[&start[..], &["vaers"]].concat());
    assert!(error.contains("the suite vaers needs its records"), "{error}");
    let error = fail(&[&start[..], &["cohort", "--input", "x.jsonl"]].concat());
    assert!(error.contains("makes its own records"), "{error}");
}
