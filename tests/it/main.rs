//! One integration binary; a module a subject.

mod hf_folder;
mod model_parity;
mod tokenizer_parity;
