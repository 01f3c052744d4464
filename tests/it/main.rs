//! One integration binary; a module a subject.

mod evaluate;
mod model_parity;
mod synth;
mod tokenizer_parity;
mod prepare;
