//! One part of a record file, predicted on its own: a folder of parts that many machines fill, each part whole or not
//! there.

use std::fmt;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result};
use bert_xml_core::infer::PredictOptions;
use bert_xml_core::model_folder::{MANIFEST, SHIPPED_MANIFEST};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::place::ModelPlace;
use crate::error::hinted;
use crate::files::{sha256, sha256_of, write_atomic};
use crate::ingest::Columns;

/// The `at`-th of `of` parts, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// From 1.
    pub at: u64,
    /// At least `at`.
    pub of: u64,
}

impl FromStr for Part {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let numbers = word.split_once('/').and_then(|(at, of)| Some((at.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((at, of)) if 0 < at && at <= of => Ok(Self { at, of }),
            _ => Err("must be I/N, the I-th of N parts, counted from 1: 1/8, …, 8/8".to_owned()),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.at, self.of)
    }
}

impl Part {
    /// Its records, counted from 0, of `records`. Parts are neighbours and their sizes differ by one at most.
    pub fn range(self, records: u64) -> Range<u64> {
        let border = |at: u64| (u128::from(records) * u128::from(at) / u128::from(self.of)) as u64;
        border(self.at - 1)..border(self.at)
    }

    /// The names of its predictions and of the mark that says that they are whole. In the order of names the parts are
    /// in the order of the records.
    fn files(self) -> [String; 2] {
        let digits = self.of.to_string().len().max(5);
        ["jsonl", "json"].map(|end| format!("part-{:0digits$}-of-{:0digits$}.{end}", self.at, self.of))
    }
}

/// What decides a part's predictions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request(Value);

impl Request {
    /// Of this part of the file, by this model and these options. The model is known by its manifest, which has the
    /// hashes of its other files; the records by the file's name, size and a hash over some of its blocks.
    ///
    /// # Errors
    /// Model or records cannot be read.
    pub fn new(
        part: Part,
        model: &Path,
        input: &Path,
        columns: &Columns,
        options: &PredictOptions,
    ) -> Result<Self> {
        let folder = ModelPlace::find_coder(model)?;
        let manifest = [SHIPPED_MANIFEST, MANIFEST].map(|name| folder.join(name));
        let manifest = if manifest[0].is_file() { &manifest[0] } else { &manifest[1] };
        let name = input.file_name().unwrap_or_default().to_string_lossy();
        let (bytes, sampled) = sample(input).with_context(|| format!("reading {}", input.display()))?;
        Ok(Self(json!({
            "part": part,
            "model": sha256(manifest)?,
            "input": {"name": name, "bytes": bytes, "sample": sampled},
            "fields": columns,
            "top": options.top, "threshold": options.threshold, "evidence": options.evidence,
        })))
    }

    /// The first key that differs.
    fn difference(&self, other: &Self) -> Option<String> {
        let keys = self.0.as_object().into_iter().flatten().map(|(key, _)| key);
        keys.into_iter().find(|key| self.0[key.as_str()] != other.0[key.as_str()]).cloned()
    }
}

/// Blocks that [`sample`] reads of a file that has more.
const BLOCKS: u64 = 64;
const BLOCK: u64 = 1 << 20;

/// A file's size, and the SHA-256 of 64 blocks of 1 MiB spread evenly over it, its first and its last among them; of all
/// its bytes where they are no more. Every part of a large file asks for it, so it must not cost a reading of all.
fn sample(path: &Path) -> std::io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let mut read = Vec::new();
    if bytes <= BLOCKS * BLOCK {
        file.read_to_end(&mut read)?;
    } else {
        for block in 0..BLOCKS {
            let start = u128::from(bytes - BLOCK) * u128::from(block) / u128::from(BLOCKS - 1);
            file.seek(SeekFrom::Start(start as u64))?;
            (&mut file).take(BLOCK).read_to_end(&mut read)?;
        }
    }
    Ok((bytes, sha256_of(&read)))
}

/// What stands beside predictions that are whole.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    /// The version of the command.
    made_by: String,
    request: Value,
    /// Notes in it.
    notes: u64,
    /// SHA-256 of the predictions.
    sha256: String,
}

/// Where a part's predictions go.
pub struct PartPlace {
    /// The predictions: one JSON object a note.
    pub predictions: PathBuf,
    mark: PathBuf,
}

impl PartPlace {
    /// In this folder, which is made where it is missing.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new(folder: &Path, part: Part) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        let [predictions, mark] = part.files().map(|name| folder.join(name));
        Ok(Self { predictions, mark })
    }

    /// The notes of predictions that are there and whole; none where they must be made.
    ///
    /// # Errors
    /// What is there answers another request.
    pub fn finished(&self, request: &Request) -> Result<Option<u64>> {
        let Ok(bytes) = fs::read(&self.mark) else { return Ok(None) };
        let Ok(mark) = serde_json::from_slice::<Mark>(&bytes) else { return Ok(None) };
        if let Some(key) = request.difference(&Request(mark.request)) {
            return Err(hinted(
                format!("{} was made with another {key}", self.predictions.display()),
                "name another --out, or overwrite it with --force",
            ));
        }
        let whole = sha256(&self.predictions).is_ok_and(|hash| hash == mark.sha256);
        Ok(whole.then_some(mark.notes))
    }

    /// Says that the predictions are whole.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn mark(&self, request: Request, notes: u64) -> Result<()> {
        let made_by = env!("CARGO_PKG_VERSION").to_owned();
        let mark = Mark { made_by, request: request.0, notes, sha256: sha256(&self.predictions)? };
        write_atomic(&self.mark, (serde_json::to_string_pretty(&mark)? + "\n").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_neighbours_that_cover_every_record_once() {
        for (records, of) in [(0, 3), (2, 3), (10, 3), (64, 64), (u64::MAX, 7)] {
            let mut before = 0;
            for at in 1..=of {
                let range = Part { at, of }.range(records);
                assert_eq!(range.start, before);
                assert!((records / of..=records / of + 1).contains(&(range.end - range.start)));
                before = range.end;
            }
            assert_eq!(before, records);
        }
        assert_eq!("3/8".parse(), Ok(Part { at: 3, of: 8 }));
        for word in ["0/8", "9/8", "3", "3/", "a/8", "-1/8", "1/0"] {
            assert!(word.parse::<Part>().is_err(), "{word}");
        }
        let names = [2, 10].map(|at| Part { at, of: 12 }.files()[0].clone());
        assert_eq!(names, ["part-00002-of-00012.jsonl", "part-00010-of-00012.jsonl"]);
    }

    #[test]
    fn a_sample_notices_changes_of_size_and_of_a_small_files_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("n");
        let of = |content: &[u8]| {
            fs::write(&path, content).unwrap();
            sample(&path).unwrap()
        };
        assert_ne!(of(b"abc"), of(b"abd"));
        let large = BLOCKS * BLOCK + 5;
        let file = File::create(&path).unwrap();
        file.set_len(large).unwrap();
        let empty = sample(&path).unwrap();
        assert_eq!(empty.0, large);
        for at in [0, large - 1] {
            let mut file = File::create(&path).unwrap();
            file.set_len(large).unwrap();
            file.seek(SeekFrom::Start(at)).unwrap();
            std::io::Write::write_all(&mut file, b"x").unwrap();
            assert_ne!(sample(&path).unwrap(), empty, "byte {at}");
        }
    }
}
