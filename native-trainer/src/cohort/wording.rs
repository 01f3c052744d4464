//! How clinicians write a code: its official words, inclusion terms and own wordings, with terms replaced by usual ones.

use std::collections::HashMap;

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// Rewritings tried for each wording.
const TRIES: usize = 6;
/// Chance that a term that can be replaced is.
const REPLACED: f64 = 0.65;
/// Longest wording, in bytes.
const LONGEST: usize = 110;

/// A term and what may stand in its place.
#[derive(Debug)]
struct Term {
    /// Its words, lower case.
    words: Vec<String>,
    instead: Vec<&'static str>,
}

/// Terms of the official wordings by their first word; the longest first.
#[derive(Debug)]
pub(super) struct Terms(HashMap<String, Vec<Term>>);

impl Terms {
    /// Reads the project's own list.
    ///
    /// # Panics
    /// A line of the list, which is built in, has no tab (a test reads it).
    pub(super) fn built_in() -> Self {
        let mut terms: HashMap<String, Vec<Term>> = HashMap::new();
        for line in include_str!("words/terms.tsv").lines().filter(|line| !line.starts_with('#')) {
            let (term, instead) = line.split_once('\t').unwrap_or_else(|| panic!("terms.tsv: {line}"));
            let words: Vec<String> = term.split(' ').map(str::to_lowercase).collect();
            let instead = instead.split('|').collect();
            terms.entry(words[0].clone()).or_default().push(Term { words, instead });
        }
        for list in terms.values_mut() {
            list.sort_by_key(|term| std::cmp::Reverse(term.words.len()));
        }
        Self(terms)
    }

    /// One rewriting of `text`: each term of it is replaced by chance.
    fn rewrite(&self, text: &str, rng: &mut ChaCha8Rng) -> String {
        let words: Vec<&str> = text.split(' ').collect();
        let lower: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
        let mut out: Vec<String> = Vec::with_capacity(words.len());
        let mut at = 0;
        while at < words.len() {
            let start = bare(&lower[at]);
            let found = self.0.get(start).and_then(|terms| {
                terms.iter().find(|term| {
                    let end = at + term.words.len();
                    end <= words.len()
                        && lower[at..end - 1] == term.words[..term.words.len() - 1]
                        && bare(&lower[end - 1]) == bare(&term.words[term.words.len() - 1])
                })
            });
            match found {
                Some(term) if rng.random_bool(REPLACED) => {
                    let last = words[at + term.words.len() - 1];
                    let instead = term.instead.choose(rng).copied().unwrap_or_default();
                    // A comma behind the term stays, unless the new words end with one.
                    let tail = if last.ends_with(',') && !instead.ends_with(',') { "," } else { "" };
                    out.push(format!("{instead}{tail}"));
                    at += term.words.len();
                }
                _ => {
                    out.push(words[at].to_owned());
                    at += 1;
                }
            }
        }
        tidy(&out.join(" "))
    }

    /// Up to `most` wordings made of these, which come first; no two are equal, case aside.
    pub(super) fn variants(&self, base: &[String], most: usize, rng: &mut ChaCha8Rng) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        let add = |all: &mut Vec<String>, text: String| {
            let usable = all.is_empty() || (2..=LONGEST).contains(&text.len());
            if usable && !all.iter().any(|other| other.eq_ignore_ascii_case(&text)) {
                all.push(text);
            }
        };
        for text in base {
            add(&mut all, text.clone());
        }
        for _ in 0..TRIES {
            for text in base {
                if all.len() >= most {
                    return all;
                }
                let rewritten = self.rewrite(text, rng);
                add(&mut all, rewritten);
            }
        }
        all
    }
}

fn bare(word: &str) -> &str {
    word.trim_end_matches(',')
}

/// Single spaces, no stray commas.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if word == "," {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out.trim_matches([',', ' ', ';', ':']).replace(",,", ",")
}

/// A side of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Right,
    Left,
    Both,
}

impl Side {
    /// The side that a description names, none where it names none or several.
    pub(super) fn of(description: &str) -> Option<Self> {
        let mut found = None;
        for word in description.split([' ', ',', '-']) {
            let side = match word {
                "right" | "Right" => Self::Right,
                "left" | "Left" => Self::Left,
                "bilateral" | "Bilateral" => Self::Both,
                _ => continue,
            };
            if found.is_some_and(|other| other != side) {
                return None;
            }
            found = Some(side);
        }
        found
    }

    /// How a note writes it.
    pub(super) fn words(self) -> &'static [&'static str] {
        match self {
            Self::Right => &["right", "right", "R", "rt"],
            Self::Left => &["left", "left", "L", "lt"],
            Self::Both => &["both", "bilateral", "b/l"],
        }
    }

    /// The other side; of both, either.
    pub(super) fn other(self, rng: &mut ChaCha8Rng) -> Self {
        match self {
            Self::Right => Self::Left,
            Self::Left => Self::Right,
            Self::Both if rng.random_bool(0.5) => Self::Right,
            Self::Both => Self::Left,
        }
    }
}

/// The wordings without their side, of those that make sense without.
pub(super) fn without_side(wordings: &[String]) -> Vec<String> {
    let side = ["right", "left", "bilateral", "both", "rt", "lt", "r", "l", "b/l", "bilat"];
    let mut out: Vec<String> = Vec::new();
    for text in wordings {
        let words: Vec<&str> = text.split(' ').collect();
        let kept: Vec<&str> = words
            .iter()
            .filter(|word| !side.contains(&bare(word).to_lowercase().as_str()))
            .copied()
            .collect();
        let ends_well = kept.last().is_some_and(|word| {
            !["of", "on", "the", "in", "a", "to", "at", "side", "eyes", "ears", "sides"].contains(word)
        });
        let sided = |word: &&str| {
            let word = word.to_lowercase();
            ["-sided", "rle", "lle", "rul", "lul", "ou", "od", "os", "au"]
                .iter()
                .any(|part| word.contains(part))
        };
        if kept.len() < words.len() && kept.len() > 1 && ends_well && !kept.iter().any(sided) {
            let text = tidy(&kept.join(" "));
            if !out.contains(&text) {
                out.push(text);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn official_terms_become_what_clinicians_write() {
        let terms = Terms::built_in();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let base = ["Malignant neoplasm of right kidney, initial encounter".to_owned()];
        let all = terms.variants(&base, 30, &mut rng);
        assert_eq!(all[0], base[0]);
        assert!(all.len() > 4, "{all:?}");
        let cancer = all.iter().filter(|text| text.contains("cancer of") || text.contains("CA of"));
        assert!(cancer.count() > 0, "{all:?}");
        assert!(all.iter().all(|text| !text.contains("  ") && !text.contains(",,")));
        assert_eq!(terms.variants(&base, 2, &mut rng).len(), 2);
    }

    #[test]
    fn a_side_is_found_and_taken_out() {
        assert_eq!(Side::of("Pain in right knee"), Some(Side::Right));
        assert_eq!(Side::of("Carpal tunnel syndrome, bilateral upper limbs"), Some(Side::Both));
        assert_eq!(Side::of("Left heart and right lung"), None);
        assert_eq!(Side::of("Bright light"), None);
        let wordings = ["pain in the left knee", "lt knee pain", "knee pain on the left", "left-sided pain"]
            .map(String::from);
        assert_eq!(without_side(&wordings), ["pain in the knee", "knee pain"]);
    }
}
