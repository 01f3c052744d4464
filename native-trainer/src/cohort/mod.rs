//! The deep synthetic hospital: thousands of codes over patients' years, for the paper's claims.
//!
//! A [`Cohort`] has conditions (`catalogue`: codes of the ICD-10-CM table, as frequent as `parameters` say, each with
//! many wordings, `wording`) and patients (`patient`: lasting conditions stay and bring their companions, acute ones
//! come and go). Each encounter gives notes of several types (`note_type`, `plan`, `sections`, `scene`), whose sentences
//! stand in text files under `sentences/`. Conditions that a note denies, considers, places in the family or the past
//! give no code: often they are siblings of what is there. Coders forget and err (`coding`). All numbers stand in
//! `configs/cohort.toml`, frozen before any training; [`card`] tells what came out. Every patient has a random stream of
//! their own: the same on any number of threads, in a hospital of ten as in one of a million. No real data went into it.

pub mod card;
mod card_page;
mod catalogue;
mod chance;
mod choice;
mod coding;
mod note_type;
pub mod parameters;
mod patient;
mod people;
mod plan;
mod population;
mod prefixes;
mod scene;
mod sections;
mod slot;
mod system;
mod tally;
mod wording;

use bert_xml_core::codes::IcdTable;
use bert_xml_core::text::Note;
use jiff::ToSpan;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub use catalogue::TooManyCodes;
pub use note_type::NoteType;
pub use parameters::{ParameterError, Parameters};
pub use tally::Tally;

use crate::synth::note_text::NoteText;
use crate::synth::templates::Banks;
use crate::synth::typing_errors::TypingErrors;
use crate::synth::{GoldEvidence, MentionKind, SynthNote};
use catalogue::Condition;
use note_type::{ERRONEOUS, MISCELLANEOUS, Outlines, STUDENT};
use patient::{Encounter, Patient};
use plan::Plan;
use population::Population;
use scene::{Scene, Style};
use sections::Writer;
use slot::Slot;

/// Body systems whose sentences a note uses, at most.
const SYSTEMS: usize = 4;
/// Earlier notes that one note copies forward, at most.
const COPIED_NOTES: usize = 2;

/// A hospital of unlimited size, drawn patient by patient.
#[derive(Debug)]
pub struct Cohort {
    population: Population,
    banks: Banks<Slot>,
    outlines: Outlines,
    seed: u64,
}

/// A note that can be copied forward, and the date it had.
struct Earlier {
    date: String,
    text: NoteText,
}

/// What the notes of a patient leave for later ones.
#[derive(Default)]
struct Chart {
    written: Vec<Earlier>,
    list: Option<NoteText>,
}

impl Cohort {
    /// Plans the hospital. The same table, parameters and seed give the same notes on every machine; the seed draws
    /// patients only.
    ///
    /// # Errors
    /// [`TooManyCodes`] where the table has fewer codes than the parameters ask for.
    pub fn new(table: &IcdTable, parameters: Parameters, seed: u64) -> Result<Self, TooManyCodes> {
        let conditions = catalogue::conditions(table, &parameters)?;
        let population = Population::new(conditions, parameters);
        Ok(Self { population, banks: slot::banks(), outlines: Outlines::built_in(), seed })
    }

    /// The numbers it was made with.
    pub fn parameters(&self) -> &Parameters {
        &self.population.parameters
    }

    /// The hospital's codes, the most frequent first: dotted code, official description, chapter, and whether it is
    /// chronic.
    pub fn codes(&self) -> impl ExactSizeIterator<Item = (&str, &str, &str, bool)> {
        self.population.conditions.iter().map(|condition| {
            let Condition { written, description, chapter, chronic, .. } = condition;
            (written.as_str(), description.as_str(), chapter.as_str(), *chronic)
        })
    }

    /// All wordings of a code (by its place in [`Cohort::codes`]) that notes use, case aside and typing errors aside;
    /// where the side stands apart, the words without it.
    pub fn wordings(&self, code: usize) -> impl Iterator<Item = &str> {
        let condition = &self.population.conditions[code];
        let apart = condition.side_apart.iter().flat_map(|apart| &apart.wordings);
        condition.wordings.iter().chain(apart).map(String::as_str)
    }

    /// The notes of a patient (numbered from 0), in the order of their dates.
    pub fn patient(&self, number: u64) -> Vec<SynthNote> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(number + 1);
        let patient = Patient::draw(&self.population, &mut rng);
        let patient_id = format!("P{:07}", number + 1);
        let mut chart = Chart::default();
        let mut out: Vec<SynthNote> = Vec::new();
        for (number, encounter) in patient.encounters.iter().enumerate() {
            let rules = &self.population.parameters;
            let coded = coding::coded(encounter, &rules.labels, &mut rng);
            let date = date(patient.first_day + encounter.day);
            let mut types: Vec<(&'static str, NoteText, Vec<usize>)> = Vec::new();
            for writing in &self.population.kinds[encounter.kind].notes {
                for _ in 0..writing.most {
                    if rng.random_bool(writing.chance) {
                        let text = self.write(&patient, number, writing.kind, &date, &mut chart, &mut rng);
                        types.push((writing.kind.name(), text, coded.clone()));
                    }
                }
            }
            if rng.random_bool(rules.notes.student) {
                let kind = NoteType::Progress;
                let mut text = self.begin(&mut rng);
                let scene = self.scene(&patient, encounter, kind, &date, &mut rng);
                scene.say(&mut text, &mut rng, "student");
                text.push("\n");
                text.append(&self.write(&patient, number, kind, &date, &mut chart, &mut rng), |m| m.kind);
                types.push((STUDENT, text, coded.clone()));
            }
            for (kind, chance) in
                [(MISCELLANEOUS, rules.notes.miscellaneous), (ERRONEOUS, rules.notes.erroneous)]
            {
                if rng.random_bool(chance) {
                    let mut text = self.begin(&mut rng);
                    let scene = self.scene(&patient, encounter, NoteType::Progress, &date, &mut rng);
                    let count = if kind == ERRONEOUS { 1 } else { rng.random_range(2..6) };
                    let bank = if kind == ERRONEOUS { "erroneous" } else { "misc" };
                    scene.filler(&mut text, &mut rng, &mut Vec::new(), bank, None, count, " ");
                    text.trim_end();
                    types.push((kind, text, Vec::new()));
                }
            }
            for (kind, text, coded) in types {
                let codes = match kind {
                    MISCELLANEOUS | ERRONEOUS => Vec::new(),
                    _ => coding::of_note(&self.population, &coded, &text.documented(), &mut rng),
                };
                let note_id = format!("{patient_id}-{:03}", out.len() + 1);
                out.push(self.finish(&patient_id, note_id, &date, kind, text, &codes));
            }
        }
        out
    }

