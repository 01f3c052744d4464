//! Notes, spans, tokens and windows.

pub mod note;
