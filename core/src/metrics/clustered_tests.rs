use super::*;
use crate::metrics::auc::area_under_curve;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The textbook's formulas for one ranking of independent notes: AUC and DeLong's variance.
fn delong(positives: &[f64], negatives: &[f64]) -> (f64, f64) {
    let psi = |x: f64, y: f64| if x > y { 1.0 } else { 0.5 * f64::from(u8::from(x == y)) };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let variance = |values: &[f64]| {
        let mean = mean(values);
        values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0)
    };
    let of = |x: f64| mean(&negatives.iter().map(|&y| psi(x, y)).collect::<Vec<_>>());
    let v10: Vec<f64> = positives.iter().map(|&x| of(x)).collect();
    let v01: Vec<f64> =
        negatives.iter().map(|&y| mean(&positives.iter().map(|&x| psi(x, y)).collect::<Vec<_>>())).collect();
    (mean(&v10), variance(&v10) / v10.len() as f64 + variance(&v01) / v01.len() as f64)
}

/// Patients of one to five notes with codes that repeat, and two models whose scores follow them.
struct Cohort {
    labels: usize,
    gold: Vec<Vec<u32>>,
    patients: Vec<u32>,
    tables: [Vec<f32>; 2],
}

fn cohort(patients: u32, labels: usize, seed: u64) -> Cohort {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut made = Cohort { labels, gold: vec![], patients: vec![], tables: [vec![], vec![]] };
    for patient in 0..patients {
        let sick: Vec<bool> = (0..labels).map(|label| rng.random_bool(0.5 / (1.0 + label as f64))).collect();
        let own: f64 = rng.random_range(-0.7..0.7);
        for _ in 0..rng.random_range(1..6) {
            let gold: Vec<bool> =
                sick.iter().map(|&sick| rng.random_bool(if sick { 0.8 } else { 0.03 })).collect();
            for &is_gold in &gold {
                let truth = f64::from(u8::from(is_gold)) + own + rng.random_range(-1.0..1.0);
                for (model, noise) in [0.4, 1.6].into_iter().enumerate() {
                    let logit: f64 = truth + rng.random_range(-noise..noise);
                    // Coarse, so that there are ties.
                    let p = (1.0 / (1.0 + (-logit).exp()) * 200.0).round() / 200.0;
                    made.tables[model].push(p as f32);
                }
            }
            made.gold.push((0..labels as u32).filter(|&label| gold[label as usize]).collect());
            made.patients.push(patient);
        }
    }
    made
}

fn influence(cohort: &Cohort, model: usize, group_of: &[u32]) -> AucInfluence {
    let clusters = Clusters::new(&cohort.gold, &cohort.patients, group_of).unwrap();
    let predictions = Predictions::new(&cohort.tables[model], &cohort.gold, cohort.labels).unwrap();
    clustered_auc(&predictions, &clusters)
}

#[test]
fn independent_notes_have_delongs_variance() {
    let table = [0.9f32, 0.4, 0.7, 0.4, 0.35, 0.8, 0.1, 0.4];
    let gold: Vec<Vec<u32>> = [1, 1, 1, 0, 0, 0, 0, 0].map(|one| vec![0; one]).to_vec();
    let clusters = Clusters::new(&gold, &[0, 1, 2, 3, 4, 5, 6, 7], &[0]).unwrap();
    let found = clustered_auc(&Predictions::new(&table, &gold, 1).unwrap(), &clusters);
    let of = |range: std::ops::Range<usize>| table[range].iter().map(|&p| f64::from(p)).collect::<Vec<_>>();
    let (auc, variance) = delong(&of(0..3), &of(3..8));
    // By hand: .9 beats all 5; .4 ties two and beats two: 3; .7 beats 4: 12 of 15.
    assert!((auc - 12.0 / 15.0).abs() < 1e-12);
    for estimate in [found.micro.as_ref().unwrap(), &found.groups[0]] {
        assert!((estimate.value - auc).abs() < 1e-12);
        let error = estimate.standard_error().unwrap();
        assert!((error * error - variance).abs() < 1e-12, "{} {variance}", error * error);
    }
    // V10 = 1, .6, .8; V01 = .5/3, 0, ... : S10 = .04, a third of it .01333.
    assert!((variance - 0.04 / 3.0 - 0.2 * (variance_of(&[0.5, 0.0, 2.0, 0.0, 0.5]) / 9.0)).abs() < 1e-12);
}

fn variance_of(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0)
}

#[test]
fn influences_sum_to_nothing_and_values_are_those_of_the_metrics() {
    let cohort = cohort(300, 21, 3);
    let group_of: Vec<u32> = (0..21).map(|label| u32::from(label >= 7)).collect();
    let found = influence(&cohort, 0, &group_of);
    let predictions = Predictions::new(&cohort.tables[0], &cohort.gold, cohort.labels).unwrap();
    let area = area_under_curve(&predictions);
    let whole = found.macro_mean().unwrap();
    assert!((found.micro.as_ref().unwrap().value - area.auc_micro.unwrap()).abs() < 1e-12);
    assert!((whole.value - area.auc_macro.unwrap()).abs() < 1e-12);
    assert_eq!(found.groups[0].codes + found.groups[1].codes, whole.codes);
    for estimate in [found.micro.as_ref().unwrap(), &found.groups[0], &found.groups[1], &whole] {
        assert!(estimate.influence.iter().sum::<f64>().abs() < 1e-9);
    }
}

