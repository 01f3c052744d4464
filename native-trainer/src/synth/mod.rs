//! The synthetic hospital: notes that look like a hospital's, with the codes and evidence that they hold.
//!
//! A [`Hospital`] has conditions (`conditions`: codes of the ICD-10-CM table, everyday ones first, with a
//! Zipf-like prevalence and several wordings each, `phrasing`) and patients (`patient`: chronic conditions
//! stay, acute ones come and go over several dated encounters). Each encounter gives notes of several types
//! (`notes`, `writer`) whose sentences are drawn from a grammar (`templates`, `sentences.txt`). Conditions
//! that a note denies, places in the family or the past, or only considers give no code; a few codes are
//! missing or added, as in life. Every patient has a random stream of its own: patient 7 is the same in a
//! hospital of ten as in one of a million. No real data went into it.

mod condition_list;
mod conditions;
mod file;
pub(crate) mod note_text;
mod notes;
#[cfg(feature = "parquet")]
mod parquet;
mod patient;
pub(crate) mod phrasing;
mod sample;
mod sections;
mod settings;
mod summary;
pub(crate) mod templates;
pub(crate) mod typing_errors;
mod visit;
mod wordings;
mod writer;

use bert_xml_core::codes::IcdTable;
use bert_xml_core::text::Note;
use jiff::ToSpan;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

pub use condition_list::{ConditionList, ListError, ListedCondition};
pub(crate) use file::write_notes;
pub use file::{Written, write_hospital};
pub use sample::sample_note;
pub use settings::{Length, SynthError, SynthSettings};
pub use summary::Summary;
pub use wordings::{Synonyms, with_wordings};
pub use writer::MentionKind;

use conditions::{Catalogue, From};
use note_text::NoteText;
use notes::{NoteType, NoteWriter};
use patient::{Encounter, Patient};
use templates::Banks;
use writer::Scene;

/// Chance that an encounter has a second note, and after it a third.
const MORE_NOTES: f64 = 0.25;
/// Chance that a note is one of fewer than 50 characters.
const VERY_SHORT: f64 = 0.015;
/// Most earlier notes that one note copies forward.
const COPIED_NOTES: usize = 3;

/// Where a note names a condition, and what it says of the patient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldEvidence {
    /// The note.
    pub note_id: String,
    /// The dotted code that the words stand for.
    pub code: String,
    /// First code point of the words in the note's text.
    pub start: usize,
    /// First code point behind them.
    pub end: usize,
    /// What the mention says; only `present` gives a code.
    pub kind: MentionKind,
}

/// A note with the truth about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SynthNote {
    /// The record, with label noise in its codes.
    pub note: Note,
    /// All conditions that the text names, in the order of their places; free of noise.
    pub evidence: Vec<GoldEvidence>,
    /// Words and punctuation marks of the text, about what BERT's splitter finds.
    pub tokens: usize,
}

/// A hospital of unlimited size, drawn patient by patient.
#[derive(Debug)]
pub struct Hospital {
    catalogue: Catalogue,
    banks: Banks,
    settings: SynthSettings,
    seed: u64,
}

impl Hospital {
    /// Plans the hospital: chooses its codes from `table`. The same table, settings and seed give the same
    /// notes on every machine.
    ///
    /// # Errors
    /// [`SynthError`] for a setting outside its range or more codes than the table has.
    pub fn new(table: &IcdTable, settings: SynthSettings, seed: u64) -> Result<Self, SynthError> {
        Self::of_list(table, &ConditionList::built_in(), settings, seed)
    }

    /// As [`Hospital::new`], with the conditions of a list before those that the seed draws from the table.
    ///
    /// # Errors
    /// As there.
    pub fn of_list(
        table: &IcdTable,
        list: &ConditionList,
        settings: SynthSettings,
        seed: u64,
    ) -> Result<Self, SynthError> {
        settings.validate()?;
        let catalogue = Catalogue::new(table, list, settings.codes, settings.prevalence_offset, seed)?;
        Ok(Self { catalogue, banks: Banks::built_in(), settings, seed })
    }

