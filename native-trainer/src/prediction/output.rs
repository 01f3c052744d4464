//! Results to standard output as they come, or to a file that appears when it is whole.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};

use crate::files::{FileInTheMaking, STANDARD};

/// Where results go.
pub enum Output {
    /// Standard output (`-`).
    Standard(io::StdoutLock<'static>),
    /// A file under another name beside its place.
    File(BufWriter<FileInTheMaking>),
}

impl Output {
    /// Opens `-` or a file. Dropped without [`Output::finish`], the file is not there.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        if path.as_os_str() == STANDARD {
            return Ok(Self::Standard(io::stdout().lock()));
        }
        let making = FileInTheMaking::start(path).with_context(|| format!("writing {}", path.display()))?;
        Ok(Self::File(BufWriter::new(making)))
    }

    /// Puts the file into its place.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn finish(self) -> Result<()> {
        match self {
            Self::Standard(mut out) => Ok(out.flush()?),
            Self::File(buffer) => {
                let place = buffer.get_ref().place().display().to_string();
                let made = buffer.into_inner().map_err(|error| error.into_error());
                made.and_then(FileInTheMaking::finish).with_context(|| format!("writing {place}"))
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Standard(out) => out.write(bytes),
            Self::File(buffer) => buffer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Standard(out) => out.flush(),
            Self::File(buffer) => buffer.flush(),
        }
    }
}

/// Writes a whole result to a file, or (`-`) to standard output.
///
/// # Errors
/// Whatever the disk or the reader says.
pub fn write_result(path: &Path, content: &[u8]) -> Result<()> {
    let mut output = Output::open(path)?;
    output.write_all(content).with_context(|| format!("writing {}", path.display()))?;
    output.finish()
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
