//! The conditions of the hospital: which codes, how they are written, who has them, and what goes with them.

use std::collections::{HashMap, HashSet};

use bert_xml_core::codes::{Code, IcdTable, Indicator};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::choice::{choose, own_list};
use super::parameters::Parameters;
use super::people::{GROUPS, Group, profiles};
use super::prefixes::{Prefixes, words};
use super::system::System;
use super::wording::{Side, Terms, without_side};
use crate::synth::ListedCondition;
use crate::synth::phrasing::phrasings;

/// The order of codes and their wordings are drawn once, the same for every hospital: a seed draws patients only.
const SEED: u64 = 0x1CD_10C4;

/// How a condition is written without its side, and the side.
#[derive(Clone, Debug)]
pub(super) struct SideApart {
    pub(super) wordings: Vec<String>,
    pub(super) side: Side,
}

/// One code as the hospital knows it.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) code: Code,
    /// The dotted code, as records carry it.
    pub(super) written: String,
    /// The official description.
    pub(super) description: String,
    /// Name of the chapter: `1` to `22`.
    pub(super) chapter: String,
    /// Whether AHRQ calls it chronic (CCIR): what imputation goes by.
    pub(super) chronic: bool,
    /// Whether it stays with a patient: chronic ones, and states such as a pacemaker.
    pub(super) lasting: bool,
    /// At least one; no wording belongs to two conditions.
    pub(super) wordings: Vec<String>,
    pub(super) side_apart: Option<SideApart>,
    pub(super) medicines: Vec<String>,
    pub(super) signs: Vec<String>,
    pub(super) system: System,
    /// Whether it only comes with another: causes and places of injuries, weeks of pregnancy, germs,
    /// insulin.
    pub(super) only_companion: bool,
    pub(super) deniable: bool,
    pub(super) in_family: bool,
    pub(super) in_past: bool,
    /// Others of its category.
    pub(super) siblings: Vec<usize>,
    /// Others that go with it, and the running sum of their weights.
    pub(super) companions: Vec<(usize, f64)>,
    /// Frequency in each group of people, relative to that of all.
    pub(super) in_group: [f64; GROUPS],
}

impl Condition {
    /// Whether both belong to one category of three characters: a patient has at most one of them at a time.
    pub(super) fn same_category(&self, other: &Self) -> bool {
        self.code.undotted()[..3] == other.code.undotted()[..3]
    }
}

/// Why there is no such catalogue: the table has fewer codes of the families.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("codes.count = {wanted}: the families of the hospital have {available} codes in this table")]
pub struct TooManyCodes {
    /// The number asked for.
    pub wanted: usize,
    /// The number there is.
    pub available: usize,
}

