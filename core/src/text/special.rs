//! The five tokens that are not text.

use super::tokenizer::TokenizerError;

/// The special tokens' strings in the order in which a new vocabulary starts.
pub const SPECIAL_TOKENS: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// Ids of the special tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpecialTokens {
    /// `[PAD]`: fills a batch.
    pub pad: u32,
    /// `[UNK]`: a word that no pieces spell.
    pub unk: u32,
    /// `[CLS]`: starts a window.
    pub cls: u32,
    /// `[SEP]`: ends a window or segment.
    pub sep: u32,
    /// `[MASK]`: hides a token in pretraining.
    pub mask: u32,
}

impl SpecialTokens {
    /// Whether `id` is one of the five.
    pub fn contains(&self, id: u32) -> bool {
        [self.pad, self.unk, self.cls, self.sep, self.mask].contains(&id)
    }

    /// Looks the five up.
    ///
    /// # Errors
    /// [`TokenizerError::MissingSpecial`] names the first that is missing.
    pub(super) fn find(id: impl Fn(&str) -> Option<u32>) -> Result<Self, TokenizerError> {
        let find = |token: &'static str| id(token).ok_or(TokenizerError::MissingSpecial { token });
        Ok(Self {
            pad: find("[PAD]")?,
            unk: find("[UNK]")?,
            cls: find("[CLS]")?,
            sep: find("[SEP]")?,
            mask: find("[MASK]")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_tokens_are_found_or_named() {
        let position = |token: &str| SPECIAL_TOKENS.iter().position(|&t| t == token).map(|i| i as u32 + 7);
        let special = SpecialTokens::find(position).unwrap();
        assert_eq!(special, SpecialTokens { pad: 7, unk: 8, cls: 9, sep: 10, mask: 11 });
        assert!(special.contains(11) && !special.contains(12));
        let error = SpecialTokens::find(|token| position(token).filter(|&id| id != 10)).unwrap_err();
        assert!(matches!(error, TokenizerError::MissingSpecial { token: "[SEP]" }));
    }
}
