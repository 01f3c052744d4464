//! What the page tells: a plain struct, which is also `report.json`.

use bert_xml_core::infer::CodeRecord;
use bert_xml_core::metrics;
use serde::{Deserialize, Serialize};

/// Everything that a report says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// The heading.
    pub title: String,
    /// A sentence or two below it.
    pub summary: String,
    /// The note that the codes are of.
    pub note: SampleNote,
    /// The most probable codes, by falling probability.
    pub codes: Vec<ReportedCode>,
    /// The codes that the note really has.
    pub planted: Vec<PlantedCode>,
    /// Judged on the same notes, the one that the page is about first.
    pub models: Vec<JudgedModel>,
    /// What was read, and on what it ran.
    pub facts: Vec<Fact>,
    /// What was done, in order.
    pub steps: Vec<Step>,
    /// Commands to try next.
    pub next: Vec<String>,
}

/// The note that a page shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleNote {
    /// Its id.
    pub note_id: String,
    /// Such as `discharge summary`; empty if not known.
    pub note_type: String,
    /// ISO 8601; empty if not known.
    pub date: String,
    /// As written; evidence counts its code points.
    pub text: String,
}

/// A predicted code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportedCode {
    /// Code, description, probability and evidence.
    #[serde(flatten)]
    pub prediction: CodeRecord,
    /// Whether the note really has it.
    pub planted: bool,
}

/// A code that the note really has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlantedCode {
    /// The code.
    pub code: String,
    /// Its place among all codes by falling probability, from 1; none where the model does not know the code.
    pub rank: Option<usize>,
}

/// One model's metrics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgedModel {
    /// A short name for programs, such as `xml`.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// What it is, in a line.
    pub remark: String,
    /// On the test split.
    pub metrics: metrics::Report,
}

/// A fact of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// Such as `Patients`.
    pub name: String,
    /// Such as `620`.
    pub value: String,
}

/// A step of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What it was called.
    pub name: String,
    /// What came out, in a line.
    pub outcome: String,
    /// How long it took.
    pub seconds: f64,
}

impl Fact {
    /// A fact.
    pub fn new(name: &str, value: impl ToString) -> Self {
        Self { name: name.to_owned(), value: value.to_string() }
    }
}

impl Page {
    /// Places of the codes in [`Page::codes`] that are shown in colour at first glance: those assigned, those
    /// planted, and the first one.
    pub fn lit(&self) -> Vec<usize> {
        let shown = |at: &usize| *at == 0 || self.codes[*at].prediction.assigned || self.codes[*at].planted;
        (0..self.codes.len()).filter(shown).collect()
    }

    /// How many of the planted codes are among the first `top`, and how many there are.
    pub fn planted_within(&self, top: usize) -> (usize, usize) {
        let within = |planted: &&PlantedCode| planted.rank.is_some_and(|rank| rank <= top);
        (self.planted.iter().filter(within).count(), self.planted.len())
    }

    /// Seconds of all steps.
    pub fn seconds(&self) -> f64 {
        self.steps.iter().map(|step| step.seconds).sum()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use bert_xml_core::infer::EvidenceRecord;

    use super::*;

    /// A code with evidence at places of `text`.
    pub(crate) fn code(text: &str, code: &str, probability: f32, places: &[(usize, usize)]) -> ReportedCode {
        let evidence = places.iter().map(|&(start, end)| EvidenceRecord {
            start,
            end,
            text: text.chars().skip(start).take(end - start).collect(),
            weight: 0.25,
        });
        let prediction = CodeRecord {
            code: code.into(),
            description: format!("About {code} & more"),
            probability,
            assigned: probability >= 0.5,
            evidence: evidence.collect(),
        };
        ReportedCode { prediction, planted: code == "I10" }
    }

    /// A page about a note with markup in it.
    pub(crate) fn page() -> Page {
        let text = "Été <script>alert(1)</script>: hypertension & fever.";
        let judged = |id: &str, probabilities: &[f32]| JudgedModel {
            id: id.into(),
            name: format!("Model {id}"),
            remark: "one <b>remark</b>".into(),
            metrics: metrics::evaluate(probabilities, &[vec![0], vec![1]], 2, 0.5).unwrap(),
        };
        Page {
            title: "Codes <of> a note".into(),
            summary: "Made \"up\".".into(),
            note: SampleNote {
                note_id: "n<1>".into(),
                note_type: "discharge summary".into(),
                date: "2024-06-23".into(),
                text: text.into(),
            },
            codes: vec![
                code(text, "I10", 0.9, &[(31, 43)]),
                code(text, "R50.9", 0.6, &[(36, 51)]),
                code(text, "J18.9", 0.1, &[(0, 3)]),
            ],
            planted: vec![
                PlantedCode { code: "I10".into(), rank: Some(1) },
                PlantedCode { code: "N17.9".into(), rank: Some(40) },
                PlantedCode { code: "X<1".into(), rank: None },
            ],
            models: vec![judged("xml", &[0.9, 0.1, 0.2, 0.8]), judged("constant", &[0.5, 0.4, 0.5, 0.4])],
            facts: vec![Fact::new("Patients", 620)],
            steps: vec![Step { name: "Pretraining".into(), outcome: "400 steps".into(), seconds: 75.0 }],
            next: vec!["bert-xml predict --model <DIR>".into()],
        }
    }

    #[test]
    fn a_page_counts_what_it_shows() {
        let page = page();
        assert_eq!((page.planted_within(5), page.planted_within(40)), ((1, 3), (2, 3)));
        assert_eq!((page.lit(), page.seconds()), (vec![0, 1], 75.0));
        let json = serde_json::to_string(&page).unwrap();
        assert_eq!(serde_json::from_str::<Page>(&json).unwrap(), page);
    }
}
