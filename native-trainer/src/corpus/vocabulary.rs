//! A vocabulary of the training notes, and how vocabularies fit notes. Words are counted on all cores.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use bert_xml_core::text::{OovReport, Tokenizer, VocabConfig, WordCounter};
use rayon::prelude::*;
use serde::Serialize;

use crate::context::Context;
use crate::error::hinted;
use crate::progress::Unit;

/// Bytes of text that are counted at once: bounds the memory, whatever the corpus.
const BATCH_BYTES: usize = 16 << 20;
/// Notes that one core takes at a time.
const NOTES_A_TASK: usize = 128;

/// Learns a vocabulary from texts (those of the training split).
///
/// # Errors
/// What the texts' source says; no words; settings that cannot be met.
pub fn learn(
    context: &Context,
    texts: impl Iterator<Item = Result<String>>,
    total: Option<u64>,
    config: &VocabConfig,
) -> Result<(Tokenizer, WordCounter)> {
    let mut counter = WordCounter::new(config.lowercase);
    in_batches(context, "vocab", texts, total, |batch| {
        let counted = batch.par_chunks(NOTES_A_TASK).map(|chunk| {
            let mut part = WordCounter::new(config.lowercase);
            chunk.iter().for_each(|text| part.add(text));
            part
        });
        let merged = counted.reduce_with(|mut a, b| {
            a.merge(b);
            a
        });
        merged.into_iter().for_each(|part| counter.merge(part));
    })?;
    let tokenizer = counter.train(config)?;
    Ok((tokenizer, counter))
}

/// Out-of-vocabulary words of texts, for each tokenizer.
///
/// # Errors
/// What the texts' source says.
pub fn compare(
    context: &Context,
    texts: impl Iterator<Item = Result<String>>,
    total: Option<u64>,
    tokenizers: &[&Tokenizer],
) -> Result<Vec<OovReport>> {
    let mut reports = vec![OovReport::default(); tokenizers.len()];
    in_batches(context, "compare", texts, total, |batch| {
        let parts: Vec<Vec<OovReport>> = batch
            .par_chunks(NOTES_A_TASK)
            .map(|chunk| {
                let mut parts = vec![OovReport::default(); tokenizers.len()];
                for (part, tokenizer) in parts.iter_mut().zip(tokenizers) {
                    chunk.iter().for_each(|text| part.add(tokenizer, text));
                }
                parts
            })
            .collect();
        for parts in parts {
            for (report, part) in reports.iter_mut().zip(parts) {
                report.notes += part.notes;
                report.words += part.words;
                report.oov_words += part.oov_words;
            }
        }
    })?;
    Ok(reports)
}

fn in_batches(
    context: &Context,
    step: &str,
    texts: impl Iterator<Item = Result<String>>,
    total: Option<u64>,
    mut take: impl FnMut(&[String]),
) -> Result<()> {
    let mut progress = context.start(step, total, Unit::Notes);
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for text in texts {
        let text = text?;
        bytes += text.len();
        batch.push(text);
        if bytes >= BATCH_BYTES {
            take(&batch);
            progress.advance(batch.len() as u64);
            batch.clear();
            bytes = 0;
        }
    }
    take(&batch);
    progress.advance(batch.len() as u64);
    progress.finish();
    Ok(())
}

/// A vocabulary file, `tokenizer.json` or `vocab.txt`, or a folder that holds one of them. Text is lowercased for a `vocab.txt` unless a token of
/// it has a capital letter (special tokens aside), or `cased` says so.
///
/// # Errors
/// A file that cannot be read or is no BERT vocabulary.
pub fn open_vocabulary(path: &Path, cased: bool) -> Result<Tokenizer> {
    let within;
    let path = if path.is_dir() {
        let found = ["tokenizer.json", "vocab.txt"]
            .map(|name| path.join(name))
            .into_iter()
            .find(|file| file.is_file());
        within = found.ok_or_else(|| {
            hinted(
                format!("{} has neither tokenizer.json nor vocab.txt", path.display()),
                "name the folder that `bert-xml vocab --out` wrote, or a vocabulary file",
            )
        })?;
        &within
    } else {
        path
    };
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    if path.extension().is_some_and(|extension| extension == "json") {
        return Tokenizer::from_json_bytes(&bytes).with_context(|| path.display().to_string());
    }
    let text = String::from_utf8(bytes).with_context(|| format!("{} is not UTF-8", path.display()))?;
    let special = |token: &str| token.starts_with('[') && token.ends_with(']');
    // ℝ is a capital, and its own lower case: it stands in uncased vocabularies.
    let capital = |c: char| c.is_uppercase() && !c.to_lowercase().eq([c]);
    let capitals = text.lines().any(|token| !special(token) && token.contains(capital));
    Tokenizer::from_vocab(&text, !cased && !capitals).with_context(|| path.display().to_string())
}

