//! The same model and the same rows on the CPU in f32 and on a device: outputs, losses and gradients side by side.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use bert_xml_core::data::{Purpose, WindowBatch, mask_tokens, pad_windows, stream};
use bert_xml_core::model::chunked::loss_and_gradients;
use bert_xml_core::model::gradients::GradientMap;
use bert_xml_core::model::hf_folder::HfBert;
use bert_xml_core::model::parameters::{Values, export, import};
use bert_xml_core::model::pretrain::PretrainModel;
use bert_xml_core::model::{EncoderConfig, Head, HeadKind, Inputs, ModelConfig, Products};
use bert_xml_core::text::SpecialTokens;
use burn::tensor::{DType, Device, Tensor, TensorData};
use clap::Args;
use rand::{Rng, RngExt};
use serde_json::json;

use super::{SizeWord, cards, word};
use crate::context::Context;
use crate::error::hinted;
use crate::files::check_file_place;
use crate::prediction::output::write_result;
use crate::train::precision::{Precision, check_precision};
use crate::train::pretrain::pair_losses;

/// Largest error of the encoder's gradients in f32. burn computes the derivative of GELU's approximation by tanh on
/// cards, and that of GELU itself on the CPU: that alone is 3e-4.
const THROUGH_GELU: f64 = 1e-3;
/// Labels of the head, drawn at random.
const LABELS: usize = 37;
/// Labels worked on at a time.
const CHUNK: usize = 16;

/// Options of `bench parity`.
#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    /// A BERT checkpoint in Hugging Face's format; else random weights of --size
    #[arg(long, value_name = "HF_DIR")]
    encoder: Option<PathBuf>,
    /// Encoder size of random weights
    #[arg(long, value_enum, default_value_t = SizeWord::Tiny)]
    size: SizeWord,
    /// Numbers that matrix products take on the device; on the CPU it is f32
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    precision: Precision,
    /// Largest error, of all numbers of an output together and relative to them [default: 1e-4 in f32, with 1e-3 for
    /// the encoder's gradients; 2e-2 in bf16]
    #[arg(long)]
    tolerance: Option<f64>,
    /// File of the JSON object, or - for standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    json: PathBuf,
}

/// Computes both sides and writes one JSON object of the errors.
///
/// # Errors
/// A device that is missing; an error beyond the tolerance, after the object is written.
pub(super) fn run(context: &Context, options: &Options) -> Result<()> {
    check_file_place(&options.json)?;
    let (device, choice) = context.device.open()?;
    let products: Products = options.precision.into();
    check_precision(products, &device, choice)?;
    let cpu = Device::flex().autodiff();
    cpu.seed(stream(context.seed, Purpose::Weights, [0, 0]).next_u64());
    let (config, model) = match &options.encoder {
        Some(folder) => {
            let mut found = HfBert::read(folder)?;
            found.config = without_dropout(found.config);
            (found.config.clone(), found.into_pretrain(&cpu)?.0)
        }
        None => {
            let config = without_dropout(EncoderConfig::of_size(options.size.into()));
            (config.clone(), PretrainModel::new(&config, &cpu)?)
        }
    };
    let head = ModelConfig::new(config.clone(), HeadKind::Xml, LABELS).init_head(&cpu);
    let side = Side { weights: export(&model), head: export(&head), config, seed: context.seed };
    let expected = side.outputs(&cpu, Products::F32)?;
    let found = side.outputs(&device.clone().autodiff(), products)?;
    let errors: BTreeMap<&str, f64> =
        expected.iter().map(|(name, values)| (*name, relative_error(&found[name], values))).collect();
    let (tolerance, of_gradients) = match (options.tolerance, products) {
        (Some(tolerance), _) => (tolerance, tolerance),
        (None, Products::F32) => (1e-4, THROUGH_GELU),
        (None, Products::Bf16) => (2e-2, 2e-2),
    };
    let allowed = |output: &str| if output == "gradients" { of_gradients } else { tolerance };
    let within = |name: &str, error: f64| error.is_finite() && error <= allowed(name);
    let beyond: Vec<&str> =
        errors.iter().filter(|(name, error)| !within(name, **error)).map(|(name, _)| *name).collect();
    let report = json!({
        "bert_xml": env!("CARGO_PKG_VERSION"),
        "device": choice.to_string(),
        "card": cards::name(&device),
        "precision": word(&options.precision),
        "relative_errors": errors,
        "tolerance": tolerance,
        "tolerance_of_gradients": of_gradients,
        "passed": beyond.is_empty(),
    });
    write_result(&options.json, format!("{report:#}\n").as_bytes())?;
    if beyond.is_empty() {
        return Ok(());
    }
    Err(hinted(
        format!("{choice} differs from the CPU by more than {tolerance}: {}", beyond.join(", ")),
        "do not train on it before you know why: products in fewer bits than asked for, or a faulty driver",
    ))
}

