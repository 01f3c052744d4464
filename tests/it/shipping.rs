//! A model made ready for others through the command line, and used like any other.

use std::fs;
use std::path::{Path, PathBuf};

use bert_xml_core::data::Split;
use bert_xml_core::model::{EncoderConfig, HeadKind, ModelConfig};
use bert_xml_core::model_folder::{Manifest, ModelFolder, ShippedModel};
use bert_xml_core::quantization::Precision;
use bert_xml_core::text::Tokenizer;
use bert_xml_trainer::corpus::Corpus;
use burn::tensor::Device;
use serde_json::Value;

use crate::process::{argument, fail, small_corpus, succeed};

/// A model of the small corpus's labels that guesses by how frequent a code is in training, three times too sure of
/// itself; what it adds by reading the note is random, times `weight`.
fn sure_model(place: &Path, weight: f32) -> PathBuf {
    let made = small_corpus();
    let corpus = Corpus::open(&made.join("corpus")).unwrap();
    let labels = corpus.labels().clone();
    let tokenizer = fs::read(made.join("vocab/tokenizer.json")).unwrap();
    let tokenizer = Tokenizer::from_json_bytes(&tokenizer).unwrap();
    let encoder = EncoderConfig {
        vocab_size: tokenizer.vocab_size(),
        hidden_size: 32,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        intermediate_size: 64,
        max_position_embeddings: 64,
        ..EncoderConfig::default()
    };
    let config = ModelConfig::new(encoder, HeadKind::Cls, labels.len());
    let model = config.init(&Device::flex()).unwrap();
    let mut folder = ModelFolder::of_model(&model, Manifest::new(config), tokenizer, labels).unwrap();
    let notes = corpus.count(Split::Train) as f32;
    let biases = &mut folder.parameters.get_mut("head.Cls.classifier.bias").unwrap().data;
    for (bias, &count) in biases.iter_mut().zip(corpus.label_counts()) {
        let share = (count as f32 / notes).clamp(0.02, 0.98);
        *bias = 3.0 * (share / (1.0 - share)).ln();
    }
    let weights = &mut folder.parameters.get_mut("head.Cls.classifier.weight").unwrap().data;
    weights.iter_mut().for_each(|value| *value *= weight);
    folder.write(&place.join("model")).unwrap();
    place.join("model")
}

