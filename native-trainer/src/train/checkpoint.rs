//! Checkpoints: all that a step needs to go on, in folders that are whole or not there.
//!
//! `checkpoints/step-00000120/` holds `state.json`, `weights.safetensors` and `optimizer.safetensors`. Random
//! streams and the place in the epoch follow from seed and step, so that nothing else needs saving.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bert_xml_core::model::parameters::Values;
use bert_xml_core::model::weights::{read_weights, write_weights};
use serde::{Deserialize, Serialize};

use crate::files::{FolderInTheMaking, sha256, write_atomic};

/// The newest checkpoints that are kept.
const KEPT: usize = 2;

/// Where a run stands, after `step` steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Steps done.
    pub step: u64,
    /// Steps of the optimizer (its bias correction).
    pub optimizer_steps: u64,
    /// The best development score so far, and the epoch (from 1) after which it was reached.
    pub best: Option<(f64, u64)>,
    /// Training tokens seen, padding not counted.
    pub tokens: u64,
    /// SHA-256 of the other files.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

/// A checkpoint's content.
pub struct Checkpoint {
    /// Where the run stands.
    pub state: State,
    /// Model parameters by path.
    pub weights: BTreeMap<String, Values>,
    /// Moments of the optimizer.
    pub optimizer: BTreeMap<String, Values>,
}

const WEIGHTS: &str = "weights.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const STATE: &str = "state.json";

impl Checkpoint {
    /// Writes it into the run's `checkpoints` and drops older ones but the last two.
    ///
    /// # Errors
    /// Whatever the disk says; older checkpoints are untouched then.
    pub fn save(mut self, checkpoints: &Path) -> Result<()> {
        let place = checkpoints.join(format!("step-{:08}", self.state.step));
        if place.exists() {
            if Self::load(&place).is_ok() {
                return Ok(());
            }
            // One that was passed over because it is damaged.
            fs::remove_dir_all(&place).with_context(|| format!("replacing {}", place.display()))?;
        }
        let making = FolderInTheMaking::start(&place)?;
        write_atomic(&making.path().join(WEIGHTS), &write_weights(&self.weights))?;
        write_atomic(&making.path().join(OPTIMIZER), &write_weights(&self.optimizer))?;
        for name in [WEIGHTS, OPTIMIZER] {
            self.state.files.insert(name.to_owned(), sha256(&making.path().join(name))?);
        }
        write_atomic(&making.path().join(STATE), serde_json::to_string_pretty(&self.state)?.as_bytes())?;
        making.finish()?;
        let mut steps = list(checkpoints)?;
        let old = steps.len().saturating_sub(KEPT);
        for folder in steps.drain(..old) {
            fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
        }
        Ok(())
    }

    /// The newest checkpoint of a run that is whole; none where there is no checkpoint. One that is damaged is
    /// passed over for the one before, and `say` is told.
    ///
    /// # Errors
    /// There are checkpoints, but none is whole.
    pub fn load_newest(checkpoints: &Path, say: impl Fn(&str)) -> Result<Option<Self>> {
        if !checkpoints.exists() {
            return Ok(None);
        }
        let mut folders = list(checkpoints)?;
        let mut damaged = None;
        while let Some(folder) = folders.pop() {
            match Self::load(&folder) {
                Ok(checkpoint) => return Ok(Some(checkpoint)),
                Err(error) => {
                    say(&format!(
                        "checkpoint {} is not whole ({error:#}); trying the one before",
                        folder.display()
                    ));
                    damaged = Some(error);
                }
            }
        }
        damaged.map_or(Ok(None), |error| Err(error.context("no checkpoint of this run is whole")))
    }

    /// Whether a run has one, whole or not.
    pub fn any(checkpoints: &Path) -> bool {
        list(checkpoints).is_ok_and(|folders| !folders.is_empty())
    }

    fn load(folder: &Path) -> Result<Self> {
        let path = folder.join(STATE);
        let text = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let state: State =
            serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))?;
        for (name, hash) in &state.files {
            let path = folder.join(name);
            ensure!(
                sha256(&path)? == *hash,
                "{} is damaged: its SHA-256 is not that of {STATE}",
                path.display()
            );
        }
        let weights = read_file(&folder.join(WEIGHTS))?;
        let optimizer = read_file(&folder.join(OPTIMIZER))?;
        Ok(Self { state, weights, optimizer })
    }
}

fn read_file(path: &Path) -> Result<BTreeMap<String, Values>> {
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let (values, _) = read_weights(&bytes).with_context(|| format!("{} is damaged", path.display()))?;
    Ok(values)
}

/// Checkpoint folders, oldest first; what was left half-made by a killed process is not among them.
fn list(checkpoints: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(checkpoints).with_context(|| format!("reading {}", checkpoints.display()))?;
    let mut folders: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("step-")))
        .collect();
    folders.sort();
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(step: u64) -> Checkpoint {
        let values = Values { shape: vec![2], data: vec![step as f32, 0.1] };
        let state =
            State { step, optimizer_steps: step, best: Some((0.1 + 0.2, 1)), tokens: 9, ..State::default() };
        let map = BTreeMap::from([("a".to_owned(), values)]);
        Checkpoint { state, weights: map.clone(), optimizer: map }
    }

    #[test]
    fn the_last_two_stay_and_come_back_bit_for_bit() {
        let run = tempfile::tempdir().unwrap();
        assert!(Checkpoint::load_newest(&run.path().join("none"), |_| {}).unwrap().is_none());
        for step in [5, 10, 15] {
            checkpoint(step).save(run.path()).unwrap();
        }
        assert_eq!(list(run.path()).unwrap().len(), 2);
        let newest = Checkpoint::load_newest(run.path(), |_| panic!()).unwrap().unwrap();
        assert_eq!((newest.state.step, newest.state.best), (15, Some((0.1 + 0.2, 1))));
        assert_eq!(newest.weights, checkpoint(15).weights);
    }

    #[test]
    fn a_damaged_one_is_passed_over_by_name() {
        let run = tempfile::tempdir().unwrap();
        for step in [5, 10] {
            checkpoint(step).save(run.path()).unwrap();
        }
        let path = run.path().join("step-00000010").join(WEIGHTS);
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        let said = std::cell::RefCell::new(String::new());
        let found =
            Checkpoint::load_newest(run.path(), |line| said.borrow_mut().push_str(line)).unwrap().unwrap();
        assert_eq!(found.state.step, 5);
        assert!(
            said.borrow().contains("step-00000010") && said.borrow().contains("SHA-256"),
            "{}",
            said.borrow()
        );
        // The run comes to that step again: now it is saved.
        checkpoint(10).save(run.path()).unwrap();
        let found = Checkpoint::load_newest(run.path(), |_| panic!()).unwrap().unwrap();
        assert_eq!((found.state.step, found.weights), (10, checkpoint(10).weights));
        fs::remove_dir_all(run.path().join("step-00000010")).unwrap();
        fs::remove_file(run.path().join("step-00000005").join(STATE)).unwrap();
        let error = Checkpoint::load_newest(run.path(), |_| {}).err().unwrap();
        assert!(format!("{error:#}").starts_with("no checkpoint of this run is whole"));
    }
}
