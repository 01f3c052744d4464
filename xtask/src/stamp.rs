//! Stamps: what a step of a build was made from and what it left, so that it runs again only where one of them changed.
//!
//! inputs → one SHA-256, files left → one SHA-256 each → a JSON file beside them

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What a step reads: words, files and folders, in the order in which they are added.
pub struct Inputs(Sha256);

impl Inputs {
    /// Nothing yet but the step's name.
    pub fn new(step: &str) -> Self {
        Self(Sha256::new()).word(step)
    }

    /// A version, a flag.
    pub fn word(mut self, word: &str) -> Self {
        self.add(word.as_bytes());
        self
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn file(mut self, path: &Path) -> Result<Self> {
        self.add(&fs::read(path).with_context(|| format!("reading {}", path.display()))?);
        Ok(self)
    }

    /// Names and bytes of all files of a folder but for those under the names `without` of its own level; none where
    /// there is no folder.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn folder(mut self, folder: &Path, without: &[&str]) -> Result<Self> {
        let files = hashes(folder, without)?;
        self.add(&serde_json::to_vec(&files)?);
        Ok(self)
    }

    /// Its length goes before each: where one ends is part of what is hashed.
    fn add(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// The fingerprint of all of them.
    fn finish(self) -> String {
        hexadecimal(&self.0.finalize())
    }
}

/// What lies on disk.
#[derive(Serialize, Deserialize)]
struct Record {
    made_from: String,
    /// SHA-256 of every file, by its name in the folder.
    left: BTreeMap<String, String>,
    /// What else the step found out.
    facts: serde_json::Value,
}

/// One step of a build, the folder that is all its own, and its stamp.
pub struct Step {
    /// The stamp; outside the folder.
    stamp: PathBuf,
    /// What the step leaves.
    folder: PathBuf,
    made_from: String,
}

impl Step {
    /// The step that makes `folder` from `inputs`.
    pub fn new(stamp: PathBuf, folder: PathBuf, inputs: Inputs) -> Self {
        Self { stamp, folder, made_from: inputs.finish() }
    }

    /// What the step found out when it last ran, if it would make the same again: inputs as they were, and every file
    /// that it left there, unchanged, with none beside them.
    pub fn done(&self) -> Option<serde_json::Value> {
        let record: Record = serde_json::from_slice(&fs::read(&self.stamp).ok()?).ok()?;
        let same = record.made_from == self.made_from
            && !record.left.is_empty()
            && hashes(&self.folder, &[]).ok()? == record.left;
        same.then_some(record.facts)
    }

    /// Writes the stamp of a step that ran.
    ///
    /// # Errors
    /// A file that it left cannot be read, or the stamp not be written.
    pub fn record(&self, facts: serde_json::Value) -> Result<()> {
        let record = Record { made_from: self.made_from.clone(), left: hashes(&self.folder, &[])?, facts };
        fs::write(&self.stamp, serde_json::to_vec_pretty(&record)?)
            .with_context(|| format!("writing {}", self.stamp.display()))
    }
}

/// SHA-256 of every file of a folder, by its name in there.
fn hashes(folder: &Path, without: &[&str]) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        if !next.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&next).with_context(|| format!("reading {}", next.display()))? {
            let path = entry?.path();
            let name = path.strip_prefix(folder).expect("it lies in there").to_string_lossy().into_owned();
            if without.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
                found.insert(name, hexadecimal(&Sha256::digest(bytes)));
            }
        }
    }
    Ok(found)
}

fn hexadecimal(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A folder with two files made from one source, and the step's stamp on them.
    fn made() -> (tempfile::TempDir, impl Fn(&Path) -> Step) {
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        fs::create_dir_all(root.join("source/tests")).unwrap();
        fs::create_dir_all(root.join("out/deep")).unwrap();
        for file in ["source/a.ts", "source/tests/a.ts", "out/a.js", "out/deep/b.js"] {
            fs::write(root.join(file), file).unwrap();
        }
        let step = |root: &Path| {
            let inputs = Inputs::new("test").word("-O3").folder(&root.join("source"), &["tests"]).unwrap();
            Step::new(root.join("out.json"), root.join("out"), inputs)
        };
        (place, step)
    }

    #[test]
    fn a_step_is_done_while_inputs_and_outputs_stay() {
        let (place, step) = made();
        let root = place.path();
        assert_eq!(step(root).done(), None, "never run");
        step(root).record(json!([20, 4])).unwrap();
        assert_eq!(step(root).done(), Some(json!([20, 4])));
        // What is no input.
        fs::write(root.join("source/tests/a.ts"), "changed").unwrap();
        assert!(step(root).done().is_some());
    }

    #[test]
    fn a_changed_damaged_missing_or_added_file_makes_it_run_again() {
        type Break = fn(&Path);
        let breaks: [(&str, Break); 6] = [
            ("input changed", |root| fs::write(root.join("source/a.ts"), "changed").unwrap()),
            ("input added", |root| fs::write(root.join("source/b.ts"), "").unwrap()),
            ("output damaged", |root| fs::write(root.join("out/deep/b.js"), "out/deep/b.jS").unwrap()),
            ("output missing", |root| fs::remove_file(root.join("out/a.js")).unwrap()),
            ("output added", |root| fs::write(root.join("out/c.js"), "").unwrap()),
            ("stamp damaged", |root| fs::write(root.join("out.json"), "{}").unwrap()),
        ];
        for (what, change) in breaks {
            let (place, step) = made();
            step(place.path()).record(json!(null)).unwrap();
            assert!(step(place.path()).done().is_some());
            change(place.path());
            assert!(step(place.path()).done().is_none(), "{what}");
        }
    }

    #[test]
    fn a_step_that_left_nothing_is_not_done() {
        let place = tempfile::tempdir().unwrap();
        let step = Step::new(place.path().join("stamp.json"), place.path().join("out"), Inputs::new("test"));
        step.record(json!(null)).unwrap();
        assert!(step.done().is_none());
    }

    #[test]
    fn inputs_that_read_alike_in_a_row_are_not_the_same() {
        let of = |words: &[&str]| words.iter().fold(Inputs::new("test"), |all, word| all.word(word)).finish();
        assert_eq!(of(&["-O3", "dev"]), of(&["-O3", "dev"]));
        assert_ne!(of(&["-O3", "dev"]), of(&["-O3d", "ev"]));
        assert_ne!(of(&["a", "b"]), of(&["b", "a"]));
    }
}
