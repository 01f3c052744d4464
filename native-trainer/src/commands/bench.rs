//! `bert-xml bench`: how fast a model of some shape trains and predicts on a device, on random tokens.

use std::time::Instant;

use anyhow::Result;
use bert_xml_core::data::{Purpose, WindowBatch, pad_windows, stream};
use bert_xml_core::model::chunked::loss_and_gradients;
use bert_xml_core::model::gradients::GradientMap;
use bert_xml_core::model::{BertXml, EncoderConfig, HeadKind, Inputs, ModelConfig, Size};
use bert_xml_core::text::SpecialTokens;
use burn::module::Module;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};
use clap::{Args, ValueEnum};
use rand::{Rng, RngExt};
use serde_json::json;

use crate::context::Context;
use crate::progress::Unit;
use crate::train::adamw::{AdamW, OptimizerSettings};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Fine-tuning steps: forward, backward, optimizer
    Train,
    /// Probabilities of all codes
    Infer,
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
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(3..=1024))]
    pub seq: u32,
    /// Rows of a step
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: u32,
    /// Codes
    #[arg(long, default_value_t = 2292, value_parser = clap::value_parser!(u32).range(1..))]
    pub labels: u32,
    /// Labels worked on at a time
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub label_chunk: u32,
    /// Measured steps, after one that is not
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub steps: u32,
}

/// Measures and prints one JSON object: medians over steps, wall time.
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
    let batch = random_batch(context.seed, &config, options);
    let mut progress = context.start("bench", Some(u64::from(options.steps) + 1), Unit::Steps);
    let mut milliseconds = Vec::new();
    let mut bench = Bench::new(&config, options, &device)?;
    for step in 0..=options.steps {
        let start = Instant::now();
        bench.step(&batch);
        if step > 0 {
            milliseconds.push(start.elapsed().as_secs_f64() * 1e3);
        }
        progress.advance(1);
    }
    progress.finish();
    milliseconds.sort_by(f64::total_cmp);
    let median = milliseconds[milliseconds.len() / 2];
    let what = format!("{:?}", options.what).to_lowercase();
    let report = json!({
        "what": what, "device": choice.to_string(), "size": size, "seq": options.seq, "batch": options.batch,
        "labels": options.labels, "label_chunk": options.label_chunk, "steps": options.steps,
        "parameters": bench.parameters(), "ms_per_step_median": median, "ms_per_step_min": milliseconds[0],
        "tokens_per_second": (batch.tokens() as f64 / median * 1e3).round(),
        "threads": std::thread::available_parallelism().map_or(1, usize::from),
        "bert_xml": env!("CARGO_PKG_VERSION"), "debug_assertions": cfg!(debug_assertions),
    });
    println!("{report:#}");
    Ok(())
}

/// Full rows of ordinary tokens.
fn random_batch(seed: u64, config: &ModelConfig, options: &Options) -> WindowBatch {
    let special = SpecialTokens { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 };
    let mut random = stream(seed, Purpose::Order, [0, 0]);
    let mut row = || {
        let content = (2..options.seq).map(|_| random.random_range(5..config.encoder.vocab_size as u32));
        [special.cls].into_iter().chain(content).chain([special.sep]).collect::<Vec<u32>>()
    };
    let rows: Vec<Vec<u32>> = (0..options.batch).map(|_| row()).collect();
    pad_windows(&rows, &special, 1, options.seq as usize)
}

/// A model under measurement.
// There is one: the difference in size is of no account.
#[allow(clippy::large_enum_variant)]
enum Bench<'a> {
    Train {
        model: Option<BertXml>,
        optimizer: AdamW,
        targets: Tensor<2>,
        options: &'a Options,
        device: Device,
    },
    Infer {
        model: BertXml,
        options: &'a Options,
        device: Device,
    },
}

impl<'a> Bench<'a> {
    fn new(config: &ModelConfig, options: &'a Options, device: &Device) -> Result<Self> {
        if options.what == What::Infer {
            return Ok(Self::Infer { model: config.init(device)?, options, device: device.clone() });
        }
        let device = device.clone().autodiff();
        let targets = Tensor::zeros([options.batch as usize, config.labels], &device);
        let optimizer = AdamW::new(OptimizerSettings::default());
        Ok(Self::Train { model: Some(config.init(&device)?), optimizer, targets, options, device })
    }

    fn step(&mut self, batch: &WindowBatch) {
        match self {
            Self::Infer { model, options, device } => {
                let logits = model.forward(&Inputs::new(batch, device), options.label_chunk as usize);
                // Reading waits for the device.
                let _ = sigmoid(logits).into_data();
            }
            Self::Train { model, optimizer, targets, options, device } => {
                let now = model.take().expect("put back below");
                device.seed(stream(0, Purpose::Dropout, [0, 0]).next_u64());
                let inputs = Inputs::new(batch, device);
                let hidden = now.encode(&inputs);
                let chunk = options.label_chunk as usize;
                let pass = loss_and_gradients(
                    &now.head,
                    hidden.clone(),
                    inputs.real,
                    targets.clone(),
                    chunk,
                    1.0,
                    true,
                );
                let objective = pass.encoder_objective(hidden).expect("hidden gradients were asked for");
                let mut gradients = GradientMap::take(&now.encoder, "encoder.", &mut objective.backward());
                gradients.add_all(pass.parameters);
                let (after, norm) = optimizer.step(now, gradients, 1.0);
                let _ = norm.map(Tensor::into_data);
                *model = Some(after);
            }
        }
    }

    fn parameters(&self) -> usize {
        match self {
            Self::Train { model, .. } => model.as_ref().map_or(0, Module::num_params),
            Self::Infer { model, .. } => model.num_params(),
        }
    }
}
