//! What hospitals and archives have → records → corpus: small files in the published layouts, written for these tests, with
//! damage in them; every odd row must be in the report.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::process::{argument, call, fail, succeed};

const NOTE: &str = "The patient came with a cough and was sent home with advice to rest and drink.";

fn gzip(content: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    path
}

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

/// Records by their ids, standard output, and the report: its rows as `line rule value`, without the file.
struct Ingested {
    records: BTreeMap<String, Value>,
    said: String,
    report: Vec<String>,
    out: PathBuf,
    _folder: tempfile::TempDir,
}

fn ingest(arguments: &[&str]) -> Ingested {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("records.jsonl");
    let ended = succeed(&[&["ingest"], arguments, &["--out", argument(&out)]].concat());
    let lines = fs::read_to_string(&out).unwrap();
    let record = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        (record["note_id"].as_str().unwrap().to_owned(), record)
    };
    let report = fs::read_to_string(folder.path().join("records.report.tsv")).unwrap();
    let row = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        format!("{} {} {}", fields[1], fields[2], fields[3]).trim_end().to_owned()
    };
    Ingested {
        records: lines.lines().map(record).collect(),
        said: ended.stdout,
        report: report.lines().skip(1).map(row).collect(),
        out,
        _folder: folder,
    }
}

impl Ingested {
    #[track_caller]
    fn ids(&self, expected: &[&str]) {
        assert_eq!(self.records.keys().map(String::as_str).collect::<Vec<_>>(), expected);
    }

    #[track_caller]
    fn reports(&self, expected: &[&str]) {
        let mut found: Vec<&str> = self.report.iter().map(String::as_str).collect();
        let mut expected = expected.to_vec();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }

    #[track_caller]
    fn says(&self, line: &str) {
        assert!(self.said.lines().any(|said| said == line), "{line}\n{}", self.said);
    }
}

fn mimic3(folder: &Path) {
    let head = "\"ROW_ID\",\"SUBJECT_ID\",\"HADM_ID\",\"CHARTDATE\",\"CHARTTIME\",\"STORETIME\",\"CATEGORY\",\"DESCRIPTION\",\
        \"CGID\",\"ISERROR\",\"TEXT\"\n";
    let row = |id: u32, subject: &str, admission: &str, kind: &str, error: &str| {
        format!(
            "{id},{subject},{admission},2101-03-04,,,\"{kind}\",\"Report\",,{error},\"{NOTE}\nSecond line, \"\"quoted\"\".\"\n"
        )
    };
    let notes = head.to_owned()
        + &row(1, "7", "100", "Discharge summary", "")
        + &row(2, "7", "100", "Nursing ", "1")
        + &row(3, "7", "", "ECG", "")
        + &row(4, "7", "999", "ECG", "")
        + &row(5, "8", "100", "ECG", "")
        + "6,7,100,2101-03-04\n"
        + &row(7, "8", "200", "Physician ", "")
        + &row(1, "7", "100", "Radiology", "");
    write(folder, "NOTEEVENTS.csv.gz", gzip(&notes));
    write(
        folder,
        "ADMISSIONS.csv.gz",
        gzip(
            "\"ROW_ID\",\"SUBJECT_ID\",\"HADM_ID\",\"ADMITTIME\"\n1,7,100,2101-03-01 00:00:00\n2,8,200,2101-03-01 00:00:00\n3,9,300,\n3,9,300,\n",
        ),
    );
    write(
        folder,
        "DIAGNOSES_ICD.csv.gz",
        gzip(
            "\"ROW_ID\",\"SUBJECT_ID\",\"HADM_ID\",\"SEQ_NUM\",\"ICD9_CODE\"\n1,7,100,2,\"25000\"\n2,7,100,1,\"4019\"\n3,7,100,3,\"V1582\"\n\
             4,7,100,4,\"E8497\"\n5,7,100,5,\n6,7,100,6,\"I10\"\n7,7,555,1,\"4019\"\n8,8,100,1,\"4019\"\n9,8,200,1,\"4019\"\n",
        ),
    );
}

