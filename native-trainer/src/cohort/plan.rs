//! What one note will say, decided before it is written.

use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::chance::{log_normal, poisson, rounded};
use super::note_type::NoteType;
use super::patient::{Encounter, Patient};
use super::population::Population;
use crate::synth::MentionKind;

/// Tokens of a filler sentence, of a mention in its sentence and of a heading: averages that only steer the length.
const FILLER: f64 = 7.2;
const MENTION: f64 = 11.5;
const HEADING: f64 = 4.0;

/// What a note names, and how much is said around it.
#[derive(Debug)]
pub(super) struct Plan {
    /// Acute conditions, the main one first.
    pub(super) acute: Vec<usize>,
    /// Lasting conditions.
    pub(super) lasting: Vec<usize>,
    /// What is denied or only considered.
    pub(super) distractors: Vec<(usize, MentionKind)>,
    /// What the last encounter was about and is over.
    pub(super) recent: Option<usize>,
    /// Whether the note tells of the family and of the past.
    pub(super) background: bool,
    /// Filler sentences.
    pub(super) filler: f64,
}

impl Plan {
    /// Plans a note of this type for an encounter of the patient.
    pub(super) fn draw(
        hospital: &Population,
        patient: &Patient,
        number: usize,
        kind: NoteType,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let rules = &hospital.parameters.notes;
        let encounter = &patient.encounters[number];
        let full = kind.is_full();
        let mut acute = encounter.acute.clone();
        // The reason for coming stays first.
        if let Some(rest) = acute.get_mut(1..) {
            rest.shuffle(rng);
        }
        let chance = if full { rules.names_lasting } else { rules.brief_lasting };
        let mut lasting: Vec<usize> =
            encounter.lasting.iter().copied().filter(|_| rng.random_bool(chance)).collect();
        if !full {
            acute.truncate(rng.random_range(1..=3));
            lasting.truncate(4);
        }
        if acute.is_empty() && lasting.is_empty() {
            lasting.extend(encounter.lasting.choose(rng));
        }
        lasting.shuffle(rng);
        let mean = if full { rules.distractors } else { rules.distractors / 5.0 };
        let mut distractors: Vec<(usize, MentionKind)> = Vec::new();
        for _ in 0..poisson(mean, rng) {
            let Some(condition) = distractor(hospital, patient, encounter, rng) else { continue };
            let kind = if rng.random_bool(0.68) { MentionKind::Negated } else { MentionKind::Hypothetical };
            if distractors.iter().all(|(other, _)| *other != condition) {
                distractors.push((condition, kind));
            }
        }
        let recent = if full && number > 0 && rng.random_bool(rules.recent) {
            let before = &patient.encounters[number - 1].acute;
            let over = before.iter().copied().filter(|condition| {
                let condition = &hospital.conditions[*condition];
                condition.in_past
                    && encounter.acute.iter().all(|now| !condition.same_category(&hospital.conditions[*now]))
            });
            over.collect::<Vec<_>>().choose(rng).copied()
        } else {
            None
        };
        let background = full && rng.random_bool(0.6);
        let length = hospital.parameters.lengths[kind.name()];
        let tokens = log_normal(length.median, length.sigma, rng);
        let (again, headings) = if full { (rules.repeats + 0.6, 9.0) } else { (0.1, 4.0) };
        let told = if background { patient.family.len() + patient.past.len() } else { 0 };
        let needed = (acute.len() + lasting.len()) as f64 * (1.0 + again) * MENTION
            + (distractors.len() + told) as f64 * MENTION
            + headings * HEADING;
        let filler = ((tokens - needed) / FILLER).max(if full { 3.0 } else { 1.0 });
        Self { acute, lasting, distractors, recent, background, filler }
    }

    /// What the note is mainly about.
    pub(super) fn main(&self) -> usize {
        *self.acute.first().unwrap_or_else(|| self.lasting.first().expect("a note is about something"))
    }

    /// This share of the filler sentences.
    pub(super) fn share(&self, share: f64, rng: &mut ChaCha8Rng) -> usize {
        rounded(self.filler * share, rng)
    }
}

/// Something that the patient never has: a sibling of what is there, or what is common.
fn distractor(
    hospital: &Population,
    patient: &Patient,
    encounter: &Encounter,
    rng: &mut ChaCha8Rng,
) -> Option<usize> {
    let sibling = rng.random_bool(hospital.parameters.notes.siblings);
    (0..8).find_map(|_| {
        let drawn = if sibling {
            let here: Vec<usize> = encounter.acute.iter().chain(&encounter.lasting).copied().collect();
            let one = *here.choose(rng)?;
            *hospital.conditions[one].siblings.choose(rng)?
        } else {
            hospital.draw_deniable(rng)?
        };
        let condition = &hospital.conditions[drawn];
        let possible = condition.deniable && condition.in_group[patient.group.place()] > 0.0;
        (possible && patient.never_has(drawn)).then_some(drawn)
    })
}
