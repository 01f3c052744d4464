//! What evaluation says: all metrics, where the threshold comes from, and what was counted aside.

use anyhow::Result;
use bert_xml_core::codes::LabelSet;
use bert_xml_core::metrics::{self, Predictions, Report, confusion};
use serde_json::{Map, Value, json};

use super::codiesp::CodiEspScore;
use super::{Assignment, AucIntervals, Outside, Table, ThresholdFrom};

/// The metrics of one set of predictions.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The metrics. Its threshold is meaningless where the assignment has none.
    pub report: Report,
    /// Which codes were assigned.
    pub assignment: Assignment,
    /// Cells that the predictions left out and that count as 0; none where the table was computed whole.
    pub missing_cells: Option<usize>,
    /// Gold and predicted codes outside the label set.
    pub outside: Outside,
    /// Intervals of AUC, where the notes' patients were given.
    pub intervals: Option<AucIntervals>,
    /// CodiEsp's own metrics, where asked for.
    pub codiesp: Option<CodiEspScore>,
    /// Whether and how the gold codes of the corpus were imputed; none where they are of no corpus.
    pub chronic_imputation: Option<String>,
}

/// Judges a table of probabilities.
///
/// # Shapes
/// `probabilities` row-major `[notes, labels]` after the sigmoid, f32 or f64; `gold` a list of label
/// indices a note. `threshold` comes from [`super::tune`] on the development split, or is given.
///
/// # Errors
/// A table that does not fit the notes and labels, a value that is no probability, a threshold that is not
/// finite.
pub fn judge<T: Copy + Into<f64> + PartialOrd + Sync>(
    probabilities: &[T],
    gold: &[Vec<u32>],
    labels: &LabelSet,
    threshold: f64,
) -> Result<Judgement> {
    Ok(Judgement {
        report: metrics::evaluate(probabilities, gold, labels.len(), threshold)?,
        assignment: Assignment::given(threshold),
        missing_cells: None,
        outside: Outside::default(),
        intervals: None,
        codiesp: None,
        chronic_imputation: None,
    })
}

impl Judgement {
    /// Judges lined-up files.
    ///
    /// # Errors
    /// Those of [`judge`].
    pub fn of_table(table: &Table, assignment: Assignment) -> Result<Self> {
        let labels = table.labels.len();
        let threshold = assignment.threshold.unwrap_or(0.5);
        let mut judgement = judge(&table.probabilities, &table.gold, &table.labels, threshold)?;
        if let (None, Some(assigned)) = (assignment.threshold, &table.assigned) {
            // The sets are those of the flags: a table of 0 and 1 has exactly them above ½.
            let flags: Vec<f32> = assigned.iter().map(|&assigned| f32::from(u8::from(assigned))).collect();
            let sets = confusion::at_threshold(&Predictions::new(&flags, &table.gold, labels)?, 0.5);
            judgement.report.f1_micro = sets.f1_micro;
            judgement.report.f1_macro = sets.f1_macro;
            judgement.report.exact_match = sets.exact_match;
        }
        judgement.assignment = assignment;
        judgement.missing_cells = Some(table.missing_cells);
        judgement.outside = table.outside;
        Ok(judgement)
    }

    /// One object: the metrics by their names (`null` if undefined), `threshold` (`null` where several were
    /// used), and, where they apply, `missing_cells`, `auc_micro_interval`, `auc_macro_interval` (both `[low, high]`),
    /// `auc_interval_patients`, `chronic_imputation` and `codiesp`.
    pub fn to_json(&self) -> Value {
        let mut object = match serde_json::to_value(&self.report) {
            Ok(Value::Object(object)) => object,
            _ => Map::new(), // a Report is an object of numbers
        };
        object.insert("threshold".into(), json!(self.assignment.threshold));
        if let Some(missing) = self.missing_cells {
            object.insert("missing_cells".into(), json!(missing));
        }
        if let Some(imputation) = &self.chronic_imputation {
            object.insert("chronic_imputation".into(), json!(imputation));
        }
        if let Some(intervals) = &self.intervals {
            intervals.add_to(&mut object);
        }
        if let Some(codiesp) = &self.codiesp {
            object.insert("codiesp".into(), json!(codiesp));
        }
        Value::Object(object)
    }