/// All conditions of the hospital, the most frequent first.
pub(super) fn conditions(table: &IcdTable, parameters: &Parameters) -> Result<Vec<Condition>, TooManyCodes> {
    let wanted = parameters.codes.count;
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let own = own_list();
    let chosen = choose(table, &own, wanted, &mut rng);
    if chosen.len() < wanted {
        return Err(TooManyCodes { wanted, available: chosen.len() });
    }
    let listed: HashMap<&str, &ListedCondition> =
        own.iter().map(|listed| (listed.code.as_str(), listed)).collect();
    let terms = Terms::built_in();
    let profiles = profiles();
    let medicines = Prefixes::parse("medicines.tsv", include_str!("words/medicines.tsv"), words);
    let signs = Prefixes::parse("signs.tsv", include_str!("words/signs.tsv"), words);
    let mut worded: HashSet<String> = HashSet::new();
    let mut conditions: Vec<Condition> = Vec::with_capacity(wanted);
    for entry in chosen {
        let code = entry.code().expect("what is billable is a code");
        let description = entry.description();
        let mut base: Vec<String> = Vec::new();
        let of_list = listed.get(code.dotted().as_str());
        if let Some(own) = of_list {
            base.extend(own.wordings.iter().cloned());
        }
        let inclusion = if code.undotted().len() == 7 { Vec::new() } else { entry.inclusion_terms() };
        base.extend(phrasings(&description, &inclusion));
        let mut texts = terms.variants(&base, parameters.codes.wordings, &mut rng);
        // A wording that a more frequent condition has is not free.
        texts.retain(|text| worded.insert(text.to_lowercase()));
        if texts.is_empty() {
            texts.push(format!("{description} ({})", code.dotted()));
        }
        let side_apart = Side::of(&description).and_then(|side| {
            let wordings = without_side(&texts);
            (!wordings.is_empty()).then_some(SideApart { wordings, side })
        });
        let profile = profiles.get(code.undotted()).expect("a row of ages.tsv is for all codes");
        let mut in_group = [0.0; GROUPS];
        let mut mean = 0.0;
        let ages: f64 = parameters.patients.ages.iter().sum();
        for (place, group) in Group::all().enumerate() {
            in_group[place] = profile.of(group);
            let female = parameters.patients.female;
            let sex = if group.sex == super::people::Sex::Female { female } else { 1.0 - female };
            mean += in_group[place] * sex * parameters.patients.ages[group.band] / ages;
        }
        for value in &mut in_group {
            *value /= mean;
        }
        let letter = code.undotted().as_bytes()[0];
        let chronic = entry.chronic() == Some(Indicator::Chronic);
        let lasting = chronic || lasts(code);
        let own_or = |own: Option<&Vec<String>>, table: &Prefixes<Vec<String>>| match own {
            Some(own) if !own.is_empty() => own.clone(),
            _ => table.get(code.undotted()).cloned().unwrap_or_default(),
        };
        conditions.push(Condition {
            code,
            written: code.dotted(),
            description: description.to_string(),
            chapter: entry.chapter().name().into_owned(),
            chronic,
            lasting,
            wordings: texts,
            side_apart,
            medicines: own_or(of_list.map(|own| &own.medicines), &medicines),
            signs: own_or(of_list.map(|own| &own.signs), &signs),
            system: System::of(code),
            only_companion: matches!(letter, b'V'..=b'Y')
                || ["Z3A", "Z37", "Z17", "Z68", "Z794", "Z7984", "Z992", "Z9981", "B95", "B96", "B97"]
                    .iter()
                    .any(|prefix| code.undotted().starts_with(prefix)),
            deniable: !matches!(letter, b'O' | b'P' | b'Q' | b'V'..=b'Z'),
            in_family: matches!(letter, b'C' | b'D' | b'E' | b'F' | b'G' | b'I' | b'M' | b'N' | b'K' | b'H')
                && chronic,
            in_past: matches!(
                letter,
                b'A' | b'B'
                    | b'F'
                    | b'G'
                    | b'H'
                    | b'I'
                    | b'J'
                    | b'K'
                    | b'L'
                    | b'M'
                    | b'N'
                    | b'S'
                    | b'T'
                    | b'U'
            ) && !lasting,
            siblings: Vec::new(),
            companions: Vec::new(),
            in_group,
        });
    }
    let mut categories: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, condition) in conditions.iter().enumerate() {
        categories.entry(condition.code.undotted()[..3].to_owned()).or_default().push(at);
    }
    for members in categories.values() {
        for at in members {
            conditions[*at].siblings = members.iter().filter(|other| *other != at).copied().collect();
        }
    }
    accompany(&mut conditions, parameters);
    Ok(conditions)
}

/// States and risks that are no chronic diseases in AHRQ's sense but stay with a patient.
fn lasts(code: Code) -> bool {
    let code = code.undotted();
    [
        "Z79", "Z80", "Z81", "Z82", "Z83", "Z84", "Z85", "Z86", "Z87", "Z88", "Z89", "Z9", "Z66", "Z68",
        "Z16", "Z17",
    ]
    .iter()
    .any(|prefix| code.starts_with(prefix))
}

