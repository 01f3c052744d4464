//! Files that are whole or not there.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

use super::place::{folder_of, follow};
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

/// A file under construction beside its final place. Dropped without [`FileInTheMaking::finish`], it is
/// removed.
///
/// What is there and no regular file (a device, a pipe) stays what it is: it is written into, as it comes. A link
/// stays too; what it leads to is replaced.
#[derive(Debug)]
pub struct FileInTheMaking {
    content: Content,
    /// As it was named.
    place: PathBuf,
}

#[derive(Debug)]
enum Content {
    Beside {
        temporary: NamedTempFile,
        /// Where it goes: the place, links followed.
        target: PathBuf,
        /// Those of the file that it replaces.
        permissions: Option<Permissions>,
        // After `temporary`: it is off the list when it is gone.
        _entry: Entry,
    },
    Straight(File),
}

impl FileInTheMaking {
    /// Starts a file that will stand at `place`.
    ///
    /// # Errors
    /// Its folder cannot be written; `place` is a folder.
    pub fn start(place: &Path) -> io::Result<Self> {
        let (target, found) = follow(place)?;
        let content = match found {
            Some(found) if found.is_dir() => return Err(ErrorKind::IsADirectory.into()),
            Some(found) if !found.is_file() => {
                Content::Straight(OpenOptions::new().write(true).open(&target)?)
            }
            found => {
                let permissions = found.map(|found| found.permissions());
                let make = || {
                    let mut builder = tempfile::Builder::new();
                    builder.prefix(".writing-");
                    #[cfg(unix)]
                    builder.permissions(permissions.clone().unwrap_or_else(as_any_file));
                    builder.tempfile_in(folder_of(&target))
                };
                let (temporary, _entry) = UNFINISHED.make(make, |made| made.path())?;
                Content::Beside { temporary, target, permissions, _entry }
            }
        };
        Ok(Self { content, place: place.to_owned() })
    }

    /// What to write to meanwhile.
    pub fn file(&self) -> &File {
        match &self.content {
            Content::Beside { temporary, .. } => temporary.as_file(),
            Content::Straight(file) => file,
        }
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
        let Content::Beside { temporary, target, permissions, _entry } = self.content else { return Ok(()) };
        temporary.as_file().sync_all()?;
        if let Some(permissions) = permissions {
            temporary.as_file().set_permissions(permissions)?;
        }
        temporary.persist(&target).map_err(|error| error.error)?;
        Ok(())
    }
}

impl Write for FileInTheMaking {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file().flush()
    }
}

/// What any program asks for a new file; the umask takes its share.
#[cfg(unix)]
fn as_any_file() -> Permissions {
    use std::os::unix::fs::PermissionsExt;
    Permissions::from_mode(0o666)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::sha256;
    use super::*;

    #[test]
    fn a_failed_write_keeps_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write_atomic(&path, b"old").unwrap();
        let failed = write_atomic_with(&path, |file| {
            file.write_all(b"half")?;
            Err(io::Error::new(ErrorKind::StorageFull, "no space left"))
        });
        assert!(format!("{:#}", failed.unwrap_err()).ends_with("no space left"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(
            sha256(&path).unwrap(),
            "cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4"
        );
        assert!(write_atomic(folder.path(), b"x").is_err(), "a folder is not replaced");
    }

    #[cfg(unix)]
    #[test]
    fn links_and_pipes_stay_and_modes_are_kept() {
        use std::io::Read;
        use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};

        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("store")).unwrap();
        symlink(at("store").join("real"), at("link")).unwrap();
        for content in ["first", "second"] {
            write_atomic(&at("link"), content.as_bytes()).unwrap();
            assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink());
            assert_eq!(fs::read_to_string(at("store/real")).unwrap(), content);
        }

        let mode = |name: &str| fs::metadata(at(name)).unwrap().permissions().mode() & 0o777;
        fs::write(at("other"), "").unwrap();
        assert_eq!(mode("store/real"), mode("other"), "as any new file, by the umask");
        fs::set_permissions(at("other"), Permissions::from_mode(0o640)).unwrap();
        write_atomic(&at("other"), b"x").unwrap();
        assert_eq!(mode("other"), 0o640);

        let pipe = at("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || {
                let mut text = String::new();
                File::open(pipe).unwrap().read_to_string(&mut text).unwrap();
                text
            }
        });
        write_atomic(&pipe, b"through").unwrap();
        assert_eq!(reader.join().unwrap(), "through");
        assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
    }
}
