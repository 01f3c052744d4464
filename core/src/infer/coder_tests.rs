//! The coder on both engines, and what changes nothing of its answers.

use super::*;
use crate::infer::evidence::heaviest_words;
use crate::infer::scoring::{encode_batch, plan_batches};
use crate::metrics::{Calibration, CalibrationMethod, sigmoid};
use crate::model::Head;
use crate::model::parameters::{export, import};
use crate::model::{EncoderConfig, HeadKind, ModelConfig};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const WORDS: [&str; 6] = ["fever", "cough", "diabetes", "no", "chest", "pain"];

fn coder(head: HeadKind, max_len: usize) -> Coder {
    let vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nfever\ncough\ndia\n##betes\nno\nchest\npain\n.\n";
    let tokenizer = Tokenizer::from_vocab(vocab, true).unwrap();
    let encoder = EncoderConfig {
        vocab_size: 13,
        hidden_size: 8,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        intermediate_size: 16,
        max_position_embeddings: 40,
        ..EncoderConfig::default()
    };
    let labels: String = (0..7).map(|at| format!("local\tC{at}\tCode {at}\n")).collect();
    let labels = LabelSet::from_tsv(format!("system\tcode\tdescription\n{labels}").as_bytes()).unwrap();
    let config = ModelConfig::new(encoder, head, 7);
    let model = fixed(config.init(&Device::flex()).unwrap());
    let manifest = Manifest { max_len, stride: (max_len - 2).div_ceil(2), ..Manifest::new(config) };
    Coder::new(model, manifest, tokenizer, labels).unwrap()
}

#[test]
fn calibration_moves_probabilities_and_keeps_their_order() {
    let plain = coder(HeadKind::Xml, 40);
    let line = Calibration { method: CalibrationMethod::Platt, slope: 0.5, intercept: -1.0 };
    let mut calibrated = plain.clone();
    calibrated.manifest.calibration = Some(line);
    let options = PredictOptions { top: None, ..PredictOptions::default() };
    let ids = plain.tokenizer.encode("fever, no cough").ids;
    let logits = plain.logits_of_tokens(&[&ids], &options);
    let codes = |coder: &Coder| coder.predict(&["fever, no cough"], &options).remove(0).unwrap().codes;
    for (before, after) in codes(&plain).iter().zip(codes(&calibrated)) {
        assert_eq!(before.label, after.label);
        assert_eq!(before.probability, sigmoid(logits[before.label]));
        assert_eq!(after.probability, line.probability(logits[after.label]));
        assert_eq!(after.assigned, after.probability >= 0.5);
    }
}

/// The same weights in every run, wide enough that notes and labels differ.
fn fixed(model: BertXml) -> BertXml {
    let mut stream = ChaCha8Rng::seed_from_u64(5);
    let mut values = export(&model);
    for (path, values) in &mut values {
        let centre = if path.ends_with("gamma") { 1.0 } else { 0.0 };
        values.data.iter_mut().for_each(|value| *value = centre + stream.random_range(-0.8..0.8));
    }
    import(model, &mut values).unwrap()
}

fn close(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-6)
}

fn text(words: &[usize]) -> String {
    words.iter().map(|&word| WORDS[word % WORDS.len()]).collect::<Vec<_>>().join(" ")
}

#[test]
fn codes_come_by_falling_probability_and_thresholds_assign() {
    let coder = coder(HeadKind::Xml, 40);
    let all = PredictOptions { top: None, ..PredictOptions::default() };
    let prediction = coder.predict(&["fever, no cough"], &all).remove(0).unwrap();
    let probabilities = coder.probabilities(&["fever, no cough"], &all).unwrap();
    assert_eq!((prediction.tokens, prediction.windows, prediction.codes.len()), (4, 1, 7));
    assert!(prediction.codes.windows(2).all(|pair| pair[0].probability >= pair[1].probability));
    for code in &prediction.codes {
        assert_eq!(code.probability, probabilities[code.label]);
        assert_eq!(code.assigned, code.probability >= 0.5);
    }
    let third = f64::from(prediction.codes[2].probability);
    let few = PredictOptions { top: Some(5), threshold: Some(third), ..all };
    let assigned: Vec<bool> = coder.predict(&["fever, no cough"], &few)[0]
        .as_ref()
        .unwrap()
        .codes
        .iter()
        .map(|c| c.assigned)
        .collect();
    assert_eq!(assigned, [true, true, true, false, false]);
}

#[test]
fn an_empty_note_is_an_error_and_disturbs_no_other() {
    let coder = coder(HeadKind::Xml, 40);
    let options = PredictOptions::default();
    let results = coder.predict(&["fever", " \u{0}", "cough"], &options);
    assert_eq!(results[1], Err(EmptyNote));
    assert_eq!(results[0], coder.predict(&["fever"], &options)[0]);
    assert_eq!(coder.probabilities(&["fever", ""], &options), Err(1));
    assert!(coder.predict(&[], &options).is_empty());
}

