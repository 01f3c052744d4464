//! Documents: FHIR and C-CDA.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{NOTE, gzip, ingest, write};
use crate::process::argument;

fn base64(text: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group =
        |bytes: &[u8]| {
            let bits =
                bytes.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - bytes.len()));
            (0..4)
                .map(|at| {
                    if at <= bytes.len() {
                        LETTERS[(bits >> (18 - 6 * at)) as usize & 63] as char
                    } else {
                        '='
                    }
                })
                .collect::<String>()
        };
    text.chunks(3).map(group).collect()
}

/// A Bundle's entries: a patient with two encounters, and documents of every kind.
fn bundle() -> Value {
    let code = |system: &str, code: &str| json!({"coding": [{"system": format!("http://hl7.org/fhir/sid/{system}"), "code": code}]});
    let document = |id: &str, encounter: Option<&str>, attachment: Value| {
        let mut document = json!({"resourceType": "DocumentReference", "id": id, "status": "current",
            "type": {"coding": [{"display": "Progress note"}]}, "subject": {"reference": "Patient/p"},
            "date": "2026-01-02T10:00:00.5Z", "content": [{"attachment": attachment}]});
        if let Some(encounter) = encounter {
            document["context"] = json!({"encounter": [{"reference": encounter}]});
        }
        json!({"resource": document})
    };
    let text = |kind: &str, text: &[u8]| json!({"contentType": kind, "data": base64(text)});
    let first = Some("Encounter/e1");
    json!({"resourceType": "Bundle", "type": "collection", "entry": [
        document("plain", first, text("text/plain; charset=iso-8859-1", b"Caf\xe9 au lait spots. No fever.")),
        document("html", first, text("text/html", b"<p>No <b>fever</b>.</p><ul><li>Rest</li></ul>")),
        document("file", first, json!({"url": "attachments/note%201.txt"})),
        document("outside", first, json!({"url": "../secret.txt"})),
        document("remote", first, json!({"url": "https://ehr.example/fhir/Binary/9?token=x", "contentType": "text/plain"})),
        document("pdf", first, text("application/pdf", b"%PDF-")),
        document("broken", first, json!({"contentType": "text/plain", "data": "&&&"})),
        document("none", first, json!({"contentType": "text/plain"})),
        document("alone", None, text("text/plain", NOTE.as_bytes())),
        document("lost", Some("Encounter/e9"), text("text/plain", NOTE.as_bytes())),
        document("binary", first, json!({"url": "https://ehr.example/fhir/Binary/b1"})),
        document("damaged", first, json!({"url": "Binary/b2"})),
        document("cda", Some("urn:uuid:e-two"), text("application/hl7-cda+xml", cda("J45.909").as_bytes())),
        {"resource": {"resourceType": "Composition", "id": "comp", "status": "final", "type": {"text": "Discharge\nsummary"},
            "subject": {"reference": "Patient/p"}, "encounter": {"reference": "https://ehr.example/fhir/Encounter/e1/_history/3"},
            "date": "2026", "section": [{"title": "Course", "text": {"div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">Slept well.<br/>Ate.</div>"},
                "section": [{"title": "Plan", "text": {"div": "<div>Home</div>"}}]}]}},
        {"resource": {"resourceType": "Binary", "id": "b1", "contentType": "text/html", "data": base64(b"<p>Seen</p>today")}},
        {"resource": {"resourceType": "Binary", "id": "b2", "contentType": "text/plain"}},
        {"resource": {"resourceType": "Patient", "id": "p"}},
        {"resource": {"resourceType": "Encounter", "subject": {"reference": "Patient/p"}, "id": "e1", "period": {"start": "2026-01-01T08:00:00Z"},
            "diagnosis": [{"condition": {"reference": "Condition/c2"}, "rank": 1}]}},
        {"fullUrl": "urn:uuid:e-two", "resource": {"resourceType": "Encounter", "subject": {"reference": "Patient/p"}, "id": "e2"}},
        {"resource": {"resourceType": "Condition", "subject": {"reference": "Patient/p"}, "id": "c1", "code": code("icd-10-cm", "I10"), "encounter": {"reference": "Encounter/e1"}}},
        {"resource": {"resourceType": "Condition", "subject": {"reference": "Patient/p"}, "id": "c2", "code": code("icd-10-cm", "e119")}},
        {"resource": {"resourceType": "Condition", "subject": {"reference": "Patient/p"}, "id": "c3", "code": code("icd-10-cm", "10I"), "encounter": {"reference": "Encounter/e1"}}},
        {"resource": {"resourceType": "Condition", "subject": {"reference": "Patient/p"}, "id": "c4", "code": code("icd-9-cm", "401.9"), "encounter": {"reference": "Encounter/e1"}}},
        {"resource": {"resourceType": "Condition", "subject": {"reference": "Patient/p"}, "id": "c5", "code": code("icd-10-cm", "Z66"), "encounter": {"reference": "Encounter/e1"},
            "verificationStatus": {"coding": [{"code": "refuted"}]}}},
        {"resource": {"resourceType": "Condition", "subject": {"reference": "Patient/p"}, "id": "c6", "code": code("icd-10-cm", "Z23"), "encounter": {"reference": "urn:uuid:e-two"}}},
        {"resource": {"id": "untyped"}},
        // Another patient's, whose server counts its encounters from 1, too.
        {"resource": {"resourceType": "Encounter", "subject": {"reference": "Patient/q"}, "id": "e1"}},
        {"resource": {"resourceType": "Condition", "subject": {"reference": "Patient/q"}, "id": "c7", "code": code("icd-10-cm", "Z00.00"),
            "encounter": {"reference": "Encounter/e1"}}},
        {"resource": {"resourceType": "Composition", "id": "other", "status": "final", "subject": {"reference": "Patient/q"},
            "encounter": {"reference": "Encounter/e1"}, "section": [{"text": {"div": "<div>Well.</div>"}}]}},
    ]})
}

/// A C-CDA document with a problem list: one problem with this code, one negated, one in SNOMED CT only.
fn cda(code: &str) -> String {
    let observation = |negated: &str, value: &str| {
        format!(
            "<entry><act classCode=\"ACT\"><entryRelationship><observation negationInd=\"{negated}\">{value}</observation>\
             </entryRelationship></act></entry>"
        )
    };
    let icd = |code: &str| format!("<translation code=\"{code}\" codeSystem=\"2.16.840.1.113883.6.90\"/>");
    let snomed = |inner: &str| {
        format!(
            "<value xsi:type=\"CD\" code=\"195967001\" codeSystem=\"2.16.840.1.113883.6.96\">{inner}</value>"
        )
    };
    format!(
        "<?xml version=\"1.0\"?><ClinicalDocument xmlns=\"urn:hl7-org:v3\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
         <id root=\"1.2.3\" extension=\"doc\"/><code displayName=\"Progress Note\"/><title>Visit</title><effectiveTime value=\"20260203101500+0000\"/>\
         <recordTarget><patientRole><id root=\"2.16.840.1.113883.4.1\" extension=\"000\"/><id root=\"1.2.4\" extension=\"p1\"/></patientRole></recordTarget>\
         <component><structuredBody>\
         <component><section><code code=\"10164-2\"/><title>History</title><text>Wheezing &amp; cough<br/>for two days.</text></section></component>\
         <component><section><code code=\"11450-4\"/><title>Problems</title><text><list><item>Asthma</item></list></text>{}{}{}</section></component>\
         <component><section><code code=\"48765-2\"/><title>Allergies</title><text>None</text>{}</section></component>\
         </structuredBody></component></ClinicalDocument>",
        observation("false", &snomed(&icd(code))),
        observation("true", &snomed(&icd("I10"))),
        observation("false", &snomed("")),
        observation("false", &snomed(&icd("Z88.0"))),
    )
}

#[test]
fn fhir_documents_get_the_codes_of_their_encounter() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "in/b.json", bundle().to_string());
    write(folder.path(), "in/attachments/note 1.txt", NOTE);
    write(folder.path(), "secret.txt", NOTE);
    let bundled = ingest(&["fhir", argument(&folder.path().join("in"))]);
    let names = ["binary", "cda", "file", "html", "plain"].map(|id| format!("DocumentReference/{id}"));
    let names: Vec<&str> = ["Composition/comp"].into_iter().chain(names.iter().map(String::as_str)).collect();
    bundled.ids(&names);
    assert_eq!(
        bundled.records["DocumentReference/plain"],
        json!({"note_id": "DocumentReference/plain", "patient_id": "p", "encounter_id": "e1",
            "date": "2026-01-02T10:00:00.5Z", "note_type": "Progress note", "text": "Café au lait spots. No fever.",
            "codes": ["E11.9", "I10"]})
    );
    assert_eq!(bundled.records["DocumentReference/html"]["text"], "No fever.\n- Rest");
    assert_eq!(bundled.records["DocumentReference/file"]["text"], NOTE);
    assert_eq!(bundled.records["DocumentReference/binary"]["text"], "Seen\ntoday");
    let composition = &bundled.records["Composition/comp"];
    assert_eq!(composition["text"], "Course\nSlept well.\nAte.\n\nPlan\nHome");
    // A year is no day: that of the encounter stands in for it.
    assert_eq!(
        (&composition["date"], &composition["note_type"]),
        (&json!("2026-01-01"), &json!("Discharge summary"))
    );
    // The encounter is known by another name; the document has a code of its own.
    assert_eq!(bundled.records["DocumentReference/cda"]["codes"], json!(["Z23", "J45.909"]));
    assert_eq!(
        bundled.records["DocumentReference/cda"]["text"],
        "History\nWheezing & cough\nfor two days.\n\nProblems\n- Asthma\n\nAllergies\nNone"
    );
    let expected = [
        "22 no code of ICD-10-CM 10I",
        "23 a condition without a code of icd10cm c4",
        "24 a condition that is refuted c5",
        "4 an attachment outside of its file's folder ../secret.txt",
        "5 an attachment at an address: nothing is fetched https://ehr.example/fhir/Binary/9",
        "6 an attachment of a type that is not read (text, HTML and C-CDA are) application/pdf",
        "7 an attachment whose data is not base64 DocumentReference/broken",
        "8 an attachment without data and address DocumentReference/none",
        "12 an attachment without data and address DocumentReference/damaged",
        "9 a note without a code DocumentReference/alone",
        "10 a document of an encounter that is not there DocumentReference/lost",
        "10 a note without a code DocumentReference/lost",
        "26 no FHIR resource: it names no resourceType",
        "27 an encounter with the id of another patient's e1",
        "29 a document of another patient than its encounter Composition/other",
    ];
    bundled.reports(&expected);
    bundled.says("codes of conditions of another patient than their encounter, left out: 1");
    bundled.says("problems and diagnoses in documents without a code of the system: 1");

    // The same resources as a bulk export, a file a type and one of them packed: the same records.
    let bulk = tempfile::tempdir().unwrap();
    let mut lines: BTreeMap<String, String> = BTreeMap::new();
    for entry in bundle()["entry"].as_array().unwrap() {
        let mut resource = entry["resource"].clone();
        if resource["id"] == "e2" {
            resource["id"] = "e-two".into();
        }
        let kind = resource["resourceType"].as_str().unwrap_or("Untyped").to_owned();
        *lines.entry(kind).or_default() += &format!("{resource}\n");
    }
    for (kind, lines) in &lines {
        match kind.as_str() {
            "Condition" => write(bulk.path(), "Condition.ndjson.gz", gzip(lines)),
            kind => write(bulk.path(), &format!("{kind}.ndjson"), format!("{lines}\n{{\"cut")),
        };
    }
    write(bulk.path(), "attachments/note 1.txt", NOTE);
    let exported = ingest(&["fhir", argument(bulk.path())]);
    assert_eq!(exported.records, bundled.records);
    assert_eq!(exported.report.len(), expected.len() + 6, "{:#?}", exported.report);
    exported.says("a line that is not JSON: 6");

    // A packed file that is cut off gives the lines before, and is told of once.
    let conditions = gzip(&lines["Condition"]);
    write(bulk.path(), "Condition.ndjson.gz", &conditions[..conditions.len() - 9]);
    let exported = ingest(&["fhir", argument(bulk.path())]);
    exported.says("a packed file that is damaged or cut off from here on: 1");

    // A Bundle that is cut off gives what stands before, and says where it ends.
    let whole = bundle().to_string();
    let cut = write(folder.path(), "cut.json", &whole[..whole.len() / 2]);
    write(
        folder.path(),
        "conditions.json",
        whole.replace("DocumentReference", "Basic").replace("Composition", "Basic"),
    );
    let partly = ingest(&["fhir", argument(&cut), argument(&folder.path().join("conditions.json"))]);
    assert!(partly.records.contains_key("DocumentReference/plain"), "{:?}", partly.records.keys());
    assert!(partly.said.contains("a file that is no FHIR in JSON from here on: 1"), "{}", partly.said);
}

