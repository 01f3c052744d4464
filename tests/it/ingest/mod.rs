//! What hospitals and archives have → records → corpus: small files in the published layouts, written for these tests, with
//! damage in them; every odd row must be in the report.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::process::{argument, succeed};

mod documents;
mod tables;

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
