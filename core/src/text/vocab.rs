//! A vocabulary learned from the training notes, and how well a vocabulary fits notes.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use tokenizers::AddedToken;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::normalizers::BertNormalizer;

use super::normalize::split_words;
use super::special::SPECIAL_TOKENS;
use super::tokenizer::{CONTINUATION, MAX_CHARS_PER_WORD, Tokenizer, TokenizerError};

/// How tokens are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VocabMethod {
    /// The most frequent whole words; all other words are spelled with characters (the paper, section 3).
    #[default]
    Words,
    /// Pieces joined by frequency (`WordPieceTrainer` of Hugging Face).
    WordPiece,
}

/// Settings of vocabulary training.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VocabConfig {
    /// How tokens are chosen (the paper: words).
    pub method: VocabMethod,
    /// Largest number of tokens, special tokens and characters included (the paper: 20,000).
    pub size: usize,
    /// Lowercase and strip accents before counting. Ours; the paper does not say.
    pub lowercase: bool,
    /// Words (or, for word pieces, pairs) that occur less often are left out. Ours; the paper names none.
    pub min_count: u64,
}

impl Default for VocabConfig {
    fn default() -> Self {
        Self { method: VocabMethod::Words, size: 20_000, lowercase: true, min_count: 1 }
    }
}

/// Why no vocabulary could be learned.
#[derive(Debug, thiserror::Error)]
pub enum VocabError {
    /// The texts contain no word: the wrong column, perhaps.
    #[error("no words in {notes} notes")]
    NoWords {
        /// Number of texts read.
        notes: u64,
    },
    /// The size leaves no room for a single character beside the special tokens.
    #[error("vocab.size is {size}; it must be at least {least} (special tokens and one character)")]
    TooSmall {
        /// The size asked for.
        size: usize,
        /// The smallest possible.
        least: usize,
    },
    /// Words were counted with other letter case than the settings ask for.
    #[error("words were counted with lowercase = {counted}, but vocab.lowercase is {asked}")]
    OtherCase {
        /// How they were counted.
        counted: bool,
        /// What the settings say.
        asked: bool,
    },
    /// The tokenizer library refused.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}

/// Counts normalised words of notes, one note at a time; memory grows with distinct words only.
#[derive(Clone, Debug)]
pub struct WordCounter {
    normalizer: BertNormalizer,
    counts: HashMap<String, u64>,
    notes: u64,
}

impl WordCounter {
    /// Nothing counted yet.
    pub fn new(lowercase: bool) -> Self {
        let normalizer = BertNormalizer::new(true, true, None, lowercase);
        Self { normalizer, counts: HashMap::new(), notes: 0 }
    }

    /// Counts the words of one note.
    pub fn add(&mut self, text: &str) {
        self.notes += 1;
        for word in split_words(&self.normalizer, text) {
            *self.counts.entry(word.text).or_default() += 1;
        }
    }

    /// Adds another counter's counts (of other notes, by another thread).
    pub fn merge(&mut self, other: Self) {
        self.notes += other.notes;
        for (word, count) in other.counts {
            *self.counts.entry(word).or_default() += count;
        }
    }

    /// Notes read.
    pub fn notes(&self) -> u64 {
        self.notes
    }

    /// Distinct words seen.
    pub fn distinct(&self) -> usize {
        self.counts.len()
    }

    /// Learns a vocabulary from what was counted. The same counts give the same vocabulary.
    ///
    /// Both methods start with the special tokens and hold every character seen as `c` and `##c`, so that
    /// any word of the training notes can be spelled. Where `size` cannot hold them all, the rarest
    /// characters are left out, and words with them become `[UNK]`.
    ///
    /// # Errors
    /// No words, a size without room for characters, another `lowercase` than counted with.
    pub fn train(&self, config: &VocabConfig) -> Result<Tokenizer, VocabError> {
        let least = SPECIAL_TOKENS.len() + 2;
        if config.size < least {
            return Err(VocabError::TooSmall { size: config.size, least });
        }
        if config.lowercase != self.normalizer.lowercase {
            return Err(VocabError::OtherCase {
                counted: self.normalizer.lowercase,
                asked: config.lowercase,
            });
        }
        if self.counts.is_empty() {
            return Err(VocabError::NoWords { notes: self.notes });
        }
        let alphabet = self.alphabet(config.size - SPECIAL_TOKENS.len());
        let tokens = match config.method {
            VocabMethod::Words => self.most_frequent_words(&alphabet, config),
            VocabMethod::WordPiece => self.word_pieces(&alphabet, config)?,
        };
        Ok(Tokenizer::from_tokens(tokens, config.lowercase)?)
    }

