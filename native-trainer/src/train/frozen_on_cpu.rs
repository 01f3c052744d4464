//! Hidden states of a frozen part of the encoder by the CPU engine: several times as fast as burn's forward pass on
//! the same processor, and the engine that the trained model will run on.

use std::sync::Mutex;

use anyhow::{Context as _, Result};
use bert_xml_core::cpu::Workspace;
use bert_xml_core::infer::CpuEngine;
use bert_xml_core::model::encoder::Encoder;
use bert_xml_core::model::parameters::export;
use bert_xml_core::model::{EncoderConfig, HeadKind, ModelConfig};
use bert_xml_core::model_folder::shipped::{Role, tensor_shapes};
use bert_xml_core::quantization::{Matrix, Precision};
use rayon::prelude::*;

use crate::progress::Progress;

/// `[tokens, d_model]` a window after the first `layers` blocks, without padding; `window` gives the tokens of each of
/// `count`, special ones included.
///
/// # Errors
/// An encoder that is not of this shape.
pub fn states(
    encoder: &Encoder,
    shape: &EncoderConfig,
    layers: usize,
    (count, window): (usize, impl Fn(usize) -> Vec<u32> + Sync),
    progress: &mut Progress,
) -> Result<Vec<Vec<f32>>> {
    let shape = EncoderConfig { num_hidden_layers: layers, ..shape.clone() };
    // The engine holds a whole model: one label stands in for the head, which is not asked.
    let config = ModelConfig::new(shape, HeadKind::Xml, 1);
    let parameters = export(encoder);
    let matrices = tensor_shapes(&config).into_iter().map(|tensor| {
        let found = tensor.name.strip_prefix("encoder.").and_then(|path| parameters.get(path));
        let data = match found {
            Some(values) if tensor.role == Role::Linear => values.transposed().data,
            Some(values) => values.data.clone(),
            None => vec![0.0; tensor.rows * tensor.cols],
        };
        (tensor.name, Matrix::new(tensor.rows, tensor.cols, &data, Precision::F32))
    });
    let engine =
        CpuEngine::new(&config, matrices.collect(), 1).context("the frozen layers on the CPU engine")?;
    let progress = Mutex::new(progress);
    Ok((0..count)
        .into_par_iter()
        .map_init(
            || Workspace::new(1),
            |workspace, row| {
                let ids = window(row);
                let mut hidden = Vec::new();
                engine.model().encode(&ids, &vec![0; ids.len()], workspace, &mut hidden);
                progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner).advance(1);
                hidden
            },
        )
        .collect())
}

#[cfg(test)]
mod tests {
    use bert_xml_core::data::TokenStore;
    use bert_xml_core::model::Inputs;
    use bert_xml_core::text::SpecialTokens;
    use burn::tensor::Device;

    use super::*;
    use crate::context::Context;
    use crate::progress::{ProgressMode, Unit};
    use crate::train::examples::Examples;
    use crate::train::tokens::{NoteTokens, TokenizedSplit};

    #[test]
    fn both_engines_give_the_states_of_the_first_layers() {
        let shape = EncoderConfig {
            vocab_size: 30,
            hidden_size: 16,
            num_hidden_layers: 3,
            num_attention_heads: 4,
            intermediate_size: 24,
            max_position_embeddings: 12,
            initializer_range: 0.3,
            ..EncoderConfig::default()
        };
        let device = Device::flex();
        let encoder = shape.init(&device).unwrap();
        let mut tokens = TokenStore::default();
        for ids in [vec![7, 8, 9, 10, 11], vec![12; 14], vec![13]] {
            tokens.push(&ids);
        }
        let tokens = NoteTokens::Held { tokens, note_ids: Vec::new() };
        let split = TokenizedSplit { tokens, gold: vec![Vec::new(); 3], outside: 0 };
        let special = SpecialTokens { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 };
        let examples = Examples::new(&split, special, 12, 10);
        assert_eq!(examples.all.len(), 4);
        let context = Context { progress: ProgressMode::None, ..Context::default() };
        let mut progress = context.start("frozen", None, Unit::Notes);
        for layers in [1, 3] {
            let found =
                states(&encoder, &shape, layers, (4, |row| examples.window(row)), &mut progress).unwrap();
            for (row, found) in found.iter().enumerate() {
                let inputs = Inputs::new(&examples.batch(&[row as u32]), &device);
                let hidden = encoder.forward_first(inputs.ids, inputs.segments, inputs.keep, layers);
                let wanted: Vec<f32> = hidden.into_data().try_to_vec().unwrap();
                assert_eq!(found.len(), examples.lengths[row] as usize * 16);
                for (found, wanted) in found.iter().zip(&wanted) {
                    assert!((found - wanted).abs() < 1e-3, "{found} {wanted}");
                }
            }
        }
    }
}
