//! Sentences with slots and alternatives, read from `sentences.txt`, which describes their notation, and `visits.txt`.

use std::collections::HashMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// The banks of every hospital, and those of visit notes.
const FILES: [(&str, &str); 2] =
    [("sentences.txt", include_str!("sentences.txt")), ("visits.txt", include_str!("visits.txt"))];

/// What a slot stands for; the note writer fills it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Condition,
    Age,
    Sex,
    He,
    HeCapital,
    His,
    HisCapital,
    Medicine,
    Sign,
    Date,
}

/// The slots of a hospital's sentences.
pub(crate) trait SlotName: Copy + PartialEq + std::fmt::Debug {
    /// The slot of the condition that a sentence is about.
    const CONDITION: Self;

    /// The slot that is written so between braces.
    fn from_name(name: &str) -> Option<Self>;
}

impl SlotName for Slot {
    const CONDITION: Self = Self::Condition;

    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "#" => Self::Condition,
            "AGE" => Self::Age,
            "SEX" => Self::Sex,
            "he" => Self::He,
            "He" => Self::HeCapital,
            "his" => Self::His,
            "His" => Self::HisCapital,
            "MED" => Self::Medicine,
            "SIGN" => Self::Sign,
            "DATE" => Self::Date,
            _ => return None,
        })
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Piece<S> {
    Text(&'static str),
    Slot(S),
    Choice(Vec<Sentence<S>>),
    /// From, to, both inclusive, with this many decimals (0 or 1; with 1, in tenths).
    Number(u32, u32, bool),
}

/// A sentence with slots and alternatives.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sentence<S = Slot>(Vec<Piece<S>>);

impl<S: SlotName> Sentence<S> {
    fn parse(text: &'static str) -> Result<Self, String> {
        let (sentence, rest) = Self::parse_until(text, false)?;
        if rest.is_empty() { Ok(sentence) } else { Err(format!("`}}` too many before `{rest}`")) }
    }

    /// Reads up to `|` or `}` inside braces, or to the end outside; also returns what is left.
    fn parse_until(mut text: &'static str, inside: bool) -> Result<(Self, &'static str), String> {
        let mut pieces = Vec::new();
        loop {
            let stops: &[char] = if inside { &['{', '}', '|'] } else { &['{', '}'] };
            let stop = text.find(stops).unwrap_or(text.len());
            if stop > 0 {
                pieces.push(Piece::Text(&text[..stop]));
            }
            text = &text[stop..];
            if !text.starts_with('{') {
                return Ok((Self(pieces), text));
            }
            let close = text.find('}').ok_or("`{` without `}`")?;
            let inner = &text[1..close];
            if let Some(slot) = S::from_name(inner) {
                pieces.push(Piece::Slot(slot));
                text = &text[close + 1..];
            } else if let Some(number) = parse_number(inner) {
                pieces.push(number);
                text = &text[close + 1..];
            } else {
                let mut choices = Vec::new();
                while !text.starts_with('}') {
                    let (choice, rest) = Self::parse_until(&text[1..], true)?;
                    if rest.is_empty() {
                        return Err("`{` without `}`".into());
                    }
                    choices.push(choice);
                    text = rest;
                }
                if choices.len() < 2 {
                    return Err(format!("`{inner}` is neither a slot, nor a number, nor alternatives"));
                }
                pieces.push(Piece::Choice(choices));
                text = &text[1..];
            }
        }
    }

    /// Whether the sentence begins with the condition.
    pub(crate) fn starts_with_condition(&self) -> bool {
        self.0.first() == Some(&Piece::Slot(S::CONDITION))
    }

    /// How often the sentence names its condition outside alternatives.
    #[cfg(test)]
    pub(crate) fn conditions(&self) -> usize {
        self.0.iter().filter(|piece| **piece == Piece::Slot(S::CONDITION)).count()
    }

    /// Draws one wording; text goes to `push`, slots are filled by `fill`.
    pub(crate) fn draw<W>(
        &self,
        rng: &mut ChaCha8Rng,
        out: &mut W,
        push: &mut impl FnMut(&mut W, &str),
        fill: &mut impl FnMut(&mut W, &mut ChaCha8Rng, S),
    ) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => push(out, text),
                Piece::Slot(slot) => fill(out, rng, *slot),
                Piece::Choice(choices) => {
                    let at = rng.random_range(0..choices.len());
                    choices[at].draw(rng, out, &mut *push, &mut *fill);
                }
                Piece::Number(low, high, tenths) => {
                    let value = rng.random_range(*low..=*high);
                    let written =
                        if *tenths { format!("{}.{}", value / 10, value % 10) } else { value.to_string() };
                    push(out, &written);
                }
            }
        }
    }
}

