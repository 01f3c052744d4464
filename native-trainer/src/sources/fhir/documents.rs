//! Notes of documents: `DocumentReference`, `DiagnosticReport`, `Composition`.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use super::super::ccda::codes_of;
use super::super::ledger::Place;
use super::super::markup::html_text;
use super::super::outlet::{Outlet, SourceRecord};
use super::attachment::{Content, Without, read};
use super::index::{Found, Index};
use super::json::{concept, list, reference, referred, text};
use super::resources::Resource;
use crate::ingest::numbered::hashed;
use crate::ingest::record::is_iso_date;

/// Reads notes, and joins them with an index.
pub(super) struct Documents {
    index: Index,
    /// Notes whose text is in a `Binary`, by its hash.
    waiting: HashMap<u64, Vec<Waiting>>,
}

/// A note that waits for its text.
struct Waiting {
    file: String,
    line: u64,
    record: SourceRecord,
}

impl Documents {
    pub(super) fn new(index: Index) -> Self {
        Self { index, waiting: HashMap::new() }
    }

    /// Writes the note of a resource, if it is one that holds any.
    pub(super) fn add(
        &mut self,
        file: &Path,
        place: Place<'_>,
        resource: &Resource,
        outlet: &mut Outlet<'_>,
    ) -> Result<()> {
        let value = &resource.value;
        let Some(kind) = text(value, "resourceType") else {
            return outlet.ledger.list(place, "no FHIR resource: it names no resourceType", "");
        };
        let note_id = match resource.names().next().unwrap_or_default() {
            "" => format!("{}:{}", place.file, place.line),
            id => format!("{kind}/{id}"),
        };
        let status =
            ["status", "docStatus"].iter().any(|field| text(value, field) == Some("entered-in-error"));
        let attachments: Vec<&Value> = match kind {
            "DocumentReference" => {
                list(value, "content").iter().filter_map(|part| part.get("attachment")).collect()
            }
            "DiagnosticReport" => list(value, "presentedForm").iter().collect(),
            "Composition" => Vec::new(),
            _ => return Ok(()),
        };
        // Reports without a form are results of measurements, and many.
        if kind == "DiagnosticReport" && attachments.is_empty() {
            outlet.ledger.count("diagnostic reports without a form", 1);
            return Ok(());
        }
        if status {
            return outlet.ledger.list(place, "a document that was entered in error", &note_id);
        }
        let content = if kind == "Composition" {
            let sections = list(value, "section").iter().map(section_text).filter(|text| !text.is_empty());
            Content::Text(sections.collect::<Vec<_>>().join("\n\n"))
        } else {
            match self.first_that_reads(file, place, &note_id, &attachments, outlet)? {
                Some(content) => content,
                None => return Ok(()),
            }
        };
        let (encounter, patient) = (encounter_of(value), reference(value, "subject"));
        let several = value.get("context").is_some_and(|context| list(context, "encounter").len() > 1);
        if several {
            outlet.ledger.list(place, "a document of several encounters, joined with the first", &note_id)?;
        }
        let mut codes = Vec::new();
        match encounter {
            None => outlet.ledger.count("documents without an encounter", 1),
            Some(encounter) => {
                codes = match self.index.codes_of(encounter, patient) {
                    Found::Codes(codes) => codes,
                    Found::Unknown(codes) => {
                        outlet.ledger.list(
                            place,
                            "a document of an encounter that is not there",
                            &note_id,
                        )?;
                        codes
                    }
                    Found::OfAnother => {
                        return outlet.ledger.list(
                            place,
                            "a document of another patient than its encounter",
                            &note_id,
                        );
                    }
                };
            }
        }
        let dates = ["date", "effectiveDateTime", "issued"];
        let dated = dates.iter().filter_map(|field| text(value, field)).find(|date| is_iso_date(date));
        let date = dated.map(str::to_owned).or_else(|| self.index.day_of(encounter?));
        let record = SourceRecord {
            note_id,
            patient_id: patient.unwrap_or_default().to_owned(),
            encounter_id: encounter.unwrap_or_default().to_owned(),
            date: date.unwrap_or_default(),
            note_type: one_line(concept(value.get("type")).or(concept(value.get("code"))).unwrap_or(kind)),
            codes,
            ..SourceRecord::default()
        };
        self.put(place, record, content, outlet)
    }

    fn put(
        &mut self,
        place: Place<'_>,
        mut record: SourceRecord,
        content: Content,
        outlet: &mut Outlet<'_>,
    ) -> Result<()> {
        match content {
            Content::Text(text) => record.text = text,
            Content::Document(document) => {
                let own = codes_of(&document, &self.index.system, place, &mut outlet.ledger)?;
                record.codes.extend(own);
                record.text = document.text;
            }
            Content::Binary(binary) => {
                let waiting = Waiting { file: place.file.to_owned(), line: place.line, record };
                self.waiting.entry(binary).or_default().push(waiting);
                return Ok(());
            }
        }
        outlet.put(place, record)
    }

    /// Whether notes wait for a `Binary`: the files are read once more.
    pub(super) fn wait(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Writes the notes that wait for this resource, if it is a `Binary`.
    pub(super) fn binary(&mut self, file: &Path, resource: &Resource, outlet: &mut Outlet<'_>) -> Result<()> {
        let value = &resource.value;
        if text(value, "resourceType") != Some("Binary") {
            return Ok(());
        }
        let names = resource.names().map(hashed);
        let waiting: Vec<Waiting> = names.filter_map(|name| self.waiting.remove(&name)).flatten().collect();
        for Waiting { file: of, line, record } in waiting {
            let place = Place { file: &of, line };
            match read(file, value, &self.index) {
                Ok(content) => self.put(place, record, content, outlet)?,
                Err(Without { rule, value }) => {
                    outlet.ledger.list(
                        place,
                        &rule,
                        if value.is_empty() { &record.note_id } else { &value },
                    )?;
                }
            }
        }
        Ok(())
    }

    /// The same document in two forms (plain and HTML) is one note: the first that reads. What does not read before it is
    /// listed.
    fn first_that_reads(
        &self,
        file: &Path,
        place: Place<'_>,
        note_id: &str,
        attachments: &[&Value],
        outlet: &mut Outlet<'_>,
    ) -> Result<Option<Content>> {
        for attachment in attachments {
            match read(file, attachment, &self.index) {
                Ok(content) => return Ok(Some(content)),
                Err(Without { rule, value }) => {
                    outlet.ledger.list(place, &rule, if value.is_empty() { note_id } else { &value })?;
                }
            }
        }
        if attachments.is_empty() {
            outlet.ledger.list(place, "a document without an attachment", note_id)?;
        }
        Ok(None)
    }
}

/// A section's title and narrative, and those of the sections in it.
fn section_text(section: &Value) -> String {
    let own =
        section.get("text").and_then(|narrative| text(narrative, "div")).map(html_text).unwrap_or_default();
    let nested = list(section, "section").iter().map(section_text);
    let parts: Vec<String> = std::iter::once(own).chain(nested).filter(|part| !part.is_empty()).collect();
    match (text(section, "title"), parts.is_empty()) {
        (_, true) => String::new(),
        (None, false) => parts.join("\n\n"),
        (Some(title), false) => format!("{title}\n{}", parts.join("\n\n")),
    }
}

/// The encounter of a document: `context.encounter[0]` of a `DocumentReference`, `encounter` of the others.
fn encounter_of(value: &Value) -> Option<&str> {
    let in_context = value.get("context").and_then(|context| list(context, "encounter").first());
    match in_context {
        Some(found) => referred(text(found, "reference")?),
        None => reference(value, "encounter"),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
