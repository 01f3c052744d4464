//! The text of a note in the making, with the place of each condition it names.

use bert_xml_core::text::CharSpan;

use super::typing_errors::TypingErrors;
use super::writer::MentionKind;

/// A condition named in a note, without the note it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mention {
    pub(crate) condition: usize,
    pub(crate) span: CharSpan,
    pub(crate) kind: MentionKind,
}

/// Text that counts its code points and tokens as it grows.
#[derive(Clone, Debug, Default)]
pub(crate) struct NoteText {
    pub(crate) text: String,
    pub(crate) mentions: Vec<Mention>,
    chars: usize,
    /// Words and punctuation marks, about what BERT's splitter finds.
    pub(crate) tokens: usize,
    in_word: bool,
    /// None are made without.
    pub(crate) typing: Option<TypingErrors>,
}

impl NoteText {
    /// Nothing yet, from an author who mistypes so.
    pub(crate) fn typed(typing: Option<TypingErrors>) -> Self {
        Self { typing, ..Self::default() }
    }

    /// Adds text, with typing errors where there are some to make.
    pub(crate) fn push(&mut self, text: &str) {
        match self.typing.as_mut().and_then(|typing| typing.misspell(text)) {
            Some(misspelt) => self.push_exactly(&misspelt),
            None => self.push_exactly(text),
        }
    }

    /// Adds text as it is.
    pub(crate) fn push_exactly(&mut self, text: &str) {
        self.text.push_str(text);
        for c in text.chars() {
            self.chars += 1;
            let word = c.is_alphanumeric();
            self.tokens += usize::from(if word { !self.in_word } else { !c.is_whitespace() });
            self.in_word = word;
        }
    }

    /// Takes white space off the end.
    pub(crate) fn trim_end(&mut self) {
        let kept = self.text.trim_end().len();
        self.chars -= self.text[kept..].chars().count();
        self.text.truncate(kept);
        self.in_word = self.text.ends_with(char::is_alphanumeric);
    }

    /// Writes one wording of the condition and keeps its place.
    pub(crate) fn mention(&mut self, condition: usize, kind: MentionKind, words: &str) {
        let start = self.chars;
        self.push(words);
        self.mentions.push(Mention { condition, span: CharSpan::new(start, self.chars), kind });
    }

    /// Adds another note's text behind this one; the kind of each of its mentions may change.
    pub(crate) fn append(&mut self, other: &Self, kind: impl Fn(&Mention) -> MentionKind) {
        let shift = self.chars;
        self.push_exactly(&other.text);
        self.mentions.extend(other.mentions.iter().map(|mention| Mention {
            condition: mention.condition,
            span: CharSpan::new(mention.span.start + shift, mention.span.end + shift),
            kind: kind(mention),
        }));
    }

    /// The conditions that are documented as present, in the order of their first mention.
    pub(crate) fn documented(&self) -> Vec<usize> {
        let mut found = Vec::new();
        for mention in self.mentions.iter().filter(|mention| mention.kind == MentionKind::Present) {
            if !found.contains(&mention.condition) {
                found.push(mention.condition);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_code_points_and_survive_copying() {
        let mut note = NoteText::default();
        note.push("Ménière? ");
        note.mention(3, MentionKind::Present, "vertigo");
        note.push(", mild.");
        assert_eq!(note.mentions[0].span, CharSpan::new(9, 16));
        assert_eq!(note.tokens, 6);
        let mut copy = NoteText::default();
        copy.push("Old: ");
        copy.append(&note, |_| MentionKind::History);
        assert_eq!(copy.mentions[0].span, CharSpan::new(14, 21));
        assert_eq!(copy.text.chars().skip(14).take(7).collect::<String>(), "vertigo");
        assert_eq!((note.documented(), copy.documented()), (vec![3], vec![]));
    }
}
