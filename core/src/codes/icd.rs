//! One ICD-10-CM code: its shape, its two spellings and the codes above it.
//!
//! The rules are those of the ICD-10-CM Official Guidelines, section I.A.2–5: three to seven characters,
//! a letter first and a digit second (the release of October 2025 adds `QA0`), a dot after the third character where more follow, `X` as the
//! placeholder that keeps a seventh character in seventh place. Whether a well-formed code exists is for
//! [`super::table::IcdTable`] to say.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::shown;

/// Why a string is not an ICD-10-CM code; each variant names the rule. A value that can be no code is told by
/// its length ([`crate::text::shown()`]).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Fewer than three or more than seven characters, the dot not counted.
    #[error("{} has {found} characters without the dot; an ICD-10-CM code has 3 to 7", shown(value))]
    Length {
        /// The string as given.
        value: String,
        /// How many characters it has without the dot.
        found: usize,
    },
    /// A character that cannot stand where it stands.
    #[error("{}: character {position} is `{found}`; it must be {rule}", shown(value))]
    Character {
        /// The string as given.
        value: String,
        /// Place of the character, from 1, the dot not counted.
        position: usize,
        /// The character found.
        found: char,
        /// What may stand there.
        rule: &'static str,
    },
    /// A dot anywhere but after the third character.
    #[error(
        "{}: the one dot of an ICD-10-CM code stands after its third character, with more behind it",
        shown(value)
    )]
    Dot {
        /// The string as given.
        value: String,
    },
}

/// A well-formed ICD-10-CM code, upper case, without its dot inside and with it when printed.
///
/// Codes order as in the tabular list within a chapter: by characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Code {
    /// Characters, padded with zero bytes, so that the derived order is that of the strings.
    chars: [u8; 7],
}

impl Code {
    /// Reads a code with or without its dot, in either case, with white space around it allowed.
    ///
    /// # Errors
    /// [`CodeError`] names the rule that the string breaks.
    pub fn parse(value: &str) -> Result<Self, CodeError> {
        let trimmed = value.trim();
        let given = || trimmed.to_owned();
        let found = trimmed.chars().filter(|c| *c != '.').count();
        if !(3..=7).contains(&found) {
            return Err(CodeError::Length { value: given(), found });
        }
        let mut chars = [0; 7];
        let mut at = 0;
        let mut dotted = false;
        for found in trimmed.chars() {
            if found == '.' {
                if at != 3 || dotted {
                    return Err(CodeError::Dot { value: given() });
                }
                dotted = true;
                continue;
            }
            let upper = found.to_ascii_uppercase();
            let (valid, rule) = match at {
                0 => (upper.is_ascii_uppercase(), "a letter from A to Z"),
                1 => (upper.is_ascii_digit() || upper == 'A', "a digit, or `A` as in `QA0`"),
                _ => (upper.is_ascii_alphanumeric(), "a letter from A to Z or a digit"),
            };
            if !valid {
                return Err(CodeError::Character { value: given(), position: at + 1, found, rule });
            }
            chars[at] = upper as u8;
            at += 1;
        }
        if dotted && at == 3 {
            return Err(CodeError::Dot { value: given() });
        }
        Ok(Self { chars })
    }

    /// Number of characters without the dot, 3 to 7.
    #[allow(clippy::len_without_is_empty)] // a code is never empty
    pub fn len(&self) -> usize {
        self.chars.iter().position(|c| *c == 0).unwrap_or(7)
    }

    /// The code without its dot, as claims and the order files write it.
    pub fn undotted(&self) -> &str {
        std::str::from_utf8(&self.chars[..self.len()]).expect("only ASCII is stored")
    }

    /// The code with its dot, as the tabular list writes it.
    pub fn dotted(&self) -> String {
        let (category, rest) = self.undotted().split_at(3);
        if rest.is_empty() { category.to_owned() } else { format!("{category}.{rest}") }
    }

    /// The category: the first three characters.
    pub fn category(&self) -> Self {
        self.first(3)
    }

