//! Records → corpus → vocabulary, by the command line and by the library; and what bad records say.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use bert_xml_core::data::Split;
use bert_xml_core::text::Note;
use bert_xml_trainer::context::Context;
use bert_xml_trainer::corpus::{Corpus, Settings, Unknown, prepare};
use bert_xml_trainer::error::Hint;
use bert_xml_trainer::ingest::{Columns, read_records};

use crate::process::{argument, command};

/// Long enough for the filter; in no error message.
const SECRET: &str = "The patient denies fever, chills and any other secret complaint today.";

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    path
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// One note a patient, `count` of them; codes I10 always and E11.9 in every second.
fn lines(count: usize) -> String {
    let line = |i: usize| {
        let codes = if i.is_multiple_of(2) { "\"i10\", \"E119\"" } else { "\"I10\"" };
        format!(
            "{{\"patient_id\": \"p{i}\", \"note_id\": \"n{i}\", \"text\": \"{SECRET}\", \"codes\": [{codes}]}}\n"
        )
    };
    (0..count).map(line).collect()
}

fn settings() -> Settings {
    Settings { more_than: 0, ..Settings::default() }
}

fn make(input: &Path, settings: &Settings) -> (tempfile::TempDir, anyhow::Result<Corpus>) {
    let parent = tempfile::tempdir().unwrap();
    let corpus = prepare(&Context::default(), &[input.to_owned()], settings, &parent.path().join("corpus"));
    (parent, corpus)
}

/// The message of a failed `prepare`, with the file as `F`. Nothing may be left, and no note text shown.
fn failure(name: &str, content: impl AsRef<[u8]>, settings: &Settings) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), name, content);
    let (parent, corpus) = make(&path, settings);
    let error = corpus.expect_err("the records break a rule");
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0, "something is left");
    let message = format!("{error:#}").replace(&path.display().to_string(), "F");
    assert!(!message.contains("secret"), "note text in: {message}");
    message
}

fn record(fields: &str) -> String {
    format!("{{\"text\": \"{SECRET}\", \"codes\": [\"I10\"]{fields}}}\n")
}

#[test]
fn missing_fields_are_named() {
    let message = failure("n.jsonl", record("") + "{\"note_id\": \"b\", \"txt\": \"secret\"}\n", &settings());
    assert_eq!(message, "F, line 2: field `text` is missing: a record has a text");
    let columns = Columns { patient_field: Some("mrn".into()), ..Columns::default() };
    let message = failure("n.jsonl", record(""), &Settings { columns, ..settings() });
    assert_eq!(message, "F, line 1: field `mrn` is missing: --patient-field asks for it in every record");
    let message = failure("n.csv", "note_id,body\na,secret\n", &settings());
    assert_eq!(message, "F, line 2: field `text` is missing: a record has a text");
}

#[test]
fn bad_dates_are_shown_with_the_rule() {
    let rule = "is no ISO 8601 date (YYYY-MM-DD, or a full timestamp)";
    for date in ["2026-02-30", "11/23/2026", "20261123", "2026-11"] {
        let message = failure("n.jsonl", record(&format!(", \"date\": \"{date}\"")), &settings());
        assert_eq!(message, format!("F, line 1: field `date`: `{date}` {rule}"));
    }
    let message = failure("n.jsonl", record(", \"date\": \"secret complaint\""), &settings());
    assert_eq!(message, format!("F, line 1: field `date`: a value of 16 characters {rule}"));
    let folder = tempfile::tempdir().unwrap();
    for date in ["2026-11-23", "2026-11-23T08:00:00Z", "2026-11-23T08:00:00+01:00", "2026-11-23 08:00:00"] {
        let path = write(folder.path(), "n.jsonl", record(&format!(", \"date\": \"{date}\"")));
        let record = read_records(&path, &Columns::default()).unwrap().next().unwrap().unwrap();
        assert_eq!(record.note.date.as_deref(), Some(date));
    }
}

