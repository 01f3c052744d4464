//! A patient's years: who they are, what stays with them, and what brings them in each time.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::conditions::{Catalogue, Condition, From, Sex};

/// Encounters are 1 + a binomial of this many draws…
const MORE_ENCOUNTERS: u32 = 11;
/// …with this chance: 3 on average, 12 at most.
const ENCOUNTER_CHANCE: f64 = 0.18;
/// Chronic conditions of a grown-up: up to this many draws…
const CHRONIC_DRAWS: u32 = 6;
/// …with this chance.
const CHRONIC_CHANCE: f64 = 0.45;
/// Chance that a chronic condition is there at the first encounter, not found at a later one.
const KNOWN_BEFORE: f64 = 0.7;

/// Chance that a newborn's or mother's acute condition is again one of theirs.
const AGAIN_RARE: f64 = 0.6;

/// One visit or stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Encounter {
    /// Days since the patient's first encounter.
    pub(super) day: u32,
    /// Acute conditions of this encounter.
    pub(super) acute: Vec<usize>,
    /// Chronic conditions known by then.
    pub(super) chronic: Vec<usize>,
}

/// A patient of the synthetic hospital.
#[derive(Clone, Debug)]
pub(super) struct Patient {
    pub(super) age: u32,
    pub(super) sex: Sex,
    /// Days after 1 January 2019 at which the first encounter lies.
    pub(super) first_day: u32,
    pub(super) encounters: Vec<Encounter>,
}

impl Patient {
    /// Draws a patient around one condition, so that rare patients (newborns, mothers) are as frequent as
    /// their conditions.
    pub(super) fn draw(catalogue: &Catalogue, rng: &mut ChaCha8Rng) -> Self {
        let anchor = catalogue.draw(From::Anchors, rng).expect("a catalogue holds conditions");
        let plausible = catalogue.conditions[anchor].plausible;
        let age = match (plausible.min_age, plausible.max_age) {
            (0, 0) => 0,
            // Children are the exception where a grown-up can have it too.
            (low, high) if high > 18 && !rng.random_bool(0.1) => rng.random_range(low.max(18)..=high.min(92)),
            (low, high) => rng.random_range(low.max(1)..=high.min(92)),
        };
        let sex = plausible.sex.unwrap_or(if rng.random_bool(0.53) { Sex::Female } else { Sex::Male });
        let mut patient = Self { age, sex, first_day: rng.random_range(0..2000), encounters: Vec::new() };

        let rare = catalogue.conditions[anchor].rare();
        let anchor_chronic = catalogue.conditions[anchor].chronic;
        let mut chronic = Vec::new();
        if anchor_chronic {
            chronic.push((anchor, 0));
        }
        let count = 1 + (0..MORE_ENCOUNTERS).filter(|_| rng.random_bool(ENCOUNTER_CHANCE)).count();
        let count = if age == 0 { count.min(3) } else { count };
        for _ in 0..CHRONIC_DRAWS {
            if rng.random_bool(CHRONIC_CHANCE) {
                let onset = if rng.random_bool(KNOWN_BEFORE) { 0 } else { rng.random_range(0..count) };
                let have: Vec<usize> =
                    chronic.iter().map(|(condition, _)| *condition).chain([anchor]).collect();
                if let Some(found) = patient.draw_fitting(catalogue, From::Chronic, &have, rng) {
                    chronic.push((found, onset));
                }
            }
        }
        let mut day = 0;
        for number in 0..count {
            let known: Vec<usize> = chronic
                .iter()
                .filter(|(_, onset)| *onset <= number)
                .map(|(condition, _)| *condition)
                .collect();
            let mut acute = Vec::new();
            if number == 0 && !anchor_chronic {
                acute.push(anchor);
            }
            let wanted = 1 + usize::from(rng.random_bool(0.5)) + usize::from(rng.random_bool(0.25));
            while acute.len() < wanted {
                let have: Vec<usize> = acute.iter().chain(&known).copied().collect();
                let from = if rare && rng.random_bool(AGAIN_RARE) { From::Rare } else { From::Acute };
                let Some(found) = patient.draw_fitting(catalogue, from, &have, rng) else { break };
                acute.push(found);
            }
            if acute.is_empty() && known.is_empty() {
                acute.push(anchor);
            }
            patient.encounters.push(Encounter { day, acute, chronic: known });
            day += if age == 0 { rng.random_range(2..12) } else { rng.random_range(4..220) };
        }
        patient
    }

    /// Draws a condition that this patient can have beside `have`; none where twenty draws find none.
    pub(super) fn draw_fitting(
        &self,
        catalogue: &Catalogue,
        from: From,
        have: &[usize],
        rng: &mut ChaCha8Rng,
    ) -> Option<usize> {
        (0..20).find_map(|_| {
            let drawn = catalogue.draw(from, rng)?;
            let condition = &catalogue.conditions[drawn];
            let new = have.iter().all(|other| !condition.same_category(&catalogue.conditions[*other]));
            (new && self.can_have(condition)).then_some(drawn)
        })
    }

    fn can_have(&self, condition: &Condition) -> bool {
        let rule = condition.plausible;
        (rule.min_age..=rule.max_age).contains(&self.age) && rule.sex.is_none_or(|sex| sex == self.sex)
    }

    /// Age in whole years at a day after the first encounter.
    pub(super) fn age_at(&self, day: u32) -> u32 {
        self.age + day / 365
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::super::conditions::tests::catalogue;
    use super::*;

    #[test]
    fn chronic_conditions_persist_and_acute_ones_come_and_go() {
        let catalogue = catalogue(200, 1).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let (mut encounters, mut chronic, mut acute, mut repeated) = (0, 0, 0, 0);
        for _ in 0..2000 {
            let patient = Patient::draw(&catalogue, &mut rng);
            assert!((1..=12).contains(&patient.encounters.len()));
            encounters += patient.encounters.len();
            for pair in patient.encounters.windows(2) {
                assert!(pair[0].day < pair[1].day);
                assert!(pair[0].chronic.iter().all(|condition| pair[1].chronic.contains(condition)));
                repeated += usize::from(pair[0].acute == pair[1].acute);
            }
            for encounter in &patient.encounters {
                chronic += encounter.chronic.len();
                acute += encounter.acute.len();
                let all: Vec<_> = encounter
                    .chronic
                    .iter()
                    .chain(&encounter.acute)
                    .map(|at| &catalogue.conditions[*at])
                    .collect();
                assert!(!all.is_empty() && all.iter().all(|condition| patient.can_have(condition)));
                for (at, condition) in all.iter().enumerate() {
                    assert!(all[..at].iter().all(|other| !other.same_category(condition)));
                }
            }
        }
        let mean = |count: usize| count as f64 / encounters as f64;
        assert!((2.7..3.3).contains(&(encounters as f64 / 2000.0)), "{encounters}");
        assert!((1.5..3.0).contains(&mean(chronic)) && (1.5..2.0).contains(&mean(acute)));
        assert!(mean(repeated) < 0.05);
    }
}
