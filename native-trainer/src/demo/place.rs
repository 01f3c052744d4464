//! The folder of a demo: made, or taken over from an earlier demo, and nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::error::hinted;
use crate::files::write_atomic;

/// The file that tells a demo's folder from any other.
const MARKER: &str = ".bert-xml-demo";
const MARKER_TEXT: &str = "Written by `bert-xml demo`, which replaces this folder when it runs again.\n";

/// Where everything of a demo lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    folder: PathBuf,
}

impl Place {
    /// Names of what a demo writes.
    const OWN: [&str; 10] = [
        MARKER,
        "notes.jsonl",
        "corpus",
        "vocab",
        "pretrained",
        "xml",
        "cls",
        "sample-note.txt",
        "report.json",
        "report.html",
    ];

    /// Makes the folder, or empties the one that an earlier demo left.
    ///
    /// # Errors
    /// The folder holds something that no demo wrote; nothing is removed then.
    pub(super) fn take(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        let reading = || format!("reading {}", folder.display());
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).with_context(reading)? {
            found.push(entry.with_context(reading)?.file_name());
        }
        let marked = fs::read_to_string(folder.join(MARKER)).is_ok_and(|text| text == MARKER_TEXT);
        let foreign = found.iter().find(|name| !marked || !Self::OWN.iter().any(|own| *name == own));
        if let Some(name) = foreign {
            return Err(hinted(
                format!(
                    "{} holds {}, which no demo wrote: it is left as it is",
                    folder.display(),
                    Path::new(name).display()
                ),
                "name another --out, or move it away",
            ));
        }
        let marker = folder.join(MARKER);
        // The marker goes last: what is left by a removal that was cut off is still a demo's.
        for name in found.iter().filter(|name| *name != MARKER) {
            let path = folder.join(name);
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.with_context(|| format!("replacing {}", path.display()))?;
        }
        write_atomic(&marker, MARKER_TEXT.as_bytes())?;
        Ok(Self { folder: folder.to_owned() })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn notes(&self) -> PathBuf {
        self.folder.join("notes.jsonl")
    }

    pub(super) fn corpus(&self) -> PathBuf {
        self.folder.join("corpus")
    }

    pub(super) fn vocab(&self) -> PathBuf {
        self.folder.join("vocab")
    }

    pub(super) fn pretrained(&self) -> PathBuf {
        self.folder.join("pretrained")
    }

    /// The run of a head: `xml` or `cls`.
    pub(super) fn finetuned(&self, head: &str) -> PathBuf {
        self.folder.join(head)
    }

    pub(super) fn sample_note(&self) -> PathBuf {
        self.folder.join("sample-note.txt")
    }

    pub(super) fn report_json(&self) -> PathBuf {
        self.folder.join("report.json")
    }

    pub(super) fn report_html(&self) -> PathBuf {
        self.folder.join("report.html")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_demo_is_replaced_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("out/demo");
        let place = Place::take(&folder).unwrap();
        fs::create_dir(place.corpus()).unwrap();
        fs::write(place.corpus().join("corpus.json"), "{}").unwrap();
        fs::write(place.report_html(), "old").unwrap();
        assert_eq!(Place::take(&folder).unwrap(), place);
        assert!(!place.corpus().exists() && !place.report_html().exists() && folder.join(MARKER).is_file());

        fs::write(place.report_html(), "old").unwrap();
        fs::write(folder.join("mine.txt"), "keep").unwrap();
        let error = Place::take(&folder).unwrap_err().to_string();
        assert!(error.contains("holds mine.txt, which no demo wrote"), "{error}");
        assert!(place.report_html().exists(), "nothing is removed when something is foreign");

        let other = parent.path().join("other");
        fs::create_dir(&other).unwrap();
        fs::write(other.join("report.html"), "a name of ours, but no marker").unwrap();
        assert!(Place::take(&other).is_err());
        assert!(other.join("report.html").exists());
    }
}