    /// The code one level up by its spelling, none for a category. The seventh character goes together
    /// with the placeholders `X` in front of it (`W07.XXXA` is below `W07`); otherwise one character goes.
    pub fn parent(&self) -> Option<Self> {
        match self.len() {
            3 => None,
            7 => {
                let mut len = 6;
                while len > 3 && self.chars[len - 1] == b'X' {
                    len -= 1;
                }
                Some(self.first(len))
            }
            len => Some(self.first(len - 1)),
        }
    }

    /// The codes above this one by spelling, nearest first, ending with the category.
    pub fn parents(&self) -> impl Iterator<Item = Self> + use<> {
        std::iter::successors(self.parent(), Self::parent)
    }

    /// This code's first characters.
    fn first(&self, len: usize) -> Self {
        let mut chars = [0; 7];
        chars[..len].copy_from_slice(&self.chars[..len]);
        Self { chars }
    }

    /// This code with placeholders up to six characters and then a seventh one.
    pub(super) fn with_seventh(&self, seventh: u8) -> Self {
        let mut chars = self.chars.map(|c| if c == 0 { b'X' } else { c });
        chars[6] = seventh;
        Self { chars }
    }
}

impl FromStr for Code {
    type Err = CodeError;

    fn from_str(value: &str) -> Result<Self, CodeError> {
        Self::parse(value)
    }
}

impl TryFrom<String> for Code {
    type Error = CodeError;

    fn try_from(value: String) -> Result<Self, CodeError> {
        Self::parse(&value)
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.dotted()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.dotted())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_case_and_space_do_not_matter() {
        let code = Code::parse(" s52.501a ").unwrap();
        assert_eq!(code, Code::parse("S52501A").unwrap());
        assert_eq!((code.dotted().as_str(), code.undotted(), code.len()), ("S52.501A", "S52501A", 7));
        assert_eq!(Code::parse("i10").unwrap().to_string(), "I10");
        assert_eq!(Code::parse("qa0").unwrap().dotted(), "QA0");
        assert_eq!(Code::parse("C4A.0").unwrap().undotted(), "C4A0");
    }

    #[test]
    fn errors_name_the_rule() {
        let message = |value: &str| Code::parse(value).unwrap_err().to_string();
        assert_eq!(message("A1"), "`A1` has 2 characters without the dot; an ICD-10-CM code has 3 to 7");
        assert_eq!(message("250.00"), "`250.00`: character 1 is `2`; it must be a letter from A to Z");
        assert_eq!(message("AB0"), "`AB0`: character 2 is `B`; it must be a digit, or `A` as in `QA0`");
        assert_eq!(
            message("A00.-"),
            "`A00.-`: character 4 is `-`; it must be a letter from A to Z or a digit"
        );
        for value in ["A0.01", "A00.", "A00.1.2", "A00..1"] {
            assert!(matches!(Code::parse(value), Err(CodeError::Dot { .. })), "{value}");
        }
        assert!(matches!(Code::parse("É10"), Err(CodeError::Character { position: 1, found: 'É', .. })));
    }

    #[test]
    fn parents_end_with_the_category() {
        let parents = |value: &str| -> Vec<String> {
            Code::parse(value).unwrap().parents().map(|code| code.dotted()).collect()
        };
        assert_eq!(parents("S52.501A"), ["S52.501", "S52.50", "S52.5", "S52"]);
        assert_eq!(parents("W07.XXXA"), ["W07"]);
        assert_eq!(parents("T36.0X1A"), ["T36.0X1", "T36.0X", "T36.0", "T36"]);
        assert!(parents("I10").is_empty());
        assert_eq!(Code::parse("S52.501A").unwrap().category().dotted(), "S52");
    }

    #[test]
    fn serde_writes_the_dotted_code() {
        let code: Code = serde_json::from_str("\"e119\"").unwrap();
        assert_eq!(serde_json::to_string(&code).unwrap(), "\"E11.9\"");
        assert!(serde_json::from_str::<Code>("\"x\"").is_err());
    }
}