    /// The hospital's codes, the most prevalent first.
    pub fn codes(&self) -> impl ExactSizeIterator<Item = &str> {
        self.catalogue.conditions.iter().map(|condition| condition.written.as_str())
    }

    /// All wordings of a code (by its place in [`Hospital::codes`]) that notes use, case aside.
    pub fn wordings(&self, code: usize) -> &[String] {
        &self.catalogue.conditions[code].phrasings
    }

    /// The notes of a patient (numbered from 0), in the order of their dates.
    pub fn patient(&self, number: u64) -> Vec<SynthNote> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        // Stream 0 chose the codes.
        rng.set_stream(number + 1);
        let patient = Patient::draw(&self.catalogue, &mut rng);
        let patient_id = format!("P{:06}", number + 1);
        let mut written: Vec<(String, NoteText)> = Vec::new();
        let mut out = Vec::new();
        for encounter in &patient.encounters {
            let date = date(patient.first_day + encounter.day);
            let age = patient.age_at(encounter.day);
            let scene =
                Scene { catalogue: &self.catalogue, banks: &self.banks, patient: &patient, date: &date, age };
            let writer = NoteWriter { scene, settings: &self.settings, encounter };
            let mut more = true;
            for _ in 0..3 {
                if !more {
                    break;
                }
                // Not drawn where there are none: other hospitals keep their notes.
                let visit = self.settings.visit_share > 0.0 && rng.random_bool(self.settings.visit_share);
                let kind = if visit { NoteType::Visit } else { NoteType::draw(&mut rng) };
                let mut text = if kind != NoteType::Erroneous && rng.random_bool(VERY_SHORT) {
                    writer.write_short(&mut rng)
                } else {
                    writer.write(kind, &mut rng)
                };
                let own = text.clone();
                if kind.is_full() && rng.random_bool(self.copy_forward_rate()) {
                    copy_forward(&mut text, &written);
                }
                let note_id = format!("{patient_id}-{:02}", out.len() + 1);
                out.push(self.finish(
                    &patient,
                    encounter,
                    patient_id.clone(),
                    note_id,
                    &date,
                    kind,
                    text,
                    &mut rng,
                ));
                if kind.is_full() {
                    written.push((date.clone(), own));
                }
                more = rng.random_bool(MORE_NOTES);
            }
        }
        out
    }

    fn copy_forward_rate(&self) -> f64 {
        match self.settings.length {
            Length::Normal => self.settings.copy_forward_rate,
            Length::Short => self.settings.copy_forward_rate / 10.0,
        }
    }

    /// Makes the record, with label noise, and the evidence.
    fn finish(
        &self,
        patient: &Patient,
        encounter: &Encounter,
        patient_id: String,
        note_id: String,
        date: &str,
        kind: NoteType,
        text: NoteText,
        rng: &mut ChaCha8Rng,
    ) -> SynthNote {
        let documented = text.documented();
        let written = |condition: usize| self.catalogue.conditions[condition].written.clone();
        let mut codes: Vec<String> = documented
            .iter()
            .filter(|_| !rng.random_bool(self.settings.missing_code_rate))
            .map(|condition| written(*condition))
            .collect();
        let coded = !matches!(kind, NoteType::Erroneous | NoteType::Miscellaneous);
        if coded && rng.random_bool(self.settings.extra_code_rate) {
            let have: Vec<usize> =
                documented.iter().chain(&encounter.acute).chain(&encounter.chronic).copied().collect();
            codes.extend(patient.draw_fitting(&self.catalogue, From::All, &have, rng).map(written));
        }
        let evidence = text
            .mentions
            .iter()
            .map(|mention| GoldEvidence {
                note_id: note_id.clone(),
                code: written(mention.condition),
                start: mention.span.start,
                end: mention.span.end,
                kind: mention.kind,
            })
            .collect();
        let note_type = Some(kind.name().to_owned());
        let note =
            Note { patient_id, note_id, date: Some(date.to_owned()), note_type, text: text.text, codes };
        SynthNote { note, evidence, tokens: text.tokens }
    }
}

