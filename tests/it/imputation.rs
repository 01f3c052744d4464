//! Chronic imputation in `prepare`: what each note gets, what statistics and manifest say, and that neither the order of
//! the records nor the rest of the corpus matters.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bert_xml_core::data::{Shares, Split};
use bert_xml_trainer::context::Context;
use bert_xml_trainer::corpus::{ChronicImputation, Corpus, Settings, prepare};
use serde_json::{Value, json};

use crate::process::{argument, succeed};

/// Long enough for the filter.
const TEXT: &str = "The patient comes for a follow-up visit and reports no new complaints today.";

/// A record: note, patient, date, encounter, codes.
type Row<'a> = (&'a str, &'a str, &'a str, &'a str, &'a [&'a str]);

/// One patient over the years: I10 and E11.9 are chronic, J06.9 is not. Another one has I10 once.
const ROWS: [Row<'_>; 8] = [
    ("a1", "a", "2019-01-10", "v1", &["J06.9"]),
    ("a2", "a", "2019-05-02T10:30:00", "v2", &["I10", "J06.9"]),
    ("a3", "a", "2019-08-20", "v3", &["Z23"]),
    ("a4", "a", "2020-01-15", "v4", &["I10", "E11.9"]),
    ("a5", "a", "2020-01-17", "v4", &["I10", "E11.9"]),
    ("a6", "a", "2021-03-03", "v5", &["J06.9"]),
    ("b1", "b", "2019-01-01", "w1", &["I10"]),
    ("b2", "b", "2020-01-01", "w2", &[]),
];

fn lines(rows: &[Row<'_>]) -> String {
    let line = |(note, patient, date, encounter, codes): &Row<'_>| {
        let record = json!({"note_id": note, "patient_id": patient, "date": date, "encounter_id": encounter,
            "codes": codes, "text": TEXT});
        format!("{record}\n")
    };
    rows.iter().map(line).collect()
}

fn settings(rule: ChronicImputation) -> Settings {
    let shares = Shares { train: 100, dev: 0, test: 0 };
    Settings { more_than: 0, shares, chronic_imputation: rule, ..Settings::default() }
}

fn make(folder: &Path, rows: &[Row<'_>], settings: &Settings) -> anyhow::Result<Corpus> {
    let input = folder.join("notes.jsonl");
    fs::write(&input, lines(rows)).unwrap();
    let out = tempfile::tempdir_in(folder).unwrap();
    prepare(&Context::default(), &[input], settings, &out.keep().join("corpus"))
}

/// The codes of every note.
fn codes(corpus: &Corpus) -> BTreeMap<String, String> {
    let notes = corpus.notes(Split::Train).unwrap();
    notes.map(|note| note.unwrap()).map(|note| (note.note_id, note.codes.join(" "))).collect()
}

fn statistics(corpus: &Corpus) -> Value {
    serde_json::from_slice(&fs::read(corpus.folder().join("statistics.json")).unwrap()).unwrap()
}

#[test]
fn each_rule_gives_the_notes_what_was_worked_out_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let of = |rule| codes(&make(folder.path(), &ROWS, &settings(rule)).unwrap());
    let expected = |changes: &[(&str, &str)]| {
        let mut all: BTreeMap<String, String> =
            ROWS.iter().map(|row| (row.0.to_owned(), row.4.join(" "))).collect();
        all.extend(changes.iter().map(|(note, codes)| ((*note).to_owned(), (*codes).to_owned())));
        all
    };
    assert_eq!(of(ChronicImputation::Off), expected(&[]));
    // E11.9 is at one encounter only, though in two notes; what comes before the first I10 is left alone.
    assert_eq!(of(ChronicImputation::Paper), expected(&[("a3", "Z23 I10"), ("a6", "J06.9 I10")]));
    assert_eq!(of(ChronicImputation::Causal), expected(&[("a6", "J06.9 I10")]));
}

#[test]
fn statistics_manifest_and_labels_follow_imputation() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = make(folder.path(), &ROWS, &settings(ChronicImputation::Paper)).unwrap();
    assert_eq!(corpus.manifest().chronic_imputation(), "paper (ccir)");
    // Imputation is before the cut: I10 is in a2, a3, a4, a5, a6 and b1.
    assert_eq!(corpus.label_counts()[0], 6);
    let found = statistics(&corpus);
    assert_eq!(found["chronic_imputation"], "paper (ccir)");
    let train = &found["splits"]["train"];
    assert_eq!(
        (&train["codes_before_imputation"]["total"], &train["codes"]["total"]),
        (&json!(10), &json!(12))
    );
    assert_eq!(train["notes_imputed"], 2);
    let page = fs::read_to_string(corpus.folder().join("statistics.md")).unwrap();
    for line in [
        "Chronic imputation: paper (ccir).",
        "train: 1.25 codes a note before, 1.50 after; 2 codes in 2 notes.",
    ] {
        assert!(page.lines().any(|found| found == line), "{line}\n{page}");
    }
    let off = make(folder.path(), &ROWS, &settings(ChronicImputation::Off)).unwrap();
    assert_eq!(off.manifest().chronic_imputation(), "off");
    assert!(statistics(&off)["splits"]["train"].get("codes_before_imputation").is_none());
}

