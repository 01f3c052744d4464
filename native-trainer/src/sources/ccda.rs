//! C-CDA R2.1 documents (HL7 CDA R2): the narrative of every section under its title, and the diagnoses that stand beside
//! it as codes. Codes are taken from the sections of problems, encounters and diagnoses only; negated ones are left out.

use std::path::PathBuf;

use anyhow::Result;
use base64::Engine;
use bert_xml_core::codes::CodeSystem;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::files;
use super::ledger::{Ledger, Place};
use super::markup::{Narrative, decoded, decoded_xml, one_line_end};
use super::notation::spelled;
use super::outlet::{Outlet, SourceRecord};
use super::packed::read_whole;
use crate::context::Context;
use crate::progress::Unit;

/// LOINC codes of the sections that hold diagnoses: problem list, encounters, discharge and admission diagnosis,
/// diagnosis, assessment, history of past illness left out.
const DIAGNOSES: [&str; 7] = ["11450-4", "46240-8", "11535-2", "78375-3", "46241-6", "29308-4", "51848-0"];
/// The root of US social security numbers: another id of the patient is preferred.
const SOCIAL_SECURITY: &str = "2.16.840.1.113883.4.1";
/// Elements lie at most this deep.
const DEEPEST: usize = 256;

/// The object identifier of a code system.
pub(super) fn oid(system: &CodeSystem) -> Option<&str> {
    match system {
        CodeSystem::Icd10cm => Some("2.16.840.1.113883.6.90"),
        CodeSystem::Icd9cm => Some("2.16.840.1.113883.6.103"),
        CodeSystem::Icd10pcs => Some("2.16.840.1.113883.6.4"),
        CodeSystem::Meddra => Some("2.16.840.1.113883.6.163"),
        CodeSystem::Custom(name) => Some(name),
    }
}

/// What a document says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) kind: String,
    pub(super) patient: String,
    pub(super) encounter: String,
    /// ISO 8601, of the encounter's beginning or else of the document.
    pub(super) date: String,
    pub(super) text: String,
    /// Codes of the system asked for, as written.
    pub(super) codes: Vec<String>,
    /// Problems and diagnoses without a code of that system.
    pub(super) other_systems: u64,
}

