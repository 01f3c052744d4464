//! The parts of a model that are stored finer or coarser together.

use std::collections::BTreeMap;

use bert_xml_core::quantization::{Matrix, Precision};

/// Tensors whose products run in the same arithmetic or depend on each other: a layer's attention, its feed-forward
/// layer, or a tensor of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The names' pattern, as `--keep-f32` takes it.
    pub pattern: String,
    /// The tensors in it that are stored in integers.
    pub tensors: Vec<String>,
    /// Bytes that half precision would take more.
    pub bytes: usize,
}

/// The parts that have tensors in integers, in the order of names.
pub(super) fn parts_in_integers(tensors: &BTreeMap<String, Matrix>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for (name, matrix) in tensors {
        if !matches!(matrix.precision(), Precision::Int8 | Precision::Int4) {
            continue;
        }
        let pattern = pattern_of(name);
        let bytes = (2 * matrix.rows * matrix.cols).saturating_sub(matrix.bytes());
        match parts.iter_mut().find(|part| part.pattern == pattern) {
            Some(part) => {
                part.tensors.push(name.clone());
                part.bytes += bytes;
            }
            None => parts.push(Part { pattern, tensors: vec![name.clone()], bytes }),
        }
    }
    parts
}

fn pattern_of(name: &str) -> String {
    let whole = [".attention.", ".feed_forward."];
    match whole.iter().find_map(|part| Some((name.split_once(part)?.0, part))) {
        Some((layer, part)) => format!("{layer}{part}*"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::names::Names;
    use super::*;

    #[test]
    fn a_layer_has_two_parts_and_a_table_is_its_own() {
        let matrix = |precision| Matrix::new(2, 4, &[0.5; 8], precision);
        let tensors: BTreeMap<String, Matrix> = [
            ("encoder.embeddings.position.weight", Precision::F16),
            ("encoder.embeddings.word.weight", Precision::Int8),
            ("encoder.layers.0.attention.key.weight", Precision::Int8),
            ("encoder.layers.0.attention.value.weight", Precision::F32),
            ("encoder.layers.0.attention.query.weight", Precision::Int8),
            ("encoder.layers.0.feed_forward.output.weight", Precision::Int4),
            ("encoder.layers.10.attention.key.weight", Precision::Int8),
        ]
        .map(|(name, precision)| (name.to_owned(), matrix(precision)))
        .into();
        let parts = parts_in_integers(&tensors);
        let told: Vec<(&str, usize, usize)> =
            parts.iter().map(|part| (part.pattern.as_str(), part.tensors.len(), part.bytes)).collect();
        assert_eq!(
            told,
            [
                ("encoder.embeddings.word.weight", 1, 0), // eight integers and two scales take as much
                ("encoder.layers.0.attention.*", 2, 0),
                ("encoder.layers.0.feed_forward.*", 1, 8),
                ("encoder.layers.10.attention.*", 1, 0),
            ]
        );
        for part in &parts {
            assert!(part.tensors.iter().all(|name| Names(vec![part.pattern.clone()]).have(name)));
        }
    }
}
