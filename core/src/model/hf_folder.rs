//! A Hugging Face BERT checkpoint as a folder: `config.json`, `model.safetensors`, `vocab.txt` and/or
//! `tokenizer.json`. Read with or without the `bert.` prefix and the pretraining heads, in f32, f16 or bf16;
//! written so that `transformers` loads it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::config::{ConfigError, EncoderConfig};
use super::encoder::Encoder;
use super::hf::{export_names, import_names, their_name_of, their_shape};
use super::hf_config::{read_config, write_config};
pub use super::hf_error::HfFolderError;
use super::hf_shapes::{encoder_shapes, mlm_shapes, nsp_shapes, pooler_shapes};
use super::hf_tokenizer::{read_tokenizer, write_tokenizer};
use super::parameters::{Values, export, import};
use super::pretrain::PretrainModel;
use super::weights::{read_weights, write_weights};
use crate::text::Tokenizer;

const CONFIG: &str = "config.json";
/// The file of the weights.
pub const WEIGHTS: &str = "model.safetensors";
pub(super) const POSITIONS: &str = "encoder.embeddings.position.weight";
pub(super) const WORDS: &str = "encoder.embeddings.word.weight";

/// A BERT checkpoint, read.
#[derive(Clone, Debug)]
pub struct HfBert {
    /// The encoder's shape.
    pub config: EncoderConfig,
    /// The vocabulary with its settings.
    pub tokenizer: Tokenizer,
    /// Parameters by the paths of [`PretrainModel`]: the whole encoder, and each head that is there as a whole.
    pub parameters: BTreeMap<String, Values>,
    /// Whether the masked language model's head is there.
    pub has_mlm: bool,
    /// Whether the next-sentence head is there.
    pub has_nsp: bool,
    /// Whether the pooler is there.
    pub has_pooler: bool,
    /// Tensors that have no place in a BERT of ours (heads of other tasks, incomplete heads, position ids).
    pub unused: Vec<String>,
}

impl HfBert {
    /// Reads a folder.
    ///
    /// # Errors
    /// A file that is missing or damaged, a configuration, tokenizer or tensor that does not fit; each names the
    /// file, the value and the rule.
    pub fn read(folder: &Path) -> Result<Self, HfFolderError> {
        let config = read_config(&read(&folder.join(CONFIG))?)
            .map_err(|source| HfFolderError::Config { folder: folder.to_owned(), source })?;
        let tokenizer = read_tokenizer(folder)?;
        if tokenizer.vocab_size() > config.vocab_size {
            let (tokens, vocab_size) = (tokenizer.vocab_size(), config.vocab_size);
            return Err(HfFolderError::VocabSize { tokens, vocab_size });
        }
        let path = folder.join(WEIGHTS);
        for found in
            ["model.safetensors.index.json", "pytorch_model.bin", "tf_model.h5", "flax_model.msgpack"]
        {
            if !path.exists() && folder.join(found).exists() {
                return Err(HfFolderError::OtherWeights { folder: folder.to_owned(), found });
            }
        }
        let (checkpoint, others) = read_weights(&read(&path)?)
            .map_err(|source| HfFolderError::Weights { path: path.clone(), source })?;
        Self::from_checkpoint(config, tokenizer, checkpoint, others, path)
    }

    fn from_checkpoint(
        config: EncoderConfig,
        tokenizer: Tokenizer,
        mut checkpoint: BTreeMap<String, Values>,
        mut unused: Vec<String>,
        path: PathBuf,
    ) -> Result<Self, HfFolderError> {
        let tensors = checkpoint.len() + unused.len();
        // Before shapes are listed: a configuration can name any number of layers.
        if config.num_hidden_layers > tensors {
            let name = format!("encoder.layer.{}.attention.self.query.weight", config.num_hidden_layers - 1);
            return Err(HfFolderError::Missing { path, name, tensors });
        }
        let decoder = checkpoint.remove("cls.predictions.decoder.weight");
        let decoder_bias = checkpoint.remove("cls.predictions.decoder.bias");
        let (mut parameters, foreign) = import_names(checkpoint);
        unused.extend(foreign);
        // The decoder is tied to the word embeddings: a copy of them says nothing new.
        if decoder.is_some_and(|decoder| parameters.get(WORDS) != Some(&decoder)) {
            unused.push("cls.predictions.decoder.weight".to_owned());
        }
        if let Some(bias) = decoder_bias
            && *parameters.entry("mlm.bias".to_owned()).or_insert_with(|| bias.clone()) != bias
        {
            unused.push("cls.predictions.decoder.bias".to_owned());
        }
        let mut whole = BTreeMap::new();
        let mut take = |wanted: Vec<(String, Vec<usize>)>| {
            let missing = wanted.iter().find(|(path, _)| !parameters.contains_key(path));
            if let Some((missing, _)) = missing {
                return Ok(Some(missing.clone()));
            }
            for (parameter, wanted) in wanted {
                let values = parameters.remove(&parameter).expect("checked above");
                if values.shape != wanted {
                    let name = their_name_of(&parameter);
                    let [found, wanted] = [values.shape, wanted].map(|shape| their_shape(&parameter, shape));
                    return Err(HfFolderError::Shape { path: path.clone(), name, found, wanted });
                }
                whole.insert(parameter, values);
            }
            Ok(None)
        };
        if let Some(missing) = take(encoder_shapes(&config))? {
            return Err(HfFolderError::Missing { path, name: their_name_of(&missing), tensors });
        }
        let has_pooler = take(pooler_shapes(&config))?.is_none();
        let has_mlm = take(mlm_shapes(&config))?.is_none();
        let has_nsp = take(nsp_shapes(&config))?.is_none();
        unused.extend(parameters.into_keys().map(|path| their_name_of(&path)));
        unused.sort();
        Ok(Self { config, tokenizer, parameters: whole, has_mlm, has_nsp, has_pooler, unused })
    }

