//! The stage `vulkan`: burn's wgpu backend says of a note what its CPU backend says.
//!
//! the short notes of `tests/fixtures/wasm` → `bert-xml predict --device wgpu`, on a Vulkan of the processor → compared
//! with what the fixture holds of burn on the CPU
//!
//! The Vulkan is Mesa's lavapipe, so this proves the way through wgpu and its shaders on a machine without a card.

use std::{
    collections::HashMap,
    env,
    ffi::OsString,
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

/// Largest difference of a probability.
const TOLERANCE: f64 = 1e-3;
/// Fewest notes that prove anything.
const NOTES: usize = 12;
/// Where a distribution lists its Vulkan drivers.
const LISTS: [&str; 3] = ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"];

/// A note of `notes.json`.
#[derive(Deserialize)]
struct Note {
    id: String,
    text: String,
}

/// What of `expected.json` is compared: the probability of every label in order.
#[derive(Deserialize)]
struct Expected {
    id: String,
    burn: Option<Vec<f64>>,
}

/// What of a line of `predict` is compared.
#[derive(Deserialize)]
struct Predicted {
    note_id: String,
    codes: Vec<Code>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
    probability: f64,
}

/// The list of drivers with nothing but lavapipe in it: what the caller named, else the system's.
fn driver() -> Option<OsString> {
    let named = env::var_os("VK_ICD_FILENAMES").filter(|files| !files.is_empty());
    named.or_else(|| LISTS.iter().find_map(|list| lavapipe(Path::new(list))))
}

/// lavapipe's file in a folder of drivers: `lvp_icd.x86_64.json`, or of another processor.
fn lavapipe(list: &Path) -> Option<OsString> {
    let files = fs::read_dir(list).ok()?.filter_map(|file| Some(file.ok()?.path()));
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("lvp_icd")))
        .map(Into::into)
}

/// What is missing here, if anything is.
pub fn lacking() -> Option<String> {
    driver().is_none().then(|| "a Vulkan of the processor: not found (Debian: mesa-vulkan-drivers)".into())
}

/// Codes the notes with `binary`, which must have been built with the feature `wgpu`.
///
/// # Errors
/// The binary fails, leaves out a note or code, or gives another probability than burn does on the CPU.
pub fn check(root: &Path, binary: &Path) -> Result<()> {
    let fixture = root.join("tests/fixtures/wasm");
    let expected: Vec<Expected> = read(&fixture.join("expected.json"))?;
    let expected: HashMap<String, Vec<f64>> =
        expected.into_iter().filter_map(|note| Some((note.id, note.burn?))).collect();
    let notes: Vec<Note> = read(&fixture.join("notes.json"))?;
    let lines: String = notes
        .iter()
        .filter(|note| expected.contains_key(&note.id))
        .map(|note| serde_json::json!({"note_id": note.id, "text": note.text}).to_string() + "\n")
        .collect();
    let labels = fs::read_to_string(fixture.join("model/labels.tsv")).context("labels.tsv of the fixture")?;
    let labels: Vec<&str> = labels.lines().skip(1).filter_map(|line| line.split('\t').nth(1)).collect();
    let found = predict(binary, &fixture.join("model"), &lines)?;
    let worst = compare(&found, &expected, &labels)?;
    eprintln!(
        "{} notes, {} codes each: no probability differs by more than {worst:.1e}",
        found.len(),
        labels.len()
    );
    Ok(())
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| path.display().to_string())
}

fn predict(binary: &Path, model: &Path, lines: &str) -> Result<Vec<Predicted>> {
    let driver = driver().context("no Vulkan driver")?;
    let mut child = Command::new(binary)
        .args([
            "predict",
            "--device",
            "wgpu",
            "--progress",
            "none",
            "--top",
            "all",
            "--input",
            "-",
            "--model",
        ])
        .arg(model)
        // The loader's name for it, and its older one.
        .env("VK_DRIVER_FILES", &driver)
        .env("VK_ICD_FILENAMES", &driver)
        // burn takes OpenGL where that has a card and Vulkan has none: without a vendor there is no OpenGL.
        .env("__EGL_VENDOR_LIBRARY_FILENAMES", "none")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} does not start", binary.display()))?;
    // Dropped behind the notes: that ends the input. If they are not taken, its own error says why.
    let _ = child.stdin.take().expect("piped").write_all(lines.as_bytes());
    let output = child.wait_with_output().context("reading the codes")?;
    ensure!(output.status.success(), "bert-xml predict --device wgpu: {}", output.status);
    let output = String::from_utf8(output.stdout).context("reading the codes")?;
    output.lines().map(|line| serde_json::from_str(line).context("reading the codes")).collect()
}

