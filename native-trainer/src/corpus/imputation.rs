//! Chronic imputation (paper, section 3): a chronic condition that was coded at two encounters of a patient is one that
//! the patient has, and goes into the notes that lack its code.
//!
//! The paper speaks of two instances in a patient's records and does not say what an instance is. Here it is an
//! encounter: two notes of one stay carry the codes of that stay, and say it once. An encounter is what the records name
//! so; a note without one is an encounter of its own. Days are compared, not hours: notes of one day have no order.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Whether and how codes of chronic conditions are imputed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChronicImputation {
    /// Notes keep the codes that they have
    #[default]
    Off,
    /// A chronic code of two encounters goes into every note of the patient since the earliest (the paper's)
    Paper,
    /// As the paper's, but a note gets only what two earlier encounters were coded with, as on the day it was written
    Causal,
}

impl ChronicImputation {
    /// The word of the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Paper => "paper",
            Self::Causal => "causal",
        }
    }
}

/// A note of one patient, as imputation sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Visit {
    /// Notes with the same number are of one encounter.
    pub encounter: u64,
    /// A number that grows with the date; none where the note has no date.
    pub day: Option<i32>,
    /// Chronic codes, by number, each once.
    pub chronic: Vec<u32>,
}

/// The place of a visit without a date, where the order decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Undated(pub usize);

/// The day of an ISO 8601 date or timestamp as it is written, its offset left out: a number that grows with it.
pub(super) fn day_of(date: &str) -> Option<i32> {
    let number = |range: Range<usize>| date.get(range)?.parse::<i32>().ok();
    Some(number(0..4)? * 10_000 + number(5..7)? * 100 + number(8..10)?)
}

