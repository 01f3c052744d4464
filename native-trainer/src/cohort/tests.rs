//! The hospital as a whole, on one drawn sample.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use rayon::prelude::*;

use super::card::Card;
use super::catalogue::tests::table;
use super::*;

pub(super) fn cohort() -> &'static Cohort {
    static COHORT: LazyLock<Cohort> =
        LazyLock::new(|| Cohort::new(table(), Parameters::built_in(), 1).unwrap());
    &COHORT
}

fn patients() -> &'static [Vec<SynthNote>] {
    static PATIENTS: LazyLock<Vec<Vec<SynthNote>>> =
        LazyLock::new(|| (0..1500).into_par_iter().map(|number| cohort().patient(number)).collect());
    &PATIENTS
}

fn notes() -> impl Iterator<Item = &'static SynthNote> {
    patients().iter().flatten()
}

fn card() -> Card {
    let mut tally = Tally::new(cohort());
    patients().iter().for_each(|notes| tally.add(notes));
    Card::new(cohort(), &tally, "test")
}

fn slice(note: &SynthNote, start: usize, end: usize) -> String {
    note.note.text.chars().skip(start).take(end - start).collect()
}

#[test]
fn a_patient_is_the_same_in_every_hospital_of_the_seed_and_another_in_another() {
    // Made on one thread, the first on all.
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let again = one.install(|| Cohort::new(table(), Parameters::built_in(), 1).unwrap());
    for number in [0, 7, 1499] {
        assert_eq!(again.patient(number), patients()[number as usize]);
    }
    let other = Cohort::new(table(), Parameters::built_in(), 2).unwrap();
    assert_ne!(other.patient(0), patients()[0]);
    // The seed draws patients only.
    assert!(other.codes().eq(again.codes()));
}

#[test]
fn the_sample_is_what_the_parameters_aim_at() {
    let card = card();
    let [mean, ..] = card.notes_per_patient;
    assert!((7.0..8.0).contains(&mean), "{mean} notes a patient");
    let codes = card.codes_per_note_first_2292;
    assert!((4.2..4.75).contains(&codes), "{codes} codes a note");
    assert!(card.codes_per_note_coded < 0.85 * card.codes_per_note, "imputation mends little: {card:?}");
    let [median, _, high, _] = card.tokens;
    assert!((540.0..660.0).contains(&median), "{median} tokens");
    assert!((1500.0..2600.0).contains(&high), "{high} tokens");
    assert!((0.015..0.1).contains(&card.longer[2]), "{:?}", card.longer);
    assert_eq!(card.chapters_seen, 22);
    assert!(card.codes_seen > 1800, "{}", card.codes_seen);
    assert!(card.frozen_parameters);
    assert!((0.35..0.75).contains(&card.named_is_present), "{}", card.named_is_present);
    let [lasting, of_lasting] = card.lasting_codes_per_note;
    assert!((0.85..1.15).contains(&(lasting / of_lasting)), "{lasting} for {of_lasting}");
    assert!(card.lifts.values().all(|lift| *lift > 1.2), "{:?}", card.lifts);
    // Progress notes are the most frequent, and every type is there.
    assert_eq!(card.types.len(), NoteType::ALL.len() + 3);
    assert!(card.types.values().all(|share| *share <= card.types["progress note"]));
    let page = card.markdown();
    assert!(page.contains("| 1 | I10 |") && page.contains("What it cannot show"), "{page}");
    let json = serde_json::to_string(&card).unwrap();
    assert_eq!(serde_json::from_str::<Card>(&json).unwrap().top, card.top);
}

#[test]
fn the_head_has_the_shares_that_it_should() {
    let card = card();
    let head: f64 = card.top.iter().take(20).map(|top| top.share).sum();
    let target: f64 = (0..20).map(|rank| cohort().parameters().target(rank)).sum();
    assert!((0.85..1.2).contains(&(head / target)), "{head} for {target}");
    for top in card.top.iter().take(8) {
        let ratio = top.share / top.target;
        assert!((0.6..1.7).contains(&ratio), "{}: {ratio}", top.code);
    }
}

