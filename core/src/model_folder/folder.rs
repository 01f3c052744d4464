//! Reading and writing the folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use burn::tensor::Device;
use sha2::{Digest, Sha256};

use super::error::ModelFolderError;
use super::manifest::{FileEntry, LABELS, MANIFEST, Manifest, TOKENIZER, WEIGHTS};
use super::shipped::{SHIPPED_MANIFEST, ShippedModel};
use crate::codes::{CodeSystem, LabelSet};
use crate::model::BertXml;
use crate::model::parameters::{Values, export, import};
use crate::model::weights::{read_weights, write_weights};
use crate::text::Tokenizer;

/// A trained model with everything that prediction needs, off any device.
#[derive(Clone, Debug)]
pub struct ModelFolder {
    /// What `model.json` says.
    pub manifest: Manifest,
    /// The vocabulary.
    pub tokenizer: Tokenizer,
    /// The outputs' codes.
    pub labels: LabelSet,
    /// All parameters by the paths of [`BertXml`].
    pub parameters: BTreeMap<String, Values>,
}

impl ModelFolder {
    /// Takes the parameters of a model. `manifest.files` and `manifest.systems` are filled in by writing.
    ///
    /// # Errors
    /// A manifest, label set or vocabulary that does not fit the model.
    pub fn of_model(
        model: &BertXml,
        manifest: Manifest,
        tokenizer: Tokenizer,
        labels: LabelSet,
    ) -> Result<Self, ModelFolderError> {
        let folder = Self { manifest, tokenizer, labels, parameters: export(model) };
        folder.validate()?;
        Ok(folder)
    }

    /// Reads a folder of either format; a shipped model's weights become f32.
    ///
    /// # Errors
    /// See [`ModelFolder::from_files`].
    pub fn read(folder: &Path) -> Result<Self, ModelFolderError> {
        if folder.join(SHIPPED_MANIFEST).is_file() {
            return Ok(ShippedModel::read(folder)?.to_folder());
        }
        Self::from_files(|name| fs::read(folder.join(name)))
    }

