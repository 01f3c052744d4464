//! A model folder at work through the command line: predict, encode, import and export.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bert_xml_core::codes::LabelSet;
use bert_xml_core::infer::PredictionRecord;
use bert_xml_core::metrics::{Calibration, CalibrationMethod};
use bert_xml_core::model::hf_folder::HfBert;
use bert_xml_core::model::parameters::Values;
use bert_xml_core::model::weights::read_weights;
use bert_xml_core::model::{BertXml, Head, HeadKind, ModelConfig, Readout, XmlOptions};
use bert_xml_core::model_folder::{Manifest, ModelFolder};
use bert_xml_trainer::cli;
use burn::tensor::Device;

use crate::process::{argument, call as call_of, fail};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/bert")
}

/// A run with a model of the committed encoder and a random head of five codes under `model/`.
fn make_run(folder: &Path, head: HeadKind) -> ModelFolder {
    make_run_of(folder, head, XmlOptions::default(), None)
}

fn make_run_of(
    folder: &Path,
    head: HeadKind,
    xml: XmlOptions,
    calibration: Option<Calibration>,
) -> ModelFolder {
    let bert = HfBert::read(&fixture()).unwrap();
    let (encoder, tokenizer) = (bert.config.clone(), bert.tokenizer.clone());
    let mut config = ModelConfig::new(encoder, head, 5);
    (config.head_hidden, config.xml) = (12, xml);
    let device = Device::flex();
    let head = ModelConfig { encoder: wide(&config), ..config.clone() }.init_head(&device);
    let model = BertXml { encoder: bert.into_encoder(&device).unwrap(), head };
    let codes = ["I10", "E11.9", "R50.9", "R05.9", "J18.9"];
    let labels: String = codes.iter().map(|code| format!("icd10cm\t{code}\tAbout {code}\n")).collect();
    let labels = LabelSet::from_tsv(format!("system\tcode\tdescription\n{labels}").as_bytes()).unwrap();
    let manifest = Manifest { max_len: 32, stride: 20, calibration, ..Manifest::new(config) };
    let model = ModelFolder::of_model(&model, manifest, tokenizer, labels).unwrap();
    model.write(&folder.join("model")).unwrap();
    model
}

/// Heads drawn wide, so that codes differ.
fn wide(config: &ModelConfig) -> bert_xml_core::model::EncoderConfig {
    bert_xml_core::model::EncoderConfig { initializer_range: 0.3, ..config.encoder.clone() }
}

fn run(arguments: &[&str]) -> bool {
    let all = ["bert-xml", "--progress", "none", "--device", "cpu"].iter().chain(arguments);
    // ExitCode has no equality; its printed form is the code.
    let code = cli::run(all.map(Into::into));
    format!("{code:?}") == format!("{:?}", std::process::ExitCode::SUCCESS)
}

fn write_notes(path: &Path, notes: &[(&str, &str)]) {
    let line =
        |(id, text): &(&str, &str)| serde_json::json!({"note_id": id, "text": text}).to_string() + "\n";
    fs::write(path, notes.iter().map(line).collect::<String>()).unwrap();
}