#[test]
fn the_cls_head_has_no_evidence() {
    let prediction =
        coder(HeadKind::Cls, 40).predict(&["fever"], &PredictOptions::default()).remove(0).unwrap();
    assert!(prediction.codes.iter().all(|code| code.evidence.is_empty()));
}

#[test]
fn the_cpu_engine_says_what_burn_says_with_the_same_evidence() {
    for head in [HeadKind::Xml, HeadKind::Cls] {
        let burn = coder(head, 12);
        let Engine::Burn(model) = &burn.engine else { unreachable!() };
        let (manifest, tokenizer) = (burn.manifest.clone(), burn.tokenizer.clone());
        let folder = ModelFolder::of_model(model, manifest, tokenizer, burn.labels.clone()).unwrap();
        let shipped =
            ShippedModel::of_folder(&folder, Default::default(), crate::quantization::Precision::F32, |_| {
                false
            });
        let notes: Vec<String> = (0..7)
            .map(|at| text(&(0..3 + 9 * at).map(|i| (i * i + i / 3 + at) % 6).collect::<Vec<_>>()))
            .collect();
        let notes: Vec<&str> = notes.iter().map(String::as_str).collect();
        let options = PredictOptions { top: None, ..PredictOptions::default() };
        for threads in [1, 3] {
            let cpu = Coder::on_cpu(shipped.as_ref().unwrap().clone(), threads).unwrap();
            for (ours, theirs) in cpu.predict(&notes, &options).iter().zip(burn.predict(&notes, &options)) {
                let (ours, theirs) = (ours.as_ref().unwrap(), theirs.unwrap());
                assert_eq!((ours.tokens, ours.windows), (theirs.tokens, theirs.windows));
                let by_label = |mut codes: Vec<CodePrediction>| {
                    codes.sort_by_key(|code| code.label);
                    codes
                };
                for (a, b) in by_label(ours.codes.clone()).iter().zip(by_label(theirs.codes)) {
                    assert!((a.probability - b.probability).abs() <= 1e-4, "{a:?} for {b:?}");
                    assert_eq!(a.evidence.len(), b.evidence.len());
                    for (a, b) in a.evidence.iter().zip(&b.evidence) {
                        assert!((a.weight - b.weight).abs() <= 1e-4, "{a:?} for {b:?}");
                    }
                }
            }
        }
    }
}

/// Neither flex nor the CPU engine makes anybody wait.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn window_by_window_the_bits_are_those_of_the_whole_note() {
    for head in [HeadKind::Xml, HeadKind::Cls] {
        let burn = coder(head, 12);
        let Engine::Burn(model) = &burn.engine else { unreachable!() };
        let (manifest, tokenizer) = (burn.manifest.clone(), burn.tokenizer.clone());
        let folder = ModelFolder::of_model(model, manifest, tokenizer, burn.labels.clone()).unwrap();
        let int8 = crate::quantization::Precision::Int8;
        let shipped = ShippedModel::of_folder(&folder, Default::default(), int8, |_| false).unwrap();
        let cpu = Coder::on_cpu(shipped, 1).unwrap();
        let note = text(&(0..50).map(|at| (at * at + at / 3) % 6).collect::<Vec<_>>());
        // Alone in its batch each, as a step has it; the chunk of labels splits the questions too.
        let options = PredictOptions { top: Some(6), batch_tokens: 1, chunk: 2, ..PredictOptions::default() };
        for coder in [&burn, &cpu] {
            for note in ["fever", note.as_str()] {
                let whole = coder.predict(&[note], &options).remove(0).unwrap();
                let mut steps = coder.steps(note, options.chunk).unwrap();
                assert_eq!((steps.tokens(), steps.windows()), (whole.tokens, whole.windows));
                let mut count = 1;
                while !at_once(steps.step(coder)).unwrap() {
                    count += 1;
                }
                assert_eq!(count, whole.windows);
                assert_eq!(at_once(steps.finish(coder, &options)).unwrap(), whole);
                // finish does what is left, and no evidence where none is wanted.
                let none = PredictOptions { evidence: 0, ..options.clone() };
                let steps = coder.steps(note, options.chunk).unwrap();
                let bare = at_once(steps.finish(coder, &none)).unwrap();
                assert_eq!(bare, coder.predict(&[note], &none).remove(0).unwrap());
            }
            assert!(matches!(coder.steps(" \r\n\u{0}", 9), Err(EmptyNote)));
        }
    }
}

