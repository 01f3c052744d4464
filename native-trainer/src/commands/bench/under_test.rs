//! A model under measurement: random tokens, and one step of it with a clock on every part.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Result;
use bert_xml_core::data::{MaskedTokens, Purpose, WindowBatch, mask_tokens, pad_windows, stream};
use bert_xml_core::model::chunked::loss_and_gradients;
use bert_xml_core::model::gradients::GradientMap;
use bert_xml_core::model::pretrain::PretrainModel;
use bert_xml_core::model::{BertXml, EncoderConfig, Inputs, ModelConfig, Products};
use bert_xml_core::text::SpecialTokens;
use burn::module::Module;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};
use rand::{Rng, RngExt};

use super::steps::What;
use crate::train::adamw::{AdamW, OptimizerSettings};
use crate::train::pretrain::pair_losses;

const SPECIAL: SpecialTokens = SpecialTokens { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 };

/// Full rows of ordinary tokens.
pub(super) fn random_batch(seed: u64, encoder: &EncoderConfig, rows: usize, seq: usize) -> WindowBatch {
    let mut random = stream(seed, Purpose::Order, [0, 0]);
    let mut row = || {
        let content = (2..seq).map(|_| random.random_range(5..encoder.vocab_size as u32));
        [SPECIAL.cls].into_iter().chain(content).chain([SPECIAL.sep]).collect::<Vec<u32>>()
    };
    let rows: Vec<Vec<u32>> = (0..rows).map(|_| row()).collect();
    pad_windows(&rows, &SPECIAL, 1, seq)
}

/// Makes pairs of segments of the rows, every other one a true one, and masks tokens.
fn as_pairs(seed: u64, encoder: &EncoderConfig, batch: &mut WindowBatch) -> (MaskedTokens, Vec<bool>) {
    let seq = batch.seq;
    for row in 0..batch.batch {
        let (middle, end) = (row * seq + seq / 2, (row + 1) * seq);
        batch.ids[middle - 1] = SPECIAL.sep;
        batch.real[middle - 1] = false;
        batch.segments[middle..end].fill(1);
    }
    let mut random = stream(seed, Purpose::Masking, [0, 0]);
    let masked = mask_tokens(batch, &SPECIAL, encoder.vocab_size, &mut random);
    (masked, (0..batch.batch).map(|row| row % 2 == 0).collect())
}

/// Milliseconds of a step's parts. Where they are asked for, the device is waited for at the end of each; else nothing
/// is measured, and nothing waits.
pub(super) struct Parts {
    device: Device,
    last: Option<Instant>,
    milliseconds: BTreeMap<&'static str, f64>,
}

impl Parts {
    fn start(device: &Device, measured: bool) -> Self {
        let last = measured.then(|| {
            wait(device);
            Instant::now()
        });
        Self { device: device.clone(), last, milliseconds: BTreeMap::new() }
    }

    fn done(&mut self, part: &'static str) {
        if let Some(last) = &mut self.last {
            wait(&self.device);
            let now = Instant::now();
            *self.milliseconds.entry(part).or_default() += (now - *last).as_secs_f64() * 1e3;
            *last = now;
        }
    }
}

/// Until the device has done all that it was told.
fn wait(device: &Device) {
    device.sync().expect("a device that fails has failed the step");
}

/// A model under measurement, and what every step of it reads.
pub(super) struct Bench {
    model: Model,
    optimizer: AdamW,
    batch: WindowBatch,
    label_chunk: usize,
    seed: u64,
    device: Device,
}

// There is one: the difference in size is of no account.
#[allow(clippy::large_enum_variant)]
enum Model {
    /// The model is away while a step works on it.
    Pretrain {
        model: Option<PretrainModel>,
        masked: MaskedTokens,
        follows: Vec<bool>,
    },
    Finetune {
        model: Option<BertXml>,
        targets: Tensor<2>,
    },
    Predict(BertXml),
}

