//! Files that are whole or not there, and their hashes.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempDir};

pub use crate::unfinished::Held;
use crate::unfinished::{Entry, UNFINISHED};

/// Writes a file under another name in the same folder, syncs it and renames it into place: after a crash
/// or a full disk the old content (or nothing) is there, never half of the new one.
///
/// # Errors
/// Whatever the disk says, with the path.
pub fn write_atomic(path: &Path, content: &[u8]) -> Result<()> {
    write_atomic_with(path, |file| file.write_all(content))
}

/// As [`write_atomic`], for content that is streamed.
///
/// # Errors
/// What `write` or the disk says, with the path.
pub fn write_atomic_with(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> Result<()> {
    let written = (|| -> io::Result<()> {
        let making = FileInTheMaking::start(path)?;
        let mut buffer = BufWriter::with_capacity(1 << 20, making.file());
        write(&mut buffer)?;
        buffer.flush()?;
        drop(buffer);
        making.finish()
    })();
    written.with_context(|| format!("writing {}", path.display()))
}

/// Removes every file and folder in the making, for a process that is about to end; while the answer is
/// kept, no other is begun or finished.
pub fn remove_unfinished() -> Held<'static> {
    UNFINISHED.remove_all()
}

/// The folder in which a path lies.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file under construction beside its final place. Dropped without [`FileInTheMaking::finish`], it is
/// removed.
#[derive(Debug)]
pub struct FileInTheMaking {
    temporary: NamedTempFile,
    place: PathBuf,
    // After `temporary`: it is off the list when it is gone.
    _entry: Entry,
}

impl FileInTheMaking {
    /// Starts a file that will stand at `place`.
    ///
    /// # Errors
    /// Its folder cannot be written.
    pub fn start(place: &Path) -> io::Result<Self> {
        let make = || tempfile::Builder::new().prefix(".writing-").tempfile_in(folder_of(place));
        let (temporary, entry) = UNFINISHED.make(make, |made| made.path())?;
        Ok(Self { temporary, place: place.to_owned(), _entry: entry })
    }

    /// What to write to meanwhile.
    pub fn file(&self) -> &File {
        self.temporary.as_file()
    }

    /// Where it will stand.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Syncs the file and puts it into its place.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn finish(self) -> io::Result<()> {
        self.file().sync_all()?;
        readable(self.file())?;
        self.temporary.persist(&self.place).map_err(|error| error.error)?;
        Ok(())
    }
}

impl Write for FileInTheMaking {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temporary.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.flush()
    }
}

/// Temporary files are private; results are as readable as any other file.
fn readable(_file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        _file.set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    Ok(())
}

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

/// SHA-256 of a file, in lower-case hexadecimal.
///
/// # Errors
/// The file cannot be read.
pub fn sha256(path: &Path) -> Result<String> {
    let read = || -> io::Result<String> {
        let mut file = BufReader::new(File::open(path)?);
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
            }
            hash.update(&buffer[..count]);
        }
    };
    read().with_context(|| format!("reading {}", path.display()))
}

/// A folder under construction beside its final place: filled, then renamed, so that a reader never sees
/// half of it. Dropped without [`FolderInTheMaking::finish`], it is removed.
pub struct FolderInTheMaking {
    temporary: TempDir,
    place: PathBuf,
    // After `temporary`: it is off the list when it is gone.
    _entry: Entry,
}

impl FolderInTheMaking {
    /// Starts a folder that will stand at `place`.
    ///
    /// # Errors
    /// `place` holds something already, or its parent cannot be written.
    pub fn start(place: &Path) -> Result<Self> {
        if place.exists() {
            create_empty_folder(place)?;
        }
        let parent = folder_of(place);
        fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))?;
        let make = || tempfile::Builder::new().prefix(".making-").tempdir_in(parent);
        let (temporary, entry) = UNFINISHED
            .make(make, TempDir::path)
            .with_context(|| format!("writing in {}", parent.display()))?;
        Ok(Self { temporary, place: place.to_owned(), _entry: entry })
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
        if self.place.exists() {
            fs::remove_dir(&self.place).with_context(|| format!("replacing {}", self.place.display()))?;
        }
        let made = self.temporary.keep();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // Temporary folders are private; results are as readable as any other folder.
            fs::set_permissions(&made, fs::Permissions::from_mode(0o755))
                .with_context(|| format!("opening {}", made.display()))?;
        }
        fs::rename(&made, &self.place).with_context(|| format!("writing {}", self.place.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_keeps_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write_atomic(&path, b"old").unwrap();
        let failed = write_atomic_with(&path, |file| {
            file.write_all(b"half")?;
            Err(io::Error::new(io::ErrorKind::StorageFull, "no space left"))
        });
        assert!(format!("{:#}", failed.unwrap_err()).ends_with("no space left"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(
            sha256(&path).unwrap(),
            "cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4"
        );
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
    }
}
