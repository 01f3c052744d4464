//! `config.json` of a Hugging Face BERT checkpoint, both ways.

use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;

use super::config::{ConfigError, EncoderConfig};

/// A `config.json` that does not describe an encoder of ours.
#[derive(Debug, Error)]
pub enum HfConfigError {
    /// No JSON, a size that is missing, or a value of the wrong type.
    #[error("config.json cannot be read")]
    Json(#[from] serde_json::Error),
    /// A BERT of another kind than ours.
    #[error("config.json: {field} = {value}: {rule}")]
    Unsupported {
        /// The key.
        field: &'static str,
        /// Its value.
        value: String,
        /// What we can build.
        rule: &'static str,
    },
    /// Sizes that cannot be built.
    #[error("config.json")]
    Sizes(#[from] ConfigError),
}

/// The keys that shape an encoder; others (and there are many) are of no account. Sizes must be given, the rest
/// has the defaults of `transformers`' `BertConfig`.
#[derive(Deserialize)]
struct ConfigFile {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    max_position_embeddings: usize,
    #[serde(default = "two")]
    type_vocab_size: usize,
    #[serde(default = "tenth")]
    hidden_dropout_prob: f64,
    #[serde(default = "tenth")]
    attention_probs_dropout_prob: f64,
    #[serde(default = "epsilon")]
    layer_norm_eps: f64,
    #[serde(default = "fiftieth")]
    initializer_range: f64,
    #[serde(default = "bert")]
    model_type: String,
    #[serde(default = "gelu")]
    hidden_act: String,
    #[serde(default = "absolute")]
    position_embedding_type: String,
    #[serde(default)]
    is_decoder: bool,
}

fn two() -> usize {
    2
}
fn tenth() -> f64 {
    0.1
}
fn epsilon() -> f64 {
    1e-12
}
fn fiftieth() -> f64 {
    0.02
}
fn bert() -> String {
    "bert".to_owned()
}
fn gelu() -> String {
    "gelu".to_owned()
}
fn absolute() -> String {
    "absolute".to_owned()
}

/// Reads the bytes of a `config.json`.
///
/// # Errors
/// A missing size, an activation, position embedding or model type other than BERT's, sizes that cannot be built.
pub fn read_config(bytes: &[u8]) -> Result<EncoderConfig, HfConfigError> {
    let file: ConfigFile = serde_json::from_slice(bytes)?;
    let rules = [
        ("model_type", &file.model_type, "bert", "must be \"bert\""),
        ("hidden_act", &file.hidden_act, "gelu", "must be \"gelu\", the one by the error function"),
        ("position_embedding_type", &file.position_embedding_type, "absolute", "must be \"absolute\""),
    ];
    for (field, value, wanted, rule) in rules {
        if value != wanted {
            return Err(HfConfigError::Unsupported { field, value: format!("{value:?}"), rule });
        }
    }
    if file.is_decoder {
        let rule = "must be false: an encoder sees both sides";
        return Err(HfConfigError::Unsupported { field: "is_decoder", value: "true".to_owned(), rule });
    }
    let config = EncoderConfig {
        vocab_size: file.vocab_size,
        hidden_size: file.hidden_size,
        num_hidden_layers: file.num_hidden_layers,
        num_attention_heads: file.num_attention_heads,
        intermediate_size: file.intermediate_size,
        max_position_embeddings: file.max_position_embeddings,
        type_vocab_size: file.type_vocab_size,
        hidden_dropout_prob: file.hidden_dropout_prob,
        attention_probs_dropout_prob: file.attention_probs_dropout_prob,
        layer_norm_eps: file.layer_norm_eps,
        initializer_range: file.initializer_range,
    };
    config.validate()?;
    Ok(config)
}

/// The text of a `config.json` that `transformers` loads as `architecture`.
pub fn write_config(config: &EncoderConfig, architecture: &str, pad_token_id: u32) -> String {
    let mut file: Value = serde_json::to_value(config).expect("numbers serialize");
    file["architectures"] = json!([architecture]);
    file["model_type"] = json!("bert");
    file["hidden_act"] = json!("gelu");
    file["position_embedding_type"] = json!("absolute");
    file["is_decoder"] = json!(false);
    file["tie_word_embeddings"] = json!(true);
    file["dtype"] = json!("float32");
    file["pad_token_id"] = json!(pad_token_id);
    serde_json::to_string_pretty(&file).expect("values serialize") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let config = EncoderConfig { layer_norm_eps: 1e-7, vocab_size: 11, ..EncoderConfig::default() };
        let text = write_config(&config, "BertModel", 3);
        assert_eq!(read_config(text.as_bytes()).unwrap(), config);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&value["architectures"][0], &value["pad_token_id"]), (&json!("BertModel"), &json!(3)));
    }

    #[test]
    fn defaults_are_berts_and_unknown_keys_are_of_no_account() {
        let text = r#"{"vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 4, "max_position_embeddings": 16, "use_cache": true}"#;
        let config = read_config(text.as_bytes()).unwrap();
        assert_eq!((config.layer_norm_eps, config.initializer_range), (1e-12, 0.02));
        assert_eq!((config.type_vocab_size, config.hidden_dropout_prob), (2, 0.1));
        let other = |key: &str, value: &str| {
            let text = text.replace("\"use_cache\": true", &format!("\"{key}\": {value}"));
            read_config(text.as_bytes()).unwrap_err().to_string()
        };
        assert_eq!(
            other("hidden_act", "\"gelu_new\""),
            "config.json: hidden_act = \"gelu_new\": must be \"gelu\", the one by the error function"
        );
        assert_eq!(
            other("position_embedding_type", "\"relative_key\""),
            "config.json: position_embedding_type = \"relative_key\": must be \"absolute\""
        );
        assert_eq!(
            other("model_type", "\"roberta\""),
            "config.json: model_type = \"roberta\": must be \"bert\""
        );
        assert!(other("is_decoder", "true").contains("is_decoder = true: must be false"));
        let missing = read_config(text.replace("\"vocab_size\": 9, ", "").as_bytes()).unwrap_err();
        assert!(matches!(&missing, HfConfigError::Json(json) if json.to_string().contains("`vocab_size`")));
        let odd =
            read_config(text.replace("\"num_attention_heads\": 2", "\"num_attention_heads\": 3").as_bytes());
        assert!(matches!(
            odd,
            Err(HfConfigError::Sizes(ConfigError { field: "encoder.num_attention_heads", .. }))
        ));
    }
}
