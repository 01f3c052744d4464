//! A corpus folder, opened and streamed.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use bert_xml_core::codes::LabelSet;
use bert_xml_core::data::Split;
use bert_xml_core::text::Note;

use super::manifest::{FORMAT, LABEL_COUNTS, LABELS, MANIFEST, Manifest, VERSION, notes_file};
use crate::error::hinted;
use crate::files::{sha256, sha256_of};

const AGAIN: &str = "make the corpus again with `bert-xml prepare`";

/// An open corpus folder: labels in memory, notes streamed from disk as often as asked for.
#[derive(Clone, Debug)]
pub struct Corpus {
    folder: PathBuf,
    manifest: Manifest,
    digest: String,
    labels: LabelSet,
    /// Training notes with each label.
    label_counts: Vec<u64>,
}

impl Corpus {
    /// Opens the folder: reads the manifest and the labels and looks at the size of every file, and at the bytes of
    /// labels and counts.
    ///
    /// # Errors
    /// A folder that is no corpus, one of another version, one with missing or damaged files; each says
    /// which file and which rule. [`Corpus::verify`] reads every byte.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(MANIFEST);
        if !path.is_file() {
            return Err(hinted(
                format!("{} is no corpus: it has no {MANIFEST}", folder.display()),
                "name the folder that `bert-xml prepare --out` wrote",
            ));
        }
        let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let manifest = parse_manifest(&path, &bytes)?;
        for (name, mark) in &manifest.files {
            let file = folder.join(name);
            let size = fs::metadata(&file).map(|data| data.len());
            let problem = match size {
                Ok(size) if size == mark.bytes => continue,
                Ok(size) => format!("has {size} bytes, not {}: the corpus is damaged", mark.bytes),
                Err(error) => format!("cannot be read ({error}): the corpus is damaged"),
            };
            return Err(hinted(format!("{} {problem}", file.display()), AGAIN));
        }
        // The order of labels is the order of outputs: these are read whole in any case, so they are hashed.
        for name in [LABELS, LABEL_COUNTS] {
            if let Some(mark) = manifest.files.get(name) {
                check_hash(&folder.join(name), &mark.sha256)?;
            }
        }
        for name in [LABELS, LABEL_COUNTS].map(str::to_owned).into_iter().chain(Split::ALL.map(notes_file)) {
            ensure!(manifest.files.contains_key(&name), "{}: files: `{name}` is missing", path.display());
        }
        let path = folder.join(LABELS);
        let labels = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let labels = LabelSet::from_tsv(&labels).with_context(|| path.display().to_string())?;
        let label_counts = read_counts(&folder.join(LABEL_COUNTS), &labels)?;
        let digest = sha256_of(&bytes);
        Ok(Self { folder: folder.to_owned(), manifest, digest, labels, label_counts })
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `corpus.json`.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The labels in output order: by falling training count, then by code.
    pub fn labels(&self) -> &LabelSet {
        &self.labels
    }

    /// How many training notes carry each label, in the order of [`Corpus::labels`].
    pub fn label_counts(&self) -> &[u64] {
        &self.label_counts
    }

    /// Notes in a split.
    pub fn count(&self, split: Split) -> u64 {
        self.manifest.splits.get(&split).map_or(0, |counts| counts.notes)
    }

    /// SHA-256 of the manifest, which holds those of all files: one word for the whole corpus.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The notes of a split, in the order of the source, one at a time.
    ///
    /// A note carries all of its codes; `labels().index(code)` is none for those that are no label.
    ///
    /// # Errors
    /// The file cannot be opened; an item is an error (with file and line, and the last item) where the
    /// file is damaged or ends early.
    pub fn notes(&self, split: Split) -> Result<impl Iterator<Item = Result<Note>> + Send + use<>> {
        self.notes_from(split, 0)
    }

    /// As [`Corpus::notes`], without the first `skipped` notes, which are not looked at.
    ///
    /// # Errors
    /// As there.
    pub fn notes_from(
        &self,
        split: Split,
        skipped: u64,
    ) -> Result<impl Iterator<Item = Result<Note>> + Send + use<>> {
        let path = self.folder.join(notes_file(split));
        let reading = || format!("reading {}", path.display());
        let file = File::open(&path).with_context(reading)?;
        let lines = BufReader::new(zstd::stream::read::Decoder::new(file).with_context(reading)?);
        let (expected, line, over) = (self.count(split), 0, false);
        Ok(Notes { path, lines, buffer: String::new(), line, skipped, expected, over })
    }

    /// Reads every file and compares its SHA-256.
    ///
    /// # Errors
    /// The first file that differs or cannot be read.
    pub fn verify(&self) -> Result<()> {
        for (name, mark) in &self.manifest.files {
            check_hash(&self.folder.join(name), &mark.sha256)?;
        }
        Ok(())
    }
}

fn check_hash(file: &Path, expected: &str) -> Result<()> {
    if sha256(file)? == expected {
        return Ok(());
    }
    Err(hinted(
        format!("{} has another SHA-256 than {MANIFEST} says: the corpus is damaged", file.display()),
        AGAIN,
    ))
}

fn parse_manifest(path: &Path, bytes: &[u8]) -> Result<Manifest> {
    // Format and version first: another version may have other fields.
    let value: serde_json::Value =
        serde_json::from_slice(bytes).with_context(|| format!("{} is damaged", path.display()))?;
    ensure!(
        value["format"] == FORMAT,
        "{}: format is {}; it must be \"{FORMAT}\"",
        path.display(),
        value["format"]
    );
    if value["version"] != VERSION {
        return Err(hinted(
            format!(
                "{}: version is {}; this build reads version {VERSION}",
                path.display(),
                value["version"]
            ),
            AGAIN,
        ));
    }
    serde_json::from_value(value).with_context(|| format!("{} is damaged", path.display()))
}