#[test]
fn unknown_codes_stop_stay_or_go_as_asked() {
    let content = record(", \"codes\": [\"I10\"], \"note_id\": \"a\"")
        + &record(", \"codes\": [\"I10\", \"T81.4XX\", \"250.00\"]");
    let with = |unknown_codes| Settings { unknown_codes, shares: all_train(), ..settings() };
    let message = failure("n.jsonl", &content, &with(Unknown::Error));
    assert_eq!(
        message,
        "F, line 2: field `codes`: `T81.4XX` is unknown: not in the ICD-10-CM table of 2026-04"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "n.jsonl", &content);
    for (unknown, labels, codes) in [(Unknown::Keep, 2, 3), (Unknown::Drop, 1, 1)] {
        let (_parent, corpus) = make(&path, &with(unknown));
        let corpus = corpus.unwrap();
        // The malformed one stays in its note, but is no label.
        assert_eq!(corpus.labels().len(), labels);
        assert_eq!(corpus.notes(Split::Train).unwrap().last().unwrap().unwrap().codes.len(), codes);
        let listed = fs::read_to_string(corpus.folder().join("unknown_codes.tsv")).unwrap();
        let listed: Vec<&str> = listed.lines().skip(1).map(|row| row.split('\t').next().unwrap()).collect();
        assert_eq!(listed, ["250.00", "T81.4XX"]);
    }
}

fn all_train() -> bert_xml_core::data::Shares {
    bert_xml_core::data::Shares { train: 100, dev: 0, test: 0 }
}

#[test]
fn short_empty_and_unwanted_notes_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let mut content = lines(1);
    content += "{\"note_id\": \"e\", \"text\": \" \\n\"}\n{\"note_id\": \"s\", \"text\": \"short\"}\n";
    content += &record(", \"note_id\": \"t\", \"note_type\": \"Student\"");
    let path = write(folder.path(), "n.jsonl", content);
    let (_parent, corpus) = make(&path, &Settings { shares: all_train(), ..settings() });
    let corpus = corpus.unwrap();
    assert_eq!((corpus.count(Split::Train), corpus.manifest().dropped), (1, 3));
    let dropped = fs::read_to_string(corpus.folder().join("dropped.tsv")).unwrap();
    let rows: Vec<(&str, &str, &str)> = dropped
        .lines()
        .skip(1)
        .map(|row| row.split('\t').collect::<Vec<_>>())
        .map(|row| (row[0], row[2], row[3]))
        .collect();
    let expected =
        [("e", "2", "empty text"), ("s", "3", "fewer than 50 characters"), ("t", "4", "note type `student`")];
    assert_eq!(rows, expected);
    let mut records = read_records(&path, &Columns::default()).unwrap().skip(1);
    let error = records.next().unwrap().unwrap().require_text().unwrap_err();
    assert!(error.to_string().ends_with("n.jsonl, line 2: note `e` has an empty text"));
}

#[test]
fn a_note_id_that_comes_twice_is_refused_over_files() {
    let message = failure("n.jsonl", lines(2) + &record(", \"note_id\": \"n0\""), &settings());
    assert_eq!(message, "F, line 3: field `note_id`: `n0` was there before; each note has an id of its own");
    let folder = tempfile::tempdir().unwrap();
    let inputs = [
        write(folder.path(), "a.jsonl", lines(2)),
        write(folder.path(), "b.jsonl.gz", gzip(lines(1).as_bytes())),
    ];
    let error = prepare(&Context::default(), &inputs, &settings(), &folder.path().join("c")).unwrap_err();
    assert!(error.to_string().contains("b.jsonl.gz, line 1: field `note_id`: `n0` was there before"));
}

#[test]
fn invalid_utf8_and_broken_json_name_their_line() {
    let mut bytes = lines(1).into_bytes();
    bytes.extend(b"{\"text\": \"secret \xff\"}\n");
    assert_eq!(failure("n.jsonl", &bytes, &settings()), "F, line 2: not UTF-8 at byte 18 of the line");
    let message = failure("n.jsonl", lines(1) + "{\"text\": \"secret\"", &settings());
    assert_eq!(message, "F, line 2: not JSON: EOF while parsing an object at column 17");
    let message = failure("n.jsonl", "{\"text\": [\"secret\"]}\n", &settings());
    assert_eq!(message, "F, line 1: field `text`: a list where a text belongs");
    let message =
        failure("n.jsonl", record(&format!(", \"codes\": [\"{}\"]", SECRET.repeat(4))), &settings());
    assert_eq!(
        message,
        "F, line 1: field `codes`: a value must be at most 200 characters without tabs and line breaks"
    );
}

