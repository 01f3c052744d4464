//! One thin file a subcommand: its options, and the call of the room that does the work.

pub mod synth;
pub mod cohort;
pub mod wordings;
pub mod ingest;
pub mod prepare;
pub mod vocab;
pub mod tokenize;
pub mod pretrain;
pub mod recipe;
pub mod finetune;
mod sweep;
pub mod evaluate;
pub mod predict;
pub mod encode;
pub mod export;
pub mod import;
pub mod worker;
pub mod bench;
pub mod baseline;
pub mod demo;
pub mod reproduce;
