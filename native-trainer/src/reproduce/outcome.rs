//! What a row leaves: its numbers, and what every patient contributes to them, so that rows can be compared.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use bert_xml_core::metrics::{
    AucInfluence, Clusters, Estimate, Interval, Predictions, Report, clustered_auc, evaluate,
};
use serde::{Deserialize, Serialize};

use super::bands::Bands;
use super::place::read_json;
use crate::corpus::Corpus;
use crate::files::write_atomic;
use bert_xml_core::data::Split;

const OUTCOME: &str = "outcome.json";
const INFLUENCE: &str = "influence.f64";

/// A row's numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Which row.
    pub row: String,
    /// All metrics.
    pub report: Report,
    /// Micro AUC with its interval; none where no code is present.
    pub auc_micro: Option<Interval>,
    /// Macro AUC with its interval.
    pub auc_macro: Option<Interval>,
    /// The same over the codes of each band, in the order of [`Bands`].
    pub bands: Vec<BandAuc>,
    /// AUC of each label; none where it is not present.
    pub per_code: Vec<Option<f64>>,
    /// AUC among notes of the same ICD category.
    pub siblings: Option<Siblings>,
    /// Expected calibration error after a line fitted on dev; none where dev itself is judged, and for baselines.
    pub ece_calibrated: Option<f64>,
    /// What was trained, and with what.
    pub trained: String,
    /// Running time of training and judging, over all calls of the command.
    pub seconds: f64,
    /// Tokens that training read, and how many a second; none for baselines without tokens.
    pub tokens: Option<(u64, f64)>,
    /// Micro AUC on dev by training step.
    pub dev_curve: Vec<(u64, f64)>,
    /// Number of patients.
    pub patients: usize,
}

/// AUC over the codes of a band.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BandAuc {
    /// Codes present.
    pub codes: usize,
    /// Mean AUC; none without codes or with one patient.
    pub auc: Option<Interval>,
}

/// How well codes are told from others of their category: the mean over codes of the AUC among notes that have a code
/// of that category.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Siblings {
    /// Codes with siblings among the labels, and notes of both kinds.
    pub codes: usize,
    /// Mean AUC among those notes.
    pub auc: f64,
    /// Mean AUC of the same codes among all notes.
    pub auc_among_all: f64,
}

/// The notes that every row is judged on.
#[derive(Clone, Debug)]
pub struct JudgedNotes {
    /// Label indices a note.
    pub gold: Vec<Vec<u32>>,
    /// Patients and bands.
    pub clusters: Clusters,
    /// First labels of each ICD category with several: label indices.
    families: Vec<Vec<usize>>,
}

impl JudgedNotes {
    /// Reads a split. A note without a patient is its own.
    ///
    /// # Errors
    /// A damaged corpus.
    pub fn read(corpus: &Corpus, split: Split, bands: &Bands) -> Result<Self> {
        let mut numbers = std::collections::HashMap::new();
        let (mut gold, mut patients) = (Vec::new(), Vec::new());
        for note in corpus.notes(split)? {
            let note = note?;
            gold.push(corpus.labels().indices(&note.codes).0);
            let name =
                if note.patient_id.is_empty() { format!("note {}", note.note_id) } else { note.patient_id };
            let next = numbers.len() as u32;
            patients.push(*numbers.entry(name).or_insert(next));
        }
        let clusters = Clusters::new(&gold, &patients, &bands.of_label)?;
        let mut families = std::collections::BTreeMap::<&str, Vec<usize>>::new();
        for (at, label) in corpus.labels().iter().enumerate() {
            if let Some((category, _)) = label.code.split_once('.') {
                families.entry(category).or_default().push(at);
            }
        }
        let families = families.into_values().filter(|codes| codes.len() > 1).collect();
        Ok(Self { gold, clusters, families })
    }

    /// Judges a table of probabilities, `[notes, labels]`, and the influences behind its AUC.
    ///
    /// # Errors
    /// A table of another shape, or with other numbers than probabilities.
    pub fn judge<T>(&self, probabilities: &[T], threshold: f64) -> Result<(Judged, AucInfluence)>
    where
        T: Copy + Into<f64> + PartialOrd + Sync,
    {
        let labels = self.clusters.labels();
        let report = evaluate(probabilities, &self.gold, labels, threshold)?;
        let influence = clustered_auc(&Predictions::new(probabilities, &self.gold, labels)?, &self.clusters);
        let bands = influence.groups.iter().map(|group| BandAuc {
            codes: group.codes,
            auc: (group.codes > 0).then(|| group.interval()).flatten(),
        });
        let judged = Judged {
            report,
            auc_micro: influence.micro.as_ref().and_then(Estimate::interval),
            auc_macro: influence.macro_mean().and_then(|mean| mean.interval()),
            bands: bands.collect(),
            siblings: self.siblings(probabilities, &influence.per_code),
        };
        Ok((judged, influence))
    }

    /// See [`Siblings`].
    fn siblings<T: Copy + Into<f64>>(&self, probabilities: &[T], all: &[Option<f64>]) -> Option<Siblings> {
        let labels = self.clusters.labels();
        let (mut codes, mut sum, mut sum_of_all) = (0, 0.0, 0.0);
        for family in &self.families {
            let notes: Vec<usize> = (0..self.gold.len())
                .filter(|&note| self.gold[note].iter().any(|&label| family.contains(&(label as usize))))
                .collect();
            for &label in family {
                let scores: Vec<f64> =
                    notes.iter().map(|&note| probabilities[note * labels + label].into()).collect();
                let is_gold: Vec<bool> =
                    notes.iter().map(|&note| self.gold[note].contains(&(label as u32))).collect();
                let here = bert_xml_core::metrics::auc::auc(&scores, &is_gold);
                if let (Some(here), Some(all)) = (here, all[label]) {
                    codes += 1;
                    sum += here;
                    sum_of_all += all;
                }
            }
        }
        let mean = |sum: f64| sum / codes as f64;
        (codes > 0).then(|| Siblings { codes, auc: mean(sum), auc_among_all: mean(sum_of_all) })
    }
}

