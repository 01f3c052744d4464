//! From records to a corpus in one pass: filter, canonical codes, split by patient; then the label set.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, ensure};
use bert_xml_core::codes::{CodeSystem, Label, LabelSet};
use bert_xml_core::data::{Shares, Split};
use bert_xml_core::text::shown;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::code_table::{CodeTable, Release, Standing};
use super::manifest::{InputFile, STATISTICS_JSON, STATISTICS_MD, UNKNOWN_CODES};
use super::reader::Corpus;
use super::statistics::{Tally, UnknownCodes};
use super::statistics_page::markdown;
use super::writer::{Contents, CorpusWriter, LabelCount};
use crate::context::Context;
use crate::error::hinted;
use crate::files::sha256;
use crate::ingest::source::STANDARD_INPUT;
use crate::ingest::{Columns, Record, RecordError, Records};
use crate::progress::Unit;
use crate::talk;

/// What happens to a code that the table does not list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// Stop with its file and line
    Error,
    /// Keep it in its note, and as a label if it is frequent enough
    #[default]
    Keep,
    /// Take it out of its note
    Drop,
}

/// How a corpus is made. Kept in `corpus.json`.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The fields of the records.
    #[command(flatten)]
    pub columns: Columns,
    /// Drop notes with fewer characters (the paper: 50)
    #[arg(long, default_value_t = 50, value_name = "N", help_heading = "Filters")]
    pub min_chars: usize,
    /// Drop notes of these types, in any case; "" drops none (the paper: these)
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "erroneous,student,miscellaneous",
        value_name = "TYPE,…",
        help_heading = "Filters"
    )]
    pub drop_types: Vec<String>,
    /// Drop records with these words in the split field
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "WORD,…",
        requires = "split_field",
        help_heading = "Filters"
    )]
    pub skip_split: Vec<String>,
    /// Percent of the patients in train, dev and test (the paper: 70/10/20)
    #[arg(long, default_value = "70/10/20", value_parser = parse_shares, help_heading = "Split")]
    pub shares: Shares,
    /// Keep codes that more than K training notes carry (the paper: 1000)
    #[arg(long, default_value_t = 1000, value_name = "K", help_heading = "Label set")]
    pub more_than: u64,
    /// Keep at most N codes, the most frequent ones
    #[arg(long, value_name = "N", help_heading = "Label set")]
    pub max_labels: Option<usize>,
    /// Where codes come from: icd10cm, icd10pcs, icd9cm, meddra or another name
    #[arg(long, default_value = "icd10cm", value_name = "NAME", help_heading = "Label set")]
    pub system: CodeSystem,
    /// Descriptions of codes: lines of code, tab, description, or a label set. Makes other codes unknown
    #[arg(long, value_name = "TSV", help_heading = "Label set")]
    pub descriptions: Option<PathBuf>,
    /// Another ICD-10-CM release than the built-in one: the published tabular list in XML, or this project's format
    #[arg(long, value_name = "FILE", help_heading = "Label set")]
    pub table: Option<PathBuf>,
    /// With a tabular list: the order file of its release, which has all codes with seventh characters
    #[arg(long, value_name = "TXT", requires = "table", help_heading = "Label set")]
    #[serde(default)]
    pub order: Option<PathBuf>,
    /// With a tabular list: AHRQ's chronic indicators (CCIR or CCI) as CSV
    #[arg(long, value_name = "CSV", requires = "table", help_heading = "Label set")]
    #[serde(default)]
    pub chronic: Option<PathBuf>,
    /// What happens to codes that the table does not list; they are counted and listed in any case
    #[arg(long, value_enum, default_value_t = Unknown::Keep, help_heading = "Label set")]
    pub unknown_codes: Unknown,
    /// Replace codes that are not billable (any more) by the unspecified billable code below them, if there is one
    #[arg(long, help_heading = "Label set")]
    #[serde(default)]
    pub billable: bool,
}

impl Default for Settings {
    /// The paper's.
    fn default() -> Self {
        Self {
            columns: Columns::default(),
            min_chars: 50,
            drop_types: ["erroneous", "student", "miscellaneous"].map(str::to_owned).to_vec(),
            skip_split: Vec::new(),
            shares: Shares::default(),
            more_than: 1000,
            max_labels: None,
            system: CodeSystem::Icd10cm,
            descriptions: None,
            table: None,
            order: None,
            chronic: None,
            unknown_codes: Unknown::Keep,
            billable: false,
        }
    }
}

fn parse_shares(word: &str) -> Result<Shares, String> {
    let rule = || "three percentages that add up to 100, such as 70/10/20".to_owned();
    let parts: Vec<u8> =
        word.split('/').map(|part| part.trim().parse()).collect::<Result<_, _>>().map_err(|_| rule())?;
    let &[train, dev, test] = parts.as_slice() else { return Err(rule()) };
    let shares = Shares { train, dev, test };
    if shares.is_valid() && train > 0 { Ok(shares) } else { Err(rule()) }
}

