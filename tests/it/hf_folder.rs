//! Hugging Face folders: the committed checkpoint in all its guises, and back.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bert_xml_core::model::hf_folder::{HfBert, HfFolderError, write_hf_folder};
use bert_xml_core::model::parameters::{Values, export};
use bert_xml_core::model::weights::{read_weights, write_weights};
use burn::tensor::{Device, f16};
use safetensors::tensor::{Dtype, TensorView, serialize};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/bert")
}

/// The committed checkpoint with other weights.
fn folder_with(weights: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "vocab.txt"] {
        fs::copy(fixture().join(name), folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("model.safetensors"), weights).unwrap();
    folder
}

fn checkpoint() -> BTreeMap<String, Values> {
    read_weights(&fs::read(fixture().join("model.safetensors")).unwrap()).unwrap().0
}

fn hidden(bert: HfBert) -> Vec<f32> {
    use burn::tensor::{Bool, Int, Tensor};
    let device = Device::flex();
    let ids = Tensor::<2, Int>::from_data([[2, 40, 50, 60, 3]], &device);
    let keep = Tensor::<2, Bool>::from_data([[true; 5]], &device);
    let states = bert.into_encoder(&device).unwrap().forward(ids.clone(), ids.zeros_like(), keep);
    states.into_data().try_to_vec().unwrap()
}

#[test]
fn read_write_read_gives_equal_bits() {
    let bert = HfBert::read(&fixture()).unwrap();
    assert!(bert.has_mlm && bert.has_nsp && bert.has_pooler && bert.unused.is_empty(), "{:?}", bert.unused);
    assert_eq!((bert.config.hidden_size, bert.tokenizer.lowercase()), (32, true));
    let folder = tempfile::tempdir().unwrap();
    write_hf_folder(folder.path(), &bert.config, &bert.tokenizer, &bert.parameters).unwrap();
    let back = HfBert::read(folder.path()).unwrap();
    assert_eq!((&back.config, &back.parameters), (&bert.config, &bert.parameters));
    assert_eq!(back.tokenizer.to_json().unwrap(), bert.tokenizer.to_json().unwrap());
    assert!(back.has_mlm && back.has_nsp && back.has_pooler && back.unused.is_empty());
    let written = fs::read_to_string(folder.path().join("vocab.txt")).unwrap();
    assert_eq!(written, fs::read_to_string(fixture().join("vocab.txt")).unwrap());
    // Only vocab.txt, with a cased setting.
    fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
    fs::write(folder.path().join("tokenizer_config.json"), r#"{"do_lower_case": false}"#).unwrap();
    assert!(!HfBert::read(folder.path()).unwrap().tokenizer.lowercase());
}

#[test]
fn a_checkpoint_without_prefix_and_heads_gives_the_same_encoder() {
    let whole = HfBert::read(&fixture()).unwrap();
    let bare = checkpoint().into_iter().filter_map(|(name, values)| {
        let name = name.strip_prefix("bert.").filter(|name| !name.starts_with("pooler"))?;
        Some((name.to_owned(), values))
    });
    let folder = folder_with(&write_weights(&bare.collect()));
    let bert = HfBert::read(folder.path()).unwrap();
    assert!(!bert.has_mlm && !bert.has_nsp && !bert.has_pooler && bert.unused.is_empty());
    assert_eq!(hidden(bert.clone()), hidden(whole));
    let (model, drawn) = bert.clone().into_pretrain(&Device::flex()).unwrap();
    assert_eq!(drawn, ["pooler", "mlm", "nsp"]);
    let parameters = export(&model);
    assert!(bert.parameters.iter().all(|(path, values)| parameters[path] == *values));

    // What has no pretraining heads is written as BertModel, without prefix.
    let written = tempfile::tempdir().unwrap();
    write_hf_folder(written.path(), &bert.config, &bert.tokenizer, &bert.parameters).unwrap();
    let config = fs::read_to_string(written.path().join("config.json")).unwrap();
    assert!(config.contains("\"BertModel\""), "{config}");
    let (names, _) = read_weights(&fs::read(written.path().join("model.safetensors")).unwrap()).unwrap();
    assert!(names.contains_key("embeddings.word_embeddings.weight"));
    assert_eq!(HfBert::read(written.path()).unwrap().parameters, bert.parameters);
}

#[test]
fn half_precision_is_read_as_its_nearest_f32() {
    let values = checkpoint();
    let halves: BTreeMap<&String, Vec<u8>> = values
        .iter()
        .map(|(name, values)| {
            (name, values.data.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect())
        })
        .collect();
    let views = values.iter().map(|(name, values)| {
        (name, TensorView::new(Dtype::F16, values.shape.clone(), &halves[name]).unwrap())
    });
    let folder = folder_with(&serialize(views, None).unwrap());
    let (half, whole) = (HfBert::read(folder.path()).unwrap(), HfBert::read(&fixture()).unwrap());
    for (path, values) in &whole.parameters {
        let rounded: Vec<f32> = values.data.iter().map(|value| f16::from_f32(*value).to_f32()).collect();
        assert_eq!(half.parameters[path].data, rounded, "{path}");
    }
}

#[test]
fn what_is_wrong_with_a_folder_is_said_with_its_file() {
    let error = |folder: &Path| HfBert::read(folder).unwrap_err();
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(error(empty.path()), HfFolderError::Io { path, .. } if path.ends_with("config.json")));

    let weights = fs::read(fixture().join("model.safetensors")).unwrap();
    let folder = folder_with(&weights[..weights.len() - 7]);
    let path = folder.path();
    assert!(
        matches!(error(path), HfFolderError::Weights { path, .. } if path.ends_with("model.safetensors"))
    );
    fs::remove_file(path.join("model.safetensors")).unwrap();
    fs::write(path.join("pytorch_model.bin"), "x").unwrap();
    assert!(matches!(error(path), HfFolderError::OtherWeights { found: "pytorch_model.bin", .. }));
    fs::write(path.join("vocab.txt"), "[PAD]\n[UNK]\n[CLS]\n[SEP]\n").unwrap();
    assert!(matches!(error(path), HfFolderError::Tokenizer { .. }));
    fs::remove_file(path.join("vocab.txt")).unwrap();
    assert!(matches!(error(path), HfFolderError::NoTokenizer { .. }));

    let folder = folder_with(&weights);
    let config = fs::read_to_string(fixture().join("config.json")).unwrap();
    fs::write(folder.path().join("config.json"), config.replace(": 579", ": 500")).unwrap();
    let message = error(folder.path()).to_string();
    assert_eq!(message, "the vocabulary has 579 tokens, but config.json says vocab_size = 500");
    fs::write(folder.path().join("config.json"), config.replace("\"gelu\"", "\"relu\"")).unwrap();
    assert!(matches!(error(folder.path()), HfFolderError::Config { .. }));
}
