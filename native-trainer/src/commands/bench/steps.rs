//! Steps of pretraining, fine-tuning and prediction on a device, on full rows of random tokens.

use std::collections::BTreeMap;
use std::io::{Write, stdout};
use std::time::Instant;

use anyhow::Result;
use bert_xml_core::model::{EncoderConfig, HeadKind, ModelConfig, Products};
use burn::tensor::Device;
use clap::Args;
use serde_json::{Value, json};

use super::flops::Flops;
use super::peer::Peer;
use super::under_test::{Bench, random_batch};
use super::{SizeWord, cards, median, summary, word};
use crate::context::Context;
use crate::device::DeviceChoice;
use crate::progress::{Progress, Unit};
use crate::train::memory::peak_resident_bytes;
use crate::train::precision::{Precision, check_precision};

/// Steps whose parts are measured.
const STEPS_BY_PART: u32 = 3;

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
    /// Tokens a row, special ones included; of several, each is measured and the cost of their rows compared
    #[arg(
        long,
        value_name = "TOKENS,…",
        value_delimiter = ',',
        default_value = "128",
        value_parser = clap::value_parser!(u32).range(5..=1024)
    )]
    seq: Vec<u32>,
    /// Rows of a step
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Codes; pretraining has none
    #[arg(long, default_value_t = 2292, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    labels: u32,
    /// Labels worked on at a time
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    label_chunk: u32,
    /// Numbers that matrix products take
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    precision: Precision,
    /// Dropout of attention weights; 0 as in the recipe `fast`
    #[arg(long, default_value_t = 0.1, value_name = "SHARE")]
    attention_dropout: f64,
    /// Measured steps, after one that is not
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// The device's peak in TFLOP/s, for the share of it that is reached; known for many cards by name
    #[arg(long, value_name = "TFLOPS")]
    peak_tflops: Option<f64>,
    /// Command of another program, measured in turn; repeatable. Its protocol stands in native-trainer/bench/torch_peer.py
    #[arg(long, value_name = "COMMAND")]
    peer: Vec<String>,
}

impl Options {
    /// The call with every option, defaults too.
    fn call(&self, what: What) -> String {
        let Self { size, seq, batch, labels, label_chunk, precision, attention_dropout, steps, .. } = self;
        let seq: Vec<String> = seq.iter().map(u32::to_string).collect();
        let (what, size, seq, precision) = (what.word(), word(size), seq.join(","), word(precision));
        let peak = self.peak_tflops.map(|peak| format!(" --peak-tflops {peak}")).unwrap_or_default();
        let peers: String = self.peer.iter().map(|peer| format!(" --peer \"{peer}\"")).collect();
        format!(
            "bench {what} --size {size} --seq {seq} --batch {batch} --labels {labels} \
             --label-chunk {label_chunk} --precision {precision} --attention-dropout {attention_dropout} \
             --steps {steps}{peak}{peers}"
        )
    }

    fn config(&self) -> ModelConfig {
        let encoder = EncoderConfig {
            attention_probs_dropout_prob: self.attention_dropout,
            ..EncoderConfig::of_size(self.size.into())
        };
        ModelConfig::new(encoder, HeadKind::Xml, self.labels as usize)
    }

    /// Starts the peers on the same shapes.
    fn start_peers(&self, what: What, seq: u32, choice: DeviceChoice) -> Result<Vec<Peer>> {
        let threads = rayon::current_num_threads() as u32;
        let [seq, batch, labels, threads] =
            [seq, self.batch, self.labels, threads].map(|value| value.to_string());
        let (size, precision, dropout) =
            (word(&self.size), word(&self.precision), self.attention_dropout.to_string());
        let device = if matches!(choice, DeviceChoice::Cuda(_)) { "cuda" } else { "cpu" };
        let shapes = [
            ["--what", what.word()],
            ["--device", device],
            ["--threads", &threads],
            ["--precision", &precision],
            ["--attention-dropout", &dropout],
            ["--size", &size],
            ["--seq", &seq],
            ["--batch", &batch],
            ["--labels", &labels],
        ];
        self.peer.iter().map(|command| Peer::start(command, shapes.as_flattened())).collect()
    }
}

