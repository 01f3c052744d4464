//! Strings that come again and again, by number; and ids by 64 bits of a hash.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// 64 bits of a hash of an id, the same in every run: two of six million ids have the same one with a probability of about
/// one in a million.
pub(crate) fn hashed(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

/// Codes by number, in the order in which they were first asked for.
#[derive(Debug, Default)]
pub(crate) struct Numbered {
    codes: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Numbered {
    /// The number of a code.
    pub(crate) fn number(&mut self, code: &str) -> u32 {
        if let Some(number) = self.numbers.get(code) {
            return *number;
        }
        let number = self.codes.len() as u32;
        self.codes.push(code.to_owned());
        self.numbers.insert(code.to_owned(), number);
        number
    }

    /// The code of a number that was given out.
    pub(crate) fn code(&self, number: u32) -> &str {
        &self.codes[number as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_keeps_its_number_and_an_id_its_hash() {
        let mut codes = Numbered::default();
        assert_eq!(["I10", "Z66", "I10"].map(|code| codes.number(code)), [0, 1, 0]);
        assert_eq!(codes.code(1), "Z66");
        assert_eq!(hashed("a"), hashed("a"));
        assert_ne!(hashed("a"), hashed("b"));
    }
}