    /// Reads a folder whose files `get` hands out by name, wherever they are. Size and hash of every file are
    /// checked before it is parsed.
    ///
    /// # Errors
    /// A file that is missing, damaged, foreign, newer than this release, or that does not fit the others.
    pub fn from_files(get: impl Fn(&str) -> io::Result<Vec<u8>>) -> Result<Self, ModelFolderError> {
        match get(SHIPPED_MANIFEST) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            _ => return Ok(ShippedModel::from_files(get)?.to_folder()),
        }
        let get = |name: &str| {
            get(name).map_err(|source| match source.kind() {
                io::ErrorKind::NotFound => ModelFolderError::Missing { file: name.to_owned() },
                _ => ModelFolderError::Io { file: name.to_owned(), source },
            })
        };
        let manifest = Manifest::from_json(&get(MANIFEST)?)?;
        let checked = |name: &str| {
            let wanted = manifest.files.get(name).ok_or_else(|| ModelFolderError::Field {
                field: "files",
                value: format!("{:?}", manifest.files.keys().collect::<Vec<_>>()),
                rule: format!("must list {name}"),
            })?;
            let bytes = get(name)?;
            let found = entry(&bytes);
            let damaged = |what, found, wanted| {
                Err(ModelFolderError::Damaged { file: name.to_owned(), what, found, wanted })
            };
            if found.bytes != wanted.bytes {
                return damaged("size in bytes", found.bytes.to_string(), wanted.bytes.to_string());
            }
            if found.sha256 != wanted.sha256 {
                return damaged("sha256", found.sha256, wanted.sha256.clone());
            }
            Ok(bytes)
        };
        let tokenizer = Tokenizer::from_json_bytes(&checked(TOKENIZER)?)?;
        let labels = LabelSet::from_tsv(&checked(LABELS)?)?;
        let (parameters, others) = read_weights(&checked(WEIGHTS)?)?;
        if let Some(other) = others.into_iter().next() {
            return Err(ModelFolderError::Surplus(other));
        }
        let finite = |values: &Values| values.data.iter().all(|value| value.is_finite());
        if let Some((tensor, _)) = parameters.iter().find(|(_, values)| !finite(values)) {
            return Err(ModelFolderError::NotFinite { tensor: tensor.clone() });
        }
        let folder = Self { manifest, tokenizer, labels, parameters };
        folder.validate()?;
        Ok(folder)
    }

    /// Writes into a folder that is there, or made. The same model gives the same bytes.
    ///
    /// # Errors
    /// Parts that do not fit each other; a file that cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), ModelFolderError> {
        let io = |file: &str, source| ModelFolderError::Io { file: file.to_owned(), source };
        fs::create_dir_all(folder).map_err(|source| io(&folder.display().to_string(), source))?;
        for (name, bytes) in self.to_files()? {
            fs::write(folder.join(name), bytes).map_err(|source| io(name, source))?;
        }
        Ok(())
    }

    /// The files by name, `model.json` last: where it is, the others are too.
    ///
    /// # Errors
    /// Parts that do not fit each other.
    pub fn to_files(&self) -> Result<Vec<(&'static str, Vec<u8>)>, ModelFolderError> {
        self.validate()?;
        let mut files = vec![
            (TOKENIZER, self.tokenizer.to_json()?.into_bytes()),
            (LABELS, self.labels.to_tsv().into_bytes()),
            (WEIGHTS, write_weights(&self.parameters)),
        ];
        let mut manifest = self.manifest.clone();
        manifest.files = files.iter().map(|(name, bytes)| ((*name).to_owned(), entry(bytes))).collect();
        manifest.systems = systems(&self.labels);
        files.push((MANIFEST, manifest.to_json().into_bytes()));
        Ok(files)
    }

    /// The model on a device.
    ///
    /// # Errors
    /// A parameter that is missing, has another shape, or that the model does not have.
    pub fn to_model(&self, device: &Device) -> Result<BertXml, ModelFolderError> {
        let mut parameters = self.parameters.clone();
        let model = import(self.manifest.model.init(device)?, &mut parameters)?;
        parameters.into_keys().next().map_or(Ok(model), |path| Err(ModelFolderError::Surplus(path)))
    }

    pub(crate) fn validate(&self) -> Result<(), ModelFolderError> {
        self.manifest.validate()?;
        let (found, wanted) = (self.labels.len(), self.manifest.model.labels);
        if found != wanted {
            return Err(ModelFolderError::LabelCount { found, wanted });
        }
        let (found, wanted) = (self.tokenizer.vocab_size(), self.manifest.model.encoder.vocab_size);
        if found > wanted {
            return Err(ModelFolderError::VocabSize { found, wanted });
        }
        Ok(())
    }
}

fn entry(bytes: &[u8]) -> FileEntry {
    let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    FileEntry { bytes: bytes.len() as u64, sha256 }
}