#[test]
fn mimic_iii_is_joined_by_admission_and_every_odd_row_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    mimic3(folder.path());
    let read = ingest(&["mimic3", argument(folder.path())]);
    read.ids(&["1", "7"]);
    let first = &read.records["1"];
    assert_eq!(
        first,
        &json!({"note_id": "1", "patient_id": "7", "encounter_id": "100", "date": "2101-03-04",
            "note_type": "discharge summary", "text": format!("{NOTE}\nSecond line, \"quoted\"."),
            "codes": ["401.9", "250.00", "V15.82", "E849.7"]})
    );
    assert_eq!(read.records["7"]["note_type"], "physician");
    read.reports(&[
        "5 an admission that was there before 300",
        "6 a diagnosis without a code 100",
        "7 no diagnosis of ICD-9-CM I10",
        "8 a diagnosis of an admission that is not in the table 555",
        "9 a diagnosis of another patient than its admission 100",
        "4 a note marked as an error (ISERROR) 2",
        "6 a note without a code 3",
        "8 a note of an admission that is not in the table 4",
        "10 a note of another patient than its admission 5",
        "12 a damaged row 4 values; the header has 11 columns",
        "15 a note id that was there before 1",
        "4 an admission without a note 300",
    ]);
    read.says("admissions: 3");
    read.says("notes outside of an admission: 1");
    // The report and the talk show no note.
    assert!(!read.said.contains("cough") && !read.report.join("\n").contains("cough"));
    let typed =
        ingest(&["mimic3", argument(folder.path()), "--types", "Discharge Summary", "--keep-uncoded"]);
    typed.ids(&["1"]);
    typed.says("notes of type ecg, not asked for: 3");

    // The records go into a corpus as they are.
    let corpus = folder.path().join("corpus");
    let prepare = ["prepare", "--input", argument(&read.out), "--system", "icd9cm", "--more-than", "0"];
    let made = succeed(&[&prepare[..], &["--shares", "100/0/0", "--out", argument(&corpus)]].concat());
    assert!(
        made.stdout.ends_with("notes: train 2, dev 0, test 0; 4 labels; 0 records dropped\n"),
        "{}",
        made.stdout
    );
}

#[test]
fn mimic_iv_takes_the_version_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (iv, note) = (folder.path().join("mimiciv"), folder.path().join("mimic-iv-note"));
    let notes = |rows: &[&str]| {
        let head = "note_id,subject_id,hadm_id,note_type,note_seq,charttime,storetime,text\n".to_owned();
        gzip(&rows.iter().fold(head, |all, row| format!("{all}{row},\"{NOTE}\"\n")))
    };
    write(
        &note,
        "note/discharge.csv.gz",
        notes(&["7-DS-1,7,100,DS,1,2180-05-06 00:00:00,", "8-DS-1,8,200,DS,1,2180-05-06 00:00:00,"]),
    );
    write(
        &note,
        "note/radiology.csv.gz",
        notes(&["7-RR-2,7,100,RR,2,2180-05-05 10:30:00,", "7-RR-3,7,,RR,3,2181-05-05 10:30:00,"]),
    );
    write(
        &iv,
        "hosp/admissions.csv.gz",
        gzip(
            "subject_id,hadm_id,admittime,dischtime\n7,100,2180-05-05 01:00:00,\n8,200,2180-05-05 01:00:00,\n9,300,,\n",
        ),
    );
    write(
        &iv,
        "hosp/diagnoses_icd.csv.gz",
        gzip(
            "subject_id,hadm_id,seq_num,icd_code,icd_version\n7,100,1,E119,10\n7,100,2,I10,10\n7,100,3,J45.909,10\n\
             8,200,1,4019,9\n8,200,2,E119,11\n",
        ),
    );
    let folders = [argument(&iv), argument(&note)];
    let ten = ingest(&[&["mimic4"], &folders[..]].concat());
    ten.ids(&["7-DS-1", "7-RR-2"]);
    assert_eq!(ten.records["7-DS-1"]["codes"], json!(["E11.9", "I10", "J45.909"]));
    assert_eq!(ten.records["7-RR-2"]["date"], "2180-05-05 10:30:00");
    assert_eq!(ten.records["7-RR-2"]["note_type"], "radiology");
    ten.reports(&[
        "6 an ICD version that is neither 9 nor 10 11",
        "3 a note without a code 8-DS-1",
        "3 a note without a code 7-RR-3",
        "4 an admission without a note 300",
    ]);
    ten.says("notes whose admission is coded in the other version only: 1");
    ten.says("diagnoses in icd9cm, left out: 1");
    let nine = ingest(&[&["mimic4", "--system", "icd9cm"], &folders[..]].concat());
    nine.ids(&["8-DS-1"]);
    assert_eq!(nine.records["8-DS-1"]["codes"], json!(["401.9"]));
    // Without its notes, and with a table that is cut off: nothing is written.
    let out = folder.path().join("r.jsonl");
    let error = fail(&["ingest", "mimic4", argument(&iv), "--out", argument(&out)]);
    assert!(error.contains("no table of notes") && error.contains("MIMIC-IV-Note"), "{error}");
    let whole = fs::read(note.join("note/radiology.csv.gz")).unwrap();
    fs::write(note.join("note/radiology.csv.gz"), &whole[..whole.len() - 9]).unwrap();
    let error = fail(&[&["ingest", "mimic4"], &folders[..], &["--out", argument(&out)]].concat());
    assert!(error.contains("radiology.csv.gz") && error.contains("damaged or cut off"), "{error}");
    assert!(!out.exists() && !folder.path().join("r.report.tsv").exists());
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
        "1 the document's body is application/pdf: only text is read",
    ]);
    let snomed = ingest(&["ccda", argument(folder.path()), "--system", "2.16.840.1.113883.6.96"]);
    assert_eq!(snomed.records["1.2.3:doc"]["codes"], json!(["195967001"]));
}

