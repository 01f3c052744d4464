//! A list of conditions for a label set: own words, the official ones, inclusion terms and synonyms, put together.

use std::collections::{BTreeMap, HashMap, HashSet};

use bert_xml_core::codes::IcdTable;

use super::condition_list::{ConditionList, ListedCondition};
use super::phrasing::phrasings;

/// Wordings that are not our own, at most: many rare synonyms would drown the usual words.
const OTHERS: usize = 6;

/// Terms for codes from elsewhere, by dotted code.
pub type Synonyms = BTreeMap<String, Vec<String>>;

/// The conditions of `own` in their order, then those of `further` codes in theirs, each with all that is known to be
/// said of it: own wordings (also those of the built-in list), then the official description and its rewritings, then
/// inclusion terms and synonyms. Codes that no claim may carry are left out.
pub fn with_wordings(
    table: &IcdTable,
    own: &ConditionList,
    further: &[String],
    synonyms: &Synonyms,
) -> ConditionList {
    let mut built_in: HashMap<String, ListedCondition> =
        ConditionList::built_in().0.into_iter().map(|listed| (listed.code.clone(), listed)).collect();
    let mut done = HashSet::new();
    let further = further.iter().map(|code| ListedCondition { code: code.clone(), ..Default::default() });
    let mut list = Vec::new();
    for mut listed in own.0.iter().cloned().chain(further) {
        let Some(entry) = table.lookup(&listed.code).ok().flatten().filter(|entry| entry.is_billable())
        else {
            continue;
        };
        if !done.insert(listed.code.clone()) {
            continue;
        }
        if let Some(known) = built_in.remove(&listed.code) {
            listed.wordings.extend(known.wordings);
            listed.medicines.extend(known.medicines);
            listed.signs.extend(known.signs);
        }
        let mut have: HashSet<String> = HashSet::new();
        listed.wordings.retain(|text| have.insert(text.to_lowercase()));
        let official = phrasings(&entry.description(), &entry.inclusion_terms());
        let others = synonyms.get(&listed.code).into_iter().flatten().map(|text| text.trim().to_owned());
        let usable = |text: &String| text.chars().count() > 3 && !text.contains(['|', '\t', '\n']);
        let mut new: Vec<String> =
            official.into_iter().chain(others).filter(|text| have.insert(text.to_lowercase())).collect();
        // The official description stays, whatever it looks like.
        let first = (!new.is_empty()).then(|| new.remove(0).replace('|', "/"));
        new.retain(usable);
        new.truncate(OTHERS);
        listed.wordings.extend(first.into_iter().chain(new));
        list.push(listed);
    }
    ConditionList(list)
}

#[cfg(test)]
mod tests {
    use super::super::conditions::tests::table;
    use super::*;

    #[test]
    fn own_words_come_first_and_further_codes_have_official_ones() {
        let own = ConditionList::from_tsv("I10\thypertension, own words\tpills\n").unwrap();
        let synonyms =
            Synonyms::from([("K51.00".to_owned(), vec!["UC".to_owned(), "colitis, ulcerous".to_owned()])]);
        let further = ["K51.00", "I10", "R05"].map(str::to_owned);
        let list = with_wordings(table(), &own, &further, &synonyms);
        let codes: Vec<&str> = list.0.iter().map(|listed| listed.code.as_str()).collect();
        assert_eq!(codes, ["I10", "K51.00"], "R05 is no billable code, and I10 stands once");
        assert_eq!(list.0[0].wordings[..2], ["hypertension, own words", "hypertension"]);
        assert!(list.0[0].wordings.contains(&"Essential (primary) hypertension".to_owned()));
        assert!(list.0[0].medicines.len() > 1);
        let colitis = &list.0[1].wordings;
        assert!(colitis.contains(&"Ulcerative pancolitis without complications".to_owned()), "{colitis:?}");
        assert!(colitis.contains(&"colitis, ulcerous".to_owned()) && !colitis.contains(&"UC".to_owned()));
        assert_eq!(ConditionList::from_tsv(&list.to_tsv()), Ok(list));
    }
}