#[test]
fn the_order_of_records_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    for rule in [ChronicImputation::Paper, ChronicImputation::Causal] {
        let expected = codes(&make(folder.path(), &ROWS, &settings(rule)).unwrap());
        for turn in 1..ROWS.len() {
            let mut rows = ROWS;
            rows.reverse();
            rows.rotate_left(turn);
            let corpus = make(folder.path(), &rows, &settings(rule)).unwrap();
            assert_eq!(codes(&corpus), expected, "{rule:?} {turn}");
            // Notes stay in the order of the records.
            let ids: Vec<String> =
                corpus.notes(Split::Train).unwrap().map(|note| note.unwrap().note_id).collect();
            assert_eq!(ids, rows.map(|row| row.0.to_owned()));
        }
    }
}

#[test]
fn dropped_notes_give_nothing_and_a_missing_date_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let dropping = Settings { min_chars: 1000, ..settings(ChronicImputation::Paper) };
    let error = make(folder.path(), &ROWS, &dropping).unwrap_err();
    assert!(error.to_string().starts_with("no label: no note is left"), "{error}");
    let mut rows = ROWS;
    rows[2].2 = "";
    let error = make(folder.path(), &rows, &settings(ChronicImputation::Causal)).unwrap_err();
    let told = "notes.jsonl, line 3: a note without a date; chronic imputation needs the order of this patient's notes";
    assert!(error.to_string().ends_with(told), "{error}");
    // The other patient's dates decide nothing.
    rows = ROWS;
    rows[7].2 = "";
    assert!(make(folder.path(), &rows, &settings(ChronicImputation::Causal)).is_ok());
}

#[test]
fn a_baseline_says_which_imputation_its_corpus_has() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("notes.jsonl");
    let many: Vec<String> = (0..60).map(|i| format!("p{i}")).collect();
    let rows: Vec<Row<'_>> = many
        .iter()
        .flat_map(|patient| ROWS[1..4].iter().map(move |row| (row.0, patient.as_str(), row.2, row.3, row.4)))
        .collect();
    // Ids of their own: the file names its lines.
    fs::write(&input, lines(&rows).replace("\"note_id\"", "\"id\"")).unwrap();
    let corpus = folder.path().join("corpus");
    let cci = folder.path().join("cci.csv");
    fs::write(&cci, "'ICD-10-CM CODE','CHRONIC INDICATOR'\n'J069','1'\n'I10','1'\n").unwrap();
    succeed(&[
        "prepare",
        "--input",
        argument(&input),
        "--out",
        argument(&corpus),
        "--more-than",
        "0",
        "--chronic-imputation",
        "paper",
        "--chronic-indicator",
        argument(&cci),
    ]);
    let out = folder.path().join("baseline");
    let judged =
        succeed(&["baseline", "--corpus", argument(&corpus), "--kind", "constant", "--out", argument(&out)]);
    let page = judged.stdout;
    assert!(page.contains("Chronic imputation of the corpus: paper (cci.csv).\n"), "{page}");
    let metrics: Value = serde_json::from_slice(&fs::read(out.join("metrics.json")).unwrap()).unwrap();
    assert_eq!(metrics["chronic_imputation"], "paper (cci.csv)");
}
