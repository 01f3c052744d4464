//! The shipped model, format v1: what a browser, a server and other people's programs load. A folder of
//!
//! - `manifest.json`: everything about the model ([`ShippedManifest`])
//! - `labels.tsv`: system, code and description of every output, in order
//! - `tokenizer.json`: Hugging Face's format
//! - `weights-00000.bin`, `weights-00001.bin`, …: the weights, at most 16 MiB a shard
//!
//! # The manifest
//! One JSON object. Fields that v1 does not know, and fields that are missing, make the file unreadable; where
//! "optional" is said, a field may be left out.
//!
//! | field | content |
//! |---|---|
//! | `format` | `"bert-xml"` |
//! | `schema_version` | 1. A reader refuses a greater one, before it looks at anything else |
//! | `model_id` | SHA-256 of `manifest.json` itself with 64 zeros in place of these 64 digits, which stand in the file once. As every other file's hash is inside, it names the whole content |
//! | `card` | texts for people, each optional: `name`, `language` (BCP 47), `licence`, `trained_on`, `intended_use`, `limits` |
//! | `config` | `encoder` (Hugging Face's names), `head` (`xml` or `cls`), `labels`, `head_hidden`, and optional `xml`: `readout` (`shared`, the default: `W_a relu(W_b c)`; `own`: a row of weights a label) and `bias` (whether each label has one; default false) |
//! | `max_len`, `stride` | a note of more than `max_len − 2` tokens is cut into windows that start `stride` tokens apart (the last one is moved back to end with the note); a code's logit is the greatest over the windows |
//! | `calibration` | optional: `method` (`temperature` or `platt`), `slope`, `intercept`. The probability is `sigmoid(slope · logit + intercept)`; without it `sigmoid(logit)` |
//! | `threshold`, `label_thresholds` | a code is assigned at this probability and above; the latter (optional, one a label) comes first |
//! | `labels` | `systems` in the order of their first label, and `listed`: the file |
//! | `tokenizer` | the file |
//! | `precision` | `f32`, `f16`, `int8` or `int4`: what was asked for; the tensors say what they are |
//! | `tensors` | `name`, `rows`, `cols`, `precision`, `offset`, in the order of names by bytes: exactly those of the model |
//! | `shards` | the files of weights in order, numbered from 0 in five digits |
//! | `provenance` | optional: any object |
//!
//! A file is listed as `file`, `bytes`, `sha256` (lower-case hexadecimal).
//!
//! # The stream
//! All shards, one behind the other, are one stream of bytes. A tensor lies at `offset`, the first multiple of 64
//! behind the tensor before it; the last one ends with the stream. Bytes between are 0. A shard may end within a
//! tensor. Numbers are little-endian; a tensor is `rows × cols`, row after row:
//!
//! - `f32`, `f16`: IEEE numbers
//! - `int8`: a signed byte a weight, −127 to 127; from the next multiple of 64 (counted from `offset`) on one f32
//!   scale a row. Weight = integer × scale
//! - `int4`: two weights a byte, the earlier in the low half, each stored with 8 added (1 to 15); a row takes
//!   `⌈cols/2⌉` bytes, an odd row's last half is 8. From the next multiple of 64 on `⌈cols/32⌉` f16 scales a row:
//!   weight = integer × scale of its block of 32 along the row
//!
//! # The tensors
//! With `L` from 0: `encoder.embeddings.{word,position,segment}.weight`, a row an entry;
//! `encoder.layers.L.attention.{query,key,value,output}` and `encoder.layers.L.feed_forward.{intermediate,output}`
//! with `.weight` (a row an output) and `.bias`; `.gamma` and `.beta` of `encoder.embeddings.norm`,
//! `encoder.layers.L.attention.norm` and `encoder.layers.L.feed_forward.norm` (the two LayerNorms behind the residual
//! sums). The `xml` head: `head.Xml.labels` (a row a code), `head.Xml.hidden.weight` (`W_b`) and
//! `head.Xml.output.weight` (`W_a`, one row) where the readout is shared, `head.Xml.weights` (a row a code) where it is
//! `own`, and `head.Xml.bias` (a number a code) where there is one; the `cls` head: `head.Cls.classifier.{weight,bias}`. Vectors are one row.
//! Our writer stores single rows in f32 and position and segment tables one step finer than the rest; a reader takes
//! any precision anywhere.
//!
//! # Reading
//! A reader fails closed: it checks size and SHA-256 of a file before it parses it, allocates nothing that the manifest
//! promises and the shards do not hold, and refuses numbers that are not finite and integers out of their range.
//! [`ShippedReader`] is one for files that come one by one; [`ShippedModel::read`] also refuses shards in the folder that the manifest does not list. The id protects from
//! accidents, not from somebody who writes a folder of their own: who needs that compares `model_id` with one that came
//! another way.

mod error;
mod folder;
mod layout;
mod manifest;
mod reader;
mod tensors;

pub use error::ShippedError;
pub use folder::ShippedModel;
pub use layout::{Role, TensorShape, stored_precision, stream_bytes, tensor_shapes};
pub use manifest::{
    ListedFile, ListedLabels, ListedTensor, ModelCard, SCHEMA_VERSION, SHARD_BYTES, SHIPPED_FORMAT,
    SHIPPED_MANIFEST, ShippedManifest, TEXT_BYTES, shard_name,
};
pub use reader::ShippedReader;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod refusals;
