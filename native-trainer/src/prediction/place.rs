//! What a path given as a model stands for.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bert_xml_core::model::hf_folder::{HfBert, is_hf_folder};
use bert_xml_core::model_folder::{MANIFEST, ModelFolder, SHIPPED_MANIFEST};

use crate::error::hinted;

/// A model on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelPlace {
    /// A fine-tuned model with its head: a folder with `model.json`, or a shipped one with `manifest.json`.
    Coder(PathBuf),
    /// An encoder in Hugging Face's format: a folder with `config.json`.
    Encoder(PathBuf),
}

impl ModelPlace {
    /// Takes a model folder, a Hugging Face folder, or a run that holds one: `model/` after fine-tuning,
    /// `encoder/` after pretraining.
    ///
    /// # Errors
    /// The path is none of these.
    pub fn find(path: &Path) -> Result<Self> {
        let run = (path.join("model"), path.join("encoder"));
        for folder in [path, &run.0] {
            if [MANIFEST, SHIPPED_MANIFEST].iter().any(|manifest| folder.join(manifest).is_file()) {
                return Ok(Self::Coder(folder.to_owned()));
            }
        }
        for folder in [path, &run.1] {
            if is_hf_folder(folder) {
                return Ok(Self::Encoder(folder.to_owned()));
            }
        }
        if !path.exists() {
            return Err(hinted(format!("{} does not exist", path.display()), "check --model"));
        }
        Err(hinted(
            format!(
                "{} is no model: it has no model.json, manifest.json or config.json, and no model/ or encoder/ that has",
                path.display()
            ),
            "give a model folder, a Hugging Face BERT folder, or a run that is done (a run that is not goes on with \
             --resume)",
        ))
    }

    /// The folder of a model with its classification head.
    ///
    /// # Errors
    /// The path holds an encoder only, or nothing.
    pub fn find_coder(path: &Path) -> Result<PathBuf> {
        match Self::find(path)? {
            Self::Coder(folder) => Ok(folder),
            Self::Encoder(folder) => Err(hinted(
                format!("{} is an encoder without a classification head", folder.display()),
                "fine-tune it first: bert-xml finetune --encoder …",
            )),
        }
    }

    /// Reads a model with its classification head.
    ///
    /// # Errors
    /// The path holds an encoder only, or a damaged folder.
    pub fn read_coder(path: &Path) -> Result<ModelFolder> {
        let folder = Self::find_coder(path)?;
        ModelFolder::read(&folder).with_context(|| folder.display().to_string())
    }

    /// Reads an encoder with its tokenizer, out of either kind.
    ///
    /// # Errors
    /// A damaged folder.
    pub fn read_encoder(path: &Path) -> Result<HfBert> {
        match Self::find(path)? {
            Self::Encoder(folder) => Ok(HfBert::read(&folder)?),
            Self::Coder(folder) => {
                let model = ModelFolder::read(&folder).with_context(|| folder.display().to_string())?;
                let mut parameters = model.parameters;
                parameters.retain(|path, _| path.starts_with("encoder."));
                Ok(HfBert {
                    config: model.manifest.model.encoder,
                    tokenizer: model.tokenizer,
                    parameters,
                    has_mlm: false,
                    has_nsp: false,
                    has_pooler: false,
                    unused: Vec::new(),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_run_stands_for_the_model_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}").unwrap();
        };
        make("pretrained/encoder/config.json");
        make("tuned/model/model.json");
        make("tuned/encoder/config.json");
        make("other/settings.toml");
        let find = |name: &str| ModelPlace::find(&folder.path().join(name));
        let path = |name: &str| folder.path().join(name);
        assert_eq!(find("pretrained").unwrap(), ModelPlace::Encoder(path("pretrained/encoder")));
        assert_eq!(find("pretrained/encoder").unwrap(), ModelPlace::Encoder(path("pretrained/encoder")));
        assert_eq!(find("tuned").unwrap(), ModelPlace::Coder(path("tuned/model")), "the head comes first");
        assert!(find("other").unwrap_err().to_string().contains("is no model"));
        assert!(find("nowhere").unwrap_err().to_string().ends_with("does not exist"));
        let error = ModelPlace::read_coder(&path("pretrained")).unwrap_err().to_string();
        assert!(error.ends_with("is an encoder without a classification head"), "{error}");
    }
}