/// Reads `3-9` or `0.5-1.9`.
fn parse_number<S>(text: &str) -> Option<Piece<S>> {
    let (low, high) = text.split_once('-')?;
    let tenths = low.contains('.');
    let read = |value: &str| -> Option<u32> {
        match (tenths, value.split_once('.')) {
            (false, None) => value.parse().ok(),
            (true, Some((whole, tenth))) if tenth.len() == 1 => {
                Some(whole.parse::<u32>().ok()? * 10 + tenth.parse::<u32>().ok()?)
            }
            _ => None,
        }
    };
    let (low, high) = (read(low)?, read(high)?);
    (low <= high).then_some(Piece::Number(low, high, tenths))
}

/// All banks of sentences by name.
#[derive(Debug)]
pub(crate) struct Banks<S = Slot>(HashMap<&'static str, Vec<Sentence<S>>>);

impl Banks {
    /// Reads the project's own sentences.
    ///
    /// # Panics
    /// The file that is built in breaks its notation (a test reads it).
    pub(super) fn built_in() -> Self {
        Self::read(&FILES)
    }
}

impl<S: SlotName> Banks<S> {
    /// Reads files of sentences, each with its name.
    ///
    /// # Panics
    /// A file that is built in breaks the notation (tests read them).
    pub(crate) fn read(files: &[(&str, &'static str)]) -> Self {
        let mut banks = Self(HashMap::new());
        for (name, text) in files {
            banks.add(text).unwrap_or_else(|error| panic!("{name}, {error}"));
        }
        banks
    }

    /// All banks with their names.
    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &[Sentence<S>])> {
        self.0.iter().map(|(name, bank)| (*name, bank.as_slice()))
    }

    fn add(&mut self, text: &'static str) -> Result<(), String> {
        let banks = &mut self.0;
        let mut bank = "";
        for (at, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|name| name.strip_suffix(']'))
                && !name.starts_with('*')
            {
                bank = name;
                continue;
            }
            let sentence = Sentence::parse(line).map_err(|error| format!("line {}: {error}", at + 1))?;
            banks.entry(bank).or_default().push(sentence);
        }
        Ok(())
    }

    /// The sentences of a bank.
    ///
    /// # Panics
    /// There is no such bank: a bug.
    pub(crate) fn get(&self, name: &str) -> &[Sentence<S>] {
        self.0.get(name).unwrap_or_else(|| panic!("no bank of sentences is named {name}"))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn drawn(text: &'static str, seed: u64) -> String {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut out = String::new();
        Sentence::<Slot>::parse(text).unwrap().draw(
            &mut rng,
            &mut out,
            &mut |out, text| out.push_str(text),
            &mut |out, _, slot| out.push_str(&format!("<{slot:?}>")),
        );
        out
    }

    #[test]
    fn alternatives_nest_and_numbers_stay_in_range() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..60 {
            seen.insert(drawn("{a|b {2-3}|}.", seed));
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [".", "a.", "b 2.", "b 3."]);
        assert_eq!(drawn("{0.7-0.7} {#} and {He}", 1), "0.7 <Condition> and <HeCapital>");
    }

    #[test]
    fn a_typing_error_is_an_error() {
        assert!(Sentence::<Slot>::parse("{AGEE}").unwrap_err().contains("neither a slot"));
        assert_eq!(Sentence::<Slot>::parse("{a|b").unwrap_err(), "`{` without `}`");
        assert!(Sentence::<Slot>::parse("a}").unwrap_err().contains("too many"));
        assert!(parse_number::<Slot>("5-2").is_none() && parse_number::<Slot>("0.5-2").is_none());
    }

    #[test]
    fn the_built_in_sentences_can_be_read() {
        let banks = Banks::built_in();
        assert!(banks.0.len() > 25 && banks.get("negated").len() > 4);
        let mentions = banks.0.iter().filter(|(name, _)| {
            name.starts_with("present") || ["negated", "family", "history", "hypothetical"].contains(name)
        });
        for (name, bank) in mentions {
            for sentence in bank {
                let count = sentence.conditions();
                assert_eq!(count, 1, "{name}: a mention names its condition once, outside alternatives");
            }
        }
    }
}