fn read_predictions(path: &Path) -> Vec<PredictionRecord> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn notes_come_out_in_order_with_evidence_in_code_points() {
    let folder = tempfile::tempdir().unwrap();
    make_run(folder.path(), HeadKind::Xml);
    let long = "Été: fever and chest pain, no cough. ".repeat(12);
    let mut notes = vec![("long".to_owned(), long)];
    notes.extend((0..70).map(|at| (format!("n{at}"), format!("note {at}: fever ❤ and pain"))));
    let notes: Vec<(&str, &str)> = notes.iter().map(|(id, text)| (id.as_str(), text.as_str())).collect();
    let (input, out) = (folder.path().join("notes.jsonl"), folder.path().join("out.jsonl"));
    write_notes(&input, &notes);
    let model = folder.path().to_str().unwrap();
    let files = ["--input", input.to_str().unwrap(), "--out", out.to_str().unwrap()];
    assert!(run(&[&["predict", "--model", model, "--top", "3"][..], &files].concat()));
    let records = read_predictions(&out);
    assert_eq!(records.len(), 71);
    let mut evidences = 0;
    for (record, (id, text)) in records.iter().zip(&notes) {
        assert_eq!((record.note_id.as_str(), record.codes.len()), (*id, 3));
        assert!(record.codes.windows(2).all(|pair| pair[0].probability >= pair[1].probability));
        let characters: Vec<char> = text.chars().collect();
        for evidence in record.codes.iter().flat_map(|code| &code.evidence) {
            let slice: String = characters[evidence.start..evidence.end].iter().collect();
            assert_eq!(evidence.text, slice);
            assert!(evidence.weight > 0.0 && evidence.weight <= 1.0);
            evidences += 1;
        }
    }
    assert!(evidences >= 213, "at least one a code");
    assert!(records[0].windows > 5 && records[1].windows == 1);

    // Alone, with all codes: the same probabilities; nothing is assigned at a threshold of 1.
    write_notes(&input, &notes[3..4]);
    assert!(run(&[&["predict", "--model", model, "--top", "all", "--threshold", "1"][..], &files].concat()));
    let alone = read_predictions(&out).remove(0);
    assert_eq!(alone.codes.len(), 5);
    for (a, b) in alone.codes.iter().zip(&records[3].codes) {
        assert_eq!(a.code, b.code);
        assert!((a.probability - b.probability).abs() <= 1e-6 && !a.assigned);
    }
}

#[test]
fn one_note_of_plain_text_is_named_after_its_file() {
    let folder = tempfile::tempdir().unwrap();
    make_run(folder.path(), HeadKind::Cls);
    let (note, out) = (folder.path().join("ward.txt"), folder.path().join("out.jsonl"));
    fs::write(&note, "fever and\ncough\n").unwrap();
    let model = folder.path().join("model");
    let arguments = ["predict", "--model", model.to_str().unwrap(), "--text", note.to_str().unwrap()];
    assert!(run(&[&arguments[..], &["--out", out.to_str().unwrap()]].concat()));
    let record = read_predictions(&out).remove(0);
    assert_eq!((record.note_id.as_str(), record.tokens, record.codes.len()), ("ward", 3, 5));
    assert!(
        record.codes.iter().all(|code| code.evidence.is_empty() && code.description.starts_with("About"))
    );
}

#[test]
fn a_bad_record_or_model_leaves_no_file() {
    use bert_xml_trainer::commands::predict::{Options, Top, run};
    use bert_xml_trainer::context::Context;

    let folder = tempfile::tempdir().unwrap();
    make_run(folder.path(), HeadKind::Xml);
    let (input, out) = (folder.path().join("notes.jsonl"), folder.path().join("out.jsonl"));
    let options = Options {
        model: Some(folder.path().to_owned()),
        input: Some(input.clone()),
        text: None,
        top: Top(None),
        threshold: None,
        evidence: 1,
        out: out.clone(),
        shard: None,
        force: false,
        columns: Default::default(),
    };
    let before = || fs::read_dir(folder.path()).unwrap().count();
    let files = before() + 1;
    let error = |notes: &[(&str, &str)]| {
        write_notes(&input, notes);
        let error = format!("{:#}", run(&Context::default(), &options).unwrap_err());
        assert_eq!(before(), files, "a file is left after: {error}");
        error.replace(input.to_str().unwrap(), "FILE")
    };
    assert_eq!(error(&[("a", "fever"), ("b", " ")]), "FILE, line 2: note `b` has an empty text");
    assert_eq!(error(&[("a", "\u{1}\u{1}")]), "FILE, line 1: note `a` has an empty text");
    let twice = error(&[("a", "fever"), ("a", "cough")]);
    assert!(twice.starts_with("FILE, line 2: field `note_id`: `a` was there before"), "{twice}");

    let weights = folder.path().join("model/weights.safetensors");
    let bytes = fs::read(&weights).unwrap();
    fs::write(&weights, &bytes[..bytes.len() - 4]).unwrap();
    let damaged = error(&[("a", "fever")]);
    assert!(damaged.contains("model: weights.safetensors is damaged: size in bytes is"), "{damaged}");
}

