//! One integration binary; a module a subject.

mod evaluate;
mod hf_folder;
mod model_parity;
mod synth;
mod tokenizer_parity;
