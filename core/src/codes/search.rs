//! Search over all codes of a release: by the beginning of a code, or by words of descriptions and
//! inclusion terms.
//!
//! The index lists for each word the codes that have it. Every word of a query must begin a word of a
//! code's text. Order of the hits: first by how many query words stand whole in the description, then in
//! the description as beginnings, then in inclusion terms only; then the share of the description's words
//! that the query names; then the code.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::icd::Code;
use super::table::{Entry, IcdTable};

/// One hit, best first in the answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// The code found.
    pub code: Code,
    /// How well it fits: 2 for a code that the query spells out whole, from 1 up to 2 for one that begins
    /// with the query, below 1 for a match of words. Larger is better.
    pub score: f32,
}

/// Words of a query that are looked up at most.
const LONGEST_QUERY: usize = 32;

/// How a query word stands in a code's text; larger is better.
const IN_TERM: u8 = 1;
const BEGINS: u8 = 2;
const WHOLE: u8 = 3;

/// A word index over the codes of one table.
#[derive(Debug, Clone)]
pub struct SearchIndex {
    /// The codes, sorted.
    codes: Vec<Code>,
    /// Number of words in each code's description.
    lengths: Vec<u16>,
    /// Words, sorted, each with its end in `postings`; it starts at the end of the word before.
    words: Vec<(Box<str>, u32)>,
    /// Place of a code, times two, plus one if the word stands in an inclusion term only.
    postings: Vec<u32>,
}

impl SearchIndex {
    /// Indexes all codes of a table.
    pub fn new(table: &IcdTable) -> Self {
        let mut lists: std::collections::HashMap<Box<str>, Vec<u32>> = std::collections::HashMap::new();
        let (mut codes, mut lengths) = (Vec::new(), Vec::new());
        for (entry, code) in table.codes().filter_map(|entry: Entry<'_>| Some((entry, entry.code()?))) {
            let at = codes.len() as u32;
            let mut add = |word: &str, posting: u32| {
                let list = match lists.get_mut(word) {
                    Some(list) => list,
                    None => lists.entry(word.into()).or_default(),
                };
                if list.last().is_none_or(|last| last / 2 != at) {
                    list.push(posting);
                }
            };
            let words = split_words(&entry.description());
            words.iter().for_each(|word| add(word, 2 * at));
            for term in entry.inclusion_terms() {
                split_words(term).iter().for_each(|word| add(word, 2 * at + 1));
            }
            codes.push(code);
            lengths.push(words.len() as u16);
        }
        let mut lists: Vec<_> = lists.into_iter().collect();
        lists.sort_unstable();
        let mut postings = Vec::with_capacity(lists.iter().map(|(_, list)| list.len()).sum());
        let mut words = Vec::with_capacity(lists.len());
        for (word, list) in lists {
            postings.extend(list);
            words.push((word, postings.len() as u32));
        }
        Self { codes, lengths, words, postings }
    }

    /// The `limit` best codes for a query: a code or the beginning of one, with or without dot, or words
    /// in any order, the beginning of a word included. Empty if nothing fits.
    pub fn search(&self, query: &str, limit: usize) -> Vec<Hit> {
        let mut hits = self.by_code(query);
        if hits.is_empty() {
            let mut words = split_words(query);
            // A pasted note is no query: its first words are.
            words.truncate(LONGEST_QUERY);
            hits = self.by_words(&words);
        }
        let better = |a: &Hit, b: &Hit| b.score.total_cmp(&a.score).then(a.code.cmp(&b.code));
        if hits.len() > limit && limit > 0 {
            hits.select_nth_unstable_by(limit - 1, better);
        }
        hits.truncate(limit);
        hits.sort_unstable_by(better);
        hits
    }

    fn by_code(&self, query: &str) -> Vec<Hit> {
        let prefix: String =
            query.trim().chars().filter(|c| *c != '.').collect::<String>().to_ascii_uppercase();
        if prefix.is_empty() {
            return Vec::new();
        }
        let first = self.codes.partition_point(|code| code.undotted() < prefix.as_str());
        let below = self.codes[first..].iter().take_while(|code| code.undotted().starts_with(&prefix));
        below.map(|code| Hit { code: *code, score: 1.0 + prefix.len() as f32 / code.len() as f32 }).collect()
    }

