//! What the notes and codes of a corpus are like, counted while they stream by.

use std::collections::{BTreeMap, HashMap};

use bert_xml_core::data::Split;
use bert_xml_core::text::Note;
use serde::Serialize;

use super::writer::LabelCount;

/// Values up to here are counted one by one, so that quantiles are exact; larger ones count as this.
const LARGEST: usize = 1 << 16;
/// Note types that are counted by name; the rest together.
const MOST_TYPES: usize = 1000;
/// Codes in the table of the most frequent ones.
const TOP: usize = 20;
/// Lower ends of the bands of training notes a code.
const BANDS: [u64; 8] = [1, 5, 10, 50, 100, 500, 1_000, 10_000];

/// How a number is distributed over notes.
#[derive(Clone, Debug, Default)]
struct Distribution {
    counts: Vec<u64>,
    sum: u64,
    max: u64,
}

impl Distribution {
    fn add(&mut self, value: usize) {
        let at = value.min(LARGEST);
        if self.counts.len() <= at {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += 1;
        self.sum += value as u64;
        self.max = self.max.max(value as u64);
    }

    fn summary(&self) -> Summary {
        let notes: u64 = self.counts.iter().sum();
        // The smallest value that at least this share of the notes does not exceed.
        let quantile = |share: f64| {
            let mut below = 0;
            let place = self.counts.iter().position(|count| {
                below += count;
                below as f64 >= share * notes as f64
            });
            place.unwrap_or(0) as u64
        };
        let mean = if notes == 0 { 0.0 } else { self.sum as f64 / notes as f64 };
        Summary {
            total: self.sum,
            mean,
            median: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            max: self.max,
        }
    }
}

/// A number over notes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Sum.
    pub total: u64,
    /// Mean, 0 without notes.
    pub mean: f64,
    /// Half of the notes have at most this.
    pub median: u64,
    /// 90 % of the notes have at most this.
    pub p90: u64,
    /// 99 % of the notes have at most this.
    pub p99: u64,
    /// Largest.
    pub max: u64,
}

/// One split.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SplitStatistics {
    /// Notes.
    pub notes: u64,
    /// Patients; a note without one counts as one.
    pub patients: u64,
    /// Words a note, by white space.
    pub words: Summary,
    /// Codes a note.
    pub codes: Summary,
    /// Codes a note before chronic imputation, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codes_before_imputation: Option<Summary>,
    /// Notes that got codes by it, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes_imputed: Option<u64>,
    /// Notes without any code.
    pub notes_without_codes: u64,
    /// Share of all code occurrences that the labels cover; 0 without any.
    pub covered_by_labels: f64,
}

/// Codes by how many training notes carry them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Band {
    /// Fewest training notes.
    pub from: u64,
    /// Most training notes; none for the last band.
    pub to: Option<u64>,
    /// Codes in the band.
    pub codes: u64,
}

/// A code and how many notes of each split carry it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CodeCount {
    /// The code.
    pub code: String,
    /// Its description, empty if none is known.
    pub description: String,
    /// Notes in train, dev and test.
    pub notes: LabelCount,
}

/// Codes that the table does not list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UnknownCodes {
    /// `error`, `keep` or `drop`.
    pub handling: String,
    /// Different codes.
    pub codes: u64,
    /// Notes × codes.
    pub occurrences: u64,
}

/// `statistics.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Statistics {
    /// By split.
    pub splits: BTreeMap<Split, SplitStatistics>,
    /// Notes whose record names no patient; each is its own.
    pub notes_without_patient: u64,
    /// Notes by type, most frequent first; an empty type is a note without one.
    pub note_types: Vec<(String, u64)>,
    /// Labels.
    pub labels: u64,
    /// Different codes in all splits.
    pub codes: u64,
    /// Training notes a code.
    pub bands: Vec<Band>,
    /// The most frequent codes in train.
    pub top_codes: Vec<CodeCount>,
    /// Codes that the table does not list.
    pub unknown_codes: UnknownCodes,
    /// Chronic imputation, [`super::Settings::imputation`].
    pub chronic_imputation: String,
    /// Records that are in no split, by reason.
    pub dropped: BTreeMap<String, u64>,
}

