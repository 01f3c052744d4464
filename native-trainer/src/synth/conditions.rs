//! The conditions of the hospital: which codes it has, how often, how they are written, and in whom.

use std::collections::HashSet;

use bert_xml_core::codes::{Code, IcdTable, Indicator, table::Entry};
use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::condition_list::{ConditionList, ListedCondition};
use super::phrasing::phrasings;
use super::settings::SynthError;

/// A patient is drawn around one condition. One that few patients can have is seldom drawn for the others,
/// so it counts this often there. Ours.
const RARE_PATIENTS: f64 = 8.0;

/// Sex of a patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sex {
    Female,
    Male,
}

/// Who can have a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plausible {
    pub(super) sex: Option<Sex>,
    pub(super) min_age: u32,
    pub(super) max_age: u32,
}

/// One code as the hospital knows it.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) code: Code,
    /// The dotted code, as records carry it.
    pub(super) written: String,
    pub(super) chronic: bool,
    /// At least one; no wording belongs to two conditions.
    pub(super) phrasings: Vec<String>,
    pub(super) medicines: Vec<String>,
    pub(super) signs: Vec<String>,
    pub(super) plausible: Plausible,
    /// Whether a note can deny it, place it in the family, or place it in the past.
    pub(super) deniable: bool,
    pub(super) in_family: bool,
    pub(super) in_past: bool,
}

impl Condition {
    /// Whether only few patients can have it.
    pub(super) fn rare(&self) -> bool {
        self.plausible.max_age < 75
    }

    /// Whether both belong to one three-character category: a patient has at most one of them.
    pub(super) fn same_category(&self, other: &Self) -> bool {
        self.code.undotted()[..3] == other.code.undotted()[..3]
    }
}

/// Conditions by falling prevalence, with what is needed to draw from them.
#[derive(Debug)]
pub(super) struct Catalogue {
    pub(super) conditions: Vec<Condition>,
    anchors: Pool,
    rare: Pool,
    all: Pool,
    acute: Pool,
    chronic: Pool,
    deniable: Pool,
    in_family: Pool,
    in_past: Pool,
}

/// Which conditions to draw from.
#[derive(Clone, Copy, Debug)]
pub(super) enum From {
    /// What a patient is drawn around.
    Anchors,
    /// Acute and of few patients: newborns, mothers, the young.
    Rare,
    All,
    Acute,
    Chronic,
    Deniable,
    Family,
    Past,
}

/// Some conditions and the running sum of their weights.
#[derive(Debug, Default)]
struct Pool {
    members: Vec<usize>,
    sums: Vec<f64>,
}

impl Pool {
    fn of(conditions: &[Condition], offset: f64, wanted: impl Fn(&Condition) -> bool) -> Self {
        Self::weighted(conditions, offset, |condition| if wanted(condition) { 1.0 } else { 0.0 })
    }