impl Bench {
    pub fn new(
        seed: u64,
        config: &ModelConfig,
        what: What,
        products: Products,
        label_chunk: usize,
        mut batch: WindowBatch,
        device: &Device,
    ) -> Result<Self> {
        let device = match what {
            What::Predict => device.clone(),
            What::Pretrain | What::Finetune => device.clone().autodiff(),
        };
        device.seed(stream(seed, Purpose::Weights, [0, 0]).next_u64());
        let model = match what {
            What::Pretrain => {
                let (masked, follows) = as_pairs(seed, &config.encoder, &mut batch);
                let model = PretrainModel::new(&config.encoder, &device)?.with_products(products);
                Model::Pretrain { model: Some(model), masked, follows }
            }
            What::Finetune => {
                let targets = Tensor::zeros([batch.batch, config.labels], &device);
                Model::Finetune { model: Some(config.init(&device)?.with_products(products)), targets }
            }
            What::Predict => Model::Predict(config.init(&device)?.with_products(products)),
        };
        let optimizer = AdamW::new(OptimizerSettings::default());
        Ok(Self { model, optimizer, batch, label_chunk, seed, device })
    }

    /// One step, and the device waited for at its end.
    pub fn step(&mut self) {
        self.step_with(false);
    }

    /// One step and the milliseconds of its parts, with the device waited for after each.
    pub fn step_by_part(&mut self) -> BTreeMap<&'static str, f64> {
        self.step_with(true)
    }

    fn step_with(&mut self, measured: bool) -> BTreeMap<&'static str, f64> {
        let mut parts = Parts::start(&self.device, measured);
        let inputs = Inputs::new(&self.batch, &self.device);
        let chunk = self.label_chunk;
        self.device.seed(stream(self.seed, Purpose::Dropout, [0, 0]).next_u64());
        parts.done("data");
        match &mut self.model {
            Model::Predict(model) => {
                let hidden = model.encode(&inputs);
                parts.done("encoder");
                let probabilities = sigmoid(model.head.forward(hidden, inputs.real, chunk));
                parts.done("labels");
                let _ = probabilities.into_data();
                parts.done("read");
            }
            Model::Finetune { model, targets } => {
                let now = model.take().expect("put back below");
                let (hidden, real) = (now.encode(&inputs), inputs.real);
                parts.done("forward");
                let pass =
                    loss_and_gradients(&now.head, hidden.clone(), real, targets.clone(), chunk, 1.0, true);
                parts.done("labels");
                let objective = pass.encoder_objective(hidden).expect("hidden gradients were asked for");
                let mut gradients = GradientMap::take(&now.encoder, "encoder.", &mut objective.backward());
                gradients.add_all(pass.parameters);
                parts.done("backward");
                *model = Some(self.optimizer.step(now, gradients, 1.0).0);
                parts.done("optimizer");
            }
            Model::Pretrain { model, masked, follows } => {
                let now = model.take().expect("put back below");
                let (mlm, nsp) = pair_losses(&now, inputs, follows, masked, &self.device);
                let loss = mlm + nsp;
                parts.done("forward");
                let gradients = GradientMap::take(&now, "", &mut loss.backward());
                parts.done("backward");
                *model = Some(self.optimizer.step(now, gradients, 1.0).0);
                parts.done("optimizer");
            }
        }
        wait(&self.device);
        parts.milliseconds
    }

    /// Tokens that the decoder sees.
    pub fn masked(&self) -> usize {
        match &self.model {
            Model::Pretrain { masked, .. } => masked.positions.len(),
            Model::Finetune { .. } | Model::Predict(_) => 0,
        }
    }

    pub fn parameters(&self) -> usize {
        match &self.model {
            Model::Pretrain { model, .. } => model.as_ref().map_or(0, Module::num_params),
            Model::Finetune { model, .. } => model.as_ref().map_or(0, Module::num_params),
            Model::Predict(model) => model.num_params(),
        }
    }
}

#[cfg(test)]
mod tests {
    use bert_xml_core::model::Size;

    use super::*;

    #[test]
    fn a_pretraining_row_is_a_pair_of_segments() {
        let encoder = EncoderConfig::of_size(Size::Tiny);
        let mut batch = random_batch(1, &encoder, 2, 10);
        let (masked, follows) = as_pairs(1, &encoder, &mut batch);
        assert_eq!(batch.segments, [[0, 0, 0, 0, 0, 1, 1, 1, 1, 1]; 2].as_flattened());
        for row in batch.ids.chunks(10) {
            assert_eq!((row[0], row[4], row[9]), (SPECIAL.cls, SPECIAL.sep, SPECIAL.sep));
        }
        // 15 % of 7 tokens, rounded, a row.
        assert_eq!((masked.positions.len(), follows), (2, vec![true, false]));
    }
}
