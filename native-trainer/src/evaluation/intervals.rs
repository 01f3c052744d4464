//! 95 % intervals of AUC, clustered by patient.

use std::collections::HashMap;

use anyhow::Result;
use bert_xml_core::metrics::{Clusters, Estimate, Interval, Predictions, clustered_auc};
use serde_json::{Map, Value, json};

/// Intervals of micro and macro AUC over the codes present.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AucIntervals {
    /// None where no code is present, or one patient has all notes.
    pub micro: Option<Interval>,
    /// As `micro`.
    pub macro_: Option<Interval>,
    /// Patients that the intervals are clustered by.
    pub patients: usize,
}

impl AucIntervals {
    /// From a table of probabilities, `[notes, labels]`, and the patient of each note.
    ///
    /// # Errors
    /// A table of another shape, or with other numbers than probabilities.
    pub fn new<'a, T: Copy + Into<f64> + Sync>(
        probabilities: &[T],
        gold: &[Vec<u32>],
        labels: usize,
        patients: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self> {
        let mut numbers = HashMap::new();
        let of_note = patients.into_iter().map(|patient| {
            let next = numbers.len() as u32;
            *numbers.entry(patient).or_insert(next)
        });
        let of_note: Vec<u32> = of_note.collect();
        let clusters = Clusters::new(gold, &of_note, &vec![0; labels])?;
        let found = clustered_auc(&Predictions::new(probabilities, gold, labels)?, &clusters);
        Ok(Self {
            micro: found.micro.as_ref().and_then(Estimate::interval),
            macro_: found.macro_mean().and_then(|mean| mean.interval()),
            patients: clusters.clusters(),
        })
    }

    /// Adds `auc_micro_interval` and `auc_macro_interval` (`[low, high]` or `null`) and `auc_interval_patients`.
    pub(super) fn add_to(&self, object: &mut Map<String, Value>) {
        let ends = |interval: Option<Interval>| interval.map(|interval| [interval.low, interval.high]);
        object.insert("auc_micro_interval".into(), json!(ends(self.micro)));
        object.insert("auc_macro_interval".into(), json!(ends(self.macro_)));
        object.insert("auc_interval_patients".into(), json!(self.patients));
    }

    /// A line for people.
    pub(super) fn to_markdown(self) -> String {
        let shown = |interval: Option<Interval>| {
            interval.map_or("undefined".to_owned(), |it| format!("{:.4} to {:.4}", it.low, it.high))
        };
        format!(
            "95 % intervals, clustered by {} patients: AUC micro {}, macro {}.\n",
            self.patients,
            shown(self.micro),
            shown(self.macro_)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_of_one_patient_count_as_one() {
        let table = [0.9f32, 0.4, 0.7, 0.4, 0.35, 0.8, 0.1, 0.4];
        let gold: Vec<Vec<u32>> = [1, 1, 1, 0, 0, 0, 0, 0].map(|one| vec![0; one]).to_vec();
        let of = |patients: &str| {
            let names: Vec<String> = patients.chars().map(String::from).collect();
            AucIntervals::new(&table, &gold, 1, names.iter().map(String::as_str)).unwrap()
        };
        let (alone, paired) = (of("abcdefgh"), of("aabbccdd"));
        assert_eq!((alone.patients, paired.patients), (8, 4));
        assert_eq!(alone.micro.unwrap().value, paired.micro.unwrap().value);
        assert!(alone.micro.unwrap() != paired.micro.unwrap());
        let none = of("aaaaaaaa");
        let mut object = Map::new();
        none.add_to(&mut object);
        assert!(object["auc_micro_interval"].is_null() && object["auc_interval_patients"] == 1);
        assert!(none.to_markdown().contains("micro undefined"));
    }
}
