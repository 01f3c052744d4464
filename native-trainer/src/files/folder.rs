//! Folders that are whole or not there.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use super::place::{folder_of, follow};
use crate::unfinished::{Entry, UNFINISHED};

/// Makes an empty folder for results.
///
/// # Errors
/// The folder exists and is not empty: nothing of an earlier run is overwritten.
pub fn create_empty_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("creating {}", path.display()))?;
    let mut entries = fs::read_dir(path).with_context(|| format!("reading {}", path.display()))?;
    ensure!(
        entries.next().is_none(),
        "{} is not empty: results go into a folder of their own",
        path.display()
    );
    Ok(())
}

/// A folder under construction beside its final place: filled, then renamed, so that a reader never sees
/// half of it. Dropped without [`FolderInTheMaking::finish`], it is removed.
///
/// An empty folder that is there already stays (it may be a mount, or where the user stands): its content is made
/// inside it and moved up entry by entry.
pub struct FolderInTheMaking {
    temporary: TempDir,
    /// Where it goes, links followed.
    place: PathBuf,
    /// Whether `place` was there.
    within: bool,
    // After `temporary`: it is off the list when it is gone.
    _entry: Entry,
}

impl FolderInTheMaking {
    /// Starts a folder that will stand at `place`.
    ///
    /// # Errors
    /// `place` holds something already, or its parent cannot be written.
    pub fn start(place: &Path) -> Result<Self> {
        let (target, found) = follow(place).with_context(|| format!("writing {}", place.display()))?;
        let within = match found {
            None => false,
            Some(found) if found.is_dir() => {
                create_empty_folder(place)?;
                true
            }
            Some(_) => bail!("{} is no folder: results go into a folder of their own", place.display()),
        };
        let beside = if within { &target } else { folder_of(&target) };
        fs::create_dir_all(beside).with_context(|| format!("creating {}", beside.display()))?;
        let make = || {
            let mut builder = tempfile::Builder::new();
            builder.prefix(".making-");
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                // What any program asks for a new folder; the umask takes its share.
                builder.permissions(fs::Permissions::from_mode(0o777));
            }
            builder.tempdir_in(beside)
        };
        let (temporary, entry) = UNFINISHED
            .make(make, TempDir::path)
            .with_context(|| format!("writing in {}", beside.display()))?;
        Ok(Self { temporary, place: target, within, _entry: entry })
    }

    /// Where to write meanwhile.
    pub fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Puts the folder into its place.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn finish(self) -> Result<()> {
        let writing = || format!("writing {}", self.place.display());
        if !self.within {
            return fs::rename(self.temporary.keep(), &self.place).with_context(writing);
        }
        for entry in fs::read_dir(self.path()).with_context(writing)? {
            let entry = entry.with_context(writing)?;
            fs::rename(entry.path(), self.place.join(entry.file_name())).with_context(writing)?;
        }
        self.temporary.close().with_context(writing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<std::ffi::OsString> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn a_folder_appears_whole_or_not_at_all() {
        let parent = tempfile::tempdir().unwrap();
        let place = parent.path().join("corpus");
        let making = FolderInTheMaking::start(&place).unwrap();
        fs::write(making.path().join("x"), "1").unwrap();
        drop(making);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
        let making = FolderInTheMaking::start(&place).unwrap();
        fs::write(making.path().join("x"), "1").unwrap();
        making.finish().unwrap();
        assert_eq!(fs::read(place.join("x")).unwrap(), b"1");
        assert!(FolderInTheMaking::start(&place).is_err());
        assert!(FolderInTheMaking::start(&place.join("x")).is_err(), "a file");
    }

    #[test]
    fn an_empty_folder_and_a_link_to_one_stay_and_are_filled() {
        let parent = tempfile::tempdir().unwrap();
        let (place, link) = (parent.path().join("there"), parent.path().join("link"));
        fs::create_dir(&place).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(&place, &link).unwrap();
        let name = if cfg!(unix) { &link } else { &place };
        let making = FolderInTheMaking::start(name).unwrap();
        fs::create_dir(making.path().join("inner")).unwrap();
        fs::write(making.path().join("inner/x"), "1").unwrap();
        drop(making);
        assert_eq!(names(&place).len(), 0);
        let making = FolderInTheMaking::start(name).unwrap();
        fs::create_dir(making.path().join("inner")).unwrap();
        fs::write(making.path().join("inner/x"), "1").unwrap();
        making.finish().unwrap();
        assert_eq!(
            (names(&place), fs::read(place.join("inner/x")).unwrap()),
            (vec!["inner".into()], b"1".to_vec())
        );
        assert!(!cfg!(unix) || fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
