//! What a model has to beat: a constant guesser, TF-IDF with one logistic regression a code, plain bags of words with
//! regressions by stochastic gradients.
//!
//! notes → TF-IDF → one regression a code → probabilities
//!
//! No tensors: sparse rows and plain loops, parallel over codes, the same bits at every run.

pub mod constant;
pub mod logistic;
pub mod on_corpus;
pub mod one_vs_rest;
pub mod sparse;
pub mod stochastic;
pub mod tfidf;

pub use sparse::SparseRows;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{logistic, tfidf};

    #[derive(serde::Deserialize)]
    struct Fixture {
        train: Vec<String>,
        gold: Vec<Vec<u32>>,
        others: Vec<String>,
        features: usize,
        rows: Vec<BTreeMap<String, f64>>,
        decisions: BTreeMap<String, Vec<Vec<f64>>>,
    }

    #[test]
    fn rows_and_regressions_equal_scikit_learns() {
        let fixture: Fixture =
            serde_json::from_str(include_str!("../../../tests/fixtures/baseline.json")).unwrap();
        let mut builder = tfidf::Builder::default();
        fixture.train.iter().for_each(|text| builder.add(text));
        let (model, train) = builder.finish(tfidf::Settings { min_df: 2, pairs: true, counts: false });
        assert_eq!(model.width(), fixture.features);
        let others = model.transform(&fixture.others);
        for (at, expected) in fixture.rows.iter().enumerate() {
            let ours: BTreeMap<usize, f64> = others.row(at).collect();
            assert_eq!(ours.len(), expected.len(), "row {at}");
            for (feature, value) in expected {
                let found = ours[&model.column(feature).unwrap()];
                assert!((found - value).abs() <= 1e-6, "row {at}, {feature}: {found} is not {value}");
            }
        }
        assert_eq!(fixture.decisions.len(), 2);
        for (c, table) in &fixture.decisions {
            for (code, expected) in table.iter().enumerate() {
                let positive: Vec<bool> =
                    fixture.gold.iter().map(|codes| codes.contains(&(code as u32))).collect();
                let settings =
                    logistic::Settings { c: c.parse().unwrap(), tolerance: 1e-6, ..Default::default() };
                let regression = logistic::fit(&train, &positive, settings);
                for (ours, theirs) in regression.logits(&others).iter().zip(expected) {
                    assert!((ours - theirs).abs() <= 1e-5, "C {c}, code {code}: {ours} is not {theirs}");
                }
                // Where the command stops by default, a decision is as far off as the tolerance at most.
                let loose = logistic::fit(
                    &train,
                    &positive,
                    logistic::Settings { c: settings.c, ..Default::default() },
                );
                for (ours, theirs) in loose.logits(&others).iter().zip(expected) {
                    assert!((ours - theirs).abs() <= 2e-2, "C {c}, code {code}: {ours} is not {theirs}");
                }
            }
        }
    }
}