/// Counts while notes stream by. Memory grows with codes and note types, not with notes.
#[derive(Debug, Default)]
pub struct Tally {
    words: [Distribution; 3],
    codes: [Distribution; 3],
    /// Before chronic imputation; empty without.
    codes_before: [Distribution; 3],
    imputed: [u64; 3],
    types: HashMap<String, u64>,
    other_types: u64,
    /// Notes of each split by code.
    pub by_code: HashMap<String, LabelCount>,
    /// Notes whose record names no patient.
    pub without_patient: u64,
    /// Records in no split, by reason.
    pub dropped: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts a note with its canonical codes.
    pub fn add(&mut self, split: Split, note: &Note) {
        let at = split as usize;
        self.words[at].add(note.text.split_whitespace().count());
        self.codes[at].add(note.codes.len());
        for code in &note.codes {
            match self.by_code.get_mut(code) {
                Some(counts) => counts[at] += 1,
                None => {
                    let mut counts = [0; 3];
                    counts[at] = 1;
                    self.by_code.insert(code.clone(), counts);
                }
            }
        }
        let kind = note.note_type.as_deref().unwrap_or_default();
        let full = self.types.len() >= MOST_TYPES;
        match self.types.get_mut(kind) {
            Some(count) => *count += 1,
            None if !full => {
                self.types.insert(kind.to_owned(), 1);
            }
            None => self.other_types += 1,
        }
    }

    /// Counts what chronic imputation added to a note that had `before` codes.
    pub fn imputed(&mut self, split: Split, before: usize, added: &[String]) {
        self.codes_before[split as usize].add(before);
        self.imputed[split as usize] += u64::from(!added.is_empty());
    }

    /// Whether no note was counted.
    pub fn is_empty(&self) -> bool {
        self.types.is_empty() && self.other_types == 0
    }

    /// Counts a record that is in no split.
    pub fn drop_record(&mut self, reason: &str) {
        match self.dropped.get_mut(reason) {
            Some(count) => *count += 1,
            None => {
                self.dropped.insert(reason.to_owned(), 1);
            }
        }
    }

    /// All codes by falling training count, then by code: the order of labels.
    pub fn ranked(&self) -> Vec<(&str, LabelCount)> {
        let mut ranked: Vec<_> = self.by_code.iter().map(|(code, counts)| (code.as_str(), *counts)).collect();
        ranked.sort_unstable_by(|a, b| b.1[0].cmp(&a.1[0]).then(a.0.cmp(b.0)));
        ranked
    }

