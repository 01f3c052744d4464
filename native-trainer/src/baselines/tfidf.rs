//! TF-IDF of words and word pairs, as scikit-learn's `TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)`.
//!
//! Words are runs of at least two letters, digits or underscores, lower-cased; a pair is two words in a row
//! (a shorter word between them is not seen). An entry is (1 + ln tf) · idf, idf = 1 + ln((1 + n) / (1 + df)),
//! and each row has length 1. Features of fewer than `min_df` notes are left out.
//! Differs from scikit-learn: which characters are letters is Rust's `char::is_alphanumeric`, which counts
//! combining vowel signs that Python's `\w` does not.

use std::collections::HashMap;

use rayon::prelude::*;

use super::SparseRows;

/// Which features a [`TfIdf`] has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Notes that a feature must occur in, at least 1.
    pub min_df: usize,
    /// Whether word pairs are features, beside words.
    pub pairs: bool,
    /// Whether an entry is how often the feature occurs, unweighted: a plain bag of words.
    pub counts: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { min_df: 2, pairs: true, counts: false }
    }
}

/// A word (as its number) or a pair, in one number: pairs have the first word + 1 in the upper half.
type Key = u64;

/// Training notes as word numbers: 4 bytes a word.
#[derive(Debug, Default)]
pub struct Builder {
    words: HashMap<String, u32>,
    notes: Vec<Vec<u32>>,
}

impl Builder {
    /// Adds a training note.
    ///
    /// # Panics
    /// At more than four billion different words.
    pub fn add(&mut self, text: &str) {
        let mut note = Vec::new();
        for_each_word(text, |word| {
            let number = match self.words.get(word) {
                Some(&number) => number,
                None => {
                    let number = u32::try_from(self.words.len()).expect("fewer than 2³² words");
                    self.words.insert(word.to_owned(), number);
                    number
                }
            };
            note.push(number);
        });
        self.notes.push(note);
    }

    /// The features of the notes added, and those notes as rows.
    pub fn finish(self, settings: Settings) -> (TfIdf, SparseRows) {
        let mut document_frequency: HashMap<Key, u32> = HashMap::new();
        for note in &self.notes {
            for (key, _) in counts(note.iter().map(|&word| Some(word)), settings.pairs) {
                *document_frequency.entry(key).or_default() += 1;
            }
        }
        let mut kept: Vec<(Key, u32)> = document_frequency.into_iter().collect();
        kept.retain(|&(_, notes)| notes as usize >= settings.min_df);
        kept.sort_unstable(); // the same columns at every run
        let all = (1 + self.notes.len()) as f64;
        let idf = kept.iter().map(|&(_, notes)| 1.0 + (all / f64::from(1 + notes)).ln()).collect();
        let features = kept.iter().zip(0..).map(|(&(key, _), column)| (key, column)).collect();
        let Settings { pairs, counts, .. } = settings;
        let model = TfIdf { words: self.words, features, idf, pairs, counts };
        let rows = model.rows(&self.notes, |note| note.iter().map(|&word| Some(word)).collect());
        (model, rows)
    }
}

/// Features and their weights, learned from training notes.
#[derive(Debug)]
pub struct TfIdf {
    words: HashMap<String, u32>,
    features: HashMap<Key, u32>,
    idf: Vec<f64>,
    pairs: bool,
    counts: bool,
}

impl TfIdf {
    /// Number of features: the width of every row.
    pub fn width(&self) -> usize {
        self.idf.len()
    }

    /// Other notes as rows; what training has not seen is not in them.
    pub fn transform<S: AsRef<str> + Sync>(&self, texts: &[S]) -> SparseRows {
        self.rows(texts, |text| {
            let mut note = Vec::new();
            for_each_word(text.as_ref(), |word| note.push(self.words.get(word).copied()));
            note
        })
    }

    /// The column of a word or of a pair (two words and a space between them).
    pub fn column(&self, feature: &str) -> Option<usize> {
        let words: Option<Vec<u32>> = feature.split(' ').map(|word| self.words.get(word).copied()).collect();
        let key = match words?[..] {
            [word] => Key::from(word),
            [first, second] => pair(first, second),
            _ => return None,
        };
        self.features.get(&key).map(|&column| column as usize)
    }

    fn rows<T: Sync>(&self, notes: &[T], words: impl Fn(&T) -> Vec<Option<u32>> + Sync) -> SparseRows {
        let entries: Vec<Vec<(u32, f32)>> = notes.par_iter().map(|note| self.row(&words(note))).collect();
        let mut rows = SparseRows::new(self.width());
        entries.into_iter().for_each(|row| rows.push(row));
        rows
    }

