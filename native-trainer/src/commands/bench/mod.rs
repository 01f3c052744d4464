//! `bert-xml bench`: how fast a model of some shape pretrains, fine-tunes and predicts on a device
//! (`steps`), and how fast the CPU engine codes a note (`infer`), each on random tokens and with the memory
//! that it takes, beside other programs if some are named (`peer`); and whether a device computes what the CPU
//! computes (`parity`).

mod cards;
mod flops;
mod infer;
mod operations;
mod parity;
mod peer;
mod random_model;
mod steps;
mod under_test;

use anyhow::Result;
use bert_xml_core::model::Size;
use bert_xml_core::quantization::Precision;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::context::Context;

/// Options of `bench`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// What is measured
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Pretraining steps: forward with both losses, backward, optimizer
    #[command(visible_alias = "train")]
    Pretrain(steps::Options),
    /// Fine-tuning steps with the label-attention head: forward, backward, optimizer
    Finetune(steps::Options),
    /// Probabilities of all codes by burn
    Predict(steps::Options),
    /// One note by the CPU engine: encoder, label attention, evidence of the 15 best codes
    Infer(infer::Options),
    /// Outputs, losses and gradients on a device beside those on the CPU
    Parity(parity::Options),
    /// Write a model of random weights to ship: what the browser's bench loads
    Model(random_model::Options),
}

/// Encoder sizes as words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SizeWord {
    /// 128 hidden, 2 layers
    Tiny,
    /// 256 hidden, 4 layers
    Mini,
    /// 512 hidden, 8 layers
    Small,
    /// 768 hidden, 12 layers
    Big,
}

impl From<SizeWord> for Size {
    fn from(word: SizeWord) -> Self {
        match word {
            SizeWord::Tiny => Self::Tiny,
            SizeWord::Mini => Self::Mini,
            SizeWord::Small => Self::Small,
            SizeWord::Big => Self::Big,
        }
    }
}

/// Precisions as words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PrecisionWord {
    /// As trained
    F32,
    /// In 8 bits, one scale a row
    Int8,
}

impl From<PrecisionWord> for Precision {
    fn from(word: PrecisionWord) -> Self {
        match word {
            PrecisionWord::F32 => Self::F32,
            PrecisionWord::Int8 => Self::Int8,
        }
    }
}

/// Measures and prints one JSON object, or writes a random model.
///
/// # Errors
/// A device or a peer that is missing, a file that cannot be written.
pub fn run(context: &Context, options: &Options) -> Result<()> {
    use steps::What as Step;
    match &options.what {
        What::Pretrain(options) => steps::run(context, Step::Pretrain, options),
        What::Finetune(options) => steps::run(context, Step::Finetune, options),
        What::Predict(options) => steps::run(context, Step::Predict, options),
        What::Infer(options) => infer::run(context, options),
        What::Parity(options) => parity::run(context, options),
        What::Model(options) => random_model::run(context, options),
    }
}

fn word(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_summed_up_by_their_median() {
        assert_eq!(summary(&mut [4.0, 1.0, 9.0]), json!({"median": 4.0, "min": 1.0, "max": 9.0}));
        assert_eq!(summary(&mut [4.0, 1.0]), json!({"median": 2.5, "min": 1.0, "max": 4.0}));
    }
}
