//! MIMIC-III and MIMIC-IV with MIMIC-IV-Note, as PhysioNet publishes them: notes get the diagnoses of their admission.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::Result;
use bert_xml_core::codes::CodeSystem;

use super::code_lists::CodeLists;
use super::files;
use super::ledger::{Ledger, Place};
use super::notation::spelled;
use super::outlet::{Outlet, SourceRecord};
use super::table::{Reading, Table, TableRow};
use crate::context::Context;
use crate::error::hinted;

/// Which edition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    /// NOTEEVENTS, ADMISSIONS and DIAGNOSES_ICD; ICD-9-CM.
    Three,
    /// `note/discharge`, `note/radiology`, `hosp/admissions` and `hosp/diagnoses_icd`; ICD-9-CM or ICD-10-CM by admission.
    Four,
}

impl Edition {
    /// The tables that may have notes.
    fn notes(self) -> &'static [&'static str] {
        match self {
            Self::Three => &["noteevents"],
            Self::Four => &["discharge", "radiology"],
        }
    }

    /// Columns of a note: id, patient, admission, type, time, day, error flag, text.
    fn note_columns(self) -> [&'static str; 8] {
        match self {
            Self::Three => {
                ["row_id", "subject_id", "hadm_id", "category", "charttime", "chartdate", "iserror", "text"]
            }
            // The last two are MIMIC-III's, and absent here.
            Self::Four => [
                "note_id",
                "subject_id",
                "hadm_id",
                "note_type",
                "charttime",
                "chartdate?",
                "iserror?",
                "text",
            ],
        }
    }

    /// Columns of a diagnosis: patient, admission, place in the list, code, version.
    fn diagnosis_columns(self) -> [&'static str; 5] {
        match self {
            Self::Three => ["subject_id", "hadm_id", "seq_num", "icd9_code", "icd_version?"],
            Self::Four => ["subject_id", "hadm_id", "seq_num", "icd_code", "icd_version"],
        }
    }

    fn note_type(self, written: &str) -> String {
        let written = written.to_ascii_lowercase();
        match (self, written.as_str()) {
            (Self::Four, "ds") => "discharge summary".to_owned(),
            (Self::Four, "ad") => "discharge summary addendum".to_owned(),
            (Self::Four, "rr") => "radiology".to_owned(),
            (Self::Four, "ar") => "radiology addendum".to_owned(),
            _ => written,
        }
    }
}

/// What is read of it.
#[derive(Clone, Debug)]
pub struct Mimic {
    /// The edition.
    pub edition: Edition,
    /// The folders it lies in.
    pub folders: Vec<PathBuf>,
    /// The system whose codes are taken: MIMIC-IV has both.
    pub system: CodeSystem,
    /// Notes of these types only, in any case; all if empty.
    pub types: Vec<String>,
}

/// An admission, 24 bytes.
struct Admission {
    patient: u64,
    line: u64,
    has_note: bool,
    /// Whether it has a diagnosis of the other version.
    other_version: bool,
}

impl Mimic {
    /// Reads all notes.
    ///
    /// # Errors
    /// A table that is missing, lacks a column or is cut off; whatever the disk says.
    pub fn read(&self, context: &Context, outlet: &mut Outlet<'_>) -> Result<()> {
        let (admissions_file, diagnoses_file) = (
            files::needed_table(&self.folders, "admissions")?,
            files::needed_table(&self.folders, "diagnoses_icd")?,
        );
        let mut notes_files = Vec::new();
        for name in self.edition.notes() {
            notes_files.extend(files::table(&self.folders, name)?);
        }
        if notes_files.is_empty() {
            let named = self.edition.notes().join(" or ");
            return Err(hinted(
                format!("no table of notes: neither {named} as .csv or .csv.gz"),
                "MIMIC-IV's notes are published apart, as MIMIC-IV-Note: name its folder too",
            ));
        }
        let all = notes_files.iter().chain([&admissions_file, &diagnoses_file]);
        let mut reading = Reading::start(context, all);
        let mut admissions = HashMap::new();
        let table = Table::open(&admissions_file, &["subject_id", "hadm_id"], &reading)?;
        reading.each(table, outlet, |place, row, outlet| {
            admission(place, row, &mut outlet.ledger, &mut admissions)
        })?;
        outlet.ledger.count("admissions", admissions.len() as u64);
        let mut codes = CodeLists::default();
        let table = Table::open(&diagnoses_file, &self.edition.diagnosis_columns(), &reading)?;
        reading.each(table, outlet, |place, row, outlet| {
            self.diagnosis(place, row, &mut outlet.ledger, &mut admissions, &mut codes)
        })?;
        outlet.ledger.count(&format!("diagnoses in {}", self.system), codes.len() as u64);
        for path in &notes_files {
            let table = Table::open(path, &self.edition.note_columns(), &reading)?;
            reading.each(table, outlet, |place, row, outlet| {
                self.note(place, row, outlet, &mut admissions, &mut codes)
            })?;
        }
        let mut without: Vec<(u64, u64)> = admissions
            .iter()
            .filter(|(_, admission)| !admission.has_note)
            .map(|(id, admission)| (admission.line, *id))
            .collect();
        without.sort_unstable();
        let file = admissions_file.display().to_string();
        for (line, id) in without {
            outlet.ledger.list(
                Place { file: &file, line },
                "an admission without a note",
                &id.to_string(),
            )?;
        }
        reading.finish();
        Ok(())
    }

