//! Predicted and gold codes of the same notes as one dense table, `[notes, labels]`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use anyhow::{Context, Result, bail};
use bert_xml_core::codes::{CodeSystem, Label, LabelSet};
use bert_xml_core::text::shown;

use super::{GoldNote, PredictedNote};

/// Codes that a given label set does not have: they are in no number, so they are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// Gold (note, code) pairs left out.
    pub gold: usize,
    /// Predicted (note, code) pairs left out.
    pub predicted: usize,
}

/// Probabilities beside gold codes. Takes 8 bytes for each note and label: 20,000 notes × 2,292 codes are
/// 367 MB. (f64, so that a probability is exactly the number that the file says.)
#[derive(Clone, Debug)]
pub struct Table {
    /// Columns.
    pub labels: LabelSet,
    /// `[notes, labels]`, notes in the order of the gold file.
    pub probabilities: Vec<f64>,
    /// Gold label indices of each note, rising and distinct.
    pub gold: Vec<Vec<u32>>,
    /// What the prediction file assigned, `[notes, labels]`; none unless every code has its flag.
    pub assigned: Option<Vec<bool>>,
    /// Cells for which the predictions have no probability; they count as 0.
    pub missing_cells: usize,
    /// What `labels` leaves out.
    pub outside: Outside,
}

impl Table {
    /// Lines up the predictions with the gold notes by note id. Columns are those of `labels`, or else all
    /// codes that either side names, in alphabetical order (the order in which equal probabilities rank).
    ///
    /// # Errors
    /// A note that only one side has, naming `files` (predictions, gold); no code at all; a label set that
    /// cannot be made.
    pub fn new(
        predicted: &[PredictedNote],
        gold: &[GoldNote],
        labels: Option<&LabelSet>,
        files: (&Path, &Path),
    ) -> Result<Self> {
        let predicted = aligned(predicted, gold, files)?;
        let labels = match labels {
            Some(labels) => labels.clone(),
            None => union(&predicted, gold)
                .with_context(|| format!("codes of {} and {}", files.0.display(), files.1.display()))?,
        };
        let mut table = Self {
            probabilities: vec![0.0; gold.len() * labels.len()],
            gold: Vec::with_capacity(gold.len()),
            assigned: None,
            missing_cells: 0,
            outside: Outside::default(),
            labels,
        };
        let flagged = predicted.iter().flat_map(|note| &note.codes).all(|code| code.assigned.is_some())
            && predicted.iter().any(|note| !note.codes.is_empty());
        let mut assigned = vec![false; if flagged { table.probabilities.len() } else { 0 }];
        let mut filled = 0;
        for (at, (predicted, gold)) in predicted.iter().zip(gold).enumerate() {
            let start = at * table.labels.len();
            let mut columns = BTreeSet::new();
            for code in &predicted.codes {
                let Some(column) = table.labels.index(&code.code) else {
                    table.outside.predicted += 1;
                    continue;
                };
                if !columns.insert(column) {
                    bail!(
                        "{}: note_id {}, code {}: another spelling of it stands in the same note",
                        files.0.display(),
                        shown(&predicted.note_id),
                        shown(&code.code)
                    );
                }
                table.probabilities[start + column] = code.probability;
                if flagged {
                    assigned[start + column] = code.assigned == Some(true);
                }
            }
            filled += columns.len();
            let mut columns = BTreeSet::new();
            for code in gold.codes.iter().collect::<BTreeSet<_>>() {
                match table.labels.index(code) {
                    Some(column) => _ = columns.insert(column as u32),
                    None => table.outside.gold += 1,
                }
            }
            table.gold.push(columns.into_iter().collect());
        }
        table.missing_cells = table.probabilities.len() - filled;
        table.assigned = flagged.then_some(assigned);
        Ok(table)
    }
}

/// Predictions in the order of the gold notes.
fn aligned<'a>(
    predicted: &'a [PredictedNote],
    gold: &[GoldNote],
    (predictions_file, gold_file): (&Path, &Path),
) -> Result<Vec<&'a PredictedNote>> {
    let mut by_id: HashMap<&str, &PredictedNote> =
        predicted.iter().map(|note| (note.note_id.as_str(), note)).collect();
    let mut in_order = Vec::with_capacity(gold.len());
    let mut without = Vec::new();
    for note in gold {
        match by_id.remove(note.note_id.as_str()) {
            Some(found) => in_order.push(found),
            None => without.push(note.note_id.as_str()),
        }
    }
    let (predictions_file, gold_file) = (predictions_file.display(), gold_file.display());
    if let Some(first) = without.first() {
        bail!(
            "{predictions_file}: no prediction for note_id {} of {gold_file} ({} of {} gold notes have none); \
             a note without any code needs a line with an empty `codes`",
            shown(first),
            without.len(),
            gold.len()
        );
    }
    if let Some(first) = predicted.iter().find(|note| by_id.contains_key(note.note_id.as_str())) {
        bail!(
            "{gold_file}: no gold for note_id {} of {predictions_file} ({} of {} predicted notes have none)",
            shown(&first.note_id),
            by_id.len(),
            predicted.len()
        );
    }
    Ok(in_order)
}

