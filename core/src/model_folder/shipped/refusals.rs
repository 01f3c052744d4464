//! What a reader refuses: every way in which a folder can be damaged, mixed up or made up.

use std::collections::BTreeMap;
use std::{fs, io};

use proptest::prelude::*;

use super::golden::{model, training_folder};
use super::manifest::listed;
use super::{
    SHARD_BYTES, SHIPPED_MANIFEST, ShippedError, ShippedManifest, ShippedModel, ShippedReader, shard_name,
};

type Files = BTreeMap<String, Vec<u8>>;

fn files() -> Files {
    model().to_files_in_shards(4096).unwrap().into_iter().collect()
}

fn read(files: &Files) -> Result<ShippedModel, ShippedError> {
    ShippedModel::from_files(|name| files.get(name).cloned().ok_or(io::ErrorKind::NotFound.into()))
}

fn message(files: &Files) -> String {
    read(files).unwrap_err().to_string()
}

/// The folder with another manifest, rightly signed.
fn signed(files: &Files, change: impl FnOnce(&mut ShippedManifest)) -> Files {
    let mut files = files.clone();
    let mut manifest: ShippedManifest = serde_json::from_slice(&files[SHIPPED_MANIFEST]).unwrap();
    change(&mut manifest);
    files.insert(SHIPPED_MANIFEST.to_owned(), manifest.to_json().0.into_bytes());
    files
}

/// The folder in which the text of the manifest is changed, and the id left.
fn edited(files: &Files, from: &str, to: &str) -> Files {
    let mut files = files.clone();
    let text = String::from_utf8(files[SHIPPED_MANIFEST].clone()).unwrap();
    assert!(text.contains(from), "{from}");
    files.insert(SHIPPED_MANIFEST.to_owned(), text.replacen(from, to, 1).into_bytes());
    files
}

#[test]
fn a_file_that_is_missing_short_changed_or_swapped_is_named() {
    let whole = files();
    assert!(read(&whole).is_ok() && whole.len() > 6);
    for name in whole.keys() {
        let mut files = whole.clone();
        files.remove(name);
        assert!(matches!(read(&files), Err(ShippedError::Missing { file }) if file == *name));
        if name == SHIPPED_MANIFEST {
            continue;
        }
        let mut files = whole.clone();
        files.get_mut(name).unwrap().pop();
        let found = message(&files);
        assert!(
            found.starts_with(&format!("{name} is damaged or another model's: size in bytes is ")),
            "{found}"
        );
        let mut files = whole.clone();
        *files.get_mut(name).unwrap().last_mut().unwrap() ^= 1;
        let found = message(&files);
        assert!(found.starts_with(&format!("{name} is damaged or another model's: sha256 is ")), "{found}");
    }
    let mut files = whole.clone();
    files.insert(shard_name(0), whole[&shard_name(1)].clone());
    files.insert(shard_name(1), whole[&shard_name(0)].clone());
    assert!(message(&files).starts_with("weights-00000.bin is damaged or another model's: sha256 is "));
    let files = signed(&whole, |manifest| manifest.shards.swap(0, 1));
    assert_eq!(
        message(&files),
        "manifest.json: shards = weights-00001.bin: must be weights-00000.bin: shards stand in order"
    );
}

