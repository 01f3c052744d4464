//! Every parameter of [`super::pretrain::PretrainModel`] with its shape, known before anything is allocated.

use super::config::EncoderConfig;
use super::hf_folder::{POSITIONS, WORDS};

pub(super) type Shapes = Vec<(String, Vec<usize>)>;

fn linear(path: &str, d_in: usize, d_out: usize) -> Shapes {
    vec![(format!("{path}.weight"), vec![d_in, d_out]), (format!("{path}.bias"), vec![d_out])]
}

fn norm(path: &str, width: usize) -> Shapes {
    vec![(format!("{path}.gamma"), vec![width]), (format!("{path}.beta"), vec![width])]
}

/// Every parameter of an encoder with its shape.
pub(super) fn encoder_shapes(config: &EncoderConfig) -> Shapes {
    let (width, inner) = (config.hidden_size, config.intermediate_size);
    let mut shapes = vec![
        (WORDS.to_owned(), vec![config.vocab_size, width]),
        (POSITIONS.to_owned(), vec![config.max_position_embeddings, width]),
        ("encoder.embeddings.segment.weight".to_owned(), vec![config.type_vocab_size, width]),
    ];
    shapes.extend(norm("encoder.embeddings.norm", width));
    for layer in (0..config.num_hidden_layers).map(|layer| format!("encoder.layers.{layer}")) {
        for part in ["query", "key", "value", "output"] {
            shapes.extend(linear(&format!("{layer}.attention.{part}"), width, width));
        }
        shapes.extend(norm(&format!("{layer}.attention.norm"), width));
        shapes.extend(linear(&format!("{layer}.feed_forward.intermediate"), width, inner));
        shapes.extend(linear(&format!("{layer}.feed_forward.output"), inner, width));
        shapes.extend(norm(&format!("{layer}.feed_forward.norm"), width));
    }
    shapes
}

/// `pooler`.
pub(super) fn pooler_shapes(config: &EncoderConfig) -> Shapes {
    linear("pooler.dense", config.hidden_size, config.hidden_size)
}

/// `mlm`, the tied decoder left out.
pub(super) fn mlm_shapes(config: &EncoderConfig) -> Shapes {
    let mut shapes = linear("mlm.dense", config.hidden_size, config.hidden_size);
    shapes.extend(norm("mlm.norm", config.hidden_size));
    shapes.push(("mlm.bias".to_owned(), vec![config.vocab_size]));
    shapes
}

/// `nsp`.
pub(super) fn nsp_shapes(config: &EncoderConfig) -> Shapes {
    linear("nsp", config.hidden_size, 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::parameters::export;
    use crate::model::pretrain::PretrainModel;
    use burn::tensor::Device;
    use std::collections::BTreeMap;

    #[test]
    fn the_shapes_are_those_of_the_module() {
        let config = EncoderConfig {
            vocab_size: 7,
            hidden_size: 8,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            intermediate_size: 12,
            max_position_embeddings: 16,
            ..EncoderConfig::default()
        };
        let ours = export(&PretrainModel::new(&config, &Device::flex()).unwrap());
        let of = |shapes: Shapes| shapes.into_iter().collect::<BTreeMap<_, _>>();
        let mut shapes = of(encoder_shapes(&config));
        shapes.extend(of(pooler_shapes(&config)));
        shapes.extend(of(mlm_shapes(&config)));
        shapes.extend(of(nsp_shapes(&config)));
        let wanted: BTreeMap<_, _> = ours.into_iter().map(|(path, values)| (path, values.shape)).collect();
        assert_eq!(shapes, wanted);
    }
}
