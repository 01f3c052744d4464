//! Writes a corpus folder: notes as they come, the rest at the end, all of it or nothing.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use bert_xml_core::codes::LabelSet;
use bert_xml_core::data::Split;
use bert_xml_core::text::Note;

use super::manifest::{
    DROPPED, FORMAT, FileMark, InputFile, LABEL_COUNTS, LABELS, MANIFEST, Manifest, SplitCounts, VERSION,
    notes_file,
};
use crate::files::{FolderInTheMaking, sha256};

/// zstd's default: later steps read far more often than this one writes, and it decodes as fast as any.
const LEVEL: i32 = 3;

/// How many notes of each split carry a label, in the order of [`Split::ALL`].
pub type LabelCount = [u64; 3];

/// A corpus folder under construction. Dropped without [`CorpusWriter::finish`], nothing is left.
pub struct CorpusWriter {
    folder: FolderInTheMaking,
    notes: [zstd::stream::write::Encoder<'static, BufWriter<File>>; 3],
    line: Vec<u8>,
    written: [u64; 3],
    dropped: BufWriter<File>,
    dropped_count: u64,
}

/// What [`CorpusWriter::finish`] puts beside the notes.
pub struct Contents<'a> {
    /// The labels in output order.
    pub labels: &'a LabelSet,
    /// Counts of each label.
    pub label_counts: &'a [LabelCount],
    /// The settings of the step, serialized.
    pub settings: serde_json::Value,
    /// The record files that were read.
    pub inputs: Vec<InputFile>,
    /// Patients in each split, in the order of [`Split::ALL`].
    pub patients: [u64; 3],
    /// Further files: name and content.
    pub files: Vec<(&'static str, String)>,
}

impl CorpusWriter {
    /// Starts a corpus that will stand at `place`.
    ///
    /// # Errors
    /// `place` holds something already, or cannot be written.
    pub fn start(place: &Path) -> Result<Self> {
        let folder = FolderInTheMaking::start(place)?;
        let create = |name: &str| {
            let path = folder.path().join(name);
            File::create(&path).with_context(|| format!("writing {}", path.display()))
        };
        let open = |split: Split| -> Result<_> {
            let file = BufWriter::with_capacity(1 << 18, create(&notes_file(split))?);
            let mut encoder = zstd::stream::write::Encoder::new(file, LEVEL)?;
            encoder.include_checksum(true)?;
            Ok(encoder)
        };
        let notes = [open(Split::Train)?, open(Split::Dev)?, open(Split::Test)?];
        let mut dropped = BufWriter::new(create(DROPPED)?);
        dropped.write_all(b"note_id\tfile\tline\treason\n").with_context(|| format!("writing {DROPPED}"))?;
        Ok(Self { folder, notes, line: Vec::new(), written: [0; 3], dropped, dropped_count: 0 })
    }

