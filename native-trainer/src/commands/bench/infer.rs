//! One note by the CPU engine, beside a peer on the same graph: random weights, the two measured in turn.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use bert_xml_core::cpu::{CpuModel, Isa, Workspace};
use bert_xml_core::data::{Purpose, stream};
use clap::Args;
use rand::RngExt;
use serde_json::{Map, Value, json};

use super::operations::Operations;
use super::peer::Peer;
use super::random_model::{config, random_model};
use super::{PrecisionWord, SizeWord, median, summary, word};
use crate::context::Context;
use crate::files::check_file_place;
use crate::prediction::output::write_result;
use crate::progress::Unit;
use crate::train::memory::peak_resident_bytes;

/// Codes that get evidence.
const TOP: usize = 15;
/// Rounds before the measured ones.
const WARM_UP: u32 = 2;

/// Options of `bench infer`.
#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    /// Encoder size
    #[arg(long, value_enum, default_value_t = SizeWord::Small)]
    size: SizeWord,
    /// Codes
    #[arg(long, default_value_t = 2292, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    labels: u32,
    /// Lengths of notes in tokens, the two special ones included
    #[arg(
        long,
        value_name = "TOKENS,…",
        value_delimiter = ',',
        default_value = "128,512,1024",
        value_parser = clap::value_parser!(u32).range(3..=1024)
    )]
    tokens: Vec<u32>,
    /// Numbers of threads
    #[arg(
        long,
        value_name = "THREADS,…",
        value_delimiter = ',',
        default_value = "1,2",
        value_parser = clap::value_parser!(u32).range(1..=1024)
    )]
    threads: Vec<u32>,
    /// Precisions of the weights
    #[arg(long, value_name = "PRECISION,…", value_delimiter = ',', value_enum, default_value = "int8,f32")]
    precision: Vec<PrecisionWord>,
    /// Measured rounds, after two that are not
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(7..))]
    rounds: u32,
    /// Command of another engine, measured in turn; its protocol stands in native-trainer/bench/onnx_peer.py
    #[arg(long, value_name = "COMMAND")]
    peer: Option<String>,
    /// File of the JSON object, or - for standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    json: PathBuf,
}

/// Measures every setting and writes one JSON object.
pub(super) fn run(context: &Context, options: &Options) -> Result<()> {
    check_file_place(&options.json)?;
    let config = config(options.size, options.labels);
    let size = word(&options.size);
    let mut peer = match &options.peer {
        Some(command) => {
            let labels = options.labels.to_string();
            Some(Peer::start(command, &["--size", &size, "--labels", &labels])?)
        }
        None => None,
    };
    let settings = options.precision.len() * options.tokens.len() * options.threads.len();
    let mut progress = context.start("bench", Some(settings as u64), Unit::Steps);
    let (mut measured, mut weights) = (Vec::new(), Map::new());
    for precision in &options.precision {
        let random = random_model(context.seed, &config, (*precision).into())?;
        let model = CpuModel::new((&config).into(), random.tensors)?;
        weights.insert(word(precision), model.bytes().into());
        for (&threads, &tokens) in options
            .threads
            .iter()
            .flat_map(|threads| options.tokens.iter().map(move |tokens| (threads, tokens)))
        {
            let mut note = Note::new(context.seed, &model, tokens as usize, threads as usize);
            measured.push(measure(&mut note, &word(precision), options.rounds, peer.as_mut())?);
            progress.advance(1);
        }
    }
    progress.finish();
    let system = {
        let mut system = sysinfo::System::new();
        system.refresh_cpu_all();
        system
    };
    let report = json!({
        "bert_xml": env!("CARGO_PKG_VERSION"),
        "command": options.call(context.seed),
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
        "cpu": system.cpus().first().map(|cpu| cpu.brand().trim()),
        "isa": format!("{:?}", Isa::detect()),
        "threads": std::thread::available_parallelism().map_or(1, usize::from),
        "load": sysinfo::System::load_average().one,
        "debug_assertions": cfg!(debug_assertions),
        "size": size,
        "labels": options.labels,
        "evidence": TOP.min(options.labels as usize),
        "rounds": options.rounds,
        "weights_bytes": weights,
        "settings": measured,
        "peak_resident_bytes": peak_resident_bytes(),
    });
    let text = format!("{report:#}\n");
    write_result(&options.json, text.as_bytes())
}

impl Options {
    /// The call with every option, defaults too.
    fn call(&self, seed: u64) -> String {
        let Self { size, labels, tokens, threads, precision, rounds, peer, json } = self;
        let join = |words: Vec<String>| words.join(",");
        let [tokens, threads] = [tokens, threads].map(|all| join(all.iter().map(u32::to_string).collect()));
        let precision = join(precision.iter().map(word).collect());
        let peer = peer.as_ref().map(|peer| format!(" --peer \"{peer}\"")).unwrap_or_default();
        format!(
            "bert-xml --seed {seed} bench infer --size {} --labels {labels} --tokens {tokens} --threads {threads} \
             --precision {precision} --rounds {rounds}{peer} --json {}",
            word(size),
            json.display()
        )
    }
}

