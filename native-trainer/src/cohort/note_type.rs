//! Types of notes, and the sections of each.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Type of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NoteType {
    /// On admission.
    #[serde(rename = "history and physical")]
    HistoryAndPhysical,
    /// Of a visit or a day in hospital.
    #[serde(rename = "progress note")]
    Progress,
    /// At the end of a stay.
    #[serde(rename = "discharge summary")]
    Discharge,
    /// Of a specialist.
    #[serde(rename = "consult note")]
    Consult,
    /// Of a therapist.
    #[serde(rename = "physical therapy")]
    Therapy,
    /// Of an imaging study.
    #[serde(rename = "radiology report")]
    Radiology,
    /// Of a nurse's shift.
    #[serde(rename = "nursing note")]
    Nursing,
    /// Of a call.
    #[serde(rename = "telephone encounter")]
    Telephone,
}

impl NoteType {
    /// All types that carry diagnoses.
    pub const ALL: [Self; 8] = [
        Self::HistoryAndPhysical,
        Self::Progress,
        Self::Discharge,
        Self::Consult,
        Self::Therapy,
        Self::Radiology,
        Self::Nursing,
        Self::Telephone,
    ];

    /// As records carry it.
    pub fn name(self) -> &'static str {
        match self {
            Self::HistoryAndPhysical => "history and physical",
            Self::Progress => "progress note",
            Self::Discharge => "discharge summary",
            Self::Consult => "consult note",
            Self::Therapy => "physical therapy",
            Self::Radiology => "radiology report",
            Self::Nursing => "nursing note",
            Self::Telephone => "telephone encounter",
        }
    }

    /// Whether the note names most of what the patient has.
    pub fn is_full(self) -> bool {
        matches!(self, Self::HistoryAndPhysical | Self::Progress | Self::Discharge | Self::Consult)
    }
}

/// Types that the paper's filter drops.
pub(super) const STUDENT: &str = "student";
pub(super) const MISCELLANEOUS: &str = "miscellaneous";
pub(super) const ERRONEOUS: &str = "erroneous";

/// What a section does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Title,
    Chief,
    Reason,
    Story,
    Problems,
    Medicines,
    Allergies,
    Family,
    Social,
    Review,
    Vitals,
    Exam,
    Labs,
    Imaging,
    Assessment,
    Diagnoses,
    Course,
    Instructions,
    Referral,
    TherapySubjective,
    TherapyObjective,
    TherapyPlan,
    Technique,
    Indication,
    Comparison,
    Findings,
    Impression,
    Nursing,
    Phone,
    Signature,
}

impl Section {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "title" => Self::Title,
            "chief" => Self::Chief,
            "reason" => Self::Reason,
            "story" => Self::Story,
            "problems" => Self::Problems,
            "medicines" => Self::Medicines,
            "allergies" => Self::Allergies,
            "family" => Self::Family,
            "social" => Self::Social,
            "review" => Self::Review,
            "vitals" => Self::Vitals,
            "exam" => Self::Exam,
            "labs" => Self::Labs,
            "imaging" => Self::Imaging,
            "assessment" => Self::Assessment,
            "diagnoses" => Self::Diagnoses,
            "course" => Self::Course,
            "instructions" => Self::Instructions,
            "referral" => Self::Referral,
            "therapy subjective" => Self::TherapySubjective,
            "therapy objective" => Self::TherapyObjective,
            "therapy plan" => Self::TherapyPlan,
            "technique" => Self::Technique,
            "indication" => Self::Indication,
            "comparison" => Self::Comparison,
            "findings" => Self::Findings,
            "impression" => Self::Impression,
            "nursing" => Self::Nursing,
            "phone" => Self::Phone,
            "signature" => Self::Signature,
            _ => return None,
        })
    }
}

/// A section as a note type has it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outlined {
    pub(super) section: Section,
    /// Chance that it is there.
    pub(super) chance: f64,
    /// Share of the note's filler sentences.
    pub(super) filler: f64,
    /// One of them stands above it; none where the section has no heading.
    pub(super) headings: Vec<&'static str>,
}

/// The sections of all types.
#[derive(Debug)]
pub(super) struct Outlines(HashMap<NoteType, Vec<Outlined>>);

impl Outlines {
    /// Reads the project's own outlines.
    ///
    /// # Panics
    /// The file, which is built in, breaks its notation (a test reads it).
    pub(super) fn built_in() -> Self {
        let mut outlines: HashMap<NoteType, Vec<Outlined>> = HashMap::new();
        let mut kind = None;
        for line in include_str!("words/outlines.tsv").lines() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
                kind = NoteType::ALL.into_iter().find(|kind| kind.name() == name);
                continue;
            }
            let read = |line: &'static str| {
                let mut fields = line.split('\t');
                let section = Section::from_name(fields.next()?)?;
                let chance = fields.next()?.parse().ok()?;
                let filler = fields.next()?.parse().ok()?;
                let headings = fields.next()?.split('|').filter(|heading| !heading.is_empty()).collect();
                Some((kind?, Outlined { section, chance, filler, headings }))
            };
            let (kind, outlined) = read(line).unwrap_or_else(|| panic!("outlines.tsv: {line}"));
            outlines.entry(kind).or_default().push(outlined);
        }
        Self(outlines)
    }

    pub(super) fn of(&self, kind: NoteType) -> &[Outlined] {
        &self.0[&kind]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_an_outline_whose_filler_adds_up() {
        let outlines = Outlines::built_in();
        for kind in NoteType::ALL {
            let outline = outlines.of(kind);
            let filler: f64 = outline.iter().map(|outlined| outlined.filler * outlined.chance).sum();
            assert!((0.7..1.05).contains(&filler), "{}: {filler}", kind.name());
            assert!(outline.iter().all(|outlined| (0.0..=1.0).contains(&outlined.chance)));
            let written = serde_json::to_string(&kind).unwrap();
            assert_eq!(written, format!("\"{}\"", kind.name()));
        }
    }
}
