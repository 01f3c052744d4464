//! What coders make of notes: codes that are missing, wrong or of another note of the encounter, and what chronic
//! imputation mends.

use std::collections::{HashMap, HashSet};

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::parameters::Labels;
use super::patient::Encounter;
use super::population::Population;

/// The conditions of an encounter that coders code.
pub(super) fn coded(encounter: &Encounter, rules: &Labels, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let acute = encounter.acute.iter().map(|condition| (*condition, rules.acute_coded));
    let lasting = encounter.lasting.iter().map(|condition| (*condition, rules.lasting_coded));
    acute
        .chain(lasting)
        .filter(|(_, chance)| rng.random_bool(*chance))
        .map(|(condition, _)| condition)
        .collect()
}

/// The conditions whose codes a note of the encounter carries, given what it documents.
pub(super) fn of_note(
    hospital: &Population,
    coded: &[usize],
    documented: &[usize],
    rng: &mut ChaCha8Rng,
) -> Vec<usize> {
    let rules = &hospital.parameters.labels;
    let mut codes: Vec<usize> = Vec::new();
    for condition in coded {
        let here = documented.contains(condition) || rng.random_bool(rules.of_encounter);
        if !here {
            continue;
        }
        let sibling = hospital.conditions[*condition].siblings.choose(rng).copied();
        let written = match sibling {
            Some(sibling) if rng.random_bool(rules.sibling) => sibling,
            _ => *condition,
        };
        if !codes.contains(&written) {
            codes.push(written);
        }
    }
    if rng.random_bool(rules.stray)
        && let Some(stray) = hospital.draw_deniable(rng)
        && !codes.contains(&stray)
    {
        codes.push(stray);
    }
    codes
}

/// The paper's imputation, on one patient's notes in the order of their dates: a chronic code that stands on two notes
/// is put on all notes from the first of them on. Every note of this hospital is an encounter of its own, so that this is
/// what `prepare` makes of its records (but for notes of one day, which have an order here).
pub(super) fn impute<'a>(
    notes: &[HashSet<&'a str>],
    chronic: impl Fn(&str) -> bool,
) -> Vec<HashSet<&'a str>> {
    let mut seen: HashMap<&str, (usize, usize)> = HashMap::new();
    for (at, codes) in notes.iter().enumerate() {
        for code in codes.iter().filter(|code| chronic(code)) {
            seen.entry(code).or_insert((at, 0)).1 += 1;
        }
    }
    let mut imputed = notes.to_vec();
    for (code, (first, count)) in seen {
        if count > 1 {
            for codes in &mut imputed[first..] {
                codes.insert(code);
            }
        }
    }
    imputed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chronic_code_seen_twice_is_on_all_notes_from_the_first_on() {
        let notes: Vec<HashSet<&str>> =
            [vec!["J06.9"], vec!["I10", "E11.9"], vec!["J06.9"], vec!["I10"], vec![]]
                .into_iter()
                .map(|codes| codes.into_iter().collect())
                .collect();
        let imputed = impute(&notes, |code| code != "J06.9");
        let has = |code| imputed.iter().map(|codes| codes.contains(code)).collect::<Vec<_>>();
        assert_eq!(has("I10"), [false, true, true, true, true]);
        assert_eq!(has("E11.9"), [false, true, false, false, false]);
        assert_eq!(has("J06.9"), [true, false, true, false, false]);
    }
}
