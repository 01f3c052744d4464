//! The model that comes with the command: what is committed under `model/` loads, is small enough, and codes a note.

use std::fs;
use std::path::{Path, PathBuf};

use bert_xml_core::codes::IcdTable;
use bert_xml_core::infer::PredictionRecord;
use bert_xml_core::model_folder::ShippedModel;

use crate::process::{argument, command};

const MEGABYTE: u64 = 1_000_000;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("model")
}

/// The first five codes of a note by `bert-xml predict` without `--model`.
fn first_codes(note: &str) -> Vec<String> {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("note.txt");
    fs::write(&path, note).unwrap();
    let mut call = command(&["predict", "--text", argument(&path), "--top", "5"]);
    let ended = call.env_remove("BERT_XML_MODEL").output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let record: PredictionRecord = serde_json::from_slice(&ended.stdout).unwrap();
    record.codes.into_iter().map(|code| code.code).collect()
}

#[test]
fn the_bundled_model_has_its_codes_in_forty_megabytes() {
    let model = ShippedModel::read(&folder()).unwrap();
    assert!(model.labels.len() >= 1000, "{} codes", model.labels.len());
    let table = fs::read(folder().parent().unwrap().join("core/data/icd10cm-2026-04.tsv.gz")).unwrap();
    let table = IcdTable::from_bytes(&table).unwrap();
    let billable = model.labels.iter().filter(|label| {
        let entry = table.lookup(&label.code).unwrap();
        entry.unwrap_or_else(|| panic!("{} is no code", label.code)).is_billable()
    });
    // Of CodiEsp's codes some were divided since and have no unspecified one below them.
    assert!(billable.count() >= 1900);
    let shards: Vec<String> = model.manifest.shards.iter().map(|shard| shard.file.clone()).collect();
    let of_model =
        ["manifest.json", "labels.tsv", "tokenizer.json"].map(str::to_owned).into_iter().chain(shards);
    let bytes: u64 = of_model.map(|name| fs::metadata(folder().join(name)).unwrap().len()).sum();
    assert!(bytes <= 40 * MEGABYTE, "{bytes} bytes");
    assert_eq!(model.manifest.card.language, "en");
    assert!(!model.manifest.card.limits.is_empty() && model.manifest.card.trained_on.contains("CodiEsp"));
}

#[test]
fn it_codes_what_a_short_note_says_and_not_what_it_denies() {
    let note = "64 year old woman with type 2 diabetes and hypertension, here with a cough for ten days. No fever, \
                no chest pain. Lungs are clear. Continue metformin and lisinopril.";
    let found = first_codes(note);
    for code in ["E11.9", "I10"] {
        assert!(found.contains(&code.to_owned()), "{code} is not among {found:?}");
    }
    assert!(found.iter().any(|code| code.starts_with("R05")), "no cough among {found:?}");
    let denied = |code: &String| code.starts_with("R50") || code.starts_with("R07");
    assert!(!found.iter().any(denied), "fever and chest pain are denied: {found:?}");

    let knee =
        first_codes("Right knee pain after a twist on the stairs. Past history of gout and hypothyroidism.");
    assert!(knee.iter().any(|code| code == "M25.561"), "{knee:?}");
    assert!(knee.iter().any(|code| code == "E03.9") && knee.iter().any(|code| code == "M10.9"), "{knee:?}");
}

#[test]
fn a_variable_names_another_model() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("note.txt");
    fs::write(&path, "Cough.").unwrap();
    let mut call = command(&["predict", "--text", argument(&path)]);
    let ended = call.env("BERT_XML_MODEL", place.path().join("none")).output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("none does not exist"), "{said}");
}
