//! Results to standard output as they come, or to a file that appears when it is whole.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

/// Where results go.
pub enum Output {
    /// Standard output (`-`).
    Standard(io::StdoutLock<'static>),
    /// A file under another name beside its place.
    File {
        /// What is written so far.
        temporary: BufWriter<NamedTempFile>,
        /// Where it will stand.
        place: PathBuf,
    },
}

impl Output {
    /// Opens `-` or a file. Dropped without [`Output::finish`], the file is not there.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self::Standard(io::stdout().lock()));
        }
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let temporary = tempfile::Builder::new()
            .prefix(".writing-")
            .tempfile_in(folder)
            .with_context(|| format!("writing {}", path.display()))?;
        Ok(Self::File { temporary: BufWriter::new(temporary), place: path.to_owned() })
    }

    /// Puts the file into its place.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn finish(self) -> Result<()> {
        match self {
            Self::Standard(mut out) => Ok(out.flush()?),
            Self::File { temporary, place } => {
                let context = || format!("writing {}", place.display());
                let file =
                    temporary.into_inner().map_err(|error| error.into_error()).with_context(context)?;
                #[cfg(unix)]
                {
                    use std::os::unix::fs::PermissionsExt;
                    // Temporary files are private; results are as readable as any other file.
                    let readable = std::fs::Permissions::from_mode(0o644);
                    file.as_file().set_permissions(readable).with_context(context)?;
                }
                file.as_file().sync_all().with_context(context)?;
                file.persist(&place).map_err(|error| error.error).with_context(context)?;
                Ok(())
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Standard(out) => out.write(bytes),
            Self::File { temporary, .. } => temporary.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Standard(out) => out.flush(),
            Self::File { temporary, .. } => temporary.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let mut output = Output::open(&path).unwrap();
        output.write_all(b"half").unwrap();
        drop(output);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut output = Output::open(&path).unwrap();
        output.write_all(b"whole").unwrap();
        output.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert!(Output::open(&folder.path().join("no/a.jsonl")).is_err());
    }
}
