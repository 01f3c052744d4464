//! The deep synthetic hospital through the command line, into a corpus.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use bert_xml_core::text::Note;
use bert_xml_trainer::cli;
use bert_xml_trainer::cohort::card::Card;
use bert_xml_trainer::context::Context;
use bert_xml_trainer::corpus::{Settings, prepare};
use bert_xml_trainer::synth::GoldEvidence;

fn cohort(folder: &Path, out: &str, more: &[&str]) -> bool {
    let out = folder.join(out);
    let mut arguments = vec!["bert-xml", "cohort", "--progress", "none", "--out", out.to_str().unwrap()];
    arguments.extend(more);
    // ExitCode has no equality; its printed form is the code.
    let code = cli::run(arguments.into_iter().map(Into::into));
    format!("{code:?}") == format!("{:?}", std::process::ExitCode::SUCCESS)
}

#[test]
fn the_same_seed_writes_the_same_bytes_and_fewer_patients_are_the_first() {
    let folder = tempfile::tempdir().unwrap();
    assert!(cohort(folder.path(), "a.jsonl", &["--patients", "150", "--seed", "3"]));
    assert!(cohort(folder.path(), "b.jsonl.gz", &["--patients", "150", "--seed", "3"]));
    assert!(cohort(folder.path(), "c.jsonl", &["--patients", "20", "--seed", "3"]));
    let plain = fs::read_to_string(folder.path().join("a.jsonl")).unwrap();
    let mut packed = String::new();
    let file = fs::File::open(folder.path().join("b.jsonl.gz")).unwrap();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut packed).unwrap();
    assert!(plain == packed, "the notes differ");
    let start = fs::read_to_string(folder.path().join("c.jsonl")).unwrap();
    assert!(plain.starts_with(&start) && start.len() < plain.len());
}

#[test]
fn notes_evidence_and_card_agree_and_make_a_corpus() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (gold, page) = (path("gold.jsonl"), path("card.md"));
    let options = ["--patients", "200", "--gold-evidence", gold.to_str().unwrap()];
    let options = [&options[..], &["--card", page.to_str().unwrap()]].concat();
    assert!(cohort(folder.path(), "notes.jsonl", &options));
    let notes = fs::read_to_string(path("notes.jsonl")).unwrap();
    let notes: Vec<Note> = notes.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let texts: HashMap<&str, usize> =
        notes.iter().map(|note| (note.note_id.as_str(), note.text.chars().count())).collect();
    let mut mentions = 0;
    for line in fs::read_to_string(&gold).unwrap().lines() {
        let mention: GoldEvidence = serde_json::from_str(line).unwrap();
        assert!(mention.start < mention.end && mention.end <= texts[mention.note_id.as_str()]);
        mentions += 1;
    }
    assert!(mentions > 3 * notes.len(), "{mentions}");

    let card: Card = serde_json::from_slice(&fs::read(path("card.json")).unwrap()).unwrap();
    assert_eq!((card.patients, card.notes_written), (200, notes.len() as u64));
    assert!(card.frozen_parameters);
    assert_eq!(fs::read_to_string(&page).unwrap(), card.markdown());

    let settings = Settings { more_than: 10, ..Settings::default() };
    let corpus = prepare(&Context::default(), &[path("notes.jsonl")], &settings, &path("corpus")).unwrap();
    let kept: u64 = corpus.manifest().splits.values().map(|split| split.notes).sum();
    assert_eq!(kept, card.notes, "the card filters as the corpus does");
}

#[test]
fn parameters_that_cannot_be_leave_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let frozen = include_str!("../../native-trainer/configs/cohort.toml");
    let wrong = folder.path().join("wrong.toml");
    fs::write(&wrong, frozen.replacen("female = ", "female = 7", 1)).unwrap();
    let wrong = wrong.to_str().unwrap();
    assert!(!cohort(folder.path(), "a.jsonl", &["--parameters", wrong]));
    assert!(!cohort(folder.path(), "a.jsonl", &["--parameters", "none.toml"]));
    assert!(!cohort(folder.path(), "a.jsonl", &["--card", folder.path().join("c.json").to_str().unwrap()]));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
