//! A model of random weights: for speed, which does not ask what the weights are.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use bert_xml_core::codes::{CodeSystem, Label, LabelSet};
use bert_xml_core::data::{Purpose, stream};
use bert_xml_core::model::parameters::Values;
use bert_xml_core::model::{EncoderConfig, HeadKind, ModelConfig};
use bert_xml_core::model_folder::shipped::{Role, tensor_shapes};
use bert_xml_core::model_folder::{Manifest, ModelCard, ModelFolder, ShippedModel};
use bert_xml_core::quantization::Precision;
use bert_xml_core::text::Tokenizer;
use clap::Args;
use rand::RngExt;

use super::{PrecisionWord, SizeWord};
use crate::context::Context;
use crate::files::FolderInTheMaking;

/// Options of `bench model`.
#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    /// Encoder size
    #[arg(long, value_enum, default_value_t = SizeWord::Small)]
    size: SizeWord,
    /// Codes
    #[arg(long, default_value_t = 2292, value_parser = clap::value_parser!(u32).range(1..))]
    labels: u32,
    /// Precision of the weights
    #[arg(long, value_name = "PRECISION", value_enum, default_value_t = PrecisionWord::Int8)]
    precision: PrecisionWord,
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Writes a shipped model of random weights, whose word piece `N` is the word `wN`.
///
/// # Errors
/// The folder holds something already, or cannot be written.
pub(super) fn run(context: &Context, options: &Options) -> Result<()> {
    let config = config(options.size, options.labels);
    let making = FolderInTheMaking::start(&options.out)?;
    for (name, content) in random_model(context.seed, &config, options.precision.into())?.to_files()? {
        std::fs::write(making.path().join(&name), content).with_context(|| format!("writing {name}"))?;
    }
    making.finish()?;
    println!("written: {}", options.out.display());
    Ok(())
}

/// The XML head over an encoder of the size asked for, as the paper has it.
pub(super) fn config(size: SizeWord, labels: u32) -> ModelConfig {
    ModelConfig::new(EncoderConfig::of_size(size.into()), HeadKind::Xml, labels as usize)
}

/// Every tensor of the model: deviations of .02 as in training's start, gains around 1.
///
/// # Errors
/// A size that cannot be built.
pub(super) fn random_model(seed: u64, config: &ModelConfig, precision: Precision) -> Result<ShippedModel> {
    let random_values = |(index, name, shape): (u64, &str, Vec<usize>)| {
        let mut random = stream(seed, Purpose::Weights, [index, 0]);
        let centre = if name.ends_with("gamma") { 1.0 } else { 0.0 };
        // Uniform numbers deviate by their half-width over the root of 3.
        let mut value = || centre + random.random_range(-0.0346_f32..0.0346);
        let data = (0..shape.iter().product()).map(|_| value()).collect();
        (name.to_owned(), Values { shape, data })
    };
    let parameters = (0..)
        .zip(tensor_shapes(config))
        .map(|(index, tensor)| {
            let shape = match tensor.role {
                Role::Vector => vec![tensor.cols],
                Role::Linear => vec![tensor.cols, tensor.rows],
                Role::Table | Role::Embedding => vec![tensor.rows, tensor.cols],
            };
            random_values((index, &tensor.name, shape))
        })
        .collect();
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(str::to_owned);
    let words = (special.len()..config.encoder.vocab_size).map(|id| format!("w{id}"));
    let tokenizer = Tokenizer::from_tokens(special.into_iter().chain(words), true)?;
    let label = |index: usize| Label {
        system: CodeSystem::Custom("random".to_owned()),
        code: format!("C{index}"),
        description: format!("Random code {index}"),
    };
    let labels = LabelSet::new((0..config.labels).map(label).collect())?;
    let folder = ModelFolder { manifest: Manifest::new(config.clone()), tokenizer, labels, parameters };
    let card = ModelCard {
        name: "random weights".to_owned(),
        trained_on: "nothing".to_owned(),
        intended_use: "Measuring speed.".to_owned(),
        ..ModelCard::default()
    };
    Ok(ShippedModel::of_folder(&folder, card, precision, |_| false)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_token_and_the_same_seed_gives_the_same_weights() {
        let config = ModelConfig {
            encoder: EncoderConfig {
                vocab_size: 40,
                hidden_size: 8,
                num_attention_heads: 2,
                ..config(SizeWord::Tiny, 3).encoder
            },
            head_hidden: 8,
            ..config(SizeWord::Tiny, 3)
        };
        let model = random_model(1, &config, Precision::Int8).unwrap();
        assert_eq!(model.tokenizer.encode("w5 w39 w17").ids, [5, 39, 17]);
        assert_eq!(model.tensors, random_model(1, &config, Precision::Int8).unwrap().tensors);
        assert_ne!(model.tensors, random_model(2, &config, Precision::Int8).unwrap().tensors);
        let gains = model.tensors["encoder.embeddings.norm.gamma"].to_f32();
        assert!(gains.iter().all(|gain| (gain - 1.0).abs() < 0.04));
        assert!(model.to_files().is_ok());
    }
}
