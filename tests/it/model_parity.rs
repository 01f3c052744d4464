//! Outputs, losses and gradients of the model against Hugging Face `transformers` and a plain PyTorch
//! version of the paper's equations (`tests/reference/make_model_fixtures.py`).

use std::collections::BTreeMap;

use bert_xml_core::model::cls_head::ClsHead;
use bert_xml_core::model::gradients::GradientMap;
use bert_xml_core::model::hf::{export_names, import_names};
use bert_xml_core::model::label_attention::{LabelAttention, Readout, XmlOptions};
use bert_xml_core::model::loss::{binary_cross_entropy, cross_entropy};
use bert_xml_core::model::parameters::{Values, import};
use bert_xml_core::model::pretrain::PretrainModel;
use bert_xml_core::model::{EncoderConfig, Head, chunked};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors};

const OUTPUT_TOLERANCE: f32 = 1e-4;
/// Of the largest entry of a gradient.
const GRADIENT_TOLERANCE: f32 = 1e-3;

/// Shape and numbers.
type Integers = (Vec<usize>, Vec<i64>);

/// Float tensors by name, and integers by name.
fn read(bytes: &[u8]) -> (BTreeMap<String, Values>, BTreeMap<String, Integers>) {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let (mut floats, mut integers) = (BTreeMap::new(), BTreeMap::new());
    for (name, view) in file.tensors() {
        let shape = view.shape().to_vec();
        match view.dtype() {
            Dtype::F32 => {
                let data = view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
                floats.insert(name, Values { shape, data: data.collect() });
            }
            Dtype::I64 => {
                let data = view.data().chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()));
                integers.insert(name, (shape, data.collect()));
            }
            Dtype::U8 => {
                let data = view.data().iter().map(|&b| i64::from(b)).collect();
                integers.insert(name, (shape, data));
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    (floats, integers)
}

fn float<const D: usize>(values: &Values, device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.data.clone(), values.shape.clone()), device)
}

fn int(values: &Integers, device: &Device) -> Tensor<2, Int> {
    Tensor::from_data(TensorData::new(values.1.clone(), values.0.clone()), device)
}

fn mask(values: &Integers, device: &Device) -> Tensor<2, Bool> {
    int(values, device).equal_scalar(1)
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec::<f32>().unwrap()
}

#[track_caller]
fn assert_outputs<const D: usize>(what: &str, ours: Tensor<D>, theirs: &Values) {
    assert_eq!(ours.dims()[..], theirs.shape[..], "{what}");
    let worst = worst_difference(&numbers(ours), &theirs.data);
    assert!(worst <= OUTPUT_TOLERANCE, "{what}: {worst:e}");
}

#[track_caller]
fn assert_gradient(what: &str, ours: &Values, theirs: &Values) {
    assert_eq!(ours.shape, theirs.shape, "{what}");
    let scale = theirs.data.iter().fold(0f32, |max, value| max.max(value.abs()));
    let worst = worst_difference(&ours.data, &theirs.data);
    // A true gradient of 0 (key biases) is rounding on both sides.
    assert!(worst <= GRADIENT_TOLERANCE * scale.max(1e-3), "{what}: {worst:e} of {scale:e}");
}

fn worst_difference(ours: &[f32], theirs: &[f32]) -> f32 {
    assert!(ours.iter().all(|value| value.is_finite()));
    ours.iter().zip(theirs).fold(0f32, |max, (a, b)| max.max((a - b).abs()))
}

fn bert(device: &Device) -> PretrainModel {
    let config: serde_json::Value =
        serde_json::from_str(include_str!("../fixtures/bert/config.json")).unwrap();
    let field = |name: &str| config[name].as_u64().unwrap() as usize;
    let config = EncoderConfig {
        vocab_size: field("vocab_size"),
        hidden_size: field("hidden_size"),
        num_hidden_layers: field("num_hidden_layers"),
        num_attention_heads: field("num_attention_heads"),
        intermediate_size: field("intermediate_size"),
        max_position_embeddings: field("max_position_embeddings"),
        // The fixtures are made in evaluation mode.
        hidden_dropout_prob: 0.0,
        attention_probs_dropout_prob: 0.0,
        ..EncoderConfig::default()
    };
    let (checkpoint, _) = read(include_bytes!("../fixtures/bert/model.safetensors"));
    let (mut parameters, unused) = import_names(checkpoint);
    assert!(unused.is_empty(), "{unused:?}");
    let model = import(PretrainModel::new(&config, device).unwrap(), &mut parameters).unwrap();
    assert!(parameters.is_empty(), "{:?}", parameters.keys());
    model
}

