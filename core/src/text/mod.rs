//! Notes, spans, tokens and windows.
//!
//! A note's text becomes word pieces with spans back into it ([`tokenizer`], [`span`]), by a vocabulary
//! learned from the training notes ([`vocab`]), cut into windows that the encoder can hold ([`window`]).

pub mod normalize;
pub mod note;
pub mod span;
pub mod shown;
pub mod special;
pub mod tokenizer;
pub mod token_ids;
pub mod vocab;
pub mod window;

pub use normalize::Word;
pub use note::Note;
pub use shown::shown;
pub use span::{ByteSpan, CharSpan, OffsetMap, SpanError, TokenSpan, Utf16Span};
pub use special::SpecialTokens;
pub use token_ids::TokenIds;
pub use tokenizer::{TokenizedNote, Tokenizer, TokenizerError};
pub use vocab::{
    OovReport, VocabConfig, VocabError, VocabMethod, WordCounter, oov_words_per_note, train_vocab,
};
pub use window::{build_window, windows};