#[test]
fn evidence_of_a_long_note_is_that_of_the_window_that_won() {
    let coder = coder(HeadKind::Xml, 12);
    let words: Vec<usize> = (0..50).map(|at| (at * at + at / 3) % 6).collect();
    let note = text(&words);
    let options = PredictOptions { top: None, ..PredictOptions::default() };
    let prediction = coder.predict(&[&note], &options).remove(0).unwrap();
    assert!(prediction.windows > 8);
    // The plain way: every window alone, all labels at once.
    let tokens = coder.tokenizer.encode(&note);
    let Engine::Burn(model) = &coder.engine else { unreachable!() };
    let Head::Xml(head) = &model.head else { unreachable!() };
    let mut best = vec![(f32::NEG_INFINITY, Vec::new()); 7];
    let mut winners = std::collections::BTreeSet::new();
    for span in crate::text::windows(tokens.len(), 12, 5) {
        let window = crate::text::build_window(&tokens.ids, span, &coder.tokenizer.special());
        let batch = crate::data::pad_windows(&[window], &coder.tokenizer.special(), 1, 12);
        let inputs = crate::model::Inputs::new(&batch, &model.device());
        let output = head.attend(model.encode(&inputs), inputs.real, head.part());
        let logits = output.logits.into_data().try_to_vec::<f32>().unwrap();
        let attention = output.attention.into_data().try_to_vec::<f32>().unwrap();
        for (label, row) in attention.chunks_exact(batch.seq).enumerate() {
            if logits[label] > best[label].0 {
                let found = heaviest_words(&tokens, span, &row[1..=span.len()], options.evidence);
                best[label] = (logits[label], found);
                winners.insert(span.start);
            }
        }
    }
    assert!(winners.len() > 1, "more than one window wins");
    for code in &prediction.codes {
        let (logit, evidence) = &best[code.label];
        assert!((code.probability - sigmoid(*logit)).abs() <= 1e-6);
        let spans = |evidence: &[Evidence]| evidence.iter().map(|e| e.span).collect::<Vec<_>>();
        assert_eq!(spans(&code.evidence), spans(evidence));
        assert!(code.evidence.iter().zip(evidence).all(|(a, b)| (a.weight - b.weight).abs() <= 1e-5));
    }
    let second = tokens.spans[10].start;
    let behind = |code: &CodePrediction| code.evidence[0].span.start >= second;
    assert!(prediction.codes.iter().any(behind), "all evidence lies in the first window");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn padding_batch_mates_and_chunks_change_no_probability(
        notes in prop::collection::vec(prop::collection::vec(0usize..6, 1..60), 1..6),
        chunk in 1usize..8, batch_tokens in 1usize..300,
    ) {
        for head in [HeadKind::Xml, HeadKind::Cls] {
            let coder = coder(head, 24);
            let texts: Vec<String> = notes.iter().map(|words| text(words)).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let together = PredictOptions { chunk, batch_tokens, top: None, ..PredictOptions::default() };
            let mixed = coder.probabilities(&texts, &together).unwrap();
            let alone: Vec<f32> = texts
                .iter()
                .flat_map(|text| coder.probabilities(&[text], &PredictOptions::default()).unwrap())
                .collect();
            prop_assert!(close(&mixed, &alone), "{mixed:?} {alone:?}");
            for (at, prediction) in coder.predict(&texts, &together).into_iter().enumerate() {
                for code in prediction.unwrap().codes {
                    prop_assert!((code.probability - alone[at * 7 + code.label]).abs() <= 1e-6);
                }
            }
        }
    }

    #[test]
    fn evidence_is_whole_words_and_weighs_at_most_one(
        words in prop::collection::vec(0usize..6, 1..80), spans in 1usize..6,
    ) {
        let coder = coder(HeadKind::Xml, 24);
        let note = text(&words);
        let options = PredictOptions { evidence: spans, top: Some(3), ..PredictOptions::default() };
        let prediction = coder.predict(&[&note], &options).remove(0).unwrap();
        for code in prediction.codes {
            prop_assert!((1..=spans).contains(&code.evidence.len()));
            let total: f32 = code.evidence.iter().map(|evidence| evidence.weight).sum();
            prop_assert!(total > 0.0 && total <= 1.0 + 1e-5, "{total}");
            for evidence in code.evidence {
                let slice = evidence.span.slice(&note).unwrap();
                prop_assert!(slice.split(' ').all(|word| WORDS.contains(&word)), "{slice}");
            }
        }
    }

    #[test]
    fn attention_over_a_windows_real_tokens_sums_to_one(words in prop::collection::vec(0usize..6, 1..20)) {
        let coder = coder(HeadKind::Xml, 40);
        let note = coder.tokenizer.encode(&text(&words));
        let options = PredictOptions { evidence: note.len(), top: None, ..PredictOptions::default() };
        let plan = coder.plan(&options);
        let rows = plan_batches(&[&note.ids], &plan).remove(0);
        let special = coder.tokenizer.special();
        let Engine::Burn(model) = &coder.engine else { unreachable!() };
        let batch = encode_batch(&model.encoder, &[&note.ids], rows, &plan, &special, &model.device());
        let Head::Xml(head) = &model.head else { unreachable!() };
        let output = head.attend(batch.hidden.clone(), batch.inputs.real.clone(), head.part());
        let [_, labels, seq] = output.attention.dims();
        let attention = output.attention.into_data().try_to_vec::<f32>().unwrap();
        prop_assert_eq!(labels, 7);
        for row in attention.chunks_exact(seq) {
            let real: f32 = row[1..=note.len()].iter().sum();
            prop_assert!((real - 1.0).abs() <= 1e-5, "{}", real);
            prop_assert!(row[0] == 0.0 && row[note.len() + 1..].iter().all(|&rest| rest == 0.0));
        }
    }
}
