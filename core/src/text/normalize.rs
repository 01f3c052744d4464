//! Words of a note by BERT's rules: cleaned, split at white space, punctuation on its own, lowercased if asked.

use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

use super::span::ByteSpan;

/// A word after normalisation and pre-tokenization: what is looked up in the vocabulary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The normalised word.
    pub text: String,
    /// Where it stands in the original text.
    pub span: ByteSpan,
}

/// Words of `text` by BERT's rules: normalise, split at white space, isolate punctuation.
pub(super) fn split_words(normalizer: &BertNormalizer, text: &str) -> Vec<Word> {
    let mut split = PreTokenizedString::from(text);
    split
        .normalize(|part| normalizer.normalize(part))
        .and_then(|()| BertPreTokenizer.pre_tokenize(&mut split))
        .expect("BERT's normaliser and splitter cannot fail");
    let words = split.get_splits(OffsetReferential::Original, OffsetType::Byte).into_iter();
    words
        .map(|(word, (start, end), _)| Word { text: word.to_owned(), span: ByteSpan { start, end } })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punctuation_marks_and_chinese_characters_are_words() {
        let text = "Été: T2DM,\t糖尿";
        let words = |lowercase| split_words(&BertNormalizer::new(true, true, None, lowercase), text);
        let texts: Vec<_> = words(true).into_iter().map(|word| word.text).collect();
        assert_eq!(texts, ["ete", ":", "t2dm", ",", "糖", "尿"]);
        let slices: Vec<_> = words(true).iter().map(|word| word.span.slice(text).unwrap()).collect();
        assert_eq!(slices, ["Été", ":", "T2DM", ",", "糖", "尿"]);
        assert_eq!(words(false)[0].text, "Été");
    }
}
