//! A run's folder: resolved settings, provenance, metrics a line, checkpoints; and what a resume must find equal.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::{Value, json};

use super::tensorboard::EventFile;
use crate::error::hinted;
use crate::files::{LOCK, lock_folder, write_atomic};

const SETTINGS: &str = "settings.toml";
const PROVENANCE: &str = "provenance.json";
const METRICS: &str = "metrics.jsonl";

/// A run that is under way.
pub struct Run {
    folder: PathBuf,
    metrics: File,
    events: EventFile,
    start: Instant,
    /// Held until the run is dropped or the process ends, however it ends.
    _lock: File,
}

impl Run {
    /// Starts a run in an empty folder, or with `resume` goes on in one that an earlier call left.
    ///
    /// `inputs` names what the run is made from (hashes of corpus and tokenizer, seed): a resume with other
    /// inputs or settings would be another run.
    ///
    /// # Errors
    /// A folder that is not empty (without `resume`); settings or inputs that differ (with it), each by name; another
    /// process that is at work in it.
    pub fn start(
        folder: &Path,
        kind: &str,
        settings: &impl Serialize,
        inputs: Value,
        resume: bool,
    ) -> Result<Self> {
        let settings = toml::to_string_pretty(settings).context("settings cannot be written as TOML")?;
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        let going_on = resume && folder.join(SETTINGS).is_file();
        if !going_on {
            check_unused(folder, resume)?;
        }
        let lock = lock_folder(folder)?;
        if going_on {
            check_equal(folder, &settings, &inputs)?;
        } else {
            let provenance = json!({
                "kind": kind, "bert_xml": env!("CARGO_PKG_VERSION"), "inputs": inputs,
                "os": std::env::consts::OS, "arch": std::env::consts::ARCH,
                "threads": std::thread::available_parallelism().map_or(1, usize::from),
            });
            write_atomic(&folder.join(PROVENANCE), serde_json::to_string_pretty(&provenance)?.as_bytes())?;
            write_atomic(&folder.join(SETTINGS), settings.as_bytes())?;
            fs::create_dir_all(folder.join("checkpoints"))?;
        }
        let path = folder.join(METRICS);
        let metrics = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("writing {}", path.display()))?;
        let events = EventFile::start(folder)?;
        Ok(Self { folder: folder.to_owned(), metrics, events, start: Instant::now(), _lock: lock })
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where its checkpoints lie.
    pub fn checkpoints(&self) -> PathBuf {
        self.folder.join("checkpoints")
    }

    /// Weights of the best epoch so far.
    pub fn best_weights(&self) -> PathBuf {
        self.checkpoints().join("best.safetensors")
    }

    /// What the run is made from and by.
    ///
    /// # Errors
    /// The file is missing or damaged.
    pub fn provenance(&self) -> Result<Value> {
        read_json(&self.folder.join(PROVENANCE))
    }

    /// Drops metrics of steps behind a checkpoint: they come again.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn rewind_metrics(&mut self, step: u64) -> Result<()> {
        let path = self.folder.join(METRICS);
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let before = |line: &&str| {
            serde_json::from_str::<Value>(line)
                .is_ok_and(|value| value["step"].as_u64().is_none_or(|found| found <= step))
        };
        let kept: String = text.lines().filter(before).flat_map(|line| [line, "\n"]).collect();
        write_atomic(&path, kept.as_bytes())?;
        self.metrics = OpenOptions::new()
            .append(true)
            .open(&path)
            .with_context(|| format!("writing {}", path.display()))?;
        if step > 0 { self.events.rewind(step) } else { Ok(()) }
    }

    /// Appends one line to `metrics.jsonl` and its numbers to TensorBoard's file; `seconds` since this call of the command started is added.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn log(&mut self, mut line: Value) -> Result<()> {
        line["seconds"] = json!((self.start.elapsed().as_secs_f64() * 1000.0).round() / 1000.0);
        let path = || format!("writing {}", self.folder.join(METRICS).display());
        writeln!(self.metrics, "{line}").with_context(path)?;
        self.events.log(&line)
    }
}

/// Refuses a folder that holds something: it is another's. With `resume`, what a start that was cut off leaves may
/// be there.
fn check_unused(folder: &Path, resume: bool) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let ours = |name: &str| name == LOCK || (resume && (name == PROVENANCE || name.starts_with(".writing-")));
    if entries.flatten().all(|entry| entry.file_name().to_str().is_some_and(ours)) {
        return Ok(());
    }
    Err(hinted(
        format!("{} is not empty: results go into a folder of their own", folder.display()),
        "name another --out, or go on with --resume",
    ))
}