/// The largest difference, if none is too large.
fn compare(found: &[Predicted], expected: &HashMap<String, Vec<f64>>, labels: &[&str]) -> Result<f64> {
    ensure!(found.len() >= NOTES, "{} notes were coded, at least {NOTES} must be", found.len());
    ensure!(found.len() == expected.len(), "{} of {} notes were coded", found.len(), expected.len());
    let mut worst = 0f64;
    for note in found {
        let id = &note.note_id;
        let wanted = expected.get(id).with_context(|| format!("nobody asked for the note {id}"))?;
        ensure!(
            note.codes.len() == labels.len() && wanted.len() == labels.len(),
            "{id} has {} codes of {}",
            note.codes.len(),
            labels.len()
        );
        for (label, wanted) in labels.iter().zip(wanted) {
            let code = note.codes.iter().find(|code| code.code == *label);
            let found = code.with_context(|| format!("{id} lacks the code {label}"))?.probability;
            // Written so that NaN fails.
            let close = (found - wanted).abs() <= TOLERANCE;
            ensure!(close, "{id}, {label}: {found} on wgpu, {wanted} on the CPU");
            worst = worst.max((found - wanted).abs());
        }
    }
    Ok(worst)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twelve notes with two codes each, found in the other order.
    fn answers(shift: f64) -> (Vec<Predicted>, HashMap<String, Vec<f64>>) {
        let ids = (0..NOTES).map(|at| format!("note {at}"));
        let code = |code: &str, probability| Code { code: code.into(), probability };
        let found = ids
            .clone()
            .map(|note_id| Predicted { note_id, codes: vec![code("B", 0.75 + shift), code("A", 0.25)] });
        (found.collect(), ids.map(|id| (id, vec![0.25, 0.75])).collect())
    }

    #[test]
    fn probabilities_are_compared_code_by_code() {
        let labels = ["A", "B"];
        let worst = |shift| {
            let (found, expected) = answers(shift);
            compare(&found, &expected, &labels)
        };
        assert_eq!(worst(0.0).unwrap(), 0.0);
        assert!((worst(5e-4).unwrap() - 5e-4).abs() < 1e-9);
        let error = worst(2e-3).unwrap_err().to_string();
        assert!(error.starts_with("note 0, B: 0.752"), "{error}");
        assert!(worst(f64::NAN).is_err());
    }

    #[test]
    fn a_note_or_code_left_out_is_an_error() {
        let (mut found, mut expected) = answers(0.0);
        found[3].codes.pop();
        assert!(compare(&found, &expected, &["A", "B"]).is_err());
        let (mut found, _) = answers(0.0);
        found.pop();
        assert!(compare(&found, &expected, &["A", "B"]).is_err(), "a note fewer than asked");
        expected.remove("note 11");
        assert!(compare(&found, &expected, &["A", "B"]).is_err(), "fewer than prove anything");
    }

    #[test]
    fn lavapipe_is_found_among_the_drivers_by_its_name() {
        let list = tempfile::tempdir().unwrap();
        for name in ["intel_icd.x86_64.json", "radeon_icd.x86_64.json"] {
            fs::write(list.path().join(name), "{}").unwrap();
        }
        assert_eq!(lavapipe(list.path()), None);
        let file = list.path().join("lvp_icd.aarch64.json");
        fs::write(&file, "{}").unwrap();
        assert_eq!(lavapipe(list.path()), Some(file.into()));
        assert_eq!(lavapipe(&list.path().join("none")), None);
    }
}
