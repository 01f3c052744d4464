//! The fixture of `wasm/tests`: a tiny model whose layers are all int8, notes in many scripts, and what the native
//! engines say of them. The CPU engine's bits are those of every processor and every browser, so the tests of the npm
//! package compare against the same file.
//!
//! Written by `BERT_XML_WRITE_FIXTURES=1 cargo test --test it wasm_fixture`.

use std::fs;
use std::path::{Path, PathBuf};

use bert_xml_core::codes::LabelSet;
use bert_xml_core::infer::{Coder, NotePrediction, PredictOptions};
use bert_xml_core::model::parameters::Values;
use bert_xml_core::model::{EncoderConfig, HeadKind, ModelConfig};
use bert_xml_core::model_folder::shipped::{Role, tensor_shapes};
use bert_xml_core::model_folder::{Manifest, ModelCard, ModelFolder, ShippedModel};
use bert_xml_core::quantization::Precision;
use bert_xml_core::text::{OffsetMap, Tokenizer};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

const WORDS: &str = "the patient has no pain fever cough chest with and for of on in to at was is old man woman history \
    heart lung kidney liver left right arm leg head blood sugar pressure high low acute chronic severe mild rate \
    breath short swelling rash fall broken bone wound given home day days week ago diabetes asthma stroke anemia \
    migraine gout pneumonia tablet dose daily plan fiebre tos dolor año corazón 熱 咳 胸 痛";
const LABELS: usize = 37;

/// One note of `notes.json`.
#[derive(Debug, Deserialize)]
struct Note {
    id: String,
    text: String,
    /// How often the text stands in the note, one behind the other.
    #[serde(default = "once")]
    times: usize,
}

fn once() -> usize {
    1
}

/// What the native engines say of one note.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Expected {
    id: String,
    tokens: usize,
    windows: usize,
    /// Of every label in order: the eight hexadecimal digits of the f32, from the CPU engine.
    probabilities: Vec<String>,
    /// Of the three most probable codes.
    evidence: Vec<ExpectedEvidence>,
    /// Of every label in order, from burn in f32; for the short notes that WebGPU is tried on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    burn: Option<Vec<f32>>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct ExpectedEvidence {
    code: String,
    /// UTF-16 offsets, and the digits of the weight.
    stretches: Vec<(usize, usize, String)>,
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/wasm")
}

fn notes() -> Vec<(String, String)> {
    let notes: Vec<Note> = serde_json::from_slice(&fs::read(fixture().join("notes.json")).unwrap()).unwrap();
    notes.into_iter().map(|note| (note.id, note.text.repeat(note.times))).collect()
}

fn bits(value: f32) -> String {
    format!("{:08x}", value.to_bits())
}

fn expected(id: &str, text: &str, prediction: &NotePrediction, labels: &LabelSet) -> Expected {
    let map = OffsetMap::new(text);
    let mut probabilities = vec![String::new(); LABELS];
    prediction.codes.iter().for_each(|code| probabilities[code.label] = bits(code.probability));
    let evidence = prediction.codes.iter().take(3).map(|code| ExpectedEvidence {
        code: labels.get(code.label).unwrap().code.clone(),
        stretches: code
            .evidence
            .iter()
            .map(|evidence| {
                let span = map.byte_to_utf16(evidence.span).unwrap();
                (span.start, span.end, bits(evidence.weight))
            })
            .collect(),
    });
    let (tokens, windows, evidence) = (prediction.tokens, prediction.windows, evidence.collect());
    Expected { id: id.to_owned(), tokens, windows, probabilities, evidence, burn: None }
}

