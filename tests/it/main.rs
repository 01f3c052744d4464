//! One integration binary; a module a subject.

mod synth;
mod tokenizer_parity;
