//! A text cut at the ends of its evidence, so that overlapping stretches can be drawn.

use bert_xml_core::text::{CharSpan, OffsetMap};

use super::content::ReportedCode;

/// A piece of the text in which the same codes have evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark<'t> {
    /// The piece.
    pub text: &'t str,
    /// Codes (by their place in the table) whose evidence covers it, rising; none for plain text.
    pub codes: Vec<usize>,
    /// Those whose evidence ends with it.
    pub ending: Vec<usize>,
}

/// Cuts `text`; the pieces together are the text.
///
/// # Panics
/// If evidence is not of this text.
pub fn marks<'t>(text: &'t str, codes: &[ReportedCode]) -> Vec<Mark<'t>> {
    let map = OffsetMap::new(text);
    let mut spans = Vec::new();
    for (at, code) in codes.iter().enumerate() {
        for evidence in &code.prediction.evidence {
            let span = map
                .char_to_byte(CharSpan::new(evidence.start, evidence.end))
                .expect("evidence lies in the note");
            if !span.is_empty() {
                spans.push((at, span));
            }
        }
    }
    let mut cuts: Vec<usize> = spans.iter().flat_map(|(_, span)| [span.start, span.end]).collect();
    cuts.extend([0, text.len()]);
    cuts.sort_unstable();
    cuts.dedup();
    let piece = |ends: &[usize]| {
        let (start, end) = (ends[0], ends[1]);
        let mut covering: Vec<usize> = spans
            .iter()
            .filter(|(_, span)| span.start <= start && end <= span.end)
            .map(|(at, _)| *at)
            .collect();
        let mut ending: Vec<usize> =
            spans.iter().filter(|(_, span)| span.end == end).map(|(at, _)| *at).collect();
        for list in [&mut covering, &mut ending] {
            list.sort_unstable();
            list.dedup();
        }
        Mark { text: &text[start..end], codes: covering, ending }
    };
    cuts.windows(2).map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::super::content::tests::code;
    use super::*;

    #[test]
    fn overlapping_evidence_is_cut_where_either_ends() {
        let text = "aé bcd ef";
        let codes = [code(text, "A", 0.9, &[(1, 6)]), code(text, "B", 0.8, &[(3, 6), (7, 9)])];
        let found: Vec<(&str, Vec<usize>, Vec<usize>)> =
            marks(text, &codes).into_iter().map(|mark| (mark.text, mark.codes, mark.ending)).collect();
        assert_eq!(
            found,
            [
                ("a", vec![], vec![]),
                ("é ", vec![0], vec![]),
                ("bcd", vec![0, 1], vec![0, 1]),
                (" ", vec![], vec![]),
                ("ef", vec![1], vec![1]),
            ]
        );
    }

    #[test]
    fn the_pieces_are_the_text() {
        let text = "no evidence";
        assert_eq!(marks(text, &[]), [Mark { text, codes: vec![], ending: vec![] }]);
        assert!(marks("", &[code("", "A", 0.9, &[(0, 0)])]).is_empty());
        let twice = [code(text, "A", 0.9, &[(0, 2), (0, 11)])];
        assert_eq!(marks(text, &twice).iter().map(|mark| mark.text).collect::<String>(), text);
        assert!(marks(text, &twice).iter().all(|mark| mark.codes == [0]));
    }
}
