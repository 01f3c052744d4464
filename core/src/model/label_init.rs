//! Semantic label embeddings (paper, section 3.4): before fine-tuning, l_j is the mean of the pretrained
//! encoder's outputs over the word pieces of code j's official description.

use burn::tensor::{Device, Tensor, TensorData};

use super::bert_xml::Inputs;
use super::encoder::Encoder;
use crate::codes::LabelSet;
use crate::data::pad_windows;
use crate::text::{TokenSpan, Tokenizer, build_window};

/// Label embeddings that a description gives.
#[derive(Clone, Debug)]
pub struct SemanticLabels {
    /// One row a label, `[labels, d_model]`, on the encoder's device; rows without a description keep `random`'s.
    pub embeddings: Tensor<2>,
    /// Codes whose description is empty or has no word piece: they start at random.
    pub without_description: Vec<String>,
}

/// Encodes every description, `batch` at a time. Descriptions longer than `max_len - 2` word pieces are cut.
///
/// # Shapes
/// - `random`: `[labels, d_model]`, without autodiff, what rows without a description start from
///
/// # Panics
/// If `random` has another number of rows than there are labels, or `max_len` is below 3.
pub fn semantic_labels(
    encoder: &Encoder,
    tokenizer: &Tokenizer,
    labels: &LabelSet,
    random: Tensor<2>,
    max_len: usize,
    batch: usize,
    device: &Device,
) -> SemanticLabels {
    let [rows, d_model] = random.dims();
    assert_eq!(rows, labels.len(), "one row a label");
    let special = tokenizer.special();
    let mut windows: Vec<(usize, Vec<u32>)> = Vec::with_capacity(rows);
    let mut without_description = Vec::new();
    for (at, label) in labels.iter().enumerate() {
        let ids = tokenizer.encode(&label.description).ids;
        if ids.is_empty() {
            without_description.push(label.code.clone());
        } else {
            let span = TokenSpan::new(0, ids.len().min(max_len - 2));
            windows.push((at, build_window(&ids, span, &special)));
        }
    }
    // Neighbours of like length: little is padded.
    windows.sort_by_key(|(at, window)| (window.len(), *at));
    let mut data: Vec<f32> =
        random.clone().into_data().convert::<f32>().try_to_vec().expect("converted above");
    for group in windows.chunks(batch.max(1)) {
        let ids: Vec<&[u32]> = group.iter().map(|(_, window)| window.as_slice()).collect();
        let inputs = Inputs::new(&pad_windows(&ids, &special, 1, max_len), device);
        let hidden = encoder.forward(inputs.ids, inputs.segments, inputs.keep);
        let means = mean_over(hidden, inputs.real);
        let means: Vec<f32> = means.into_data().convert::<f32>().try_to_vec().expect("converted above");
        for ((at, _), mean) in group.iter().zip(means.chunks_exact(d_model)) {
            data[at * d_model..(at + 1) * d_model].copy_from_slice(mean);
        }
    }
    let embeddings = Tensor::from_data(TensorData::new(data, [rows, d_model]), device);
    SemanticLabels { embeddings, without_description }
}

/// The mean of hidden states over the tokens that a mask keeps.
///
/// # Shapes
/// - `hidden`: `[batch, seq, d_model]`
/// - `keep`: `[batch, seq]`, true at least once a row
/// - output: `[batch, d_model]`
pub fn mean_over(hidden: Tensor<3>, keep: Tensor<2, burn::tensor::Bool>) -> Tensor<2> {
    let weight = keep.float().cast(hidden.dtype()).unsqueeze_dim::<3>(2); // [batch, seq, 1]
    let count = weight.clone().sum_dim(1); // [batch, 1, 1]
    ((hidden * weight).sum_dim(1) / count).squeeze_dim::<2>(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::{CodeSystem, Label};
    use crate::model::EncoderConfig;

    #[test]
    fn a_row_is_the_mean_over_its_descriptions_pieces() {
        let device = Device::flex();
        let vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nfever\nacute\ncough\n";
        let tokenizer = Tokenizer::from_vocab(vocab, true).unwrap();
        let config = EncoderConfig {
            vocab_size: 8,
            hidden_size: 4,
            num_hidden_layers: 1,
            num_attention_heads: 2,
            intermediate_size: 8,
            max_position_embeddings: 8,
            ..EncoderConfig::default()
        };
        let encoder = config.init(&device).unwrap();
        let label = |code: &str, description: &str| Label {
            system: CodeSystem::Custom("x".into()),
            code: code.into(),
            description: description.into(),
        };
        let labels =
            LabelSet::new(vec![label("a", "acute cough fever"), label("b", ""), label("c", "Fever")])
                .unwrap();
        let random = Tensor::<2>::full([3, 4], 7.0, &device);
        let made = semantic_labels(&encoder, &tokenizer, &labels, random, 8, 2, &device);
        assert_eq!(made.without_description, ["b"]);
        let rows: Vec<f32> = made.embeddings.into_data().try_to_vec().unwrap();
        assert_eq!(rows[4..8], [7.0; 4]);
        // Alone and without padding, [CLS] fever [SEP]: the state at position 1.
        let inputs = Inputs::new(&pad_windows(&[[2, 5, 3]], &tokenizer.special(), 1, 8), &device);
        let hidden = encoder.forward(inputs.ids, inputs.segments, inputs.keep);
        let states: Vec<f32> = hidden.into_data().try_to_vec().unwrap();
        for (row, state) in rows[8..].iter().zip(&states[4..8]) {
            assert!((row - state).abs() < 1e-6);
        }
        let inputs = Inputs::new(&pad_windows(&[[2, 6, 7, 5, 3]], &tokenizer.special(), 1, 8), &device);
        let states: Vec<f32> =
            encoder.forward(inputs.ids, inputs.segments, inputs.keep).into_data().try_to_vec().unwrap();
        for at in 0..4 {
            let mean = (states[4 + at] + states[8 + at] + states[12 + at]) / 3.0;
            assert!((rows[at] - mean).abs() < 1e-6);
        }
    }
}
