use bert_xml_core::metrics::{Estimate, evaluate};

use super::super::rows::ROWS;
use super::*;
use crate::reproduce::outcome::{BandAuc, Influences, Outcome};
use crate::reproduce::suite::{Scale, Suite};

fn outcome(row: &str, macro_auc: f64) -> Outcome {
    let interval = |value| Some(Interval { value, low: value - 0.01, high: value + 0.02 });
    Outcome {
        row: row.into(),
        report: evaluate(&[0.2f32], &[vec![]], 1, 0.5).unwrap(),
        auc_micro: interval(0.9),
        auc_macro: interval(macro_auc),
        bands: vec![BandAuc { codes: 1, auc: interval(macro_auc) }],
        per_code: vec![Some(macro_auc)],
        siblings: None,
        ece_calibrated: None,
        trained: String::new(),
        seconds: 1.0,
        tokens: None,
        dev_curve: Vec::new(),
        patients: 2,
    }
}

/// A row whose two patients pull its AUC up and down by `spread`.
fn influences(value: f64, spread: f64) -> Influences {
    let estimate = Estimate { value, codes: 1, influence: vec![spread, -spread] };
    Influences { micro: estimate.clone(), bands: vec![estimate] }
}

fn judged(suite: Suite, rows: &[(&str, f64, f64)]) -> Vec<Judgement> {
    let outcomes: Vec<Outcome> = rows.iter().map(|(id, value, _)| outcome(id, *value)).collect();
    let rows =
        outcomes.iter().zip(rows).map(|(o, (_, value, spread))| (o, Some(influences(*value, *spread))));
    let known = Known { suite, scale: Scale::Smoke, rows: rows.collect(), rare: vec![0], figures: None };
    judge(&known)
}

fn of<'a>(all: &'a [Judgement], id: &str) -> &'a Judgement {
    all.iter().find(|judgement| judgement.id == id).unwrap()
}

#[test]
fn the_interval_of_the_paired_difference_decides() {
    // Errors of 2 · spread; pairs with the same spread cancel.
    let all = judged(
        Suite::Cohort,
        &[("9", 0.8, 0.01), ("10", 0.82, 0.01), ("12", 0.85, 0.04), ("14", 0.86, 0.01)],
    );
    assert_eq!(of(&all, "xml-small").verdict, Verdict::Confirmed);
    assert_eq!(of(&all, "xml-small").ours, "row 9 .800 → row 10 .820");
    let big = of(&all, "xml-big");
    assert_eq!(big.verdict, Verdict::Inconclusive);
    assert!(big.difference.unwrap().low < 0.0 && big.difference.unwrap().high > 0.0);
    let all = judged(Suite::Cohort, &[("9", 0.9, 0.01), ("10", 0.8, 0.01)]);
    assert_eq!(of(&all, "xml-small").verdict, Verdict::NotConfirmed);
    assert_eq!(of(&all, "xml-big").verdict, Verdict::Open);
    assert!(of(&all, "xml-big").why.contains("14 against 12"));
}

#[test]
fn every_pair_must_hold() {
    let all =
        judged(Suite::Cohort, &[("1", 0.7, 0.01), ("2", 0.85, 0.01), ("9", 0.8, 0.01), ("12", 0.9, 0.01)]);
    assert_eq!(of(&all, "bert").verdict, Verdict::NotConfirmed);
    assert_eq!(of(&all, "bert").ours, "row 2 .850 → row 9 .800 (the worst of 4)");
    // One encoder above both does not speak for those that are not done.
    let mut rows = vec![("1", 0.7, 0.01), ("2", 0.75, 0.01), ("9", 0.8, 0.01)];
    let all = judged(Suite::Cohort, &rows);
    assert_eq!(of(&all, "bert").verdict, Verdict::Open);
    assert!(of(&all, "bert").why.contains("14 against 1"), "{}", of(&all, "bert").why);
    let others = ROWS.iter().filter(|row| row.is_the_papers() && row.bert().is_some() && row.id != "9");
    rows.extend(others.map(|row| (row.id, 0.8, 0.01)));
    assert_eq!(of(&judged(Suite::Cohort, &rows), "bert").verdict, Verdict::Confirmed);
}

#[test]
fn what_data_cannot_carry_is_not_applicable_and_what_was_put_in_is_by_construction() {
    let rows = [("8", 0.8, 0.01), ("9", 0.9, 0.01), ("14", 0.99, 0.01)];
    let all = judged(Suite::Vaers, &rows);
    assert_eq!(of(&all, "longer").verdict, Verdict::NotApplicable);
    assert_eq!(of(&all, "well-found").verdict, Verdict::Confirmed);
    assert_eq!(of(&all, "siblings").verdict, Verdict::NotApplicable);
    let all = judged(Suite::Cohort, &rows);
    assert_eq!(of(&all, "longer").verdict, Verdict::Open);
    assert_eq!(of(&all, "well-found").verdict, Verdict::ByConstruction);
    assert_eq!(of(&all, "well-found").ours, "1 of 1");
    assert_eq!(of(&judged(Suite::Cohort, &[]), "well-found").verdict, Verdict::Open);
    assert_eq!(of(&all, "width").ours, "± 1.5e-2");
}

#[test]
fn nothing_more_is_within_a_margin() {
    let l1 = |value| of(&judged(Suite::Cohort, &[("1", 0.8, 0.01), ("1-l1", value, 0.01)]), "l1").verdict;
    assert_eq!(
        (l1(0.79), l1(0.804), l1(0.82)),
        (Verdict::Confirmed, Verdict::Confirmed, Verdict::NotConfirmed)
    );
}