#[test]
fn truncated_streams_are_damaged() {
    let whole = gzip(lines(300).as_bytes());
    let message = failure("n.jsonl.gz", &whole[..whole.len() - 9], &settings());
    assert!(message.contains("the gzip stream is damaged or cut off"), "{message}");
    for cut in [&b""[..], b"no gzip"] {
        let message = failure("n.jsonl.gz", cut, &settings());
        assert!(message.starts_with("F, line 1: the gzip stream is damaged or cut off"), "{message}");
        let message = failure("n.jsonl.zst", cut, &settings());
        assert!(message.starts_with("F, line 1: the zstd stream is damaged or cut off"), "{message}");
    }
    let folder = tempfile::tempdir().unwrap();
    let (_parent, corpus) = make(&write(folder.path(), "n.jsonl", lines(300)), &settings());
    let packed = fs::read(corpus.unwrap().folder().join("train.jsonl.zst")).unwrap();
    let message = failure("n.jsonl.zst", &packed[..packed.len() - 9], &settings());
    assert!(message.contains("the zstd stream is damaged or cut off"), "{message}");
}

#[test]
fn an_empty_label_set_names_the_largest_usable_threshold() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "n.jsonl", lines(8));
    let (_parent, corpus) = make(&path, &Settings { shares: all_train(), more_than: 1000, ..settings() });
    let error = corpus.unwrap_err();
    assert_eq!(error.to_string(), "no label: no code has more than 1000 training notes (--more-than)");
    assert_eq!(error.downcast_ref::<Hint>().unwrap().hint, "the largest usable one is --more-than 7");
    // Line breaks: I10 in 8 notes, E11.9 in 4.
    let (_parent, corpus) = make(&path, &Settings { shares: all_train(), more_than: 7, ..settings() });
    assert_eq!(corpus.unwrap().label_counts(), [8]);
}

#[test]
fn a_patient_in_two_splits_is_refused() {
    let columns = Columns { split_field: Some("split".into()), ..Columns::default() };
    let settings = Settings { columns, ..settings() };
    let row = |id: &str, split: &str| {
        record(&format!(", \"note_id\": \"{id}\", \"patient_id\": \"p\", \"split\": \"{split}\""))
    };
    let message = failure("n.jsonl", row("a", "train") + &row("b", "validation"), &settings);
    assert_eq!(
        message,
        "F, line 2: field `split`: `dev`, but an earlier note of patient `p` is in train; a patient is in one split only"
    );
    let message = failure("n.jsonl", row("a", "background"), &settings);
    assert!(message.starts_with("F, line 1: field `split`: `background` is no split"), "{message}");
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "n.jsonl", row("a", "train") + &row("b", "Background"));
    let (_parent, corpus) = make(&path, &Settings { skip_split: vec!["background".into()], ..settings });
    let corpus = corpus.unwrap();
    assert_eq!((corpus.count(Split::Train), corpus.manifest().dropped), (1, 1));
}