/// Reads a document; codes are those of the system with this object identifier.
///
/// # Errors
/// The rule that it breaks.
pub(super) fn read_document(xml: &str, oid: &str) -> Result<Document, String> {
    let mut reader = Reader::from_str(xml.trim_start_matches('\u{feff}'));
    let mut walk = Walk { oid, ..Walk::default() };
    loop {
        let event = reader.read_event().map_err(|_| "not well-formed XML".to_owned())?;
        match event {
            Event::Start(start) => walk.open(&start)?,
            Event::Empty(start) => {
                walk.open(&start)?;
                walk.close();
            }
            Event::End(_) => walk.close(),
            Event::Text(text) => walk.text(&text.xml10_content()),
            Event::CData(text) => walk.text(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().map_err(|_| "not well-formed XML".to_owned())?;
                match (character, quick_xml::escape::resolve_xml_entity(&reference)) {
                    (Some(character), _) => walk.text(character.encode_utf8(&mut [0; 4])),
                    (None, Some(text)) => walk.text(text),
                    (None, None) => return Err("an entity that XML does not define".to_owned()),
                }
            }
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    walk.finish()
}

/// One section on the way down to the one that is read.
#[derive(Default)]
struct Section {
    title: String,
    diagnoses: bool,
}

/// An observation or act on the way down, which may be negated.
struct Statement {
    depth: usize,
    negated: bool,
    /// Whether a problem or diagnosis was seen, and whether it has a code of the system.
    diagnosis: bool,
    coded: bool,
}

#[derive(Default)]
struct Walk<'a> {
    oid: &'a str,
    root: String,
    path: Vec<String>,
    sections: Vec<(usize, Section)>,
    statements: Vec<Statement>,
    narrative: Option<(usize, Narrative)>,
    body: Option<(bool, String, String)>,
    texts: Vec<String>,
    social_security: String,
    effective: String,
    document: Document,
}

impl Walk<'_> {
    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        if self.path.len() >= DEEPEST {
            return Err(format!("elements lie more than {DEEPEST} deep"));
        }
        let name = local(start.name().0);
        let parent = self.path.last().cloned().unwrap_or_default();
        if self.path.is_empty() && self.root.is_empty() {
            self.root = name.clone();
        }
        self.path.push(name.clone());
        let depth = self.path.len();
        if let Some((_, narrative)) = &mut self.narrative {
            narrative.open(&name.to_ascii_lowercase());
            return Ok(());
        }
        let attribute = |wanted: &str| attribute(start, wanted);
        match (parent.as_str(), name.as_str()) {
            (_, "section") => self.sections.push((depth, Section::default())),
            ("section", "text") => self.narrative = Some((depth, Narrative::default())),
            ("section", "code") => {
                let code = attribute("code").unwrap_or_default();
                if let Some((_, section)) = self.sections.last_mut() {
                    section.diagnoses |= DIAGNOSES.contains(&code.as_str());
                }
            }
            ("nonXMLBody", "text") => {
                let base64 = attribute("representation").as_deref() == Some("B64");
                let media = attribute("mediaType").unwrap_or_else(|| "text/plain".to_owned());
                self.body = Some((base64, media, String::new()));
            }
            ("ClinicalDocument", "id") => self.document.id = identity(start),
            ("ClinicalDocument", "code") => self.document.kind = attribute("displayName").unwrap_or_default(),
            ("ClinicalDocument", "effectiveTime") => self.effective = attribute("value").unwrap_or_default(),
            ("patientRole", "id") => {
                if attribute("root").as_deref() == Some(SOCIAL_SECURITY) {
                    self.social_security = identity(start);
                } else if self.document.patient.is_empty() {
                    self.document.patient = identity(start);
                }
            }
            ("encompassingEncounter", "id") if self.document.encounter.is_empty() => {
                self.document.encounter = identity(start);
            }
            ("encompassingEncounter", "effectiveTime") => {
                if let Some(value) = attribute("value") {
                    self.document.date = value;
                }
            }
            ("effectiveTime", "low") if self.path.iter().any(|name| name == "encompassingEncounter") => {
                self.document.date = attribute("value").unwrap_or_default();
            }
            (_, "observation" | "act" | "encounter") => {
                let negated = attribute("negationInd").as_deref() == Some("true");
                self.statements.push(Statement { depth, negated, diagnosis: false, coded: false });
            }
            (_, "value") | ("value", "translation") => {
                self.value(attribute("code").unwrap_or_default(), attribute("codeSystem").unwrap_or_default())
            }
            _ => {}
        }
        Ok(())
    }

    /// A coded value: of a problem or a diagnosis, if the section is one of those.
    fn value(&mut self, code: String, system: String) {
        let diagnoses = self.sections.last().is_some_and(|(_, section)| section.diagnoses);
        if !diagnoses || self.statements.iter().any(|statement| statement.negated) {
            return;
        }
        let Some(statement) = self.statements.last_mut() else { return };
        statement.diagnosis |= !system.is_empty();
        if system == self.oid && !code.is_empty() {
            statement.coded = true;
            self.document.codes.push(code);
        }
    }

    fn text(&mut self, text: &str) {
        if let Some((_, narrative)) = &mut self.narrative {
            narrative.text(text);
            return;
        }
        let here = self.path.len();
        match (self.path.get(here.wrapping_sub(2)).map(String::as_str), self.path.last().map(String::as_str))
        {
            (Some("section"), Some("title")) => {
                if let Some((_, section)) = self.sections.last_mut() {
                    section.title += text;
                }
            }
            (Some("ClinicalDocument"), Some("title")) => self.document.title += text,
            (Some("nonXMLBody"), Some("text")) => {
                if let Some((_, _, content)) = &mut self.body {
                    content.push_str(text);
                }
            }
            _ => {}
        }
    }

    fn close(&mut self) {
        let depth = self.path.len();
        let name = self.path.pop().unwrap_or_default();
        match self.narrative.take() {
            Some((at, narrative)) if at == depth => {
                let text = narrative.finish();
                let title =
                    self.sections.last().map(|(_, section)| clean(&section.title)).unwrap_or_default();
                if !text.is_empty() {
                    self.texts.push(if title.is_empty() { text } else { format!("{title}\n{text}") });
                }
            }
            Some((at, mut narrative)) => {
                narrative.close(&name.to_ascii_lowercase());
                self.narrative = Some((at, narrative));
            }
            None => {}
        }
        self.sections.pop_if(|(at, _)| *at == depth);
        if let Some(statement) = self.statements.pop_if(|statement| statement.depth == depth) {
            self.document.other_systems += u64::from(statement.diagnosis && !statement.coded);
        }
    }

    fn finish(mut self) -> Result<Document, String> {
        match self.root.as_str() {
            "ClinicalDocument" => {}
            "" => return Err("no C-CDA document: it has no XML element".to_owned()),
            _ => return Err("no C-CDA document: its root is another element".to_owned()),
        }
        if !self.path.is_empty() {
            return Err("not well-formed XML: the document ends inside an element".to_owned());
        }
        self.document.text = match self.body {
            Some((_, media, _)) if !media.starts_with("text/") => {
                return Err("the document's body is of a type that is not read (text is)".to_owned());
            }
            Some((false, _, content)) => one_line_end(content.trim()),
            Some((true, _, content)) => {
                let bytes = from_base64(&content).ok_or("the document's body is not base64")?;
                one_line_end(decoded(&bytes, None).unwrap_or_default().trim())
            }
            None if self.texts.is_empty() => return Err("no section with a text".to_owned()),
            None => one_line_end(&self.texts.join("\n\n")),
        };
        if self.document.patient.is_empty() {
            self.document.patient = self.social_security;
        }
        let date = if self.document.date.is_empty() { self.effective } else { self.document.date };
        self.document.date = iso(&date);
        (self.document.title, self.document.kind) = (clean(&self.document.title), clean(&self.document.kind));
        Ok(self.document)
    }
}