    /// Characters by falling count, then by code point; as many as fit into `room`, each as two tokens.
    fn alphabet(&self, room: usize) -> Vec<char> {
        let mut counts: HashMap<char, u64> = HashMap::new();
        for (word, count) in &self.counts {
            for c in word.chars() {
                *counts.entry(c).or_default() += count;
            }
        }
        let mut alphabet: Vec<(char, u64)> = counts.into_iter().collect();
        alphabet.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        alphabet.truncate(room / 2);
        alphabet.into_iter().map(|(c, _)| c).collect()
    }

    /// Words that a vocabulary may hold, by falling count, then by bytes.
    fn ranked_words(&self) -> Vec<(&str, u64)> {
        // Longer words become [UNK] before the vocabulary is asked.
        let usable = |word: &str| word.chars().take(MAX_CHARS_PER_WORD + 1).count() <= MAX_CHARS_PER_WORD;
        let mut words: Vec<(&str, u64)> =
            self.counts.iter().map(|(w, &n)| (w.as_str(), n)).filter(|(w, _)| usable(w)).collect();
        words.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        words
    }

    fn most_frequent_words(&self, alphabet: &[char], config: &VocabConfig) -> Vec<String> {
        let mut tokens: Vec<String> = SPECIAL_TOKENS.map(str::to_owned).to_vec();
        tokens.extend(alphabet.iter().map(|c| c.to_string()));
        tokens.extend(alphabet.iter().map(|c| format!("{CONTINUATION}{c}")));
        let present: HashSet<String> = tokens.iter().cloned().collect();
        let words = self.ranked_words().into_iter();
        let words = words.filter(|&(word, count)| count >= config.min_count && !present.contains(word));
        let room = config.size.saturating_sub(tokens.len());
        tokens.extend(words.take(room).map(|(word, _)| word.to_owned()));
        tokens
    }

    /// What `WordPieceTrainer` does (it wraps this trainer), fed with counts instead of texts.
    fn word_pieces(&self, alphabet: &[char], config: &VocabConfig) -> Result<Vec<String>, VocabError> {
        let known: HashSet<char> = alphabet.iter().copied().collect();
        let words: Vec<(&str, u64)> =
            self.ranked_words().into_iter().filter(|(w, _)| w.chars().all(|c| known.contains(&c))).collect();
        // The trainer counts pairs in i32: halve the counts of huge corpora until the sum fits.
        let total: u128 = words.iter().map(|(w, n)| w.chars().count() as u128 * u128::from(*n)).sum();
        let divisor = u64::try_from(total / (i32::MAX as u128 / 2)).unwrap_or(u64::MAX).saturating_add(1);
        // It numbers ##c in the order of a randomly seeded map; handing them over in front, sorted, is
        // what makes its tie-breaks, and so the vocabulary, the same in every run.
        let mut sorted = alphabet.to_vec();
        sorted.sort_unstable();
        let fixed = SPECIAL_TOKENS.into_iter().map(str::to_owned);
        let fixed = fixed.chain(sorted.iter().map(|c| format!("{CONTINUATION}{c}")));
        let trainer = BpeTrainer::builder()
            .show_progress(false)
            .vocab_size(config.size)
            .min_frequency(config.min_count.div_ceil(divisor))
            .special_tokens(fixed.map(|token| AddedToken::from(token, true)).collect())
            .initial_alphabet(known)
            .continuing_subword_prefix(CONTINUATION.to_owned())
            .build();
        let counts = words.into_iter().map(|(word, count)| (word.into(), count.div_ceil(divisor))).collect();
        let mut model = BPE::default();
        trainer.do_train(&counts, &mut model).map_err(TokenizerError::Library)?;
        let mut tokens: Vec<(String, u32)> = model.get_vocab().into_iter().collect();
        tokens.sort_unstable_by_key(|&(_, id)| id);
        Ok(tokens.into_iter().map(|(token, _)| token).collect())
    }
}

/// Learns a vocabulary from texts, one at a time; see [`WordCounter::train`].
///
/// # Errors
/// As [`WordCounter::train`].
pub fn train_vocab<T: AsRef<str>>(
    texts: impl IntoIterator<Item = T>,
    config: &VocabConfig,
) -> Result<Tokenizer, VocabError> {
    let mut counter = WordCounter::new(config.lowercase);
    for text in texts {
        counter.add(text.as_ref());
    }
    counter.train(config)
}

/// How many words of notes a vocabulary does not hold whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OovReport {
    /// Notes read.
    pub notes: u64,
    /// Words in them, punctuation marks included.
    pub words: u64,
    /// Words that are not one whole token: cut into pieces, or unknown.
    pub oov_words: u64,
}

