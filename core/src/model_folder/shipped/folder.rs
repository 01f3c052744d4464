//! A shipped model: from a training folder, to files and back.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use super::error::ShippedError;
use super::layout::{Role, TensorShape, aligned, stored_precision, tensor_shapes};
use super::manifest::{
    ListedFile, ListedLabels, ListedTensor, ModelCard, SCHEMA_VERSION, SHARD_BYTES, SHIPPED_FORMAT,
    SHIPPED_MANIFEST, ShippedManifest, TEXT_BYTES, is_shard_name, listed, shard_name,
};
use super::reader::ShippedReader;
use super::tensors::to_bytes;
use crate::codes::LabelSet;
use crate::model::parameters::Values;
use crate::model_folder::error::ModelFolderError;
use crate::model_folder::folder::{ModelFolder, systems};
use crate::model_folder::manifest::{LABELS, TOKENIZER};
use crate::quantization::{Matrix, Precision};
use crate::text::Tokenizer;

/// A model as it is shipped, off any device.
#[derive(Clone, Debug)]
pub struct ShippedModel {
    /// What `manifest.json` says; files, tensors and id are filled in by writing.
    pub manifest: ShippedManifest,
    /// The vocabulary.
    pub tokenizer: Tokenizer,
    /// The outputs' codes.
    pub labels: LabelSet,
    /// All parameters by the paths of [`crate::model::BertXml`]: linear weights `[d_out, d_in]`, tables and
    /// embeddings as they are, vectors as one row of f32.
    pub tensors: BTreeMap<String, Matrix>,
}

impl ShippedModel {
    /// Stores a trained model in a precision. `keep_f32` says which tensors stay in f32 all the same.
    ///
    /// # Errors
    /// A folder whose parts do not fit each other, or with a weight that is not finite.
    pub fn of_folder(
        folder: &ModelFolder,
        card: ModelCard,
        precision: Precision,
        keep_f32: impl Fn(&str) -> bool,
    ) -> Result<Self, ModelFolderError> {
        Self::with_precisions(folder, card, precision, |shape| {
            if keep_f32(&shape.name) { Precision::F32 } else { stored_precision(shape, precision) }
        })
    }

    /// As [`ShippedModel::of_folder`], each tensor in the precision that `of` gives it.
    ///
    /// # Errors
    /// As there.
    pub fn with_precisions(
        folder: &ModelFolder,
        card: ModelCard,
        precision: Precision,
        of: impl Fn(&TensorShape) -> Precision,
    ) -> Result<Self, ModelFolderError> {
        folder.validate()?;
        let training = &folder.manifest;
        let mut tensors = BTreeMap::new();
        for shape in tensor_shapes(&training.model) {
            let values = folder
                .parameters
                .get(&shape.name)
                .ok_or_else(|| crate::model::parameters::ParameterError::Missing(shape.name.clone()))?;
            let wanted = training_shape(&shape);
            if values.shape != wanted {
                let (path, found) = (shape.name.clone(), values.shape.clone());
                return Err(crate::model::parameters::ParameterError::Shape { path, found, wanted }.into());
            }
            if values.data.iter().any(|value| !value.is_finite()) {
                let rule = "a weight is not finite: the training diverged";
                let (file, tensor) = ("weights.safetensors".to_owned(), shape.name.clone());
                return Err(ShippedError::Values { file, tensor, rule }.into());
            }
            let kept = if shape.role == Role::Linear { values.transposed() } else { values.clone() };
            let matrix = Matrix::new(shape.rows, shape.cols, &kept.data, of(&shape));
            tensors.insert(shape.name, matrix);
        }
        if let Some(surplus) = folder.parameters.keys().find(|path| !tensors.contains_key(*path)) {
            return Err(ModelFolderError::Surplus(surplus.clone()));
        }
        let nothing = |file: &str| listed(file, &[]);
        let manifest = ShippedManifest {
            format: SHIPPED_FORMAT.to_owned(),
            schema_version: SCHEMA_VERSION,
            model_id: String::new(),
            card,
            config: training.model.clone(),
            max_len: training.max_len,
            stride: training.stride,
            threshold: training.threshold,
            label_thresholds: training.label_thresholds.clone(),
            calibration: training.calibration,
            labels: ListedLabels { systems: systems(&folder.labels), listed: nothing(LABELS) },
            tokenizer: nothing(TOKENIZER),
            precision,
            tensors: Vec::new(),
            shards: Vec::new(),
            provenance: training.provenance.clone(),
        };
        let (tokenizer, labels) = (folder.tokenizer.clone(), folder.labels.clone());
        Ok(Self { manifest, tokenizer, labels, tensors })
    }

    /// The model in f32, as training has it: what burn runs on a GPU, and the reference of every other engine.
    pub fn to_folder(&self) -> ModelFolder {
        let parameters = tensor_shapes(&self.manifest.config)
            .into_iter()
            .map(|shape| {
                let data = self.tensors[&shape.name].to_f32();
                let values = match shape.role {
                    Role::Linear => Values { shape: vec![shape.rows, shape.cols], data }.transposed(),
                    _ => Values { shape: training_shape(&shape), data },
                };
                (shape.name, values)
            })
            .collect();
        let (tokenizer, labels) = (self.tokenizer.clone(), self.labels.clone());
        ModelFolder { manifest: self.manifest.settings(), tokenizer, labels, parameters }
    }