/// A model with random weights, the same in every run, wide enough that every kernel meets full blocks and rests.
fn random_model() -> ShippedModel {
    let mut tokens: Vec<String> = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(str::to_owned).to_vec();
    for character in ('a'..='z').chain('0'..='9') {
        tokens.extend([character.to_string(), format!("##{character}")]);
    }
    tokens.extend([".", ",", ";", ":", "-", "/", "(", ")", "%"].map(str::to_owned));
    let words = Tokenizer::from_vocab("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n", true).unwrap().normalize(WORDS);
    for word in words.split_whitespace() {
        if !tokens.iter().any(|token| token == word) {
            tokens.push(word.to_owned());
        }
    }
    let tokenizer = Tokenizer::from_vocab(&(tokens.join("\n") + "\n"), true).unwrap();
    let rows: String = (0..LABELS).map(|at| format!("local\tT{at:02}\tTest code {at}\n")).collect();
    let labels = LabelSet::from_tsv(format!("system\tcode\tdescription\n{rows}").as_bytes()).unwrap();
    let encoder = EncoderConfig {
        vocab_size: tokens.len(),
        hidden_size: 72,
        num_hidden_layers: 2,
        num_attention_heads: 3,
        intermediate_size: 100,
        max_position_embeddings: 64,
        ..EncoderConfig::default()
    };
    let config = ModelConfig { head_hidden: 41, ..ModelConfig::new(encoder, HeadKind::Xml, LABELS) };
    let mut state = 20u64;
    let mut random = move || {
        // SplitMix64 (Steele, Lea, Flood 2014).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    let parameters = tensor_shapes(&config)
        .into_iter()
        .map(|shape| {
            let centre = if shape.name.ends_with("gamma") { 1.0 } else { 0.0 };
            let data: Vec<f32> = (0..shape.rows * shape.cols).map(|_| centre + 0.6 * random()).collect();
            let shape_there = match shape.role {
                Role::Vector => vec![data.len()],
                Role::Linear => vec![shape.cols, shape.rows],
                _ => vec![shape.rows, shape.cols],
            };
            (shape.name, Values { shape: shape_there, data })
        })
        .collect();
    let mut manifest = Manifest { max_len: 64, stride: 40, threshold: 0.5, ..Manifest::new(config) };
    manifest.systems = vec![bert_xml_core::codes::CodeSystem::Custom("local".to_owned())];
    manifest.provenance.insert("note".to_owned(), "random weights, made by the test `wasm_fixture`".into());
    let folder = ModelFolder { manifest, tokenizer, labels, parameters };
    let card = ModelCard {
        name: "wasm test".to_owned(),
        trained_on: "Nothing: its weights are random.".to_owned(),
        intended_use: "Tests of the npm package.".to_owned(),
        limits: "Its codes mean nothing.".to_owned(),
        licence: "MIT OR Apache-2.0".to_owned(),
        language: "en".to_owned(),
    };
    ShippedModel::of_folder(&folder, card, Precision::Int8, |_| false).unwrap()
}

/// The short notes of the WebGPU test.
const ON_WEBGPU: usize = 14;

#[test]
fn the_native_engines_say_of_the_notes_what_the_fixture_says() {
    let (model_folder, answers) = (fixture().join("model"), fixture().join("expected.json"));
    let writing = std::env::var_os("BERT_XML_WRITE_FIXTURES").is_some();
    if writing {
        fs::create_dir_all(&model_folder).unwrap();
        for (name, bytes) in random_model().to_files_in_shards(32 << 10).unwrap() {
            fs::write(model_folder.join(name), bytes).unwrap();
        }
    }
    let shipped = ShippedModel::read(&model_folder).unwrap();
    let labels = shipped.labels.clone();
    let burn = Coder::from_folder(&shipped.to_folder(), &Device::flex()).unwrap();
    let cpu = Coder::on_cpu(shipped, 1).unwrap();
    let options = PredictOptions { top: None, evidence: 3, ..PredictOptions::default() };
    let notes = notes();
    assert!(notes.len() >= 52, "{} notes", notes.len());
    assert!(notes.iter().any(|(_, text)| text.split_whitespace().count() >= 20_000));
    let mut found = Vec::new();
    for (at, (id, text)) in notes.iter().enumerate() {
        let prediction = cpu.predict(&[text], &options).remove(0).unwrap();
        let mut answer = expected(id, text, &prediction, &labels);
        if at < ON_WEBGPU {
            answer.burn = Some(burn.probabilities(&[text], &options).unwrap());
        }
        found.push(answer);
    }
    if writing {
        let lines: Vec<String> = found.iter().map(|answer| serde_json::to_string(answer).unwrap()).collect();
        fs::write(&answers, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
    }
    let wanted: Vec<Expected> = serde_json::from_slice(&fs::read(&answers).unwrap()).unwrap();
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(&wanted) {
        assert_eq!((&found.id, found.tokens, found.windows), (&wanted.id, wanted.tokens, wanted.windows));
        assert_eq!(found.probabilities, wanted.probabilities, "{}", found.id);
        assert_eq!(found.evidence, wanted.evidence, "{}", found.id);
        // burn's sums depend on the processor.
        assert_eq!(found.burn.is_some(), wanted.burn.is_some());
        for (a, b) in found.burn.iter().flatten().zip(wanted.burn.iter().flatten()) {
            assert!((a - b).abs() <= 1e-5, "{}: {a} for {b}", found.id);
        }
    }
}
