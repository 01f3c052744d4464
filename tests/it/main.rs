//! One integration binary; a module a subject.

mod tokenizer_parity;
