//! What notes are joined with: the encounters, and the codes of each.
//!
//! Ids are only as unique as their server makes them: exports of several servers, or Bundles that count from 1, may have
//! two encounters of one id. So an encounter and its conditions must be of one patient.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use bert_xml_core::codes::CodeSystem;
use serde_json::Value;

use super::super::ccda::oid;
use super::super::code_lists::CodeLists;
use super::super::ledger::{Ledger, Place};
use super::super::notation::spelled;
use super::json::{is_coded, list, reference, referred, text};
use super::resources::Resource;
use crate::ingest::numbered::{Numbered, hashed};

/// Conditions that refer to the encounter themselves come after those that its `diagnosis` lists.
const BEHIND: u32 = 1 << 16;
/// The hash of nobody: a resource that names no patient fits every one.
const NOBODY: u64 = 0;

/// An encounter.
#[derive(Clone, Copy)]
struct Encounter {
    /// The hash of its own id; it may be known by another name too.
    own: u64,
    /// Of its patient, or [`NOBODY`].
    patient: u64,
    /// First day as it is written; zeros where it has none.
    day: [u8; 10],
}

/// What the index knows of a document's encounter.
pub(super) enum Found {
    /// Its codes, each once.
    Codes(Vec<String>),
    /// It is in none of the files; the codes are of conditions that refer to it.
    Unknown(Vec<String>),
    /// It is another patient's.
    OfAnother,
}

/// Encounters and codes, by 64 bits of a hash of their ids.
pub(super) struct Index {
    pub(super) system: CodeSystem,
    /// Names of the system in codings.
    systems: Vec<String>,
    numbered: Numbered,
    /// Codes by encounter, in place once all is added.
    codes: CodeLists,
    /// Conditions that refer to an encounter: encounter, patient, code.
    conditions: Vec<(u64, u64, u32)>,
    /// Codes by condition and patient.
    of_conditions: CodeLists,
    /// Encounter, place in its list, condition and patient.
    diagnoses: Vec<(u64, u32, u64)>,
    /// By each of their names.
    encounters: HashMap<u64, Encounter>,
    /// Other names of patients.
    patients: HashMap<u64, u64>,
    /// Every `Binary`, by each of its names.
    binaries: HashSet<u64>,
}

impl Index {
    pub(super) fn new(system: &CodeSystem) -> Self {
        let by_url = match system {
            CodeSystem::Icd10cm => Some("http://hl7.org/fhir/sid/icd-10-cm"),
            CodeSystem::Icd9cm => Some("http://hl7.org/fhir/sid/icd-9-cm"),
            CodeSystem::Icd10pcs => Some("http://www.cms.gov/Medicare/Coding/ICD10"),
            CodeSystem::Meddra => Some("https://www.meddra.org"),
            CodeSystem::Custom(_) => None,
        };
        let by_oid = oid(system).map(|oid| match system {
            CodeSystem::Custom(_) => oid.to_owned(),
            _ => format!("urn:oid:{oid}"),
        });
        Self {
            system: system.clone(),
            systems: by_url.map(str::to_owned).into_iter().chain(by_oid).collect(),
            numbered: Numbered::default(),
            codes: CodeLists::default(),
            conditions: Vec::new(),
            of_conditions: CodeLists::default(),
            diagnoses: Vec::new(),
            encounters: HashMap::new(),
            patients: HashMap::new(),
            binaries: HashSet::new(),
        }
    }

    /// Takes a patient, an encounter, a condition or the name of a `Binary`; others have nothing to say here.
    pub(super) fn add(&mut self, place: Place<'_>, resource: &Resource, ledger: &mut Ledger) -> Result<()> {
        match text(&resource.value, "resourceType").unwrap_or_default() {
            "Patient" => {
                if let [own, alias] = resource.names().collect::<Vec<_>>().as_slice() {
                    self.patients.insert(hashed(alias), hashed(own));
                }
                ledger.count("patients", 1);
            }
            "Binary" => self.binaries.extend(resource.names().map(hashed)),
            "Encounter" => self.encounter(place, resource, ledger)?,
            "Condition" => self.condition(place, resource, ledger)?,
            _ => {}
        }
        Ok(())
    }