/// How one vocabulary fits the notes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fit {
    /// Its file, or `own` for the one just learned.
    pub vocabulary: String,
    /// Its tokens, special ones included.
    pub tokens: usize,
    /// Whether it lowercases text, and strips accents.
    pub lowercase: bool,
    /// Counts.
    #[serde(flatten)]
    pub counts: OovReport,
    /// Words a note that are not one whole token; none without notes.
    pub oov_words_per_note: Option<f64>,
}

impl Fit {
    /// A row of the comparison.
    pub fn new(vocabulary: String, tokenizer: &Tokenizer, counts: OovReport) -> Self {
        let (tokens, lowercase) = (tokenizer.vocab_size(), tokenizer.lowercase());
        Self { vocabulary, tokens, lowercase, counts, oov_words_per_note: counts.per_note() }
    }
}

/// The comparison as a Markdown table.
pub fn table(fits: &[Fit]) -> String {
    let mut out =
        String::from("| vocabulary | tokens | case | notes | words | OOV words | OOV words a note |\n");
    out += "|---|---:|---|---:|---:|---:|---:|\n";
    for Fit { vocabulary, tokens, lowercase, counts, oov_words_per_note } in fits {
        let OovReport { notes, words, oov_words } = counts;
        let mean = oov_words_per_note.map_or("–".to_owned(), |mean| format!("{mean:.2}"));
        let case = if *lowercase { "lowered" } else { "kept" };
        out += &format!("| {vocabulary} | {tokens} | {case} | {notes} | {words} | {oov_words} | {mean} |\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts() -> Vec<String> {
        (0..1000).map(|i| format!("no fever, day {}", i % 7)).collect()
    }

    #[test]
    fn counting_on_all_cores_gives_the_same_vocabulary() {
        let config = VocabConfig { size: 60, ..VocabConfig::default() };
        let (own, counter) = learn(&Context::default(), texts().into_iter().map(Ok), None, &config).unwrap();
        assert_eq!((counter.notes(), counter.distinct()), (1000, 11));
        let one = bert_xml_core::text::train_vocab(texts(), &config).unwrap();
        assert_eq!(own.to_json().unwrap(), one.to_json().unwrap());
    }

    #[test]
    fn every_vocabulary_is_judged_on_all_notes() {
        let small = Tokenizer::from_vocab("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nno\n,\n", true).unwrap();
        let large =
            Tokenizer::from_vocab("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nno\n,\nfever\nday\n", true).unwrap();
        let texts = texts().into_iter().map(Ok);
        let reports = compare(&Context::default(), texts, None, &[&small, &large]).unwrap();
        // "no", "fever", ",", "day" and the number: small lacks three, large the number only.
        assert_eq!(reports[0], OovReport { notes: 1000, words: 5000, oov_words: 3000 });
        assert_eq!(reports[1].oov_words, 1000);
        let page = table(&[Fit::new("a".into(), &small, reports[0])]);
        assert!(page.ends_with("| a | 7 | lowered | 1000 | 5000 | 3000 | 3.00 |\n"), "{page}");
    }

    #[test]
    fn a_vocabulary_with_capitals_is_cased() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vocab.txt");
        let lower = |tokens: &str, cased| {
            fs::write(&path, format!("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n{tokens}")).unwrap();
            open_vocabulary(&path, cased).unwrap().lowercase()
        };
        assert!(lower("fever\n##ℝ\n", false));
        assert!(!lower("Fever\n", false));
        assert!(!lower("fever\n", true));
        // The folder stands for the file in it, and for tokenizer.json first.
        fs::write(&path, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nFever\n").unwrap();
        let cased = open_vocabulary(folder.path(), false).unwrap();
        assert!(!cased.lowercase());
        let other = Tokenizer::from_vocab("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nno\nfever\n", true).unwrap();
        fs::write(folder.path().join("tokenizer.json"), other.to_json().unwrap()).unwrap();
        assert_eq!(open_vocabulary(folder.path(), false).unwrap().vocab_size(), 7);
        let empty = tempfile::tempdir().unwrap();
        assert!(open_vocabulary(empty.path(), false).is_err());
    }
}