#[test]
fn parts_put_together_are_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    make_run(folder.path(), HeadKind::Xml);
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let notes: Vec<(String, String)> = (0..71)
        .map(|note| {
            (format!("n{note}"), format!("note {note}: fever\n\n\"and\" {}", "pain, cough ".repeat(note % 9)))
        })
        .collect();
    let borrowed: Vec<(&str, &str)> = notes.iter().map(|(id, text)| (id.as_str(), text.as_str())).collect();
    write_notes(Path::new(&at("notes.jsonl")), &borrowed);
    // Empty lines are no records.
    let lines = fs::read_to_string(at("notes.jsonl")).unwrap();
    fs::write(at("notes.jsonl"), format!("\n{}", lines.replacen('\n', "\n\n", 3))).unwrap();
    let row = |(id, text): &(String, String)| format!("{id},\"{}\"\n", text.replace('"', "\"\""));
    fs::write(at("notes.csv"), format!("note_id,text\n{}", notes.iter().map(row).collect::<String>()))
        .unwrap();
    let model = at("");
    for input in ["notes.jsonl", "notes.csv"] {
        let (input, whole, parts) = (at(input), at(&format!("{input}.whole")), at(&format!("{input}.parts")));
        let call = ["predict", "--model", &model, "--input", &input, "--top", "2"];
        assert!(run(&[&call[..], &["--out", &whole]].concat()));
        let mut together = String::new();
        // In any order, and more parts than divide the notes evenly.
        for part in [3, 1, 4, 5, 2] {
            assert!(run(&[&call[..], &["--out", &parts, "--shard", &format!("{part}/5")]].concat()));
        }
        let mut names: Vec<PathBuf> =
            fs::read_dir(&parts).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.retain(|name| name.extension().is_some_and(|extension| extension == "jsonl"));
        names.sort();
        for name in &names {
            together += &fs::read_to_string(name).unwrap();
        }
        assert_eq!(names.len(), 5);
        assert!(together == fs::read_to_string(&whole).unwrap(), "{input}");
        assert!(together.lines().count() == 71);
    }
}

