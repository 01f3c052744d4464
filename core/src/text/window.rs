//! Long notes as overlapping windows that the encoder can hold.

use super::span::TokenSpan;
use super::special::SpecialTokens;

/// Special tokens that every window carries: `[CLS]` in front and `[SEP]` behind.
pub const SPECIALS_PER_WINDOW: usize = 2;

/// Spans of content tokens, in order, that together cover a note of `tokens` tokens.
///
/// A window holds at most `max_len - 2` content tokens, so that with `[CLS]` and `[SEP]` it has at most
/// `max_len`. Windows start every `stride` content tokens; the last one is moved back to end with the
/// note, so that every window of a long note is full and no token is judged with little context. A note
/// that fits gives one window, a note without tokens none.
///
/// # Panics
/// If `max_len < 3` or `stride` is not in `1..=max_len - 2` (a larger one would skip tokens): settings
/// are validated before they come here.
pub fn windows(tokens: usize, max_len: usize, stride: usize) -> Vec<TokenSpan> {
    assert!(max_len > SPECIALS_PER_WINDOW, "max_len {max_len} leaves no room for content tokens");
    let content = max_len - SPECIALS_PER_WINDOW;
    assert!((1..=content).contains(&stride), "stride {stride} must be in 1..={content}");
    if tokens == 0 {
        return Vec::new();
    }
    if tokens <= content {
        return vec![TokenSpan::new(0, tokens)];
    }
    let last = tokens - content;
    (0..last).step_by(stride).chain([last]).map(|start| TokenSpan::new(start, start + content)).collect()
}

/// The model's input for one window: `[CLS]`, the tokens `ids[span]`, `[SEP]`.
///
/// # Shapes
/// `ids`: \[tokens of the note\] → \[span.len() + 2\].
///
/// # Panics
/// If `span` leaves `ids`.
pub fn build_window(ids: &[u32], span: TokenSpan, special: &SpecialTokens) -> Vec<u32> {
    let content = &ids[span.range()];
    let mut window = Vec::with_capacity(content.len() + SPECIALS_PER_WINDOW);
    window.push(special.cls);
    window.extend_from_slice(content);
    window.push(special.sep);
    window
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(spans: &[TokenSpan]) -> Vec<(usize, usize)> {
        spans.iter().map(|s| (s.start, s.end)).collect()
    }

    #[test]
    fn last_window_ends_with_the_note() {
        assert_eq!(pairs(&windows(10, 6, 3)), [(0, 4), (3, 7), (6, 10)]);
        assert_eq!(pairs(&windows(9, 6, 4)), [(0, 4), (4, 8), (5, 9)]);
        assert_eq!(pairs(&windows(4, 6, 2)), [(0, 4)]);
        assert_eq!(pairs(&windows(1, 6, 4)), [(0, 1)]);
        assert!(windows(0, 6, 4).is_empty());
    }

    #[test]
    #[should_panic(expected = "stride 5 must be in 1..=4")]
    fn a_stride_that_skips_tokens_is_a_bug() {
        windows(10, 6, 5);
    }

    #[test]
    fn window_carries_cls_and_sep() {
        let special = SpecialTokens { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 };
        assert_eq!(build_window(&[10, 11, 12, 13], TokenSpan::new(1, 3), &special), [2, 11, 12, 3]);
    }

    proptest! {
        #[test]
        fn windows_cover_every_token_once_or_more(
            tokens in 0usize..3000, content in 1usize..300, step in any::<usize>(),
        ) {
            let stride = 1 + step % content;
            let spans = windows(tokens, content + 2, stride);
            let mut covered = 0;
            for (i, span) in spans.iter().enumerate() {
                prop_assert!(span.start <= covered, "gap before window {}", i);
                prop_assert!(span.end > covered, "window {} adds nothing", i);
                prop_assert_eq!(span.len(), content.min(tokens));
                covered = span.end;
            }
            prop_assert_eq!(covered, tokens);
            // No more windows than the stride asks for.
            let expected = if tokens == 0 { 0 } else { tokens.saturating_sub(content).div_ceil(stride) + 1 };
            prop_assert_eq!(spans.len(), expected);
        }
    }
}
