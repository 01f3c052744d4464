//! All numbers of the deep hospital, read from one file that is frozen before any training.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::note_type::NoteType;
use super::people::BANDS;

/// The frozen parameters, as committed.
pub const BUILT_IN: &str = include_str!("../../configs/cohort.toml");

/// What the deep hospital is like. Every number is ours unless the file names a source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Which codes there are and how frequent.
    pub codes: Codes,
    /// Who the patients are and what they have.
    pub patients: Patients,
    /// Kinds of encounters by name.
    pub encounters: BTreeMap<String, EncounterKind>,
    /// Length of the notes of each type, by the type's name.
    pub lengths: BTreeMap<String, Length>,
    /// What a note says.
    pub notes: Notes,
    /// What coders make of it.
    pub labels: Labels,
}

/// Which codes there are and how frequent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Codes {
    /// Number of codes.
    pub count: usize,
    /// Share of the notes that carry the most frequent code.
    pub top_share: f64,
    /// Codes whose shares fall by a power law from `top_share` to where the tail begins.
    pub head: usize,
    /// Share of the notes that the first code behind the head has.
    pub tail_share: f64,
    /// The tail falls as 1 / (rank + offset)².
    pub tail_offset: f64,
    /// Wordings of a code, at most.
    pub wordings: usize,
}

/// Who the patients are and what they have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patients {
    /// Relative number of patients at ages 0, 1–12, 13–17, 18–34, 35–49, 50–64, 65–79, 80–95.
    pub ages: [f64; BANDS],
    /// Share of women and girls.
    pub female: f64,
    /// Mean number of lasting conditions at those ages.
    pub lasting: [f64; BANDS],
    /// Chance that a further condition is drawn among the companions of one that is there.
    pub companions: f64,
    /// Chance that a lasting condition is there at the first encounter.
    pub known_before: f64,
    /// Mean number of encounters of a patient without lasting conditions, and more for each of them.
    pub encounters: f64,
    /// Further encounters for each lasting condition.
    pub encounters_each: f64,
    /// Encounters at most.
    pub most_encounters: usize,
    /// Chance that an acute condition is still there at the next encounter.
    pub again: f64,
    /// Mean number of conditions in the family that a patient tells of.
    pub family: f64,
    /// Mean number of past conditions that a patient tells of.
    pub past: f64,
}

/// A kind of encounter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncounterKind {
    /// Relative frequency.
    pub share: f64,
    /// Acute conditions beyond none: so many draws…
    pub acute_draws: u32,
    /// …each with this chance.
    pub acute_chance: f64,
    /// Its notes in their order.
    pub notes: Vec<Writing>,
}

/// Notes of one type in an encounter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Writing {
    /// The type.
    #[serde(rename = "type")]
    pub kind: NoteType,
    /// Chance of each note.
    pub chance: f64,
    /// Notes at most.
    pub most: u32,
}

/// Length of notes, log-normal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Length {
    /// Median in tokens: words and punctuation marks.
    pub median: f64,
    /// Standard deviation of the logarithm.
    pub sigma: f64,
}

/// What a note says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notes {
    /// Chance that a full note names a lasting condition.
    pub names_lasting: f64,
    /// Chance that a full note names a condition again in a further section.
    pub repeats: f64,
    /// Chance that a brief note names a lasting condition beside what it is about.
    pub brief_lasting: f64,
    /// Mean number of conditions that a full note denies or only considers.
    pub distractors: f64,
    /// Share of those that are siblings of a condition that is there: another side, another type.
    pub siblings: f64,
    /// Chance that a full note tells of a condition of the last encounter that is over.
    pub recent: f64,
    /// Chance that a mention gives the side apart from the condition, in a sentence of its own.
    pub side_apart: f64,
    /// Chance that a full note ends with an earlier one copied forward, marked as such.
    pub copied: f64,
    /// Chance that the list of lasting conditions is that of the last full note, unmarked.
    pub copied_list: f64,
    /// Typing errors a thousand letters.
    pub typos: f64,
    /// Chance that a note has fewer than 50 characters.
    pub very_short: f64,
    /// Chance that an encounter also has a note of a student…
    pub student: f64,
    /// …a miscellaneous one…
    pub miscellaneous: f64,
    /// …and one entered in error.
    pub erroneous: f64,
}

