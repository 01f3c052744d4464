//! A row, trained and judged.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use bert_xml_core::data::Split;
use bert_xml_core::metrics::calibration::{BINS, expected_calibration_error};
use bert_xml_core::metrics::{Predictions, platt};
use bert_xml_core::model::{HeadKind, Readout};
use serde_json::Value;

use super::Reproduction;
use super::corpus::judged_split;
use super::encoders::Found;
use super::outcome::{self, Judged, Outcome};
use super::rows::{Bert, Head, Kind, Row, Start, Window};
use crate::baselines::on_corpus;
use crate::prediction::on_corpus::{self as on_corpus_model, judge_model};
use crate::prediction::open::open_coder;
use crate::train::adamw::OptimizerSettings;
use crate::train::finetune::finetune;
use crate::train::outcome::{finished_model, write_model};
use crate::train::run::Run;
use crate::train::settings::{FinetuneSettings, LabelBias, LabelInit};
use crate::train::start::FinetuneInput;

/// How a row stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// It is done.
    Done(Box<Outcome>),
    /// It cannot be done here, and why.
    NotApplicable(String),
    /// It was not asked for, or not yet.
    NotRun,
}

impl Standing {
    /// What came out.
    pub fn outcome(&self) -> Option<&Outcome> {
        match self {
            Self::Done(outcome) => Some(outcome),
            Self::NotApplicable(_) | Self::NotRun => None,
        }
    }
}

impl Reproduction<'_> {
    /// How a row stands, without work.
    pub(super) fn standing(&self, row: &Row) -> Result<Standing> {
        if let Some(outcome) = outcome::read(&self.place.row(row.id)?)? {
            return Ok(Standing::Done(Box::new(outcome)));
        }
        Ok(match row.kind {
            Kind::Bert(Bert { start: Start::Given(given) | Start::Further(given), .. })
                if self.given(given).is_none() =>
            {
                Standing::NotApplicable(format!("no such encoder was given ({})", given.flag()))
            }
            _ => Standing::NotRun,
        })
    }

    /// Trains and judges a row, or finds it done.
    pub(super) fn row(&mut self, row: &Row) -> Result<Standing> {
        let standing = self.standing(row)?;
        if standing != Standing::NotRun {
            return Ok(standing);
        }
        self.say(&format!("row {}: {}", row.id, row.name));
        match row.kind {
            Kind::Logistic { l1 } => self.logistic(row, l1),
            Kind::Attention => self.attention(row),
            Kind::Bert(bert) => self.bert(row, bert),
        }
    }

    fn logistic(&mut self, row: &Row, l1: bool) -> Result<Standing> {
        let clock = Instant::now();
        let split = judged_split(self.settings.suite);
        let kind = on_corpus::Kind::bags_of_words(l1);
        let made = on_corpus::run(self.context, &self.corpus, kind, split, None, None)?;
        let threshold = made.judgement.assignment.threshold.unwrap_or(0.5);
        let (judged, influence) = self.notes.judge(&made.probabilities, threshold)?;
        let seconds = clock.elapsed().as_secs_f64();
        let outcome = self.outcome(row, judged, &influence, made.remark, seconds);
        self.keep(row, outcome, &influence)
    }

    fn bert(&mut self, row: &Row, bert: Bert) -> Result<Standing> {
        let encoder = match self.encoder(bert.start)? {
            Found::Encoder(encoder) => *encoder,
            Found::NotGiven(why) => return Ok(Standing::NotApplicable(why)),
        };
        let settings = self.finetune_settings(bert);
        let folder = self.place.row(row.id)?.join("run");
        let tokenizer = encoder.tokenizer.clone();
        let inputs = self.inputs(&tokenizer, row.id)?;
        self.tokens(&tokenizer)?;
        let mut run = Run::start(&folder, "finetune", &settings, inputs, true)?;
        if finished_model(&run).is_none() {
            let [train, dev] = &self.tokenized.as_ref().expect("just made").1;
            let labels = self.corpus.labels();
            let input = FinetuneInput { train, dev, tokenizer: &tokenizer, labels, encoder: Some(encoder) };
            let done = finetune(self.context, &settings, input, &mut run, self.device.clone())?;
            write_model(&run, &settings, &done, &tokenizer, &self.corpus)?;
        }
        drop(run);
        let log = Log::read(&folder)?;
        let clock = Instant::now();
        let coder = open_coder(&folder, self.context.device)?;
        let split = judged_split(self.settings.suite);
        let made = judge_model(self.context, &coder, &self.corpus, split, None, None)?;
        let (judged, influence) = self.notes.judge(&made.probabilities, coder.manifest().threshold)?;
        let encoder = &coder.manifest().model.encoder;
        let trained = format!(
            "{} layers of {} units, {} tokens in the vocabulary, windows of {}; {} steps of {} windows",
            encoder.num_hidden_layers,
            encoder.hidden_size,
            encoder.vocab_size,
            settings.max_len,
            log.steps,
            settings.batch
        );
        let seconds = log.seconds + clock.elapsed().as_secs_f64();
        let mut outcome = self.outcome(row, judged, &influence, trained, seconds);
        if split != Split::Dev {
            let dev = judge_model(self.context, &coder, &self.corpus, Split::Dev, None, None)?;
            outcome.ece_calibrated = calibrated_error([&dev, &made]);
        }
        outcome.tokens = Some((log.tokens, log.tokens as f64 / log.seconds.max(1e-9)));
        outcome.dev_curve = log.dev_curve;
        self.keep(row, outcome, &influence)
    }

    fn finetune_settings(&self, bert: Bert) -> FinetuneSettings {
        let shapes = &self.shapes;
        let paper = FinetuneSettings::default();
        let own = matches!(bert.head, Head::OwnReadout | Head::Improved);
        FinetuneSettings {
            head: if bert.head == Head::Cls { HeadKind::Cls } else { HeadKind::Xml },
            label_init: match bert.head {
                Head::XmlRandom | Head::OwnReadout => LabelInit::Random,
                Head::Cls | Head::Xml | Head::Improved => LabelInit::Semantic,
            },
            label_init_scale: shapes.label_init_scale,
            label_bias: if bert.head == Head::Improved { LabelBias::Prevalence } else { LabelBias::Paper },
            readout: if own { Readout::Own } else { Readout::Shared },
            readout_init_scale: if bert.head == Head::Improved { shapes.label_init_scale } else { 0.0 },
            max_len: match bert.window {
                Window::Short => shapes.short,
                Window::Long => shapes.long,
            },
            epochs: shapes.finetune.epochs,
            max_steps: shapes.finetune.max_steps,
            batch: shapes.finetune.batch,
            // Said only: the encoder has its own.
            size: if bert.start == Start::Small { shapes.small } else { shapes.big },
            optimizer: OptimizerSettings {
                learning_rate: shapes.finetune.rate,
                head_learning_rate: shapes.head_rate,
                ..OptimizerSettings::default()
            },
            ..paper
        }
    }

    pub(super) fn outcome(
        &self,
        row: &Row,
        judged: Judged,
        influence: &bert_xml_core::metrics::AucInfluence,
        trained: String,
        seconds: f64,
    ) -> Outcome {
        let Judged { report, auc_micro, auc_macro, bands, siblings } = judged;
        Outcome {
            row: row.id.to_owned(),
            report,
            auc_micro,
            auc_macro,
            bands,
            per_code: influence.per_code.clone(),
            siblings,
            ece_calibrated: None,
            trained,
            seconds,
            tokens: None,
            dev_curve: Vec::new(),
            patients: self.notes.clusters.clusters(),
        }
    }

    pub(super) fn keep(
        &self,
        row: &Row,
        outcome: Outcome,
        influence: &bert_xml_core::metrics::AucInfluence,
    ) -> Result<Standing> {
        outcome::write(&self.place.row(row.id)?, &outcome, influence)?;
        Ok(Standing::Done(Box::new(outcome)))
    }
}