/// One setting: ours and the peer's note by turns.
fn measure(note: &mut Note<'_>, precision: &str, rounds: u32, mut peer: Option<&mut Peer>) -> Result<Value> {
    let (tokens, threads) = (note.ids.len(), note.workspace.threads());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..WARM_UP + rounds {
        let times = note.code();
        let answer = match &mut peer {
            Some(peer) => Some(peer.time(&format!("{precision} {tokens} {threads}"))?),
            None => None,
        };
        if round >= WARM_UP {
            ours.push(times);
            theirs.extend(answer);
        }
    }
    let wall = |of: &dyn Fn(&Times) -> f64| summary(&mut ours.iter().map(of).collect::<Vec<f64>>());
    let mut wall_ms: Vec<f64> = ours.iter().map(|times| times.wall.iter().sum()).collect();
    let mut cpu_ms: Option<Vec<f64>> = ours.iter().map(|times| times.cpu).collect();
    let (wall_summary, cpu_summary) = (summary(&mut wall_ms), cpu_ms.as_deref_mut().map(summary));
    let operations = Operations::count(note.model.shape(), tokens, TOP.min(note.logits.len()));
    let peer = (!theirs.is_empty()).then(|| {
        let [mut wall, mut cpu] = [0, 1].map(|at| theirs.iter().map(|times| times[at]).collect::<Vec<f64>>());
        let (their_wall, their_cpu) = (summary(&mut wall), summary(&mut cpu));
        json!({
            "wall_ms": their_wall,
            "cpu_ms": their_cpu,
            "wall_ratio": median(&wall_ms) / median(&wall),
            "cpu_ratio": cpu_ms.as_deref().map(|ours| ours_over(median(ours), median(&cpu))),
        })
    });
    Ok(json!({
        "precision": precision,
        "tokens": tokens,
        "threads": threads,
        "wall_ms": wall_summary,
        "cpu_ms": cpu_summary,
        "encoder_wall_ms": wall(&|times| times.wall[0]),
        "labels_wall_ms": wall(&|times| times.wall[1]),
        "evidence_wall_ms": wall(&|times| times.wall[2]),
        "operations": operations,
        "operations_total": operations.total(),
        "gop_per_second": operations.total() as f64 / median(&wall_ms) * 1e-6,
        "workspace_bytes": note.workspace.bytes(),
        "peak_resident_bytes": peak_resident_bytes(),
        "peer": peer,
    }))
}

/// A ratio; none where the peer does not tell its CPU time.
fn ours_over(ours: f64, theirs: f64) -> Option<f64> {
    (theirs > 0.0).then(|| ours / theirs)
}

/// Milliseconds of one note.
struct Times {
    /// Encoder, labels, evidence.
    wall: [f64; 3],
    /// Of all threads; none where the system does not say.
    cpu: Option<f64>,
}

/// A note with what codes it.
struct Note<'a> {
    model: &'a CpuModel,
    workspace: Workspace,
    ids: Vec<u32>,
    segments: Vec<u32>,
    hidden: Vec<f32>,
    logits: Vec<f32>,
}

impl<'a> Note<'a> {
    fn new(seed: u64, model: &'a CpuModel, tokens: usize, threads: usize) -> Self {
        let mut random = stream(seed, Purpose::Order, [0, 0]);
        let words = model.shape().encoder.vocab as u32;
        Self {
            model,
            workspace: Workspace::new(threads),
            ids: (0..tokens).map(|_| random.random_range(5..words)).collect(),
            segments: vec![0; tokens],
            hidden: Vec::new(),
            logits: Vec::new(),
        }
    }

    /// From ids to logits of all codes and attention of the best.
    fn code(&mut self) -> Times {
        let real = 1..self.ids.len() - 1;
        let cpu = cpu_milliseconds();
        let start = Instant::now();
        self.model.encode(&self.ids, &self.segments, &mut self.workspace, &mut self.hidden);
        let encoded = start.elapsed();
        self.model.logits(&self.hidden, real.clone(), &mut self.workspace, &mut self.logits);
        let labelled = start.elapsed();
        let mut best: Vec<usize> = (0..self.logits.len()).collect();
        best.sort_unstable_by(|&a, &b| self.logits[b].total_cmp(&self.logits[a]));
        best.truncate(TOP);
        std::hint::black_box(self.model.attention_of(&best, &self.hidden, real, &mut self.workspace));
        let done = start.elapsed();
        let cpu = cpu_milliseconds().zip(cpu).map(|(after, before)| after - before);
        let wall = [encoded, labelled - encoded, done - labelled].map(|time| time.as_secs_f64() * 1e3);
        Times { wall, cpu }
    }
}

/// CPU time of this process so far, all threads. None where the system does not say.
fn cpu_milliseconds() -> Option<f64> {
    #[cfg(unix)]
    {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the call fills in a `timespec` that lives here.
        let status = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
        (status == 0).then_some(time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 * 1e-6)
    }
    #[cfg(not(unix))]
    None
}
