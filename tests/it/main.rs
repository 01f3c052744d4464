//! One integration binary; a module a subject.

mod model_parity;
mod synth;
mod tokenizer_parity;
