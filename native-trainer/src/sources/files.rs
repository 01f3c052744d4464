//! The files of a source, found in folders.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::error::hinted;

/// Folders of a published data set that its tables may lie in.
const SUBFOLDERS: [&str; 2] = ["hosp", "note"];

/// The table `name` in one of the folders, or in `hosp` or `note` of one: `name.csv` or `name.csv.gz`, in any case.
///
/// # Errors
/// A folder that cannot be read.
pub(super) fn table(folders: &[PathBuf], name: &str) -> Result<Option<PathBuf>> {
    for folder in folders {
        for inside in [folder.clone()].into_iter().chain(SUBFOLDERS.map(|sub| folder.join(sub))) {
            if inside != *folder && !inside.is_dir() {
                continue;
            }
            let named = |path: &PathBuf| {
                let found = file_name(path);
                [".csv", ".csv.gz"].iter().any(|ending| found == format!("{name}{ending}"))
            };
            if let Some(found) = entries(&inside)?.into_iter().find(named) {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

/// As [`table`], for one that must be there.
///
/// # Errors
/// It is not.
pub(super) fn needed_table(folders: &[PathBuf], name: &str) -> Result<PathBuf> {
    table(folders, name)?.ok_or_else(|| {
        let told: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
        hinted(
            format!("no {name}.csv or {name}.csv.gz in {}", told.join(", ")),
            "name the folders that the data set was published in; `hosp` and `note` inside them are looked into",
        )
    })
}

/// All files whose names end in one of `endings` (in any case): the named ones, and those in the named folders and below,
/// sorted. Links to folders are not followed.
///
/// # Errors
/// A path that is not there.
pub(super) fn all(paths: &[PathBuf], endings: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            below(path, endings, &mut found)?;
        } else {
            fs::metadata(path).with_context(|| format!("reading {}", path.display()))?;
            found.push(path.clone());
        }
    }
    Ok(found)
}

fn below(folder: &Path, endings: &[&str], found: &mut Vec<PathBuf>) -> Result<()> {
    for path in entries(folder)? {
        let is_link = fs::symlink_metadata(&path).is_ok_and(|data| data.file_type().is_symlink());
        if path.is_dir() {
            if !is_link {
                below(&path, endings, found)?;
            }
        } else if endings.iter().any(|ending| file_name(&path).ends_with(ending)) {
            found.push(path);
        }
    }
    Ok(())
}

/// What lies in a folder, sorted.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let reading = || format!("reading {}", folder.display());
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .with_context(reading)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()
        .with_context(reading)?;
    entries.sort();
    Ok(entries)
}

/// A file's name in lower case.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_found_in_any_case_and_below() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("iv/hosp")).unwrap();
        fs::write(root.join("NOTEEVENTS.csv.gz"), "").unwrap();
        fs::write(root.join("iv/hosp/admissions.csv"), "").unwrap();
        let folders = [root.to_owned(), root.join("iv")];
        assert_eq!(table(&folders, "noteevents").unwrap(), Some(root.join("NOTEEVENTS.csv.gz")));
        assert_eq!(table(&folders, "admissions").unwrap(), Some(root.join("iv/hosp/admissions.csv")));
        assert_eq!(table(&folders, "discharge").unwrap(), None);
        let error = needed_table(&folders[1..], "discharge").unwrap_err().to_string();
        assert!(error.starts_with("no discharge.csv or discharge.csv.gz in "), "{error}");
        assert_eq!(all(&[root.to_owned()], &[".csv", ".gz"]).unwrap().len(), 2);
        assert!(all(&[root.join("none")], &[".csv"]).is_err());
    }
}
