//! BERT tokenization as Hugging Face's `BertTokenizerFast` does it, with spans into the original text.
//!
//! Differs from Hugging Face in one point: the five special tokens are never read from a note. There,
//! a note that contains the characters `[MASK]` or `[SEP]` gets the special token's id, so that anybody
//! who writes notes could hide words or fake a segment border. Here such characters are ordinary text
//! (`[`, `mask`, `]`); special ids enter only by [`build_window`](super::window::build_window).

use std::collections::HashMap;
use std::fmt;

use tokenizers::decoders::wordpiece::WordPiece as WordPieceDecoder;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, ModelWrapper, Normalizer, NormalizerWrapper, PreTokenizerWrapper};

use super::normalize::{Word, split_words};
use super::span::ByteSpan;
use super::special::{SPECIAL_TOKENS, SpecialTokens};

/// What marks a piece that continues a word.
pub const CONTINUATION: &str = "##";

/// Words with more normalised characters than this become `[UNK]`, as in BERT.
pub const MAX_CHARS_PER_WORD: usize = 100;

/// A vocabulary or tokenizer file that does not make a BERT tokenizer.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// A special token is missing: the file is not a BERT vocabulary.
    #[error("vocabulary lacks the special token {token}")]
    MissingSpecial {
        /// Such as `[CLS]`.
        token: &'static str,
    },
    /// The same token stands on two lines of `vocab.txt`.
    #[error("vocabulary line {line} repeats the token of line {first}")]
    DuplicateToken {
        /// The first line, from 1.
        first: usize,
        /// The second line, from 1.
        line: usize,
    },
    /// A line of `vocab.txt` is empty.
    #[error("vocabulary line {line} is empty")]
    EmptyToken {
        /// The line, from 1.
        line: usize,
    },
    /// Ids are not 0, 1, 2, …: they could not index an embedding table or be written as `vocab.txt`.
    #[error("no token has the id {id}, although the vocabulary has {size} tokens")]
    MissingId {
        /// The smallest id without a token.
        id: u32,
        /// Number of tokens.
        size: usize,
    },
    /// A `tokenizer.json` of another kind than BERT's.
    #[error("tokenizer.json: the {part} is not BERT's ({expected})")]
    NotBert {
        /// Such as `model`.
        part: &'static str,
        /// Such as `WordPiece`.
        expected: &'static str,
    },
    /// Bytes that are no `tokenizer.json`.
    #[error("tokenizer.json cannot be read")]
    Json(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The tokenizer library refused what should always work: a bug, here or there.
    #[error("the tokenizer library refused")]
    Library(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A note as tokens, without special tokens in front or behind. The three vectors have equal length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenizedNote {
    /// Vocabulary ids. `[UNK]` may be among them, no other special token.
    pub ids: Vec<u32>,
    /// Where each token stands in the original text; starts never fall, ends are on character boundaries.
    /// Two tokens share a span where one character normalises to several (a Hangul syllable, say).
    pub spans: Vec<ByteSpan>,
    /// Which word each token belongs to: 0, 1, 2, … Tokens of one word are neighbours.
    pub word_ids: Vec<u32>,
}

impl TokenizedNote {
    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether the note has no token.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// A BERT tokenizer: clean, split, lowercase if asked, then WordPiece by longest match.
#[derive(Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    special: SpecialTokens,
    normalizer: BertNormalizer,
    /// The token of each id.
    tokens: Vec<String>,
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokenizer")
            .field("tokens", &self.tokens.len())
            .field("lowercase", &self.normalizer.lowercase)
            .field("special", &self.special)
            .finish()
    }
}

impl Tokenizer {
    /// From the text of a `vocab.txt` (one token a line, the line number from 0 is the id), with all other
    /// settings as `BertTokenizerFast` has them. `lowercase` also strips accents.
    ///
    /// # Errors
    /// Empty and repeated lines, a missing special token.
    pub fn from_vocab(vocab: &str, lowercase: bool) -> Result<Self, TokenizerError> {
        let tokens = vocab.strip_suffix('\n').unwrap_or(vocab).split('\n');
        Self::from_tokens(tokens.map(|line| line.strip_suffix('\r').unwrap_or(line).to_owned()), lowercase)
    }

    /// From the tokens in the order of their ids; see [`Tokenizer::from_vocab`].
    ///
    /// # Errors
    /// Empty and repeated tokens, a missing special token.
    pub fn from_tokens(
        tokens: impl IntoIterator<Item = String>,
        lowercase: bool,
    ) -> Result<Self, TokenizerError> {
        let mut ids: HashMap<String, u32> = HashMap::new();
        for (index, token) in tokens.into_iter().enumerate() {
            let line = index + 1;
            if token.is_empty() {
                return Err(TokenizerError::EmptyToken { line });
            }
            if let Some(first) = ids.insert(token, index as u32) {
                return Err(TokenizerError::DuplicateToken { first: first as usize + 1, line });
            }
        }
        let special = SpecialTokens::find(|token| ids.get(token).copied())?;
        // The map type is private to the library; its reader hands out an empty one.
        let mut vocab = WordPiece::read_bytes(b"").map_err(TokenizerError::Library)?;
        vocab.extend(ids);
        let model = WordPiece::builder()
            .vocab(vocab)
            .unk_token("[UNK]".to_owned())
            .continuing_subword_prefix(CONTINUATION.to_owned())
            .max_input_chars_per_word(MAX_CHARS_PER_WORD)
            .build()
            .map_err(TokenizerError::Library)?;
        let template = TemplateProcessing::builder()
            .try_single("[CLS]:0 $A:0 [SEP]:0")
            .and_then(|b| b.try_pair("[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1"))
            .map_err(|e| TokenizerError::Library(e.into()))?
            .special_tokens(vec![("[CLS]", special.cls), ("[SEP]", special.sep)])
            .build()
            .map_err(|e| TokenizerError::Library(e.into()))?;
        let mut inner = tokenizers::Tokenizer::new(model);
        inner
            .with_normalizer(Some(BertNormalizer::new(true, true, None, lowercase)))
            .map_err(TokenizerError::Library)?
            .with_pre_tokenizer(Some(BertPreTokenizer))
            .with_post_processor(Some(template))
            .with_decoder(Some(WordPieceDecoder::default()));
        Self::from_inner(inner)
    }

    /// From the bytes of a `tokenizer.json`. Its normaliser settings, word limit and added tokens are
    /// kept; truncation and padding are dropped, since windows are cut elsewhere.
    ///
    /// # Errors
    /// Bytes that do not parse; a model, normaliser or pre-tokenizer that is not BERT's; missing special
    /// tokens; ids that are not 0, 1, 2, ….
    pub fn from_json_bytes(json: &[u8]) -> Result<Self, TokenizerError> {
        Self::from_inner(tokenizers::Tokenizer::from_bytes(json).map_err(TokenizerError::Json)?)
    }

    fn from_inner(mut inner: tokenizers::Tokenizer) -> Result<Self, TokenizerError> {
        let ModelWrapper::WordPiece(model) = inner.get_model() else {
            return Err(TokenizerError::NotBert { part: "model", expected: "WordPiece" });
        };
        if model.unk_token != "[UNK]" || model.continuing_subword_prefix != CONTINUATION {
            return Err(TokenizerError::NotBert { part: "model", expected: "[UNK] and ##" });
        }
        let Some(NormalizerWrapper::BertNormalizer(normalizer)) = inner.get_normalizer() else {
            return Err(TokenizerError::NotBert { part: "normalizer", expected: "BertNormalizer" });
        };
        let normalizer = *normalizer;
        let Some(PreTokenizerWrapper::BertPreTokenizer(_)) = inner.get_pre_tokenizer() else {
            return Err(TokenizerError::NotBert { part: "pre_tokenizer", expected: "BertPreTokenizer" });
        };
        let special = SpecialTokens::find(|token| inner.token_to_id(token))?;
        inner.with_padding(None).with_truncation(None).map_err(TokenizerError::Library)?;
        // Known as special, so that they are written as such and never matched in a note's text.
        inner
            .add_special_tokens(SPECIAL_TOKENS.map(|token| AddedToken::from(token, true)))
            .map_err(TokenizerError::Library)?;
        inner.set_encode_special_tokens(true);

        let vocab = inner.get_vocab(true);
        let size = vocab.len();
        let mut tokens = vec![None; size];
        for (token, id) in vocab {
            if let Some(slot) = tokens.get_mut(id as usize) {
                *slot = Some(token);
            }
        }
        let tokens = tokens
            .into_iter()
            .enumerate()
            .map(|(id, token)| token.ok_or(TokenizerError::MissingId { id: id as u32, size }))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { inner, special, normalizer, tokens })
    }

    /// The same tokenizer, but reading special tokens from text as Hugging Face does. For text of one's own
    /// (and for proving parity), never for notes. Not kept in files.
    pub fn reading_special_tokens(mut self) -> Self {
        self.inner.set_encode_special_tokens(false);
        self
    }

    /// As `tokenizer.json`, which Hugging Face's libraries load. The same tokenizer gives the same bytes.
    ///
    /// # Errors
    /// [`TokenizerError::Library`] where the library cannot write it.
    pub fn to_json(&self) -> Result<String, TokenizerError> {
        self.inner.to_string(true).map_err(TokenizerError::Library)
    }

    /// As [`Tokenizer::to_json`], without the blanks.
    ///
    /// # Errors
    /// As there.
    pub fn to_compact_json(&self) -> Result<String, TokenizerError> {
        self.inner.to_string(false).map_err(TokenizerError::Library)
    }

    /// As `vocab.txt`: one token a line in the order of ids.
    pub fn to_vocab_txt(&self) -> String {
        self.tokens.iter().flat_map(|token| [token.as_str(), "\n"]).collect()
    }

    /// Tokens of `text` without `[CLS]` and `[SEP]`; never any special id but `[UNK]`.
    pub fn encode(&self, text: &str) -> TokenizedNote {
        // BERT's normaliser and splitter cannot fail, and WordPiece fails only without [UNK].
        let encoding = self.inner.encode(text, false).expect("a BERT tokenizer with [UNK] encodes any text");
        let spans = encoding.get_offsets().iter().map(|&(start, end)| {
            ByteSpan::new(text.floor_char_boundary(start), text.ceil_char_boundary(end))
        });
        let words = encoding.get_word_ids().iter().map(|word| word.unwrap_or_default());
        TokenizedNote { ids: encoding.get_ids().to_vec(), spans: spans.collect(), word_ids: words.collect() }
    }

    /// The words that [`Tokenizer::encode`] spells with pieces; punctuation marks are words of their own.
    pub fn words(&self, text: &str) -> Vec<Word> {
        split_words(&self.normalizer, text)
    }

    /// The text as the vocabulary sees it: cleaned, and lowercased without accents if so set.
    pub fn normalize(&self, text: &str) -> String {
        let mut normalized = tokenizers::NormalizedString::from(text);
        self.normalizer.normalize(&mut normalized).expect("BERT's normaliser cannot fail");
        normalized.get().to_owned()
    }

    /// Whether `word` (normalised) is one token, so that it is not cut into pieces.
    pub fn is_whole_token(&self, word: &str) -> bool {
        self.id(word).is_some() && word.chars().count() <= self.max_chars_per_word()
    }

    /// Ids of the special tokens.
    pub fn special(&self) -> SpecialTokens {
        self.special
    }

    /// Whether text is lowercased (and loses its accents).
    pub fn lowercase(&self) -> bool {
        self.normalizer.lowercase
    }

    /// Number of tokens, special ones included; ids are smaller.
    pub fn vocab_size(&self) -> usize {
        self.tokens.len()
    }

    /// The token with this id.
    pub fn token(&self, id: u32) -> Option<&str> {
        self.tokens.get(id as usize).map(String::as_str)
    }

    /// The id of this token (pieces with their `##`).
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// Whether some tokens are found in the text before it is cut into words, and so may hold several: special ones
    /// that are read from text, and added ones that are not special.
    pub(super) fn has_tokens_in_text(&self) -> bool {
        !self.inner.get_encode_special_tokens()
            || self.inner.get_added_tokens_decoder().values().any(|token| !token.special)
    }

    fn max_chars_per_word(&self) -> usize {
        match self.inner.get_model() {
            ModelWrapper::WordPiece(model) => model.max_input_chars_per_word,
            _ => MAX_CHARS_PER_WORD,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VOCAB: &str =
        "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n[\n]\nmask\nfever\ndia\n##betes\n##b\n##e\n.\nno\n糖\n##s\n";

    fn tokens(tokenizer: &Tokenizer, text: &str) -> Vec<String> {
        let note = tokenizer.encode(text);
        note.ids.iter().map(|&id| tokenizer.token(id).unwrap().to_owned()).collect()
    }

    #[test]
    fn words_become_pieces_with_spans_into_the_original() {
        let tokenizer = Tokenizer::from_vocab(VOCAB, true).unwrap();
        let text = "No  Féver.\u{0}糖Diabetes";
        let note = tokenizer.encode(text);
        assert_eq!(tokens(&tokenizer, text), ["no", "fever", ".", "糖", "dia", "##betes"]);
        let slices: Vec<_> = note.spans.iter().map(|span| span.slice(text).unwrap()).collect();
        assert_eq!(slices, ["No", "Féver", ".", "糖", "Dia", "betes"]);
        assert_eq!(note.word_ids, [0, 1, 2, 3, 4, 4]);
        assert_eq!((note.len(), note.is_empty()), (6, false));
        let words: Vec<_> = tokenizer.words(text).into_iter().map(|word| word.text).collect();
        assert_eq!(words, ["no", "fever", ".", "糖", "diabetes"]);
    }

    #[test]
    fn special_tokens_in_a_note_are_ordinary_text() {
        let tokenizer = Tokenizer::from_vocab(VOCAB, true).unwrap();
        assert_eq!(tokens(&tokenizer, "no [MASK]fever"), ["no", "[", "mask", "]", "fever"]);
        assert_eq!(tokens(&tokenizer, "[SEP]"), ["[", "[UNK]", "]"]);
        let reloaded = Tokenizer::from_json_bytes(tokenizer.to_json().unwrap().as_bytes()).unwrap();
        assert_eq!(tokens(&reloaded, "[MASK]"), ["[", "mask", "]"]);
        let trusting = tokenizer.reading_special_tokens();
        assert_eq!(tokens(&trusting, "no [MASK]fever"), ["no", "[MASK]", "fever"]);
        let cased = Tokenizer::from_vocab(VOCAB, false).unwrap();
        assert_eq!(tokens(&cased, "[MASK] Fever fever"), ["[", "[UNK]", "]", "[UNK]", "fever"]);
    }

    #[test]
    fn words_beyond_100_characters_are_unknown() {
        let tokenizer = Tokenizer::from_vocab(VOCAB, true).unwrap();
        let spelled = format!("dia{}", "e".repeat(97));
        assert_eq!(tokenizer.encode(&spelled).len(), 98);
        let text = format!("{spelled}e");
        let note = tokenizer.encode(&text);
        assert_eq!((note.ids, note.spans), (vec![1], vec![ByteSpan::new(0, 101)]));
    }

    #[test]
    fn files_round_trip() {
        let tokenizer = Tokenizer::from_vocab(VOCAB, true).unwrap();
        assert_eq!(tokenizer.to_vocab_txt(), VOCAB);
        let json = tokenizer.to_json().unwrap();
        let reloaded = Tokenizer::from_json_bytes(json.as_bytes()).unwrap();
        assert_eq!(reloaded.to_json().unwrap(), json);
        assert_eq!(reloaded.to_vocab_txt(), VOCAB);
        assert_eq!(reloaded.special(), SpecialTokens { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 });
        assert_eq!((reloaded.vocab_size(), reloaded.id("##betes"), reloaded.token(17)), (17, Some(10), None));
        let windows_line_ends = VOCAB.replace('\n', "\r\n");
        assert_eq!(Tokenizer::from_vocab(&windows_line_ends, true).unwrap().to_vocab_txt(), VOCAB);
    }

    #[test]
    fn truncation_and_padding_of_a_file_are_dropped() {
        let mut json: serde_json::Value =
            serde_json::from_str(&Tokenizer::from_vocab(VOCAB, true).unwrap().to_json().unwrap()).unwrap();
        json["truncation"] = serde_json::json!({
            "max_length": 2, "stride": 0, "strategy": "LongestFirst", "direction": "Right"
        });
        json["padding"] = serde_json::json!({
            "strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"
        });
        let tokenizer = Tokenizer::from_json_bytes(json.to_string().as_bytes()).unwrap();
        assert_eq!(tokens(&tokenizer, "no fever."), ["no", "fever", "."]);
    }

    #[test]
    fn unusable_files_say_why() {
        let error = |vocab: &str| Tokenizer::from_vocab(vocab, true).unwrap_err().to_string();
        assert_eq!(error("[PAD]\n[UNK]\n[CLS]\n[SEP]\n"), "vocabulary lacks the special token [MASK]");
        assert_eq!(error(&format!("{VOCAB}fever\n")), "vocabulary line 18 repeats the token of line 9");
        assert_eq!(error(&format!("{VOCAB}\nx\n")), "vocabulary line 18 is empty");
        assert!(matches!(Tokenizer::from_json_bytes(b"{"), Err(TokenizerError::Json(_))));
        let json = Tokenizer::from_vocab(VOCAB, true).unwrap().to_json().unwrap();
        let gap = json.replace("\"##s\": 16", "\"##s\": 99");
        assert_ne!(gap, json);
        let error = Tokenizer::from_json_bytes(gap.as_bytes()).unwrap_err();
        assert!(matches!(error, TokenizerError::MissingId { id: 16, size: 17 }));
        let foreign = json.replace("\"type\": \"BertPreTokenizer\"", "\"type\": \"Whitespace\"");
        let error = Tokenizer::from_json_bytes(foreign.as_bytes()).unwrap_err();
        assert!(matches!(error, TokenizerError::NotBert { part: "pre_tokenizer", .. }));
    }

    /// Specials, then every character of `alphabet` as first and as continuing piece.
    fn characters(alphabet: impl Iterator<Item = char> + Clone, lowercase: bool) -> Tokenizer {
        let first = alphabet.clone().map(String::from);
        let rest = alphabet.map(|c| format!("{CONTINUATION}{c}"));
        let special = SPECIAL_TOKENS.map(str::to_owned).into_iter();
        Tokenizer::from_tokens(special.chain(first).chain(rest), lowercase).unwrap()
    }

    proptest! {
        #[test]
        fn spans_slice_back_to_their_token(text in "[a-zA-ZàéÀÖçñ .,\\[\\]#\n\t\u{a0}漢字]{0,80}", lowercase: bool) {
            let tokenizer = characters("abcdefghijklmnopqrstuvwxyz.,[]#漢字".chars(), lowercase);
            let note = tokenizer.encode(&text);
            for (&id, span) in note.ids.iter().zip(&note.spans) {
                if id == tokenizer.special().unk {
                    prop_assert!(!lowercase);
                    continue;
                }
                let token = tokenizer.token(id).unwrap();
                let piece = token.strip_prefix(CONTINUATION).unwrap_or(token);
                let slice = tokenizer.normalize(span.slice(&text).unwrap());
                prop_assert_eq!(slice.trim(), piece);
            }
        }

        #[test]
        fn any_text_gives_ordered_spans_on_character_boundaries(text in "(\\PC|.|\u{301}|한|İ|ﬁ|\u{200b}){0,60}") {
            let tokenizer = characters("abcdefghijklmnopqrstuvwxyz0123456789".chars(), true);
            let note = tokenizer.encode(&text);
            prop_assert_eq!(note.spans.len(), note.ids.len());
            prop_assert_eq!(note.word_ids.len(), note.ids.len());
            let words = tokenizer.words(&text);
            let mut start = 0;
            for (i, span) in note.spans.iter().enumerate() {
                prop_assert!(span.slice(&text).is_some());
                prop_assert!(span.start >= start);
                start = span.start;
                let word = words[note.word_ids[i] as usize].span;
                prop_assert!(word.start <= span.start && span.end <= word.end);
                prop_assert!(note.ids[i] == tokenizer.special().unk || !tokenizer.special().contains(note.ids[i]));
            }
            prop_assert_eq!(note.word_ids.last().map_or(0, |&last| last as usize + 1), words.len());
        }
    }
}
