//! A corpus as token ids on disk: tokenized once, mapped into memory by every training after.
//!
//! | file | what |
//! |---|---|
//! | `tokens.json` | format and version, digests of corpus and vocabulary, counts, size and SHA-256 of every shard |
//! | `train-00000.tokens`, …, `dev-00000.tokens`, … | some notes of a split, in the order of the corpus |
//! | `unfinished.json` | in place of `tokens.json` until all shards are there: the shards so far |
//!
//! A shard is little-endian, its parts one after the other, each begun at a multiple of 8 bytes:
//!
//! | part | what |
//! |---|---|
//! | header | `BXTOKENS`, then as `u64`: bytes an id (2 or 4), notes, tokens, gold labels, bytes of note ids |
//! | token ends | `u64` a note: tokens of this and all notes before it in the shard |
//! | label ends | `u64` a note, likewise |
//! | name ends | `u64` a note, likewise in bytes |
//! | labels | `u32` each: indices into the corpus's `labels.tsv`, rising within a note |
//! | names | the notes' ids, UTF-8 |
//! | tokens | `u16` each where the vocabulary has at most 65,536 tokens, else `u32` |
//!
//! No special token is stored, and no border of a sentence or window: the pairs of next-sentence prediction are drawn
//! anew in every epoch from where notes begin and end ([`bert_xml_core::data::nsp`]), and windows are cut to the length
//! that a training asks for. So one folder serves pretraining and fine-tuning at any length.

mod encoders;
mod layout;
mod manifest;
mod open;
mod write;

pub use encoders::Encoders;
pub use manifest::{MANIFEST, Manifest, ShardMark};
pub use open::{MappedSplit, TokenFolder};
pub use write::{SHARD_TOKENS, Tokenized, tokenize_corpus};
