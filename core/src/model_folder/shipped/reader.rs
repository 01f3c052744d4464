//! A shipped model whose files come one by one, from wherever: a disk, a browser's fetch or its cache.

use std::collections::BTreeMap;

use super::error::ShippedError;
use super::folder::ShippedModel;
use super::layout::tensor_bytes;
use super::manifest::{ListedFile, SHARD_BYTES, ShippedManifest, listed};
use super::tensors::from_bytes;
use crate::codes::LabelSet;
use crate::model_folder::folder::systems;
use crate::quantization::Matrix;
use crate::text::Tokenizer;

/// Takes the files in the order of [`ShippedManifest::files`]. Size and SHA-256 of a file are checked before it is
/// parsed; in memory are the tensors that are whole, the bytes of the one that is not, and the file at hand.
#[derive(Debug)]
pub struct ShippedReader {
    manifest: ShippedManifest,
    /// Files that are in.
    taken: usize,
    tokenizer: Option<Tokenizer>,
    labels: Option<LabelSet>,
    tensors: BTreeMap<String, Matrix>,
    /// Bytes of the stream in the files that are in.
    position: u64,
    /// Bytes of the tensor that the last shard cut.
    part: Vec<u8>,
}

impl ShippedReader {
    /// Reads `manifest.json`.
    ///
    /// # Errors
    /// Another format, a newer version, a changed file, a field that breaks a rule.
    pub fn new(manifest: &[u8]) -> Result<Self, ShippedError> {
        Ok(Self {
            manifest: ShippedManifest::from_json(manifest)?,
            taken: 0,
            tokenizer: None,
            labels: None,
            tensors: BTreeMap::new(),
            position: 0,
            part: Vec::new(),
        })
    }

    /// What `manifest.json` says.
    pub fn manifest(&self) -> &ShippedManifest {
        &self.manifest
    }

    /// The file that is due; none when all are in.
    pub fn next_file(&self) -> Option<&ListedFile> {
        self.manifest.files().nth(self.taken)
    }

    /// Takes in the file that is due.
    ///
    /// # Errors
    /// A file that is not due, that is damaged or swapped, or that does not fit the others. The reader is as it was
    /// after a file that is refused for its name, size or hash, so that it can be fetched again; after any other
    /// error it is of no further use.
    pub fn add(&mut self, file: &str, bytes: &[u8]) -> Result<(), ShippedError> {
        let wanted = match self.next_file() {
            Some(wanted) if wanted.file == file => wanted,
            due => {
                let due = due.map_or_else(|| "no other file".to_owned(), |due| due.file.clone());
                return Err(ShippedError::NotDue { file: file.to_owned(), due });
            }
        };
        check(wanted, bytes)?;
        match self.taken {
            0 => self.add_tokenizer(bytes)?,
            1 => self.add_labels(bytes)?,
            _ => self.add_shard(file, bytes)?,
        }
        self.taken += 1;
        Ok(())
    }

    /// The model.
    ///
    /// # Errors
    /// A file that is missing.
    pub fn finish(self) -> Result<ShippedModel, ShippedError> {
        let missing = self.next_file().map(|file| file.file.clone());
        let Self { manifest, tokenizer, labels, tensors, .. } = self;
        match (missing, tokenizer, labels) {
            (None, Some(tokenizer), Some(labels)) => {
                Ok(ShippedModel { manifest, tokenizer, labels, tensors })
            }
            (missing, ..) => Err(ShippedError::Missing { file: missing.expect("the first two are listed") }),
        }
    }

    fn add_tokenizer(&mut self, bytes: &[u8]) -> Result<(), ShippedError> {
        let tokenizer = Tokenizer::from_json_bytes(bytes)?;
        let (found, wanted) = (tokenizer.vocab_size(), self.manifest.config.encoder.vocab_size);
        if found > wanted {
            return Err(ShippedError::VocabSize { found, wanted });
        }
        self.tokenizer = Some(tokenizer);
        Ok(())
    }

    fn add_labels(&mut self, bytes: &[u8]) -> Result<(), ShippedError> {
        let labels = LabelSet::from_tsv(bytes)?;
        let (found, wanted) = (labels.len(), self.manifest.config.labels);
        if found != wanted {
            return Err(ShippedError::LabelCount { found, wanted });
        }
        if systems(&labels) != self.manifest.labels.systems {
            let value = format!("{:?}", self.manifest.labels.systems);
            let rule = "must be the systems of labels.tsv".to_owned();
            return Err(ShippedError::Field { field: "labels.systems", value, rule });
        }
        self.labels = Some(labels);
        Ok(())
    }

    /// Cuts the tensors out of the stream, `self.tensors.len()` of which are whole.
    fn add_shard(&mut self, file: &str, bytes: &[u8]) -> Result<(), ShippedError> {
        let (start, stop) = (self.position, self.position + bytes.len() as u64);
        while let Some(tensor) = self.manifest.tensors.get(self.tensors.len()) {
            let count =
                tensor_bytes(tensor.rows, tensor.cols, tensor.precision).expect("validated: no overflow");
            let end = tensor.offset + count;
            if tensor.offset >= stop {
                break;
            }
            let from = tensor.offset.max(start) - start;
            let here = &bytes[from as usize..(end.min(stop) - start) as usize];
            if end > stop {
                // Grows with what is read: the manifest can promise shards that are not there.
                if self.part.is_empty() {
                    self.part.reserve(count.min(SHARD_BYTES) as usize);
                }
                self.part.extend_from_slice(here);
                break;
            }
            let matrix = if self.part.is_empty() {
                from_bytes(tensor.rows, tensor.cols, tensor.precision, here)
            } else {
                self.part.extend_from_slice(here);
                from_bytes(tensor.rows, tensor.cols, tensor.precision, &std::mem::take(&mut self.part))
            };
            let matrix = matrix.map_err(|rule| ShippedError::Values {
                file: file.to_owned(),
                tensor: tensor.name.clone(),
                rule,
            })?;
            self.tensors.insert(tensor.name.clone(), matrix);
        }
        self.position = stop;
        Ok(())
    }
}

/// Whether the bytes are those that the manifest lists.
fn check(wanted: &ListedFile, bytes: &[u8]) -> Result<(), ShippedError> {
    let damaged = |what, found, wanted_value| {
        Err(ShippedError::Damaged { file: wanted.file.clone(), what, found, wanted: wanted_value })
    };
    if bytes.len() as u64 != wanted.bytes {
        return damaged("size in bytes", bytes.len().to_string(), wanted.bytes.to_string());
    }
    let found = listed(&wanted.file, bytes);
    if found.sha256 != wanted.sha256 {
        return damaged("sha256", found.sha256, wanted.sha256.clone());
    }
    Ok(())
}
