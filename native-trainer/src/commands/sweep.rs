//! `finetune --sweep`: one training for each combination of values, and the best of them.

use std::fs;
use std::io::{Write, stdout};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::finetune::{Options, Start, Trial, settings, train_once};
use crate::context::Context;
use crate::error::hinted;
use crate::files::{FolderInTheMaking, create_empty_folder, write_atomic};
use crate::talk;
use crate::train::settings::parse_override;

/// Trials by falling dev AUC.
const RESULTS: &str = "sweep.json";

/// Every combination of the swept values; one empty trial without a sweep.
pub(super) fn trials(sweeps: &[String]) -> Result<Vec<Trial>> {
    let mut trials: Vec<Trial> = vec![Vec::new()];
    for sweep in sweeps {
        let (key, values) =
            sweep.split_once('=').with_context(|| format!("--sweep {sweep}: must be KEY=V1,V2,..."))?;
        let key = if key == "lr" { "optimizer.learning_rate" } else { key };
        let mut next = Vec::new();
        for trial in &trials {
            for value in values.split(',') {
                let pair = parse_override(&format!("{key}={value}"));
                let pair = pair.map_err(|message| anyhow::anyhow!("--sweep {sweep}: {message}"))?;
                next.push(trial.iter().cloned().chain([pair]).collect());
            }
        }
        trials = next;
    }
    Ok(trials)
}

/// Trains every trial in a folder of its own, writes `sweep.json`, best first, and puts the best one's model at
/// `model/`. With `--resume`, trials that are finished are taken as they are.
///
/// # Errors
/// A trial whose settings are wrong, before the first one starts; those of a training.
pub(super) fn sweep(context: &Context, options: &Options, trials: &[Trial]) -> Result<()> {
    let mut start = Some(Start::read(options)?);
    let mut all = Vec::new();
    for trial in trials {
        let shown: Vec<String> = trial.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        let checked = settings(options, trial, start.as_ref().expect("read above"));
        all.push((checked.with_context(|| format!("trial {}", shown.join(", ")))?, shown));
    }
    make_folder(&options.out, options.resume)?;
    let mut results: Vec<(Option<f64>, Value)> = Vec::new();
    for (at, (settings, shown)) in all.iter().enumerate() {
        let name = format!("trial-{at}");
        talk::say(&format!("{name}: {}", shown.join(", ")));
        let start = start.take().map_or_else(|| Start::read(options), Ok)?;
        let done = train_once(context, options, &options.out.join(&name), settings, start)?;
        let auc = done.dev["auc_micro"].as_f64();
        results.push((auc, json!({"trial": name, "settings": shown, "dev": done.dev, "epoch": done.epoch})));
    }
    results.sort_by(|a, b| b.0.unwrap_or(-1.0).total_cmp(&a.0.unwrap_or(-1.0)));
    let results: Vec<Value> = results.into_iter().map(|(_, result)| result).collect();
    let best = results[0]["trial"].as_str().unwrap_or_default();
    copy_model(&options.out.join(best).join("model"), &options.out.join("model"))?;
    write_atomic(&options.out.join(RESULTS), serde_json::to_string_pretty(&results)?.as_bytes())?;
    writeln!(stdout(), "best by dev AUC micro: {} ({})", results[0]["trial"], results[0]["settings"])?;
    talk::say(&format!("its model in {}", options.out.join("model").display()));
    Ok(())
}

/// The sweep's folder: empty, or with `resume` one that holds trials.
fn make_folder(out: &Path, resume: bool) -> Result<()> {
    if resume && out.join("trial-0").is_dir() {
        return Ok(());
    }
    create_empty_folder(out)
        .map_err(|error| hinted(format!("{error:#}"), "name another --out, or go on with --resume"))
}

/// Copies a model folder; one from an earlier sweep is replaced.
fn copy_model(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to).with_context(|| format!("replacing {}", to.display()))?;
    }
    let making = FolderInTheMaking::start(to)?;
    let reading = || format!("reading {}", from.display());
    for entry in fs::read_dir(from).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        fs::copy(entry.path(), making.path().join(entry.file_name()))
            .with_context(|| format!("copying {}", entry.path().display()))?;
    }
    making.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_is_every_combination() {
        let sweeps = ["lr=1e-4,3e-4", "head=xml,cls"].map(str::to_owned);
        let shown: Vec<String> = trials(&sweeps)
            .unwrap()
            .iter()
            .map(|trial| {
                trial.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
            })
            .collect();
        assert_eq!(shown.len(), 4);
        assert!(shown[0].starts_with("optimizer.learning_rate=0.0001 head="), "{shown:?}");
        assert_eq!(trials(&[]).unwrap(), [Trial::new()]);
        assert!(trials(&["lr".to_owned()]).is_err());
    }
}
