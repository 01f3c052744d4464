//! A prediction as JSON: one object a note.

use serde::{Deserialize, Serialize};

use super::coder::NotePrediction;
use crate::codes::LabelSet;
use crate::text::OffsetMap;

/// What `bert-xml predict` writes for a note.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictionRecord {
    /// The note's id.
    pub note_id: String,
    /// Tokens of the note, special ones not counted.
    pub tokens: usize,
    /// Windows that it was cut into.
    pub windows: usize,
    /// By falling probability.
    pub codes: Vec<CodeRecord>,
}

/// One code of a note.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeRecord {
    /// The code.
    pub code: String,
    /// Its description; empty if none is known.
    pub description: String,
    /// 0..1.
    pub probability: f32,
    /// Whether the probability reaches the threshold.
    pub assigned: bool,
    /// By falling weight.
    pub evidence: Vec<EvidenceRecord>,
}

/// A stretch of the note.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceRecord {
    /// First code point of the note inside.
    pub start: usize,
    /// First code point behind.
    pub end: usize,
    /// The note's text there.
    pub text: String,
    /// Share of the code's attention over its window, 0..1.
    pub weight: f32,
}

impl PredictionRecord {
    /// Offsets in code points of `text`, which must be the text that was predicted.
    ///
    /// # Panics
    /// If it is another text.
    pub fn new(note_id: &str, text: &str, prediction: &NotePrediction, labels: &LabelSet) -> Self {
        let map = OffsetMap::new(text);
        let codes = prediction.codes.iter().map(|code| {
            let label = labels.get(code.label).expect("a label of this model");
            let evidence = code.evidence.iter().map(|evidence| {
                let chars = map.byte_to_char(evidence.span).expect("a span of this text");
                let slice = evidence.span.slice(text).expect("a span of this text");
                EvidenceRecord {
                    start: chars.start,
                    end: chars.end,
                    text: slice.to_owned(),
                    weight: evidence.weight,
                }
            });
            CodeRecord {
                code: label.code.clone(),
                description: label.description.clone(),
                probability: code.probability,
                assigned: code.assigned,
                evidence: evidence.collect(),
            }
        });
        Self {
            note_id: note_id.to_owned(),
            tokens: prediction.tokens,
            windows: prediction.windows,
            codes: codes.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infer::{CodePrediction, Evidence};
    use crate::text::ByteSpan;

    #[test]
    fn offsets_count_code_points() {
        let labels = LabelSet::from_tsv(b"system\tcode\tdescription\nicd10cm\tR50.9\tFever\n").unwrap();
        let evidence = vec![Evidence { span: ByteSpan::new(3, 9), weight: 0.5 }];
        let code = CodePrediction { label: 0, probability: 0.25, threshold: 0.5, assigned: false, evidence };
        let prediction = NotePrediction { tokens: 2, windows: 1, codes: vec![code] };
        let record = PredictionRecord::new("n1", "é Fiébre", &prediction, &labels);
        assert_eq!(
            serde_json::to_string(&record).unwrap(),
            r#"{"note_id":"n1","tokens":2,"windows":1,"codes":[{"code":"R50.9","description":"Fever","#
                .to_owned()
                + r#""probability":0.25,"assigned":false,"evidence":[{"start":2,"end":7,"text":"Fiébr","weight":0.5}]}]}"#
        );
    }
}