#[test]
fn a_part_that_is_there_is_left_and_one_of_another_request_refused() {
    let folder = tempfile::tempdir().unwrap();
    make_run(folder.path(), HeadKind::Cls);
    let at = |name: &str| argument(&folder.path().join(name)).to_owned();
    let (model, input, out) = (at(""), at("notes.jsonl"), at("out"));
    let notes = [("a", "fever"), ("b", "cough"), ("c", "pain"), ("d", " ")];
    write_notes(Path::new(&input), &notes);
    let predict = |part: &'static str, more: &[&str]| {
        let call = ["predict", "--model", &model, "--input", &input, "--out", &out, "--shard", part];
        call_of(&[&call[..], more].concat())
    };
    let first = predict("1/2", &[]);
    assert!(first.code == Some(0) && first.stderr.contains("2 notes in "), "{}", first.stderr);
    let file = Path::new(&out).join("part-00001-of-00002.jsonl");
    let made = fs::read(&file).unwrap();
    let again = predict("1/2", &[]);
    assert_eq!(again.code, Some(0));
    assert!(again.stderr.contains("finished already: part 1/2, 2 notes"), "{}", again.stderr);
    // The empty note is in the second part: nothing of it is left.
    let second = predict("2/2", &[]);
    assert!(
        second.code == Some(1) && second.stderr.contains("line 4: note `d` has an empty text"),
        "{}",
        second.stderr
    );
    assert_eq!(fs::read_dir(&out).unwrap().count(), 2);

    // Cut short by somebody: made again, the same.
    fs::write(&file, &made[..made.len() / 2]).unwrap();
    assert!(predict("1/2", &[]).stderr.contains("2 notes in ") && fs::read(&file).unwrap() == made);
    for (more, key) in [(&["--top", "1"][..], "top"), (&["--text-field", "note_id"], "fields")] {
        let said = predict("1/2", more).stderr;
        assert!(said.contains(&format!("was made with another {key}")) && said.contains("--force"), "{said}");
    }
    assert_eq!(predict("1/2", &["--top", "1", "--force"]).code, Some(0));
    assert!(fs::read(&file).unwrap() != made);
    write_notes(Path::new(&input), &notes[..3]);
    let said = predict("1/2", &["--top", "1"]).stderr;
    assert!(said.contains("was made with another input"), "{said}");
    let model = Path::new(&at("model/model.json")).to_owned();
    let text = fs::read_to_string(&model).unwrap();
    write_notes(Path::new(&input), &notes);
    fs::write(&model, text.replace("\"threshold\": 0.5", "\"threshold\": 0.25")).unwrap();
    let said = predict("1/2", &["--top", "1"]).stderr;
    assert!(said.contains("was made with another model"), "{said}");

    assert_eq!(predict("3/2", &[]).code, Some(2));
    let piped = ["predict", "--model", &at(""), "--input", "-", "--out", &out, "--shard", "1/2"];
    assert!(fail(&piped).contains("standard input has no parts"));
    let nowhere = ["predict", "--model", &at(""), "--input", &input, "--shard", "1/2"];
    assert!(fail(&nowhere).contains("a part goes into a folder"));
}

fn tensors(path: &Path) -> BTreeMap<String, Values> {
    read_weights(&fs::read(path).unwrap()).unwrap().0
}

#[test]
fn hidden_states_are_each_tokens_once_and_their_mean() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("notes.jsonl"), folder.path().join("hidden.safetensors"));
    let words = "fever and pain ".repeat(5);
    write_notes(&input, &[("short", "fever and pain"), ("long", words.trim())]);
    let hf = fixture();
    let arguments = ["encode", "--model", hf.to_str().unwrap(), "--input", input.to_str().unwrap()];
    let more = ["--out", out.to_str().unwrap(), "--max-len", "8"];
    assert!(run(&[&arguments[..], &more].concat()));
    let found = tensors(&out);
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(names, ["long.hidden", "long.mean", "short.hidden", "short.mean"]);
    let (long, short) = (&found["long.hidden"], &found["short.hidden"]);
    let tokens = short.shape[0];
    assert_eq!((short.shape[1], long.shape.as_slice()), (32, [tokens * 5, 32].as_slice()));
    for (hidden, mean) in [(long, &found["long.mean"]), (short, &found["short.mean"])] {
        for column in 0..32 {
            let sum: f32 = hidden.data.iter().skip(column).step_by(32).sum();
            assert!((sum / hidden.shape[0] as f32 - mean.data[column]).abs() < 1e-5);
        }
    }
    // Windows of six tokens; the last is moved back and gives only what the ones before lack. So a window's
    // states are those of its text alone.
    let six = "fever and pain ".repeat(2);
    write_notes(&input, &[("six", six.trim())]);
    assert_eq!(tokens, 3, "the fixture's vocabulary has these words");
    assert!(run(&[&arguments[..], &more].concat()));
    let alone = &tensors(&out)["six.hidden"];
    let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(close(&long.data[..6 * 32], &alone.data) && close(&long.data[6 * 32..12 * 32], &alone.data));
    assert!(close(&long.data[12 * 32..], &alone.data[3 * 32..]), "the last three of the window 9..15");

    assert!(run(&[&arguments[..], &more, &["--pooled-only"]].concat()));
    assert_eq!(tensors(&out).keys().collect::<Vec<_>>(), ["six.mean"]);
}