/// Expected calibration error of the second where the line that suits the first best is laid through its logits.
fn calibrated_error([dev, judged]: [&on_corpus_model::Judged; 2]) -> Option<f64> {
    let labels = judged.judgement.report.codes;
    let logit = |p: f32| {
        let p = f64::from(p).clamp(1e-7, 1.0 - 1e-7);
        (p / (1.0 - p)).ln() as f32
    };
    let logits: Vec<f32> = dev.probabilities.iter().map(|&p| logit(p)).collect();
    let calibration = platt::choose(&logits, &dev.gold, labels).calibration;
    let line = |p: f32| calibration.as_ref().map_or(p, |line| line.probability(logit(p)));
    let table: Vec<f32> = judged.probabilities.iter().map(|&p| line(p)).collect();
    let predictions = Predictions::new(&table, &judged.gold, labels).ok()?;
    expected_calibration_error(&predictions, BINS)
}

/// What `metrics.jsonl` of a run says.
struct Log {
    steps: u64,
    tokens: u64,
    seconds: f64,
    dev_curve: Vec<(u64, f64)>,
}

impl Log {
    fn read(run: &Path) -> Result<Self> {
        let path = run.join("metrics.jsonl");
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let mut log = Self { steps: 0, tokens: 0, seconds: 0.0, dev_curve: Vec::new() };
        let mut last = 0.0;
        for line in text.lines() {
            let line: Value =
                serde_json::from_str(line).with_context(|| format!("{} is damaged", path.display()))?;
            let step = line["step"].as_u64().unwrap_or(0);
            let seconds = line["seconds"].as_f64().unwrap_or(0.0);
            // A resumed call counts from its own start.
            log.seconds += if seconds < last { seconds } else { seconds - last };
            last = seconds;
            log.steps = log.steps.max(step);
            log.tokens = log.tokens.max(line["tokens"].as_u64().unwrap_or(0));
            if let Some(auc) = line["dev"]["auc_micro"].as_f64() {
                log.dev_curve.push((step, auc));
            }
        }
        Ok(log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_run_is_that_of_all_its_calls() {
        let folder = tempfile::tempdir().unwrap();
        let lines = "{\"step\":1,\"tokens\":10,\"seconds\":2.0}\n{\"step\":2,\"tokens\":20,\"seconds\":5.0}\n\
                     {\"step\":2,\"dev\":{\"auc_micro\":0.75},\"seconds\":6.0}\n\
                     {\"step\":3,\"tokens\":30,\"seconds\":1.5}\n";
        fs::write(folder.path().join("metrics.jsonl"), lines).unwrap();
        let log = Log::read(folder.path()).unwrap();
        assert_eq!((log.steps, log.tokens, log.seconds), (3, 30, 7.5));
        assert_eq!(log.dev_curve, [(2, 0.75)]);
    }
}
