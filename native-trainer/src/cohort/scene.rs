//! Who a note is about and how its author writes: what the slots of sentences are filled from.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::catalogue::Condition;
use super::note_type::NoteType;
use super::patient::Patient;
use super::population::Population;
use super::slot::Slot;
use super::system::System;
use super::wording::Side;
use crate::synth::MentionKind;
use crate::synth::note_text::NoteText;
use crate::synth::phrasing::{lower_first, upper_first};
use crate::synth::templates::{Banks, Sentence};

/// How names, places and dates were taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Masking {
    /// `[**Name 12**]`
    Stars,
    /// `___`
    Blanks,
    /// `<NAME>`
    Tags,
}

/// How the author of a note writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    masking: Masking,
    /// Whether headings stand in capitals.
    pub(super) capitals: bool,
    /// What stands behind a heading.
    pub(super) behind_heading: &'static str,
    /// What stands between sections.
    pub(super) between: &'static str,
    /// What begins an item of a list; `1.` numbers them; none puts them on one line.
    pub(super) item: Option<&'static str>,
}

impl Style {
    /// An author's habits.
    pub(super) fn draw(rng: &mut ChaCha8Rng) -> Self {
        let pick = |rng: &mut ChaCha8Rng, words: &[&'static str]| *words.choose(rng).expect("not empty");
        Self {
            masking: match rng.random_range(0..10) {
                0..=4 => Masking::Stars,
                5..=7 => Masking::Blanks,
                _ => Masking::Tags,
            },
            capitals: rng.random_bool(0.5),
            behind_heading: pick(rng, &[": ", ":\n", ": ", " - ", ":\n\n"]),
            between: pick(rng, &["\n", "\n\n", "\n"]),
            item: match rng.random_range(0..7) {
                0 | 1 => Some("1."),
                2 => Some("-"),
                3 => Some("#"),
                4 => Some("*"),
                5 => Some("1)"),
                _ => None,
            },
        }
    }
}

/// What a note is about.
pub(super) struct Scene<'a> {
    pub(super) hospital: &'a Population,
    pub(super) banks: &'a Banks<Slot>,
    pub(super) patient: &'a Patient,
    /// Of the encounter, ISO 8601.
    pub(super) date: &'a str,
    pub(super) age: u32,
    pub(super) kind: NoteType,
    pub(super) style: Style,
    /// Body systems of what the patient has; the note's sentences are theirs in part.
    pub(super) systems: Vec<System>,
}

/// A mention to write.
#[derive(Clone, Copy, Debug)]
struct About {
    condition: usize,
    kind: MentionKind,
    /// Whether its words leave out the side.
    without_side: bool,
}

/// A way through the sentences of a bank, in an order of its own: none comes twice before all have.
pub(super) struct Walk {
    bank: &'static str,
    place: usize,
    stride: usize,
}

impl Walk {
    fn begin(bank: &'static str, len: usize, rng: &mut ChaCha8Rng) -> Self {
        let place = rng.random_range(0..len);
        // A stride without a common divisor reaches all.
        let mut stride = rng.random_range(1..=len);
        while gcd(stride, len) > 1 {
            stride += 1;
        }
        Self { bank, place, stride }
    }