fn without_dropout(config: EncoderConfig) -> EncoderConfig {
    EncoderConfig { hidden_dropout_prob: 0.0, attention_probs_dropout_prob: 0.0, ..config }
}

/// ‖found − expected‖ / ‖expected‖; not a number where `found` has one that is none.
fn relative_error(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len(), "both sides have the same shapes");
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let difference = norm(&mut found.iter().zip(expected).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    difference / norm(&mut expected.iter().map(|value| f64::from(*value))).max(f64::MIN_POSITIVE)
}

/// What both sides start from.
struct Side {
    config: EncoderConfig,
    weights: BTreeMap<String, Values>,
    head: BTreeMap<String, Values>,
    seed: u64,
}

impl Side {
    /// Every output by name.
    fn outputs(&self, device: &Device, products: Products) -> Result<BTreeMap<&'static str, Vec<f32>>> {
        let fresh = PretrainModel::new(&self.config, device)?;
        let model = import(fresh, &mut self.weights.clone())?.with_products(products);
        let mut head = ModelConfig::new(self.config.clone(), HeadKind::Xml, LABELS).init_head(device);
        head = import(head, &mut self.head.clone())?;
        if let Head::Xml(xml) = &mut head {
            xml.products = products;
        }
        let vocab = self.config.vocab_size;
        ensure!(vocab > 5, "a vocabulary of {vocab} has no ordinary word piece");
        let special = SpecialTokens { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 };
        let mut batch = rows(self.seed, vocab, self.config.max_position_embeddings.min(96), &special);
        let masked =
            mask_tokens(&mut batch, &special, vocab, &mut stream(self.seed, Purpose::Masking, [0, 0]));
        let follows: Vec<bool> = (0..batch.batch).map(|row| row % 2 == 0).collect();

        let hidden = model.encoder.forward(
            Inputs::new(&batch, device).ids,
            Inputs::new(&batch, device).segments,
            Inputs::new(&batch, device).keep,
        );
        let (mlm, nsp) = pair_losses(&model, Inputs::new(&batch, device), &follows, &masked, device);
        let losses = Tensor::cat(vec![mlm.clone(), nsp.clone()], 0);
        let gradients = GradientMap::take(&model, "", &mut (mlm + nsp).backward());

        let targets: Vec<f32> =
            (0..batch.batch * LABELS).map(|at| f32::from(u8::from(at % 7 == 0))).collect();
        let targets = Tensor::<2>::from_data(TensorData::new(targets, [batch.batch, LABELS]), device);
        let real = Inputs::new(&batch, device).real;
        let logits = head.forward(hidden.clone(), real.clone(), CHUNK);
        let pass = loss_and_gradients(&head, hidden.clone(), real, targets, CHUNK, 1.0, true);
        let to_hidden = pass.hidden.clone().expect("asked for");
        Ok(BTreeMap::from([
            ("hidden_states", kept(hidden.inner(), &batch)),
            ("losses", numbers(losses.inner())),
            ("gradients", all_of(&gradients)),
            ("label_logits", numbers(logits.inner())),
            ("label_loss", numbers(pass.loss)),
            ("label_gradients", all_of(&pass.parameters)),
            ("gradient_at_hidden_states", kept(to_hidden, &batch)),
        ]))
    }
}

/// Rows of different lengths, padded.
fn rows(seed: u64, vocab: usize, longest: usize, special: &SpecialTokens) -> WindowBatch {
    let mut random = stream(seed, Purpose::Order, [0, 0]);
    let mut row = |length: usize| {
        let content = (2..length).map(|_| random.random_range(5..vocab as u32));
        [special.cls].into_iter().chain(content).chain([special.sep]).collect::<Vec<u32>>()
    };
    let lengths = [longest, longest * 3 / 4, longest / 2, 4.min(longest)];
    pad_windows(&lengths.map(&mut row), special, 8, longest)
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.cast(DType::F32).into_data().try_to_vec().expect("cast to f32")
}

/// Those of tokens that are not padding.
fn kept(states: Tensor<3>, batch: &WindowBatch) -> Vec<f32> {
    let [_, _, d_model] = states.dims();
    let all = numbers(states);
    let rows = all.chunks_exact(d_model).zip(&batch.keep);
    rows.filter(|(_, keep)| **keep).flat_map(|(row, _)| row.iter().copied()).collect()
}

/// All gradients end to end, in the order of their paths.
fn all_of(gradients: &GradientMap) -> Vec<f32> {
    gradients.to_values().into_values().flat_map(|values| values.data).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_relative_to_all_numbers_together_and_nan_is_none() {
        assert_eq!(relative_error(&[3.0, 4.0], &[3.0, 4.0]), 0.0);
        assert!((relative_error(&[3.0, 4.5], &[3.0, 4.0]) - 0.1).abs() < 1e-12);
        assert!(relative_error(&[f32::NAN], &[1.0]).is_nan());
    }
}