/// Measures and prints one JSON object: what was called and where, parameters, and for each length of rows wall time a
/// step and by part, tokens a second, memory, operations and the share of the device's peak.
///
/// # Errors
/// A device that is missing, or does not have the precision.
pub(super) fn run(context: &Context, what: What, options: &Options) -> Result<()> {
    let (device, choice) = context.device.open()?;
    let products: Products = options.precision.into();
    check_precision(products, &device, choice)?;
    options.config().validate()?;
    let card = cards::name(&device);
    let known = card.as_deref().and_then(|card| cards::peak_tflops(card, products));
    let peak = options.peak_tflops.or(known);
    let steps = u64::from(options.steps + 1 + STEPS_BY_PART);
    let mut progress = context.start("bench", Some(steps * options.seq.len() as u64), Unit::Steps);
    let (mut lengths, mut parameters) = (Vec::new(), 0);
    for &seq in &options.seq {
        let place = (&device, choice);
        let (measured, count) = measure(context.seed, what, options, seq, place, peak, &mut progress)?;
        lengths.push(measured);
        parameters = count;
    }
    progress.finish();
    let report = json!({
        "bert_xml": env!("CARGO_PKG_VERSION"),
        "command": format!("bert-xml --device {choice} --seed {} {}", context.seed, options.call(what)),
        "device": choice.to_string(),
        "card": card,
        "peak_tflops": peak,
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
        "threads": std::thread::available_parallelism().map_or(1, usize::from),
        "debug_assertions": cfg!(debug_assertions),
        "what": what.word(),
        "precision": word(&options.precision),
        "parameters": parameters,
        "load": sysinfo::System::load_average().one,
        "lengths": lengths,
        "row_cost_of_longest_over_shortest": cost_ratio(&lengths),
        "peak_resident_bytes": peak_resident_bytes(),
    });
    writeln!(stdout(), "{report:#}")?;
    Ok(())
}

/// One length of rows: ours and the peers' steps by turns, then ours by part.
fn measure(
    seed: u64,
    what: What,
    options: &Options,
    seq: u32,
    (device, choice): (&Device, DeviceChoice),
    peak: Option<f64>,
    progress: &mut Progress,
) -> Result<(Value, usize)> {
    let config = options.config();
    let (rows, seq_len, chunk) = (options.batch as usize, seq as usize, options.label_chunk as usize);
    let batch = random_batch(seed, &config.encoder, rows, seq_len);
    let tokens = batch.tokens();
    let mut peers = options.start_peers(what, seq, choice)?;
    let mut theirs = vec![Vec::new(); peers.len()];
    let mut bench = Bench::new(seed, &config, what, options.precision.into(), chunk, batch, device)?;
    let mut milliseconds = Vec::new();
    for step in 0..=options.steps {
        let start = Instant::now();
        bench.step();
        let ours = start.elapsed().as_secs_f64() * 1e3;
        let answers = peers.iter_mut().map(|peer| peer.time("step")).collect::<Result<Vec<_>>>()?;
        if step > 0 {
            milliseconds.push(ours);
            theirs.iter_mut().zip(answers).for_each(|(all, [wall, _])| all.push(wall));
        }
        progress.advance(1);
    }
    drop(peers);
    let mut parts: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for _ in 0..STEPS_BY_PART {
        for (part, took) in bench.step_by_part() {
            parts.entry(part).or_default().push(took);
        }
        progress.advance(1);
    }
    let parts: BTreeMap<&str, Value> =
        parts.into_iter().map(|(part, mut all)| (part, summary(&mut all))).collect();
    let ms_per_step = summary(&mut milliseconds);
    let ours = median(&milliseconds);
    let mut best = f64::INFINITY;
    let peers: Vec<Value> = theirs
        .iter_mut()
        .zip(&options.peer)
        .map(|(theirs, command)| {
            let ms = summary(theirs);
            best = best.min(median(theirs));
            json!({"command": command, "ms_per_step": ms, "ratio": ours / median(theirs)})
        })
        .collect();
    let flops = Flops::count(what, &config, rows, seq_len, bench.masked());
    let tflops = flops.total() as f64 / ours * 1e-9;
    let memory = device.memory_pool_usage();
    let measured = json!({
        "seq": seq,
        "rows": rows,
        "tokens_per_step": tokens,
        "ms_per_step": ms_per_step,
        "ms_by_part": parts,
        "tokens_per_second": (tokens as f64 / ours * 1e3).round(),
        "flops": flops,
        "flops_per_step": flops.total(),
        "flops_per_token": flops.total() as f64 / tokens as f64,
        "tflops": tflops,
        "mfu": peak.map(|peak| tflops / peak),
        "device_bytes_in_use": memory.as_ref().map(|memory| memory.bytes_in_use),
        "device_bytes_reserved": memory.as_ref().map(|memory| memory.bytes_reserved),
        "peers": peers,
        "throughput_over_best_peer": best.is_finite().then(|| best / ours),
    });
    Ok((measured, bench.parameters()))
}

/// What a row of the longest length costs over one of the shortest; none where there is one length.
fn cost_ratio(lengths: &[Value]) -> Option<f64> {
    let cost = |length: &Value| Some((length["seq"].as_u64()?, length["ms_per_step"]["median"].as_f64()?));
    let longest = lengths.iter().filter_map(cost).max_by_key(|(seq, _)| *seq)?;
    let shortest = lengths.iter().filter_map(cost).min_by_key(|(seq, _)| *seq)?;
    (longest.0 > shortest.0).then(|| longest.1 / shortest.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_longest_is_compared_with_one_of_the_shortest() {
        let length = |seq: u32, ms: f64| json!({"seq": seq, "ms_per_step": {"median": ms}});
        assert_eq!(cost_ratio(&[length(1024, 35.0), length(512, 10.0)]), Some(3.5));
        assert_eq!(cost_ratio(&[length(512, 10.0), length(512, 11.0)]), None);
    }
}
