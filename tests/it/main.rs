//! One integration binary; a module a subject.

mod model_parity;
mod evaluate;
mod tokenizer_parity;
