//! From and to Hugging Face's format.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use bert_xml_core::metrics::Calibration;
use bert_xml_core::model::hf_folder::{HfBert, write_hf_folder};
use bert_xml_core::model::parameters::Values;
use bert_xml_core::model::weights::write_weights;
use bert_xml_core::model::{HeadKind, Readout};
use bert_xml_core::model_folder::ModelFolder;
use serde_json::Value;

use super::place::ModelPlace;
use crate::files::FolderInTheMaking;

const HEAD_FILE: &str = "head.safetensors";

/// Reads a checkpoint, extends its positions and writes it in the same format. Returns what was read and what is
/// there now.
///
/// # Errors
/// A folder that is no BERT of ours; `out` holds something already.
pub fn import(folder: &Path, out: &Path, positions: usize, seed: u64) -> Result<(usize, HfBert)> {
    let mut bert = HfBert::read(folder)?;
    let before = bert.config.max_position_embeddings;
    bert.extend_positions(positions.max(before), seed)?;
    let making = FolderInTheMaking::start(out)?;
    write_hf_folder(making.path(), &bert.config, &bert.tokenizer, &bert.parameters)?;
    making.finish()?;
    Ok((before, bert))
}

/// Writes a model's encoder in Hugging Face's format; a fine-tuned model's head and labels beside it, with a
/// README that says how Python reads them.
///
/// # Errors
/// A damaged model; `out` holds something already.
pub fn export(model: &Path, out: &Path) -> Result<()> {
    let bert = ModelPlace::read_encoder(model)?;
    let making = FolderInTheMaking::start(out)?;
    write_hf_folder(making.path(), &bert.config, &bert.tokenizer, &bert.parameters)?;
    if let ModelPlace::Coder(folder) = ModelPlace::find(model)? {
        let folder = ModelFolder::read(&folder).with_context(|| folder.display().to_string())?;
        let file = |name: &str, content: &[u8]| {
            fs::write(making.path().join(name), content).with_context(|| format!("writing {name}"))
        };
        file(HEAD_FILE, &write_weights(&head_tensors(&folder)?))?;
        file("labels.tsv", folder.labels.to_tsv().as_bytes())?;
        file("README.md", readme(&folder).as_bytes())?;
    }
    making.finish()
}

/// The head as PyTorch has it: linear weights `[d_out, d_in]`.
fn head_tensors(folder: &ModelFolder) -> Result<BTreeMap<String, Values>> {
    let names: &[(&str, &str, bool)] = match folder.manifest.model.head {
        HeadKind::Xml => &[
            (".labels", "label_embeddings", false),
            (".hidden.weight", "w_b", true),
            (".output.weight", "w_a", true),
            (".weights", "readout", false),
            (".bias", "label_bias", false),
        ],
        HeadKind::Cls => &[
            (".classifier.weight", "classifier.weight", true),
            (".classifier.bias", "classifier.bias", false),
        ],
    };
    let mut tensors = BTreeMap::new();
    for (path, values) in folder.parameters.iter().filter(|(path, _)| path.starts_with("head.")) {
        let Some((_, name, swapped)) = names.iter().find(|(ours, ..)| path.ends_with(ours)) else {
            bail!("the model's head has a parameter {path} that this format has no name for");
        };
        let values = if *swapped { values.transposed() } else { values.clone() };
        tensors.insert((*name).to_owned(), values);
    }
    Ok(tensors)
}

fn readme(folder: &ModelFolder) -> String {
    let manifest = &folder.manifest;
    let thresholds = match &manifest.label_thresholds {
        Some(_) => "Each code has a threshold of its own (see model.json of the model folder).".to_owned(),
        None => format!("A code is assigned at a probability of {} and above.", manifest.threshold),
    };
    let head = match manifest.model.head {
        HeadKind::Xml => {
            let logits = match manifest.model.xml.readout {
                Readout::Shared => "(torch.relu(context @ head[\"w_b\"].T) @ head[\"w_a\"].T)[:, 0]",
                Readout::Own => "(context * head[\"readout\"]).sum(1)",
            };
            let bias = if manifest.model.xml.bias { " + head[\"label_bias\"]" } else { "" };
            format!(
                "scores = hidden[0, 1:-1] @ head[\"label_embeddings\"].T           # [tokens, labels]; no [CLS], no [SEP]\n\
                 context = scores.softmax(0).T @ hidden[0, 1:-1]                  # [labels, d_model]\n\
                 logits = {logits}{bias}\n"
            )
        }
        HeadKind::Cls => {
            "logits = hidden[0, 0] @ head[\"classifier.weight\"].T + head[\"classifier.bias\"]\n".to_owned()
        }
    };
    let imputed = match manifest.provenance.get("chronic_imputation").and_then(Value::as_str) {
        Some(imputation) => format!("Chronic imputation of the codes that it learnt: {imputation}.\n"),
        None => String::new(),
    };
    // The thresholds are on the scale of calibrated probabilities.
    let probabilities = match manifest.calibration {
        Some(Calibration { slope, intercept, .. }) => format!("({slope} * logits + {intercept}).sigmoid()"),
        None => "logits.sigmoid()".to_owned(),
    };
    format!(
        "# A BERT-XML model for Python\n\n\
         The encoder is a Hugging Face `BertModel` without pooler; `{HEAD_FILE}` is the head, `labels.tsv` names its \
         outputs in order.\n\
         Windows have at most {} tokens, with [CLS] and [SEP]; a longer note is cut every {} tokens, and a code's \
         probability is the greatest over the windows.\n{thresholds}\n{imputed}\n\
         ```python\n\
         import torch\n\
         from safetensors.torch import load_file\n\
         from transformers import AutoTokenizer, BertModel\n\n\
         tokenizer = AutoTokenizer.from_pretrained(\".\")\n\
         encoder = BertModel.from_pretrained(\".\", add_pooling_layer=False).eval()\n\
         head = load_file(\"{HEAD_FILE}\")\n\
         labels = [line.rstrip(\"\\n\").split(\"\\t\") for line in open(\"labels.tsv\", encoding=\"utf-8\")][1:]\n\
         with torch.no_grad():\n    \
         hidden = encoder(**tokenizer(\"chest pain\", return_tensors=\"pt\")).last_hidden_state  # [1, seq, d_model]\n\
         {head}\
         probabilities = {probabilities}\n\
         for probability, (_, code, description) in sorted(zip(probabilities.tolist(), labels), reverse=True)[:5]:\n    \
         print(f\"{{probability:.3f}} {{code}} {{description}}\")\n\
         ```\n",
        manifest.max_len, manifest.stride,
    )
}