    fn row(&self, words: &[Option<u32>]) -> Vec<(u32, f32)> {
        let weighted: Vec<(u32, f64)> = counts(words.iter().copied(), self.pairs)
            .into_iter()
            .filter_map(|(key, count)| {
                let column = *self.features.get(&key)?;
                if self.counts {
                    return Some((column, f64::from(count)));
                }
                Some((column, (1.0 + f64::from(count).ln()) * self.idf[column as usize]))
            })
            .collect();
        if self.counts {
            return weighted.into_iter().map(|(column, count)| (column, count as f32)).collect();
        }
        let length = weighted.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
        weighted.into_iter().map(|(column, weight)| (column, (weight / length) as f32)).collect()
    }
}

/// Calls `word` with every word, lower-cased.
fn for_each_word(text: &str, mut word: impl FnMut(&str)) {
    let lower = text.to_lowercase();
    for run in lower.split(|c: char| !(c.is_alphanumeric() || c == '_')) {
        if run.chars().nth(1).is_some() {
            word(run);
        }
    }
}

fn pair(first: u32, second: u32) -> Key {
    (Key::from(first) + 1) << 32 | Key::from(second)
}

/// How often each word and each pair occurs, by rising key; `None` is an unknown word.
fn counts(words: impl Iterator<Item = Option<u32>> + Clone, pairs: bool) -> Vec<(Key, u32)> {
    let singles = words.clone().flatten().map(Key::from);
    let both = words.clone().zip(words.skip(1)).filter(|_| pairs);
    let mut keys: Vec<Key> = singles.chain(both.filter_map(|(a, b)| Some(pair(a?, b?)))).collect();
    keys.sort_unstable();
    keys.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as u32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(texts: &[&str], settings: Settings) -> (TfIdf, SparseRows) {
        let mut builder = Builder::default();
        texts.iter().for_each(|text| builder.add(text));
        builder.finish(settings)
    }

    #[test]
    fn words_are_lower_cased_runs_of_two_or_more() {
        let mut words = Vec::new();
        for_each_word("Pt. c/o CHEST-pain x3 a_b Ödem é", |word| words.push(word.to_owned()));
        assert_eq!(words, ["pt", "chest", "pain", "x3", "a_b", "ödem"]);
    }

    #[test]
    fn weights_by_hand() {
        let texts = ["cough cough fever", "cough"];
        let (model, rows) = fit(&texts, Settings { min_df: 1, ..Settings::default() });
        assert_eq!(model.width(), 4); // cough, fever, cough cough, cough fever
        let idf = 1.0 + 1.5f64.ln(); // of what one of two notes has; cough has 1
        let weights = [1.0 + 2f64.ln(), idf, idf, idf];
        let length = weights.iter().map(|weight| weight * weight).sum::<f64>().sqrt();
        let features = ["cough", "fever", "cough cough", "cough fever"];
        for (feature, weight) in features.into_iter().zip(weights) {
            let column = model.column(feature).unwrap();
            let found = rows.row(0).find(|(at, _)| *at == column).unwrap().1;
            assert!((found - weight / length).abs() < 1e-7, "{feature}: {found}");
        }
        assert_eq!(rows.row(1).collect::<Vec<_>>(), [(model.column("cough").unwrap(), 1.0)]);
        assert_eq!(model.transform(&texts), rows);
        assert_eq!(model.transform(&["nothing known"]).row(0).count(), 0);
    }

    #[test]
    fn rare_features_are_left_out_and_unknown_words_part_pairs() {
        let texts = ["cough fever", "cough fever", "rash"];
        let (model, _) = fit(&texts, Settings::default());
        assert_eq!((model.width(), model.column("rash")), (3, None));
        let rows = model.transform(&["cough and fever"]);
        assert_eq!(rows.row(0).count(), 2, "`and` is unknown, so there is no pair");
        assert_eq!(fit(&texts, Settings { min_df: 1, pairs: false, counts: false }).0.width(), 3);
        let plain = fit(&["rash rash fever"], Settings { min_df: 1, pairs: false, counts: true });
        let mut counts: Vec<f64> = plain.1.row(0).map(|(_, count)| count).collect();
        counts.sort_by(f64::total_cmp);
        assert_eq!(counts, [1.0, 2.0], "a plain bag of words");
    }
}
