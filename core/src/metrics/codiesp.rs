//! The official rules of CodiEsp's coding tasks (CLEF eHealth 2020, task 1): D (diagnoses) and P
//! (procedures).
//!
//! Codes compare without case. Codes outside the task's list are removed and of repeated ones the first
//! is kept, before ranking. Average precision divides by all distinct gold codes, inside the list or
//! not, and reads the first 1,000 predictions ([`DEPTH`], the default of the organisers' `trectools`
//! 0.0.42). Source: the organisers' scripts `codiespD_P_evaluation.py` and `comp_f1_diag_proc.py`.
//!
//! The order is that of the prediction file. `trectools` 0.0.50 differs under the same script: all scores
//! in it are equal, and that version orders equal scores by code.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::auc::mean;
use super::confusion::Confusion;
use super::ranking::average_precision_of_ranks;

/// Predictions of a document that average precision reads.
pub const DEPTH: usize = 1000;

/// What becomes of documents that have no valid prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rules {
    /// As the organisers' script: MAP is the mean over documents with a valid prediction. One with a
    /// prediction but no gold counts 0.
    Compat,
    /// MAP is the mean over documents with gold; one without a valid prediction counts 0.
    Strict,
}

/// One clinical case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document {
    /// Gold codes, in any order.
    pub gold: Vec<String>,
    /// Predicted codes, best first: all of them for MAP, the assigned ones for F1.
    pub predicted: Vec<String>,
}

/// The codes that count in a task: its official list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeList(HashSet<String>);

impl<S: AsRef<str>> FromIterator<S> for CodeList {
    fn from_iter<I: IntoIterator<Item = S>>(codes: I) -> Self {
        CodeList(codes.into_iter().map(|code| code.as_ref().to_lowercase()).collect())
    }
}

impl CodeList {
    /// Whether the list has the code, without case.
    pub fn contains(&self, code: &str) -> bool {
        self.0.contains(&code.to_lowercase())
    }

    /// Lower-cased predictions on the list, in order, each once.
    fn valid(&self, predicted: &[String]) -> Vec<String> {
        let mut seen = HashSet::new();
        let lower = predicted.iter().map(|code| code.to_lowercase());
        lower.filter(|code| self.0.contains(code) && seen.insert(code.clone())).collect()
    }
}

/// Mean average precision, and the documents it stands on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CodiEspMap {
    /// Mean average precision; `None` if the rules leave no document.
    pub map: Option<f64>,
    /// Documents that the mean is over.
    pub documents: usize,
    /// Documents without a valid prediction: left out by `compat`, 0 by `strict`.
    pub without_prediction: usize,
}

/// Mean average precision of ranked codes.
pub fn mean_average_precision(documents: &[Document], list: &CodeList, rules: Rules) -> CodiEspMap {
    let mut scores = Vec::new();
    let mut without_prediction = 0;
    for document in documents {
        let gold = distinct(&document.gold);
        let valid = list.valid(&document.predicted);
        without_prediction += usize::from(valid.is_empty());
        let counts = match rules {
            Rules::Compat => !valid.is_empty(),
            Rules::Strict => !gold.is_empty(),
        };
        if counts {
            scores.push(average_precision(&valid, &gold));
        }
    }
    CodiEspMap { map: mean(scores.iter().copied()), documents: scores.len(), without_prediction }
}

fn average_precision(valid: &[String], gold: &HashSet<String>) -> f64 {
    if gold.is_empty() {
        return 0.0;
    }
    let top = valid.iter().take(DEPTH).enumerate();
    let ranks: Vec<usize> = top.filter(|(_, code)| gold.contains(*code)).map(|(at, _)| at + 1).collect();
    average_precision_of_ranks(&ranks, gold.len())
}

/// Pooled counts of the assigned sets against the gold sets; [`Confusion::f1`] is the task's micro-F1.
///
/// Assigned codes outside the list are removed; gold ones are not, and count as missed. The official
/// script pools all documents, so there is nothing to choose between `compat` and `strict`.
pub fn micro_counts(documents: &[Document], list: &CodeList) -> Confusion {
    documents.iter().fold(Confusion::default(), |sum, document| {
        let gold = distinct(&document.gold);
        let valid = list.valid(&document.predicted);
        let hits = valid.iter().filter(|code| gold.contains(*code)).count();
        Confusion {
            true_positives: sum.true_positives + hits as u64,
            false_positives: sum.false_positives + (valid.len() - hits) as u64,
            false_negatives: sum.false_negatives + (gold.len() - hits) as u64,
        }
    })
}

fn distinct(codes: &[String]) -> HashSet<String> {
    codes.iter().map(|code| code.to_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(gold: &str, predicted: &str) -> Document {
        let codes = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        Document { gold: codes(gold), predicted: codes(predicted) }
    }

    fn list() -> CodeList {
        ["I10", "e11.9", "J18.9", "r05"].into_iter().collect()
    }

    #[test]
    fn list_case_and_repeats() {
        // Valid: e11.9 (miss), i10 (rank 2), r05 (rank 3, miss). Two gold codes: ½ · 1/2.
        let documents = [document("I10 J18.9 i10", "x99 E11.9 I10 i10 R05")];
        for rules in [Rules::Compat, Rules::Strict] {
            assert_eq!(mean_average_precision(&documents, &list(), rules).map, Some(0.25));
        }
    }

    #[test]
    fn a_document_without_valid_prediction() {
        let documents = [document("I10", "i10"), document("R05", "x99"), document("R05", "")];
        let compat = mean_average_precision(&documents, &list(), Rules::Compat);
        assert_eq!(compat, CodiEspMap { map: Some(1.0), documents: 1, without_prediction: 2 });
        let strict = mean_average_precision(&documents, &list(), Rules::Strict);
        assert_eq!(strict, CodiEspMap { map: Some(1.0 / 3.0), documents: 3, without_prediction: 2 });
        let none = mean_average_precision(&documents[1..], &list(), Rules::Compat);
        assert_eq!((none.map, none.documents), (None, 0));
    }

    #[test]
    fn a_document_without_gold() {
        let documents = [document("I10", "i10"), document("", "r05")];
        assert_eq!(mean_average_precision(&documents, &list(), Rules::Compat).map, Some(0.5));
        assert_eq!(mean_average_precision(&documents, &list(), Rules::Strict).map, Some(1.0));
    }

    #[test]
    fn gold_outside_the_list_still_divides() {
        let documents = [document("I10 Q99", "q99 i10")];
        assert_eq!(mean_average_precision(&documents, &list(), Rules::Compat).map, Some(0.5));
        let counts = micro_counts(&documents, &list());
        assert_eq!(counts, Confusion { true_positives: 1, false_positives: 0, false_negatives: 1 });
        assert_eq!(counts.f1(), Some(2.0 / 3.0));
    }

    #[test]
    fn only_the_first_thousand_are_read() {
        let many: Vec<String> = (0..=DEPTH).map(|i| format!("c{i}")).collect();
        let list: CodeList = many.iter().collect();
        let at = |gold: usize| {
            let document = Document { gold: vec![many[gold].clone()], predicted: many.clone() };
            mean_average_precision(&[document], &list, Rules::Compat).map
        };
        assert_eq!((at(DEPTH - 1), at(DEPTH)), (Some(0.001), Some(0.0)));
    }
}