#[test]
fn bert_equals_transformers_outputs_loss_and_gradients() {
    let device = Device::flex().autodiff();
    let model = bert(&device);
    let (expected, inputs) = read(include_bytes!("../fixtures/bert/expected.safetensors"));
    let (ids, segments) = (int(&inputs["input_ids"], &device), int(&inputs["token_type_ids"], &device));
    let keep = mask(&inputs["attention_mask"], &device);

    let states = model.encoder.forward_all(ids.clone(), segments.clone(), keep.clone());
    assert_eq!(states.len(), 3);
    for (layer, state) in states.iter().enumerate() {
        let name = format!("hidden_states.{layer}");
        assert_outputs(&name, state.clone(), &expected[&name]);
    }
    let pooled = model.pooler.forward(states[2].clone());
    assert_outputs("pooled_output", pooled, &expected["pooled_output"]);

    // All positions: logits everywhere.
    let (batch, seq) = (inputs["input_ids"].0[0], inputs["input_ids"].0[1]);
    let everywhere = Tensor::<1, Int>::arange(0..(batch * seq) as i64, &device);
    let (mlm, nsp) = model.forward(ids.clone(), segments.clone(), keep.clone(), everywhere);
    let vocab = mlm.dims()[1];
    assert_outputs("mlm_logits", mlm.reshape([batch, seq, vocab]), &expected["mlm_logits"]);
    assert_outputs("nsp_logits", nsp, &expected["nsp_logits"]);

    // The decoder on masked positions only gives the same loss and the same gradients.
    let masked: Vec<(i64, i64)> = inputs["mlm_labels"]
        .1
        .iter()
        .enumerate()
        .filter(|(_, id)| **id >= 0)
        .map(|(at, id)| (at as i64, *id))
        .collect();
    let positions: Vec<i64> = masked.iter().map(|(at, _)| *at).collect();
    let targets: Vec<i64> = masked.iter().map(|(_, id)| *id).collect();
    let ints = |values: &[i64]| Tensor::<1, Int>::from_data(values, &device);
    let (mlm, nsp) = model.forward(ids, segments, keep, ints(&positions));
    let mlm_loss = cross_entropy(mlm, ints(&targets));
    let nsp_loss = cross_entropy(nsp, ints(&inputs["nsp_labels"].1));
    assert_outputs("mlm_loss", mlm_loss.clone(), &expected["mlm_loss"]);
    assert_outputs("nsp_loss", nsp_loss.clone(), &expected["nsp_loss"]);
    let loss = mlm_loss + nsp_loss;
    assert_outputs("loss", loss.clone(), &expected["loss"]);

    let mut grads = loss.backward();
    let mut ours = export_names(&GradientMap::take(&model, "", &mut grads).to_values());
    ours.remove("cls.predictions.decoder.bias");
    let theirs: BTreeMap<&str, &Values> =
        expected.iter().filter_map(|(name, values)| Some((name.strip_prefix("grad.")?, values))).collect();
    let found: Vec<&str> = ours.keys().map(String::as_str).collect();
    assert_eq!(found, theirs.keys().copied().collect::<Vec<_>>());
    for (name, theirs) in theirs {
        let mut ours = ours[name].clone();
        let mut theirs = theirs.clone();
        if name == "bert.embeddings.word_embeddings.weight" {
            // PyTorch's padding_idx drops the embedding's share of row 0; the model never learns from it.
            let width = ours.shape[1];
            ours.data.drain(..width);
            theirs.data.drain(..width);
            ours.shape[0] -= 1;
            theirs.shape[0] -= 1;
        }
        assert_gradient(name, &ours, &theirs);
    }
}

struct HeadCase {
    device: Device,
    fixture: BTreeMap<String, Values>,
    real: Tensor<2, Bool>,
    hidden: Tensor<3>,
    head: LabelAttention,
    targets: Tensor<2>,
}

fn head_case() -> HeadCase {
    let device = Device::flex().autodiff();
    let (fixture, integers) = read(include_bytes!("../fixtures/xml_head.safetensors"));
    let [labels, d_model] = fixture["label_embeddings"].shape[..] else { panic!() };
    let d_hidden = fixture["w_b"].shape[0];
    let mut parameters = BTreeMap::from([
        ("labels".to_owned(), fixture["label_embeddings"].clone()),
        ("hidden.weight".to_owned(), fixture["w_b"].transposed()),
        ("output.weight".to_owned(), fixture["w_a"].transposed()),
    ]);
    let head = import(
        LabelAttention::new(d_model, d_hidden, labels, XmlOptions::default(), 0.02, &device),
        &mut parameters,
    )
    .unwrap();
    assert!(parameters.is_empty());
    let real = mask(&integers["mask"], &device);
    let hidden = float::<3>(&fixture["hidden"], &device).require_grad();
    let targets = float::<2>(&fixture["targets"], &device);
    HeadCase { device, fixture, real, hidden, head, targets }
}

