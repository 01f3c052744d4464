//! Which split each patient is in.

use std::collections::HashMap;

use anyhow::Result;
use bert_xml_core::data::Split;
use bert_xml_core::text::shown;

use super::settings::Settings;
use crate::error::hinted;
use crate::ingest::Record;
use crate::ingest::numbered::hashed;

/// The split of each patient so far, 16 bytes a patient.
#[derive(Default)]
pub(super) struct Patients {
    splits: HashMap<u64, Split>,
    /// Patients in each split, in the order of [`Split::ALL`]; a note without one counts as one.
    pub(super) counts: [u64; 3],
}

impl Patients {
    /// The split of a record: that of its split field, else of its patient's hash.
    ///
    /// # Errors
    /// A word that is no split; a patient who was in another one.
    pub(super) fn split_of(&mut self, record: &Record, settings: &Settings, seed: u64) -> Result<Split> {
        let patient = record.note.patient_id.as_str();
        let (file, line) = (&record.file, record.line);
        let field = settings.columns.split_field.as_deref().unwrap_or_default();
        let split = match &record.split {
            None => settings.shares.split_of(patient, seed),
            Some(word) => word.parse().map_err(|error| {
                // The word may be a text, if the field is another than was meant.
                let word = if shown(word).starts_with('`') { word } else { "WORD" };
                hinted(
                    format!("{file}, line {line}: field `{field}`: {error}"),
                    format!("--skip-split {word} leaves such records out"),
                )
            })?,
        };
        if !record.has_patient {
            self.counts[split as usize] += 1;
            return Ok(split);
        }
        match self.splits.insert(hashed(patient), split) {
            None => self.counts[split as usize] += 1,
            Some(before) if before == split => {}
            Some(before) => {
                return Err(hinted(
                    format!(
                        "{file}, line {line}: field `{field}`: `{split}`, but an earlier note of patient {} is in \
                         {before}; a patient is in one split only",
                        shown(patient)
                    ),
                    "without --split-field, patients are split by a hash of their id",
                ));
            }
        }
        Ok(split)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patient_is_counted_once_and_a_note_without_one_for_itself() {
        let record = |note_id: &str, has_patient| {
            let patient_id = if has_patient { "p".to_owned() } else { note_id.to_owned() };
            let note =
                bert_xml_core::text::Note { patient_id, note_id: note_id.into(), ..Default::default() };
            Record { note, split: None, encounter: None, has_patient, file: "f".into(), line: 1 }
        };
        let (mut patients, settings) = (Patients::default(), Settings::default());
        for (note_id, has_patient) in [("a", true), ("b", true), ("c", false), ("d", false)] {
            patients.split_of(&record(note_id, has_patient), &settings, 1).unwrap();
        }
        assert_eq!(patients.counts.iter().sum::<u64>(), 3);
    }
}