    fn diagnosis(
        &self,
        place: Place<'_>,
        row: &TableRow,
        ledger: &mut Ledger,
        admissions: &mut HashMap<u64, Admission>,
        codes: &mut CodeLists,
    ) -> Result<()> {
        let [patient, id, sequence, written, version] = [0, 1, 2, 3, 4].map(|column| row.get(column));
        let Some((patient, id)) = number(patient).zip(number(id)) else {
            return ledger.list(place, "a diagnosis without patient or admission", written);
        };
        let Some(admission) = admissions.get_mut(&id) else {
            return ledger.list(
                place,
                "a diagnosis of an admission that is not in the table",
                &id.to_string(),
            );
        };
        if admission.patient != patient {
            return ledger.list(place, "a diagnosis of another patient than its admission", &id.to_string());
        }
        if written.is_empty() {
            return ledger.list(place, "a diagnosis without a code", &id.to_string());
        }
        let system = match (self.edition, version) {
            (Edition::Three, _) | (_, "9") => CodeSystem::Icd9cm,
            (_, "10") => CodeSystem::Icd10cm,
            _ => return ledger.list(place, "an ICD version that is neither 9 nor 10", version),
        };
        if system != self.system {
            admission.other_version = true;
            ledger.count(&format!("diagnoses in {system}, left out"), 1);
            return Ok(());
        }
        match spelled(&system, written) {
            // A row without a place in the list comes last.
            Ok(code) => codes.add(id, sequence.parse().unwrap_or(u32::MAX), &code),
            Err(rule) => ledger.list(place, rule, written)?,
        }
        Ok(())
    }

    fn note(
        &self,
        place: Place<'_>,
        row: &TableRow,
        outlet: &mut Outlet<'_>,
        admissions: &mut HashMap<u64, Admission>,
        codes: &mut CodeLists,
    ) -> Result<()> {
        let [note_id, patient, id, kind, time, day, error] =
            [0, 1, 2, 3, 4, 5, 6].map(|column| row.get(column));
        let note_type = self.edition.note_type(kind);
        if !self.types.is_empty()
            && !self.types.iter().any(|kind| kind.trim().eq_ignore_ascii_case(&note_type))
        {
            outlet.ledger.count("notes of types that were not asked for", 1);
            return Ok(());
        }
        if note_id.is_empty() {
            return outlet.ledger.list(place, "a note without an id", "");
        }
        if error == "1" {
            return outlet.ledger.list(place, "a note marked as an error (ISERROR)", note_id);
        }
        let admission = match number(id) {
            None if id.is_empty() => None,
            None => return outlet.ledger.list(place, "an admission that is no number", note_id),
            Some(id) => match admissions.get_mut(&id) {
                None => {
                    return outlet.ledger.list(
                        place,
                        "a note of an admission that is not in the table",
                        note_id,
                    );
                }
                Some(admission) if number(patient) != Some(admission.patient) => {
                    return outlet.ledger.list(
                        place,
                        "a note of another patient than its admission",
                        note_id,
                    );
                }
                Some(admission) => {
                    admission.has_note = true;
                    Some((id, admission.other_version))
                }
            },
        };
        let found = admission.map(|(id, _)| codes.of(id)).unwrap_or_default();
        if found.is_empty() {
            match admission {
                None => outlet.ledger.count("notes outside of an admission", 1),
                Some((_, true)) => {
                    outlet.ledger.count("notes whose admission is coded in the other version only", 1)
                }
                Some((_, false)) => outlet.ledger.count("notes whose admission has no code", 1),
            }
        }
        outlet.put(
            place,
            SourceRecord {
                note_id: note_id.to_owned(),
                patient_id: patient.to_owned(),
                encounter_id: id.to_owned(),
                date: if time.is_empty() { day } else { time }.to_owned(),
                note_type,
                text: row.raw(7).to_owned(),
                codes: found,
                ..SourceRecord::default()
            },
        )
    }
}

fn admission(
    place: Place<'_>,
    row: &TableRow,
    ledger: &mut Ledger,
    admissions: &mut HashMap<u64, Admission>,
) -> Result<()> {
    let Some((patient, id)) = number(row.get(0)).zip(number(row.get(1))) else {
        return ledger.list(place, "an admission without its number or patient", row.get(1));
    };
    let new = Admission { patient, line: place.line, has_note: false, other_version: false };
    if admissions.contains_key(&id) {
        return ledger.list(place, "an admission that was there before", row.get(1));
    }
    admissions.insert(id, new);
    Ok(())
}

fn number(value: &str) -> Option<u64> {
    value.parse().ok()
}