/// Adds the latest earlier notes; what they say is present but the new note does not say so is past.
fn copy_forward(text: &mut NoteText, written: &[(String, NoteText)]) {
    let current = text.documented();
    for (date, earlier) in written.iter().rev().take(COPIED_NOTES) {
        text.push(&format!("\n\nCOPIED FORWARD FROM NOTE OF {date}:\n"));
        text.append(earlier, |mention| match mention.kind {
            MentionKind::Present if !current.contains(&mention.condition) => MentionKind::History,
            kind => kind,
        });
    }
}

/// ISO date of a day after 1 January 2019.
fn date(day: u32) -> String {
    (jiff::civil::date(2019, 1, 1) + i64::from(day).days()).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use super::conditions::tests::table;
    use super::*;

    fn hospital(settings: SynthSettings) -> Hospital {
        Hospital::new(table(), settings, 7).unwrap()
    }

    fn notes(hospital: &Hospital, patients: u64) -> Vec<SynthNote> {
        (0..patients).flat_map(|number| hospital.patient(number)).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_notes_and_another_seed_others() {
        let one = hospital(SynthSettings::default());
        assert_eq!(notes(&one, 20), notes(&hospital(SynthSettings::default()), 20));
        let other = Hospital::new(table(), SynthSettings::default(), 8).unwrap();
        assert_ne!(one.patient(0), other.patient(0));
        assert_eq!(
            one.patient(13),
            notes(&one, 14).into_iter().filter(|n| n.note.patient_id == "P000014").collect::<Vec<_>>()
        );
    }

    #[test]
    fn without_noise_codes_are_exactly_what_is_documented_as_present() {
        let settings =
            SynthSettings { missing_code_rate: 0.0, extra_code_rate: 0.0, ..SynthSettings::default() };
        let hospital = hospital(settings);
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for SynthNote { note, evidence, .. } in notes(&hospital, 400) {
            let present: HashSet<_> =
                evidence.iter().filter(|e| e.kind == MentionKind::Present).map(|e| e.code.clone()).collect();
            assert_eq!(present, note.codes.iter().cloned().collect());
            for mention in &evidence {
                assert_eq!(mention.note_id, note.note_id);
                if mention.kind != MentionKind::Present {
                    *kinds.entry(format!("{:?}", mention.kind)).or_default() += 1;
                }
            }
        }
        assert_eq!(kinds.len(), 4);
        assert!(kinds.values().all(|count| *count > 50), "{kinds:?}");
    }

    #[test]
    fn evidence_slices_to_a_wording_of_its_code() {
        let hospital = hospital(SynthSettings::default());
        let ranks: BTreeMap<_, _> =
            hospital.codes().enumerate().map(|(at, code)| (code.to_owned(), at)).collect();
        let mut seen = 0;
        for SynthNote { note, evidence, .. } in notes(&hospital, 300) {
            let chars: Vec<char> = note.text.chars().collect();
            for mention in evidence {
                let words: String =
                    chars[mention.start..mention.end].iter().collect::<String>().to_lowercase();
                let wordings = hospital.wordings(ranks[&mention.code]);
                assert!(wordings.iter().any(|wording| wording.to_lowercase() == words), "{}", mention.code);
                seen += 1;
            }
        }
        assert!(seen > 3000, "{seen}");
    }

    #[test]
    fn label_noise_has_the_rates_that_are_set() {
        let settings =
            SynthSettings { missing_code_rate: 0.2, extra_code_rate: 0.3, ..SynthSettings::default() };
        let (mut documented, mut missing, mut coded, mut extra) = (0, 0, 0, 0);
        for SynthNote { note, evidence, .. } in notes(&hospital(settings), 600) {
            let present: HashSet<_> =
                evidence.iter().filter(|e| e.kind == MentionKind::Present).map(|e| e.code.as_str()).collect();
            documented += present.len();
            missing += present.iter().filter(|code| !note.codes.iter().any(|c| c == *code)).count();
            coded +=
                usize::from(!["erroneous", "miscellaneous"].contains(&note.note_type.as_deref().unwrap()));
            extra += note.codes.iter().filter(|code| !present.contains(code.as_str())).count();
        }
        let rate = |part: usize, whole: usize| part as f64 / whole as f64;
        assert!((0.18..0.22).contains(&rate(missing, documented)), "{missing} of {documented}");
        assert!((0.25..0.33).contains(&rate(extra, coded)), "{extra} of {coded}");
    }

    #[test]
    fn a_thousand_codes_follow_zipfs_law_with_a_tail() {
        let hospital = hospital(SynthSettings::default());
        assert_eq!(hospital.codes().len(), 1000);
        let mut summary = Summary::default();
        let all = notes(&hospital, 3000);
        all.iter().for_each(|note| summary.add(note));
        let counts = summary.code_counts();
        let total: usize = counts.iter().map(|(_, count)| count).sum();
        let share = |range: std::ops::Range<usize>| {
            counts[range].iter().map(|(_, count)| *count).sum::<usize>() as f64 / total as f64
        };
        assert!(counts.len() > 950, "{} of 1000 codes occur", counts.len());
        assert!((0.01..0.08).contains(&share(0..1)), "{}", share(0..1));
        assert!((0.4..0.75).contains(&share(0..100)), "{}", share(0..100));
        let chapters: HashSet<_> = counts
            .iter()
            .map(|(code, _)| {
                let entry = table().lookup(code).unwrap().unwrap();
                assert!(entry.is_billable());
                entry.chapter().name().into_owned()
            })
            .collect();
        assert_eq!(chapters.len(), 22);
        assert!((3.0..5.0).contains(&summary.codes_per_note()), "{}", summary.codes_per_note());
    }

    #[test]
    fn types_dates_and_lengths_vary_as_in_a_hospital() {
        let all = notes(&hospital(SynthSettings::default()), 500);
        let types: HashSet<_> = all.iter().map(|n| n.note.note_type.clone().unwrap()).collect();
        assert_eq!(types.len(), NoteType::SHARES.len());
        assert_eq!(NoteType::SHARES.iter().map(|(_, share)| share).sum::<u32>(), 100);
        assert!(all.iter().any(|n| n.note.text.chars().count() < 50 && !n.note.codes.is_empty()));
        let long = all.iter().filter(|n| n.note.text.split_whitespace().count() > 1024).count();
        assert!(long > 5 && long < all.len() / 5, "{long} of {}", all.len());
        assert!(all.iter().any(|n| n.note.text.contains("COPIED FORWARD")));
        assert!(all.iter().any(|n| n.note.text.contains("[**Name**]")));
        let ids: HashSet<_> = all.iter().map(|n| &n.note.note_id).collect();
        assert_eq!(ids.len(), all.len());
        for pair in all.windows(2).filter(|pair| pair[0].note.patient_id == pair[1].note.patient_id) {
            assert!(pair[0].note.date <= pair[1].note.date);
        }
        assert_eq!((date(0), date(59)), ("2019-01-01".into(), "2019-03-01".into()));
    }

    #[test]
    fn short_notes_fit_the_demo_and_teach_every_code() {
        let settings = SynthSettings { codes: 100, length: Length::Short, ..SynthSettings::default() };
        let mut summary = Summary::default();
        let all = notes(&hospital(settings), 620);
        all.iter().for_each(|note| summary.add(note));
        assert!((1500..2500).contains(&all.len()), "{}", all.len());
        let fit = all.iter().filter(|n| n.tokens <= 240).count();
        assert!(fit * 10 >= all.len() * 9, "{fit} of {}", all.len());
        let counts = summary.code_counts();
        assert_eq!(counts.len(), 100);
        assert!(counts.iter().all(|(_, count)| *count >= 20), "{:?}", counts.last());
        assert!((3.0..5.0).contains(&summary.codes_per_note()), "{}", summary.codes_per_note());
    }
}