#[test]
fn a_manifest_that_is_foreign_newer_edited_or_signed_wrongly_is_told_apart() {
    let whole = files();
    assert_eq!(
        message(&edited(&whole, "\"bert-xml\"", "\"onnx\"")),
        "manifest.json: format = \"onnx\": must be \"bert-xml\""
    );
    assert_eq!(
        message(&edited(&whole, "\"schema_version\": 1", "\"schema_version\": 2, \"zip\": 1")),
        "manifest.json: schema_version = 2: this program reads up to 1; use a newer one"
    );
    assert_eq!(message(&edited(&whole, "\"stride\"", "\"strife\"")), "manifest.json cannot be read");
    let found = message(&edited(&whole, "\"threshold\": 0.25", "\"threshold\": 0.35"));
    assert!(found.starts_with("manifest.json is damaged or another model's: model_id is "), "{found}");
    let found = message(&edited(&whole, "\"model_id\": \"", "\"model_id\": \"A"));
    assert!(found.ends_with("must be 64 lower-case hexadecimal digits"), "{found}");
    let id = ShippedManifest::from_json(&whole[SHIPPED_MANIFEST]).unwrap().model_id;
    let found = message(&edited(&whole, "random weights", &id));
    assert!(found.ends_with("must stand in the file once"), "{found}");
    for bytes in [&b""[..], b"{", b"[]", b"null", b"\xff"] {
        let mut files = whole.clone();
        files.insert(SHIPPED_MANIFEST.to_owned(), bytes.to_vec());
        assert!(matches!(read(&files), Err(ShippedError::Json(_) | ShippedError::Foreign { .. })));
    }
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let whole = files();
    let wrong = |change: fn(&mut ShippedManifest)| message(&signed(&whole, change));
    let first = "manifest.json: tensor encoder.embeddings.norm.beta: ";
    let second = "manifest.json: tensor encoder.embeddings.norm.gamma: ";
    assert_eq!(
        wrong(|m| m.tensors[1].offset = 64),
        format!("{second}offset = 64: overlaps the tensor before it")
    );
    assert_eq!(
        wrong(|m| m.tensors[1].offset = 192),
        format!("{second}offset = 192: leaves a gap behind the tensor before it")
    );
    assert_eq!(wrong(|m| m.tensors[0].offset = 4), format!("{first}offset = 4: must be a multiple of 64"));
    assert_eq!(wrong(|m| m.tensors[0].rows = 1 << 60), format!("{first}{} × 32: must be 1 × 32", 1u64 << 60));
    assert_eq!(
        wrong(|m| m.tensors[0].name = "third.head".to_owned()),
        "manifest.json: tensor third.head: must be encoder.embeddings.norm.beta: the model's tensors in the order of \
         names"
    );
    assert_eq!(
        wrong(|m| m.tensors.swap(0, 1)),
        format!("{second}must be encoder.embeddings.norm.beta: the model's tensors in the order of names")
    );
    let missing = wrong(|m| drop(m.tensors.pop()));
    assert_eq!(missing, "manifest.json: tensors = 39 tensors: the model has 40");
    let surplus = wrong(|m| m.tensors.push(m.tensors[0].clone()));
    assert_eq!(surplus, "manifest.json: tensors = 41 tensors: the model has 40");
    assert!(wrong(|m| drop(m.shards.pop())).contains(": ends behind the "));
    assert!(wrong(|m| m.shards.last_mut().unwrap().bytes += 64).contains("bytes: the tensors end at "));
}

#[test]
fn absurd_sizes_are_refused_before_anything_is_allocated() {
    let whole = files();
    let wrong = |change: fn(&mut ShippedManifest)| message(&signed(&whole, change));
    assert_eq!(
        wrong(|m| m.config.encoder.num_hidden_layers = usize::MAX),
        "manifest.json: tensors = 40 tensors: the model has more than there can be"
    );
    assert_eq!(
        wrong(|m| m.config.encoder.num_hidden_layers = 1 << 40),
        format!("manifest.json: tensors = 40 tensors: the model has {}", (1u64 << 44) + 8)
    );
    assert!(wrong(|m| m.config.encoder.vocab_size = 1 << 50).contains("encoder.embeddings.word.weight: "));
    // Both sides agree on it, the shards do not have it.
    let absurd = wrong(|m| {
        let rows = 1 << 57;
        m.config.encoder.vocab_size = rows;
        m.tensors.iter_mut().find(|tensor| tensor.name.ends_with("word.weight")).unwrap().rows = rows;
    });
    assert!(absurd.contains("word.weight: ends behind the "), "{absurd}");
    assert_eq!(
        wrong(|m| m.shards[0].bytes = SHARD_BYTES + 1),
        format!("manifest.json: shards = {}: a shard has 1 to {SHARD_BYTES} bytes", SHARD_BYTES + 1)
    );
    assert!(wrong(|m| m.shards[0].bytes = 0).ends_with(" bytes"));
    assert!(wrong(|m| m.tokenizer.bytes = u64::MAX).starts_with("manifest.json: tokenizer = "));
    assert_eq!(
        wrong(|m| m.labels.listed.file = "../labels.tsv".to_owned()),
        "manifest.json: labels = ../labels.tsv: the file must be labels.tsv"
    );
    assert!(wrong(|m| m.max_len = 99).starts_with("manifest.json: max_len = 99: "));
    assert!(
        wrong(|m| m.calibration.as_mut().unwrap().slope = -1.0).starts_with("manifest.json: calibration = ")
    );
}