    /// Gives the encoder `to` positions; new ones are drawn from N(0, `initializer_range`), as the paper does to
    /// reach 1,024 from 512. The old ones stay, and the same seed draws the same bits on every machine.
    ///
    /// # Errors
    /// Fewer positions than there are: they are never cut.
    pub fn extend_positions(&mut self, to: usize, seed: u64) -> Result<(), ConfigError> {
        if to < self.config.max_position_embeddings {
            return Err(ConfigError {
                field: "encoder.max_position_embeddings",
                value: to.to_string(),
                rule: "must be at least what the checkpoint has: positions are added, not cut",
            });
        }
        let new = (to - self.config.max_position_embeddings) * self.config.hidden_size;
        let rows = self.parameters.get_mut(POSITIONS).expect("a read checkpoint has positions");
        rows.data.extend(normals(new, self.config.initializer_range, seed));
        rows.shape[0] = to;
        self.config.max_position_embeddings = to;
        Ok(())
    }

    /// The encoder on a device.
    ///
    /// # Errors
    /// Only where `config` or `parameters` were changed by hand.
    pub fn into_encoder(self, device: &Device) -> Result<Encoder, HfFolderError> {
        let encoder = self.config.init(device)?;
        let mut parameters = self
            .parameters
            .into_iter()
            .filter_map(|(path, values)| Some((path.strip_prefix("encoder.")?.to_owned(), values)))
            .collect();
        Ok(import(encoder, &mut parameters)?)
    }

    /// Encoder and pretraining heads on a device, and the names of the heads that are freshly drawn because the
    /// checkpoint lacks them.
    ///
    /// # Errors
    /// Only where `config` or `parameters` were changed by hand.
    pub fn into_pretrain(self, device: &Device) -> Result<(PretrainModel, Vec<&'static str>), HfFolderError> {
        let model = PretrainModel::new(&self.config, device)?;
        let mut parameters = self.parameters;
        let heads = [("pooler", self.has_pooler), ("mlm", self.has_mlm), ("nsp", self.has_nsp)];
        let drawn: Vec<_> = heads.into_iter().filter(|(_, there)| !there).map(|(name, _)| name).collect();
        for head in &drawn {
            let fresh = match *head {
                "pooler" => export(&model.pooler),
                "mlm" => export(&model.mlm),
                _ => export(&model.nsp),
            };
            parameters.extend(fresh.into_iter().map(|(path, values)| (format!("{head}.{path}"), values)));
        }
        Ok((import(model, &mut parameters)?, drawn))
    }
}

/// Whether a folder looks like a Hugging Face checkpoint: it has a `config.json`.
pub fn is_hf_folder(folder: &Path) -> bool {
    folder.join(CONFIG).is_file()
}

/// Writes parameters by the paths of [`PretrainModel`] (the encoder, and any of its heads) into a folder that is
/// there. What BERT does not have is left out. The same input gives the same bytes.
///
/// Loaded by `transformers` as `BertForPreTraining` with both heads, `BertForMaskedLM` with that head alone,
/// `BertModel` otherwise.
///
/// # Errors
/// A file that cannot be written; a tokenizer that cannot.
pub fn write_hf_folder(
    folder: &Path,
    config: &EncoderConfig,
    tokenizer: &Tokenizer,
    parameters: &BTreeMap<String, Values>,
) -> Result<(), HfFolderError> {
    let has = |head: &str| parameters.keys().any(|path| path.starts_with(head));
    let architecture = match (has("mlm."), has("nsp.")) {
        (true, true) => "BertForPreTraining",
        (true, false) => "BertForMaskedLM",
        (false, _) => "BertModel",
    };
    let mut checkpoint = export_names(parameters);
    if architecture == "BertModel" {
        checkpoint = checkpoint
            .into_iter()
            .filter_map(|(name, values)| Some((name.strip_prefix("bert.")?.to_owned(), values)))
            .collect();
    }
    write(&folder.join(CONFIG), write_config(config, architecture, tokenizer.special().pad).as_bytes())?;
    write_tokenizer(folder, tokenizer, config.max_position_embeddings)?;
    write(&folder.join(WEIGHTS), &write_weights(&checkpoint))
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, HfFolderError> {
    fs::read(path).map_err(|source| HfFolderError::Io { path: path.to_owned(), source })
}

pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), HfFolderError> {
    fs::write(path, content).map_err(|source| HfFolderError::Io { path: path.to_owned(), source })
}