#[test]
fn formats_and_orders_give_the_same_corpus() {
    let folder = tempfile::tempdir().unwrap();
    let mut table = "patient_id,note_id,text,codes\r\n".to_owned();
    for i in 0..40 {
        let codes = if i % 2 == 0 { "i10; E119" } else { "I10" };
        table += &format!("p{i},n{i},\"{SECRET}\",{codes}\r\n");
    }
    let inputs = [
        write(folder.path(), "n.jsonl", lines(40)),
        write(folder.path(), "n.jsonl.gz", gzip(lines(40).as_bytes())),
        write(folder.path(), "n.csv", &table),
        write(
            folder.path(),
            "n.tsv.gz",
            gzip(
                table
                    .replace("; ", "|")
                    .replace("patient_id,note_id,text,codes", "patient_id\tnote_id\ttext\tcodes")
                    .lines()
                    .map(|line| line.replacen(',', "\t", 2).replace("\",", "\"\t") + "\n")
                    .collect::<String>()
                    .as_bytes(),
            ),
        ),
    ];
    let read = |path: &PathBuf| {
        let (_parent, corpus) = make(path, &settings());
        let corpus = corpus.unwrap();
        corpus.verify().unwrap();
        let notes =
            Split::ALL.map(|split| corpus.notes(split).unwrap().map(Result::unwrap).collect::<Vec<Note>>());
        (notes, corpus.labels().clone(), corpus.label_counts().to_vec())
    };
    let first = read(&inputs[0]);
    assert_eq!(first.0.iter().map(Vec::len).sum::<usize>(), 40);
    assert!(first.0.iter().all(|notes| notes.len() >= 2), "70/10/20 of 40 patients");
    assert_eq!(first.0[0][0].codes, ["I10", "E11.9"]);
    for path in &inputs[1..] {
        assert!(read(path) == first, "{}", path.display());
    }
}

#[test]
fn the_commands_prepare_learn_and_compare() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    write(folder.path(), "n.jsonl", lines(40));
    let run = |arguments: &[&str]| {
        let words = ["bert-xml"].iter().chain(arguments).map(std::ffi::OsString::from);
        format!("{:?}", bert_xml_trainer::cli::run(words)) == format!("{:?}", std::process::ExitCode::SUCCESS)
    };
    assert!(run(&["prepare", "--input", &at("n.jsonl"), "--out", &at("corpus"), "--more-than", "0"]));
    assert!(
        !run(&["prepare", "--input", &at("n.jsonl"), "--out", &at("corpus"), "--more-than", "0"]),
        "not empty"
    );
    assert!(run(&["vocab", "--corpus", &at("corpus"), "--out", &at("vocab"), "--size", "100"]));
    let vocab = at("vocab/vocab.txt");
    write(folder.path(), "poor.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nfever\n");
    let (poor, json, corpus) = (at("poor.txt"), at("fit.json"), at("corpus"));
    assert!(run(&["vocab", "--corpus", &corpus, "--compare", &poor, &vocab, "--json", &json]));
    let fit: serde_json::Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    // 13 words and marks a note; the poor vocabulary knows one of them.
    assert_eq!(fit["vocabularies"][0]["oov_words_per_note"], 12.0);
    assert_eq!(fit["vocabularies"][1]["oov_words_per_note"], 0.0);
    assert!(run(&["vocab", "--input", &at("n.jsonl"), "--compare", &poor, "--json", &json]));
    let fit: serde_json::Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    assert_eq!(fit["vocabularies"][0]["notes"], 40);
    assert!(!run(&["vocab", "--corpus", &corpus, "--out", &at("small"), "--size", "6"]));
    assert!(!Path::new(&at("small")).exists());
}

#[test]
fn records_of_other_splits_are_left_out_of_a_comparison_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (records, poor) = (folder.path().join("n.jsonl"), folder.path().join("poor.txt"));
    let line = |id: usize, split: &str| {
        format!(r#"{{"note_id": "{id}", "text": "fever", "codes": [], "split": "{split}"}}"#) + "\n"
    };
    fs::write(
        &records,
        [line(1, "train"), line(2, "elsewhere"), line(3, "dev"), line(4, "elsewhere")].concat(),
    )
    .unwrap();
    fs::write(&poor, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nfever\n").unwrap();
    let words = [
        "vocab",
        "--input",
        argument(&records),
        "--split-field",
        "split",
        "--compare",
        argument(&poor),
        "--json",
        "-",
    ];
    let ended = command(&words).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    for expected in ["split `dev`: 1 ", "split `elsewhere`: 2 "] {
        assert!(said.contains(expected), "{said}");
    }
    let fit: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(fit["vocabularies"][0]["notes"], 1);
}
