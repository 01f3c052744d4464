//! Token ids of much text, fast: a word's pieces are looked up once and remembered.
//!
//! The library follows every character back to the original text, which training does not need. Here a text is cut at
//! the four blanks and the punctuation marks of ASCII, which BERT cuts at in any case and whose neighbours do not change
//! them: cleaning, accents and lower case go by single characters and the marks that combine with them. What stands
//! between is left to [`Tokenizer::encode`], once for each spelling.

use std::collections::HashMap;

use super::tokenizer::Tokenizer;

/// Longer stretches are seldom met again (a URL, a row of dashes in another script).
const LONGEST_KNOWN: usize = 64;
/// Spellings that are remembered, about 30 MiB of them; then it begins anew.
const MOST_KNOWN: usize = 1 << 18;

/// What a byte of UTF-8 does to the word that it stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It belongs to the word (a letter, a digit, a control character, part of a longer character).
    Word,
    /// It ends the word.
    Blank,
    /// It ends the word and is one.
    Mark,
}

const ROLES: [Role; 256] = {
    let mut roles = [Role::Word; 256];
    let mut byte = 0;
    while byte < 128 {
        roles[byte] = match byte as u8 {
            b' ' | b'\t' | b'\n' | b'\r' => Role::Blank,
            mark if mark.is_ascii_punctuation() => Role::Mark,
            _ => Role::Word,
        };
        byte += 1;
    }
    roles
};

/// The ids that [`Tokenizer::encode`] gives, without spans. One for each thread.
pub struct TokenIds<'t> {
    tokenizer: &'t Tokenizer,
    /// Whether text may be cut: not where the vocabulary has tokens that may span words.
    cuts: bool,
    /// Where the pieces of a spelling stand in `pieces`.
    known: HashMap<Box<[u8]>, (u32, u32)>,
    pieces: Vec<u32>,
}

impl<'t> TokenIds<'t> {
    /// Knows no word yet.
    pub fn new(tokenizer: &'t Tokenizer) -> Self {
        let cuts = !tokenizer.has_tokens_in_text();
        Self { tokenizer, cuts, known: HashMap::new(), pieces: Vec::new() }
    }

    /// Appends the ids of `text`, without `[CLS]` and `[SEP]`.
    pub fn append(&mut self, text: &str, ids: &mut Vec<u32>) {
        if !self.cuts {
            return ids.extend(self.tokenizer.encode(text).ids);
        }
        let mut start = 0;
        for (at, &byte) in text.as_bytes().iter().enumerate() {
            let role = ROLES[usize::from(byte)];
            if role == Role::Word {
                continue;
            }
            // An ASCII character is never part of another one: these are borders of characters.
            self.word(&text[start..at], ids);
            if role == Role::Mark {
                self.word(&text[at..at + 1], ids);
            }
            start = at + 1;
        }
        self.word(&text[start..], ids);
    }

    /// The ids of `text`.
    pub fn encode(&mut self, text: &str) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len() / 4);
        self.append(text, &mut ids);
        ids
    }

    fn word(&mut self, word: &str, ids: &mut Vec<u32>) {
        if word.is_empty() {
            return;
        }
        if let Some(&(start, end)) = self.known.get(word.as_bytes()) {
            return ids.extend_from_slice(&self.pieces[start as usize..end as usize]);
        }
        let found = self.tokenizer.encode(word).ids;
        ids.extend_from_slice(&found);
        if word.len() > LONGEST_KNOWN {
            return;
        }
        if self.known.len() == MOST_KNOWN {
            self.known.clear();
            self.pieces.clear();
        }
        // At most 64 pieces of each of 2^18 spellings: far below 2^32.
        let start = self.pieces.len() as u32;
        self.pieces.extend(found);
        self.known.insert(word.as_bytes().into(), (start, self.pieces.len() as u32));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::special::SPECIAL_TOKENS;

    fn tokenizer(lowercase: bool) -> Tokenizer {
        let alphabet = "abcdefghijklmnopqrstuvwxyz0123456789.,[]#-'=äÉ漢ा\u{301}";
        let first = alphabet.chars().map(String::from);
        let rest = alphabet.chars().map(|c| format!("##{c}"));
        let words = ["fever", "mask", "##ver", "no"].map(str::to_owned).into_iter();
        let special = SPECIAL_TOKENS.map(str::to_owned).into_iter();
        Tokenizer::from_tokens(special.chain(first).chain(rest).chain(words), lowercase).unwrap()
    }

    proptest! {
        #[test]
        fn ids_are_those_of_the_tokenizer_on_odd_text(
            texts in prop::collection::vec(
                "(\\PC|.|[ \t\r\n\u{b}\u{c}\u{0}\u{1}]|[.,=\\[\\]#'-]|fever|\\[MASK\\]|\u{301}|\u{327}|\u{93e}|\u{a0}|\u{85}|\u{2028}|\u{200b}|\u{fffd}|≠|한|İ|ﬁ|Σ|漢|é){0,40}",
                1..4,
            ),
            lowercase: bool,
        ) {
            let tokenizer = tokenizer(lowercase);
            let mut fast = TokenIds::new(&tokenizer);
            // Twice: when words are new, and when they are known.
            for text in texts.iter().chain(&texts) {
                prop_assert_eq!(fast.encode(text), tokenizer.encode(text).ids);
            }
        }
    }

    #[test]
    fn what_is_known_is_forgotten_and_learnt_anew() {
        let tokenizer = tokenizer(true);
        let mut fast = TokenIds::new(&tokenizer);
        let long = "fever".repeat(30);
        for text in ["no Fever.", &long, "no fever!"] {
            assert_eq!(fast.encode(text), tokenizer.encode(text).ids);
        }
        // "no", "Fever", ".", "fever" and "!"; the long one is not kept.
        assert_eq!(fast.known.len(), 5);
        while fast.known.len() < MOST_KNOWN {
            let next = fast.known.len().to_string();
            fast.known.insert(next.as_bytes().into(), (0, 0));
        }
        assert_eq!(fast.encode("cough"), tokenizer.encode("cough").ids);
        assert_eq!((fast.known.len(), fast.encode("no")), (1, tokenizer.encode("no").ids));
    }

    #[test]
    fn a_vocabulary_with_tokens_across_words_is_left_to_the_library() {
        let mut json: serde_json::Value = serde_json::from_str(&tokenizer(true).to_json().unwrap()).unwrap();
        let size = tokenizer(true).vocab_size();
        json["added_tokens"].as_array_mut().unwrap().push(serde_json::json!({
            "id": size, "content": "no fever", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": true, "special": false
        }));
        let across = Tokenizer::from_json_bytes(json.to_string().as_bytes()).unwrap();
        assert_eq!(TokenIds::new(&across).encode("no fever."), across.encode("no fever.").ids);
        assert_eq!(across.encode("no fever").ids, [size as u32]);
        let trusting = tokenizer(true).reading_special_tokens();
        assert_eq!(TokenIds::new(&trusting).encode("no[MASK]"), trusting.encode("no[MASK]").ids);
    }
}