impl OovReport {
    /// Counts one note.
    pub fn add(&mut self, tokenizer: &Tokenizer, text: &str) {
        let words = tokenizer.words(text);
        self.notes += 1;
        self.words += words.len() as u64;
        self.oov_words += words.iter().filter(|word| !tokenizer.is_whole_token(&word.text)).count() as u64;
    }

    /// Mean over notes (the paper: 49.2 for BERT's vocabulary, 0.93 for its own); `None` without notes.
    pub fn per_note(&self) -> Option<f64> {
        (self.notes > 0).then(|| self.oov_words as f64 / self.notes as f64)
    }
}

/// Out-of-vocabulary words per note, counted with the tokenizer's own normalisation; every occurrence
/// counts. See [`OovReport::per_note`].
pub fn oov_words_per_note<T: AsRef<str>>(
    tokenizer: &Tokenizer,
    texts: impl IntoIterator<Item = T>,
) -> OovReport {
    let mut report = OovReport::default();
    for text in texts {
        report.add(tokenizer, text.as_ref());
    }
    report
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn config(method: VocabMethod, size: usize) -> VocabConfig {
        VocabConfig { method, size, ..VocabConfig::default() }
    }

    fn all(tokenizer: &Tokenizer) -> Vec<&str> {
        (0..tokenizer.vocab_size() as u32).map(|id| tokenizer.token(id).unwrap()).collect()
    }

    #[test]
    fn words_come_by_count_then_bytes_after_specials_and_characters() {
        // Characters: b 5, a 4. Words: ab 2, then aa and bb 1 each, b 1 (already a character).
        let texts = ["AB ab", "bb aa b"];
        let tokenizer = train_vocab(texts, &config(VocabMethod::Words, 13)).unwrap();
        let expected =
            ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "b", "a", "##b", "##a", "ab", "aa", "bb"];
        assert_eq!(all(&tokenizer), expected);
        let cut = train_vocab(texts, &config(VocabMethod::Words, 11)).unwrap();
        assert_eq!(all(&cut), expected[..11]);
        let frequent = VocabConfig { min_count: 2, ..config(VocabMethod::Words, 13) };
        assert_eq!(all(&train_vocab(texts, &frequent).unwrap()), expected[..10]);
        // Room for three tokens beside the special ones: one character, and the word most used.
        let tiny = train_vocab(texts, &config(VocabMethod::Words, 8)).unwrap();
        assert_eq!(all(&tiny)[5..], ["b", "##b", "ab"]);
    }

    #[test]
    fn word_pieces_join_the_most_frequent_pair() {
        // Pairs: a ##b 3 times, ##b ##c once.
        let tokenizer = train_vocab(["ab ab abc"], &config(VocabMethod::WordPiece, 12)).unwrap();
        let expected =
            ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "##a", "##b", "##c", "a", "b", "c", "ab"];
        assert_eq!(all(&tokenizer), expected);
        let note = tokenizer.encode("ABC cab");
        let pieces: Vec<_> = note.ids.iter().map(|&id| tokenizer.token(id).unwrap()).collect();
        assert_eq!(pieces, ["ab", "##c", "c", "##a", "##b"]);
    }

    #[test]
    fn same_counts_give_the_same_vocabulary() {
        // Many ties: every three-letter word over six letters once or twice.
        let letters = "abcdef";
        let words = letters.chars().flat_map(|a| {
            letters.chars().flat_map(move |b| letters.chars().map(move |c| format!("{a}{b}{c} {a}{c}")))
        });
        let texts: Vec<String> = words.collect();
        for method in [VocabMethod::Words, VocabMethod::WordPiece] {
            let first = train_vocab(&texts, &config(method, 90)).unwrap().to_json().unwrap();
            for _ in 0..5 {
                let again = train_vocab(texts.iter().rev(), &config(method, 90)).unwrap();
                assert_eq!(again.to_json().unwrap(), first);
            }
        }
    }

    #[test]
    fn counters_of_parts_merge_to_the_counter_of_the_whole() {
        let (mut whole, mut left, mut right) =
            (WordCounter::new(true), WordCounter::new(true), WordCounter::new(true));
        for text in ["no fever", "fever!"] {
            whole.add(text);
        }
        left.add("no fever");
        right.add("Fever!");
        left.merge(right);
        assert_eq!((left.notes(), left.distinct()), (2, 3));
        assert_eq!(left.counts, whole.counts);
        assert_eq!(left.counts["fever"], 2);
    }

    #[test]
    fn unusable_input_says_why() {
        let words = |size| config(VocabMethod::Words, size);
        let error = train_vocab([" ", ""], &words(100)).unwrap_err();
        assert_eq!(error.to_string(), "no words in 2 notes");
        let error = train_vocab(["a"], &words(6)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "vocab.size is 6; it must be at least 7 (special tokens and one character)"
        );
        let mut counter = WordCounter::new(false);
        counter.add("a");
        assert!(matches!(counter.train(&words(7)), Err(VocabError::OtherCase { .. })));
    }

    #[test]
    fn settings_have_the_papers_defaults_and_refuse_unknown_keys() {
        let read = serde_json::from_str::<VocabConfig>(r#"{"method": "wordpiece"}"#).unwrap();
        assert_eq!(read, config(VocabMethod::WordPiece, 20_000));
        assert!(serde_json::from_str::<VocabConfig>(r#"{"sise": 1}"#).is_err());
    }

    #[test]
    fn out_of_vocabulary_words_are_counted_at_every_occurrence() {
        let vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nfever\nno\n.\na\n##s\n";
        let tokenizer = Tokenizer::from_vocab(vocab, true).unwrap();
        // "as" is two pieces; the comma and "cough", twice, are unknown.
        let report = oov_words_per_note(&tokenizer, ["No fever.", "as Cough, cough"]);
        assert_eq!(report, OovReport { notes: 2, words: 7, oov_words: 4 });
        assert_eq!(report.per_note(), Some(2.0));
        assert_eq!(OovReport::default().per_note(), None);
    }

    proptest! {
        #[test]
        fn training_notes_are_spelled_without_unknown_words(
            texts in prop::collection::vec("[a-zA-Z0-9é漢 .,\\-]{0,40}", 1..6), pieces: bool, lowercase: bool,
        ) {
            let method = if pieces { VocabMethod::WordPiece } else { VocabMethod::Words };
            let config = VocabConfig { method, size: 150, lowercase, min_count: 1 };
            match train_vocab(&texts, &config) {
                Err(error) => prop_assert!(matches!(error, VocabError::NoWords { .. }), "wrong error"),
                Ok(tokenizer) => {
                    prop_assert!(tokenizer.vocab_size() <= 150);
                    for text in &texts {
                        prop_assert!(!tokenizer.encode(text).ids.contains(&tokenizer.special().unk));
                    }
                }
            }
        }
    }
}
