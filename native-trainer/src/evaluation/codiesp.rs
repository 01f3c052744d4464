//! CodiEsp's own metrics for prediction files: MAP over the ranked codes, F1 over the assigned ones.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use bert_xml_core::codes::{LabelSet, label_set};
use bert_xml_core::metrics::codiesp::{
    CodeList, CodiEspMap, DEPTH, Document, Rules, mean_average_precision, micro_counts,
};
use serde::Serialize;

/// CodiEsp's metrics. An undefined value is `None`, `null` in JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CodiEspScore {
    /// What becomes of documents without a valid prediction.
    pub rules: Rules,
    /// Mean average precision and the documents it is over.
    #[serde(flatten)]
    pub map: CodiEspMap,
    /// Precision of the assigned codes, all documents pooled.
    pub precision: Option<f64>,
    /// Recall of the assigned codes.
    pub recall: Option<f64>,
    /// F1 of the assigned codes.
    pub f1_micro: Option<f64>,
    /// Codes in the task's list; none where every predicted code was taken as valid.
    pub task_codes: Option<usize>,
}

/// The codes that count: a file with one code a line, or a label set.
#[derive(Clone, Debug, Default)]
pub struct TaskCodes(Option<Vec<String>>);

impl TaskCodes {
    /// Reads the task's list. Without a file every predicted code is valid: the organisers' lists (all
    /// CIE-10-ES 2018 codes with their descriptions) are not ours to ship.
    ///
    /// # Errors
    /// The file cannot be read or has no code.
    pub fn read(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self(None)) };
        let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let codes: Vec<String> = if bytes.starts_with(label_set::HEADER.as_bytes()) {
            let set = LabelSet::from_tsv(&bytes).with_context(|| path.display().to_string())?;
            set.iter().map(|label| label.code.clone()).collect()
        } else {
            let text = String::from_utf8(bytes).with_context(|| format!("{}: not UTF-8", path.display()))?;
            text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
        };
        ensure!(!codes.is_empty(), "{}: no code in it; a task's list has one code a line", path.display());
        Ok(Self(Some(codes)))
    }
}

/// Scores documents. `ranked` have all predicted codes, best first; `assigned` the same documents with the
/// assigned codes only.
pub fn score(ranked: &[Document], assigned: &[Document], task: &TaskCodes, rules: Rules) -> CodiEspScore {
    let list: CodeList = match &task.0 {
        Some(codes) => codes.iter().collect(),
        None => ranked.iter().flat_map(|document| &document.predicted).collect(),
    };
    let counts = micro_counts(assigned, &list);
    CodiEspScore {
        rules,
        map: mean_average_precision(ranked, &list, rules),
        precision: counts.precision(),
        recall: counts.recall(),
        f1_micro: counts.f1(),
        task_codes: task.0.as_ref().map(Vec::len),
    }
}

impl CodiEspScore {
    /// A Markdown table.
    pub fn to_markdown(&self) -> String {
        let rules = match self.rules {
            Rules::Compat => "compat",
            Rules::Strict => "strict",
        };
        let mut text = format!("| CodiEsp ({rules}) | Value |\n|---|---:|\n");
        let (map, f1) = (self.map.map, self.f1_micro);
        for (name, value) in
            [("MAP", map), ("Precision", self.precision), ("Recall", self.recall), ("F1", f1)]
        {
            let value = value.map_or_else(|| "undefined".to_owned(), |value| format!("{value:.4}"));
            text += &format!("| {name} | {value} |\n");
        }
        text += &format!("| Documents in MAP | {} |\n", self.map.documents);
        text += &format!("| Documents without a valid prediction | {} |\n", self.map.without_prediction);
        text += &match self.task_codes {
            Some(codes) => format!("\nValid codes: the {codes} of the task's list.\n"),
            None => {
                "\nNo list of the task's codes given (--task-codes): every predicted code is valid.\n".into()
            }
        };
        text
    }
}

/// Documents of a dense table, `[notes, labels]`: codes of at least `cut`, best first (ties in the order of
/// labels), as many as CodiEsp reads; `gold` has all codes of each note, labels or not.
pub fn documents<T: Copy + Into<f64>>(
    table: &[T],
    labels: &LabelSet,
    gold: &[Vec<String>],
    cut: f64,
) -> Vec<Document> {
    let of = |(row, gold): (&[T], &Vec<String>)| {
        let mut order: Vec<usize> = (0..row.len()).filter(|&label| row[label].into() >= cut).collect();
        order.sort_by(|&a, &b| row[b].into().total_cmp(&row[a].into()));
        let top = order.into_iter().take(DEPTH);
        let predicted = top.map(|label| labels.labels()[label].code.clone()).collect();
        Document { gold: gold.clone(), predicted }
    };
    table.chunks_exact(labels.len()).zip(gold).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(gold: &[&str], predicted: &[&str]) -> Document {
        let owned = |codes: &[&str]| codes.iter().map(|&code| code.to_owned()).collect();
        Document { gold: owned(gold), predicted: owned(predicted) }
    }

    #[test]
    fn a_list_of_the_task_filters_before_ranking() {
        let folder = tempfile::tempdir().unwrap();
        let lines = folder.path().join("codes.txt");
        fs::write(&lines, "r05\n\nI10\n").unwrap();
        let labels = folder.path().join("labels.tsv");
        fs::write(&labels, "system\tcode\tdescription\nicd10cm\tR05\t\nicd10cm\tI10\t\n").unwrap();
        let ranked = [document(&["i10"], &["X99", "I10", "R05"])];
        let assigned = [document(&["i10"], &["X99", "I10"])];
        for file in [&lines, &labels] {
            let task = TaskCodes::read(Some(file)).unwrap();
            let score = score(&ranked, &assigned, &task, Rules::Compat);
            assert_eq!((score.map.map, score.f1_micro, score.task_codes), (Some(1.0), Some(1.0), Some(2)));
        }
        let all = score(&ranked, &assigned, &TaskCodes::read(None).unwrap(), Rules::Strict);
        assert_eq!((all.map.map, all.precision, all.recall), (Some(0.5), Some(0.5), Some(1.0)));
        assert!(all.to_markdown().contains("every predicted code is valid"));
        let json = serde_json::to_value(&all).unwrap();
        assert_eq!((json["rules"].as_str(), json["map"].as_f64()), (Some("strict"), Some(0.5)));
        fs::write(&lines, "\n").unwrap();
        assert!(TaskCodes::read(Some(&lines)).is_err());
    }
}