/// What coders make of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// Chance that an acute condition of an encounter is coded.
    pub acute_coded: f64,
    /// Chance that a lasting condition is coded in an encounter: chronic imputation mends the rest.
    pub lasting_coded: f64,
    /// Chance that a note carries a code of its encounter that the note itself does not document.
    pub of_encounter: f64,
    /// Chance that a code is replaced by a sibling: the wrong side, the wrong type.
    pub sibling: f64,
    /// Chance that a note carries a code that nothing documents.
    pub stray: f64,
}

/// Parameters that cannot be.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ParameterError {
    /// Not the file's notation, a missing or an unknown field.
    #[error("{0}")]
    Notation(String),
    /// A value outside its range.
    #[error("{field} = {value}: {rule}")]
    Value {
        /// Dotted name of the field.
        field: String,
        /// Its value.
        value: f64,
        /// The rule it breaks.
        rule: &'static str,
    },
}

impl Parameters {
    /// The frozen parameters.
    ///
    /// # Panics
    /// The file that is built in breaks a rule (a test reads it).
    pub fn built_in() -> Self {
        Self::from_toml(BUILT_IN).unwrap_or_else(|error| panic!("configs/cohort.toml: {error}"))
    }

    /// Reads and checks a file of parameters; all fields must be there.
    ///
    /// # Errors
    /// [`ParameterError`].
    pub fn from_toml(text: &str) -> Result<Self, ParameterError> {
        let parameters: Self =
            toml::from_str(text).map_err(|error| ParameterError::Notation(error.to_string()))?;
        parameters.validate()?;
        Ok(parameters)
    }

    fn validate(&self) -> Result<(), ParameterError> {
        let Self { codes, patients, notes, labels, .. } = self;
        let chances = [
            ("codes.top_share", codes.top_share),
            ("codes.tail_share", codes.tail_share),
            ("patients.female", patients.female),
            ("patients.companions", patients.companions),
            ("patients.known_before", patients.known_before),
            ("patients.again", patients.again),
            ("notes.names_lasting", notes.names_lasting),
            ("notes.repeats", notes.repeats),
            ("notes.brief_lasting", notes.brief_lasting),
            ("notes.siblings", notes.siblings),
            ("notes.recent", notes.recent),
            ("notes.side_apart", notes.side_apart),
            ("notes.copied", notes.copied),
            ("notes.copied_list", notes.copied_list),
            ("notes.very_short", notes.very_short),
            ("notes.student", notes.student),
            ("notes.miscellaneous", notes.miscellaneous),
            ("notes.erroneous", notes.erroneous),
            ("labels.acute_coded", labels.acute_coded),
            ("labels.lasting_coded", labels.lasting_coded),
            ("labels.of_encounter", labels.of_encounter),
            ("labels.sibling", labels.sibling),
            ("labels.stray", labels.stray),
        ];
        for (field, value) in chances {
            within(field, value, 0.0, 1.0, "a chance lies between 0 and 1")?;
        }
        let means = [
            ("patients.encounters", patients.encounters),
            ("patients.encounters_each", patients.encounters_each),
            ("patients.family", patients.family),
            ("patients.past", patients.past),
            ("notes.distractors", notes.distractors),
            ("notes.typos", notes.typos),
        ];
        for (field, value) in means {
            within(field, value, 0.0, 50.0, "must be 0 to 50")?;
        }
        for value in patients.lasting {
            within("patients.lasting", value, 0.0, 20.0, "a mean number between 0 and 20")?;
        }
        for value in patients.ages {
            within("patients.ages", value, 1e-6, 1e6, "must be more than 0")?;
        }
        let value = codes.count as f64;
        within("codes.count", value, 400.0, 20_000.0, "must be 400 to 20,000")?;
        within("codes.head", codes.head as f64, 2.0, value - 1.0, "must be 2 to codes.count - 1")?;
        within("codes.tail_offset", codes.tail_offset, 0.0, 1e6, "must be 0 to 1,000,000")?;
        within("codes.wordings", codes.wordings as f64, 1.0, 100.0, "must be 1 to 100")?;
        within("patients.most_encounters", patients.most_encounters as f64, 1.0, 200.0, "must be 1 to 200")?;
        if self.encounters.is_empty() {
            let (field, rule) = ("encounters".to_owned(), "at least one kind is needed");
            return Err(ParameterError::Value { field, value: 0.0, rule });
        }
        for (name, kind) in &self.encounters {
            within(&format!("encounters.{name}.share"), kind.share, 1e-9, 1e9, "must be more than 0")?;
            let chance = kind.acute_chance;
            within(&format!("encounters.{name}.acute_chance"), chance, 0.0, 1.0, "a chance")?;
            for writing in &kind.notes {
                within(&format!("encounters.{name}.notes.chance"), writing.chance, 0.0, 1.0, "a chance")?;
            }
        }
        for kind in NoteType::ALL {
            let name = kind.name();
            let missing = ParameterError::Notation(format!("lengths: `{name}` is missing"));
            let length = self.lengths.get(name).ok_or(missing)?;
            within(&format!("lengths.{name}.median"), length.median, 1.0, 20_000.0, "must be 1 to 20,000")?;
            within(&format!("lengths.{name}.sigma"), length.sigma, 0.0, 2.0, "must be 0 to 2")?;
        }
        Ok(())
    }

