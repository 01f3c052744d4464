//! Steps of pretraining, fine-tuning and prediction on a device, on random tokens.

use std::io::{Write, stdout};
use std::time::Instant;

use anyhow::Result;
use bert_xml_core::data::{MaskedTokens, Purpose, WindowBatch, mask_tokens, pad_windows, stream};
use bert_xml_core::model::chunked::loss_and_gradients;
use bert_xml_core::model::gradients::GradientMap;
use bert_xml_core::model::pretrain::PretrainModel;
use bert_xml_core::model::{BertXml, EncoderConfig, HeadKind, Inputs, ModelConfig};
use bert_xml_core::text::SpecialTokens;
use burn::module::Module;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};
use clap::Args;
use rand::{Rng, RngExt};
use serde_json::json;

use super::peer::Peer;
use super::{SizeWord, median, summary, word};
use crate::context::Context;
use crate::progress::Unit;
use crate::train::adamw::{AdamW, OptimizerSettings};
use crate::train::memory::peak_resident_bytes;
use crate::train::pretrain::pair_losses;

/// Which step is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Forward with both losses, backward, optimizer.
    Pretrain,
    /// Forward, backward, optimizer, with the label-attention head.
    Finetune,
    /// Probabilities of all codes.
    Predict,
}

impl What {
    fn word(self) -> &'static str {
        match self {
            Self::Pretrain => "pretrain",
            Self::Finetune => "finetune",
            Self::Predict => "predict",
        }
    }
}

/// Options of these three.
#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    /// Encoder size
    #[arg(long, value_enum, default_value_t = SizeWord::Mini)]
    size: SizeWord,
    /// Tokens a row, special ones included
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(5..=1024))]
    seq: u32,
    /// Rows of a step
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Codes; pretraining has none
    #[arg(long, default_value_t = 2292, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    labels: u32,
    /// Labels worked on at a time
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    label_chunk: u32,
    /// Measured steps, after one that is not
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Command of another program, measured in turn; its protocol stands in native-trainer/bench/torch_peer.py
    #[arg(long, value_name = "COMMAND")]
    peer: Option<String>,
}

impl Options {
    /// The call with every option, defaults too.
    fn call(&self, what: What) -> String {
        let Self { size, seq, batch, labels, label_chunk, steps, peer } = self;
        let (what, size) = (what.word(), word(size));
        let peer = peer.as_ref().map(|peer| format!(" --peer \"{peer}\"")).unwrap_or_default();
        format!(
            "bench {what} --size {size} --seq {seq} --batch {batch} --labels {labels} \
             --label-chunk {label_chunk} --steps {steps}{peer}"
        )
    }

    /// Starts the peer, if there is one, on the same shapes.
    fn start_peer(&self, what: What) -> Result<Option<Peer>> {
        let Some(command) = &self.peer else { return Ok(None) };
        let (size, threads) = (word(&self.size), rayon::current_num_threads() as u32);
        let [seq, batch, labels, threads] =
            [self.seq, self.batch, self.labels, threads].map(|value| value.to_string());
        let shapes = ["--size", &size, "--seq", &seq, "--batch", &batch, "--labels", &labels];
        let peer =
            Peer::start(command, &[&["--what", what.word(), "--threads", &threads], &shapes[..]].concat());
        peer.map(Some)
    }
}

/// Measures and prints one JSON object: what was called and where, parameters, wall time a step, tokens a
/// second, memory.
///
/// # Errors
/// A device that is missing.
pub(super) fn run(context: &Context, what: What, options: &Options) -> Result<()> {
    let (device, choice) = context.device.open()?;
    let config =
        ModelConfig::new(EncoderConfig::of_size(options.size.into()), HeadKind::Xml, options.labels as usize);
    let batch = random_batch(context.seed, &config.encoder, options);
    let tokens = batch.tokens();
    let mut progress = context.start("bench", Some(u64::from(options.steps) + 1), Unit::Steps);
    let mut milliseconds = Vec::new();
    let (mut peer, mut theirs) = (options.start_peer(what)?, Vec::new());
    let mut bench = Bench::new(context.seed, &config, what, options.label_chunk as usize, batch, &device)?;
    for step in 0..=options.steps {
        let start = Instant::now();
        bench.step();
        let ours = start.elapsed().as_secs_f64() * 1e3;
        let answer = peer.as_mut().map(|peer| peer.time("step")).transpose()?;
        if step > 0 {
            milliseconds.push(ours);
            theirs.extend(answer.map(|[wall, _]| wall));
        }
        progress.advance(1);
    }
    progress.finish();
    let ms_per_step = summary(&mut milliseconds);
    let peer = (!theirs.is_empty()).then(|| {
        let their_ms = summary(&mut theirs);
        json!({"ms_per_step": their_ms, "ratio": median(&milliseconds) / median(&theirs)})
    });
    let report = json!({
        "bert_xml": env!("CARGO_PKG_VERSION"),
        "command": format!("bert-xml --device {choice} --seed {} {}", context.seed, options.call(what)),
        "device": choice.to_string(),
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
        "threads": std::thread::available_parallelism().map_or(1, usize::from),
        "debug_assertions": cfg!(debug_assertions),
        "what": what.word(),
        "parameters": bench.parameters(),
        "tokens_per_step": tokens,
        "ms_per_step": ms_per_step,
        "load": sysinfo::System::load_average().one,
        "tokens_per_second": (tokens as f64 / median(&milliseconds) * 1e3).round(),
        "peak_resident_bytes": peak_resident_bytes(),
        "peer": peer,
    });
    writeln!(stdout(), "{report:#}")?;
    Ok(())
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
        what: What,
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
        Ok(Self { model, optimizer, batch, label_chunk, seed, device })
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
    use bert_xml_core::model::Size;

    use super::*;

    #[test]
    fn a_pretraining_row_is_a_pair_of_segments() {
        let options = Options {
            size: SizeWord::Tiny,
            seq: 10,
            batch: 2,
            labels: 1,
            label_chunk: 1,
            steps: 1,
            peer: None,
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
            options.call(What::Pretrain).starts_with("bench pretrain --size tiny --seq 10 --batch 2"),
            "{options:?}"
        );
    }
}