    /// What was counted. `label_counts` are those of the labels, `patients` those of each split, `imputation` says
    /// whether and how codes were imputed.
    pub fn statistics(
        &self,
        patients: LabelCount,
        label_counts: &[LabelCount],
        unknown_codes: UnknownCodes,
        imputation: &str,
        describe: impl Fn(&str) -> String,
    ) -> Statistics {
        let imputes = self.codes_before.iter().any(|before| !before.counts.is_empty());
        let splits = Split::ALL.into_iter().map(|split| {
            let at = split as usize;
            let codes = self.codes[at].summary();
            let covered: u64 = label_counts.iter().map(|counts| counts[at]).sum();
            let statistics = SplitStatistics {
                notes: self.words[at].counts.iter().sum(),
                patients: patients[at],
                codes_before_imputation: imputes.then(|| self.codes_before[at].summary()),
                notes_imputed: imputes.then_some(self.imputed[at]),
                words: self.words[at].summary(),
                notes_without_codes: self.codes[at].counts.first().copied().unwrap_or(0),
                covered_by_labels: if codes.total == 0 { 0.0 } else { covered as f64 / codes.total as f64 },
                codes,
            };
            (split, statistics)
        });
        let mut note_types: Vec<_> = self.types.iter().map(|(kind, count)| (kind.clone(), *count)).collect();
        note_types.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        if self.other_types > 0 {
            note_types.push((format!("(beyond {MOST_TYPES} types)"), self.other_types));
        }
        let ranked = self.ranked();
        let bands = BANDS.into_iter().enumerate().map(|(at, from)| {
            let to = BANDS.get(at + 1).map(|next| next - 1);
            let inside = |count: u64| count >= from && to.is_none_or(|to| count <= to);
            Band { from, to, codes: ranked.iter().filter(|(_, counts)| inside(counts[0])).count() as u64 }
        });
        let top_codes = ranked
            .iter()
            .take(TOP)
            .filter(|(_, counts)| counts[0] > 0)
            .map(|&(code, notes)| CodeCount { code: code.to_owned(), description: describe(code), notes });
        Statistics {
            splits: splits.collect(),
            notes_without_patient: self.without_patient,
            note_types,
            labels: label_counts.len() as u64,
            codes: ranked.len() as u64,
            bands: bands.collect(),
            top_codes: top_codes.collect(),
            unknown_codes,
            chronic_imputation: imputation.to_owned(),
            dropped: self.dropped.clone(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn tally() -> Tally {
        let mut tally = Tally::default();
        let note = |text: &str, kind: Option<&str>, codes: &[&str]| Note {
            text: text.into(),
            note_type: kind.map(str::to_owned),
            codes: codes.iter().map(|code| (*code).to_owned()).collect(),
            ..Note::default()
        };
        tally.add(Split::Train, &note("one two  three", Some("progress"), &["I10", "A00"]));
        tally.add(Split::Train, &note("one", Some("progress"), &["I10"]));
        tally.add(Split::Train, &note("one", None, &[]));
        tally.add(Split::Test, &note("one two", None, &["A00", "Z66"]));
        tally.drop_record("empty text");
        tally.drop_record("empty text");
        tally
    }

    #[test]
    fn notes_and_codes_are_counted_by_split() {
        let tally = tally();
        assert_eq!(tally.ranked(), [("I10", [2, 0, 0]), ("A00", [1, 0, 1]), ("Z66", [0, 0, 1])]);
        let found = tally
            .statistics([2, 0, 1], &[[2, 0, 0]], UnknownCodes::default(), "off", |code| code.to_lowercase());
        let train = &found.splits[&Split::Train];
        let words = Summary { total: 5, mean: 5.0 / 3.0, median: 1, p90: 3, p99: 3, max: 3 };
        assert_eq!((train.notes, train.patients, &train.words), (3, 2, &words));
        assert_eq!((train.codes.total, train.notes_without_codes), (3, 1));
        assert_eq!(train.covered_by_labels, 2.0 / 3.0);
        assert_eq!(found.splits[&Split::Test].covered_by_labels, 0.0);
        assert_eq!(found.splits[&Split::Dev], SplitStatistics::default());
        assert_eq!(found.note_types, [("".into(), 2), ("progress".into(), 2)]);
        assert_eq!((found.bands[0].codes, found.bands[1].codes, found.codes), (2, 0, 3));
        let top: Vec<_> =
            found.top_codes.iter().map(|code| (code.code.as_str(), code.description.as_str())).collect();
        assert_eq!(top, [("I10", "i10"), ("A00", "a00")]);
        assert_eq!(found.dropped["empty text"], 2);
    }

    #[test]
    fn quantiles_are_the_smallest_value_that_covers_the_share() {
        let mut distribution = Distribution::default();
        for value in 1..=10 {
            distribution.add(value);
        }
        let summary = distribution.summary();
        assert_eq!(
            (summary.median, summary.p90, summary.p99, summary.max, summary.mean),
            (5, 9, 10, 10, 5.5)
        );
        distribution.add(1_000_000);
        let summary = distribution.summary();
        assert_eq!((summary.p99, summary.max, summary.total), (LARGEST as u64, 1_000_000, 1_000_055));
    }
}