    fn by_words(&self, query: &[String]) -> Vec<Hit> {
        if query.is_empty() {
            return Vec::new();
        }
        let mut total = vec![0u16; self.codes.len()];
        let mut best = vec![0u8; self.codes.len()];
        for (round, word) in query.iter().enumerate() {
            best.fill(0);
            let first = self.words.partition_point(|(have, _)| **have < **word);
            for at in first..self.words.len() {
                let (have, end) = &self.words[at];
                if !have.starts_with(word.as_str()) {
                    break;
                }
                let in_description = if have.len() == word.len() { WHOLE } else { BEGINS };
                let start = if at == 0 { 0 } else { self.words[at - 1].1 };
                for posting in &self.postings[start as usize..*end as usize] {
                    let grade = if posting % 2 == 0 { in_description } else { IN_TERM };
                    let slot = &mut best[(posting / 2) as usize];
                    *slot = grade.max(*slot);
                }
            }
            for (total, best) in total.iter_mut().zip(&best) {
                let alive = round == 0 || *total > 0;
                *total = if alive && *best > 0 { *total + u16::from(*best) } else { 0 };
            }
        }
        let full = f32::from(WHOLE) * query.len() as f32;
        let scored = total.iter().enumerate().filter(|(_, total)| **total > 0);
        scored
            .map(|(at, total)| {
                let share = (query.len() as f32 / f32::from(self.lengths[at].max(1))).min(1.0);
                // The share breaks ties only: one grade weighs more than any share.
                let score = (f32::from(*total) + 0.9 * share) / (full + 1.0);
                Hit { code: self.codes[at], score }
            })
            .collect()
    }
}

/// Why a code is a hit where its description does not say: the inclusion term with most of the query's words that
/// the description lacks. None where the description has all of them, and for a query that is a code.
pub fn matching_term<'a>(query: &str, entry: &Entry<'a>) -> Option<&'a str> {
    let begins = |words: &[String], word: &str| words.iter().any(|have| have.starts_with(word));
    let description = split_words(&entry.description());
    let mut lacking = split_words(query);
    lacking.retain(|word| !begins(&description, word));
    let mut best = (0, None);
    for term in entry.inclusion_terms() {
        let words = split_words(term);
        let count = lacking.iter().filter(|word| begins(&words, word)).count();
        if count > best.0 {
            best = (count, Some(term));
        }
    }
    best.1
}

/// The words of a text in lower case and without accents: runs of letters and digits.
fn split_words(text: &str) -> Vec<String> {
    let text: Cow<'_, str> = match text.is_ascii() {
        true => text.into(),
        false => text.nfd().filter(|c| !is_combining_mark(*c)).collect::<String>().into(),
    };
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> SearchIndex {
        let table = IcdTable::from_bytes(include_bytes!("../../data/icd10cm-2026-04.tsv.gz")).unwrap();
        SearchIndex::new(&table)
    }

    #[test]
    fn codes_words_and_inclusion_terms_are_found() {
        let index = index();
        let codes = |query: &str, limit| -> Vec<String> {
            index.search(query, limit).iter().map(|hit| hit.code.dotted()).collect()
        };
        assert_eq!(codes("e11.9", 3), ["E11.9"]);
        assert_eq!(codes("A00", 9), ["A00", "A00.0", "A00.1", "A00.9"]);
        assert_eq!(codes("essential hypertension", 1), ["I10"]);
        assert_eq!(codes("Hypertens. ESSENT", 1), ["I10"]);
        assert_eq!(codes("cholera eltor", 1), ["A00.1"]); // in an inclusion term too
        assert_eq!(codes("sezary disease unspecified site", 1), ["C84.10"]); // written Sézary
        assert_eq!(codes("heartburn", 1), ["R12"]);
        assert_eq!(codes("classical cholera", 5), ["A00.0"]); // "Classical" in an inclusion term only
        assert!(
            codes("hypertension zzz", 5).is_empty()
                && codes(" .", 5).is_empty()
                && codes("i10", 0).is_empty()
        );
    }

    #[test]
    fn a_hit_by_an_inclusion_term_names_it() {
        let table = IcdTable::from_bytes(include_bytes!("../../data/icd10cm-2026-04.tsv.gz")).unwrap();
        let term = |query: &str, code: &str| matching_term(query, &table.lookup(code).unwrap().unwrap());
        assert_eq!(term("classical cholera", "A00.0"), Some("Classical cholera"));
        assert_eq!(term("essential hypertension", "I10"), None); // the description has it
        assert_eq!(term("i10", "I10"), None);
    }

    #[test]
    fn a_whole_word_beats_a_beginning_and_a_beginning_beats_a_term() {
        let row = |code: &str, text: &str| format!("d\t1\t{code}\t{text}\n");
        let file = "#bert-xml-icd10cm\t1\nc\t0\t1\tAll\n".to_owned()
            + &row("A01", "Other\t\t\tgout")
            + &row("A02", "Goutiness")
            + &row("A03", "Gout of the big toe");
        let index = SearchIndex::new(&IcdTable::from_bytes(file.as_bytes()).unwrap());
        let hits = index.search("gout", 10);
        assert_eq!(hits.iter().map(|hit| hit.code.dotted()).collect::<Vec<_>>(), ["A03", "A02", "A01"]);
        // (3 + 0.9 · 1/5) / (3 · 1 + 1)
        assert!((hits[0].score - 0.795).abs() < 1e-6, "{}", hits[0].score);
    }
}
