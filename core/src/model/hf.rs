//! Names of a Hugging Face BERT checkpoint and ours, both ways.
//!
//! Linear weights are `[d_out, d_in]` there and `[d_in, d_out]` here; LayerNorm's `gamma`/`beta` are `weight`
//! and `bias` there (old checkpoints use our names). Source: `transformers`, `models/bert/modeling_bert.py`.

use std::collections::BTreeMap;

use super::parameters::Values;

/// Renames a checkpoint's parameters to the paths of [`super::pretrain::PretrainModel`], with or without the
/// `bert.` prefix and the pretraining heads. Returns the parameters and the names that have no place here
/// (position ids, the decoder tied to the word embeddings, heads of other tasks, a second name of one parameter).
pub fn import_names(checkpoint: BTreeMap<String, Values>) -> (BTreeMap<String, Values>, Vec<String>) {
    let mut ours = BTreeMap::new();
    let mut unused = Vec::new();
    for (name, values) in checkpoint {
        match our_path(&name) {
            // Two names of one parameter (with and without `bert.`, old and new LayerNorm): the first stays.
            Some((path, _)) if ours.contains_key(&path) => unused.push(name),
            Some((path, Axes::Swapped)) if values.shape.len() == 2 => {
                ours.insert(path, values.transposed());
            }
            Some((path, _)) => {
                ours.insert(path, values);
            }
            None => unused.push(name),
        }
    }
    (ours, unused)
}

/// Renames parameters of a [`super::pretrain::PretrainModel`] (or a part of it) to Hugging Face's names, with
/// the `bert.` prefix and the decoder's bias; its weight is tied to the word embeddings. Paths that BERT does not have are left out.
pub fn export_names(ours: &BTreeMap<String, Values>) -> BTreeMap<String, Values> {
    let mut checkpoint = BTreeMap::new();
    for (path, values) in ours {
        let Some((name, axes)) = their_name(path) else { continue };
        let values = match axes {
            Axes::Swapped => values.transposed(),
            Axes::Kept => values.clone(),
        };
        if path == "mlm.bias" {
            checkpoint.insert("cls.predictions.decoder.bias".to_owned(), values.clone());
        }
        checkpoint.insert(name, values);
    }
    checkpoint
}

/// Hugging Face's name of a path of ours, without `bert.`, for messages; the path itself where BERT has no such
/// parameter.
pub(super) fn their_name_of(path: &str) -> String {
    let name = their_name(path).map_or_else(|| path.to_owned(), |(name, _)| name);
    name.strip_prefix("bert.").unwrap_or(&name).to_owned()
}

/// The shape there of a parameter of ours.
pub(super) fn their_shape(path: &str, mut shape: Vec<usize>) -> Vec<usize> {
    if their_name(path).is_some_and(|(_, axes)| axes == Axes::Swapped) {
        shape.reverse();
    }
    shape
}

#[derive(Clone, Copy, PartialEq)]
enum Axes {
    Kept,
    Swapped,
}

/// (theirs, ours) of the parts whose leaf is `weight`/`bias`; `Swapped` marks linear layers.
const PARTS: [(&str, &str, Axes); 7] = [
    ("embeddings.word_embeddings", "encoder.embeddings.word", Axes::Kept),
    ("embeddings.position_embeddings", "encoder.embeddings.position", Axes::Kept),
    ("embeddings.token_type_embeddings", "encoder.embeddings.segment", Axes::Kept),
    ("pooler.dense", "pooler.dense", Axes::Swapped),
    ("cls.predictions.transform.dense", "mlm.dense", Axes::Swapped),
    ("cls.seq_relationship", "nsp", Axes::Swapped),
    ("cls.predictions", "mlm", Axes::Kept),
];
const NORMS: [(&str, &str); 2] = [
    ("embeddings.LayerNorm", "encoder.embeddings.norm"),
    ("cls.predictions.transform.LayerNorm", "mlm.norm"),
];
const LAYER_PARTS: [(&str, &str); 6] = [
    ("attention.self.query", "attention.query"),
    ("attention.self.key", "attention.key"),
    ("attention.self.value", "attention.value"),
    ("attention.output.dense", "attention.output"),
    ("intermediate.dense", "feed_forward.intermediate"),
    ("output.dense", "feed_forward.output"),
];
const LAYER_NORMS: [(&str, &str); 2] =
    [("attention.output.LayerNorm", "attention.norm"), ("output.LayerNorm", "feed_forward.norm")];

