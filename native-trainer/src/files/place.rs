//! Places that the user names for results: what stands there already, and whether two are the same.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::error::hinted;

/// The place that stands for standard output.
pub const STANDARD: &str = "-";

/// Links that are followed, as Linux does.
const MOST_LINKS: usize = 40;

/// The folder in which a path lies.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Where a path leads once links are followed, also one that leads to nothing yet; and what stands there.
pub(super) fn follow(path: &Path) -> io::Result<(PathBuf, Option<Metadata>)> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::symlink_metadata(&path) {
            Ok(found) if found.file_type().is_symlink() => {
                // What procfs calls a link may lead to something without a name, such as a pipe.
                if let Ok(found) = fs::metadata(&path)
                    && !found.is_file()
                    && !found.is_dir()
                {
                    return Ok((path, Some(found)));
                }
                path = folder_of(&path).join(fs::read_link(&path)?);
            }
            Ok(found) => return Ok((path, Some(found))),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok((path, None)),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

/// Looks at the place of a file before the work that fills it: it is no folder, and its folder is there.
///
/// # Errors
/// What is wrong with it, by name.
pub fn check_file_place(path: &Path) -> Result<()> {
    if path.as_os_str() == STANDARD {
        return Ok(());
    }
    let writing = || format!("writing {}", path.display());
    let (target, found) = follow(path).with_context(writing)?;
    if found.is_some_and(|found| found.is_dir()) {
        return Err(hinted(format!("{} is a folder", path.display()), "name a file"));
    }
    fs::metadata(folder_of(&target)).map(|_| ()).with_context(writing)
}

/// Refuses two results in one place. `outputs` names each by its option.
///
/// # Errors
/// The options of the first two that are the same file, or both standard output.
pub fn distinct(outputs: &[(&str, Option<&Path>)]) -> Result<()> {
    let mut seen: Vec<(&str, PathBuf)> = Vec::new();
    for (option, path) in outputs.iter().filter_map(|(option, path)| Some((*option, (*path)?))) {
        let place = if path.as_os_str() == STANDARD {
            path.to_owned()
        } else {
            match follow(path).with_context(|| format!("writing {}", path.display()))? {
                // Two results may go to /dev/null.
                (_, Some(found)) if !found.is_file() => continue,
                (target, _) => {
                    let folder = folder_of(&target);
                    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
                    folder.join(target.file_name().unwrap_or_default())
                }
            }
        };
        if let Some((other, _)) = seen.iter().find(|(_, known)| *known == place) {
            return Err(hinted(
                format!("{other} and {option} name the same place, {}", path.display()),
                "give each a place of its own",
            ));
        }
        seen.push((option, place));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_results_do_not_share_a_place() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let check =
            |a: &Path, b: &Path| distinct(&[("--json", Some(a)), ("--out", None), ("--markdown", Some(b))]);
        check(&at("a"), &at("b")).unwrap();
        check(&at("a"), Path::new("-")).unwrap();
        let error = check(&at("a"), &folder.path().join(".").join("a")).unwrap_err().to_string();
        assert!(error.starts_with("--json and --markdown name the same place, "), "{error}");
        assert!(check(Path::new("-"), Path::new("-")).is_err());
        #[cfg(unix)]
        {
            check(Path::new("/dev/null"), Path::new("/dev/null")).unwrap();
            std::os::unix::fs::symlink(at("a"), at("link")).unwrap();
            assert!(check(&at("a"), &at("link")).is_err(), "a link to what is not there yet");
        }
    }

    #[test]
    fn a_folder_is_no_place_for_a_file() {
        let folder = tempfile::tempdir().unwrap();
        check_file_place(&folder.path().join("new")).unwrap();
        check_file_place(Path::new("-")).unwrap();
        let error = check_file_place(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with(" is a folder"), "{error}");
        assert!(check_file_place(&folder.path().join("no/new")).is_err());
    }
}
