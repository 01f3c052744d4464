//! From whom and what to draw: pools for each age and sex, weighed so that codes are as frequent as they should be.

use std::collections::HashMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::catalogue::Condition;
use super::chance::Pool;
use super::parameters::{EncounterKind, Parameters};
use super::patient::Patient;
use super::people::{GROUPS, Group, Sex};

/// Simulated patients a round, and rounds, that adjust the weights of conditions: comorbidity, age and imputation make
/// some more frequent than their weights alone.
const PATIENTS: u64 = 6000;
const ROUNDS: usize = 4;
/// Simulated occurrences from which a code is adjusted by itself, not with those of its chapter.
const ENOUGH: f64 = 120.0;
/// Has nothing to do with the seed of a hospital: all have the same weights.
const SEED: u64 = 0x00CA_11B2;

/// The hospital without its patients.
#[derive(Debug)]
pub(super) struct Population {
    pub(super) conditions: Vec<Condition>,
    pub(super) parameters: Parameters,
    /// Kinds of encounters in the order of their names.
    pub(super) kinds: Vec<EncounterKind>,
    kind_pool: Pool,
    groups: Pool,
    /// Chance that a condition is taken where it is drawn as a companion.
    taken: Vec<f64>,
    lasting: Vec<Pool>,
    acute: Vec<Pool>,
    deniable: Pool,
    in_family: Pool,
    in_past: Pool,
}

impl Population {
    /// Weighs the conditions and makes the pools.
    pub(super) fn new(conditions: Vec<Condition>, parameters: Parameters) -> Self {
        let targets: Vec<f64> = (0..conditions.len()).map(|rank| parameters.target(rank)).collect();
        let ages = parameters.patients.ages;
        let female = parameters.patients.female;
        let share =
            |group: Group| ages[group.band] * if group.sex == Sex::Female { female } else { 1.0 - female };
        let groups = Pool::new(Group::all().map(share));
        let kinds: Vec<EncounterKind> = parameters.encounters.values().cloned().collect();
        let kind_pool = Pool::new(kinds.iter().map(|kind| kind.share));
        let chosen = |wanted: &dyn Fn(&Condition) -> bool| {
            Pool::new(conditions.iter().zip(&targets).map(|(c, share)| if wanted(c) { *share } else { 0.0 }))
        };
        let (deniable, in_family, in_past) =
            (chosen(&|c| c.deniable), chosen(&|c| c.in_family), chosen(&|c| c.in_past));
        let mut population = Self {
            conditions,
            parameters,
            kinds,
            kind_pool,
            groups,
            taken: Vec::new(),
            lasting: Vec::new(),
            acute: Vec::new(),
            deniable,
            in_family,
            in_past,
        };
        let mut weights = targets.clone();
        population.fill_pools(&weights, &targets);
        for round in 0..ROUNDS {
            let seen = population.simulate(round as u64);
            population.adjust(&mut weights, &seen, &targets);
            population.fill_pools(&weights, &targets);
        }
        population
    }

    fn fill_pools(&mut self, weights: &[f64], targets: &[f64]) {
        let pool = |lasting: bool, place: usize| {
            Pool::new(self.conditions.iter().zip(weights).map(|(condition, weight)| {
                let here = condition.lasting == lasting && !condition.only_companion;
                if here { weight * condition.in_group[place] } else { 0.0 }
            }))
        };
        let lasting = (0..GROUPS).map(|place| pool(true, place)).collect();
        let acute = (0..GROUPS).map(|place| pool(false, place)).collect();
        (self.lasting, self.acute) = (lasting, acute);
        // What comes too often, comes as a companion.
        let taken = |(weight, target): (&f64, &f64)| (weight / target).min(1.0);
        self.taken = weights.iter().zip(targets).map(taken).collect();
    }

    /// How many notes of simulated patients fall to each condition.
    fn simulate(&self, round: u64) -> Vec<f64> {
        let notes: Vec<f64> = self
            .kinds
            .iter()
            .map(|kind| kind.notes.iter().map(|writing| writing.chance * f64::from(writing.most)).sum())
            .collect();
        let patients: Vec<Patient> = (0..PATIENTS)
            .into_par_iter()
            .map(|number| {
                let mut rng = ChaCha8Rng::seed_from_u64(SEED);
                rng.set_stream(round * PATIENTS + number);
                Patient::draw(self, &mut rng)
            })
            .collect();
        let mut seen = vec![0.0; self.conditions.len()];
        for encounter in patients.iter().flat_map(|patient| &patient.encounters) {
            for condition in encounter.acute.iter().chain(&encounter.lasting) {
                seen[*condition] += notes[encounter.kind];
            }
        }
        seen
    }

    /// Moves each weight towards what makes the condition as frequent as its target; lasting and acute ones apart.
    fn adjust(&self, weights: &mut [f64], seen: &[f64], targets: &[f64]) {
        for lasting in [true, false] {
            let members: Vec<usize> =
                (0..weights.len()).filter(|at| self.conditions[*at].lasting == lasting).collect();
            let sum = |values: &[f64]| members.iter().map(|at| values[*at]).sum::<f64>();
            let scale = sum(seen) / sum(targets);
            let mut chapters: HashMap<&str, (f64, f64)> = HashMap::new();
            for at in &members {
                let chapter = chapters.entry(self.conditions[*at].chapter.as_str()).or_default();
                chapter.0 += targets[*at] * scale;
                chapter.1 += seen[*at];
            }
            for at in members {
                let wanted = targets[at] * scale;
                let (wanted, seen) = if wanted >= ENOUGH {
                    (wanted, seen[at])
                } else {
                    chapters[self.conditions[at].chapter.as_str()]
                };
                let ratio = (wanted / seen.max(wanted / 4.0)).clamp(0.25, 4.0);
                // A part of the way: rounds are few and noisy.
                weights[at] *= libm::exp(0.8 * libm::log(ratio));
            }
        }
    }

    /// A group of people, by how many there are.
    pub(super) fn draw_group(&self, rng: &mut ChaCha8Rng) -> Group {
        let place = self.groups.draw(rng).expect("all groups have people");
        Group::all().nth(place).expect("a place of a group")
    }

    /// A kind of encounter.
    pub(super) fn draw_kind(&self, rng: &mut ChaCha8Rng) -> usize {
        self.kind_pool.draw(rng).expect("there are kinds of encounters")
    }

    /// A lasting condition of a group.
    pub(super) fn draw_lasting(&self, group: Group, rng: &mut ChaCha8Rng) -> Option<usize> {
        self.lasting[group.place()].draw(rng)
    }

    /// An acute condition of a group.
    pub(super) fn draw_acute(&self, group: Group, rng: &mut ChaCha8Rng) -> Option<usize> {
        self.acute[group.place()].draw(rng)
    }

    /// Whether a condition that was drawn as a companion is taken.
    pub(super) fn takes(&self, companion: usize, rng: &mut ChaCha8Rng) -> bool {
        rng.random_bool(self.taken[companion])
    }

    /// Something that a note can deny or consider.
    pub(super) fn draw_deniable(&self, rng: &mut ChaCha8Rng) -> Option<usize> {
        self.deniable.draw(rng)
    }

    /// Something that runs in families.
    pub(super) fn draw_family(&self, rng: &mut ChaCha8Rng) -> Option<usize> {
        self.in_family.draw(rng)
    }

    /// Something that one can have had and be over with.
    pub(super) fn draw_past(&self, rng: &mut ChaCha8Rng) -> Option<usize> {
        self.in_past.draw(rng)
    }
}
