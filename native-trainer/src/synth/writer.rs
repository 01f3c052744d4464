//! How sentences are drawn and their slots filled.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::conditions::{Catalogue, Sex};
use super::note_text::NoteText;
use super::patient::Patient;
use super::phrasing::{lower_first, upper_first};
use super::templates::{Banks, Sentence, Slot};

/// What a mention says of the patient; only [`MentionKind::Present`] gives a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MentionKind {
    /// The patient has it now.
    Present,
    /// The patient does not have it.
    Negated,
    /// A relative has or had it.
    Family,
    /// The patient had it and is over it.
    History,
    /// To be ruled out, warned of, or looked for later.
    Hypothetical,
}

/// What the slots of a sentence are filled from.
pub(super) struct Scene<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) banks: &'a Banks,
    pub(super) patient: &'a Patient,
    pub(super) date: &'a str,
    pub(super) age: u32,
}

impl NoteText {
    /// A sentence of a bank, drawn; about `condition` if one is given.
    pub(super) fn sentence(
        &mut self,
        scene: &Scene<'_>,
        rng: &mut ChaCha8Rng,
        bank: &str,
        about: Option<(usize, MentionKind)>,
    ) {
        let sentence = scene.banks.get(bank).choose(rng).expect("no bank is empty");
        self.draw(scene, rng, sentence, about);
    }

    /// This many sentences of a bank, each another one until all have been used.
    pub(super) fn filler(
        &mut self,
        scene: &Scene<'_>,
        rng: &mut ChaCha8Rng,
        bank: &str,
        count: usize,
        between: &str,
    ) {
        let sentences = scene.banks.get(bank);
        let first = rng.random_range(0..sentences.len());
        for at in 0..count {
            self.draw(scene, rng, &sentences[(first + at) % sentences.len()], None);
            self.push(between);
        }
    }

    fn draw(
        &mut self,
        scene: &Scene<'_>,
        rng: &mut ChaCha8Rng,
        sentence: &Sentence,
        about: Option<(usize, MentionKind)>,
    ) {
        let leads = sentence.starts_with_condition();
        sentence.draw(rng, self, &mut |out: &mut Self, text: &str| out.push(text), &mut |out, rng, slot| {
            out.fill(scene, rng, slot, about, leads);
        });
    }

    fn fill(
        &mut self,
        scene: &Scene<'_>,
        rng: &mut ChaCha8Rng,
        slot: Slot,
        about: Option<(usize, MentionKind)>,
        leads: bool,
    ) {
        let female = scene.patient.sex == Sex::Female;
        let told = |about: Option<(usize, MentionKind)>| {
            about.expect("only sentences about a condition have this slot")
        };
        match slot {
            Slot::Condition => {
                let (condition, kind) = told(about);
                let words =
                    scene.catalogue.conditions[condition].phrasings.choose(rng).expect("at least one");
                let words = match (leads, rng.random_range(0..20u32)) {
                    (true, 0) if words.is_ascii() => words.to_ascii_uppercase(),
                    (true, 1..=16) => upper_first(words),
                    (true, _) => words.clone(),
                    (false, _) => lower_first(words),
                };
                self.mention(condition, kind, &words);
            }
            Slot::Medicine => {
                let medicines = &scene.catalogue.conditions[told(about).0].medicines;
                self.push(medicines.choose(rng).map_or("home medicines", String::as_str));
            }
            Slot::Sign => {
                let signs = &scene.catalogue.conditions[told(about).0].signs;
                let sign = signs.choose(rng).map_or("symptoms as described", String::as_str);
                let opens = self.text.is_empty() || self.text.ends_with(". ");
                self.push(&if opens { upper_first(sign) } else { sign.to_owned() });
            }
            Slot::Age if scene.age == 0 => self.push("newborn"),
            Slot::Age => {
                let unit = ["year old", "y/o", "yo", "year-old"].choose(rng).expect("not empty");
                self.push(&format!("{} {unit}", scene.age));
            }
            Slot::Sex => self.push(match (scene.age < 13, female) {
                (true, true) => "girl",
                (true, false) => "boy",
                (false, true) => ["woman", "female", "F"].choose(rng).expect("not empty"),
                (false, false) => ["man", "male", "M"].choose(rng).expect("not empty"),
            }),
            Slot::He => self.push(if female { "she" } else { "he" }),
            Slot::HeCapital => self.push(if female { "She" } else { "He" }),
            Slot::His => self.push(if female { "her" } else { "his" }),
            Slot::HisCapital => self.push(if female { "Her" } else { "His" }),
            Slot::Date => self.push(scene.date),
        }
    }
}