/// All codes of both sides, in alphabetical order, with the first description that a prediction gives.
fn union(predicted: &[&PredictedNote], gold: &[GoldNote]) -> Result<LabelSet> {
    let mut codes: BTreeMap<&str, &str> = BTreeMap::new();
    for code in gold.iter().flat_map(|note| &note.codes) {
        codes.entry(code).or_default();
    }
    for code in predicted.iter().flat_map(|note| &note.codes) {
        let description = codes.entry(&code.code).or_default();
        if description.is_empty() {
            *description = &code.description;
        }
    }
    let label = |(code, description): (&str, &str)| Label {
        system: CodeSystem::Custom("any".into()),
        code: code.to_owned(),
        description: description.replace(['\t', '\n', '\r'], " "),
    };
    Ok(LabelSet::new(codes.into_iter().map(label).collect())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::PredictedCode;

    pub(crate) fn predicted(note_id: &str, codes: &[(&str, f64, Option<bool>)]) -> PredictedNote {
        let code = |&(code, probability, assigned): &(&str, f64, Option<bool>)| PredictedCode {
            code: code.into(),
            description: String::new(),
            probability,
            assigned,
        };
        PredictedNote { note_id: note_id.into(), codes: codes.iter().map(code).collect() }
    }

    fn gold(note_id: &str, codes: &[&str]) -> GoldNote {
        GoldNote {
            note_id: note_id.into(),
            patient_id: note_id.into(),
            codes: codes.iter().map(|&code| code.into()).collect(),
        }
    }

    fn files() -> (&'static Path, &'static Path) {
        (Path::new("p"), Path::new("g"))
    }

    #[test]
    fn a_code_that_a_prediction_lacks_counts_as_0() {
        let notes =
            [predicted("b", &[("X", 0.9, None)]), predicted("a", &[("Y", 0.7, None), ("X", 0.2, None)])];
        let table = Table::new(&notes, &[gold("a", &["X", "X"]), gold("b", &["Z"])], None, files()).unwrap();
        let codes: Vec<_> = table.labels.iter().map(|label| label.code.as_str()).collect();
        assert_eq!(codes, ["X", "Y", "Z"]);
        assert_eq!(table.probabilities, [0.2, 0.7, 0.0, 0.9, 0.0, 0.0]);
        assert_eq!(table.gold, [vec![0], vec![2]]);
        assert_eq!((table.missing_cells, table.assigned), (3, None));
    }

    #[test]
    fn codes_outside_the_label_set_are_counted() {
        let labels =
            LabelSet::from_tsv(b"system\tcode\tdescription\nicd10cm\tE11.9\t\nlocal\tX\t\n").unwrap();
        let notes = [predicted("a", &[("e119", 0.7, Some(true)), ("Q", 0.2, Some(false))])];
        let table = Table::new(&notes, &[gold("a", &["E119", "R", "S"])], Some(&labels), files()).unwrap();
        assert_eq!(table.probabilities, [0.7, 0.0]);
        assert_eq!(table.assigned, Some(vec![true, false]));
        assert_eq!(table.gold, [vec![0]]);
        assert_eq!((table.outside, table.missing_cells), (Outside { gold: 2, predicted: 1 }, 1));
        let twice = [predicted("a", &[("E11.9", 0.7, None), ("e119", 0.2, None)])];
        let error = Table::new(&twice, &[gold("a", &[])], Some(&labels), files()).unwrap_err().to_string();
        assert_eq!(error, "p: note_id `a`, code `e119`: another spelling of it stands in the same note");
    }

    #[test]
    fn both_sides_have_the_same_notes() {
        let one = [predicted("a", &[("X", 0.5, None)])];
        let error = Table::new(&one, &[gold("a", &[]), gold("b", &[])], None, files()).unwrap_err();
        assert!(
            error.to_string().starts_with("p: no prediction for note_id `b` of g (1 of 2 gold notes"),
            "{error}"
        );
        let error = Table::new(&one, &[], None, files()).unwrap_err().to_string();
        assert_eq!(error, "g: no gold for note_id `a` of p (1 of 1 predicted notes have none)");
        let error = Table::new(&[predicted("a", &[])], &[gold("a", &[])], None, files()).unwrap_err();
        assert_eq!(format!("{error:#}"), "codes of p and g: a label set needs at least one label");
    }
}