/// Reads the training column of `label_counts.tsv` and checks that its rows are those of the labels.
fn read_counts(path: &Path, labels: &LabelSet) -> Result<Vec<u64>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let mut counts = Vec::with_capacity(labels.len());
    for (at, row) in text.lines().enumerate().skip(1) {
        let mut fields = row.split('\t');
        let code = fields.next().unwrap_or_default();
        let count = fields.next().and_then(|field| field.parse().ok());
        match (labels.get(counts.len()), count) {
            (Some(label), Some(count)) if label.code == code => counts.push(count),
            _ => bail!("{}, line {}: `{code}`: rows must be those of {LABELS}", path.display(), at + 1),
        }
    }
    ensure!(
        counts.len() == labels.len(),
        "{} has {} rows; {LABELS} has {} labels",
        path.display(),
        counts.len(),
        labels.len()
    );
    Ok(counts)
}

struct Notes<R> {
    path: PathBuf,
    lines: R,
    buffer: String,
    line: u64,
    skipped: u64,
    expected: u64,
    over: bool,
}

impl<R: BufRead> Notes<R> {
    fn read(&mut self) -> Result<Option<Note>> {
        let place = |line: u64| format!("{}, line {line}", self.path.display());
        while self.line < self.skipped {
            let count = self.lines.skip_until(b'\n').with_context(|| place(self.line + 1))?;
            if count == 0 {
                break;
            }
            self.line += 1;
        }
        self.buffer.clear();
        if self.lines.read_line(&mut self.buffer).with_context(|| place(self.line + 1))? == 0 {
            ensure!(
                self.line == self.expected,
                "{} has {} notes; {MANIFEST} says {}",
                self.path.display(),
                self.line,
                self.expected
            );
            return Ok(None);
        }
        self.line += 1;
        // serde's message may quote the value, which may be the note's text: say where, not what.
        serde_json::from_str(&self.buffer).map(Some).map_err(|error| {
            anyhow::anyhow!("{}, column {}: not a note of a corpus", place(self.line), error.column())
        })
    }
}

impl<R: BufRead> Iterator for Notes<R> {
    type Item = Result<Note>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let note = self.read().transpose();
        self.over = !matches!(note, Some(Ok(_)));
        note
    }
}

#[cfg(test)]
mod tests {
    use super::super::writer::tests::small_corpus;
    use super::*;

    #[test]
    fn a_corpus_reads_as_it_was_written() {
        let parent = tempfile::tempdir().unwrap();
        let folder = small_corpus(parent.path());
        let corpus = Corpus::open(&folder).unwrap();
        corpus.verify().unwrap();
        let codes: Vec<_> = corpus.labels().iter().map(|label| label.code.as_str()).collect();
        assert_eq!((codes, corpus.label_counts()), (vec!["I10", "E11.9"], &[2, 1][..]));
        assert_eq!(Split::ALL.map(|split| corpus.count(split)), [2, 0, 1]);
        let notes: Vec<Note> = corpus.notes(Split::Train).unwrap().map(Result::unwrap).collect();
        assert_eq!(notes.iter().map(|note| note.note_id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(notes[0].codes, ["I10", "E11.9"]);
        for skipped in 0..4 {
            let rest = corpus.notes_from(Split::Train, skipped as u64).unwrap().map(Result::unwrap);
            assert!(rest.eq(notes.iter().skip(skipped).cloned()), "{skipped}");
        }
        assert_eq!(corpus.notes(Split::Dev).unwrap().count(), 0);
        assert_eq!(corpus.digest(), Corpus::open(&folder).unwrap().digest());
    }

    #[test]
    fn damaged_and_foreign_folders_are_refused() {
        let parent = tempfile::tempdir().unwrap();
        let message = |folder: &Path| format!("{:#}", Corpus::open(folder).unwrap_err());
        assert!(message(parent.path()).ends_with("is no corpus: it has no corpus.json"));
        let folder = small_corpus(parent.path());
        let manifest = fs::read_to_string(folder.join(MANIFEST)).unwrap();
        let with = |from: &str, to: &str| {
            fs::write(folder.join(MANIFEST), manifest.replace(from, to)).unwrap();
            message(&folder)
        };
        assert!(with("bert-xml-corpus", "other").contains("format is \"other\"; it must be"), "format");
        assert!(with("\"version\": 1", "\"version\": 2").ends_with("this build reads version 1"), "version");
        assert!(with("\"inputs\"", "\"puts\"").contains("corpus.json is damaged"), "fields");
        fs::write(folder.join(MANIFEST), &manifest).unwrap();
        let train = folder.join("train.jsonl.zst");
        let mut bytes = fs::read(&train).unwrap();
        bytes.pop();
        fs::write(&train, &bytes).unwrap();
        assert!(message(&folder).contains("train.jsonl.zst has "), "{}", message(&folder));
        // Same size, other bytes: the frame's checksum and the SHA-256 notice.
        bytes.push(!bytes[0]);
        fs::write(&train, &bytes).unwrap();
        let corpus = Corpus::open(&folder).unwrap();
        assert!(corpus.verify().unwrap_err().to_string().contains("another SHA-256"));
        assert!(corpus.notes(Split::Train).unwrap().any(|note| note.is_err()));
        let labels = folder.join(LABELS);
        let text = fs::read_to_string(&labels).unwrap();
        fs::write(&labels, text.replace("E11.9", "E11.8")).unwrap();
        assert!(message(&folder).contains("labels.tsv has another SHA-256"), "{}", message(&folder));
        fs::write(&labels, text).unwrap();
        fs::remove_file(&train).unwrap();
        assert!(message(&folder).contains("train.jsonl.zst cannot be read"));
    }
}
