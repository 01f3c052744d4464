//! The synthetic hospital through the command line.

use std::fs;
use std::io::Read;
use std::path::Path;

use bert_xml_core::text::Note;
use bert_xml_trainer::cli;
use bert_xml_trainer::synth::GoldEvidence;

fn synth(folder: &Path, out: &str, more: &[&str]) -> bool {
    let out = folder.join(out);
    let mut arguments = vec!["bert-xml", "synth", "--progress", "none", "--out", out.to_str().unwrap()];
    arguments.extend(more);
    // ExitCode has no equality; its printed form is the code.
    let code = cli::run(arguments.into_iter().map(Into::into));
    format!("{code:?}") == format!("{:?}", std::process::ExitCode::SUCCESS)
}

#[test]
fn the_same_seed_writes_the_same_bytes_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let small = ["--patients", "600", "--codes", "100", "--length", "short", "--seed", "3"];
    assert!(synth(folder.path(), "a.jsonl", &small));
    assert!(synth(folder.path(), "b.jsonl.gz", &small));
    let plain = fs::read_to_string(folder.path().join("a.jsonl")).unwrap();
    let mut packed = String::new();
    let file = fs::File::open(folder.path().join("b.jsonl.gz")).unwrap();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut packed).unwrap();
    assert!(plain == packed, "the notes differ");
    assert!(plain.lines().count() > 1500);

    let fewer = ["--patients", "37", "--codes", "100", "--length", "short", "--seed", "3"];
    assert!(synth(folder.path(), "c.jsonl", &fewer));
    let start = fs::read_to_string(folder.path().join("c.jsonl")).unwrap();
    assert!(plain.starts_with(&start), "the first 37 patients depend on how many there are");
}

#[test]
fn gold_evidence_refers_to_the_notes_in_code_points() {
    let folder = tempfile::tempdir().unwrap();
    let gold = folder.path().join("gold.jsonl");
    let options = ["--patients", "60", "--codes", "1200", "--gold-evidence", gold.to_str().unwrap()];
    assert!(synth(folder.path(), "notes.jsonl", &options));
    let notes = fs::read_to_string(folder.path().join("notes.jsonl")).unwrap();
    let notes: Vec<Note> = notes.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut mentions = 0;
    for line in fs::read_to_string(&gold).unwrap().lines() {
        let mention: GoldEvidence = serde_json::from_str(line).unwrap();
        let note = notes.iter().find(|note| note.note_id == mention.note_id).unwrap();
        assert!(mention.start < mention.end && mention.end <= note.text.chars().count());
        mentions += 1;
    }
    assert!(mentions > notes.len());
}

#[test]
fn a_wish_that_cannot_be_met_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!synth(folder.path(), "a.jsonl", &["--codes", "99999"]));
    assert!(!synth(folder.path(), "a.jsonl", &["--missing-code-rate", "2"]));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