#[test]
fn an_exported_model_is_the_encoder_and_the_head() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, names) in [
        (HeadKind::Xml, &["label_embeddings", "w_a", "w_b"][..]),
        (HeadKind::Cls, &["classifier.bias", "classifier.weight"]),
    ] {
        let place = folder.path().join(format!("{kind:?}"));
        let model = make_run(&place, kind);
        let out = place.join("python");
        assert!(run(&["export", "--model", place.to_str().unwrap(), "--out", out.to_str().unwrap()]));
        let bert = HfBert::read(&out).unwrap();
        assert!(bert.parameters.iter().all(|(path, values)| model.parameters[path] == *values));
        let head = tensors(&out.join("head.safetensors"));
        assert_eq!(head.keys().collect::<Vec<_>>(), names);
        if kind == HeadKind::Xml {
            assert_eq!((&head["w_b"].shape[..], &head["w_a"].shape[..]), (&[12, 32][..], &[1, 12][..]));
            let Head::Xml(ours) = model.to_model(&Device::flex()).unwrap().head else { unreachable!() };
            let embeddings = ours.labels.val().into_data().try_to_vec::<f32>().unwrap();
            assert_eq!(head["label_embeddings"].data, embeddings);
        }
        assert_eq!(fs::read_to_string(out.join("labels.tsv")).unwrap(), model.labels.to_tsv());
        assert!(!run(&["export", "--model", place.to_str().unwrap(), "--out", out.to_str().unwrap()]));
    }
}

#[test]
fn an_exported_head_that_departs_from_the_paper_says_how_to_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let line = Calibration { method: CalibrationMethod::Platt, slope: 0.5, intercept: -0.25 };
    let shared = "(torch.relu(context @ head[\"w_b\"].T) @ head[\"w_a\"].T)[:, 0] + head[\"label_bias\"]\n";
    for (at, (readout, bias, names, logits)) in [
        (Readout::Shared, true, &["label_bias", "label_embeddings", "w_a", "w_b"][..], shared),
        (Readout::Own, false, &["label_embeddings", "readout"], "(context * head[\"readout\"]).sum(1)\n"),
    ]
    .into_iter()
    .enumerate()
    {
        let place = folder.path().join(at.to_string());
        let model = make_run_of(&place, HeadKind::Xml, XmlOptions { readout, bias }, bias.then_some(line));
        let out = place.join("python");
        assert!(run(&["export", "--model", place.to_str().unwrap(), "--out", out.to_str().unwrap()]));
        let head = tensors(&out.join("head.safetensors"));
        assert_eq!(head.keys().collect::<Vec<_>>(), names);
        let Head::Xml(ours) = model.to_model(&Device::flex()).unwrap().head else { unreachable!() };
        let values = |tensor: burn::tensor::TensorData| tensor.try_to_vec::<f32>().unwrap();
        if let Some(weights) = ours.weights {
            assert_eq!(head["readout"].data, values(weights.val().into_data()));
        }
        let page = fs::read_to_string(out.join("README.md")).unwrap();
        assert!(page.contains(&format!("\nlogits = {logits}")), "{page}");
        let probabilities = if bias { "(0.5 * logits + -0.25).sigmoid()" } else { "logits.sigmoid()" };
        assert!(page.contains(&format!("\nprobabilities = {probabilities}\n")), "{page}");
    }
}

#[test]
fn an_imported_checkpoint_has_more_positions_by_seed() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = fixture();
    let import = |name: &str, seed: &str| {
        let out = folder.path().join(name);
        let place = ["--out", out.to_str().unwrap(), "--max-positions", "100", "--seed", seed];
        assert!(run(&[&["import", fixture.to_str().unwrap()][..], &place].concat()));
        HfBert::read(&out).unwrap()
    };
    let (first, again, other) = (import("a", "1"), import("b", "1"), import("c", "2"));
    assert_eq!(first.config.max_position_embeddings, 100);
    assert!(first.has_mlm && first.has_nsp && first.has_pooler);
    assert_eq!(first.parameters, again.parameters);
    assert_ne!(first.parameters, other.parameters);
}