    fn next(&mut self, len: usize) -> usize {
        self.place = (self.place + self.stride) % len;
        self.place
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The ways through the banks of one note.
pub(super) type Used = Vec<Walk>;

impl<'a> Scene<'a> {
    fn condition(&self, at: usize) -> &'a Condition {
        &self.hospital.conditions[at]
    }

    /// A sentence of a bank, drawn, that names no condition.
    pub(super) fn say(&self, note: &mut NoteText, rng: &mut ChaCha8Rng, bank: &str) {
        let sentence = self.banks.get(bank).choose(rng).expect("no bank is empty");
        self.draw(note, rng, sentence, None);
    }

    /// A sentence of a bank that names the condition, now and then with its side in a sentence of its own.
    pub(super) fn mention(
        &self,
        note: &mut NoteText,
        rng: &mut ChaCha8Rng,
        bank: &str,
        condition: usize,
        kind: MentionKind,
    ) {
        let sentence = self.banks.get(bank).choose(rng).expect("no bank is empty");
        let apart = self.condition(condition).side_apart.as_ref();
        let without_side = kind == MentionKind::Present
            && apart.is_some()
            && rng.random_bool(self.hospital.parameters.notes.side_apart);
        let about = About { condition, kind, without_side };
        self.draw(note, rng, sentence, Some(about));
        if without_side {
            note.push(if note.text.ends_with('.') { " " } else { ". " });
            let sentence = self.banks.get("side").choose(rng).expect("no bank is empty");
            self.draw(note, rng, sentence, Some(about));
        }
    }

    /// What shows that the condition is there, as a sentence and a blank; nothing where nothing is known.
    pub(super) fn sign(&self, note: &mut NoteText, rng: &mut ChaCha8Rng, condition: usize) {
        if !self.condition(condition).signs.is_empty() {
            let sentence = self.banks.get("sign").choose(rng).expect("no bank is empty");
            let about = About { condition, kind: MentionKind::Present, without_side: false };
            self.draw(note, rng, sentence, Some(about));
            note.push(" ");
        }
    }

    /// This many sentences of a bank, some of them of the patient's body systems where `by_system` names banks.
    pub(super) fn filler(
        &self,
        note: &mut NoteText,
        rng: &mut ChaCha8Rng,
        used: &mut Used,
        bank: &'static str,
        by_system: Option<fn(System) -> &'static str>,
        count: usize,
        between: &str,
    ) {
        for _ in 0..count {
            let own = by_system.filter(|_| rng.random_bool(0.45));
            let system = own.and_then(|banks| Some(banks(*self.systems.choose(rng)?)));
            let bank = system.unwrap_or(bank);
            let sentences = self.banks.get(bank);
            let place = match used.iter_mut().find(|walk| walk.bank == bank) {
                Some(walk) => walk.next(sentences.len()),
                None => {
                    used.push(Walk::begin(bank, sentences.len(), rng));
                    used.last().expect("just added").place
                }
            };
            self.draw(note, rng, &sentences[place], None);
            note.push(between);
        }
    }

    fn draw(
        &self,
        note: &mut NoteText,
        rng: &mut ChaCha8Rng,
        sentence: &Sentence<Slot>,
        about: Option<About>,
    ) {
        let leads = sentence.starts_with_condition();
        sentence.draw(
            rng,
            note,
            &mut |note: &mut NoteText, text: &str| note.push(text),
            &mut |note, rng, slot| {
                self.fill(note, rng, slot, about, leads);
            },
        );
    }

    fn fill(&self, note: &mut NoteText, rng: &mut ChaCha8Rng, slot: Slot, about: Option<About>, leads: bool) {
        let female = self.patient.is_female();
        let told = || about.expect("only sentences about a condition have this slot");
        match slot {
            Slot::Condition => self.name(note, rng, told(), leads),
            Slot::Medicine => {
                let medicines = &self.condition(told().condition).medicines;
                note.push(medicines.choose(rng).map_or("home medicines", String::as_str));
            }
            Slot::Sign => {
                let signs = &self.condition(told().condition).signs;
                let sign = signs.choose(rng).map_or("symptoms as described", String::as_str);
                let opens =
                    note.text.is_empty() || note.text.ends_with([' ', '\n']) && !note.text.ends_with(", ");
                note.push(&if opens { upper_first(sign) } else { sign.to_owned() });
            }
            Slot::Side => {
                let about = told();
                let side = self.side(about);
                let words = side.words().choose(rng).expect("not empty");
                note.mention(about.condition, about.kind, words);
            }
            Slot::OtherSide => {
                let side = self.side(told()).other(rng);
                note.push(side.words()[0]);
            }
            Slot::Age if self.age == 0 => note.push("newborn"),
            Slot::Age => {
                let unit = ["year old", "y/o", "yo", "year-old", "yr old"].choose(rng).expect("not empty");
                note.push(&format!("{} {unit}", self.age));
            }
            Slot::Sex => note.push(match (self.age < 18, female) {
                (true, true) => "girl",
                (true, false) => "boy",
                (false, true) => ["woman", "female", "F", "lady"].choose(rng).expect("not empty"),
                (false, false) => ["man", "male", "M", "gentleman"].choose(rng).expect("not empty"),
            }),
            Slot::He => note.push(if female { "she" } else { "he" }),
            Slot::HeCapital => note.push(if female { "She" } else { "He" }),
            Slot::His => note.push(if female { "her" } else { "his" }),
            Slot::HisCapital => note.push(if female { "Her" } else { "His" }),
            Slot::Date => note.push(self.date),
            Slot::Type => {
                let name = self.kind.name();
                note.push(&if self.style.capitals { name.to_uppercase() } else { upper_first(name) });
            }
            Slot::Day | Slot::Year | Slot::Name | Slot::Doctor | Slot::Place | Slot::Phone => {
                self.masked(note, rng, slot);
            }
        }
    }

    fn side(&self, about: About) -> Side {
        self.condition(about.condition).side_apart.as_ref().expect("only then is a side told apart").side
    }

    fn name(&self, note: &mut NoteText, rng: &mut ChaCha8Rng, about: About, leads: bool) {
        let condition = self.condition(about.condition);
        let wordings = match &condition.side_apart {
            Some(apart) if about.without_side => &apart.wordings,
            _ => &condition.wordings,
        };
        let words = wordings.choose(rng).expect("at least one");
        let opens = leads || note.text.ends_with(['\n', '.']);
        let words = match (opens, rng.random_range(0..20u32)) {
            (true, 0) if words.is_ascii() => words.to_ascii_uppercase(),
            (true, 1..=16) => upper_first(words),
            (true, _) => words.clone(),
            (false, _) => lower_first(words),
        };
        note.mention(about.condition, about.kind, &words);
    }

    /// Writes what de-identification left of a name, a place or a date.
    fn masked(&self, note: &mut NoteText, rng: &mut ChaCha8Rng, slot: Slot) {
        let number = rng.random_range(1..90u32);
        let doctor = if slot == Slot::Doctor { "Dr. " } else { "" };
        let word = match slot {
            Slot::Day => "Date",
            Slot::Year => "Year",
            Slot::Place => ["Hospital", "Location", "Clinic", "Facility"].choose(rng).expect("not empty"),
            Slot::Phone => "Phone",
            _ => "Name",
        };
        let text = match self.style.masking {
            Masking::Stars if slot == Slot::Day => {
                format!("[**{}-{}**]", rng.random_range(1..13u32), rng.random_range(1..29u32))
            }
            Masking::Stars if slot == Slot::Year => format!("[**Year {}**]", number % 9 + 1),
            Masking::Stars => format!("{doctor}[**{word} {number}**]"),
            Masking::Blanks => format!("{doctor}___"),
            Masking::Tags => format!("{doctor}<{}>", word.to_uppercase()),
        };
        note.push(&text);
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_walk_takes_every_sentence_once_before_it_repeats() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut orders = std::collections::HashSet::new();
        for len in [1, 2, 7, 12, 20] {
            for _ in 0..20 {
                let mut walk = Walk::begin("b", len, &mut rng);
                let mut places = vec![walk.place];
                places.extend((1..len).map(|_| walk.next(len)));
                orders.insert(places.clone());
                places.sort_unstable();
                assert_eq!(places, (0..len).collect::<Vec<_>>());
            }
        }
        assert!(orders.len() > 30, "{}", orders.len());
    }
}