#[test]
fn spans_slice_to_a_wording_of_their_code_or_to_its_side() {
    let mut parameters = Parameters::built_in();
    parameters.notes.typos = 0.0;
    let cohort = Cohort::new(table(), parameters, 3).unwrap();
    let ranks: HashMap<String, usize> =
        cohort.codes().enumerate().map(|(rank, (code, ..))| (code.to_owned(), rank)).collect();
    let sides = ["right", "left", "r", "l", "rt", "lt", "both", "bilateral", "b/l"];
    let (mut mentions, mut apart) = (0, 0);
    for note in (0..120).flat_map(|number| cohort.patient(number)) {
        for mention in &note.evidence {
            let words = slice(&note, mention.start, mention.end).to_lowercase();
            mentions += 1;
            if sides.contains(&words.as_str()) {
                apart += 1;
                continue;
            }
            let mut wordings = cohort.wordings(ranks[&mention.code]);
            assert!(wordings.any(|wording| wording.to_lowercase() == words), "{}: {words}", mention.code);
        }
    }
    assert!(mentions > 6000 && apart > 50, "{mentions}, {apart}");
}

#[test]
fn what_is_denied_considered_of_the_family_or_past_gives_no_code() {
    let mut parameters = Parameters::built_in();
    parameters.labels.of_encounter = 0.0;
    parameters.labels.sibling = 0.0;
    parameters.labels.stray = 0.0;
    let cohort = Cohort::new(table(), parameters, 4).unwrap();
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for note in (0..200).flat_map(|number| cohort.patient(number)) {
        let present: HashSet<&str> = note
            .evidence
            .iter()
            .filter(|mention| mention.kind == MentionKind::Present)
            .map(|mention| mention.code.as_str())
            .collect();
        assert!(note.note.codes.iter().all(|code| present.contains(code.as_str())), "{}", note.note.note_id);
        for mention in note.evidence.iter().filter(|mention| mention.kind != MentionKind::Present) {
            *kinds.entry(format!("{:?}", mention.kind)).or_default() += 1;
            let over = mention.kind == MentionKind::History;
            assert!(over || !present.contains(mention.code.as_str()), "{}", mention.code);
        }
    }
    assert_eq!(kinds.len(), 4, "{kinds:?}");
    assert!(kinds.values().all(|count| *count > 150), "{kinds:?}");
}

#[test]
fn siblings_of_what_is_there_are_denied_so_that_words_alone_do_not_decide() {
    let mut near = 0;
    let mut denied = 0;
    for note in notes() {
        let present: HashSet<&str> = note
            .evidence
            .iter()
            .filter(|mention| mention.kind == MentionKind::Present)
            .map(|mention| &mention.code[..3])
            .collect();
        for mention in note.evidence.iter().filter(|mention| mention.kind == MentionKind::Negated) {
            denied += 1;
            near += usize::from(present.contains(&mention.code[..3]));
        }
    }
    let share = near as f64 / denied as f64;
    assert!((0.1..0.45).contains(&share), "{near} of {denied}");
}

#[test]
fn notes_look_like_notes() {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let signs = [
        "[**",
        "___",
        "<NAME>",
        "ASSESSMENT",
        "Assessment",
        "Denies",
        "h/o",
        "dated",
        "Medical student note",
        "ENTERED IN ERROR",
        "INDICATION",
        "BP ",
        "mg daily",
    ];
    let mut ids = HashSet::new();
    for note in notes() {
        assert!(ids.insert(&note.note.note_id));
        assert!(!note.note.text.contains(['{', '}']), "{}", note.note.text);
        assert!(!note.note.text.is_empty() && note.note.text == note.note.text.trim_end());
        for sign in signs {
            *seen.entry(sign).or_default() += usize::from(note.note.text.contains(sign));
        }
    }
    assert!(signs.iter().all(|sign| seen[sign] > 5), "{seen:?}");
    for notes in patients() {
        assert!(notes.windows(2).all(|pair| pair[0].note.date <= pair[1].note.date));
    }
    // Texts differ: hardly two notes of 50 characters and more are alike.
    let texts: HashSet<&str> =
        notes().map(|n| n.note.text.as_str()).filter(|text| text.len() > 200).collect();
    let long = notes().filter(|note| note.note.text.len() > 200).count();
    assert_eq!(texts.len(), long);
}
