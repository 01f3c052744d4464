//! A model in half precision, kept where it says what the model in f32 says.

use bert_xml_core::infer::{Coder, DeviceError, Engine, PredictOptions};
use bert_xml_core::text::Tokenizer;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Tensor};

/// Greatest difference of a probability that half precision may make.
const TOLERANCE: f32 = 1e-3;
/// Words of a probe, and probes.
const WORDS: usize = 60;
const PROBES: usize = 3;

struct ToHalf;

impl ModuleMapper for ToHalf {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        Param::from_mapped_value(id, tensor.cast(DType::F16), mapper)
    }
}

/// The same coder with f16 parameters: hidden states are f16 too, scores and softmax of the label attention f32.
/// None where probes made of the model's own vocabulary come out otherwise than in f32.
pub(crate) async fn in_half(coder: &Coder, chunk: usize) -> Result<Option<Coder>, DeviceError> {
    let Engine::Burn(model) = coder.engine() else { return Ok(None) };
    let (manifest, labels) = (coder.manifest().clone(), coder.labels().clone());
    let half = Coder::new(model.clone().map(&mut ToHalf), manifest, coder.tokenizer().clone(), labels);
    let half = half.expect("these parts made a coder already");
    for probe in probes(coder.tokenizer()) {
        let (whole, halved) =
            (probabilities(coder, &probe, chunk).await?, probabilities(&half, &probe, chunk).await?);
        // Not a number is not within the tolerance.
        if !whole.iter().zip(&halved).all(|(a, b)| (a - b).abs() <= TOLERANCE) {
            return Ok(None);
        }
    }
    Ok(Some(half))
}

async fn probabilities(coder: &Coder, note: &str, chunk: usize) -> Result<Vec<f32>, DeviceError> {
    let options = PredictOptions { top: None, evidence: 0, ..PredictOptions::default() };
    // A vocabulary without whole words has no probe to fail.
    let Ok(steps) = coder.steps(note, chunk) else { return Ok(Vec::new()) };
    let mut codes = steps.finish(coder, &options).await?.codes;
    codes.sort_by_key(|code| code.label);
    Ok(codes.into_iter().map(|code| code.probability).collect())
}

/// Whole words from all over the vocabulary, the same in every run.
fn probes(tokenizer: &Tokenizer) -> Vec<String> {
    let whole = |id: u32| tokenizer.token(id).filter(|token| token.chars().all(char::is_alphanumeric));
    let words: Vec<&str> = (0..tokenizer.vocab_size() as u32).filter_map(whole).collect();
    (0..PROBES)
        .map(|probe| {
            // Steps of a prime length meet every word of most vocabularies.
            let at = |index: usize| words[(probe * 7_919 + index * 104_729) % words.len()];
            (0..WORDS.min(words.len())).map(at).collect::<Vec<_>>().join(" ")
        })
        .collect()
}
