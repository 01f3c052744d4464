//! How well a model's evidence lies on the mentions that the hospital wrote, and what its probabilities owe to it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};

use anyhow::{Context as _, Result};
use bert_xml_core::infer::{Coder, PredictOptions};
use bert_xml_core::text::{Note, OffsetMap};
use serde::{Deserialize, Serialize};

use super::Reproduction;
use super::corpus::GOLD_EVIDENCE;
use crate::synth::{GoldEvidence, MentionKind};

/// Codes whose evidence is cut out, at most.
const CUT_CODES: usize = 40;

/// Mentions that give a code, by note and code: first code point and the one behind the last.
pub(super) type Mentions = HashMap<(String, String), Vec<(usize, usize)>>;

/// The attention of one code over a note.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeAttention {
    /// The code.
    pub code: String,
    /// Its description.
    pub description: String,
    /// Its probability.
    pub probability: f32,
    /// The note in pieces; a piece that has a stretch of evidence has its weight, 0..1.
    pub pieces: Vec<(String, f32)>,
}

/// How evidence lies on the hospital's gold mentions, over the gold codes of some judged notes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceQuality {
    /// Gold codes with a mention.
    pub codes: usize,
    /// Those whose first stretch of evidence lies on a mention.
    pub hits: usize,
    /// F1 of characters, all codes pooled.
    pub f1: f64,
    /// Intersection over union of characters, all codes pooled.
    pub intersection_over_union: f64,
    /// Mean fall of a code's probability where its evidence is cut out of the note (DeYoung et al. 2020); the greater,
    /// the better.
    pub comprehensiveness: f64,
    /// Mean fall where nothing but its evidence is left; the smaller, the better.
    pub sufficiency: f64,
}

impl Reproduction<'_> {
    /// Gold mentions of these notes that give a code, by note and code.
    pub(super) fn mentions(&self, notes: &[Note]) -> Result<Mentions> {
        let wanted: std::collections::HashSet<&str> =
            notes.iter().map(|note| note.note_id.as_str()).collect();
        let path = self.place.at(GOLD_EVIDENCE);
        let reading = || format!("reading {}", path.display());
        let file = File::open(&path).with_context(reading)?;
        let lines = BufReader::new(zstd::stream::read::Decoder::new(file).with_context(reading)?).lines();
        let mut found = Mentions::new();
        for line in lines {
            let mention: GoldEvidence =
                serde_json::from_str(&line.with_context(reading)?).with_context(reading)?;
            if mention.kind == MentionKind::Present && wanted.contains(mention.note_id.as_str()) {
                found.entry((mention.note_id, mention.code)).or_default().push((mention.start, mention.end));
            }
        }
        Ok(found)
    }
}