#[test]
fn vaers_reports_get_their_terms() {
    let folder = tempfile::tempdir().unwrap();
    let data = "VAERS_ID,RECVDATE,STATE,AGE_YRS,SEX,SYMPTOM_TEXT,LAB_DATA,OTHER_MEDS,CUR_ILL,HISTORY\n";
    let mut bytes = data.as_bytes().to_vec();
    bytes.extend(b"25001,07/02/1990,WI,0.2,M,\"Loud crying, \xe0 la c\x92est la vie\",,None,,Asthma\n");
    bytes.extend(b"25002,07/02/1990,WI,,F,,,,,\n25003,7/2/1990,,,,Fever for a day,,,,\nX,07/02/1990,,,,Fever,,,,\n25004,07/02/1990\n");
    write(folder.path(), "1990/1990VAERSDATA.csv", bytes);
    let symptoms = "VAERS_ID,SYMPTOM1,SYMPTOMVERSION1,SYMPTOM2,SYMPTOMVERSION2,SYMPTOM3,SYMPTOMVERSION3,SYMPTOM4,SYMPTOMVERSION4,\
        SYMPTOM5,SYMPTOMVERSION5\n25001,Agitation,8.1,\"Pain, left arm\",8.1,,,,,,\n25001,Crying,8.1,Agitation,8.1,,,,,,\n\
        25002,Fever,8.1,,,,,,,,\n25009,Fever,8.1,,,,,,,,\n";
    write(folder.path(), "1990/1990VAERSSYMPTOMS.csv", symptoms);
    write(folder.path(), "1990/1990VAERSVAX.csv", "VAERS_ID,VAX_TYPE\n25001,DTP\n");
    let read = ingest(&["vaers", argument(folder.path())]);
    read.ids(&["25001"]);
    assert_eq!(
        read.records["25001"],
        json!({"note_id": "25001", "date": "1990-07-02", "text": "Loud crying, à la c’est la vie",
            "codes": ["Agitation", "Pain, left arm", "Crying"], "history": "Asthma", "medications": "None", "age": "0.2", "sex": "M"})
    );
    read.reports(&[
        "3 the text is empty 25002",
        "4 a note without a code 25003",
        "5 a report without a number X",
        "6 a damaged row 2 values; the header has 10 columns",
        "5 symptoms of a report that is not in the data 25009",
    ]);
    read.says("values that are not UTF-8, read as Windows-1252: 1");
    fs::remove_file(folder.path().join("1990/1990VAERSSYMPTOMS.csv")).unwrap();
    let error = fail(&[
        "ingest",
        "vaers",
        argument(folder.path()),
        "--out",
        argument(&folder.path().join("r.jsonl")),
    ]);
    assert!(error.contains("its VAERSSYMPTOMS.csv is not beside it"), "{error}");
}

#[test]
fn codiesp_keeps_its_splits_tasks_and_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("final_dataset_v4_to_publish");
    for (name, text) in [("s1", "Varón con tos."), ("s2", "Mujer con fiebre.")] {
        write(&root, &format!("train/text_files/{name}.txt"), text);
        write(&root, &format!("train/text_files_en/{name}.txt"), format!("In English: {text}"));
    }
    write(&root, "dev/text_files_en/s3.txt", b"caf\xe9");
    write(&root, "train/trainD.tsv", "s1\tr05.9\ns1\tR05.9\ns2\tr50.9\ns9\tr05\ns1\ns1\tnull\n");
    write(&root, "train/trainP.tsv", "s1\tbw03zzz\n");
    write(
        &root,
        "train/trainX.tsv",
        "s1\tDIAGNOSTICO\tr05.9\ttos\t10 13\ns2\tDIAGNOSTICO\tr50.9\tfiebre\t10 99\ns1\tPROCEDIMIENTO\tbw03zzz\tx\t0 1\n",
    );
    let english = ingest(&["codiesp", argument(folder.path())]);
    english.ids(&["s1", "s2"]);
    assert_eq!(
        english.records["s1"],
        json!({"note_id": "s1", "split": "train", "text": "In English: Varón con tos.", "codes": ["R05.9"]})
    );
    english.reports(&[
        "5 a line that is not a document, a tab and a code",
        "6 no code of ICD-10-CM null",
        "4 codes of a document without a text s9",
        "1 a text that is not UTF-8 s3",
    ]);
    let spanish = ingest(&["codiesp", argument(folder.path()), "--language", "es"]);
    let evidence = &spanish.records["s1"]["evidence"];
    assert_eq!(evidence, &json!([{"code": "R05.9", "spans": [[10, 13]]}]));
    assert!(
        spanish.report.contains(&"2 a span that is not inside its text s2".to_owned()),
        "{:?}",
        spanish.report
    );
    let procedures = ingest(&["codiesp", argument(folder.path()), "--task", "p"]);
    assert_eq!(procedures.records["s1"]["codes"], json!(["BW03ZZZ"]));
}

#[test]
fn records_may_go_to_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    mimic3(folder.path());
    let report = folder.path().join("report.tsv");
    let ended =
        call(&["ingest", "mimic3", argument(folder.path()), "--out", "-", "--report", argument(&report)]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout.lines().count(), 2);
    assert!(ended.stderr.starts_with("2 records with 5 codes\n") && report.is_file(), "{}", ended.stderr);
}
