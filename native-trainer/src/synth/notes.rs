//! Notes of each type: their sections, what each names, and how much is said around it.

use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::conditions::From;
use super::note_text::NoteText;
use super::patient::Encounter;
use super::settings::{Length, SynthSettings};
use super::writer::{MentionKind, Scene};

/// Type of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum NoteType {
    HistoryAndPhysical,
    Progress,
    Discharge,
    Consult,
    Radiology,
    Nursing,
    Telephone,
    Student,
    Erroneous,
    Miscellaneous,
    /// Only in a hospital with a share of them.
    Visit,
}

impl NoteType {
    /// All types with their share of the notes, in per cent.
    pub(super) const SHARES: [(Self, u32); 10] = [
        (Self::HistoryAndPhysical, 16),
        (Self::Progress, 33),
        (Self::Discharge, 16),
        (Self::Consult, 12),
        (Self::Radiology, 6),
        (Self::Nursing, 7),
        (Self::Telephone, 5),
        (Self::Student, 2),
        (Self::Erroneous, 1),
        (Self::Miscellaneous, 2),
    ];

    pub(super) fn draw(rng: &mut ChaCha8Rng) -> Self {
        let mut at = rng.random_range(0..100);
        for (kind, share) in Self::SHARES {
            if at < share {
                return kind;
            }
            at -= share;
        }
        unreachable!("the shares add up to 100")
    }

    /// As records carry it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::HistoryAndPhysical => "history and physical",
            Self::Progress => "progress note",
            Self::Discharge => "discharge summary",
            Self::Consult => "consult note",
            Self::Radiology => "radiology report",
            Self::Nursing => "nursing note",
            Self::Telephone => "telephone encounter",
            Self::Student => "student",
            Self::Erroneous => "erroneous",
            Self::Miscellaneous => "miscellaneous",
            Self::Visit => "visit note",
        }
    }

    /// Whether the note has sections and names most of what the patient has.
    pub(super) fn is_full(self) -> bool {
        matches!(
            self,
            Self::HistoryAndPhysical
                | Self::Progress
                | Self::Discharge
                | Self::Consult
                | Self::Student
                | Self::Visit
        )
    }
}

/// Writes the notes of one encounter.
pub(super) struct NoteWriter<'a> {
    pub(super) scene: Scene<'a>,
    pub(super) settings: &'a SynthSettings,
    pub(super) encounter: &'a Encounter,
}

/// What one full note will say, decided before it is written.
pub(super) struct Plan {
    pub(super) acute: Vec<usize>,
    pub(super) chronic: Vec<usize>,
    pub(super) distractors: Vec<(usize, MentionKind)>,
    /// Filler sentences that are left to place.
    pub(super) filler: f64,
    pub(super) repetition: f64,
}

/// Tokens of a filler sentence, a mention and a heading: averages that only steer the length.
const TOKENS_PER_FILLER: f64 = 9.5;
const TOKENS_PER_MENTION: f64 = 9.0;
const TOKENS_PER_HEADING: f64 = 3.0;