pub(super) fn systems(labels: &LabelSet) -> Vec<CodeSystem> {
    let mut systems = Vec::new();
    for label in labels {
        if !systems.contains(&label.system) {
            systems.push(label.system.clone());
        }
    }
    systems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::pad_windows;
    use crate::model::{EncoderConfig, HeadKind, Inputs, ModelConfig};

    type Files = BTreeMap<String, Vec<u8>>;

    fn model_and_folder(head: HeadKind) -> (BertXml, ModelFolder) {
        let encoder = EncoderConfig {
            vocab_size: 7,
            hidden_size: 8,
            num_hidden_layers: 1,
            num_attention_heads: 2,
            intermediate_size: 12,
            max_position_embeddings: 16,
            ..EncoderConfig::default()
        };
        let tokenizer = Tokenizer::from_vocab("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nfever\n", true).unwrap();
        let labels = b"system\tcode\tdescription\nicd10cm\tI10\tHypertension\nmeddra\t10019211\tHeadache\n";
        let config = ModelConfig::new(encoder, head, 2);
        let model = config.init(&Device::flex()).unwrap();
        let labels = LabelSet::from_tsv(labels).unwrap();
        let folder = ModelFolder::of_model(&model, Manifest::new(config), tokenizer, labels).unwrap();
        (model, folder)
    }

    fn files(folder: &ModelFolder) -> Files {
        folder.to_files().unwrap().into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect()
    }

    fn read(files: &Files) -> Result<ModelFolder, ModelFolderError> {
        ModelFolder::from_files(|name| files.get(name).cloned().ok_or(io::ErrorKind::NotFound.into()))
    }

    /// Files in which one is replaced and the manifest agrees.
    fn with(mut files: Files, name: &str, bytes: Vec<u8>) -> Files {
        let mut manifest = Manifest::from_json(&files[MANIFEST]).unwrap();
        manifest.files.insert(name.to_owned(), entry(&bytes));
        files.insert(name.to_owned(), bytes);
        files.insert(MANIFEST.to_owned(), manifest.to_json().into_bytes());
        files
    }

    #[test]
    fn a_saved_model_has_the_same_bits_and_says_the_same() {
        for head in [HeadKind::Xml, HeadKind::Cls] {
            let (model, folder) = model_and_folder(head);
            let written = files(&folder);
            let back = read(&written).unwrap();
            assert_eq!(back.parameters, export(&model));
            assert_eq!(back.labels, folder.labels);
            assert_eq!(back.manifest.systems, [CodeSystem::Icd10cm, CodeSystem::Meddra]);
            assert_eq!(files(&back), written, "the same bytes again");
            let device = Device::flex();
            let batch = pad_windows(&[vec![2, 5, 6, 3], vec![2, 5, 3]], &folder.tokenizer.special(), 1, 16);
            let logits = |model: &BertXml| {
                model.forward(&Inputs::new(&batch, &device), 1).into_data().try_to_vec::<f32>().unwrap()
            };
            assert_eq!(logits(&back.to_model(&device).unwrap()), logits(&model));
        }
    }

    #[test]
    fn a_file_that_is_missing_short_or_changed_is_named() {
        let whole = files(&model_and_folder(HeadKind::Xml).1);
        for name in [MANIFEST, TOKENIZER, LABELS, WEIGHTS] {
            let mut files = whole.clone();
            files.remove(name);
            assert!(matches!(read(&files), Err(ModelFolderError::Missing { file }) if file == name));
        }
        for name in [TOKENIZER, LABELS, WEIGHTS] {
            let mut files = whole.clone();
            files.get_mut(name).unwrap().pop();
            let error = read(&files).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{name} is damaged: size in bytes is ")), "{error}");
            let mut files = whole.clone();
            *files.get_mut(name).unwrap().last_mut().unwrap() ^= 1;
            let error = read(&files).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{name} is damaged: sha256 is ")), "{error}");
        }
    }

    #[test]
    fn files_of_another_model_are_named() {
        let whole = files(&model_and_folder(HeadKind::Xml).1);
        let one = b"system\tcode\tdescription\nicd10cm\tI10\t\n".to_vec();
        assert_eq!(
            read(&with(whole.clone(), LABELS, one)).unwrap_err().to_string(),
            "labels.tsv has 1 labels, the model has 2 outputs"
        );
        let vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\n";
        let tokenizer = Tokenizer::from_vocab(vocab, true).unwrap().to_json().unwrap();
        assert_eq!(
            read(&with(whole.clone(), TOKENIZER, tokenizer.into_bytes())).unwrap_err().to_string(),
            "tokenizer.json has 8 tokens, the model has embeddings for 7"
        );
        let cls = files(&model_and_folder(HeadKind::Cls).1);
        let foreign = read(&with(whole.clone(), WEIGHTS, cls[WEIGHTS].clone())).unwrap();
        let error = foreign.to_model(&Device::flex()).unwrap_err();
        assert!(matches!(error, ModelFolderError::Parameter(_)), "{error:?}");
        let mut surplus = read(&whole).unwrap();
        surplus.parameters.insert("third.head".to_owned(), Values { shape: vec![1], data: vec![0.0] });
        let error = surplus.to_model(&Device::flex()).unwrap_err();
        assert_eq!(error.to_string(), "weights.safetensors: the model has no parameter third.head");
    }

    #[test]
    fn a_folder_on_disk_is_read_back() {
        let place = std::env::temp_dir().join(format!("bert-xml-model-folder-{}", std::process::id()));
        let (_, folder) = model_and_folder(HeadKind::Xml);
        folder.write(&place).unwrap();
        let back = ModelFolder::read(&place);
        fs::remove_dir_all(&place).unwrap();
        assert_eq!(back.unwrap().parameters, folder.parameters);
        assert!(matches!(ModelFolder::read(&place), Err(ModelFolderError::Missing { .. })));
    }
}