    /// Tables and remarks for people.
    pub fn to_markdown(&self) -> String {
        let mut text = self.report.to_markdown();
        if self.assignment.from == ThresholdFrom::FlagsOfSeveral {
            let row = |line: &str| match line.starts_with("| Threshold |") {
                true => "| Threshold | several |\n".to_owned(),
                false => format!("{line}\n"),
            };
            text = text.lines().map(row).collect();
        }
        text += &format!("\nThreshold: {}.\n", self.assignment.from);
        if let Some(intervals) = self.intervals {
            text += &intervals.to_markdown();
        }
        if let Some(missing) = self.missing_cells {
            let cells = self.report.notes * self.report.codes;
            text += &format!("Cells without a prediction, counted as probability 0: {missing} of {cells}.\n");
        }
        if self.outside != Outside::default() {
            text += &format!(
                "Outside the label set and in no number above: {} gold and {} predicted codes (each note's counted).\n",
                self.outside.gold, self.outside.predicted
            );
        }
        if let Some(imputation) = &self.chronic_imputation {
            text += &format!("Chronic imputation of the corpus: {imputation}.\n");
        }
        if let Some(codiesp) = &self.codiesp {
            text += &format!("\n{}", codiesp.to_markdown());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 18] = [
        "auc_macro",
        "auc_micro",
        "auc_micro_all",
        "auprc_macro",
        "auprc_micro",
        "codes",
        "codes_undefined",
        "ece",
        "exact_match",
        "f1_macro",
        "f1_micro",
        "map",
        "notes",
        "p_at_15",
        "p_at_5",
        "p_at_8",
        "r_precision",
        "threshold",
    ];

    fn table(assigned: Option<Vec<bool>>) -> Table {
        Table {
            labels: LabelSet::from_tsv(b"system\tcode\tdescription\nx\tA\t\nx\tB\t\n").unwrap(),
            probabilities: vec![0.9, 0.3, 0.6, 0.0],
            gold: vec![vec![0], vec![1]],
            assigned,
            missing_cells: 1,
            outside: Outside { gold: 2, predicted: 0 },
        }
    }

    #[test]
    fn a_computed_table_has_exactly_the_keys_of_the_metrics() {
        let table = table(None);
        let probabilities: Vec<f32> = table.probabilities.iter().map(|&p| p as f32).collect();
        let judgement = judge(&probabilities, &table.gold, &table.labels, 0.5).unwrap();
        let json = judgement.to_json();
        let mut keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, KEYS);
        // Assigned: A in both notes; gold: A, then B. 1 hit, 1 false, 1 missed.
        assert_eq!((json["f1_micro"].as_f64(), json["threshold"].as_f64()), (Some(0.5), Some(0.5)));
        assert!(judgement.to_markdown().contains("Threshold: as given."));
    }

    #[test]
    fn flags_of_several_thresholds_are_taken_as_they_are() {
        let table = table(Some(vec![true, false, false, true]));
        let judgement = Judgement::of_table(&table, Assignment::of_table(&table)).unwrap();
        let json = judgement.to_json();
        assert_eq!((json["f1_micro"].as_f64(), json["exact_match"].as_f64()), (Some(1.0), Some(1.0)));
        assert!(json["threshold"].is_null());
        assert_eq!(json["missing_cells"], 1);
        let text = judgement.to_markdown();
        assert!(text.contains("| Threshold | several |"), "{text}");
        assert!(
            text.contains("probability 0: 1 of 4.") && text.contains(": 2 gold and 0 predicted"),
            "{text}"
        );
    }
}
