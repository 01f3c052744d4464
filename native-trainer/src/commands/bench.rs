//! `bert-xml bench`: how fast a model of some shape pretrains, fine-tunes and predicts on a device, on random
//! tokens, and the memory that it takes.

use std::fmt;
use std::time::Instant;

use anyhow::Result;
use bert_xml_core::data::{MaskedTokens, Purpose, WindowBatch, mask_tokens, pad_windows, stream};
use bert_xml_core::model::chunked::loss_and_gradients;
use bert_xml_core::model::gradients::GradientMap;
use bert_xml_core::model::pretrain::PretrainModel;
use bert_xml_core::model::{BertXml, EncoderConfig, HeadKind, Inputs, ModelConfig, Size};
use bert_xml_core::text::SpecialTokens;
use burn::module::Module;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};
use clap::{Args, ValueEnum};
use rand::{Rng, RngExt};
use serde_json::{Value, json};

use crate::context::Context;
use crate::progress::Unit;
use crate::train::adamw::{AdamW, OptimizerSettings};
use crate::train::memory::peak_resident_bytes;
use crate::train::pretrain::pair_losses;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Pretraining steps: forward with both losses, backward, optimizer
    Pretrain,
    /// Fine-tuning steps with the label-attention head: forward, backward, optimizer
    Finetune,
    /// Probabilities of all codes
    Predict,
}

/// Encoder sizes as words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SizeWord {
    /// 128 hidden, 2 layers
    Tiny,
    /// 256 hidden, 4 layers
    Mini,
    /// 512 hidden, 8 layers
    Small,
    /// 768 hidden, 12 layers
    Big,
}

/// Options of `bench`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// What is measured
    #[arg(value_enum)]
    pub what: What,
    /// Encoder size
    #[arg(long, value_enum, default_value_t = SizeWord::Mini)]
    pub size: SizeWord,
    /// Tokens a row, special ones included
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(5..=1024))]
    pub seq: u32,
    /// Rows of a step
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: u32,
    /// Codes; pretraining has none
    #[arg(long, default_value_t = 2292, value_parser = clap::value_parser!(u32).range(1..))]
    pub labels: u32,
    /// Labels worked on at a time
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub label_chunk: u32,
    /// Measured steps, after one that is not
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub steps: u32,
}

impl fmt::Display for Options {
    /// The call with every option, defaults too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seq, batch, labels, label_chunk, steps, .. } = self;
        let (what, size) = (word(&self.what), word(&self.size));
        write!(f, "bench {what} --size {size} --seq {seq} --batch {batch} --labels {labels} ")?;
        write!(f, "--label-chunk {label_chunk} --steps {steps}")
    }
}