/// Makes a corpus of record files at `out` and opens it.
///
/// Reads every record once. Memory holds one note, and what is counted: 8 bytes a note and 16 a patient,
/// codes, note types. The order of notes in a split is that of the files.
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
    let mut sorting = Sorting {
        settings,
        seed: context.seed,
        table: &table,
        writer: CorpusWriter::start(out)?,
        tally: Tally::default(),
        patients: HashMap::new(),
        patient_counts: [0; 3],
        unknown: BTreeMap::new(),
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
    sorting.tell_of_unknown(out);
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

/// An unknown code: how often it came, and where first.
struct FirstSeen {
    notes: u64,
    file: String,
    line: u64,
    rule: String,
    malformed: bool,
}

struct Sorting<'a> {
    settings: &'a Settings,
    seed: u64,
    table: &'a CodeTable,
    writer: CorpusWriter,
    tally: Tally,
    /// The split of each patient, by 64 bits of a hash of the id.
    patients: HashMap<u64, Split>,
    patient_counts: [u64; 3],
    unknown: BTreeMap<String, FirstSeen>,
}

impl Sorting<'_> {
    fn sort(&mut self, mut record: Record) -> Result<()> {
        if let Some(reason) = self.reason_to_drop(&record) {
            self.tally.drop_record(&reason);
            return self.writer.drop_record(&record.note.note_id, &record.file, record.line, &reason);
        }
        self.canonical_codes(&mut record)?;
        let split = self.split_of(&record)?;
        self.tally.without_patient += u64::from(!record.has_patient);
        self.tally.add(split, &record.note);
        self.writer.add(split, &record.note)
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
            let seen = self.unknown.entry(code.clone()).or_insert_with(|| FirstSeen {
                notes: 0,
                file: record.file.to_string(),
                line: record.line,
                rule,
                malformed,
            });
            seen.notes += 1;
            if self.settings.unknown_codes == Unknown::Keep {
                codes.push(code);
            }
        }
        record.note.codes = codes;
        Ok(())
    }

    fn split_of(&mut self, record: &Record) -> Result<Split> {
        let patient = record.note.patient_id.as_str();
        let split = match &record.split {
            None => self.settings.shares.split_of(patient, self.seed),
            Some(word) => word.parse().map_err(|error| {
                let (file, line, field) = (&record.file, record.line, self.split_field());
                // The word may be a text, if the field is another than was meant.
                let word = if shown(word).starts_with('`') { word } else { "WORD" };
                hinted(
                    format!("{file}, line {line}: field `{field}`: {error}"),
                    format!("--skip-split {word} leaves such records out"),
                )
            })?,
        };
        if !record.has_patient {
            self.patient_counts[split as usize] += 1;
            return Ok(split);
        }
        let mut hasher = DefaultHasher::new();
        patient.hash(&mut hasher);
        match self.patients.insert(hasher.finish(), split) {
            None => self.patient_counts[split as usize] += 1,
            Some(before) if before == split => {}
            Some(before) => {
                let (file, line, field) = (&record.file, record.line, self.split_field());
                return Err(hinted(
                    format!(
                        "{file}, line {line}: field `{field}`: `{split}`, but an earlier note of patient {} is in \
                         {before}; a patient is in one split only",
                        shown(patient)
                    ),
                    "without --split-field, patients are split by a hash of their id",
                ));
            }
        }
        Ok(split)
    }

    fn split_field(&self) -> &str {
        self.settings.columns.split_field.as_deref().unwrap_or_default()
    }

    /// Unknown codes do not vanish unseen.
    fn tell_of_unknown(&self, out: &Path) {
        if self.unknown.is_empty() {
            return;
        }
        let (codes, places) = (self.unknown.len(), self.unknown.values().map(|seen| seen.notes).sum::<u64>());
        let file = out.join(UNKNOWN_CODES);
        talk::warn(&format!("{codes} unknown codes in {places} places, see {}", file.display()));
        let comma = |(code, seen): (&String, &FirstSeen)| seen.malformed && code.contains(',');
        if self.settings.columns.codes_separator.is_none() && self.unknown.iter().any(comma) {
            talk::say("some hold a comma: if it separates codes, give --codes-separator ,");
        }
    }

    fn finish(self, inputs: Vec<InputFile>) -> Result<()> {
        let (labels, label_counts) = choose_labels(&self.tally, self.table, self.settings)?;
        let unknown = UnknownCodes {
            handling: format!("{:?}", self.settings.unknown_codes).to_lowercase(),
            codes: self.unknown.len() as u64,
            occurrences: self.unknown.values().map(|seen| seen.notes).sum(),
        };
        let mut listed = "code\tnotes\tfirst_file\tfirst_line\trule\n".to_owned();
        for (code, seen) in &self.unknown {
            let code = listed_as(code);
            listed += &format!("{code}\t{}\t{}\t{}\t{}\n", seen.notes, seen.file, seen.line, seen.rule);
        }
        let describe = |code: &str| self.table.description(code);
        let statistics = self.tally.statistics(self.patient_counts, &label_counts, unknown, describe);
        let mut settings = serde_json::to_value(self.settings)?;
        settings["seed"] = self.seed.into();
        self.writer.finish(Contents {
            labels: &labels,
            label_counts: &label_counts,
            settings,
            inputs,
            patients: self.patient_counts,
            files: vec![
                (UNKNOWN_CODES, listed),
                (STATISTICS_JSON, serde_json::to_string_pretty(&statistics)? + "\n"),
                (STATISTICS_MD, markdown(&statistics)),
            ],
        })
    }
}

