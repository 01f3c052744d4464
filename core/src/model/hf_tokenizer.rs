//! The tokenizer of a Hugging Face folder: `tokenizer.json`, `vocab.txt` and the settings beside them.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::hf_error::HfFolderError;
use super::hf_folder::{read, write};
use crate::text::Tokenizer;

const VOCAB: &str = "vocab.txt";
const TOKENIZER: &str = "tokenizer.json";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// Their names of the normalizer's settings, and those of `tokenizer.json`.
const SETTINGS: [(&str, &str); 3] = [
    ("do_lower_case", "lowercase"),
    ("strip_accents", "strip_accents"),
    ("tokenize_chinese_chars", "handle_chinese_chars"),
];

/// Writes all three files. `transformers` lets the settings win over `tokenizer.json`, so each of them is written.
pub(super) fn write_tokenizer(
    folder: &Path,
    tokenizer: &Tokenizer,
    positions: usize,
) -> Result<(), HfFolderError> {
    let path = folder.join(TOKENIZER);
    let json =
        tokenizer.to_json().map_err(|source| HfFolderError::Tokenizer { path: path.clone(), source })?;
    let mut settings = json!({
        "tokenizer_class": "BertTokenizer",
        "model_max_length": positions,
        "pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]",
    });
    let written: Value = serde_json::from_str(&json).expect("a tokenizer is written as JSON");
    for (theirs, ours) in SETTINGS {
        settings[theirs] = written["normalizer"][ours].clone();
    }
    let settings = serde_json::to_string_pretty(&settings).expect("values serialize") + "\n";
    write(&path, json.as_bytes())?;
    write(&folder.join(VOCAB), tokenizer.to_vocab_txt().as_bytes())?;
    write(&folder.join(TOKENIZER_CONFIG), settings.as_bytes())
}

/// `tokenizer.json` before `vocab.txt`; the settings in `tokenizer_config.json` win over both, as in `transformers`.
pub(super) fn read_tokenizer(folder: &Path) -> Result<Tokenizer, HfFolderError> {
    let (json_path, vocab_path) = (folder.join(TOKENIZER), folder.join(VOCAB));
    let (path, json) = if json_path.is_file() {
        let json = read(&json_path)?;
        (json_path, json)
    } else if vocab_path.is_file() {
        let text = fs::read_to_string(&vocab_path)
            .map_err(|source| HfFolderError::Io { path: vocab_path.clone(), source })?;
        let tokenizer = Tokenizer::from_vocab(&text, true).and_then(|tokenizer| tokenizer.to_json());
        match tokenizer {
            Ok(json) => (vocab_path, json.into_bytes()),
            Err(source) => return Err(HfFolderError::Tokenizer { path: vocab_path, source }),
        }
    } else {
        return Err(HfFolderError::NoTokenizer { folder: folder.to_owned() });
    };
    let json = with_settings(folder, json)?;
    Tokenizer::from_json_bytes(&json).map_err(|source| HfFolderError::Tokenizer { path, source })
}

fn with_settings(folder: &Path, json: Vec<u8>) -> Result<Vec<u8>, HfFolderError> {
    let path = folder.join(TOKENIZER_CONFIG);
    if !path.is_file() {
        return Ok(json);
    }
    let settings: Value = serde_json::from_slice(&read(&path)?)
        .map_err(|source| HfFolderError::Json { path: path.clone(), source })?;
    // A tokenizer.json that is no JSON is the tokenizer's own error.
    let Ok(mut tokenizer) = serde_json::from_slice::<Value>(&json) else { return Ok(json) };
    let mut changed = false;
    for (theirs, ours) in SETTINGS {
        let wanted = &settings[theirs];
        // `strip_accents: null` means "as the case": the normalizer's own reading.
        if wanted.is_null() {
            continue;
        }
        if !wanted.is_boolean() {
            return Err(HfFolderError::Setting { path, field: theirs, value: wanted.to_string() });
        }
        if let Some(normalizer) = tokenizer.get_mut("normalizer").and_then(Value::as_object_mut) {
            changed |= normalizer.insert(ours.to_owned(), wanted.clone()).as_ref() != Some(wanted);
        }
    }
    Ok(if changed { tokenizer.to_string().into_bytes() } else { json })
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOCABULARY: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nfi\u{e8}vre\nfievre\n";

    /// A folder of its own, gone with the test.
    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("bert-xml-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn every_setting_of_the_normalizer_survives_the_folder() {
        let folder = Folder::new("settings");
        let mut json: Value =
            serde_json::from_str(&Tokenizer::from_vocab(VOCABULARY, true).unwrap().to_json().unwrap())
                .unwrap();
        json["normalizer"]["strip_accents"] = false.into();
        json["normalizer"]["handle_chinese_chars"] = false.into();
        let tokenizer = Tokenizer::from_json_bytes(json.to_string().as_bytes()).unwrap();
        write_tokenizer(&folder.0, &tokenizer, 512).unwrap();
        let settings: Value =
            serde_json::from_slice(&fs::read(folder.0.join(TOKENIZER_CONFIG)).unwrap()).unwrap();
        for (setting, wanted) in
            [("do_lower_case", true), ("strip_accents", false), ("tokenize_chinese_chars", false)]
        {
            assert_eq!(settings[setting], wanted, "{setting}");
        }
        let again = read_tokenizer(&folder.0).unwrap();
        assert_eq!(again.encode("Fi\u{e8}vre").ids, tokenizer.encode("Fi\u{e8}vre").ids);
        assert_eq!(again.encode("Fi\u{e8}vre").ids, [5]);
    }

    #[test]
    fn settings_of_another_kind_are_refused_by_name_and_foreign_files_do_not_panic() {
        let folder = Folder::new("kinds");
        fs::write(folder.0.join(VOCAB), VOCABULARY).unwrap();
        fs::write(folder.0.join(TOKENIZER_CONFIG), r#"{"do_lower_case": "yes"}"#).unwrap();
        let message = read_tokenizer(&folder.0).unwrap_err().to_string();
        assert!(
            message.contains("do_lower_case = \"yes\"") && message.contains(TOKENIZER_CONFIG),
            "{message}"
        );
        fs::write(folder.0.join(TOKENIZER_CONFIG), r#"{"do_lower_case": true}"#).unwrap();
        fs::write(folder.0.join(TOKENIZER), "[]").unwrap();
        assert!(matches!(read_tokenizer(&folder.0), Err(HfFolderError::Tokenizer { .. })));
    }
}