    /// Share of the notes that should carry the code of rank `rank` (from 0), after chronic imputation: a power
    /// law over the head, then 1 / (rank + offset)², with no step between them.
    pub fn target(&self, rank: usize) -> f64 {
        let Codes { top_share, head, tail_share, tail_offset, .. } = self.codes;
        if rank < head {
            let steepness = libm::log(top_share / tail_share) / libm::log(head as f64 + 1.0);
            return top_share * libm::exp(-steepness * libm::log(rank as f64 + 1.0));
        }
        let from = (head as f64 + tail_offset) / (rank as f64 + tail_offset);
        tail_share * from * from
    }
}

fn within(field: &str, value: f64, low: f64, high: f64, rule: &'static str) -> Result<(), ParameterError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(ParameterError::Value { field: field.to_owned(), value, rule })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frozen_parameters_aim_at_the_papers_figures() {
        let parameters = Parameters::built_in();
        let sum: f64 = (0..2292).map(|rank| parameters.target(rank)).sum();
        assert!((sum - 4.46).abs() < 0.02, "{sum}");
        // 7.5 million notes, 70 % of them for training: more than 1,000 notes a code, 757 codes below 2,000.
        let training = 7.5e6 * 0.7;
        let above = |notes: f64| {
            (0..parameters.codes.count).filter(|rank| parameters.target(*rank) * training > notes).count()
        };
        assert!(above(1000.0).abs_diff(2292) < 5, "{}", above(1000.0));
        assert!(above(2000.0).abs_diff(2292 - 757) < 5, "{}", above(2000.0));
        for rank in 1..parameters.codes.count {
            assert!(parameters.target(rank) < parameters.target(rank - 1), "{rank}");
        }
    }

    #[test]
    fn a_wrong_value_or_field_is_named() {
        let message = |from: &str, to: &str| {
            assert!(BUILT_IN.contains(from), "{from}");
            Parameters::from_toml(&BUILT_IN.replacen(from, to, 1)).unwrap_err().to_string()
        };
        assert_eq!(
            message("female = 0.56", "female = 1.56"),
            "patients.female = 1.56: a chance lies between 0 and 1"
        );
        assert!(message("female = 0.56", "").contains("female"));
        assert!(message("[codes]", "[codes]\ncolour = 1").contains("colour"));
        assert!(message("type = \"progress note\"", "type = \"poem\"").contains("poem"));
    }
}
