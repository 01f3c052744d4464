//! One integration binary; a module a subject.

mod bench;
mod bundled;
mod cli;
mod cohort;
mod demo;
mod evaluate;
mod gpu;
mod hf_folder;
mod imputation;
mod ingest;
mod model_parity;
mod outputs;
mod predict;
mod prepare;
mod process;
mod replicas;
mod shards;
mod reproduce;
mod shipping;
mod signals;
mod synth;
mod tokenizer_parity;
mod train;
mod wasm_fixture;
