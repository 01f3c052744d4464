//! What a hospital's notes hold, counted patient by patient as they are written.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Cohort;
use super::coding::impute;
use super::note_type::{ERRONEOUS, MISCELLANEOUS, STUDENT};
use crate::synth::{MentionKind, SynthNote};

/// The paper's filter drops notes of fewer characters.
const LEAST_CHARS: usize = 50;

/// Counts over the notes of a hospital. Patients and codes only: memory does not grow with the notes.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// All patients and notes, and the characters of the notes.
    pub patients: u64,
    /// Notes before the filter.
    pub notes: u64,
    /// Characters of these notes.
    pub chars: u64,
    /// Notes that the paper's filter drops: student, erroneous, miscellaneous, fewer than 50 characters.
    pub dropped: u64,
    /// Notes of each type, before the filter.
    pub types: BTreeMap<String, u64>,
    /// Patients by their number of notes, after the filter.
    pub notes_of_patient: BTreeMap<u32, u64>,
    /// Notes by their number of tokens, after the filter.
    pub tokens: BTreeMap<u32, u64>,
    /// Codes on all notes after the filter, as the coders left them.
    pub coded: u64,
    /// The same after chronic imputation.
    pub imputed: u64,
    /// Of the codes after imputation, those that the note's text names as present.
    pub imputed_documented: u64,
    /// Of the codes before imputation, those that the text names as present.
    pub coded_documented: u64,
    /// Conditions that a note's text names as present, each once a note.
    pub documented: u64,
    /// Of these, conditions whose code the note carries before imputation.
    pub documented_coded: u64,
    /// Of these, conditions whose code the note carries after it.
    pub documented_imputed: u64,
    /// Mentions of each kind, after the filter.
    pub mentions: BTreeMap<String, u64>,
    /// Pairs of note and code that is named in any way, and those that are named as present.
    pub named: u64,
    /// Of these, named as present at least once.
    pub named_present: u64,
    /// Notes that carry a code after imputation, by the code's rank.
    pub code_notes: Vec<u64>,
    /// Patients that have a code on any note, by the code's rank.
    pub code_patients: Vec<u64>,
    /// Patients that have both codes of a pair.
    pub pairs: BTreeMap<(u32, u32), u64>,
    ranks: HashMap<String, u32>,
    chronic: Vec<bool>,
    watched: Vec<(u32, u32)>,
}

/// Pairs whose common occurrence the card tells.
pub(super) const PAIRS: [(&str, &str); 6] = [
    ("I10", "E78.5"),
    ("E11.9", "Z79.4"),
    ("I25.10", "Z95.1"),
    ("I48.91", "Z79.01"),
    ("J44.9", "F17.210"),
    ("F32.A", "F41.9"),
];

impl Tally {
    /// Nothing counted yet, for the codes of a hospital.
    pub fn new(cohort: &Cohort) -> Self {
        let ranks: HashMap<String, u32> =
            cohort.codes().enumerate().map(|(rank, (code, ..))| (code.to_owned(), rank as u32)).collect();
        let chronic: Vec<bool> = cohort.codes().map(|(.., chronic)| chronic).collect();
        let watched = PAIRS.iter().filter_map(|(a, b)| Some((*ranks.get(*a)?, *ranks.get(*b)?))).collect();
        let (code_notes, code_patients) = (vec![0; chronic.len()], vec![0; chronic.len()]);
        Self { code_notes, code_patients, ranks, chronic, watched, ..Self::default() }
    }