#[test]
fn the_xml_head_equals_equations_2_to_4_and_their_gradients() {
    let HeadCase { fixture, real, hidden, head, targets, .. } = head_case();
    let output = head.attend(hidden.clone(), real.clone(), head.part());
    assert_outputs("attention", output.attention, &fixture["attention"]);
    assert_outputs("logits", output.logits, &fixture["logits"]);
    // In chunks of 4 of the 11 labels.
    let logits = head.forward(hidden.clone(), real, 4);
    assert_outputs("chunked logits", logits.clone(), &fixture["logits"]);
    let loss = binary_cross_entropy(logits, targets);
    assert_outputs("loss", loss.clone(), &fixture["loss"]);
    let mut grads = loss.backward();
    let hidden_grad = hidden.grad(&grads).unwrap();
    let hidden_grad = Values { shape: hidden_grad.dims().to_vec(), data: numbers(hidden_grad) };
    assert_gradient("hidden", &hidden_grad, &fixture["grad.hidden"]);
    assert_head_gradients(&GradientMap::take(&head, "", &mut grads).to_values(), "", &fixture);
}

fn assert_head_gradients(ours: &BTreeMap<String, Values>, prefix: &str, fixture: &BTreeMap<String, Values>) {
    assert_gradient("label_embeddings", &ours[&format!("{prefix}labels")], &fixture["grad.label_embeddings"]);
    assert_gradient("w_b", &ours[&format!("{prefix}hidden.weight")].transposed(), &fixture["grad.w_b"]);
    assert_gradient("w_a", &ours[&format!("{prefix}output.weight")].transposed(), &fixture["grad.w_a"]);
}

#[test]
fn the_chunked_backward_equals_the_whole_one() {
    let HeadCase { fixture, real, hidden, head, targets, .. } = head_case();
    for chunk in [1, 4, 11, 100] {
        let head = Head::Xml(head.clone());
        let (hidden, real, targets) = (hidden.clone(), real.clone(), targets.clone());
        let pass = chunked::loss_and_gradients(&head, hidden, real, targets, chunk, 1.0, true);
        assert_outputs("loss", pass.loss, &fixture["loss"]);
        let gradient = pass.hidden.unwrap();
        let gradient = Values { shape: gradient.dims().to_vec(), data: numbers(gradient) };
        assert_gradient("hidden", &gradient, &fixture["grad.hidden"]);
        let ours = pass.parameters.to_values();
        assert_eq!(ours.len(), 3);
        assert_head_gradients(&ours, "head.Xml.", &fixture);
    }
}

#[test]
fn labels_with_readouts_and_biases_of_their_own_have_the_same_gradients_in_chunks() {
    let HeadCase { device, real, hidden, targets, .. } = head_case();
    let [_, labels] = targets.dims();
    let [_, _, d_model] = hidden.dims();
    for readout in [Readout::Own, Readout::Shared] {
        let options = XmlOptions { readout, bias: true };
        let head = LabelAttention::new(d_model, d_model, labels, options, 0.5, &device);
        let logits = head.forward(hidden.clone(), real.clone(), labels);
        let loss = binary_cross_entropy(logits, targets.clone());
        let whole = GradientMap::take(&head, "head.Xml.", &mut loss.backward()).to_values();
        assert_eq!(whole.len(), if readout == Readout::Own { 3 } else { 4 });
        let pass = chunked::loss_and_gradients(
            &Head::Xml(head),
            hidden.clone(),
            real.clone(),
            targets.clone(),
            4,
            1.0,
            true,
        );
        let chunked = pass.parameters.to_values();
        assert_eq!(whole.keys().collect::<Vec<_>>(), chunked.keys().collect::<Vec<_>>());
        for (path, gradient) in &whole {
            assert!(gradient.data.iter().any(|&value| value != 0.0), "{path} has no gradient");
            assert_gradient(path, &chunked[path], gradient);
        }
    }
}

#[test]
fn the_cls_head_equals_equation_1_and_its_gradients() {
    let HeadCase { device, fixture, hidden, targets, .. } = head_case();
    let [labels, d_model] = fixture["cls.weight"].shape[..] else { panic!() };
    let mut parameters = BTreeMap::from([
        ("classifier.weight".to_owned(), fixture["cls.weight"].transposed()),
        ("classifier.bias".to_owned(), fixture["cls.bias"].clone()),
    ]);
    let head = import(ClsHead::new(d_model, labels, 0.02, &device), &mut parameters).unwrap();
    let logits = head.forward(hidden);
    assert_outputs("logits", logits.clone(), &fixture["cls.logits"]);
    let loss = binary_cross_entropy(logits, targets);
    assert_outputs("loss", loss.clone(), &fixture["cls.loss"]);
    let ours = GradientMap::take(&head, "", &mut loss.backward()).to_values();
    assert_gradient("weight", &ours["classifier.weight"].transposed(), &fixture["cls.grad.weight"]);
    assert_gradient("bias", &ours["classifier.bias"], &fixture["cls.grad.bias"]);
}
