//! One integration binary; a module a subject.

mod bench;
mod bundled;
mod cli;
mod demo;
mod evaluate;
mod hf_folder;
mod model_parity;
mod outputs;
mod predict;
mod prepare;
mod process;
mod reproduce;
mod shipping;
mod signals;
mod synth;
mod tokenizer_parity;
mod train;
mod wasm_fixture;