    /// Counts all notes of one patient.
    pub fn add(&mut self, notes: &[SynthNote]) {
        self.patients += 1;
        let mut kept: Vec<&SynthNote> = Vec::with_capacity(notes.len());
        for written in notes {
            let note = &written.note;
            let chars = note.text.chars().count();
            self.notes += 1;
            self.chars += chars as u64;
            let kind = note.note_type.as_deref().unwrap_or_default();
            match self.types.get_mut(kind) {
                Some(count) => *count += 1,
                None => drop(self.types.insert(kind.to_owned(), 1)),
            }
            if chars < LEAST_CHARS || [STUDENT, MISCELLANEOUS, ERRONEOUS].contains(&kind) {
                self.dropped += 1;
            } else {
                kept.push(written);
            }
        }
        *self.notes_of_patient.entry(kept.len() as u32).or_default() += 1;
        let codes: Vec<HashSet<&str>> =
            kept.iter().map(|written| written.note.codes.iter().map(String::as_str).collect()).collect();
        let imputed =
            impute(&codes, |code| self.ranks.get(code).is_some_and(|rank| self.chronic[*rank as usize]));
        let mut of_patient: HashSet<u32> = HashSet::new();
        for ((written, codes), imputed) in kept.iter().zip(&codes).zip(&imputed) {
            *self.tokens.entry(written.tokens as u32).or_default() += 1;
            let mut named: HashMap<&str, bool> = HashMap::new();
            for mention in &written.evidence {
                let present = mention.kind == MentionKind::Present;
                *named.entry(mention.code.as_str()).or_default() |= present;
                *self.mentions.entry(kind_name(mention.kind).to_owned()).or_default() += 1;
            }
            self.named += named.len() as u64;
            let present: HashSet<&str> =
                named.iter().filter(|(_, present)| **present).map(|(c, _)| *c).collect();
            self.named_present += present.len() as u64;
            self.documented += present.len() as u64;
            let both = |codes: &HashSet<&str>| codes.intersection(&present).count() as u64;
            self.coded += codes.len() as u64;
            self.imputed += imputed.len() as u64;
            self.coded_documented += both(codes);
            self.imputed_documented += both(imputed);
            self.documented_coded += both(codes);
            self.documented_imputed += both(imputed);
            for code in imputed {
                let rank = self.ranks[*code];
                self.code_notes[rank as usize] += 1;
                of_patient.insert(rank);
            }
        }
        for rank in &of_patient {
            self.code_patients[*rank as usize] += 1;
        }
        for (a, b) in &self.watched {
            if of_patient.contains(a) && of_patient.contains(b) {
                *self.pairs.entry((*a, *b)).or_default() += 1;
            }
        }
    }

    /// Notes after the filter.
    pub fn kept(&self) -> u64 {
        self.notes - self.dropped
    }

    /// How much more often two codes meet in a patient than by chance.
    pub(super) fn lift(&self, a: &str, b: &str) -> Option<f64> {
        let (a, b) = (*self.ranks.get(a)?, *self.ranks.get(b)?);
        let together = *self.pairs.get(&(a, b))? as f64;
        let by_chance = self.code_patients[a as usize] as f64 * self.code_patients[b as usize] as f64;
        Some(together * self.patients as f64 / by_chance)
    }
}

fn kind_name(kind: MentionKind) -> &'static str {
    match kind {
        MentionKind::Present => "present",
        MentionKind::Negated => "negated",
        MentionKind::Family => "family",
        MentionKind::History => "history",
        MentionKind::Hypothetical => "hypothetical",
    }
}

/// The value below which this share of counted values lies.
pub(super) fn quantile(counts: &BTreeMap<u32, u64>, share: f64) -> u32 {
    let total: u64 = counts.values().sum();
    let wanted = (total as f64 * share) as u64;
    let mut sum = 0;
    for (value, count) in counts {
        sum += count;
        if sum > wanted {
            return *value;
        }
    }
    counts.keys().last().copied().unwrap_or(0)
}

/// Share of the counted values above `limit`.
pub(super) fn above(counts: &BTreeMap<u32, u64>, limit: u32) -> f64 {
    let total: u64 = counts.values().sum();
    counts.range(limit + 1..).map(|(_, count)| count).sum::<u64>() as f64 / total.max(1) as f64
}

/// Mean of the counted values.
pub(super) fn mean(counts: &BTreeMap<u32, u64>) -> f64 {
    let total: u64 = counts.values().sum();
    counts.iter().map(|(value, count)| f64::from(*value) * *count as f64).sum::<f64>() / total.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_means_and_tails_are_those_of_the_values() {
        let counts = BTreeMap::from([(1, 2), (3, 1), (10, 1)]);
        assert_eq!((quantile(&counts, 0.5), quantile(&counts, 0.0), quantile(&counts, 1.0)), (3, 1, 10));
        assert!((mean(&counts) - 3.75).abs() < 1e-12);
        assert!((above(&counts, 3) - 0.25).abs() < 1e-12);
    }
}