    /// Reads a folder. At any time one shard is in memory beside the tensors.
    ///
    /// # Errors
    /// See [`ShippedModel::from_files`]; a file of weights that the manifest does not list.
    pub fn read(folder: &Path) -> Result<Self, ShippedError> {
        let model = Self::load(|name, most| {
            let path = folder.join(name);
            let io = |source| unreadable(name, source);
            let found = fs::metadata(&path).map_err(io)?.len();
            if found > most {
                return Err(ShippedError::TooLarge { file: name.to_owned(), found, most });
            }
            let mut bytes = Vec::new();
            // The file can grow meanwhile.
            fs::File::open(&path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes)).map_err(io)?;
            Ok(bytes)
        })?;
        let io = |source| ShippedError::Io { file: folder.display().to_string(), source };
        for entry in fs::read_dir(folder).map_err(io)? {
            let file = entry.map_err(io)?.file_name().to_string_lossy().into_owned();
            if is_shard_name(&file) && model.manifest.shards.iter().all(|shard| shard.file != file) {
                return Err(ShippedError::SurplusFile { file });
            }
        }
        Ok(model)
    }

    /// Reads a folder whose files `get` hands out by name, wherever they are: first `manifest.json`, then what
    /// [`ShippedManifest::files`] lists, each once. Size and hash of every file are checked before it is parsed.
    ///
    /// # Errors
    /// A file that is missing, damaged, swapped, foreign, newer than this release, or that does not fit the others.
    pub fn from_files(get: impl Fn(&str) -> io::Result<Vec<u8>>) -> Result<Self, ShippedError> {
        Self::load(|name, _| get(name).map_err(|source| unreadable(name, source)))
    }

    /// `get` takes the greatest size that is of use.
    fn load(get: impl Fn(&str, u64) -> Result<Vec<u8>, ShippedError>) -> Result<Self, ShippedError> {
        let mut reader = ShippedReader::new(&get(SHIPPED_MANIFEST, TEXT_BYTES)?)?;
        while let Some(ListedFile { file, bytes, .. }) = reader.next_file().cloned() {
            reader.add(&file, &get(&file, bytes)?)?;
        }
        reader.finish()
    }

    /// The files by name, `manifest.json` last: where it is, the others are too. The same model gives the same
    /// bytes.
    ///
    /// # Errors
    /// Parts that do not fit each other.
    pub fn to_files(&self) -> Result<Vec<(String, Vec<u8>)>, ShippedError> {
        self.to_files_in_shards(SHARD_BYTES as usize)
    }

    /// As [`ShippedModel::to_files`], in shards of `shard_bytes`.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// If `shard_bytes` is 0.
    pub fn to_files_in_shards(&self, shard_bytes: usize) -> Result<Vec<(String, Vec<u8>)>, ShippedError> {
        let mut stream: Vec<u8> = Vec::new();
        let mut tensors = Vec::new();
        for (name, matrix) in &self.tensors {
            let offset = aligned(stream.len() as u64).expect("in memory");
            stream.resize(offset as usize, 0);
            stream.extend(to_bytes(matrix));
            let (name, precision) = (name.clone(), matrix.precision());
            tensors.push(ListedTensor { name, rows: matrix.rows, cols: matrix.cols, precision, offset });
        }
        let mut files = vec![
            (TOKENIZER.to_owned(), self.tokenizer.to_compact_json()?.into_bytes()),
            (LABELS.to_owned(), self.labels.to_tsv().into_bytes()),
        ];
        let pieces = stream.chunks(shard_bytes).enumerate();
        files.extend(pieces.map(|(index, piece)| (shard_name(index), piece.to_vec())));
        let entries: Vec<ListedFile> = files.iter().map(|(name, bytes)| listed(name, bytes)).collect();
        let manifest = ShippedManifest {
            tokenizer: entries[0].clone(),
            labels: ListedLabels { systems: systems(&self.labels), listed: entries[1].clone() },
            tensors,
            shards: entries[2..].to_vec(),
            ..self.manifest.clone()
        };
        manifest.validate()?;
        files.push((SHIPPED_MANIFEST.to_owned(), manifest.to_json().0.into_bytes()));
        Ok(files)
    }
}

fn unreadable(name: &str, source: io::Error) -> ShippedError {
    let file = name.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => ShippedError::Missing { file },
        _ => ShippedError::Io { file, source },
    }
}

/// The shape that training gives a tensor.
fn training_shape(shape: &TensorShape) -> Vec<usize> {
    match shape.role {
        Role::Vector => vec![shape.cols],
        Role::Linear => vec![shape.cols, shape.rows],
        Role::Table | Role::Embedding => vec![shape.rows, shape.cols],
    }
}
