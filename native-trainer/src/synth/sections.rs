//! The sections of a full note: headings, stories, lists, measurements, plans.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::note_text::NoteText;
use super::notes::{NoteType, NoteWriter, Plan};
use super::writer::MentionKind;

impl NoteWriter<'_> {
    /// Writes the sections of a note of type `kind`, in their usual order.
    pub(super) fn full_sections(
        &self,
        kind: NoteType,
        plan: &Plan,
        note: &mut NoteText,
        rng: &mut ChaCha8Rng,
    ) {
        match kind {
            NoteType::HistoryAndPhysical => {
                self.chief(plan, note, rng);
                self.story(plan, note, rng, 0.22);
                self.past(plan, note, rng);
                self.family(plan, note, rng);
                self.fill(plan, note, rng, &["SOCIAL HISTORY:", "SH:"], "social", 0.08, " ");
                self.medicines(plan, note, rng);
                self.review(plan, note, rng, 0.08);
                self.measured(plan, note, rng, 0.34);
                self.assessment(plan, note, rng, 0.28);
            }
            NoteType::Discharge => {
                self.heading(note, rng, &["DISCHARGE DIAGNOSES:", "DIAGNOSES:", "FINAL DIAGNOSES:"]);
                self.list(note, rng, plan.acute.iter().chain(&plan.chronic).copied());
                self.heading(note, rng, &["HOSPITAL COURSE:", "BRIEF HOSPITAL COURSE:", "COURSE:"]);
                for condition in &plan.acute {
                    if rng.random_bool(0.3 + plan.repetition) {
                        self.present(note, rng, "present course", *condition);
                        note.push(" ");
                        self.sign(note, rng, *condition);
                    }
                }
                self.asides(plan, note, rng, |kind| kind != MentionKind::Hypothetical);
                self.filler(plan, note, rng, "course", 0, 0.35);
                self.medicines(plan, note, rng);
                self.fill(plan, note, rng, &["DISCHARGE EXAM:", "EXAM AT DISCHARGE:"], "exam", 0.3, " ");
                self.heading(note, rng, &["DISCHARGE INSTRUCTIONS:", "FOLLOW UP:", "DISPOSITION:"]);
                self.asides(plan, note, rng, |kind| kind == MentionKind::Hypothetical);
                self.filler(plan, note, rng, "discharge", 1, 0.3);
            }
            NoteType::Consult => {
                self.heading(note, rng, &["REASON FOR CONSULT:", "CONSULT QUESTION:"]);
                self.present(note, rng, "present chief", self.main_condition(plan));
                note.push("\n");
                self.story(plan, note, rng, 0.35);
                self.past(plan, note, rng);
                self.family(plan, note, rng);
                self.review(plan, note, rng, 0.05);
                self.measured(plan, note, rng, 0.3);
                self.assessment(plan, note, rng, 0.3);
            }
            _ => {
                self.story(plan, note, rng, 0.3);
                if rng.random_bool(plan.repetition) {
                    self.past(plan, note, rng);
                }
                self.family(plan, note, rng);
                self.medicines(plan, note, rng);
                self.review(plan, note, rng, 0.05);
                self.measured(plan, note, rng, 0.35);
                self.assessment(plan, note, rng, 0.3);
            }
        }
    }

    fn main_condition(&self, plan: &Plan) -> usize {
        *plan.acute.first().unwrap_or_else(|| plan.chronic.first().expect("a plan holds conditions"))
    }

    fn heading(&self, note: &mut NoteText, rng: &mut ChaCha8Rng, titles: &[&str]) {
        if !note.text.is_empty() && !note.text.ends_with('\n') {
            note.push("\n");
        }
        note.push(titles.choose(rng).expect("not empty"));
        note.push(" ");
    }

    /// This share of the filler sentences, rounded up or down by chance.
    fn share(&self, plan: &Plan, rng: &mut ChaCha8Rng, share: f64) -> usize {
        let wanted = plan.filler * share;
        wanted as usize + usize::from(rng.random_bool(wanted.fract()))
    }

    /// This many filler sentences and the share of those to place.
    fn filler(
        &self,
        plan: &Plan,
        note: &mut NoteText,
        rng: &mut ChaCha8Rng,
        bank: &str,
        least: usize,
        share: f64,
    ) {
        let count = least + self.share(plan, rng, share);
        note.filler(&self.scene, rng, bank, count, " ");
    }

    /// A section of filler sentences, left out where no sentence falls to it.
    fn fill(
        &self,
        plan: &Plan,
        note: &mut NoteText,
        rng: &mut ChaCha8Rng,
        titles: &[&str],
        bank: &str,
        share: f64,
        between: &str,
    ) {
        let count = self.share(plan, rng, share);
        if count > 0 {
            self.heading(note, rng, titles);
            note.filler(&self.scene, rng, bank, count, between);
        }
    }

    fn asides(
        &self,
        plan: &Plan,
        note: &mut NoteText,
        rng: &mut ChaCha8Rng,
        which: impl Fn(MentionKind) -> bool,
    ) {
        for distractor in plan.distractors.iter().filter(|(_, kind)| which(*kind)) {
            self.aside(note, rng, *distractor);
        }
    }

    /// Now and then, what shows that the condition is there.
    fn sign(&self, note: &mut NoteText, rng: &mut ChaCha8Rng, condition: usize) {
        if !self.scene.catalogue.conditions[condition].signs.is_empty() && rng.random_bool(0.5) {
            note.sentence(&self.scene, rng, "sign", Some((condition, MentionKind::Present)));
            note.push(" ");
        }
    }

    fn list(&self, note: &mut NoteText, rng: &mut ChaCha8Rng, conditions: impl Iterator<Item = usize>) {
        let lines = rng.random_bool(0.6);
        let numbered = rng.random_bool(0.5);
        for (at, condition) in conditions.enumerate() {
            match (lines, numbered) {
                (true, true) => note.push(&format!("\n{}. ", at + 1)),
                (true, false) => note.push("\n- "),
                (false, _) if at > 0 => note.push("; "),
                _ => {}
            }
            let chronic = self.scene.catalogue.conditions[condition].chronic;
            self.present(note, rng, if chronic { "present list" } else { "present list acute" }, condition);
        }
        note.push("\n");
    }

    fn chief(&self, plan: &Plan, note: &mut NoteText, rng: &mut ChaCha8Rng) {
        if rng.random_bool(0.3 + plan.repetition / 2.0) {
            self.heading(note, rng, &["CHIEF COMPLAINT:", "CC:"]);
            self.present(note, rng, "present chief", self.main_condition(plan));
            note.push("\n");
        }
    }

    fn story(&self, plan: &Plan, note: &mut NoteText, rng: &mut ChaCha8Rng, share: f64) {
        self.heading(note, rng, &["HPI:", "HISTORY OF PRESENT ILLNESS:", "SUBJECTIVE:", "INTERVAL HISTORY:"]);
        for (at, condition) in plan.acute.iter().enumerate() {
            if at == 0 || rng.random_bool(plan.repetition) {
                self.present(note, rng, "present story", *condition);
                note.push(" ");
                self.sign(note, rng, *condition);
            }
        }
        self.filler(plan, note, rng, "story", 0, share);
        self.asides(plan, note, rng, |kind| kind == MentionKind::History);
    }

    fn past(&self, plan: &Plan, note: &mut NoteText, rng: &mut ChaCha8Rng) {
        if !plan.chronic.is_empty() {
            self.heading(note, rng, &["PMH:", "PAST MEDICAL HISTORY:", "PROBLEM LIST:"]);
            self.list(note, rng, plan.chronic.iter().copied());
        }
    }

    fn family(&self, plan: &Plan, note: &mut NoteText, rng: &mut ChaCha8Rng) {
        if plan.distractors.iter().any(|(_, kind)| *kind == MentionKind::Family) {
            self.heading(note, rng, &["FAMILY HISTORY:", "FH:"]);
            self.asides(plan, note, rng, |kind| kind == MentionKind::Family);
        }
    }

    fn review(&self, plan: &Plan, note: &mut NoteText, rng: &mut ChaCha8Rng, share: f64) {
        let count = self.share(plan, rng, share);
        if count > 0 || plan.distractors.iter().any(|(_, kind)| *kind == MentionKind::Negated) {
            self.heading(note, rng, &["ROS:", "REVIEW OF SYSTEMS:"]);
            self.asides(plan, note, rng, |kind| kind == MentionKind::Negated);
            note.filler(&self.scene, rng, "ros", count, " ");
        }
    }

    fn medicines(&self, plan: &Plan, note: &mut NoteText, rng: &mut ChaCha8Rng) {
        let mut listed: Vec<&str> = Vec::new();
        for condition in plan.chronic.iter().chain(&plan.acute) {
            if let Some(medicine) = self.scene.catalogue.conditions[*condition].medicines.choose(rng)
                && rng.random_bool(0.3 + plan.repetition * 0.7)
            {
                listed.push(medicine);
            }
        }
        if !listed.is_empty() {
            self.heading(note, rng, &["MEDICATIONS:", "MEDS:", "CURRENT MEDICATIONS:"]);
            note.push(&listed.join(if rng.random_bool(0.5) { ", " } else { "; " }));
            note.push("\n");
        }
    }

    fn measured(&self, plan: &Plan, note: &mut NoteText, rng: &mut ChaCha8Rng, share: f64) {
        // A line of vital signs or laboratory values is about two sentences long.
        let vitals = usize::from(self.share(plan, rng, share * 0.3) > 0);
        if vitals > 0 {
            self.heading(note, rng, &["VITALS:", "VS:", "OBJECTIVE:"]);
            note.filler(&self.scene, rng, "vitals", 1, "\n");
        }
        self.fill(plan, note, rng, &["EXAM:", "PHYSICAL EXAM:", "PE:"], "exam", share * 0.5, " ");
        self.fill(plan, note, rng, &["LABS:", "DATA:", "RESULTS:"], "labs", share * 0.25, "\n");
    }

    fn assessment(&self, plan: &Plan, note: &mut NoteText, rng: &mut ChaCha8Rng, share: f64) {
        self.heading(note, rng, &["ASSESSMENT AND PLAN:", "A/P:", "IMPRESSION:", "ASSESSMENT/PLAN:"]);
        let named = note.documented();
        let numbered = rng.random_bool(0.5);
        let mut number = 0;
        for condition in plan.acute.iter().chain(&plan.chronic) {
            if named.contains(condition) && !rng.random_bool(plan.repetition) {
                continue;
            }
            number += 1;
            note.push(&if numbered { format!("\n{number}. ") } else { "\n# ".to_owned() });
            let medicines = !self.scene.catalogue.conditions[*condition].medicines.is_empty();
            let bank = if medicines && rng.random_bool(0.4) { "present plan med" } else { "present plan" };
            self.present(note, rng, bank, *condition);
        }
        note.push("\n");
        self.asides(plan, note, rng, |kind| kind == MentionKind::Hypothetical);
        self.filler(plan, note, rng, "plan", 1, share);
    }
}
