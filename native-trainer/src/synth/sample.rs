//! One readable note with known codes: what the demo shows at its end.

use bert_xml_core::codes::IcdTable;
use bert_xml_core::text::Note;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::condition_list::ConditionList;
use super::conditions::{Catalogue, Sex};
use super::notes::{NoteType, NoteWriter};
use super::patient::{Encounter, Patient};
use super::settings::{Length, SynthError, SynthSettings};
use super::templates::Banks;
use super::writer::Scene;
use super::{GoldEvidence, date};

/// Common conditions that occur together and that the first 100 codes hold.
const ACUTE: [&str; 6] = ["J18.9", "N39.0", "N17.9", "A41.9", "E86.0", "I63.9"];
const CHRONIC: [&str; 6] = ["I10", "E11.9", "J44.9", "I48.91", "I50.9", "K21.9"];

/// A discharge summary of fewer than 256 tokens with five planted codes, two acute and three chronic, all
/// of them among the first 100 of every hospital, and two distractors. Its codes are exactly the planted
/// ones. Not a note of any [`super::Hospital`], though written as theirs are.
///
/// # Errors
/// [`SynthError::Codes`] where the table has fewer than 100 billable codes.
pub fn sample_note(table: &IcdTable, seed: u64) -> Result<(Note, Vec<GoldEvidence>), SynthError> {
    let settings =
        SynthSettings { codes: 100, length: Length::Short, distractors: 2.0, ..Default::default() };
    let list = ConditionList::built_in();
    let catalogue = Catalogue::new(table, &list, settings.codes, settings.prevalence_offset, seed)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // No patient of a hospital has this stream.
    rng.set_stream(u64::MAX);
    let banks = Banks::built_in();
    let mut planted = |codes: [&str; 6], count: usize| -> Vec<usize> {
        let place =
            |code: &&str| catalogue.conditions.iter().position(|condition| condition.written == *code);
        let mut found: Vec<usize> = codes.iter().filter_map(place).collect();
        found.shuffle(&mut rng);
        found.truncate(count);
        found
    };
    let encounter = Encounter { day: 0, acute: planted(ACUTE, 2), chronic: planted(CHRONIC, 3) };
    let patient = Patient { age: 71, sex: Sex::Female, first_day: 2000, encounters: vec![encounter.clone()] };
    let day = date(patient.first_day);
    let scene =
        Scene { catalogue: &catalogue, banks: &banks, patient: &patient, date: &day, age: patient.age };
    let writer = NoteWriter { scene, settings: &settings, encounter: &encounter };
    // A discharge summary may leave out a chronic condition and vary in length: take the first that does not.
    let text = loop {
        let text = writer.write(NoteType::Discharge, &mut rng);
        let distractors = text.mentions.iter().filter(|m| m.kind != super::MentionKind::Present).count();
        let complete = text.documented().len() == encounter.acute.len() + encounter.chronic.len();
        if complete && distractors == 2 && (120..200).contains(&text.tokens) {
            break text;
        }
    };
    let (patient_id, note_id) = ("sample".to_owned(), "sample-01".to_owned());
    let written = |condition: usize| catalogue.conditions[condition].written.clone();
    let evidence = text.mentions.iter().map(|mention| GoldEvidence {
        note_id: note_id.clone(),
        code: written(mention.condition),
        start: mention.span.start,
        end: mention.span.end,
        kind: mention.kind,
    });
    let evidence = evidence.collect();
    let codes = text.documented().into_iter().map(written).collect();
    let note_type = Some(NoteType::Discharge.name().to_owned());
    Ok((Note { patient_id, note_id, date: Some(day.clone()), note_type, text: text.text, codes }, evidence))
}

#[cfg(test)]
mod tests {
    use super::super::MentionKind;
    use super::super::conditions::tests::table;
    use super::*;

    #[test]
    fn the_sample_note_holds_its_planted_codes_and_two_distractors() {
        for seed in 0..30 {
            let (note, evidence) = sample_note(table(), seed).unwrap();
            assert_eq!(note.codes.len(), 5);
            assert!(note.codes.iter().all(|code| ACUTE.contains(&&**code) || CHRONIC.contains(&&**code)));
            let (present, distracting): (Vec<_>, Vec<_>) =
                evidence.iter().partition(|mention| mention.kind == MentionKind::Present);
            assert!(note.codes.iter().all(|code| present.iter().any(|mention| mention.code == *code)));
            assert_eq!(distracting.len(), 2);
            assert!(distracting.iter().all(|mention| !note.codes.contains(&mention.code)));
        }
        assert_eq!(sample_note(table(), 1), sample_note(table(), 1));
    }
}
