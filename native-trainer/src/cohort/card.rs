//! The data card: what a hospital's notes hold, beside the paper's figures, and what they cannot show.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Cohort;
use super::card_page;
use super::parameters::Parameters;
use super::tally::{PAIRS, Tally, above, mean, quantile};

/// The statistics of a written hospital. Unless a field says otherwise, after the paper's filter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Version of the command.
    pub version: String,
    /// Release of the code table.
    pub release: String,
    /// SHA-256 of the parameters, as TOML that the command writes.
    pub parameters_sha256: String,
    /// Whether these are the frozen ones.
    pub frozen_parameters: bool,
    /// Seed of the patients.
    pub seed: u64,
    /// Patients.
    pub patients: u64,
    /// Notes before the filter.
    pub notes_written: u64,
    /// Notes after it.
    pub notes: u64,
    /// Characters of the notes before the filter.
    pub characters: u64,
    /// Notes a patient: mean, median, 95th percentile.
    pub notes_per_patient: [f64; 3],
    /// Codes a note as coders left them.
    pub codes_per_note_coded: f64,
    /// Codes a note after chronic imputation.
    pub codes_per_note: f64,
    /// The same, only of the 2,292 most frequent codes.
    pub codes_per_note_first_2292: f64,
    /// Of the codes a note after imputation, those that stay with a patient, and what the parameters aim at.
    pub lasting_codes_per_note: [f64; 2],
    /// The others, and what the parameters aim at.
    pub acute_codes_per_note: [f64; 2],
    /// Codes that occur.
    pub codes_seen: usize,
    /// Codes of the hospital.
    pub codes: usize,
    /// Chapters whose codes occur.
    pub chapters_seen: usize,
    /// Codes that would be on more than 1,000 of 5.25 million training notes, by the shares seen here.
    pub codes_above_1000: usize,
    /// Of these, codes on fewer than 2,000.
    pub codes_above_1000_below_2000: usize,
    /// Tokens of a note: median, mean, 95th and 99th percentile.
    pub tokens: [f64; 4],
    /// Share of the notes of more than 512, 1,024 and 2,000 tokens.
    pub longer: [f64; 3],
    /// Notes of each type before the filter, as shares.
    pub types: BTreeMap<String, f64>,
    /// Mentions a note, by kind.
    pub mentions_per_note: BTreeMap<String, f64>,
    /// Of the pairs of note and named code, the share in which the code is there: the rest are denied, past, of the
    /// family, or only considered.
    pub named_is_present: f64,
    /// Of what notes document, the share that coders coded, and the share on the note after imputation.
    pub documented_coded: f64,
    /// See there.
    pub documented_imputed: f64,
    /// Of the codes after imputation, the share that the note's own text documents.
    pub codes_documented: f64,
    /// How much more often two codes meet in a patient than by chance.
    pub lifts: BTreeMap<String, f64>,
    /// The most frequent codes.
    pub top: Vec<TopCode>,
}

/// A frequent code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopCode {
    /// Dotted code.
    pub code: String,
    /// Official description.
    pub description: String,
    /// Notes that carry it after imputation.
    pub notes: u64,
    /// Their share.
    pub share: f64,
    /// The share that the parameters aim at.
    pub target: f64,
}

/// Codes in the table of the most frequent ones, as in the paper's Table 4.
const TOP: usize = 45;
/// Training notes of the paper: 70 % of 7.5 million.
const PAPERS_TRAINING_NOTES: f64 = 5.25e6;

impl Card {
    /// Makes the card of what was counted.
    pub fn new(cohort: &Cohort, tally: &Tally, release: &str) -> Self {
        let parameters = cohort.parameters();
        let notes = tally.kept();
        let of_notes = |count: u64| count as f64 / notes.max(1) as f64;
        let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        let mut ranked: Vec<(usize, u64)> = tally.code_notes.iter().copied().enumerate().collect();
        ranked.sort_by_key(|(rank, count)| (std::cmp::Reverse(*count), *rank));
        let codes: Vec<(&str, &str, &str, bool)> = cohort.codes().collect();
        let top = ranked.iter().take(TOP).map(|(rank, count)| TopCode {
            code: codes[*rank].0.to_owned(),
            description: codes[*rank].1.to_owned(),
            notes: *count,
            share: of_notes(*count),
            target: parameters.target(*rank),
        });
        let above_notes = |limit: f64| {
            ranked.iter().filter(|(_, count)| of_notes(*count) * PAPERS_TRAINING_NOTES > limit).count()
        };
        let chapters: std::collections::HashSet<&str> =
            ranked.iter().filter(|(_, count)| *count > 0).map(|(rank, _)| codes[*rank].2).collect();
        let of_kind = |lasting: bool| {
            let members =
                || (0..codes.len()).filter(|rank| cohort.population.conditions[*rank].lasting == lasting);
            [
                of_notes(members().map(|rank| tally.code_notes[rank]).sum()),
                members().map(|rank| parameters.target(rank)).sum(),
            ]
        };
        let lifts = PAIRS.iter().filter_map(|(a, b)| Some((format!("{a} with {b}"), tally.lift(a, b)?)));
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            release: release.to_owned(),
            parameters_sha256: digest(parameters),
            frozen_parameters: *parameters == Parameters::built_in(),
            seed: cohort.seed,
            patients: tally.patients,
            notes_written: tally.notes,
            notes,
            characters: tally.chars,
            notes_per_patient: [
                mean(&tally.notes_of_patient),
                f64::from(quantile(&tally.notes_of_patient, 0.5)),
                f64::from(quantile(&tally.notes_of_patient, 0.95)),
            ],
            codes_per_note_coded: of_notes(tally.coded),
            codes_per_note: of_notes(tally.imputed),
            codes_per_note_first_2292: of_notes(ranked.iter().take(2292).map(|(_, count)| count).sum()),
            lasting_codes_per_note: of_kind(true),
            acute_codes_per_note: of_kind(false),
            codes_seen: ranked.iter().filter(|(_, count)| *count > 0).count(),
            codes: codes.len(),
            chapters_seen: chapters.len(),
            codes_above_1000: above_notes(1000.0),
            codes_above_1000_below_2000: above_notes(1000.0) - above_notes(2000.0),
            tokens: [
                f64::from(quantile(&tally.tokens, 0.5)),
                mean(&tally.tokens),
                f64::from(quantile(&tally.tokens, 0.95)),
                f64::from(quantile(&tally.tokens, 0.99)),
            ],
            longer: [512, 1024, 2000].map(|limit| above(&tally.tokens, limit)),
            types: tally
                .types
                .iter()
                .map(|(kind, count)| (kind.clone(), share(*count, tally.notes)))
                .collect(),
            mentions_per_note: tally
                .mentions
                .iter()
                .map(|(k, count)| (k.clone(), of_notes(*count)))
                .collect(),
            named_is_present: share(tally.named_present, tally.named),
            documented_coded: share(tally.documented_coded, tally.documented),
            documented_imputed: share(tally.documented_imputed, tally.documented),
            codes_documented: share(tally.imputed_documented, tally.imputed),
            lifts: lifts.collect(),
            top: top.collect(),
        }
    }

    /// The card as a page.
    pub fn markdown(&self) -> String {
        card_page::markdown(self)
    }
}

fn digest(parameters: &Parameters) -> String {
    let text = toml::to_string(parameters).expect("numbers and words make TOML");
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