fn word(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Measures and prints one JSON object: what was called and where, parameters, wall time a step, tokens a
/// second, memory.
///
/// # Errors
/// A device that is missing.
pub fn run(context: &Context, options: &Options) -> Result<()> {
    let (device, choice) = context.device.open()?;
    let size = match options.size {
        SizeWord::Tiny => Size::Tiny,
        SizeWord::Mini => Size::Mini,
        SizeWord::Small => Size::Small,
        SizeWord::Big => Size::Big,
    };
    let config = ModelConfig::new(EncoderConfig::of_size(size), HeadKind::Xml, options.labels as usize);
    let batch = random_batch(context.seed, &config.encoder, options);
    let tokens = batch.tokens();
    let mut progress = context.start("bench", Some(u64::from(options.steps) + 1), Unit::Steps);
    let mut milliseconds = Vec::new();
    let mut bench = Bench::new(context.seed, &config, options, batch, &device)?;
    for step in 0..=options.steps {
        let start = Instant::now();
        bench.step();
        if step > 0 {
            milliseconds.push(start.elapsed().as_secs_f64() * 1e3);
        }
        progress.advance(1);
    }
    progress.finish();
    let report = json!({
        "bert_xml": env!("CARGO_PKG_VERSION"),
        "command": format!("bert-xml --device {choice} --seed {} {options}", context.seed),
        "device": choice.to_string(),
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
        "threads": std::thread::available_parallelism().map_or(1, usize::from),
        "debug_assertions": cfg!(debug_assertions),
        "what": word(&options.what),
        "parameters": bench.parameters(),
        "tokens_per_step": tokens,
        "ms_per_step": summary(&mut milliseconds),
        "tokens_per_second": (tokens as f64 / median(&milliseconds) * 1e3).round(),
        "peak_resident_bytes": peak_resident_bytes(),
    });
    println!("{report:#}");
    Ok(())
}

/// Sorts the times and sums them up.
fn summary(milliseconds: &mut [f64]) -> Value {
    milliseconds.sort_by(f64::total_cmp);
    json!({"median": median(milliseconds), "min": milliseconds.first(), "max": milliseconds.last()})
}

/// The value in the middle of sorted ones, the mean of both where there are two.
fn median(sorted: &[f64]) -> f64 {
    (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0
}

const SPECIAL: SpecialTokens = SpecialTokens { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 };

/// Full rows of ordinary tokens.
fn random_batch(seed: u64, encoder: &EncoderConfig, options: &Options) -> WindowBatch {
    let mut random = stream(seed, Purpose::Order, [0, 0]);
    let mut row = || {
        let content = (2..options.seq).map(|_| random.random_range(5..encoder.vocab_size as u32));
        [SPECIAL.cls].into_iter().chain(content).chain([SPECIAL.sep]).collect::<Vec<u32>>()
    };
    let rows: Vec<Vec<u32>> = (0..options.batch).map(|_| row()).collect();
    pad_windows(&rows, &SPECIAL, 1, options.seq as usize)
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

/// A model under measurement, and what every step of it reads.
struct Bench {
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
    fn new(
        seed: u64,
        config: &ModelConfig,
        options: &Options,
        mut batch: WindowBatch,
        device: &Device,
    ) -> Result<Self> {
        let device = match options.what {
            What::Predict => device.clone(),
            What::Pretrain | What::Finetune => device.clone().autodiff(),
        };
        device.seed(stream(seed, Purpose::Weights, [0, 0]).next_u64());
        let model = match options.what {
            What::Pretrain => {
                let (masked, follows) = as_pairs(seed, &config.encoder, &mut batch);
                Model::Pretrain {
                    model: Some(PretrainModel::new(&config.encoder, &device)?),
                    masked,
                    follows,
                }
            }
            What::Finetune => {
                let targets = Tensor::zeros([batch.batch, config.labels], &device);
                Model::Finetune { model: Some(config.init(&device)?), targets }
            }
            What::Predict => Model::Predict(config.init(&device)?),
        };
        let optimizer = AdamW::new(OptimizerSettings::default());
        Ok(Self { model, optimizer, batch, label_chunk: options.label_chunk as usize, seed, device })
    }

    /// One step; what is read from the device at its end waits for the device.
    fn step(&mut self) {
        let inputs = Inputs::new(&self.batch, &self.device);
        let chunk = self.label_chunk;
        self.device.seed(stream(self.seed, Purpose::Dropout, [0, 0]).next_u64());
        match &mut self.model {
            Model::Predict(model) => {
                let _ = sigmoid(model.forward(&inputs, chunk)).into_data();
            }
            Model::Finetune { model, targets } => {
                let now = model.take().expect("put back below");
                let (hidden, real) = (now.encode(&inputs), inputs.real);
                let pass =
                    loss_and_gradients(&now.head, hidden.clone(), real, targets.clone(), chunk, 1.0, true);
                let objective = pass.encoder_objective(hidden).expect("hidden gradients were asked for");
                let mut gradients = GradientMap::take(&now.encoder, "encoder.", &mut objective.backward());
                gradients.add_all(pass.parameters);
                let (after, norm) = self.optimizer.step(now, gradients, 1.0);
                let _ = norm.map(Tensor::into_data);
                *model = Some(after);
            }
            Model::Pretrain { model, masked, follows } => {
                let now = model.take().expect("put back below");
                let (mlm, nsp) = pair_losses(&now, inputs, follows, masked, &self.device);
                let gradients = GradientMap::take(&now, "", &mut (mlm + nsp).backward());
                let (after, norm) = self.optimizer.step(now, gradients, 1.0);
                let _ = norm.map(Tensor::into_data);
                *model = Some(after);
            }
        }
    }

    fn parameters(&self) -> usize {
        match &self.model {
            Model::Pretrain { model, .. } => model.as_ref().map_or(0, Module::num_params),
            Model::Finetune { model, .. } => model.as_ref().map_or(0, Module::num_params),
            Model::Predict(model) => model.num_params(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_summed_up_by_their_median() {
        assert_eq!(summary(&mut [4.0, 1.0, 9.0]), json!({"median": 4.0, "min": 1.0, "max": 9.0}));
        assert_eq!(summary(&mut [4.0, 1.0]), json!({"median": 2.5, "min": 1.0, "max": 4.0}));
    }

    #[test]
    fn a_pretraining_row_is_a_pair_of_segments() {
        let options = Options {
            what: What::Pretrain,
            size: SizeWord::Tiny,
            seq: 10,
            batch: 2,
            labels: 1,
            label_chunk: 1,
            steps: 1,
        };
        let encoder = EncoderConfig::of_size(Size::Tiny);
        let mut batch = random_batch(1, &encoder, &options);
        let (masked, follows) = as_pairs(1, &encoder, &mut batch);
        assert_eq!(batch.segments, [[0, 0, 0, 0, 0, 1, 1, 1, 1, 1]; 2].as_flattened());
        for row in batch.ids.chunks(10) {
            assert_eq!((row[0], row[4], row[9]), (SPECIAL.cls, SPECIAL.sep, SPECIAL.sep));
        }
        // 15 % of 7 tokens, rounded, a row.
        assert_eq!((masked.positions.len(), follows), (2, vec![true, false]));
        assert!(
            options.to_string().starts_with("bench pretrain --size tiny --seq 10 --batch 2"),
            "{options}"
        );
    }
}