#[test]
fn ccda_documents_are_read_as_files() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.xml", cda("J45.909"));
    write(folder.path(), "b.xml.gz", gzip(&cda("J4").replace("extension=\"doc\"", "extension=\"other\"")));
    write(folder.path(), "c.xml", "<html/>");
    write(folder.path(), "f.xml.gz", &gzip(&cda("I10"))[..100]);
    write(folder.path(), "d.xml", &cda("I10")[..900]);
    let body = "<ClinicalDocument><id root=\"9\"/><component><nonXMLBody><text mediaType=\"application/pdf\">x</text>";
    write(folder.path(), "e.xml", format!("{body}</nonXMLBody></component></ClinicalDocument>"));
    let read = ingest(&["ccda", argument(folder.path())]);
    read.ids(&["1.2.3:doc"]);
    let record = &read.records["1.2.3:doc"];
    assert_eq!((&record["patient_id"], &record["date"]), (&json!("1.2.4:p1"), &json!("2026-02-03")));
    assert_eq!((&record["note_type"], &record["codes"]), (&json!("Progress Note"), &json!(["J45.909"])));
    read.reports(&[
        "1 no code of ICD-10-CM J4",
        "1 a note without a code 1.2.3:other",
        "1 no C-CDA document: its root is another element",
        "1 not well-formed XML",
        "1 a packed file that is damaged or cut off from here on",
        "1 the document's body is of a type that is not read (text is)",
    ]);
    let snomed = ingest(&["ccda", argument(folder.path()), "--system", "2.16.840.1.113883.6.96"]);
    assert_eq!(snomed.records["1.2.3:doc"]["codes"], json!(["195967001"]));
}
