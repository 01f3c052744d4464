//! From records to a corpus: filter, canonical codes, split by patient; chronic imputation; then the label set.
//!
//! Records are read once. Where chronic codes are imputed, the notes are spooled and read again from there
//! (`histories`).

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, ensure};
use bert_xml_core::text::{Note, shown};

use super::chronic_codes::ChronicCodes;
use super::code_table::{CodeTable, Release, Standing};
use super::histories::Histories;
use super::imputation::ChronicImputation;
use super::label_choice::choose_labels;
use super::manifest::{InputFile, STATISTICS_JSON, STATISTICS_MD, UNKNOWN_CODES};
use super::patients::Patients;
use super::reader::Corpus;
use super::settings::{Settings, Unknown};
use super::statistics::Tally;
use super::statistics_page::markdown;
use super::unknown::UnknownList;
use super::writer::{Contents, CorpusWriter};
use crate::context::Context;
use crate::error::hinted;
use crate::files::sha256;
use crate::ingest::source::STANDARD_INPUT;
use crate::ingest::{Record, RecordError, Records};
use crate::progress::Unit;

/// Makes a corpus of record files at `out` and opens it.
///
/// Reads every record once. Memory holds one note, and what is counted: 8 bytes a note and 16 a patient,
/// codes, note types; with chronic imputation also a part of the patients' histories. The order of notes in a split is
/// that of the files.
///
/// # Errors
/// Records that break a rule ([`RecordError`]); a patient in two splits; an unknown code, if that is to be
/// an error; no label left; `out` holds something already. After an error `out` is as it was before.
pub fn prepare(context: &Context, inputs: &[PathBuf], settings: &Settings, out: &Path) -> Result<Corpus> {
    let release = settings.table.as_deref().map(|table| Release {
        table,
        order: settings.order.as_deref(),
        chronic: settings.chronic.as_deref(),
    });
    let table = CodeTable::open(settings.system.clone(), release, settings.descriptions.as_deref())?;
    ensure!(settings.shares.is_valid(), "shares must add up to 100");
    let mut records = Records::open(inputs, &settings.columns).map_err(RecordError::hinted)?;
    let writer = CorpusWriter::start(out)?;
    let histories = match settings.chronic_imputation {
        ChronicImputation::Off => None,
        rule => Some((
            ChronicCodes::open(&settings.chronic_indicator, &table)?,
            Histories::start(rule, writer.folder())?,
        )),
    };
    let mut sorting = Sorting {
        settings,
        seed: context.seed,
        table: &table,
        writer,
        tally: Tally::default(),
        patients: Patients::default(),
        unknown: UnknownList::default(),
        histories,
    };
    let total =
        inputs.iter().map(|path| std::fs::metadata(path).map(|data| data.len())).sum::<Result<u64, _>>();
    let mut progress = context.start("prepare", total.ok(), Unit::Bytes);
    let (start, mut shown, mut count) = (Instant::now(), 0, 0u64);
    while let Some(record) = records.next() {
        sorting.sort(record.map_err(RecordError::hinted)?)?;
        count += 1;
        if count.is_multiple_of(1000) {
            let read = records.bytes_read();
            progress.advance(read - std::mem::replace(&mut shown, read));
            let rate = count as f64 / start.elapsed().as_secs_f64();
            progress.message(format!("{count} records, {rate:.0}/s"));
        }
    }
    progress.advance(records.bytes_read() - shown);
    progress.finish();
    let inputs = inputs.iter().map(|path| input_file(path)).collect::<Result<_>>()?;
    sorting.unknown.tell(out, settings.columns.codes_separator.is_some());
    sorting.impute(context)?;
    sorting.finish(inputs)?;
    Corpus::open(out)
}

fn input_file(path: &Path) -> Result<InputFile> {
    if path.as_os_str() == STANDARD_INPUT {
        return Ok(InputFile { name: STANDARD_INPUT.into(), bytes: None, sha256: None });
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let bytes = std::fs::metadata(path)?.len();
    Ok(InputFile { name, bytes: Some(bytes), sha256: Some(sha256(path)?) })
}

/// Notes on their way into a corpus.
struct Sorting<'a> {
    settings: &'a Settings,
    seed: u64,
    table: &'a CodeTable,
    writer: CorpusWriter,
    tally: Tally,
    patients: Patients,
    unknown: UnknownList,
    /// What is chronic and the notes so far, where codes are imputed.
    histories: Option<(ChronicCodes, Histories)>,
}

