//! `evaluate` on files: read, line up, choose the threshold, judge.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bert_xml_core::codes::LabelSet;
use bert_xml_core::metrics::codiesp::{Document, Rules};

use super::codiesp::{TaskCodes, score};
use super::{
    Assignment, AucIntervals, GoldNote, Judgement, PredictedNote, Table, ThresholdFrom, per_code_tsv,
    read_gold, read_predictions, tune,
};
use crate::ingest::Columns;

/// What to read.
#[derive(Clone, Debug)]
pub struct Files {
    /// Prediction file of the notes to judge.
    pub predictions: PathBuf,
    /// Records with the gold codes of the same notes.
    pub gold: PathBuf,
    /// Prediction file and records that the threshold is tuned on.
    pub dev: Option<(PathBuf, PathBuf)>,
    /// A threshold, 0..=1.
    pub threshold: Option<f64>,
    /// Label set whose codes are the columns; without it all codes that occur.
    pub labels: Option<PathBuf>,
    /// CodiEsp's metrics by these rules.
    pub codiesp: Option<Rules>,
    /// The list of CodiEsp's valid codes.
    pub task_codes: Option<PathBuf>,
    /// Fields of the gold records.
    pub columns: Columns,
}

/// A judgement and the table that it is about.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The metrics.
    pub judgement: Judgement,
    /// Probabilities and gold.
    pub table: Table,
}

impl Files {
    /// Judges the files.
    ///
    /// # Errors
    /// Input that breaks a rule (file, line, value, rule); a threshold outside 0..=1.
    pub fn judge(&self) -> Result<Judged> {
        if let Some(threshold) = self.threshold {
            ensure!((0.0..=1.0).contains(&threshold), "threshold {threshold}: it must be between 0 and 1");
        }
        let labels = self.labels.as_deref().map(read_labels).transpose()?;
        let task = TaskCodes::read(self.task_codes.as_deref())?;
        let dev = match &self.dev {
            Some((predictions, gold)) => {
                let (_, _, table) = self.line_up(predictions, gold, labels.as_ref())?;
                let tuned = tune(&table.probabilities, &table.gold, table.labels.len());
                Some(tuned.with_context(|| gold.display().to_string())?)
            }
            None => None,
        };
        let (predicted, gold, table) = self.line_up(&self.predictions, &self.gold, labels.as_ref())?;
        let assignment = match (self.threshold, dev) {
            // Read as the file's numbers are: in 16 digits serde_json can miss the nearest f64 by one.
            (Some(threshold), _) => Assignment::given(serde_json::from_str(&threshold.to_string())?),
            (None, Some(tuned)) => tuned,
            (None, None) => Assignment::of_table(&table),
        };
        let mut judgement = Judgement::of_table(&table, assignment)?;
        let patients = gold.iter().map(|note| note.patient_id.as_str());
        let labels = table.labels.len();
        judgement.intervals = Some(AucIntervals::new(&table.probabilities, &table.gold, labels, patients)?);
        if let Some(rules) = self.codiesp {
            let ranked = documents(&predicted, &gold, |_, _| true);
            let assigned = documents(&predicted, &gold, |probability, flag| match assignment.threshold {
                Some(threshold) => probability >= threshold,
                None => flag == Some(true),
            });
            judgement.codiesp = Some(score(&ranked, &assigned, &task, rules));
        }
        Ok(Judged { judgement, table })
    }

    fn line_up(
        &self,
        predictions: &Path,
        gold: &Path,
        labels: Option<&LabelSet>,
    ) -> Result<(Vec<PredictedNote>, Vec<GoldNote>, Table)> {
        let files = (predictions, gold);
        let predicted = read_predictions(predictions)?;
        let gold = read_gold(gold, &self.columns)?;
        let table = Table::new(&predicted, &gold, labels, files)?;
        Ok((predicted, gold, table))
    }
}

impl Judged {
    /// One line a code, see [`per_code_tsv`].
    pub fn per_code_tsv(&self) -> String {
        let Table { probabilities, gold, labels, assigned, .. } = &self.table;
        let Assignment { threshold, from } = self.judgement.assignment;
        per_code_tsv(probabilities, gold, labels, |cell| match (threshold, assigned) {
            (None, Some(flags)) if from == ThresholdFrom::FlagsOfSeveral => flags[cell],
            _ => probabilities[cell] >= threshold.unwrap_or(0.5),
        })
    }
}

fn read_labels(path: &Path) -> Result<LabelSet> {
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    LabelSet::from_tsv(&bytes).with_context(|| path.display().to_string())
}

/// The notes in the order of the gold, with the predicted codes that `keep(probability, flag)`.
fn documents(
    predicted: &[PredictedNote],
    gold: &[GoldNote],
    keep: impl Fn(f64, Option<bool>) -> bool,
) -> Vec<Document> {
    let by_id: HashMap<&str, &PredictedNote> =
        predicted.iter().map(|note| (note.note_id.as_str(), note)).collect();
    let of = |note: &GoldNote| {
        let codes = by_id.get(note.note_id.as_str()).map_or(&[][..], |found| &found.codes);
        let kept = codes.iter().filter(|code| keep(code.probability, code.assigned));
        Document { gold: note.codes.clone(), predicted: kept.map(|code| code.code.clone()).collect() }
    };
    gold.iter().map(of).collect()
}