/// The folder with another file, listed rightly.
fn with(files: &Files, name: &str, bytes: &[u8]) -> Files {
    let mut files = files.clone();
    files.insert(name.to_owned(), bytes.to_vec());
    signed(&files, |manifest| {
        let mut all =
            [&mut manifest.tokenizer, &mut manifest.labels.listed].into_iter().chain(&mut manifest.shards);
        *all.find(|file| file.file == name).unwrap() = listed(name, bytes);
    })
}

#[test]
fn files_of_another_model_and_weights_that_are_no_numbers_are_named() {
    let whole = files();
    let one = b"system\tcode\tdescription\nicd10cm\tI10\t\n";
    assert_eq!(
        message(&with(&whole, "labels.tsv", one)),
        "labels.tsv has 1 labels, the model has 12 outputs"
    );
    let other = String::from_utf8(whole["labels.tsv"].clone()).unwrap().replace("icd10cm", "local");
    assert!(
        message(&with(&whole, "labels.tsv", other.as_bytes()))
            .starts_with("manifest.json: labels.systems = ")
    );
    assert_eq!(message(&with(&whole, "labels.tsv", b"")), "labels.tsv");
    assert_eq!(message(&with(&whole, "tokenizer.json", b"{}")), "tokenizer.json");
    let words: String = (0..400).map(|at| format!("w{at}\n")).collect();
    let tokenizer =
        crate::text::Tokenizer::from_vocab(&format!("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n{words}"), true)
            .unwrap();
    let found = message(&with(&whole, "tokenizer.json", tokenizer.to_json().unwrap().as_bytes()));
    assert!(found.starts_with("tokenizer.json has 405 tokens, the model has embeddings for "), "{found}");
    // The first tensor is a vector of f32.
    let mut shard = whole["weights-00000.bin"].clone();
    shard[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    assert_eq!(
        message(&with(&whole, "weights-00000.bin", &shard)),
        "weights-00000.bin: tensor encoder.embeddings.norm.beta: a number is not finite"
    );
    let mut diverged = training_folder();
    diverged.parameters.get_mut("head.Xml.labels").unwrap().data[3] = f32::INFINITY;
    let error =
        ShippedModel::of_folder(&diverged, Default::default(), crate::quantization::Precision::Int8, |_| {
            false
        });
    assert!(error.unwrap_err().to_string().contains("tensor head.Xml.labels: a weight is not finite"));
}

#[test]
fn on_disk_a_rest_of_another_model_and_a_file_that_is_too_long_are_refused() {
    let place = std::env::temp_dir().join(format!("bert-xml-shipped-{}", std::process::id()));
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(&place).unwrap();
    for (name, bytes) in files() {
        fs::write(place.join(name), bytes).unwrap();
    }
    fs::write(place.join("report.md"), "any other file is nobody's business").unwrap();
    let whole = ShippedModel::read(&place);
    fs::write(place.join(shard_name(77)), "rest").unwrap();
    let surplus = ShippedModel::read(&place);
    fs::write(place.join(shard_name(0)), vec![0; 5000]).unwrap();
    let long = ShippedModel::read(&place);
    fs::remove_dir_all(&place).unwrap();
    assert_eq!(whole.unwrap().tensors, model().tensors);
    assert_eq!(
        surplus.unwrap_err().to_string(),
        "weights-00077.bin is not listed in manifest.json: the folder holds files of another model"
    );
    assert_eq!(long.unwrap_err().to_string(), "weights-00000.bin has 5000 bytes, at most 4096 are read");
}

#[test]
fn files_come_in_their_turn_and_a_damaged_one_may_come_again() {
    let whole = files();
    let mut reader = ShippedReader::new(&whole[SHIPPED_MANIFEST]).unwrap();
    let names: Vec<String> = reader.manifest().files().map(|file| file.file.clone()).collect();
    assert_eq!(
        reader.add(&names[2], &whole[&names[2]]).unwrap_err().to_string(),
        "weights-00000.bin came where tokenizer.json is due: files are read in the order of manifest.json"
    );
    for name in &names {
        assert_eq!(&reader.next_file().unwrap().file, name);
        let mut damaged = whole[name].clone();
        damaged[0] ^= 1;
        let message = reader.add(name, &damaged).unwrap_err().to_string();
        assert!(
            message.starts_with(&format!("{name} is damaged or another model's: sha256 is ")),
            "{message}"
        );
        assert!(reader.add(name, &whole[name][1..]).unwrap_err().to_string().contains("size in bytes"));
        reader.add(name, &whole[name]).unwrap();
    }
    assert!(
        reader.add(&names[0], &whole[&names[0]]).unwrap_err().to_string().contains("no other file is due")
    );
    assert_eq!(reader.finish().unwrap().tensors, model().tensors);
    let mut short = ShippedReader::new(&whole[SHIPPED_MANIFEST]).unwrap();
    short.add(&names[0], &whole[&names[0]]).unwrap();
    assert!(short.finish().unwrap_err().to_string().starts_with("labels.tsv is missing"));
}

fn any_number() -> impl Strategy<Value = u64> {
    prop_oneof![0u64..100, any::<u64>(), (0u32..64).prop_map(|bit| 1 << bit)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn no_flipped_byte_and_no_lost_byte_gives_a_model(
        file in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), flip in 1u8..=255, cut in any::<bool>(),
    ) {
        let mut files = files();
        let name = file.get(&files.keys().cloned().collect::<Vec<_>>()).clone();
        let bytes = files.get_mut(&name).unwrap();
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= flip;
        }
        prop_assert!(read(&files).is_err(), "{name} at {at}");
    }

    #[test]
    fn a_made_up_manifest_never_panics_and_gives_only_a_whole_model(
        tensor in any::<prop::sample::Index>(), shard in any::<prop::sample::Index>(),
        field in 0usize..14, number in any_number(),
    ) {
        let whole = files();
        let changed = signed(&whole, |manifest| {
            let size = number as usize;
            let tensor = { let index = tensor.index(manifest.tensors.len()); &mut manifest.tensors[index] };
            let encoder = &mut manifest.config.encoder;
            match field {
                0 => tensor.offset = number,
                1 => tensor.rows = size,
                2 => tensor.cols = size,
                3 => { let index = shard.index(manifest.shards.len()); manifest.shards[index].bytes = number; }
                4 => encoder.vocab_size = size,
                5 => encoder.hidden_size = size,
                6 => encoder.num_hidden_layers = size,
                7 => encoder.num_attention_heads = size,
                8 => encoder.max_position_embeddings = size,
                9 => manifest.config.labels = size,
                10 => manifest.config.head_hidden = size,
                11 => manifest.stride = size,
                12 => manifest.tokenizer.bytes = number,
                _ => manifest.max_len = size,
            }
        });
        if let Ok(model) = read(&changed) {
            prop_assert_eq!(&model.tensors, &self::model().tensors);
        }
    }
}