    /// Puts a note into a split.
    ///
    /// # Errors
    /// Whatever the disk says, with the path.
    pub fn add(&mut self, split: Split, note: &Note) -> Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, note).context("writing a note as JSON")?;
        self.line.push(b'\n');
        let path = || format!("writing {}", self.folder.path().join(notes_file(split)).display());
        self.notes[split as usize].write_all(&self.line).with_context(path)?;
        self.written[split as usize] += 1;
        Ok(())
    }

    /// Lists a record that is in no split.
    ///
    /// # Errors
    /// Whatever the disk says, with the path.
    pub fn drop_record(&mut self, note_id: &str, file: &str, line: u64, reason: &str) -> Result<()> {
        self.dropped_count += 1;
        writeln!(self.dropped, "{note_id}\t{file}\t{line}\t{reason}")
            .with_context(|| format!("writing {}", self.folder.path().join(DROPPED).display()))
    }

    /// Where it is being written.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Notes in each split so far, in the order of [`Split::ALL`].
    pub fn written(&self) -> [u64; 3] {
        self.written
    }

    /// Writes what is left and puts the folder into its place.
    ///
    /// # Errors
    /// Whatever the disk says, with the path.
    ///
    /// # Panics
    /// If there is not one count a label.
    pub fn finish(self, contents: Contents<'_>) -> Result<()> {
        let Contents { labels, label_counts, settings, inputs, patients, files } = contents;
        assert_eq!(labels.len(), label_counts.len(), "one count a label");
        let folder = self.folder;
        let mut names = vec![DROPPED.to_owned()];
        for (split, encoder) in Split::ALL.into_iter().zip(self.notes) {
            let name = notes_file(split);
            let writing = || format!("writing {}", folder.path().join(&name).display());
            sync(encoder.finish().with_context(writing)?).with_context(writing)?;
            names.push(name);
        }
        sync(self.dropped).with_context(|| format!("writing {DROPPED}"))?;
        let mut counts = "code\ttrain\tdev\ttest\n".to_owned();
        for (label, [train, dev, test]) in labels.iter().zip(label_counts) {
            counts += &format!("{}\t{train}\t{dev}\t{test}\n", label.code);
        }
        let own = [(LABELS, labels.to_tsv()), (LABEL_COUNTS, counts)];
        for (name, content) in own.into_iter().chain(files) {
            let path = folder.path().join(name);
            fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
            names.push(name.to_owned());
        }
        let mut marks = BTreeMap::new();
        for name in names {
            let path = folder.path().join(&name);
            let bytes = fs::metadata(&path).with_context(|| format!("reading {}", path.display()))?.len();
            marks.insert(name, FileMark { bytes, sha256: sha256(&path)? });
        }
        let counts = self.written.into_iter().zip(patients);
        let counts = counts.map(|(notes, patients)| SplitCounts { notes, patients });
        let manifest = Manifest {
            format: FORMAT.into(),
            version: VERSION,
            made_by: format!("bert-xml {}", env!("CARGO_PKG_VERSION")),
            settings,
            inputs,
            splits: Split::ALL.into_iter().zip(counts).collect(),
            labels: labels.len() as u64,
            dropped: self.dropped_count,
            files: marks,
        };
        let path = folder.path().join(MANIFEST);
        let json = serde_json::to_string_pretty(&manifest).context("writing the manifest as JSON")? + "\n";
        fs::write(&path, json).with_context(|| format!("writing {}", path.display()))?;
        folder.finish()
    }
}

/// Flushes to the disk, so that a full one is noticed before the folder appears.
fn sync(file: BufWriter<File>) -> std::io::Result<()> {
    file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::PathBuf;

    use bert_xml_core::codes::{CodeSystem, Label};

    use super::*;

    pub(crate) fn note(note_id: &str, codes: &[&str]) -> Note {
        let codes = codes.iter().map(|code| (*code).to_owned()).collect();
        Note {
            patient_id: note_id.into(),
            note_id: note_id.into(),
            text: "No fever.".into(),
            codes,
            ..Note::default()
        }
    }

    /// Two notes in train, none in dev, one in test, one dropped; labels I10 and E11.9.
    pub(crate) fn small_corpus(parent: &Path) -> PathBuf {
        let place = parent.join("corpus");
        let mut writer = CorpusWriter::start(&place).unwrap();
        writer.add(Split::Train, &note("a", &["I10", "E11.9"])).unwrap();
        writer.add(Split::Train, &note("b", &["I10", "Z66"])).unwrap();
        writer.add(Split::Test, &note("c", &[])).unwrap();
        writer.drop_record("d", "notes.jsonl", 4, "empty text").unwrap();
        assert_eq!(writer.written(), [2, 0, 1]);
        let label =
            |code: &str| Label { system: CodeSystem::Icd10cm, code: code.into(), description: "".into() };
        let labels = LabelSet::new(vec![label("I10"), label("E11.9")]).unwrap();
        let contents = Contents {
            labels: &labels,
            label_counts: &[[2, 0, 0], [1, 0, 0]],
            settings: serde_json::json!({}),
            inputs: vec![],
            patients: [2, 0, 1],
            files: vec![],
        };
        writer.finish(contents).unwrap();
        place
    }

    #[test]
    fn dropped_records_are_listed() {
        let parent = tempfile::tempdir().unwrap();
        let folder = small_corpus(parent.path());
        let dropped = fs::read_to_string(folder.join(DROPPED)).unwrap();
        assert_eq!(dropped, "note_id\tfile\tline\treason\nd\tnotes.jsonl\t4\tempty text\n");
        let counts = fs::read_to_string(folder.join(LABEL_COUNTS)).unwrap();
        assert_eq!(counts, "code\ttrain\tdev\ttest\nI10\t2\t0\t0\nE11.9\t1\t0\t0\n");
    }

    #[test]
    fn an_unfinished_corpus_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let mut writer = CorpusWriter::start(&parent.path().join("corpus")).unwrap();
        writer.add(Split::Train, &note("a", &[])).unwrap();
        drop(writer);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