fn our_path(name: &str) -> Option<(String, Axes)> {
    let name = name.strip_prefix("bert.").unwrap_or(name);
    let (part, leaf) = name.rsplit_once('.')?;
    let norm_leaf = match leaf {
        "weight" | "gamma" => "gamma",
        "bias" | "beta" => "beta",
        _ => return None,
    };
    if let Some(rest) = part.strip_prefix("encoder.layer.") {
        let (index, part) = rest.split_once('.')?;
        index.parse::<usize>().ok()?;
        if let Some((_, ours)) = LAYER_NORMS.iter().find(|(theirs, _)| *theirs == part) {
            return Some((format!("encoder.layers.{index}.{ours}.{norm_leaf}"), Axes::Kept));
        }
        let (_, ours) = LAYER_PARTS.iter().find(|(theirs, _)| *theirs == part)?;
        return Some((format!("encoder.layers.{index}.{ours}.{leaf}"), Axes::Swapped));
    }
    if let Some((_, ours)) = NORMS.iter().find(|(theirs, _)| *theirs == part) {
        return Some((format!("{ours}.{norm_leaf}"), Axes::Kept));
    }
    let (_, ours, axes) = PARTS.iter().find(|(theirs, ..)| *theirs == part)?;
    Some((format!("{ours}.{leaf}"), *axes)).filter(|(path, _)| path != "mlm.weight")
}

fn their_name(path: &str) -> Option<(String, Axes)> {
    let (part, leaf) = path.rsplit_once('.')?;
    let norm_leaf = match leaf {
        "gamma" => "weight",
        "beta" => "bias",
        other => other,
    };
    let axes = |axes| if leaf == "weight" { axes } else { Axes::Kept };
    let prefix = |theirs: &str| if theirs.starts_with("cls.") { "" } else { "bert." };
    if let Some(rest) = part.strip_prefix("encoder.layers.") {
        let (index, part) = rest.split_once('.')?;
        if let Some((theirs, _)) = LAYER_NORMS.iter().find(|(_, ours)| *ours == part) {
            return Some((format!("bert.encoder.layer.{index}.{theirs}.{norm_leaf}"), Axes::Kept));
        }
        let (theirs, _) = LAYER_PARTS.iter().find(|(_, ours)| *ours == part)?;
        return Some((format!("bert.encoder.layer.{index}.{theirs}.{leaf}"), axes(Axes::Swapped)));
    }
    if let Some((theirs, _)) = NORMS.iter().find(|(_, ours)| *ours == part) {
        return Some((format!("{}{theirs}.{norm_leaf}", prefix(theirs)), Axes::Kept));
    }
    let (theirs, _, kind) = PARTS.iter().find(|(_, ours, _)| *ours == part)?;
    Some((format!("{}{theirs}.{leaf}", prefix(theirs)), axes(*kind)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::EncoderConfig;
    use crate::model::parameters::{export, import};
    use crate::model::pretrain::PretrainModel;
    use burn::tensor::Device;

    fn config() -> EncoderConfig {
        EncoderConfig {
            vocab_size: 11,
            hidden_size: 8,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            intermediate_size: 12,
            max_position_embeddings: 16,
            ..EncoderConfig::default()
        }
    }

    #[test]
    fn every_parameter_has_a_name_there_and_comes_back_bit_for_bit() {
        let device = Device::flex();
        let model = PretrainModel::new(&config(), &device).unwrap();
        let ours = export(&model);
        let theirs = export_names(&ours);
        assert_eq!(theirs.len(), ours.len() + 1, "all parameters and the tied decoder's bias");
        assert_eq!(theirs["bert.encoder.layer.1.intermediate.dense.weight"].shape, [12, 8]);
        let (mut back, unused) = import_names(theirs);
        assert_eq!(unused, ["cls.predictions.decoder.bias"]);
        assert_eq!(back, ours);
        let other = PretrainModel::new(&config(), &device).unwrap();
        assert_ne!(export(&other), ours);
        assert_eq!(export(&import(other, &mut back).unwrap()), ours);
        assert!(back.is_empty());
    }

    #[test]
    fn old_norm_names_and_a_missing_prefix_are_understood() {
        let values = Values { shape: vec![2], data: vec![1.0, 2.0] };
        let names = [
            ("encoder.layer.0.output.LayerNorm.gamma", "encoder.layers.0.feed_forward.norm.gamma"),
            ("bert.embeddings.LayerNorm.weight", "encoder.embeddings.norm.gamma"),
        ];
        for (theirs, ours) in names {
            let (renamed, unused) = import_names(BTreeMap::from([(theirs.to_owned(), values.clone())]));
            assert_eq!(renamed.keys().collect::<Vec<_>>(), [ours]);
            assert!(unused.is_empty());
        }
    }
}