impl Sorting<'_> {
    fn sort(&mut self, mut record: Record) -> Result<()> {
        if let Some(reason) = self.reason_to_drop(&record) {
            self.tally.drop_record(&reason);
            return self.writer.drop_record(&record.note.note_id, &record.file, record.line, &reason);
        }
        self.canonical_codes(&mut record)?;
        let split = self.patients.split_of(&record, self.settings, self.seed)?;
        self.tally.without_patient += u64::from(!record.has_patient);
        match &mut self.histories {
            Some((chronic, histories)) => {
                let (chronic, table) = (&*chronic, self.table);
                histories.add(split, &record, |code| chronic.contains(code, table))
            }
            None => {
                self.tally.add(split, &record.note);
                self.writer.add(split, &record.note)
            }
        }
    }

    /// Imputes, where that is asked for: the notes that were kept back go their way.
    fn impute(&mut self, context: &Context) -> Result<()> {
        let Some((_, histories)) = self.histories.take() else { return Ok(()) };
        let mut progress = context.start("impute", Some(histories.notes()), Unit::Notes);
        histories.finish(|split, mut note: Note, added| {
            self.tally.imputed(split, note.codes.len(), &added);
            note.codes.extend(added);
            self.tally.add(split, &note);
            progress.advance(1);
            self.writer.add(split, &note)
        })?;
        progress.finish();
        Ok(())
    }

    fn reason_to_drop(&self, record: &Record) -> Option<String> {
        let Settings { drop_types, skip_split, min_chars, .. } = self.settings;
        let matches = |words: &[String], word: &str| {
            words.iter().any(|other| !other.is_empty() && other.trim().eq_ignore_ascii_case(word))
        };
        if let Some(word) = record.split.as_deref().filter(|word| matches(skip_split, word)) {
            return Some(format!("split `{word}`"));
        }
        if let Some(kind) = record.note.note_type.as_deref().filter(|kind| matches(drop_types, kind)) {
            return Some(format!("note type `{}`", kind.to_ascii_lowercase()));
        }
        let text = record.note.text.trim();
        if text.is_empty() {
            return Some("empty text".into());
        }
        (text.chars().take(*min_chars).count() < *min_chars)
            .then(|| format!("fewer than {min_chars} characters"))
    }

    /// Brings codes to their canonical spelling, each once, and deals with unknown ones.
    fn canonical_codes(&mut self, record: &mut Record) -> Result<()> {
        let mut codes: Vec<String> = Vec::with_capacity(record.note.codes.len());
        for written in &record.note.codes {
            let replaced = if self.settings.billable { self.table.billable(written) } else { None };
            let (code, standing) = self.table.canonical(replaced.as_deref().unwrap_or(written));
            if codes.contains(&code) {
                continue;
            }
            let malformed = matches!(standing, Standing::Malformed(_));
            let rule = match standing {
                Standing::Known => {
                    codes.push(code);
                    continue;
                }
                Standing::Unlisted => format!("not in the {}", self.table.name()),
                Standing::Malformed(rule) => rule,
            };
            if self.settings.unknown_codes == Unknown::Error {
                let error = RecordError::Value {
                    file: record.file.to_string(),
                    line: record.line,
                    field: self.settings.columns.codes().to_owned(),
                    value: shown(written),
                    rule: format!("is unknown: {rule}"),
                };
                return Err(hinted(error.to_string(), "--unknown-codes keep or drop goes on and lists them"));
            }
            self.unknown.add(&code, record, rule, malformed);
            if self.settings.unknown_codes == Unknown::Keep {
                codes.push(code);
            }
        }
        record.note.codes = codes;
        Ok(())
    }

    fn finish(self, inputs: Vec<InputFile>) -> Result<()> {
        let (labels, label_counts) = choose_labels(&self.tally, self.table, self.settings)?;
        let unknown = self.unknown.counts(self.settings.unknown_codes);
        let describe = |code: &str| self.table.description(code);
        let imputation = self.settings.imputation();
        let statistics =
            self.tally.statistics(self.patients.counts, &label_counts, unknown, &imputation, describe);
        let mut settings = serde_json::to_value(self.settings)?;
        settings["seed"] = self.seed.into();
        if let Some(path) = self.settings.chronic_indicator.path() {
            settings["chronic_indicator_sha256"] = sha256(path)?.into();
        }
        self.writer.finish(Contents {
            labels: &labels,
            label_counts: &label_counts,
            settings,
            inputs,
            patients: self.patients.counts,
            files: vec![
                (UNKNOWN_CODES, self.unknown.to_tsv()),
                (STATISTICS_JSON, serde_json::to_string_pretty(&statistics)? + "\n"),
                (STATISTICS_MD, markdown(&statistics)),
            ],
        })
    }
}
