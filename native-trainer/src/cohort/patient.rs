//! A patient's years: what stays with them, what brings them in each time, and what they only tell of.

use std::ops::Range;

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::chance::poisson;
use super::people::{Group, Sex};
use super::population::Population;

/// Days between two encounters: after a stay or for a course of treatment, for a follow-up, else.
const GAPS: [Range<u32>; 3] = [2..15, 15..75, 75..260];
/// Draws after which nothing more is looked for.
const TRIES: usize = 12;

/// One visit, call or stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Encounter {
    /// Place among the kinds of encounters.
    pub(super) kind: usize,
    /// Days since the patient's first encounter.
    pub(super) day: u32,
    /// Acute conditions, the reason for coming first.
    pub(super) acute: Vec<usize>,
    /// Lasting conditions known by then.
    pub(super) lasting: Vec<usize>,
}

/// A patient of the hospital.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Patient {
    pub(super) group: Group,
    /// At the first encounter.
    pub(super) age: u32,
    /// Days after 1 January 2012 at which the first encounter lies.
    pub(super) first_day: u32,
    pub(super) encounters: Vec<Encounter>,
    /// What relatives have.
    pub(super) family: Vec<usize>,
    /// What the patient had long ago.
    pub(super) past: Vec<usize>,
}

impl Patient {
    /// Draws a patient of the hospital.
    pub(super) fn draw(hospital: &Population, rng: &mut ChaCha8Rng) -> Self {
        let rules = &hospital.parameters.patients;
        let group = hospital.draw_group(rng);
        let age = rng.random_range(group.years());
        let first_day = rng.random_range(0..2200);
        let mut lasting: Vec<usize> = Vec::new();
        for _ in 0..poisson(rules.lasting[group.band], rng) {
            let found = draw_beside(hospital, group, true, &lasting, &[], rules.companions, rng);
            lasting.extend(found);
        }
        let mean = rules.encounters + rules.encounters_each * lasting.len() as f64;
        let mut count = 1;
        while count < rules.most_encounters && rng.random_bool(mean / (1.0 + mean)) {
            count += 1;
        }
        let onsets: Vec<usize> = lasting
            .iter()
            .map(|_| if rng.random_bool(rules.known_before) { 0 } else { rng.random_range(0..count) })
            .collect();
        let mut encounters: Vec<Encounter> = Vec::with_capacity(count);
        let mut day = 0;
        for number in 0..count {
            let known: Vec<usize> =
                lasting.iter().zip(&onsets).filter(|(_, onset)| **onset <= number).map(|(c, _)| *c).collect();
            let kind = hospital.draw_kind(rng);
            let rule = &hospital.kinds[kind];
            let mut acute: Vec<usize> = Vec::new();
            if let Some(last) = encounters.last() {
                // What has become lasting by now is no longer acute.
                let free = |condition: &&usize| {
                    let condition = &hospital.conditions[**condition];
                    known.iter().all(|other| !condition.same_category(&hospital.conditions[*other]))
                };
                let again = last.acute.iter().filter(free).filter(|_| rng.random_bool(rules.again));
                acute.extend(again);
            }
            let draws = (0..rule.acute_draws).filter(|_| rng.random_bool(rule.acute_chance)).count();
            // Somebody comes for something.
            let wanted = draws.max(usize::from(known.is_empty()));
            while acute.len() < wanted {
                let Some(found) = draw_beside(hospital, group, false, &acute, &known, rules.companions, rng)
                else {
                    break;
                };
                acute.push(found);
            }
            encounters.push(Encounter { kind, day, acute, lasting: known });
            let gap = GAPS.choose(rng).expect("not empty");
            day += rng.random_range(gap.clone());
        }
        let mut patient = Self { group, age, first_day, encounters, family: Vec::new(), past: Vec::new() };
        for _ in 0..poisson(rules.family, rng) {
            patient.family.extend(hospital.draw_family(rng).filter(|told| patient.free_of(hospital, *told)));
        }
        if age > 0 {
            for _ in 0..poisson(rules.past, rng) {
                let told = hospital.draw_past(rng).filter(|told| {
                    hospital.conditions[*told].in_group[group.place()] > 0.0
                        && patient.free_of(hospital, *told)
                });
                patient.past.extend(told);
            }
        }
        patient.family.dedup();
        patient.past.dedup();
        patient
    }

    /// Whether the patient never has the condition nor one of its category.
    pub(super) fn free_of(&self, hospital: &Population, condition: usize) -> bool {
        let all =
            self.encounters.iter().flat_map(|encounter| encounter.acute.iter().chain(&encounter.lasting));
        let wanted = &hospital.conditions[condition];
        all.into_iter().all(|other| !wanted.same_category(&hospital.conditions[*other]))
    }

