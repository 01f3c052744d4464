//! The outpatient visit: headings over paragraphs of full sentences, as scribes and dictation write them.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::note_text::NoteText;
use super::notes::{NoteWriter, Plan};
use super::writer::MentionKind;

/// What is denied beside the plan's own distractors: a visit note's review of systems is long.
const MORE_DENIED: usize = 3;

impl NoteWriter<'_> {
    /// Writes a visit note.
    pub(super) fn visit(&self, plan: &Plan, note: &mut NoteText, rng: &mut ChaCha8Rng) {
        let all: Vec<usize> = plan.acute.iter().chain(&plan.chronic).copied().collect();
        let filler = (plan.filler / 5.0).ceil() as usize;
        self.title(note, rng, &["CHIEF COMPLAINT", "Chief complaint:", "REASON FOR VISIT"]);
        self.present(note, rng, "present visit chief", all[0]);

        self.title(note, rng, &["HISTORY OF PRESENT ILLNESS", "HPI:", "SUBJECTIVE"]);
        for (at, condition) in all.iter().enumerate() {
            let bank =
                if plan.acute.contains(condition) { "present visit story" } else { "present visit history" };
            if at == 0 || rng.random_bool(0.7) {
                self.present(note, rng, bank, *condition);
                note.push(" ");
                self.sign_of(note, rng, *condition);
            }
        }
        note.filler(&self.scene, rng, "visit opening", filler, " ");
        self.asides_of(plan, note, rng, MentionKind::History);

        if !plan.chronic.is_empty() && rng.random_bool(0.5) {
            self.title(note, rng, &["PAST MEDICAL HISTORY", "PMH:", "MEDICAL HISTORY"]);
            for condition in &plan.chronic {
                self.present(note, rng, "present visit list", *condition);
                note.push("\n");
            }
        }
        if rng.random_bool(0.4) {
            self.title(note, rng, &["SOCIAL HISTORY", "Social history:"]);
            note.filler(&self.scene, rng, "visit social", 1, " ");
        }
        if plan.distractors.iter().any(|(_, kind)| *kind == MentionKind::Family) {
            self.title(note, rng, &["FAMILY HISTORY", "Family history:"]);
            self.asides_of(plan, note, rng, MentionKind::Family);
        }
        self.title(note, rng, &["REVIEW OF SYSTEMS", "ROS:"]);
        if rng.random_bool(0.5) {
            let about = *all.choose(rng).expect("a plan holds conditions");
            self.present(note, rng, "present visit ros", about);
            note.push(" ");
        }
        self.asides_of(plan, note, rng, MentionKind::Negated);
        for _ in 0..MORE_DENIED {
            if let Some((condition, _)) = self.distractor(rng).filter(|_| rng.random_bool(0.6)) {
                self.aside(note, rng, (condition, MentionKind::Negated));
            }
        }
        self.title(note, rng, &["PHYSICAL EXAMINATION", "PHYSICAL EXAM", "EXAM:"]);
        note.filler(&self.scene, rng, "visit exam", 2 + filler, " ");
        if rng.random_bool(0.6) {
            self.title(note, rng, &["RESULTS", "DATA REVIEWED:"]);
            note.filler(&self.scene, rng, "visit results", 1, " ");
        }

        self.title(note, rng, &["ASSESSMENT AND PLAN", "IMPRESSION AND PLAN", "ASSESSMENT:"]);
        for condition in &all {
            if note.documented().contains(condition) && rng.random_bool(0.2) {
                continue;
            }
            let medicines = !self.scene.catalogue.conditions[*condition].medicines.is_empty();
            let bank = match rng.random_range(0..10) {
                0..=3 if medicines => "present visit medicine",
                0..=6 => "present visit problem",
                _ => "present visit mid",
            };
            self.present(note, rng, bank, *condition);
            note.push("\n");
            note.filler(&self.scene, rng, "visit plan", 1, "\n");
        }
        self.asides_of(plan, note, rng, MentionKind::Hypothetical);
        note.filler(&self.scene, rng, "visit plan", filler.div_ceil(2), " ");
    }

    fn title(&self, note: &mut NoteText, rng: &mut ChaCha8Rng, titles: &[&str]) {
        note.trim_end();
        if !note.text.is_empty() {
            note.push("\n\n");
        }
        let title = titles.choose(rng).expect("not empty");
        note.push(title);
        note.push(if title.ends_with(':') { " " } else { "\n\n" });
    }

    fn sign_of(&self, note: &mut NoteText, rng: &mut ChaCha8Rng, condition: usize) {
        if !self.scene.catalogue.conditions[condition].signs.is_empty() && rng.random_bool(0.6) {
            note.sentence(&self.scene, rng, "sign", Some((condition, MentionKind::Present)));
            note.push(" ");
        }
    }

    fn asides_of(&self, plan: &Plan, note: &mut NoteText, rng: &mut ChaCha8Rng, which: MentionKind) {
        for distractor in plan.distractors.iter().filter(|(_, kind)| *kind == which) {
            self.aside(note, rng, *distractor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::conditions::tests::table;
    use super::super::{Hospital, MentionKind, SynthSettings};

    #[test]
    fn visits_name_what_the_patient_has_and_come_only_where_asked_for() {
        let settings = SynthSettings {
            visit_share: 1.0,
            codes: 140,
            missing_code_rate: 0.0,
            extra_code_rate: 0.0,
            ..SynthSettings::default()
        };
        let hospital = Hospital::new(table(), settings.clone(), 5).unwrap();
        let notes: Vec<_> = (0..40).flat_map(|number| hospital.patient(number)).collect();
        let visits: Vec<_> = notes.iter().filter(|n| n.note.text.chars().count() > 200).collect();
        assert!(visits.len() > 60);
        let mut denied = 0;
        for written in visits {
            assert_eq!(written.note.note_type.as_deref(), Some("visit note"));
            assert!(!written.note.codes.is_empty());
            let of = |kind| written.evidence.iter().filter(move |e| e.kind == kind);
            for mention in of(MentionKind::Present) {
                assert!(written.note.codes.contains(&mention.code), "{}", mention.code);
            }
            denied += of(MentionKind::Negated).filter(|e| !written.note.codes.contains(&e.code)).count();
        }
        assert!(denied > 60, "{denied}");
        let none = Hospital::new(table(), SynthSettings { visit_share: 0.0, ..settings }, 5).unwrap();
        assert!(
            (0..40)
                .flat_map(|at| none.patient(at))
                .all(|n| n.note.note_type.as_deref() != Some("visit note"))
        );
    }
}
