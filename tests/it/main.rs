//! One integration binary; a module a subject.

mod model_parity;
mod tokenizer_parity;
