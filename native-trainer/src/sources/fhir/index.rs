//! What notes are joined with: the encounters, and the codes of each.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use bert_xml_core::codes::CodeSystem;

use super::super::ccda::oid;
use super::super::code_lists::CodeLists;
use super::super::ledger::{Ledger, Place};
use super::super::notation::spelled;
use super::json::{is_coded, list, reference, referred, text};
use super::resources::Resource;
use crate::ingest::numbered::hashed;

/// Conditions that refer to the encounter themselves come after those that its `diagnosis` lists.
const BEHIND: u32 = 1 << 16;

/// Encounters and codes, by 64 bits of a hash of their ids.
pub(super) struct Index {
    pub(super) system: CodeSystem,
    /// Names of the system in codings.
    systems: Vec<String>,
    /// Codes by encounter, closed.
    codes: CodeLists,
    /// Codes by condition.
    of_conditions: CodeLists,
    /// Encounter, place in its list, condition.
    diagnoses: Vec<(u64, u32, u64)>,
    /// First day of each encounter as it is written, ten bytes; zeros where it has none.
    encounters: HashMap<u64, [u8; 10]>,
    /// Other names of resources.
    aliases: HashMap<u64, u64>,
    /// Every `Binary`.
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
            codes: CodeLists::default(),
            of_conditions: CodeLists::default(),
            diagnoses: Vec::new(),
            encounters: HashMap::new(),
            aliases: HashMap::new(),
            binaries: HashSet::new(),
        }
    }

    /// Takes an encounter or a condition; others have nothing to say here.
    pub(super) fn add(&mut self, place: Place<'_>, resource: &Resource, ledger: &mut Ledger) -> Result<()> {
        let value = &resource.value;
        let kind = text(value, "resourceType").unwrap_or_default();
        if let (Some(alias), Some(id)) = (&resource.alias, text(value, "id")) {
            self.aliases.insert(hashed(alias), hashed(id));
        }
        match kind {
            "Patient" => ledger.count("patients", 1),
            "Encounter" => {
                let Some(id) = text(value, "id").or(resource.alias.as_deref()) else {
                    return ledger.list(place, "an encounter without an id", "");
                };
                let id = hashed(id);
                let mut day = [0; 10];
                let start = value.get("period").and_then(|period| text(period, "start"));
                if let Some(start) = start.and_then(|start| start.as_bytes().first_chunk()) {
                    day = *start;
                }
                self.encounters.insert(id, day);
                for (at, diagnosis) in list(value, "diagnosis").iter().enumerate() {
                    if let Some(condition) = reference(diagnosis, "condition") {
                        let rank = diagnosis.get("rank").and_then(serde_json::Value::as_u64);
                        let place = rank.map_or(at as u32, |rank| rank.min(u64::from(BEHIND) - 1) as u32);
                        self.diagnoses.push((id, place, hashed(condition)));
                    }
                }
                ledger.count("encounters", 1);
            }
            "Binary" => {
                self.binaries.extend(text(value, "id").or(resource.alias.as_deref()).map(hashed));
            }
            "Condition" => self.condition(place, resource, ledger)?,
            _ => {}
        }
        Ok(())
    }

    fn condition(&mut self, place: Place<'_>, resource: &Resource, ledger: &mut Ledger) -> Result<()> {
        let value = &resource.value;
        let id = text(value, "id").or(resource.alias.as_deref()).unwrap_or_default();
        ledger.count("conditions", 1);
        for wrong in ["refuted", "entered-in-error"] {
            if is_coded(value.get("verificationStatus"), wrong) {
                return ledger.list(place, &format!("a condition that is {wrong}"), id);
            }
        }
        let codings = value.get("code").map(|code| list(code, "coding")).unwrap_or_default();
        let ours = |coding: &&serde_json::Value| {
            text(coding, "system").is_some_and(|system| self.systems.iter().any(|name| name == system))
        };
        let written: Vec<&str> =
            codings.iter().filter(ours).filter_map(|coding| text(coding, "code")).collect();
        if written.is_empty() {
            return ledger.list(place, &format!("a condition without a code of {}", self.system), id);
        }
        let encounter = reference(value, "encounter").map(hashed);
        for written in written {
            match spelled(&self.system, written) {
                Err(rule) => ledger.list(place, rule, written)?,
                Ok(code) => {
                    if !id.is_empty() {
                        self.of_conditions.add(hashed(id), 0, &code);
                    }
                    if let Some(encounter) = encounter {
                        self.codes.add(encounter, BEHIND, &code);
                    }
                }
            }
        }
        Ok(())
    }

    /// Everything was added: encounters get the codes of the conditions that they name, and what goes by two names gets
    /// one.
    pub(super) fn close(&mut self, ledger: &mut Ledger) {
        for (encounter, place, condition) in std::mem::take(&mut self.diagnoses) {
            for code in self.of_conditions.of(self.own(condition)) {
                self.codes.add(encounter, place, &code);
            }
        }
        self.of_conditions = CodeLists::default();
        let renamed: Vec<(u64, u64)> = self.aliases.iter().map(|(alias, own)| (*alias, *own)).collect();
        for (alias, own) in renamed {
            for code in self.codes.of(alias) {
                self.codes.add(own, BEHIND, &code);
            }
        }
        ledger.count("codes of encounters", self.codes.len() as u64);
    }

    /// The one name of what may have two.
    fn own(&self, hash: u64) -> u64 {
        self.aliases.get(&hash).copied().unwrap_or(hash)
    }

    /// Codes of an encounter, each once; and whether it is there.
    pub(super) fn codes_of(&mut self, encounter: &str) -> (Vec<String>, bool) {
        let own = self.own(hashed(encounter));
        (self.codes.of(own), self.encounters.contains_key(&own))
    }

    /// The `Binary` that an address names, if it is in one of the files.
    pub(super) fn binary(&self, url: &str) -> Option<u64> {
        let own = self.own(hashed(referred(url)?));
        self.binaries.contains(&own).then_some(own)
    }

    /// The first day of an encounter as it is written.
    pub(super) fn day_of(&self, encounter: &str) -> Option<String> {
        let day = self.encounters.get(&self.own(hashed(encounter)))?;
        String::from_utf8(day.to_vec()).ok().filter(|day| !day.starts_with('\0'))
    }
}
