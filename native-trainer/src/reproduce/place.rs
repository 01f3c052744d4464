//! The folder of a reproduction: what it is of, and which steps are done.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::suite::{Scale, Shapes, Suite};
use crate::error::hinted;
use crate::files::write_atomic;

/// The file that says what a folder is of.
const SUBJECT: &str = "reproduction.json";

/// What a reproduction is of: its steps go on only with the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The data.
    pub suite: Suite,
    /// The machine.
    pub scale: Scale,
    /// Seed of every random stream.
    pub seed: u64,
    /// Version of the command.
    pub version: String,
    /// SHA-256 of the record file; none for the synthetic hospital.
    pub input: Option<String>,
    /// All shapes.
    pub shapes: Shapes,
}

/// Where everything lies.
#[derive(Clone, Debug)]
pub struct Place {
    folder: PathBuf,
}

impl Place {
    /// Makes the folder, or goes on in one of the same subject.
    ///
    /// # Errors
    /// The folder holds something else, or a reproduction of something else; nothing is touched then.
    pub fn take(folder: &Path, subject: &Subject) -> Result<Self> {
        let path = folder.join(SUBJECT);
        if path.is_file() {
            let found: Subject = read_json(&path)?;
            if found != *subject {
                return Err(hinted(
                    format!(
                        "{} holds the suite {} at scale {} with seed {} (or another input, version or shape)",
                        folder.display(),
                        found.suite.name(),
                        found.scale.name(),
                        found.seed
                    ),
                    "name another --out; a reproduction goes on with what it began with",
                ));
            }
        } else {
            let entries = fs::read_dir(folder).map(|entries| entries.flatten().next());
            if let Ok(Some(entry)) = entries {
                return Err(hinted(
                    format!(
                        "{} holds {}, which no reproduction wrote",
                        folder.display(),
                        entry.file_name().display()
                    ),
                    "name another --out, or move it away",
                ));
            }
            fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
            write_atomic(&path, (serde_json::to_string_pretty(subject)? + "\n").as_bytes())?;
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// A name in the folder.
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The folder of a row, made.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn row(&self, id: &str) -> Result<PathBuf> {
        let folder = self.folder.join("rows").join(id);
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        Ok(folder)
    }
}

/// Reads a file of ours.
///
/// # Errors
/// It cannot be read, or is damaged.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reproduction_goes_on_with_what_it_began_with() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("out");
        let shapes = Shapes::of(Scale::Smoke);
        let version = "1".to_owned();
        let subject =
            Subject { suite: Suite::Cohort, scale: Scale::Smoke, seed: 1, version, input: None, shapes };
        let place = Place::take(&folder, &subject).unwrap();
        fs::write(place.at("corpus"), "").unwrap();
        Place::take(&folder, &subject).unwrap();
        let other = Subject { seed: 2, ..subject.clone() };
        let error = Place::take(&folder, &other).unwrap_err().to_string();
        assert!(error.contains("holds the suite cohort at scale smoke with seed 1"), "{error}");

        let foreign = parent.path().join("foreign");
        fs::create_dir(&foreign).unwrap();
        fs::write(foreign.join("mine.txt"), "keep").unwrap();
        let error = Place::take(&foreign, &subject).unwrap_err().to_string();
        assert!(error.contains("holds mine.txt, which no reproduction wrote"), "{error}");
        assert_eq!(fs::read_dir(&foreign).unwrap().count(), 1);
    }
}