/// An unknown code for the list: as it is where it may be a code or a term, else how long it is; it may be note text.
fn listed_as(code: &str) -> String {
    let length = code.chars().count();
    if length <= 40 && code.matches(' ').count() <= 2 {
        code.to_owned()
    } else {
        format!("a value of {length} characters")
    }
}

/// The codes that more than `more_than` training notes carry, by falling count, then by code. A malformed
/// code stays in its notes, but is no label.
fn choose_labels(
    tally: &Tally,
    table: &CodeTable,
    settings: &Settings,
) -> Result<(LabelSet, Vec<LabelCount>)> {
    let mut candidates = tally.ranked();
    candidates
        .retain(|(code, counts)| counts[0] > 0 && !matches!(table.canonical(code).1, Standing::Malformed(_)));
    if tally.is_empty() {
        let reasons: Vec<String> =
            tally.dropped.iter().map(|(reason, count)| format!("{reason}: {count}")).collect();
        return Err(hinted(
            format!("no label: no note is left of the records ({})", reasons.join("; ")),
            "see --min-chars, --drop-types, --skip-split and --text-field",
        ));
    }
    let Some(most) = candidates.first().map(|(_, counts)| counts[0]) else {
        return Err(hinted(
            "no label: no training note carries a code",
            "name the field with the codes with --codes-field, and what they are with --system",
        ));
    };
    candidates.retain(|(_, counts)| counts[0] > settings.more_than);
    candidates.truncate(settings.max_labels.unwrap_or(usize::MAX));
    if candidates.is_empty() {
        return Err(hinted(
            format!("no label: no code has more than {} training notes (--more-than)", settings.more_than),
            format!("the largest usable one is --more-than {}", most - 1),
        ));
    }
    let label = |code: &str| Label {
        system: table.system().clone(),
        code: code.to_owned(),
        description: table.description(code).replace(['\t', '\n', '\r'], " "),
    };
    let labels = LabelSet::new(candidates.iter().map(|(code, _)| label(code)).collect())?;
    Ok((labels, candidates.into_iter().map(|(_, counts)| counts).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_three_percentages() {
        assert_eq!(parse_shares("80/10/10"), Ok(Shares { train: 80, dev: 10, test: 10 }));
        for word in ["80/10", "80/10/20", "0/50/50", "a/b/c", "70/10/20/0", "300/0/0"] {
            assert!(parse_shares(word).is_err(), "{word}");
        }
    }

    #[test]
    fn the_label_set_follows_counts_and_names_the_largest_usable_threshold() {
        let table = CodeTable::open(CodeSystem::Icd10cm, None, None).unwrap();
        let mut tally = Tally::default();
        tally.add(Split::Train, &bert_xml_core::text::Note::default());
        for (code, counts) in
            [("I10", [3, 0, 1]), ("E11.9", [3, 1, 0]), ("250.00", [9, 0, 0]), ("Z66", [1, 5, 5])]
        {
            tally.by_code.insert(code.into(), counts);
        }
        let choose = |more_than, max_labels| {
            choose_labels(&tally, &table, &Settings { more_than, max_labels, ..Settings::default() })
        };
        let codes =
            |labels: &LabelSet| labels.iter().map(|label| label.code.clone()).collect::<Vec<_>>().join(" ");
        let (labels, counts) = choose(0, None).unwrap();
        assert_eq!(
            (codes(&labels).as_str(), &counts[..]),
            ("E11.9 I10 Z66", &[[3, 1, 0], [3, 0, 1], [1, 5, 5]][..])
        );
        assert_eq!(labels.get(1).unwrap().description, "Essential (primary) hypertension");
        assert_eq!(codes(&choose(1, None).unwrap().0), "E11.9 I10");
        assert_eq!(codes(&choose(2, Some(1)).unwrap().0), "E11.9");
        let error = choose(3, None).unwrap_err();
        assert_eq!(error.to_string(), "no label: no code has more than 3 training notes (--more-than)");
        let hint = &error.downcast_ref::<crate::error::Hint>().unwrap().hint;
        assert_eq!(hint, "the largest usable one is --more-than 2");
        tally.by_code.clear();
        let error = choose_labels(&tally, &table, &Settings::default()).unwrap_err();
        assert_eq!(error.to_string(), "no label: no training note carries a code");
        let mut tally = Tally::default();
        tally.drop_record("empty text");
        let error = choose_labels(&tally, &table, &Settings::default()).unwrap_err();
        assert_eq!(error.to_string(), "no label: no note is left of the records (empty text: 1)");
    }
}