/// Reads who goes with whom.
fn accompany(conditions: &mut [Condition], parameters: &Parameters) {
    let matching = |prefix: &str| -> Vec<usize> {
        let prefix = prefix.replace('.', "");
        let starts = |at: &usize| conditions[*at].code.undotted().starts_with(&prefix);
        (0..conditions.len()).filter(starts).collect()
    };
    let mut pairs: Vec<(usize, usize, f64)> = Vec::new();
    for line in include_str!("words/comorbidity.tsv").lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let &[first, way, second, weight] = fields.as_slice() else { panic!("comorbidity.tsv: {line}") };
        let weight: f64 = weight.parse().unwrap_or_else(|_| panic!("comorbidity.tsv: {line}"));
        let (from, to) = (matching(first), matching(second));
        let mut add = |from: &[usize], to: &[usize]| {
            let sum: f64 = to.iter().map(|at| parameters.target(*at)).sum();
            for one in from {
                for other in to.iter().filter(|other| *other != one) {
                    pairs.push((*one, *other, weight * parameters.target(*other) / sum));
                }
            }
        };
        add(&from, &to);
        if way == "=" {
            add(&to, &from);
        }
    }
    pairs.sort_by_key(|pair| (pair.0, pair.1));
    for (one, other, weight) in pairs {
        let sum = conditions[one].companions.last().map_or(0.0, |(_, sum)| *sum);
        conditions[one].companions.push((other, sum + weight));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::corpus::builtin;
    use crate::synth::ConditionList;

    pub(in super::super) fn table() -> &'static IcdTable {
        static TABLE: LazyLock<IcdTable> = LazyLock::new(|| builtin::icd10cm().unwrap());
        &TABLE
    }

    pub(in super::super) fn all() -> &'static [Condition] {
        static ALL: LazyLock<Vec<Condition>> =
            LazyLock::new(|| conditions(table(), &Parameters::built_in()).unwrap());
        &ALL
    }

    #[test]
    fn three_thousand_codes_come_from_all_chapters_and_are_billable() {
        let all = all();
        assert_eq!(all.len(), 3000);
        assert_eq!(all[0].written, "I10");
        assert_eq!(all[44].written, "Z95.1");
        let mut chapters: HashMap<&str, usize> = HashMap::new();
        for condition in all {
            *chapters.entry(condition.chapter.as_str()).or_default() += 1;
            assert!(table().get(condition.code).unwrap().is_billable(), "{}", condition.written);
        }
        assert_eq!(chapters.len(), 22);
        assert!(chapters.iter().all(|(chapter, count)| *count >= 15 || *chapter == "22"), "{chapters:?}");
    }

    #[test]
    fn every_own_condition_is_billable_in_the_table() {
        let list = ConditionList(own_list());
        assert!(list.0.len() > 490, "{}", list.0.len());
        assert_eq!(list.not_billable(table()), Vec::<&str>::new());
    }

    #[test]
    fn no_wording_belongs_to_two_codes_and_most_codes_have_many() {
        let mut seen: HashMap<String, &str> = HashMap::new();
        let mut wordings = 0;
        for condition in all() {
            for text in &condition.wordings {
                let other = seen.insert(text.to_lowercase(), &condition.written);
                assert!(other.is_none(), "{text}: {} and {}", condition.written, other.unwrap());
                wordings += 1;
            }
        }
        assert!(wordings > 3000 * 6, "{wordings}");
    }

    #[test]
    fn siblings_and_companions_are_there_and_possible() {
        let all = all();
        let at = |code: &str| all.iter().position(|condition| condition.written == code).unwrap();
        let headache = &all[at("G44.029")];
        assert!(headache.siblings.contains(&at("G44.329")));
        let diabetes = &all[at("E11.9")];
        let with: Vec<&str> = diabetes.companions.iter().map(|(at, _)| all[*at].written.as_str()).collect();
        assert!(with.contains(&"E78.5") && with.contains(&"Z79.4"), "{with:?}");
        let sided = all.iter().filter(|condition| condition.side_apart.is_some()).count();
        assert!(sided > 250, "{sided}");
        let apart = all[at("M25.561")].side_apart.as_ref().unwrap();
        assert_eq!(apart.side, Side::Right);
        assert!(apart.wordings.iter().all(|text| !text.to_lowercase().contains("right")), "{apart:?}");
        for condition in all {
            assert!(!condition.signs.is_empty(), "{}", condition.written);
        }
    }

    #[test]
    fn more_codes_than_there_are_is_an_error() {
        let mut parameters = Parameters::built_in();
        parameters.codes.count = 20_000;
        let error = conditions(table(), &parameters).unwrap_err().to_string();
        assert!(error.starts_with("codes.count = 20000: the families of the hospital have"), "{error}");
    }
}