/// Bytes of base64, white space in it left out, with or without `=` at its end.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    use base64::alphabet::STANDARD;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    let dense: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&STANDARD, config).decode(dense).ok()
}

/// `cda:section` and `section` are the same element.
fn local(name: &str) -> String {
    name.rsplit(':').next().unwrap_or_default().to_owned()
}

fn attribute(start: &BytesStart<'_>, wanted: &str) -> Option<String> {
    let found = start.attributes().flatten().find(|attribute| attribute.key.0 == wanted)?;
    found.normalized_value(XmlVersion::Implicit1_0).ok().map(|value| value.into_owned())
}

/// An instance identifier: its extension within its root, or the root alone.
fn identity(start: &BytesStart<'_>) -> String {
    let [root, extension] = ["root", "extension"].map(|name| attribute(start, name).unwrap_or_default());
    match (root.is_empty(), extension.is_empty()) {
        (_, true) => root,
        (true, _) => extension,
        _ => format!("{root}:{extension}"),
    }
}

fn clean(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `201308151030-0800` as `2013-08-15`; empty where there is no day in it.
fn iso(time: &str) -> String {
    match time.get(..8).filter(|day| day.bytes().all(|c| c.is_ascii_digit())) {
        Some(day) => format!("{}-{}-{}", &day[..4], &day[4..6], &day[6..]),
        None => String::new(),
    }
}

/// Codes of a document in the spelling of labels; what is none is listed.
///
/// # Errors
/// Whatever the disk says.
pub(super) fn codes_of(
    document: &Document,
    system: &CodeSystem,
    place: Place<'_>,
    ledger: &mut Ledger,
) -> Result<Vec<String>> {
    ledger.count("problems and diagnoses in documents without a code of the system", document.other_systems);
    let mut codes = Vec::new();
    for written in &document.codes {
        match spelled(system, written) {
            Ok(code) => codes.push(code),
            Err(rule) => ledger.list(place, rule, written)?,
        }
    }
    Ok(codes)
}

/// Reads all documents (`.xml`, also with .gz) among files and in folders.
///
/// # Errors
/// A file that cannot be read; whatever the disk says.
pub fn read(
    context: &Context,
    paths: &[PathBuf],
    system: &CodeSystem,
    outlet: &mut Outlet<'_>,
) -> Result<()> {
    let found = files::all(paths, &[".xml", ".xml.gz"])?;
    let mut progress = context.start("ingest", Some(found.len() as u64), Unit::Notes);
    for path in &found {
        progress.advance(1);
        let file = path.display().to_string();
        let place = Place { file: &file, line: 1 };
        let bytes = match read_whole(path)? {
            Ok(bytes) => bytes,
            Err(rule) => {
                outlet.ledger.list(place, rule, "")?;
                continue;
            }
        };
        let Some(xml) = decoded_xml(&bytes) else {
            outlet.ledger.list(place, "an encoding that is not known", "")?;
            continue;
        };
        let document = match read_document(&xml, oid(system).unwrap_or_default()) {
            Ok(document) => document,
            Err(rule) => {
                outlet.ledger.list(place, &rule, "")?;
                continue;
            }
        };
        let codes = codes_of(&document, system, place, &mut outlet.ledger)?;
        let Document { id, title, kind, patient, encounter, date, text, .. } = document;
        let named = |name: String, otherwise: String| if name.is_empty() { otherwise } else { name };
        outlet.put(
            place,
            SourceRecord {
                note_id: named(id, files::file_name(path)),
                patient_id: patient,
                encounter_id: encounter,
                date,
                note_type: named(kind, title),
                text,
                codes,
                ..SourceRecord::default()
            },
        )?;
    }
    progress.finish();
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DOCUMENT: &str = "<?xml version=\"1.0\"?><c:ClinicalDocument xmlns:c=\"urn:hl7-org:v3\"><c:id root=\"1.2\"/>\
        <c:componentOf><c:encompassingEncounter><c:id root=\"1.3\" extension=\"v7\"/><c:effectiveTime><c:low value=\"20260102\"/>\
        </c:effectiveTime></c:encompassingEncounter></c:componentOf><c:component><c:structuredBody><c:component><c:section>\
        <c:code code=\"46240-8\"/><c:title>Encounters</c:title><c:text><c:table><c:tr><c:td>Office</c:td><c:td>Asthma &amp; cough\
        </c:td></c:tr></c:table></c:text><c:entry><c:encounter><c:entryRelationship><c:act><c:entryRelationship><c:observation>\
        <c:value code=\"J45.909\" codeSystem=\"2.16.840.1.113883.6.90\"/></c:observation></c:entryRelationship></c:act>\
        </c:entryRelationship></c:encounter></c:entry></c:section></c:component></c:structuredBody></c:component></c:ClinicalDocument>";
    const ICD10CM: &str = "2.16.840.1.113883.6.90";

    #[test]
    fn an_encounter_and_its_diagnosis_are_read() {
        let document = read_document(DOCUMENT, ICD10CM).unwrap();
        assert_eq!((document.encounter.as_str(), document.date.as_str()), ("1.3:v7", "2026-01-02"));
        assert_eq!(document.text, "Encounters\nOffice | Asthma & cough");
        assert_eq!((document.codes, document.other_systems), (vec!["J45.909".to_owned()], 0));
        let other = read_document(DOCUMENT, "2.16.840.1.113883.6.103").unwrap();
        assert_eq!((other.codes.len(), other.other_systems), (0, 1));
    }

    #[test]
    fn a_body_of_text_is_the_note() {
        let of = |attributes: &str, content: &str| {
            let xml = format!(
                "<ClinicalDocument><component><nonXMLBody><text {attributes}>{content}</text></nonXMLBody></component>\
                 </ClinicalDocument>"
            );
            read_document(&xml, ICD10CM).map(|document| document.text)
        };
        assert_eq!(of("", "No fever.\r\nRest.").as_deref(), Ok("No fever.\nRest."));
        assert_eq!(
            of("mediaType=\"text/plain\" representation=\"B64\"", "Tm8g\n ZmV2ZXI").as_deref(),
            Ok("No fever")
        );
        assert!(of("representation=\"B64\"", "?").unwrap_err().contains("not base64"));
        let deep = format!("<ClinicalDocument>{}", "<a>".repeat(10_000));
        assert!(read_document(&deep, ICD10CM).unwrap_err().contains("more than 256 deep"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn no_damage_is_a_crash(cut in 0usize..1200, at in 0usize..1200, with in "[<>/&;\"a =]{0,3}") {
            let mut damaged: String = DOCUMENT.chars().take(cut).collect();
            let at = at.min(damaged.len());
            damaged.insert_str(at, &with);
            // A document or a rule, and the rule has no words of the note.
            if let Err(rule) = read_document(&damaged, ICD10CM) {
                prop_assert!(!rule.contains("cough"));
            }
        }
    }
}