/// The codes that each visit of one patient gets, sorted, none that it has. The order of visits does not matter.
///
/// # Errors
/// A visit without a date, where some code is there twice, so that the order of the visits decides.
pub(super) fn impute(rule: ChronicImputation, visits: &[Visit]) -> Result<Vec<Vec<u32>>, Undated> {
    let mut added = vec![Vec::new(); visits.len()];
    let mut carriers: BTreeMap<u32, HashSet<u64>> = BTreeMap::new();
    for visit in visits {
        visit.chronic.iter().for_each(|code| {
            carriers.entry(*code).or_default().insert(visit.encounter);
        });
    }
    carriers.retain(|_, encounters| encounters.len() >= 2);
    if rule == ChronicImputation::Off || carriers.is_empty() {
        return Ok(added);
    }
    let days: Vec<i32> = visits
        .iter()
        .enumerate()
        .map(|(at, visit)| visit.day.ok_or(Undated(at)))
        .collect::<Result<_, _>>()?;
    // First and last day of each encounter.
    let mut spans: HashMap<u64, (i32, i32)> = HashMap::new();
    for (visit, day) in visits.iter().zip(&days) {
        let span = spans.entry(visit.encounter).or_insert((*day, *day));
        *span = (span.0.min(*day), span.1.max(*day));
    }
    for (code, encounters) in carriers {
        // Paper: from the first day on which a note carries it. Causal: after the second encounter with it is over.
        let earliest = || {
            let carrying = visits.iter().zip(&days).filter(|(visit, _)| visit.chronic.contains(&code));
            carrying.map(|(_, day)| *day).min()
        };
        let second_end = || {
            let mut ends: Vec<i32> = encounters.iter().map(|encounter| spans[encounter].1).collect();
            ends.sort_unstable();
            ends[1]
        };
        let (earliest, second_end) = (earliest(), second_end());
        for ((visit, day), added) in visits.iter().zip(&days).zip(&mut added) {
            let due = match rule {
                ChronicImputation::Causal => spans[&visit.encounter].0 > second_end,
                _ => earliest.is_some_and(|earliest| *day >= earliest),
            };
            if due && !visit.chronic.contains(&code) {
                added.push(code);
            }
        }
    }
    Ok(added)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::ChronicImputation::{Causal, Off, Paper};
    use super::*;

    fn visit(encounter: u64, day: i32, chronic: &[u32]) -> Visit {
        Visit { encounter, day: Some(day), chronic: chronic.to_vec() }
    }

    #[test]
    fn a_condition_of_two_encounters_fills_the_notes_since_the_first() {
        // Day 1: nothing. Day 2: code 7. Day 3: nothing. Day 4: 7 again. Day 5: nothing.
        let visits =
            [visit(1, 1, &[]), visit(2, 2, &[7]), visit(3, 3, &[]), visit(4, 4, &[7, 9]), visit(5, 5, &[])];
        assert_eq!(impute(Off, &visits).unwrap(), [[0u32; 0]; 5]);
        assert_eq!(impute(Paper, &visits).unwrap(), [vec![], vec![], vec![7], vec![], vec![7]]);
        // On day 3 only one encounter had it.
        assert_eq!(impute(Causal, &visits).unwrap(), [vec![], vec![], vec![], vec![], vec![7]]);
    }

    #[test]
    fn notes_of_one_encounter_are_one_instance() {
        let stay = [visit(1, 1, &[7]), visit(1, 2, &[7]), visit(2, 3, &[])];
        assert_eq!(impute(Paper, &stay).unwrap(), [[0u32; 0]; 3]);
        // A second stay, whose last note carries it: only what comes after that stay can know it.
        let mut stays = stay.to_vec();
        stays.extend([visit(3, 4, &[]), visit(3, 6, &[7]), visit(4, 5, &[]), visit(5, 7, &[])]);
        let none = Vec::new;
        let seven = || vec![7];
        assert_eq!(
            impute(Causal, &stays).unwrap(),
            [none(), none(), none(), none(), none(), none(), seven()]
        );
        assert_eq!(
            impute(Paper, &stays).unwrap(),
            [none(), none(), seven(), seven(), none(), seven(), seven()]
        );
    }

    #[test]
    fn notes_of_one_day_have_no_order() {
        let visits = [visit(1, 1, &[7]), visit(2, 1, &[7]), visit(3, 1, &[]), visit(4, 2, &[])];
        assert_eq!(impute(Paper, &visits).unwrap(), [vec![], vec![], vec![7], vec![7]]);
        assert_eq!(impute(Causal, &visits).unwrap(), [vec![], vec![], vec![], vec![7]]);
    }

    #[test]
    fn a_date_is_asked_for_only_where_the_order_decides() {
        let undated = |chronic: &[u32]| Visit { encounter: 9, day: None, chronic: chronic.to_vec() };
        assert_eq!(impute(Paper, &[visit(1, 1, &[7]), undated(&[8])]), Ok(vec![vec![], vec![]]));
        assert_eq!(impute(Paper, &[visit(1, 1, &[7]), undated(&[7])]), Err(Undated(1)));
        assert_eq!(impute(Off, &[visit(1, 1, &[7]), undated(&[7])]), Ok(vec![vec![], vec![]]));
    }

    #[test]
    fn days_grow_with_dates() {
        let days = ["1999-12-31", "2000-01-01", "2000-01-01T23:59:00Z", "2000-02-01 00:00:00"].map(day_of);
        assert!(
            days[0] < days[1] && days[1] == days[2] && days[2] < days[3] && days[0].is_some(),
            "{days:?}"
        );
        assert_eq!(day_of("2000"), None);
    }

    fn patient() -> impl Strategy<Value = Vec<Visit>> {
        let codes = proptest::collection::hash_set(0u32..4, 0..3);
        let visit = (0u64..6, 1i32..8, codes).prop_map(|(encounter, day, codes)| Visit {
            encounter,
            day: Some(day),
            chronic: codes.into_iter().collect(),
        });
        proptest::collection::vec(visit, 0..12)
    }

    proptest! {
        #[test]
        fn off_adds_nothing_causal_no_more_than_paper_and_nothing_comes_twice(visits in patient()) {
            let of = |rule| impute(rule, &visits).unwrap();
            prop_assert!(of(Off).iter().all(Vec::is_empty));
            for ((paper, causal), visit) in of(Paper).iter().zip(&of(Causal)).zip(&visits) {
                prop_assert!(causal.iter().all(|code| paper.contains(code)));
                prop_assert!(paper.iter().all(|code| !visit.chronic.contains(code)));
                prop_assert!(paper.is_sorted() && causal.is_sorted());
            }
        }

        #[test]
        fn the_order_of_the_input_does_not_matter(visits in patient(), turn in 0usize..12) {
            let turned = |mut visits: Vec<Visit>| {
                visits.reverse();
                let len = visits.len().max(1);
                visits.rotate_left(turn % len);
                visits
            };
            for rule in [Paper, Causal] {
                let mut expected = impute(rule, &visits).unwrap();
                expected.reverse();
                let len = expected.len().max(1);
                expected.rotate_left(turn % len);
                prop_assert_eq!(impute(rule, &turned(visits.clone())).unwrap(), expected);
            }
        }

        #[test]
        fn imputing_again_changes_nothing(visits in patient()) {
            let mut whole = visits.clone();
            for (visit, added) in whole.iter_mut().zip(impute(Paper, &visits).unwrap()) {
                visit.chronic.extend(added);
            }
            prop_assert!(impute(Paper, &whole).unwrap().iter().all(Vec::is_empty));
        }
    }
}