    /// Weights times the condition's prevalence, which is 1 / (rank + offset); those of weight 0 are left out.
    fn weighted(conditions: &[Condition], offset: f64, weight: impl Fn(&Condition) -> f64) -> Self {
        let mut pool = Self::default();
        let mut sum = 0.0;
        for (rank, condition) in conditions.iter().enumerate() {
            let weight = weight(condition);
            if weight > 0.0 {
                sum += weight / (rank as f64 + offset);
                pool.members.push(rank);
                pool.sums.push(sum);
            }
        }
        pool
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> Option<usize> {
        let at = rng.random::<f64>() * self.sums.last()?;
        let place = self.sums.partition_point(|sum| *sum <= at).min(self.members.len() - 1);
        Some(self.members[place])
    }
}

impl Catalogue {
    /// The `wanted` most prevalent conditions: those of the list first, the rest from the table by turns of the
    /// chapters, each chapter's codes in an order that the seed draws. A condition of rank r (from 0) has weight
    /// 1 / (r + offset): Zipf's law, flattened at the top so that no code is in most notes.
    ///
    /// # Errors
    /// [`SynthError::Codes`] where the table has fewer billable codes.
    pub(super) fn new(
        table: &IcdTable,
        list: &ConditionList,
        wanted: usize,
        offset: f64,
        seed: u64,
    ) -> Result<Self, SynthError> {
        let available = table.codes().filter(Entry::is_billable).count();
        if !(10..=available).contains(&wanted) {
            return Err(SynthError::Codes { wanted, available });
        }
        let mut conditions: Vec<Condition> = Vec::with_capacity(wanted);
        let mut taken = HashSet::new();
        let mut worded: HashSet<String> = HashSet::new();
        for listed in &list.0 {
            // Another release may lack a code.
            let Some(entry) = table.lookup(&listed.code).ok().flatten().filter(Entry::is_billable) else {
                continue;
            };
            if conditions.len() < wanted && taken.insert(entry.index()) {
                conditions.push(condition(&entry, listed, &mut worded));
            }
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut chapters: Vec<Vec<Entry<'_>>> =
            table.chapters().map(|chapter| shuffled_leaves(&chapter, &mut rng)).collect();
        while conditions.len() < wanted {
            for chapter in &mut chapters {
                while let Some(entry) = chapter.pop() {
                    if taken.insert(entry.index()) {
                        conditions.push(condition(&entry, &ListedCondition::default(), &mut worded));
                        break;
                    }
                }
                if conditions.len() == wanted {
                    break;
                }
            }
        }
        Ok(Self {
            anchors: Pool::weighted(&conditions, offset, |condition| {
                let who = condition.plausible;
                let few = condition.rare() || who.sex.is_some() || who.min_age > 50;
                if few { RARE_PATIENTS } else { 1.0 }
            }),
            rare: Pool::of(&conditions, offset, |condition| condition.rare() && !condition.chronic),
            all: Pool::of(&conditions, offset, |_| true),
            acute: Pool::of(&conditions, offset, |condition| !condition.chronic),
            chronic: Pool::of(&conditions, offset, |condition| condition.chronic),
            deniable: Pool::of(&conditions, offset, |condition| condition.deniable),
            in_family: Pool::of(&conditions, offset, |condition| condition.in_family),
            in_past: Pool::of(&conditions, offset, |condition| condition.in_past),
            conditions,
        })
    }

    /// Draws a condition by prevalence; none where no condition is of that kind.
    pub(super) fn draw(&self, from: From, rng: &mut ChaCha8Rng) -> Option<usize> {
        let pool = match from {
            From::Anchors => &self.anchors,
            From::Rare => &self.rare,
            From::All => &self.all,
            From::Acute => &self.acute,
            From::Chronic => &self.chronic,
            From::Deniable => &self.deniable,
            From::Family => &self.in_family,
            From::Past => &self.in_past,
        };
        pool.draw(rng)
    }
}

/// A chapter's billable codes so that popping takes the categories by turns, each in a drawn order.
fn shuffled_leaves<'t>(chapter: &Entry<'t>, rng: &mut ChaCha8Rng) -> Vec<Entry<'t>> {
    let mut categories: Vec<(Code, Vec<(u64, Entry<'t>)>)> = Vec::new();
    for entry in chapter.descendants().filter(Entry::is_billable) {
        let code = entry.code().expect("what is billable is a code");
        match categories.last_mut() {
            Some((first, leaves)) if first.undotted()[..3] == code.undotted()[..3] => {
                leaves.push((rng.random(), entry));
            }
            _ => categories.push((code, vec![(rng.random(), entry)])),
        }
    }
    let mut turns: Vec<(usize, u64, Entry<'t>)> = Vec::new();
    for (_, mut leaves) in categories {
        leaves.sort_by_key(|(key, entry)| (*key, entry.index()));
        turns.extend(leaves.into_iter().enumerate().map(|(turn, (key, entry))| (turn, key, entry)));
    }
    turns.sort_by_key(|(turn, key, entry)| (std::cmp::Reverse(*turn), *key, entry.index()));
    turns.into_iter().map(|(_, _, entry)| entry).collect()
}

fn condition(entry: &Entry<'_>, listed: &ListedCondition, worded: &mut HashSet<String>) -> Condition {
    let code = entry.code().expect("what is billable is a code");
    let description = entry.description();
    let mut texts = listed.wordings.clone();
    if texts.is_empty() {
        let mut terms = entry.inclusion_terms();
        if code.undotted().len() == 7 {
            terms.clear();
        }
        texts = phrasings(&description, &terms);
    } else {
        texts.push(description.to_string());
    }
    // A wording that a more prevalent condition has is not free; the official one is kept if nothing is left.
    texts.retain(|text| worded.insert(text.to_lowercase()));
    if texts.is_empty() {
        texts.push(format!("{description} ({})", entry.name()));
    }
    let letter = code.undotted().as_bytes()[0];
    let chronic = entry.chronic() == Some(Indicator::Chronic);
    Condition {
        code,
        written: code.dotted(),
        chronic,
        phrasings: texts,
        medicines: listed.medicines.clone(),
        signs: listed.signs.clone(),
        plausible: plausible(code),
        deniable: !matches!(letter, b'O' | b'P' | b'Q' | b'V'..=b'Z'),
        in_family: matches!(letter, b'C' | b'D' | b'E' | b'F' | b'G' | b'I' | b'M') && chronic,
        in_past: matches!(letter, b'A' | b'B' | b'J' | b'K' | b'L' | b'N' | b'S' | b'T' | b'U') && !chronic,
    }
}

/// Sex and ages by the first characters of a code; the first rule that fits holds. Rough, and ours.
const PLAUSIBLE: &[(&str, Option<Sex>, u32, u32)] = &[
    ("O", Some(Sex::Female), 17, 46),
    ("P", None, 0, 0),
    ("Z38", None, 0, 0),
    ("Z3A", Some(Sex::Female), 17, 46),
    ("Z33", Some(Sex::Female), 17, 46),
    ("Z34", Some(Sex::Female), 17, 46),
    ("Z37", Some(Sex::Female), 17, 46),
    ("Q", None, 0, 60),
    ("N4", Some(Sex::Male), 40, 95),
    ("N50", Some(Sex::Male), 16, 95),
    ("N51", Some(Sex::Male), 16, 95),
    ("N52", Some(Sex::Male), 16, 95),
    ("N53", Some(Sex::Male), 16, 95),
    ("C6", Some(Sex::Male), 50, 95),
    ("C64", None, 40, 95),
    ("N7", Some(Sex::Female), 16, 90),
    ("N8", Some(Sex::Female), 16, 90),
    ("N91", Some(Sex::Female), 14, 55),
    ("N92", Some(Sex::Female), 14, 52),
    ("N93", Some(Sex::Female), 14, 90),
    ("N94", Some(Sex::Female), 14, 60),
    ("C51", Some(Sex::Female), 30, 95),
    ("C53", Some(Sex::Female), 30, 95),
    ("C54", Some(Sex::Female), 40, 95),
    ("C56", Some(Sex::Female), 40, 95),
    ("C50", Some(Sex::Female), 35, 95),
    ("D25", Some(Sex::Female), 30, 60),
    ("M81.0", None, 55, 98),
    ("F03", None, 65, 98),
    ("G20", None, 55, 95),
    ("H25", None, 55, 98),
    ("H66", None, 0, 98),
    ("J0", None, 0, 98),
    ("R50", None, 0, 98),
    ("A08", None, 0, 98),
    ("L20", None, 0, 98),
    ("Z23", None, 0, 98),
];

fn plausible(code: Code) -> Plausible {
    let dotted = code.dotted();
    // C64 to C68 are no men's cancers; O, P and the rest go by the table above.
    let men = |prefix: &str| prefix == "C6" && !matches!(dotted.as_bytes().get(2), Some(b'0'..=b'3'));
    let rule = PLAUSIBLE.iter().find(|rule| dotted.starts_with(rule.0) && !men(rule.0));
    let (sex, min_age, max_age) = rule.map_or((None, 18, 98), |rule| (rule.1, rule.2, rule.3));
    Plausible { sex, min_age, max_age }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The committed table.
    pub(in crate::synth) fn table() -> &'static IcdTable {
        static TABLE: std::sync::LazyLock<IcdTable> =
            std::sync::LazyLock::new(|| crate::corpus::builtin::icd10cm().unwrap());
        &TABLE
    }

    /// A catalogue of the built-in list.
    pub(in crate::synth) fn catalogue(wanted: usize, seed: u64) -> Result<Catalogue, SynthError> {
        Catalogue::new(table(), &ConditionList::built_in(), wanted, 25.0, seed)
    }

    fn chapter(condition: &Condition) -> u32 {
        table().get(condition.code).unwrap().chapter().name().parse().unwrap()
    }

    #[test]
    fn the_first_hundred_codes_are_common_ones_from_all_chapters() {
        let catalogue = catalogue(100, 1).unwrap();
        let chapters: HashSet<_> = catalogue.conditions.iter().map(chapter).collect();
        assert_eq!(
            chapters.len(),
            22,
            "missing: {:?}",
            (1..=22).filter(|c| !chapters.contains(c)).collect::<Vec<_>>()
        );
        assert_eq!(catalogue.conditions[0].written, "I10");
        assert!(catalogue.conditions.iter().all(|c| c.phrasings.len() >= 4));
        assert!(catalogue.conditions.iter().filter(|c| c.chronic).count() > 30);
    }

    #[test]
    fn no_wording_belongs_to_two_conditions_and_codes_are_billable() {
        let catalogue = catalogue(3000, 1).unwrap();
        let mut wordings = HashSet::new();
        let mut codes = HashSet::new();
        for condition in &catalogue.conditions {
            assert!(table().get(condition.code).unwrap().is_billable());
            assert!(codes.insert(condition.code), "{} twice", condition.written);
            assert!(!condition.phrasings.is_empty());
            for phrasing in &condition.phrasings {
                assert!(
                    !phrasing.is_empty() && wordings.insert(phrasing.to_lowercase()),
                    "{}",
                    condition.written
                );
            }
        }
        let of_chapter = |wanted| catalogue.conditions.iter().filter(|c| chapter(c) == wanted).count();
        assert!((1..=21).all(|chapter| of_chapter(chapter) > 100));
    }

    #[test]
    fn the_seed_draws_the_rare_codes_only() {
        let codes = |seed| -> Vec<_> {
            catalogue(400, seed).unwrap().conditions.into_iter().map(|c| c.code).collect()
        };
        let (one, two) = (codes(1), codes(2));
        assert_eq!(one[..100], two[..100]);
        assert_ne!(one, two);
        assert_eq!(one, codes(1));
    }

    #[test]
    fn more_codes_than_the_table_has_are_refused() {
        let error = catalogue(80_000, 1).unwrap_err();
        assert_eq!(error, SynthError::Codes { wanted: 80_000, available: 74_719 });
    }

    #[test]
    fn conditions_fit_sex_and_age() {
        let rule = |code: &str| plausible(Code::parse(code).unwrap());
        assert_eq!(rule("C61"), Plausible { sex: Some(Sex::Male), min_age: 50, max_age: 95 });
        assert_eq!(rule("C64.9"), Plausible { sex: None, min_age: 40, max_age: 95 });
        assert_eq!(rule("P59.9").max_age, 0);
        assert_eq!(rule("I10"), Plausible { sex: None, min_age: 18, max_age: 98 });
        assert_eq!(rule("O80").sex, Some(Sex::Female));
    }
}
