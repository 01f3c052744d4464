//! The golden folder: `tests/fixtures/shipped_v1`, a tiny model with random weights and every precision in it, and
//! what it predicts. A release that cannot read it, or writes it otherwise, has broken format v1.
//!
//! Written once by `BERT_XML_WRITE_GOLDEN=1 cargo test --lib golden`; never again within v1.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{ModelCard, Role, ShippedModel, stored_precision, tensor_shapes};
use crate::codes::LabelSet;
use crate::infer::{Coder, PredictOptions};
use crate::metrics::{Calibration, CalibrationMethod};
use crate::model::parameters::Values;
use crate::model::{EncoderConfig, HeadKind, ModelConfig};
use crate::model_folder::{Manifest, ModelFolder};
use crate::quantization::Precision;
use crate::text::Tokenizer;

const WORDS: &str = "the patient has no pain fever cough chest with and for of on in to at was is old man woman \
    history heart lung kidney liver left right arm leg head back blood sugar pressure high low acute chronic severe \
    mild heart rate breath short of swelling rash fall broken bone wound burn infection given home day days week ago \
    diabetes asthma stroke anemia migraine gout pneumonia tablet dose daily stable better worse since morning night \
    seen clinic ward nurse doctor plan follow";
const CODES: [(&str, &str); 12] = [
    ("I10", "High blood pressure"),
    ("E11.9", "Diabetes of adults"),
    ("J45.9", "Asthma"),
    ("J18.9", "Pneumonia"),
    ("I63.9", "Stroke"),
    ("D64.9", "Anemia"),
    ("G43.9", "Migraine"),
    ("M10.9", "Gout"),
    ("R05", "Cough"),
    ("R50.9", "Fever"),
    ("R07.4", "Pain in the chest"),
    ("L03.9", "Infection of the skin"),
];
const NOTES: [&str; 3] = [
    "The patient has a fever and a cough since 3 days, no pain in the chest.",
    "Old man with diabetes and high blood pressure; gout of the left leg, better. Plan: tablet daily.",
    "Fall at home, broken arm.",
];

/// What the golden model says of a note.
#[derive(Debug, Serialize, Deserialize)]
struct Expected {
    note: String,
    /// In the order of labels, after calibration.
    probabilities: Vec<f32>,
}

/// A model with random weights, the same in every run. Its windows are shorter than the second note.
pub(super) fn training_folder() -> ModelFolder {
    let mut tokens: Vec<String> = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(str::to_owned).to_vec();
    for character in ('a'..='z').chain('0'..='9') {
        tokens.extend([character.to_string(), format!("##{character}")]);
    }
    tokens.extend([".", ",", ";", ":"].map(str::to_owned));
    for word in WORDS.split_whitespace() {
        if !tokens.iter().any(|token| token == word) {
            tokens.push(word.to_owned());
        }
    }
    let tokenizer = Tokenizer::from_vocab(&(tokens.join("\n") + "\n"), true).unwrap();
    let rows: String = CODES.iter().map(|(code, text)| format!("icd10cm\t{code}\t{text}\n")).collect();
    let labels = LabelSet::from_tsv(format!("system\tcode\tdescription\n{rows}").as_bytes()).unwrap();
    let encoder = EncoderConfig {
        vocab_size: tokens.len(),
        hidden_size: 32,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        intermediate_size: 64,
        max_position_embeddings: 32,
        ..EncoderConfig::default()
    };
    let config = ModelConfig { head_hidden: 33, ..ModelConfig::new(encoder, HeadKind::Xml, CODES.len()) };
    let mut stream = ChaCha8Rng::seed_from_u64(20);
    let mut values = |shape: &super::TensorShape| {
        let centre = if shape.name.ends_with("gamma") { 1.0 } else { 0.0 };
        let count = shape.rows * shape.cols;
        let data = (0..count).map(|_| centre + stream.random_range(-0.5f32..0.5)).collect();
        match shape.role {
            Role::Vector => Values { shape: vec![count], data },
            Role::Linear => Values { shape: vec![shape.cols, shape.rows], data },
            _ => Values { shape: vec![shape.rows, shape.cols], data },
        }
    };
    let parameters = tensor_shapes(&config).iter().map(|shape| (shape.name.clone(), values(shape))).collect();
    let mut manifest = Manifest { max_len: 16, stride: 10, threshold: 0.25, ..Manifest::new(config) };
    manifest.calibration =
        Some(Calibration { method: CalibrationMethod::Platt, slope: 0.5, intercept: -0.25 });
    manifest.systems = vec![crate::codes::CodeSystem::Icd10cm];
    manifest.provenance.insert("note".to_owned(), "random weights, made by core's test `golden`".into());
    ModelFolder { manifest, tokenizer, labels, parameters }
}