impl NoteWriter<'_> {
    /// Writes a note of this type.
    pub(super) fn write(&self, kind: NoteType, rng: &mut ChaCha8Rng) -> NoteText {
        let mut note = NoteText::default();
        match kind {
            NoteType::Erroneous => note.sentence(&self.scene, rng, "erroneous", None),
            NoteType::Miscellaneous => {
                let count = rng.random_range(2..5);
                note.filler(&self.scene, rng, "miscellaneous", count, " ");
            }
            NoteType::Radiology => self.radiology(&mut note, rng),
            NoteType::Nursing => self.brief(&mut note, rng, "nursing"),
            NoteType::Telephone => self.brief(&mut note, rng, "phone"),
            NoteType::Visit => self.visit(&self.plan(kind, rng), &mut note, rng),
            _ => self.full(kind, &mut note, rng),
        }
        note.trim_end();
        note
    }

    /// A note of fewer than 50 characters.
    pub(super) fn write_short(&self, rng: &mut ChaCha8Rng) -> NoteText {
        for _ in 0..10 {
            let mut note = NoteText::default();
            let about = self.some_of(1, rng)[0];
            note.sentence(&self.scene, rng, "short present", Some((about, MentionKind::Present)));
            if note.text.chars().count() < 50 {
                return note;
            }
        }
        let mut note = NoteText::default();
        note.sentence(&self.scene, rng, "short", None);
        note
    }

    /// Up to `count` conditions of the encounter, acute ones first.
    fn some_of(&self, count: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
        let mut acute = self.encounter.acute.clone();
        let mut chronic = self.encounter.chronic.clone();
        acute.shuffle(rng);
        chronic.shuffle(rng);
        acute.into_iter().chain(chronic).take(count).collect()
    }

    pub(super) fn present(&self, note: &mut NoteText, rng: &mut ChaCha8Rng, bank: &str, condition: usize) {
        note.sentence(&self.scene, rng, bank, Some((condition, MentionKind::Present)));
    }

    /// A mention that gives no code, of something that the encounter has not; none where nothing is found.
    pub(super) fn distractor(&self, rng: &mut ChaCha8Rng) -> Option<(usize, MentionKind)> {
        let (from, kind) = match rng.random_range(0..10) {
            0..=4 => (From::Deniable, MentionKind::Negated),
            5 | 6 => (From::Family, MentionKind::Family),
            7 => (From::Past, MentionKind::History),
            _ => (From::Deniable, MentionKind::Hypothetical),
        };
        let catalogue = self.scene.catalogue;
        let drawn = (0..20).find_map(|_| {
            let drawn = catalogue.draw(from, rng)?;
            let condition = &catalogue.conditions[drawn];
            let mut have = self.encounter.acute.iter().chain(&self.encounter.chronic);
            have.all(|other| !condition.same_category(&catalogue.conditions[*other])).then_some(drawn)
        })?;
        Some((drawn, kind))
    }

    fn brief(&self, note: &mut NoteText, rng: &mut ChaCha8Rng, bank: &str) {
        let long = self.settings.length == Length::Normal;
        let count = rng.random_range(1..=3);
        for condition in self.some_of(count, rng) {
            self.present(note, rng, "present brief", condition);
            note.push(" ");
        }
        if rng.random_bool(0.3)
            && let Some(distractor) = self.distractor(rng)
        {
            self.aside(note, rng, distractor);
        }
        let count = if long { rng.random_range(3..10) } else { rng.random_range(2..6) };
        note.filler(&self.scene, rng, bank, count, " ");
    }

    fn radiology(&self, note: &mut NoteText, rng: &mut ChaCha8Rng) {
        let long = self.settings.length == Length::Normal;
        let study = ["CHEST FILM", "CT ABDOMEN AND PELVIS", "CT HEAD", "ULTRASOUND", "MRI", "PLAIN FILMS"];
        note.push("EXAM: ");
        note.push(study.choose(rng).expect("not empty"));
        let count = rng.random_range(1..=2);
        let conditions = self.some_of(count, rng);
        note.push("\nINDICATION: ");
        self.present(note, rng, "present indication", conditions[0]);
        note.push(".\nFINDINGS: ");
        note.filler(&self.scene, rng, "findings", if long { 6 } else { 3 }, " ");
        if let Some((condition, _)) = self.distractor(rng) {
            self.aside(note, rng, (condition, MentionKind::Negated));
        }
        note.push("\nIMPRESSION: ");
        match conditions.get(1) {
            Some(condition) => self.present(note, rng, "present list", *condition),
            None => note.push("No acute change"),
        }
        note.push(".");
    }

    /// A sentence of a distractor, with a blank behind it.
    pub(super) fn aside(
        &self,
        note: &mut NoteText,
        rng: &mut ChaCha8Rng,
        (condition, kind): (usize, MentionKind),
    ) {
        let bank = match kind {
            MentionKind::Negated => "negated",
            MentionKind::Family => "family",
            MentionKind::History => "history",
            MentionKind::Hypothetical => "hypothetical",
            MentionKind::Present => unreachable!("a distractor is not present"),
        };
        note.sentence(&self.scene, rng, bank, Some((condition, kind)));
        note.push(" ");
    }

    fn plan(&self, kind: NoteType, rng: &mut ChaCha8Rng) -> Plan {
        let length = self.settings.length;
        let mut acute = self.encounter.acute.clone();
        acute.shuffle(rng);
        let mut chronic: Vec<usize> =
            self.encounter.chronic.iter().copied().filter(|_| rng.random_bool(0.85)).collect();
        if acute.is_empty() && chronic.is_empty() {
            chronic.extend(self.encounter.chronic.first());
        }
        chronic.shuffle(rng);
        let mean = self.settings.distractors * if length == Length::Normal { 2.0 } else { 1.0 };
        let count = mean as usize * 2;
        let mut distractors: Vec<(usize, MentionKind)> = Vec::new();
        // Twice the mean, each with a chance of a half, and one more for the fraction.
        let fraction = rng.random_bool((mean - mean.floor()).clamp(0.0, 1.0));
        for at in 0..=count {
            if if at < count { rng.random_bool(0.5) } else { fraction }
                && let Some((condition, kind)) = self.distractor(rng)
                && distractors.iter().all(|(other, _)| *other != condition)
            {
                distractors.push((condition, kind));
            }
        }
        let mut tokens = length.median_tokens();
        for _ in 0..8 {
            let factor = 1.0 + rng.random::<f64>() * length.spread();
            tokens = if rng.random_bool(0.5) { tokens * factor } else { tokens / factor };
        }
        let (mentions, headings) = (
            (acute.len() + chronic.len()) as f64,
            if kind == NoteType::HistoryAndPhysical { 8.0 } else { 5.0 },
        );
        let needed = mentions * (1.0 + length.repetition()) * TOKENS_PER_MENTION
            + distractors.len() as f64 * TOKENS_PER_MENTION
            + headings * TOKENS_PER_HEADING;
        let filler = ((tokens - needed) / TOKENS_PER_FILLER).max(0.0);
        Plan { acute, chronic, distractors, filler, repetition: length.repetition() }
    }

    fn full(&self, kind: NoteType, note: &mut NoteText, rng: &mut ChaCha8Rng) {
        let plan = self.plan(kind, rng);
        if kind == NoteType::Student {
            note.sentence(&self.scene, rng, "student", None);
            note.push("\n");
        }
        if rng.random_bool(0.4) {
            note.push(
                ["[**Hospital**]", "[**Location**] Medical Center", "[**Clinic**]"]
                    .choose(rng)
                    .expect("not empty"),
            );
            note.push(" ");
            note.push(&kind.name().to_uppercase());
            note.push("\nName: [**Name**]  Date: ");
            note.push(self.scene.date);
            note.push("\n");
        }
        self.full_sections(kind, &plan, note, rng);
    }
}
