//! Tables: MIMIC-III and -IV, VAERS, CodiEsp.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::{NOTE, gzip, ingest, write};
use crate::process::{argument, call, fail, succeed};

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
    typed.says("notes of types that were not asked for: 6");

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