/// Evidence against gold mentions over gold codes; and the clearest of them for Figure 3.
pub(super) fn judge_evidence(
    coder: &Coder,
    notes: &[Note],
    gold: &Mentions,
) -> (Option<EvidenceQuality>, Option<CodeAttention>) {
    let options = PredictOptions { top: None, ..PredictOptions::default() };
    let (mut codes, mut hits) = (0, 0);
    let (mut both, mut ours, mut theirs) = (0usize, 0usize, 0usize);
    let mut clearest: Option<CodeAttention> = None;
    let mut cut: Vec<[f64; 2]> = Vec::new();
    for note in notes {
        let Some(Ok(prediction)) = coder.predict(&[&note.text], &options).pop() else { continue };
        let map = OffsetMap::new(&note.text);
        for code in &prediction.codes {
            let Some(label) = coder.labels().get(code.label) else { continue };
            let Some(mentions) = gold.get(&(note.note_id.clone(), label.code.clone())) else { continue };
            if code.evidence.is_empty() {
                continue;
            }
            let spans: Vec<(usize, usize, f32)> = code
                .evidence
                .iter()
                .filter_map(|evidence| {
                    let chars = map.byte_to_char(evidence.span).ok()?;
                    Some((chars.start, chars.end, evidence.weight))
                })
                .collect();
            codes += 1;
            let touches =
                |&(start, end, _): &(usize, usize, f32)| mentions.iter().any(|m| start < m.1 && m.0 < end);
            if cut.len() < CUT_CODES {
                cut.push(falls(coder, &note.text, &spans, code.label, code.probability));
            }
            let hit = spans.first().is_some_and(touches);
            hits += usize::from(hit);
            let length = note.text.chars().count();
            let covered = |spans: &mut dyn Iterator<Item = (usize, usize)>| {
                let mut covered = vec![false; length];
                spans.for_each(|(start, end)| covered[start..end.min(length)].fill(true));
                covered
            };
            let (a, b) = (
                covered(&mut spans.iter().map(|span| (span.0, span.1))),
                covered(&mut mentions.iter().copied()),
            );
            let count = |of: &dyn Fn(usize) -> bool| (0..length).filter(|&at| of(at)).count();
            both += count(&|at| a[at] && b[at]);
            ours += count(&|at| a[at]);
            theirs += count(&|at| b[at]);
            if hit && clearest.as_ref().is_none_or(|found| code.probability > found.probability) {
                clearest = Some(CodeAttention {
                    code: label.code.clone(),
                    description: label.description.clone(),
                    probability: code.probability,
                    pieces: pieces(&note.text, spans),
                });
            }
        }
    }
    let quality = (codes > 0).then(|| EvidenceQuality {
        codes,
        hits,
        f1: 2.0 * both as f64 / (ours + theirs).max(1) as f64,
        intersection_over_union: both as f64 / (ours + theirs - both).max(1) as f64,
        comprehensiveness: cut.iter().map(|fall| fall[0]).sum::<f64>() / cut.len() as f64,
        sufficiency: cut.iter().map(|fall| fall[1]).sum::<f64>() / cut.len() as f64,
    });
    (quality, clearest)
}

/// By how much a code's probability falls without its evidence, and with nothing else. A text without words has 0.
fn falls(coder: &Coder, text: &str, spans: &[(usize, usize, f32)], label: usize, whole: f32) -> [f64; 2] {
    let covered = |at: usize| spans.iter().any(|span| (span.0..span.1).contains(&at));
    let keep = |inside: bool| -> String {
        text.chars().enumerate().map(|(at, c)| if covered(at) == inside { c } else { ' ' }).collect()
    };
    let options = PredictOptions { top: None, evidence: 0, ..PredictOptions::default() };
    [keep(false), keep(true)].map(|text| {
        let found = coder.predict(&[&text], &options).pop().and_then(Result::ok);
        let codes = found.map(|prediction| prediction.codes).unwrap_or_default();
        let now = codes.iter().find(|code| code.label == label).map_or(0.0, |code| code.probability);
        f64::from(whole) - f64::from(now)
    })
}

/// A text cut at its weighted stretches (in code points; where they meet, the first counts).
fn pieces(text: &str, mut spans: Vec<(usize, usize, f32)>) -> Vec<(String, f32)> {
    spans.sort_by_key(|span| span.0);
    let characters: Vec<char> = text.chars().collect();
    let mut out = Vec::new();
    let mut at = 0;
    for (start, end, weight) in spans {
        let (start, end) = (start.max(at), end.min(characters.len()));
        if start >= end {
            continue;
        }
        if at < start {
            out.push((characters[at..start].iter().collect(), 0.0));
        }
        out.push((characters[start..end].iter().collect(), weight));
        at = end;
    }
    if at < characters.len() {
        out.push((characters[at..].iter().collect(), 0.0));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_text() {
        let cut = pieces("aébcdef", vec![(4, 6, 0.2), (1, 3, 0.7), (2, 5, 0.1)]);
        let joined: String = cut.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(joined, "aébcdef");
        let weights: Vec<(&str, f32)> = cut.iter().map(|(text, weight)| (text.as_str(), *weight)).collect();
        assert_eq!(weights, [("a", 0.0), ("éb", 0.7), ("cd", 0.1), ("e", 0.2), ("f", 0.0)]);
        assert_eq!(pieces("", vec![]), []);
    }
}