/// The golden model: int8, with f16 tables, one matrix in int4 and one in f32.
pub(super) fn model() -> ShippedModel {
    let card = ModelCard {
        name: "golden".to_owned(),
        language: "en".to_owned(),
        licence: "MIT OR Apache-2.0".to_owned(),
        trained_on: "Nothing: its weights are random.".to_owned(),
        intended_use: "Tests that format v1 stays readable.".to_owned(),
        limits: "Its codes mean nothing.".to_owned(),
    };
    ShippedModel::with_precisions(&training_folder(), card, Precision::Int8, |shape| {
        match shape.name.as_str() {
            "head.Xml.hidden.weight" | "encoder.layers.1.feed_forward.output.weight" => Precision::Int4,
            "encoder.layers.0.attention.value.weight" => Precision::F32,
            _ => stored_precision(shape, Precision::Int8),
        }
    })
    .unwrap()
}

fn place() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/shipped_v1")
}

fn predict(folder: &ModelFolder) -> Vec<Expected> {
    let coder = Coder::from_folder(folder, &Device::flex()).unwrap();
    let of = |note: &&str| Expected {
        note: (*note).to_owned(),
        probabilities: coder.probabilities(&[note], &PredictOptions::default()).unwrap(),
    };
    NOTES.iter().map(of).collect()
}

#[test]
fn the_golden_folder_is_what_this_release_writes_reads_and_predicts() {
    let files = model().to_files_in_shards(8 << 10).unwrap();
    let predictions = place().with_extension("json");
    if std::env::var_os("BERT_XML_WRITE_GOLDEN").is_some() {
        fs::create_dir_all(place()).unwrap();
        for (name, bytes) in &files {
            fs::write(place().join(name), bytes).unwrap();
        }
        let json = serde_json::to_string_pretty(&predict(&model().to_folder())).unwrap() + "\n";
        fs::write(&predictions, json).unwrap();
    }
    assert!(files.len() > 5, "several shards");
    assert_eq!(fs::read_dir(place()).unwrap().count(), files.len());
    for (name, bytes) in &files {
        assert!(fs::read(place().join(name)).unwrap() == *bytes, "{name} is not what this release writes");
    }
    let read = ShippedModel::read(&place()).unwrap();
    assert_eq!(read.tensors, model().tensors);
    assert_eq!(read.to_files_in_shards(8 << 10).unwrap(), files);
    let folder = ModelFolder::read(&place()).unwrap();
    assert_eq!(folder.manifest, training_folder().manifest);
    let expected: Vec<Expected> = serde_json::from_slice(&fs::read(&predictions).unwrap()).unwrap();
    let mut spread = (1.0f32, 0.0f32);
    for (found, expected) in predict(&folder).iter().zip(&expected) {
        assert_eq!((&found.note, found.probabilities.len()), (&expected.note, CODES.len()));
        for (found, expected) in found.probabilities.iter().zip(&expected.probabilities) {
            assert!((found - expected).abs() <= 1e-5, "{found}, not {expected}");
            spread = (spread.0.min(*expected), spread.1.max(*expected));
        }
    }
    assert!(expected.len() == NOTES.len() && spread.1 - spread.0 > 0.05, "{spread:?}");
}

#[test]
fn in_f32_a_model_comes_back_bit_for_bit_and_quantized_within_a_step() {
    let folder = training_folder();
    for (precision, step) in [
        (Precision::F32, 0.0),
        (Precision::F16, 5e-4),
        (Precision::Int8, 0.5 / 127.0),
        (Precision::Int4, 0.51 / 7.0),
    ] {
        let card = ModelCard::default();
        let shipped =
            ShippedModel::of_folder(&folder, card, precision, |name| name.contains("query")).unwrap();
        assert_eq!(shipped.tensors["encoder.layers.0.attention.query.weight"].precision(), Precision::F32);
        assert_eq!(shipped.tensors["encoder.layers.0.attention.key.weight"].precision(), precision);
        assert_eq!(shipped.tensors["encoder.layers.0.attention.key.bias"].precision(), Precision::F32);
        let files = shipped.to_files().unwrap();
        let get = |name: &str| {
            let found = files.iter().find(|(file, _)| file == name).map(|(_, bytes)| bytes.clone());
            found.ok_or(std::io::ErrorKind::NotFound.into())
        };
        let back = ModelFolder::from_files(get).unwrap();
        assert_eq!(back.manifest, folder.manifest);
        for (path, values) in &folder.parameters {
            let found = &back.parameters[path];
            assert_eq!(found.shape, values.shape);
            let far = found.data.iter().zip(&values.data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(far <= step, "{path} in {precision:?}: {far}"); // weights reach .5
        }
    }
}
