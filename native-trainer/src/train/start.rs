//! What fine-tuning starts from: an encoder, pretrained or fresh, and a head whose labels start as told.

use anyhow::{Result, ensure};
use bert_xml_core::codes::LabelSet;
use bert_xml_core::model::hf_folder::HfBert;
use bert_xml_core::model::label_init::semantic_labels;
use bert_xml_core::model::{BertXml, EncoderConfig, Head, HeadKind, ModelConfig};
use bert_xml_core::text::Tokenizer;
use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::settings::{FinetuneSettings, LabelBias, LabelInit};
use super::tokens::TokenizedSplit;

/// Descriptions encoded together for semantic label embeddings.
const DESCRIPTIONS_A_BATCH: usize = 64;

/// What fine-tuning reads.
pub struct FinetuneInput<'a> {
    /// Training notes.
    pub train: &'a TokenizedSplit,
    /// Development notes; the best epoch here is kept, and thresholds are tuned here.
    pub dev: &'a TokenizedSplit,
    /// The vocabulary.
    pub tokenizer: &'a Tokenizer,
    /// The codes.
    pub labels: &'a LabelSet,
    /// The encoder to start from; a fresh one otherwise.
    pub encoder: Option<HfBert>,
}

/// The encoder that is fine-tuned: the pretrained one, or a fresh one as the settings say.
///
/// # Errors
/// More frozen layers or longer windows than it has.
pub fn encoder_config(
    settings: &FinetuneSettings,
    pretrained: Option<&EncoderConfig>,
    vocab_size: usize,
) -> Result<EncoderConfig> {
    let fresh = || EncoderConfig {
        vocab_size,
        max_position_embeddings: settings.max_len,
        ..EncoderConfig::of_size(settings.size)
    };
    let config = EncoderConfig {
        hidden_dropout_prob: settings.dropout,
        attention_probs_dropout_prob: settings.attention_dropout(),
        ..pretrained.cloned().unwrap_or_else(fresh)
    };
    ensure!(
        settings.max_len <= config.max_position_embeddings,
        "finetune.max_len = {}: the encoder has {} positions; `bert-xml import --max-positions` adds some",
        settings.max_len,
        config.max_position_embeddings
    );
    ensure!(
        settings.freeze <= config.num_hidden_layers,
        "finetune.freeze = {}: the encoder has {} layers",
        settings.freeze,
        config.num_hidden_layers
    );
    Ok(config)
}

/// A model with the given encoder (or a fresh one) and a fresh head, its label embeddings as the settings say.
pub(super) fn fresh_model(
    settings: &FinetuneSettings,
    input: &mut FinetuneInput<'_>,
    device: &Device,
) -> Result<(BertXml, ModelConfig, Vec<String>)> {
    let pretrained = input.encoder.as_ref().map(|encoder| &encoder.config);
    let encoder_config = encoder_config(settings, pretrained, input.tokenizer.vocab_size())?;
    let mut config = ModelConfig::new(encoder_config, settings.head, input.labels.len());
    if settings.head == HeadKind::Xml {
        config.xml = settings.xml();
    }
    if settings.head_hidden > 0 {
        config.head_hidden = settings.head_hidden;
    }
    let pretrained = input.encoder.take();
    let has_encoder = pretrained.is_some();
    let encoder = match pretrained {
        Some(found) => HfBert { config: config.encoder.clone(), ..found }.into_encoder(device)?,
        None => config.encoder.init(device)?,
    };
    let mut head = config.init_head(device);
    if settings.label_bias == LabelBias::Prevalence {
        let bias = Tensor::<1>::from_floats(log_odds(&input.train.gold, config.labels).as_slice(), device);
        let bias = bias.require_grad();
        match &mut head {
            Head::Xml(xml) => xml.bias = xml.bias.take().map(|param| param.map(|_| bias)),
            Head::Cls(cls) => {
                cls.classifier.bias = cls.classifier.bias.take().map(|param| param.map(|_| bias))
            }
        }
    }
    let mut without_description = Vec::new();
    if let (Head::Xml(xml), LabelInit::Semantic, true) = (&mut head, settings.label_init, has_encoder) {
        let random = xml.labels.val().inner();
        let (plain, plain_device) = (encoder.valid(), device.clone().inner());
        let (tokenizer, labels) = (input.tokenizer, input.labels);
        let (max_len, group) = (settings.max_len, DESCRIPTIONS_A_BATCH);
        let made = semantic_labels(&plain, tokenizer, labels, random, max_len, group, &plain_device);
        without_description = made.without_description;
        if settings.readout_init_scale > 0.0
            && let Some(weights) = &mut xml.weights
        {
            // What all descriptions have in common says nothing about a code.
            let centred = made.embeddings.clone() - made.embeddings.clone().mean_dim(0);
            let start = Tensor::from_inner(centred.mul_scalar(settings.readout_init_scale)).require_grad();
            *weights = weights.clone().map(|_| start);
        }
        let embeddings = made.embeddings.mul_scalar(settings.label_init_scale);
        let embeddings = Tensor::from_inner(embeddings).require_grad();
        xml.labels = xml.labels.clone().map(|_| embeddings);
    }
    Ok((BertXml { encoder, head }, config, without_description))
}

