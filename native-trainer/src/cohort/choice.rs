//! Which codes the hospital has, in which order.

use std::collections::HashSet;

use bert_xml_core::codes::{IcdTable, table::Entry};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::synth::{ConditionList, ListedCondition};

/// Own wordings: the everyday list, then the further one.
pub(super) fn own_list() -> Vec<ListedCondition> {
    let further = ConditionList::from_tsv(include_str!("words/conditions.tsv"))
        .unwrap_or_else(|error| panic!("conditions.tsv, {error}"));
    let mut everyday = ConditionList::built_in().0.into_iter();
    let mut further = further.0.into_iter();
    let mut all = Vec::new();
    // By turns: one of the everyday list, three of the further one.
    loop {
        let before = all.len();
        all.extend(everyday.by_ref().take(1));
        all.extend(further.by_ref().take(3));
        if all.len() == before {
            return all;
        }
    }
}

/// The codes of the head, those with own wordings, then the families by turns, large ones more often.
pub(super) fn choose<'t>(
    table: &'t IcdTable,
    own: &[ListedCondition],
    wanted: usize,
    rng: &mut ChaCha8Rng,
) -> Vec<Entry<'t>> {
    let mut chosen: Vec<Entry<'t>> = Vec::with_capacity(wanted);
    let mut taken = HashSet::new();
    let head = include_str!("words/head.txt").lines().filter(|line| !line.starts_with('#'));
    let head = head.flat_map(|line| line.split(' ')).map(str::to_owned);
    for code in head.chain(own.iter().map(|listed| listed.code.clone())) {
        // Another release may lack a code.
        let Some(entry) = table.lookup(&code).ok().flatten().filter(Entry::is_billable) else { continue };
        if chosen.len() < wanted && taken.insert(entry.index()) {
            chosen.push(entry);
        }
    }
    let mut tail: Vec<(f64, usize, Entry<'t>)> = Vec::new();
    let families = include_str!("words/families.tsv").lines().filter(|line| !line.starts_with('#'));
    for (place, line) in families.enumerate() {
        let family =
            line.split_once('\t').and_then(|(prefix, most)| Some((prefix, most.parse::<usize>().ok()?)));
        let (prefix, most) = family.unwrap_or_else(|| panic!("families.tsv: {line}"));
        let mut members: Vec<(f64, Entry<'t>)> = table
            .with_prefix(&prefix.replace('.', ""))
            .filter(Entry::is_billable)
            .map(|entry| (rng.random::<f64>() + usual(&entry), entry))
            .collect();
        members.sort_by(|a, b| a.0.total_cmp(&b.0));
        members.truncate(most);
        for (turn, (_, entry)) in members.into_iter().enumerate() {
            tail.push(((turn as f64 + 0.3) / most as f64, place, entry));
        }
    }
    tail.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    for (_, _, entry) in tail {
        if chosen.len() < wanted && taken.insert(entry.index()) {
            chosen.push(entry);
        }
    }
    chosen
}

/// The less, the sooner a code of a family is taken: unspecified ones and first visits before late effects.
fn usual(entry: &Entry<'_>) -> f64 {
    let code = entry.code().expect("what is billable is a code");
    let visit = match code.undotted().as_bytes() {
        [_, _, _, _, _, _, b'A'] => 0.0,
        [_, _, _, _, _, _, b'D'] => 0.5,
        [_, _, _, _, _, _, b'0'..=b'9'] => 0.0,
        [_, _, _, _, _, _, _] => 1.2,
        _ => 0.0,
    };
    visit + if entry.description().contains("nspecified") { -0.3 } else { 0.0 }
}