/// The part of an outcome that judging gives.
#[derive(Clone, Debug)]
pub struct Judged {
    /// All metrics.
    pub report: Report,
    /// See [`Outcome`].
    pub auc_micro: Option<Interval>,
    /// See [`Outcome`].
    pub auc_macro: Option<Interval>,
    /// See [`Outcome`].
    pub bands: Vec<BandAuc>,
    /// See [`Outcome`].
    pub siblings: Option<Siblings>,
}

/// What a row's patients contribute: micro, then each band.
#[derive(Clone, Debug, PartialEq)]
pub struct Influences {
    /// Pooled cells.
    pub micro: Estimate,
    /// Bands of codes.
    pub bands: Vec<Estimate>,
}

impl Influences {
    /// The mean over all codes.
    pub fn macro_mean(&self) -> Option<Estimate> {
        Estimate::mean(&self.bands)
    }

    /// The mean over the codes of some bands.
    pub fn over(&self, bands: &[usize]) -> Option<Estimate> {
        Estimate::mean(bands.iter().map(|&band| &self.bands[band]))
    }
}

/// Writes a row: influences first, so that an outcome that is there is whole.
///
/// # Errors
/// Whatever the disk says.
pub fn write(folder: &Path, outcome: &Outcome, influence: &AucInfluence) -> Result<()> {
    let micro = influence.micro.as_ref().map_or(&[][..], |micro| &micro.influence);
    let bands = influence.groups.iter().flat_map(|group| &group.influence);
    let bytes: Vec<u8> = micro.iter().chain(bands).flat_map(|e| e.to_le_bytes()).collect();
    write_atomic(&folder.join(INFLUENCE), &bytes)?;
    write_atomic(&folder.join(OUTCOME), (serde_json::to_string_pretty(outcome)? + "\n").as_bytes())
}

/// The outcome of a row that is done.
///
/// # Errors
/// A damaged file.
pub fn read(folder: &Path) -> Result<Option<Outcome>> {
    let path = folder.join(OUTCOME);
    if path.is_file() { read_json(&path).map(Some) } else { Ok(None) }
}

/// The influences of a row that is done; none where no code was present.
///
/// # Errors
/// A file of another length than the outcome says.
pub fn read_influences(folder: &Path, outcome: &Outcome) -> Result<Option<Influences>> {
    let Some(micro) = outcome.auc_micro else { return Ok(None) };
    let path = folder.join(INFLUENCE);
    let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let values: Vec<f64> = bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
    let wanted = outcome.patients * (1 + outcome.bands.len());
    ensure!(values.len() == wanted, "{} has {} numbers, not {wanted}", path.display(), values.len());
    let mut parts = values.chunks_exact(outcome.patients).map(<[f64]>::to_vec);
    let codes = outcome.per_code.iter().flatten().count();
    let micro = Estimate { value: micro.value, codes, influence: parts.next().unwrap_or_default() };
    let bands = outcome.bands.iter().zip(parts).map(|(band, influence)| Estimate {
        value: band.auc.map_or(0.0, |auc| auc.value),
        codes: band.codes,
        influence,
    });
    Ok(Some(Influences { micro, bands: bands.collect() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_compares_as_what_was_computed() {
        let gold: Vec<Vec<u32>> =
            (0..40u32).map(|note| (0..3).filter(|l| (note * 7 + l) % 3 == 0).collect()).collect();
        let patients: Vec<u32> = (0..40).map(|note| note / 3).collect();
        let clusters = Clusters::new(&gold, &patients, &[0, 1, 1]).unwrap();
        let notes = JudgedNotes { gold: gold.clone(), clusters, families: vec![vec![0, 1]] };
        let table: Vec<f32> = (0..120u32).map(|at| (at * 37 % 101) as f32 / 101.0).collect();
        let (judged, influence) = notes.judge(&table, 0.5).unwrap();
        let siblings = judged.siblings.unwrap();
        assert!(siblings.codes == 2 && siblings.auc != siblings.auc_among_all);
        let outcome = Outcome {
            row: "1".into(),
            report: judged.report,
            auc_micro: judged.auc_micro,
            auc_macro: judged.auc_macro,
            bands: judged.bands,
            per_code: influence.per_code.clone(),
            siblings: judged.siblings,
            ece_calibrated: Some(0.01),
            trained: String::new(),
            seconds: 1.0,
            tokens: None,
            dev_curve: vec![(1, 0.5)],
            patients: 14,
        };
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), None);
        write(folder.path(), &outcome, &influence).unwrap();
        assert_eq!(read(folder.path()).unwrap().unwrap(), outcome);
        let back = read_influences(folder.path(), &outcome).unwrap().unwrap();
        assert_eq!(back.micro, influence.micro.clone().unwrap());
        assert_eq!(back.bands, influence.groups);
        assert_eq!(back.macro_mean(), influence.macro_mean());
        fs::write(folder.path().join(INFLUENCE), [0; 8]).unwrap();
        assert!(read_influences(folder.path(), &outcome).is_err());
    }
}