/// Log-odds of each label among notes whose labels are given, half a note added to either side.
fn log_odds(gold: &[Vec<u32>], labels: usize) -> Vec<f32> {
    let mut counts = vec![0.5_f64; labels];
    gold.iter().flatten().for_each(|&label| counts[label as usize] += 1.0);
    let all = gold.len() as f64 + 1.0;
    counts.into_iter().map(|count| (count / (all - count)).ln() as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_odds_are_those_of_the_counts_with_half_a_note_on_either_side() {
        let odds = log_odds(&[vec![0], vec![0, 2], vec![0], vec![]], 3);
        for (found, [with, without]) in odds.into_iter().zip([[3.5_f32, 1.5], [0.5, 4.5], [1.5, 3.5]]) {
            assert!((found - (with / without).ln()).abs() < 1e-6, "{found}");
        }
    }

    #[test]
    fn a_readout_may_start_as_the_description_less_what_all_have_in_common() {
        use bert_xml_core::codes::{CodeSystem, Label};
        use bert_xml_core::model::Readout;

        let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/bert");
        let bert = HfBert::read(&fixture).unwrap();
        let label = |code: &str, description: &str| Label {
            system: CodeSystem::Icd10cm,
            code: code.into(),
            description: description.into(),
        };
        let described = vec![label("R05.9", "cough"), label("R50.9", "fever"), label("R07.9", "chest pain")];
        let labels = LabelSet::new(described).unwrap();
        let notes = TokenizedSplit::default();
        let settings = FinetuneSettings {
            readout: Readout::Own,
            readout_init_scale: 0.5,
            label_init_scale: 0.2,
            max_len: 16,
            ..FinetuneSettings::default()
        };
        let tokenizer = bert.tokenizer.clone();
        let (train, dev) = (&notes, &notes);
        let mut input =
            FinetuneInput { train, dev, tokenizer: &tokenizer, labels: &labels, encoder: Some(bert) };
        let device = Device::flex().autodiff();
        let Head::Xml(head) = fresh_model(&settings, &mut input, &device).unwrap().0.head else {
            panic!("an XML head was asked for")
        };
        let values = |tensor: Tensor<2>| tensor.into_data().try_to_vec::<f32>().unwrap();
        let (queries, weights) = (values(head.labels.val()), values(head.weights.unwrap().val()));
        let width = queries.len() / 3;
        for at in 0..width {
            let described: Vec<f32> = (0..3).map(|row| queries[row * width + at] / 0.2).collect();
            let mean = described.iter().sum::<f32>() / 3.0;
            for (row, described) in described.iter().enumerate() {
                assert!((weights[row * width + at] - 0.5 * (described - mean)).abs() < 1e-4);
            }
        }
        assert!(weights.iter().any(|weight| weight.abs() > 1e-3));
    }
}