    /// Whether the patient never has this very condition; siblings do not count.
    pub(super) fn never_has(&self, condition: usize) -> bool {
        self.encounters
            .iter()
            .all(|encounter| !encounter.acute.contains(&condition) && !encounter.lasting.contains(&condition))
    }

    pub(super) fn is_female(&self) -> bool {
        self.group.sex == Sex::Female
    }

    /// Age in whole years at a day after the first encounter.
    pub(super) fn age_at(&self, day: u32) -> u32 {
        self.age + day / 365
    }
}

/// A condition beside those that are there: among the companions of one of them, or of the group's pool. No category
/// comes twice. None where a few draws find none.
fn draw_beside(
    hospital: &Population,
    group: Group,
    lasting: bool,
    here: &[usize],
    also: &[usize],
    companions: f64,
    rng: &mut ChaCha8Rng,
) -> Option<usize> {
    let there: Vec<usize> = here.iter().chain(also).copied().collect();
    (0..TRIES).find_map(|_| {
        let companion = if rng.random_bool(companions) {
            there
                .choose(rng)
                .and_then(|one| companion(hospital, *one, rng))
                .filter(|found| hospital.takes(*found, rng))
        } else {
            None
        };
        let drawn = match companion.filter(|found| hospital.conditions[*found].lasting == lasting) {
            Some(found) => found,
            None if lasting => hospital.draw_lasting(group, rng)?,
            None => hospital.draw_acute(group, rng)?,
        };
        let condition = &hospital.conditions[drawn];
        let fits = condition.in_group[group.place()] > 0.0
            && there.iter().all(|other| !condition.same_category(&hospital.conditions[*other]));
        fits.then_some(drawn)
    })
}

fn companion(hospital: &Population, of: usize, rng: &mut ChaCha8Rng) -> Option<usize> {
    let companions = &hospital.conditions[of].companions;
    let (_, sum) = companions.last()?;
    let at = rng.random::<f64>() * sum;
    let place = companions.partition_point(|(_, sum)| *sum <= at).min(companions.len() - 1);
    Some(companions[place].0)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::super::tests::cohort;
    use super::*;

    #[test]
    fn lasting_conditions_persist_and_fit_the_patient() {
        let hospital = &cohort().population;
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let (mut encounters, mut repeated, mut pairs) = (0, 0, 0);
        for _ in 0..1000 {
            let patient = Patient::draw(hospital, &mut rng);
            encounters += patient.encounters.len();
            for pair in patient.encounters.windows(2) {
                assert!(pair[0].day < pair[1].day);
                assert!(pair[0].lasting.iter().all(|condition| pair[1].lasting.contains(condition)));
                repeated += pair[0].acute.iter().filter(|c| pair[1].acute.contains(c)).count();
                pairs += pair[0].acute.len();
            }
            for encounter in &patient.encounters {
                let all: Vec<_> = encounter.lasting.iter().chain(&encounter.acute).copied().collect();
                assert!(!all.is_empty());
                for (at, condition) in all.iter().enumerate() {
                    let condition = &hospital.conditions[*condition];
                    assert!(condition.in_group[patient.group.place()] > 0.0, "{}", condition.written);
                    let mut others = all[..at].iter().map(|other| &hospital.conditions[*other]);
                    assert!(others.all(|other| !other.same_category(condition)), "{}", condition.written);
                }
            }
            assert!(patient.family.iter().chain(&patient.past).all(|told| patient.free_of(hospital, *told)));
        }
        assert!((2500..4500).contains(&encounters), "{encounters}");
        let rate = f64::from(repeated as u32) / f64::from(pairs as u32);
        assert!((0.1..0.25).contains(&rate), "{rate}");
    }

    #[test]
    fn what_goes_together_is_found_together() {
        let hospital = &cohort().population;
        let at = |code: &str| hospital.conditions.iter().position(|c| c.written == code).unwrap();
        let (diabetes, insulin) = (at("E11.9"), at("Z79.4"));
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let patients: Vec<Patient> = (0..6000).map(|_| Patient::draw(hospital, &mut rng)).collect();
        let has = |patient: &Patient, condition: usize| !patient.never_has(condition);
        let share = |of: &dyn Fn(&Patient) -> bool| {
            let some: Vec<&Patient> = patients.iter().filter(|patient| of(patient)).collect();
            some.iter().filter(|patient| has(patient, insulin)).count() as f64 / some.len() as f64
        };
        let (with, without) = (share(&|p| has(p, diabetes)), share(&|p| !has(p, diabetes)));
        assert!(with > 1.5 * without, "{with} against {without}");
    }
}