    fn encounter(&mut self, place: Place<'_>, resource: &Resource, ledger: &mut Ledger) -> Result<()> {
        let value = &resource.value;
        let Some(id) = resource.names().next() else {
            return ledger.list(place, "an encounter without an id", "");
        };
        let patient = reference(value, "subject");
        let mut encounter =
            Encounter { own: hashed(id), patient: patient.map_or(NOBODY, hashed), day: [0; 10] };
        let start = value.get("period").and_then(|period| text(period, "start"));
        if let Some(start) = start.and_then(|start| start.as_bytes().first_chunk()) {
            encounter.day = *start;
        }
        let before = self.encounters.get(&encounter.own).map_or(NOBODY, |before| before.patient);
        if !self.is_one(before, encounter.patient) {
            return ledger.list(place, "an encounter with the id of another patient's", id);
        }
        self.encounters.extend(resource.names().map(|name| (hashed(name), encounter)));
        for (at, diagnosis) in list(value, "diagnosis").iter().enumerate() {
            if let Some(condition) = reference(diagnosis, "condition") {
                let rank = diagnosis.get("rank").and_then(Value::as_u64);
                let place = rank.map_or(at as u32, |rank| rank.min(u64::from(BEHIND) - 1) as u32);
                self.diagnoses.push((encounter.own, place, of_patient(condition, patient)));
            }
        }
        ledger.count("encounters", 1);
        Ok(())
    }

    fn condition(&mut self, place: Place<'_>, resource: &Resource, ledger: &mut Ledger) -> Result<()> {
        let value = &resource.value;
        let id = resource.names().next().unwrap_or_default();
        ledger.count("conditions", 1);
        for wrong in ["refuted", "entered-in-error"] {
            if is_coded(value.get("verificationStatus"), wrong) {
                return ledger.list(place, &format!("a condition that is {wrong}"), id);
            }
        }
        let codings = value.get("code").map(|code| list(code, "coding")).unwrap_or_default();
        let ours = |coding: &&Value| {
            text(coding, "system").is_some_and(|system| self.systems.iter().any(|name| name == system))
        };
        let written: Vec<&str> =
            codings.iter().filter(ours).filter_map(|coding| text(coding, "code")).collect();
        if written.is_empty() {
            return ledger.list(place, &format!("a condition without a code of {}", self.system), id);
        }
        let (encounter, patient) = (reference(value, "encounter"), reference(value, "subject"));
        for written in written {
            match spelled(&self.system, written) {
                Err(rule) => ledger.list(place, rule, written)?,
                Ok(code) => {
                    for name in resource.names() {
                        self.of_conditions.add(of_patient(name, patient), 0, &code);
                    }
                    if let Some(encounter) = encounter {
                        let code = self.numbered.number(&code);
                        self.conditions.push((hashed(encounter), patient.map_or(NOBODY, hashed), code));
                    }
                }
            }
        }
        Ok(())
    }

    /// Everything was added: encounters get the codes of the conditions that refer to them, and of those that they name.
    pub(super) fn close(&mut self, ledger: &mut Ledger) {
        for (encounter, place, condition) in std::mem::take(&mut self.diagnoses) {
            let found = self.of_conditions.of(condition);
            if found.is_empty() {
                ledger.count("diagnoses of encounters whose condition is not there or has no such code", 1);
            }
            for code in found {
                self.codes.add(encounter, place, &code);
            }
        }
        self.of_conditions = CodeLists::default();
        for (name, patient, code) in std::mem::take(&mut self.conditions) {
            let encounter = self.encounters.get(&name).copied();
            if encounter.is_some_and(|encounter| !self.is_one(encounter.patient, patient)) {
                ledger.count("codes of conditions of another patient than their encounter, left out", 1);
                continue;
            }
            let own = encounter.map_or(name, |encounter| encounter.own);
            self.codes.add(own, BEHIND, self.numbered.code(code));
        }
        ledger.count("codes of encounters", self.codes.len() as u64);
    }

    /// Whether two hashes are of one patient, or one is of nobody.
    fn is_one(&self, a: u64, b: u64) -> bool {
        let own = |hash: u64| self.patients.get(&hash).copied().unwrap_or(hash);
        a == NOBODY || b == NOBODY || own(a) == own(b)
    }

    /// The codes of a patient's encounter.
    pub(super) fn codes_of(&mut self, encounter: &str, patient: Option<&str>) -> Found {
        let name = hashed(encounter);
        match self.encounters.get(&name) {
            None => Found::Unknown(self.codes.of(name)),
            Some(found) if !self.is_one(found.patient, patient.map_or(NOBODY, hashed)) => Found::OfAnother,
            Some(found) => Found::Codes(self.codes.of(found.own)),
        }
    }

    /// The `Binary` that an address names, if it is in one of the files.
    pub(super) fn binary(&self, url: &str) -> Option<u64> {
        let name = hashed(referred(url)?);
        self.binaries.contains(&name).then_some(name)
    }

    /// The first day of an encounter as it is written.
    pub(super) fn day_of(&self, encounter: &str) -> Option<String> {
        let found = self.encounters.get(&hashed(encounter))?;
        String::from_utf8(found.day.to_vec()).ok().filter(|day| !day.starts_with('\0'))
    }
}

/// A condition of a patient: the same id of another patient is another condition.
fn of_patient(condition: &str, patient: Option<&str>) -> u64 {
    hashed(&format!("{condition}\n{}", patient.unwrap_or_default()))
}