fn read_json(path: &Path) -> Result<Value> {
    let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))
}

fn check_equal(folder: &Path, settings: &str, inputs: &Value) -> Result<()> {
    let path = folder.join(SETTINGS);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let before: toml::Table = text.parse().with_context(|| format!("{} is damaged", path.display()))?;
    let now: toml::Table = settings.parse().context("the settings just written")?;
    if let Some((key, before, now)) = difference(&before, &now, "") {
        bail!(
            "{} was started with {key} = {before}, not {now}: a resume keeps its settings",
            folder.display()
        );
    }
    let provenance = read_json(&folder.join(PROVENANCE))?;
    let known = provenance["inputs"].as_object().cloned().unwrap_or_default();
    for (key, value) in inputs.as_object().into_iter().flatten() {
        let before = known.get(key).unwrap_or(&Value::Null);
        // The same weights under another name are the same input.
        let hash = |input: &Value| input.get("sha256").cloned();
        let same = before == value || (hash(value).is_some() && hash(before) == hash(value));
        if !same {
            bail!(
                "{} was started with {key} {before}, not {value}: a resume keeps its inputs",
                folder.display()
            );
        }
    }
    Ok(())
}

/// The first key that differs, with both values.
fn difference(before: &toml::Table, now: &toml::Table, prefix: &str) -> Option<(String, String, String)> {
    let mut keys: Vec<&String> = before.keys().chain(now.keys()).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter().find_map(|key| match (before.get(key), now.get(key)) {
        (Some(toml::Value::Table(a)), Some(toml::Value::Table(b))) => {
            difference(a, b, &format!("{prefix}{key}."))
        }
        (a, b) if a == b => None,
        (a, b) => {
            let show = |value: Option<&toml::Value>| value.map_or("nothing".to_owned(), ToString::to_string);
            Some((format!("{prefix}{key}"), show(a), show(b)))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::settings::PretrainSettings;

    #[test]
    fn a_resume_keeps_settings_and_inputs() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("run");
        let settings = PretrainSettings::default();
        let start = |settings: &PretrainSettings, seed: u64, resume| {
            Run::start(&folder, "pretrain", settings, json!({"seed": seed}), resume).map(|_| ())
        };
        start(&settings, 1, false).unwrap();
        start(&settings, 1, true).unwrap();
        let message = |result: Result<()>| format!("{:#}", result.unwrap_err());
        assert!(message(start(&settings, 1, false)).contains("is not empty"));
        let encoder = |name: &str, sha256: &str, resume| {
            let inputs = json!({"encoder": {"name": name, "sha256": sha256}});
            Run::start(&parent.path().join("of"), "finetune", &settings, inputs, resume).map(|_| ())
        };
        encoder("pre", "ab", false).unwrap();
        encoder("moved", "ab", true).unwrap();
        assert!(message(encoder("pre", "cd", true)).contains("was started with encoder {"));
        assert!(message(start(&settings, 2, true)).contains("was started with seed 1, not 2"));
        let mut other = settings;
        other.optimizer.learning_rate = 5e-5;
        assert!(message(start(&other, 1, true)).contains("optimizer.learning_rate = 0.0001, not 0.00005"));
    }

    #[test]
    fn one_process_at_a_time_works_in_a_run() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("run");
        let start = |resume| Run::start(&folder, "x", &PretrainSettings::default(), json!({}), resume);
        let first = start(false).unwrap();
        let error = start(true).err().unwrap().to_string();
        assert!(error.starts_with("another process is at work in "), "{error}");
        drop(first);
        start(true).unwrap();
        // As a start that was cut off leaves it.
        fs::remove_dir(folder.join("checkpoints")).unwrap();
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            if ![LOCK, PROVENANCE].map(Into::into).contains(&entry.file_name()) {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        assert!(start(false).is_err());
        start(true).unwrap();
    }

    #[test]
    fn metrics_behind_a_checkpoint_are_dropped() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("run");
        let mut run = Run::start(&folder, "x", &PretrainSettings::default(), json!({}), false).unwrap();
        for step in 1..=4 {
            run.log(json!({"step": step})).unwrap();
        }
        run.rewind_metrics(2).unwrap();
        run.log(json!({"step": 3, "again": true})).unwrap();
        let text = fs::read_to_string(folder.join(METRICS)).unwrap();
        let steps: Vec<u64> = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["step"].as_u64().unwrap())
            .collect();
        assert_eq!(steps, [1, 2, 3]);
        assert!(text.contains("again"));
    }
}