#[test]
fn a_shipped_model_is_calibrated_compared_and_used_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let model = sure_model(folder.path(), 1.0);
    let corpus = small_corpus().join("corpus");
    let at = |name: &str| folder.path().join(name);
    let card = at("card.toml");
    fs::write(&card, "name = \"small\"\nlanguage = \"en\"\n").unwrap();
    let export = |precision: &str, out: &Path, more: &[&str]| {
        let inputs = ["--model", argument(&model), "--corpus", argument(&corpus), "--out", argument(out)];
        let inputs = [&["export", "--quantize", precision, "--dev-notes", "20"][..], &inputs, more].concat();
        inputs.iter().map(|&argument| argument.to_owned()).collect::<Vec<String>>()
    };
    let run = |arguments: Vec<String>| succeed(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let report = |out: &Path| -> Value {
        serde_json::from_slice(&fs::read(out.join("report.json")).unwrap()).unwrap()
    };

    let whole = at("none");
    run(export("none", &whole, &[]));
    let exact = report(&whole);
    assert_eq!(exact["agreement"]["probability"], 0.0);
    assert_eq!(exact["agreement"]["overlap_min"], exact["agreement"]["top"]);

    let small = at("int8");
    let keep =
        ["--keep-f32", "*.layers.0.attention.value.weight", "--remedy", "none", "--card", argument(&card)];
    run(export("int8", &small, &keep));
    let told = report(&small);
    assert!(told["agreement"]["probability"].as_f64().unwrap() > 0.0);
    assert!(
        told["agreement"]["overlap_mean"].as_f64().unwrap()
            >= 0.6 * told["agreement"]["top"].as_f64().unwrap(),
        "{told}"
    );
    assert!(
        told["calibration"]["ece_after"].as_f64().unwrap()
            < told["calibration"]["ece_before"].as_f64().unwrap()
    );
    assert_eq!(
        told["beyond"].as_array().unwrap().is_empty(),
        told["contributions"].as_array().unwrap().is_empty()
    );
    assert!(
        fs::read_to_string(small.join("report.md")).unwrap().contains("| encoder.embeddings.word.weight | ")
    );
    let shipped = ShippedModel::read(&small).unwrap();
    assert_eq!(
        (shipped.manifest.card.name.as_str(), shipped.manifest.card.language.as_str()),
        ("small", "en")
    );
    assert_eq!(told["model_id"], shipped.manifest.model_id.as_str());
    let slope = shipped.manifest.calibration.unwrap().slope;
    assert!(slope < 0.6, "less sure of itself: {slope}");
    assert_eq!(told["calibration"]["calibration"]["slope"].as_f64(), Some(slope));
    assert_eq!(shipped.tensors["encoder.layers.0.attention.value.weight"].precision(), Precision::F32);
    assert_eq!(shipped.tensors["encoder.layers.0.attention.key.weight"].precision(), Precision::Int8);

    // Every command that takes a model takes this one; the calibrated scale is the one that evaluation sees.
    let (note, out, json) = (at("note.txt"), at("out.jsonl"), at("judged.json"));
    fs::write(&note, "Fever and a cough.").unwrap();
    succeed(&["predict", "--model", argument(&small), "--text", argument(&note), "--out", argument(&out)]);
    assert!(fs::read_to_string(&out).unwrap().contains("\"probability\""));
    let judge = ["--split", "dev", "--json", argument(&json)];
    succeed(
        &[&["evaluate", "--model", argument(&small), "--corpus", argument(&corpus)][..], &judge].concat(),
    );
    let judged: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    assert_eq!(judged["threshold"].as_f64().unwrap(), shipped.manifest.threshold);

    // What cannot be shipped leaves nothing.
    let nowhere = at("nowhere");
    let refuse = |arguments: Vec<String>| fail(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let message = refuse(export("int8", &nowhere, &["--keep-f32", "tail.*"]));
    assert!(message.contains("--keep-f32 tail.*: the model has no such tensor"), "{message}");
    let again = ["export", "--quantize", "int4", "--model", argument(&small), "--corpus", argument(&corpus)];
    let message = fail(&[&again[..], &["--out", argument(&nowhere)]].concat());
    assert!(message.contains("is shipped already"), "{message}");
    assert!(!nowhere.exists());
}

#[test]
fn what_8_bits_change_too_much_is_stored_finer_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let model = sure_model(folder.path(), 60.0);
    let corpus = small_corpus().join("corpus");
    let export = |remedy: &str| -> (String, Value, ShippedModel) {
        let out = folder.path().join(remedy);
        let asked = ["export", "--quantize", "int8", "--dev-notes", "20", "--remedy", remedy];
        let inputs = ["--model", argument(&model), "--corpus", argument(&corpus), "--out", argument(&out)];
        let told = succeed(&[&asked[..], &inputs].concat()).stdout;
        let report = serde_json::from_slice(&fs::read(out.join("report.json")).unwrap()).unwrap();
        (told, report, ShippedModel::read(&out).unwrap())
    };

    let (told, coarse, shipped) = export("none");
    assert!(told.contains("BEYOND THE LIMITS"), "{told}");
    assert!(coarse["remedy"].is_null() && !shipped.manifest.provenance.contains_key("stored_finer"));
    assert!(shipped.tensors.values().all(|tensor| tensor.rows == 1 || tensor.precision() != Precision::F32));
    let contributions = coarse["contributions"].as_array().unwrap();
    assert!(contributions.iter().any(|of| of["part"] == "head.Cls.classifier.weight"), "{contributions:?}");

    let (told, mended, shipped) = export("auto");
    assert!(told.contains("Within the limits"), "{told}");
    assert_eq!(mended["remedy"]["before"], coarse["agreement"]);
    let parts = mended["remedy"]["parts"].as_array().unwrap();
    assert!(!parts.is_empty() && told.contains(parts[0].as_str().unwrap()));
    assert_eq!(shipped.manifest.provenance["stored_finer"]["parts"], mended["remedy"]["parts"]);
    for (name, tensor) in &shipped.tensors {
        let is_of = |part: &Value| name.starts_with(part.as_str().unwrap().trim_end_matches('*'));
        if tensor.rows > 1 && parts.iter().any(is_of) {
            assert_eq!(tensor.precision(), Precision::F16, "{name}");
        }
    }
    assert!(mended["bytes"].as_u64().unwrap() > coarse["bytes"].as_u64().unwrap());
    assert!(mended["agreement"]["probability"].as_f64().unwrap() <= 0.02);
}
