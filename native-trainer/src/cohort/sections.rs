//! The sections of a note: headings, stories, lists, measurements, plans.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::note_type::{Outlined, Section};
use super::plan::Plan;
use super::scene::{Scene, Used};
use super::system::{System, exam, labs, orders, story};
use crate::synth::MentionKind;
use crate::synth::note_text::NoteText;
use crate::synth::phrasing::upper_first;

/// Chance that an acute condition behind the first is told in the story, that a lasting one is, and that a sign follows.
const TOLD: f64 = 0.6;
const BACKGROUND: f64 = 0.3;
const SIGN: f64 = 0.5;
/// Chance that a medicine stands in the list, and that it stands there with what it is for.
const LISTED: f64 = 0.75;
const WITH_REASON: f64 = 0.3;

/// A note in the making.
pub(super) struct Writer<'a> {
    pub(super) scene: &'a Scene<'a>,
    pub(super) plan: &'a Plan,
    pub(super) note: NoteText,
    /// The list of lasting conditions as it is, to be copied into the next note.
    pub(super) list: Option<NoteText>,
    used: Used,
    /// Distractors that are still to be named.
    left: Vec<(usize, MentionKind)>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(scene: &'a Scene<'a>, plan: &'a Plan, note: NoteText) -> Self {
        Self { scene, plan, note, list: None, used: Used::new(), left: plan.distractors.clone() }
    }

    /// Writes the sections of an outline; `copied` is the last note's list of lasting conditions, where it is taken over.
    pub(super) fn sections(&mut self, outline: &[Outlined], copied: Option<&NoteText>, rng: &mut ChaCha8Rng) {
        for outlined in outline {
            if rng.random_bool(outlined.chance) {
                self.section(outlined, copied, rng);
            }
        }
        self.note.trim_end();
    }

    fn section(&mut self, outlined: &Outlined, copied: Option<&NoteText>, rng: &mut ChaCha8Rng) {
        let count = self.plan.share(outlined.filler, rng);
        let nothing = match outlined.section {
            Section::Allergies | Section::Technique | Section::Comparison => false,
            Section::Social | Section::Vitals | Section::Exam | Section::Labs | Section::Imaging => {
                count == 0
            }
            _ => false,
        };
        if nothing {
            return;
        }
        self.heading(&outlined.headings, rng);
        match outlined.section {
            Section::Title => self.title(rng),
            Section::Chief => self.is("present chief", self.plan.main(), rng),
            Section::Reason => self.is("present consult reason", self.plan.main(), rng),
            Section::Story => self.story(count, rng),
            Section::Problems => self.problems(copied, rng),
            Section::Medicines => self.medicines(rng),
            Section::Allergies => self.filler("allergies", None, 1, "", rng),
            Section::Family => self.family(rng),
            Section::Social => self.filler("social", None, count, " ", rng),
            Section::Review => {
                self.asides(2, &[(MentionKind::Negated, "negated ros")], rng);
                self.filler("ros", None, count, " ", rng);
            }
            Section::Vitals => self.filler("vitals", None, count.min(3), "\n", rng),
            Section::Exam => {
                self.filler("exam", Some(exam), count, " ", rng);
                if rng.random_bool(0.3) {
                    self.asides(1, &[(MentionKind::Negated, "negated finding")], rng);
                }
            }
            Section::Labs => self.filler("labs", Some(labs), count, "\n", rng),
            Section::Imaging => {
                self.filler("imaging", None, count, " ", rng);
                self.asides(1, &[(MentionKind::Negated, "negated finding")], rng);
            }
            Section::Assessment => self.assessment(count, rng),
            Section::Diagnoses => self.diagnoses(rng),
            Section::Course => self.course(count, rng),
            Section::Instructions => {
                self.asides(3, &[(MentionKind::Hypothetical, "hypothetical instructions")], rng);
                self.filler("instructions", None, count.max(1), " ", rng);
            }
            Section::Referral => self.brief("present brief therapy", rng),
            Section::TherapySubjective => self.filler("therapy subjective", None, count.max(1), " ", rng),
            Section::TherapyObjective => self.filler("therapy objective", None, count.max(1), " ", rng),
            Section::TherapyPlan => self.filler("therapy plan", None, count.max(1), " ", rng),
            Section::Technique => self.filler("technique", None, 1, "", rng),
            Section::Indication => self.indication(rng),
            Section::Comparison => self.filler("comparison", None, 1, "", rng),
            Section::Findings => {
                self.filler("findings", None, count.max(2), " ", rng);
                self.asides(3, &[(MentionKind::Negated, "negated finding")], rng);
            }
            Section::Impression => self.impression(rng),
            Section::Nursing => self.shift("present brief nursing", "nursing", count, rng),
            Section::Phone => self.shift("present brief phone", "phone", count, rng),
            Section::Signature => self.filler("signature", None, 1, "", rng),
        }
    }

    fn heading(&mut self, headings: &[&'static str], rng: &mut ChaCha8Rng) {
        self.note.trim_end();
        if !self.note.text.is_empty() {
            self.note.push(self.scene.style.between);
        }
        if let Some(heading) = headings.choose(rng) {
            let style = self.scene.style;
            self.note.push_exactly(&if style.capitals {
                heading.to_uppercase()
            } else {
                upper_first(heading)
            });
            self.note.push_exactly(style.behind_heading);
        }
    }

    fn is(&mut self, bank: &str, condition: usize, rng: &mut ChaCha8Rng) {
        self.scene.mention(&mut self.note, rng, bank, condition, MentionKind::Present);
    }

    fn filler(
        &mut self,
        bank: &'static str,
        by_system: Option<fn(System) -> &'static str>,
        count: usize,
        between: &str,
        rng: &mut ChaCha8Rng,
    ) {
        self.scene.filler(&mut self.note, rng, &mut self.used, bank, by_system, count, between);
    }

    /// Up to `most` of the distractors that are left and of these kinds, each with a sentence of its bank.
    fn asides(&mut self, most: usize, banks: &[(MentionKind, &'static str)], rng: &mut ChaCha8Rng) {
        for _ in 0..most {
            let bank = |kind: MentionKind| banks.iter().find(|(of, _)| *of == kind).map(|(_, bank)| *bank);
            let Some(place) = self.left.iter().position(|(_, kind)| bank(*kind).is_some()) else { return };
            let (condition, kind) = self.left.remove(place);
            self.scene.mention(&mut self.note, rng, bank(kind).expect("found so"), condition, kind);
            self.note.push(" ");
        }
    }

    fn title(&mut self, rng: &mut ChaCha8Rng) {
        self.filler("title", None, 1, "\n", rng);
        let lines = rng.random_range(0..=2);
        self.filler("header", None, lines, "\n", rng);
    }

    fn story(&mut self, count: usize, rng: &mut ChaCha8Rng) {
        let plan = self.plan;
        for (at, condition) in plan.acute.iter().enumerate() {
            if at == 0 || rng.random_bool(TOLD) {
                self.is("present story acute", *condition, rng);
                self.note.push(" ");
                if rng.random_bool(SIGN) {
                    self.scene.sign(&mut self.note, rng, *condition);
                }
            }
        }
        if let Some(recent) = plan.recent {
            self.scene.mention(&mut self.note, rng, "recent", recent, MentionKind::History);
            self.note.push(" ");
        }
        let half = count / 2;
        self.filler("story", Some(story), half, " ", rng);
        for condition in &plan.lasting {
            if rng.random_bool(BACKGROUND) || plan.acute.is_empty() && *condition == plan.main() {
                self.is("present story chronic", *condition, rng);
                self.note.push(" ");
            }
        }
        self.filler("story", Some(story), count - half, " ", rng);
        if plan.background && rng.random_bool(0.4) {
            for condition in self.scene.patient.past.iter().take(1) {
                self.scene.mention(&mut self.note, rng, "history story", *condition, MentionKind::History);
                self.note.push(" ");
            }
        }
        if rng.random_bool(0.4) {
            self.asides(1, &[(MentionKind::Negated, "negated ros")], rng);
        }
    }

    /// Begins the item of a list.
    fn item(&mut self, number: usize) {
        match self.scene.style.item {
            Some("1.") => self.note.push(&format!("\n{number}. ")),
            Some("1)") => self.note.push(&format!("\n{number}) ")),
            Some(mark) => {
                self.note.push("\n");
                self.note.push(mark);
                self.note.push(" ");
            }
            None if number > 1 => self.note.push(if self.note.text.ends_with('.') { " " } else { "; " }),
            None => {}
        }
    }

    fn problems(&mut self, copied: Option<&NoteText>, rng: &mut ChaCha8Rng) {
        if let Some(copied) = copied {
            self.note.append(copied, |mention| mention.kind);
            self.list = Some(copied.clone());
            return;
        }
        let before = std::mem::take(&mut self.note);
        self.note.typing = before.typing.clone();
        let mut number = 0;
        for condition in self.plan.lasting.clone() {
            number += 1;
            self.item(number);
            self.is("present list chronic", condition, rng);
        }
        if self.plan.background {
            for condition in self.scene.patient.past.clone() {
                number += 1;
                self.item(number);
                self.scene.mention(&mut self.note, rng, "history list", condition, MentionKind::History);
            }
        }
        if number == 0 {
            let none = ["none", "noncontributory", "no chronic problems", "healthy", "see chart"];
            self.note.push(none.choose(rng).expect("not empty"));
        } else if rng.random_bool(0.25)
            && let Some(place) = self.left.iter().position(|(_, kind)| *kind == MentionKind::Negated)
        {
            let (condition, kind) = self.left.remove(place);
            self.item(number + 1);
            self.scene.mention(&mut self.note, rng, "negated list", condition, kind);
        }
        let list = std::mem::replace(&mut self.note, before);
        self.note.append(&list, |mention| mention.kind);
        self.list = Some(list);
    }

    fn family(&mut self, rng: &mut ChaCha8Rng) {
        let family = &self.scene.patient.family;
        if !self.plan.background || family.is_empty() {
            let none =
                ["noncontributory", "negative", "not obtained", "reviewed, no change", "adopted, unknown"];
            self.note.push(none.choose(rng).expect("not empty"));
            return;
        }
        for condition in family {
            self.scene.mention(&mut self.note, rng, "family", *condition, MentionKind::Family);
            self.note.push(" ");
        }
    }

    fn medicines(&mut self, rng: &mut ChaCha8Rng) {
        let lines = self.scene.style.item.is_some();
        let mut number = 0;
        for condition in self.plan.lasting.iter().chain(&self.plan.acute) {
            let medicines = &self.scene.hospital.conditions[*condition].medicines;
            if medicines.is_empty() || !rng.random_bool(LISTED) {
                continue;
            }
            number += 1;
            if lines {
                self.item(number);
            } else if number > 1 {
                self.note.push(", ");
            }
            if rng.random_bool(WITH_REASON) {
                self.is("present med line", *condition, rng);
            } else {
                self.note.push(medicines.choose(rng).expect("not empty"));
            }
        }
        if number == 0 {
            self.note.push(
                ["none", "no regular medicines", "see MAR", "unchanged"].choose(rng).expect("not empty"),
            );
        }
    }

    fn assessment(&mut self, count: usize, rng: &mut ChaCha8Rng) {
        let named = self.note.documented();
        let plan = self.plan;
        let repeats = self.scene.hospital.parameters.notes.repeats;
        let mut number = 0;
        for condition in plan.acute.iter().chain(&plan.lasting) {
            if named.contains(condition) && !rng.random_bool(repeats) {
                continue;
            }
            number += 1;
            self.item(number);
            let medicines = !self.scene.hospital.conditions[*condition].medicines.is_empty();
            let bank = if medicines && rng.random_bool(0.35) { "present plan med" } else { "present plan" };
            self.is(bank, *condition, rng);
        }
        self.note.push("\n");
        let banks =
            [(MentionKind::Negated, "negated plan"), (MentionKind::Hypothetical, "hypothetical plan")];
        self.asides(4, &banks, rng);
        self.filler("plan", Some(orders), count, " ", rng);
    }

    fn diagnoses(&mut self, rng: &mut ChaCha8Rng) {
        let plan = self.plan;
        for (at, condition) in plan.acute.iter().chain(&plan.lasting).enumerate() {
            self.item(at + 1);
            self.is("present discharge dx", *condition, rng);
        }
    }

    fn course(&mut self, count: usize, rng: &mut ChaCha8Rng) {
        let plan = self.plan;
        let mut left = count;
        for condition in &plan.acute {
            if rng.random_bool(0.75) {
                self.is("present course", *condition, rng);
                self.note.push(" ");
                let some = left.min(count / (plan.acute.len() + 1));
                self.filler("course", Some(orders), some, " ", rng);
                left -= some;
            }
        }
        self.asides(3, &[(MentionKind::Negated, "negated plan")], rng);
        self.filler("course", None, left, " ", rng);
    }

    /// One sentence for each condition of a brief note.
    fn brief(&mut self, bank: &str, rng: &mut ChaCha8Rng) {
        for condition in self.plan.acute.iter().chain(&self.plan.lasting) {
            self.is(bank, *condition, rng);
            self.note.push(if self.note.text.ends_with('.') { " " } else { ". " });
        }
    }

    /// A brief note without sections: conditions and filler by turns.
    fn shift(&mut self, bank: &str, filler: &'static str, count: usize, rng: &mut ChaCha8Rng) {
        let plan = self.plan;
        let told = plan.acute.len() + plan.lasting.len();
        let mut left = count;
        for condition in plan.acute.iter().chain(&plan.lasting) {
            self.is(bank, *condition, rng);
            self.note.push(" ");
            let some = left.min(count / (told + 1) + rng.random_range(0..2));
            self.filler(filler, None, some, " ", rng);
            left -= some;
        }
        let banks =
            [(MentionKind::Negated, "negated ros"), (MentionKind::Hypothetical, "hypothetical instructions")];
        self.asides(4, &banks, rng);
        self.filler(filler, None, left, " ", rng);
    }

    fn indication(&mut self, rng: &mut ChaCha8Rng) {
        let question = [(MentionKind::Hypothetical, "hypothetical indication")];
        if rng.random_bool(0.35) && self.left.iter().any(|(_, kind)| *kind == MentionKind::Hypothetical) {
            self.asides(1, &question, rng);
        } else {
            self.is("present indication", self.plan.main(), rng);
        }
    }

    fn impression(&mut self, rng: &mut ChaCha8Rng) {
        let named = self.note.documented();
        let plan = self.plan;
        let mut number = 0;
        for condition in plan.acute.iter().chain(&plan.lasting).take(3) {
            if named.contains(condition) && !rng.random_bool(0.4) {
                continue;
            }
            number += 1;
            self.item(number);
            self.is("present impression", *condition, rng);
        }
        if number == 0 {
            let none = ["No acute change.", "Unchanged.", "As above.", "No acute abnormality."];
            self.note.push(none.choose(rng).expect("not empty"));
        }
        self.note.push(" ");
        self.asides(1, &[(MentionKind::Negated, "negated finding")], rng);
    }
}