    /// An empty note whose author mistypes.
    fn begin(&self, rng: &mut ChaCha8Rng) -> NoteText {
        NoteText::typed(TypingErrors::new(self.population.parameters.notes.typos, rng.random()))
    }

    fn scene<'a>(
        &'a self,
        patient: &'a Patient,
        encounter: &Encounter,
        kind: NoteType,
        date: &'a str,
        rng: &mut ChaCha8Rng,
    ) -> Scene<'a> {
        let mut systems = Vec::new();
        for condition in encounter.acute.iter().chain(&encounter.lasting) {
            let system = self.population.conditions[*condition].system;
            if !systems.contains(&system) && systems.len() < SYSTEMS {
                systems.push(system);
            }
        }
        Scene {
            hospital: &self.population,
            banks: &self.banks,
            patient,
            date,
            age: patient.age_at(encounter.day),
            kind,
            style: Style::draw(rng),
            systems,
        }
    }

    /// Writes a note of an encounter, with what it copies from earlier ones.
    fn write(
        &self,
        patient: &Patient,
        number: usize,
        kind: NoteType,
        date: &str,
        chart: &mut Chart,
        rng: &mut ChaCha8Rng,
    ) -> NoteText {
        let rules = &self.population.parameters.notes;
        let scene = self.scene(patient, &patient.encounters[number], kind, date, rng);
        let plan = Plan::draw(&self.population, patient, number, kind, rng);
        let mut text = self.begin(rng);
        if rng.random_bool(rules.very_short) {
            for _ in 0..10 {
                let mut short = self.begin(rng);
                scene.mention(&mut short, rng, "present short", plan.main(), MentionKind::Present);
                if short.text.chars().count() < 50 {
                    return short;
                }
            }
            scene.say(&mut text, rng, "short");
            return text;
        }
        let copied = chart.list.as_ref().filter(|_| kind.is_full() && rng.random_bool(rules.copied_list));
        let mut writer = Writer::new(&scene, &plan, text);
        writer.sections(self.outlines.of(kind), copied, rng);
        let (mut text, list) = (writer.note, writer.list);
        let own = text.clone();
        if kind.is_full() && rng.random_bool(rules.copied) {
            self.copy_forward(&mut text, patient, number, &chart.written, rng);
        }
        if kind.is_full() {
            chart.written.push(Earlier { date: date.to_owned(), text: own });
            chart.list = list.or_else(|| chart.list.take());
        }
        text
    }

    /// Adds the latest earlier notes, each under a line that says so. What they say is there and still is stays so;
    /// what is over is past.
    fn copy_forward(
        &self,
        text: &mut NoteText,
        patient: &Patient,
        number: usize,
        written: &[Earlier],
        rng: &mut ChaCha8Rng,
    ) {
        let encounter = &patient.encounters[number];
        for earlier in written.iter().rev().take(rng.random_range(1..=COPIED_NOTES)) {
            text.push_exactly("\n\n");
            let scene = self.scene(patient, encounter, NoteType::Progress, &earlier.date, rng);
            scene.say(text, rng, "copied");
            text.push_exactly("\n");
            text.append(&earlier.text, |mention| match mention.kind {
                MentionKind::Present
                    if !encounter.acute.contains(&mention.condition)
                        && !encounter.lasting.contains(&mention.condition) =>
                {
                    MentionKind::History
                }
                kind => kind,
            });
        }
    }

    fn finish(
        &self,
        patient_id: &str,
        note_id: String,
        date: &str,
        kind: &str,
        text: NoteText,
        codes: &[usize],
    ) -> SynthNote {
        let written = |condition: usize| self.population.conditions[condition].written.clone();
        let evidence = text.mentions.iter().map(|mention| GoldEvidence {
            note_id: note_id.clone(),
            code: written(mention.condition),
            start: mention.span.start,
            end: mention.span.end,
            kind: mention.kind,
        });
        let evidence = evidence.collect();
        let note = Note {
            patient_id: patient_id.to_owned(),
            note_id,
            date: Some(date.to_owned()),
            note_type: Some(kind.to_owned()),
            text: text.text,
            codes: codes.iter().map(|condition| written(*condition)).collect(),
        };
        SynthNote { note, evidence, tokens: text.tokens }
    }
}

/// ISO date of a day after 1 January 2012.
fn date(day: u32) -> String {
    (jiff::civil::date(2012, 1, 1) + i64::from(day).days()).to_string()
}

#[cfg(test)]
mod tests;