#[test]
fn blocks_in_any_order_give_the_same_influences() {
    let cohort = cohort(700, 5, 4);
    let clusters = Clusters::new(&cohort.gold, &cohort.patients, &[0; 5]).unwrap();
    let whole = influence(&cohort, 0, &[0; 5]);
    let table = &cohort.tables[0];
    let half = cohort.gold.len() / 2;
    let blocks = [(half, &table[half * 5..]), (0, &table[..half * 5])];
    let mut positives = Positives::new(&clusters);
    blocks.iter().for_each(|(first, rows)| positives.add(*first, rows));
    let mut placement = positives.sorted();
    blocks.iter().for_each(|(first, rows)| placement.add(*first, rows));
    let found = placement.finish(|note, label| table[note * 5 + label]);
    assert!(cohort.gold.len() > ROWS, "more than one block");
    assert_eq!(found.per_code, whole.per_code);
    let (a, b) = (found.micro.unwrap(), whole.micro.unwrap());
    assert!(a.influence.iter().zip(&b.influence).all(|(a, b)| (a - b).abs() < 1e-14));
}

#[test]
fn standard_errors_are_those_of_a_bootstrap_over_patients() {
    let cohort = cohort(250, 6, 5);
    let estimates = [0, 1].map(|model| influence(&cohort, model, &[0; 6]));
    let pair = |of: fn(&AucInfluence) -> Estimate| {
        let [a, b] = [of(&estimates[0]), of(&estimates[1])];
        let difference = a.minus(&b);
        [a.standard_error().unwrap(), difference.standard_error().unwrap()]
    };
    let micro = pair(|found| found.micro.clone().unwrap());
    let whole = pair(|found| found.macro_mean().unwrap());

    let mut notes_of = vec![Vec::new(); 250];
    cohort.patients.iter().enumerate().for_each(|(note, &patient)| notes_of[patient as usize].push(note));
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let mut drawn: [Vec<f64>; 4] = Default::default();
    for _ in 0..400 {
        let notes: Vec<usize> =
            (0..250).flat_map(|_| notes_of[rng.random_range(0..250usize)].iter().copied()).collect();
        let gold: Vec<Vec<u32>> = notes.iter().map(|&note| cohort.gold[note].clone()).collect();
        let areas = [0, 1].map(|model| {
            let rows = notes.iter().flat_map(|&note| &cohort.tables[model][note * 6..(note + 1) * 6]);
            let table: Vec<f32> = rows.copied().collect();
            let area = area_under_curve(&Predictions::new(&table, &gold, 6).unwrap());
            [area.auc_micro.unwrap(), area.auc_macro.unwrap()]
        });
        for at in 0..2 {
            drawn[2 * at].push(areas[0][at]);
            drawn[2 * at + 1].push(areas[0][at] - areas[1][at]);
        }
    }
    for (ours, drawn) in micro.into_iter().chain(whole).zip(&drawn) {
        let bootstrap = variance_of(drawn).sqrt();
        // 400 draws know a standard error to 3.5 %.
        assert!((ours / bootstrap - 1.0).abs() < 0.12, "{ours} {bootstrap}");
    }
    // Notes taken for independent would promise too much.
    let alone: Vec<u32> = (0..cohort.gold.len() as u32).collect();
    let clusters = Clusters::new(&cohort.gold, &alone, &[0; 6]).unwrap();
    let predictions = Predictions::new(&cohort.tables[0], &cohort.gold, 6).unwrap();
    let naive = clustered_auc(&predictions, &clusters).micro.unwrap().standard_error().unwrap();
    assert!(naive < 0.85 * micro[0], "{naive} {}", micro[0]);
}

#[test]
fn codes_without_both_kinds_are_left_out() {
    let gold = [vec![0, 2], vec![2], vec![0, 2], vec![2]];
    let table = [0.9f32, 0.1, 0.5, 0.2, 0.1, 0.5, 0.8, 0.2, 0.5, 0.3, 0.9, 0.5];
    let clusters = Clusters::new(&gold, &[7, 7, 9, 3], &[0, 0, 1]).unwrap();
    assert_eq!(clusters.clusters(), 3);
    let found = clustered_auc(&Predictions::new(&table, &gold, 3).unwrap(), &clusters);
    assert_eq!(found.per_code, [Some(1.0), None, None]);
    assert_eq!((found.groups[0].codes, found.groups[1].codes), (1, 0));
    assert_eq!(found.micro.unwrap().value, 1.0);
    let wrong = Clusters::new(&gold, &[7, 7], &[0, 0, 1]).unwrap_err();
    assert!(matches!(wrong, MetricsError::Shape { .. }));
    let nothing = Clusters::new(&[], &[], &[]).unwrap();
    let nothing = clustered_auc(&Predictions::<f32>::new(&[], &[], 0).unwrap(), &nothing);
    assert!(nothing.micro.is_none() && nothing.macro_mean().is_none());
}