/// `count` draws of N(0, `std`) by Box and Muller.
fn normals(count: usize, std: f64, seed: u64) -> Vec<f32> {
    let mut stream = ChaCha8Rng::seed_from_u64(seed);
    let mut draws = Vec::with_capacity(count + 1);
    while draws.len() < count {
        // 1 − u lies in (0, 1], so that the logarithm is finite.
        let radius = std * (-2.0 * (1.0 - stream.random::<f64>()).ln()).sqrt();
        let angle = std::f64::consts::TAU * stream.random::<f64>();
        draws.extend([(radius * angle.cos()) as f32, (radius * angle.sin()) as f32]);
    }
    draws.truncate(count);
    draws
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> EncoderConfig {
        EncoderConfig {
            vocab_size: 7,
            hidden_size: 8,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            intermediate_size: 12,
            max_position_embeddings: 16,
            ..EncoderConfig::default()
        }
    }

    fn tokenizer() -> Tokenizer {
        Tokenizer::from_vocab("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nfever\n", true).unwrap()
    }

    fn bert(parameters: &BTreeMap<String, Values>) -> Result<HfBert, HfFolderError> {
        let checkpoint = export_names(parameters);
        HfBert::from_checkpoint(config(), tokenizer(), checkpoint, Vec::new(), PathBuf::from("m"))
    }

    #[test]
    fn heads_that_are_missing_are_drawn_and_named_and_half_a_head_is_unused() {
        let device = Device::flex();
        let mut ours = export(&PretrainModel::new(&config(), &device).unwrap());
        let whole = bert(&ours).unwrap();
        assert!(whole.has_mlm && whole.has_nsp && whole.has_pooler && whole.unused.is_empty());
        assert_eq!(whole.parameters, ours);
        let (model, drawn) = whole.into_pretrain(&device).unwrap();
        assert!(drawn.is_empty());
        assert_eq!(export(&model), ours);

        ours.remove("mlm.norm.gamma");
        ours.remove("nsp.weight");
        ours.remove("nsp.bias");
        let part = bert(&ours).unwrap();
        assert!(!part.has_mlm && !part.has_nsp && part.has_pooler);
        assert_eq!(part.unused.len(), 4, "what is left of the head: {:?}", part.unused);
        assert!(part.unused.contains(&"cls.predictions.transform.LayerNorm.bias".to_owned()));
        let (model, drawn) = part.into_pretrain(&device).unwrap();
        assert_eq!(drawn, ["mlm", "nsp"]);
        ours.retain(|path, _| path.starts_with("encoder."));
        let encoder: BTreeMap<String, Values> = export(&model.encoder)
            .into_iter()
            .map(|(path, values)| (format!("encoder.{path}"), values))
            .collect();
        assert_eq!(encoder, ours);
    }

    #[test]
    fn a_missing_or_misshapen_tensor_is_named_as_in_the_file() {
        let mut ours = export(&PretrainModel::new(&config(), &Device::flex()).unwrap());
        let path = "encoder.layers.1.attention.query.weight";
        let query = ours.remove(path).unwrap();
        assert_eq!(
            bert(&ours).unwrap_err().to_string(),
            "m: the tensor encoder.layer.1.attention.self.query.weight is missing; the file has 46 tensors"
        );
        ours.insert(path.to_owned(), Values { shape: vec![4, 16], data: query.data });
        assert_eq!(
            bert(&ours).unwrap_err().to_string(),
            "m: the tensor encoder.layer.1.attention.self.query.weight has shape [16, 4], by config.json it must \
             be [8, 8]"
        );
    }

    #[test]
    fn new_positions_are_random_by_seed_and_old_ones_stay() {
        let ours = export(&PretrainModel::new(&config(), &Device::flex()).unwrap());
        let extended = |seed| {
            let mut bert = bert(&ours).unwrap();
            bert.extend_positions(1016, seed).unwrap();
            bert
        };
        let first = extended(1);
        let rows = &first.parameters[POSITIONS];
        assert_eq!((rows.shape.as_slice(), rows.data.len()), ([1016, 8].as_slice(), 1016 * 8));
        assert_eq!(rows.data[..128], ours[POSITIONS].data);
        let new = &rows.data[128..];
        let mean = new.iter().sum::<f32>() / 8000.0;
        let std = (new.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 8000.0).sqrt();
        // 8,000 draws: the mean within 4 · .02/√8000, the deviation within 4 · .02/√16000.
        assert!(mean.abs() < 9e-4 && (std - 0.02).abs() < 7e-4, "{mean} {std}");
        assert_eq!(extended(1).parameters, first.parameters);
        assert_ne!(extended(2).parameters, first.parameters);
        let encoder = first.clone().into_encoder(&Device::flex()).unwrap();
        assert_eq!(encoder.embeddings.position.weight.dims(), [1016, 8]);
        let error = { first }.extend_positions(512, 1).unwrap_err();
        assert!(error.to_string().starts_with("encoder.max_position_embeddings = 512: must be at least"));
    }
}
