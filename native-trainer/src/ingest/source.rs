//! A record file as bytes: opened, decompressed, counted.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::RecordError;

/// What a file's name says of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    JsonLines,
    /// Comma-separated values with a header.
    Csv,
    /// Tab-separated values with a header.
    Tsv,
    /// Apache Parquet.
    Parquet,
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, one or several members.
    Gzip,
    /// zstd, one or several frames.
    Zstd,
}

/// Standard input's name.
pub const STANDARD_INPUT: &str = "-";

/// Format and compression by the file's name; `-` is JSON Lines.
///
/// # Errors
/// [`RecordError::UnknownFormat`].
pub fn format_of(path: &Path) -> Result<(Format, Compression), RecordError> {
    if path.as_os_str() == STANDARD_INPUT {
        return Ok((Format::JsonLines, Compression::None));
    }
    let unknown = || RecordError::UnknownFormat { file: path.display().to_string() };
    let name = path.file_name().ok_or_else(unknown)?.to_string_lossy().to_ascii_lowercase();
    let (name, compression) = match (name.strip_suffix(".gz"), name.strip_suffix(".zst")) {
        (Some(name), _) => (name, Compression::Gzip),
        (_, Some(name)) => (name, Compression::Zstd),
        _ => (name.as_str(), Compression::None),
    };
    let format = match name.rsplit_once('.').ok_or_else(unknown)?.1 {
        "jsonl" | "ndjson" | "json" => Format::JsonLines,
        "csv" => Format::Csv,
        "tsv" => Format::Tsv,
        "parquet" if compression == Compression::None => Format::Parquet,
        _ => return Err(unknown()),
    };
    Ok((format, compression))
}

/// What names the notes of each file that have no id: the file's name, with the number of the input (from 1) where
/// several have the same one.
pub fn names(paths: &[PathBuf]) -> Vec<String> {
    let name = |path: &PathBuf| match path.file_name() {
        _ if path.as_os_str() == STANDARD_INPUT => "stdin".to_owned(),
        name => name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
    };
    let names: Vec<String> = paths.iter().map(name).collect();
    let again = |name: &String| names.iter().filter(|other| *other == name).count() > 1;
    let number = |(at, name): (usize, &String)| match again(name) {
        true => format!("{name}#{}", at + 1),
        false => name.clone(),
    };
    names.iter().enumerate().map(number).collect()
}

/// Checks that a file is there and can be read from its beginning, as often as asked for.
///
/// # Errors
/// [`RecordError::Unreadable`], [`RecordError::NotRegular`].
pub fn check(path: &Path) -> Result<(), RecordError> {
    let file = || path.display().to_string();
    let unreadable = |source| RecordError::Unreadable { file: file(), source };
    let found = std::fs::metadata(path).map_err(unreadable)?;
    if found.is_dir() {
        return Err(unreadable(io::ErrorKind::IsADirectory.into()));
    }
    if !found.is_file() {
        return Err(RecordError::NotRegular { file: file() });
    }
    Ok(())
}

/// Opens a file and decompresses it on the way; bytes as they lie on the disk are added to `read`.
///
/// # Errors
/// [`RecordError::Unreadable`].
pub(crate) fn open(
    path: &Path,
    compression: Compression,
    read: Arc<AtomicU64>,
) -> Result<BufReader<Box<dyn Read + Send>>, RecordError> {
    let unreadable = |source| RecordError::Unreadable { file: path.display().to_string(), source };
    let raw: Box<dyn Read + Send> = if path.as_os_str() == STANDARD_INPUT {
        Box::new(io::stdin())
    } else {
        // Checked again: opening a pipe waits for its writer.
        check(path)?;
        Box::new(File::open(path).map_err(unreadable)?)
    };
    let counted = BufReader::with_capacity(1 << 17, Counted { inner: raw, read });
    let plain: Box<dyn Read + Send> = match compression {
        Compression::None => Box::new(counted),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(counted)),
        Compression::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(counted).map_err(unreadable)?;
            Box::new(NeverEmpty { inner: decoder, any: false })
        }
    };
    Ok(BufReader::with_capacity(1 << 17, plain))
}

/// The error of a failed read, by what was being read.
pub(crate) fn read_error(file: &str, line: u64, compression: Compression, source: io::Error) -> RecordError {
    let compression = match compression {
        // A decoder's own errors have no code of the operating system.
        Compression::Gzip if source.raw_os_error().is_none() => "gzip",
        Compression::Zstd if source.raw_os_error().is_none() => "zstd",
        _ => return RecordError::Unreadable { file: file.to_owned(), source },
    };
    RecordError::Damaged { file: file.to_owned(), line, compression, source }
}

struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// zstd takes no bytes at all for an empty stream; a file that was cut to nothing is an error, as for gzip.
struct NeverEmpty<R> {
    inner: zstd::stream::read::Decoder<'static, R>,
    any: bool,
}

impl<R: io::BufRead> Read for NeverEmpty<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.any {
            self.any = true;
            if self.inner.get_mut().fill_buf()?.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.inner.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_format_and_compression() {
        let read = |name: &str| format_of(Path::new(name)).unwrap();
        assert_eq!(read("a/notes.2006.jsonl.zst"), (Format::JsonLines, Compression::Zstd));
        assert_eq!(read("NOTES.CSV.GZ"), (Format::Csv, Compression::Gzip));
        assert_eq!(read("n.tsv"), (Format::Tsv, Compression::None));
        assert_eq!(read("n.parquet"), (Format::Parquet, Compression::None));
        assert_eq!(read("-"), (Format::JsonLines, Compression::None));
        for name in ["notes", "notes.txt", "notes.gz", "notes.parquet.gz"] {
            assert!(matches!(format_of(Path::new(name)), Err(RecordError::UnknownFormat { .. })), "{name}");
        }
    }

    #[test]
    fn files_of_one_name_are_told_apart() {
        let of = |paths: &[&str]| names(&paths.iter().map(PathBuf::from).collect::<Vec<_>>()).join(" ");
        assert_eq!(
            of(&["a/notes.2006.jsonl", "a/notes.2007.jsonl", "-"]),
            "notes.2006.jsonl notes.2007.jsonl stdin"
        );
        assert_eq!(of(&["a/n.jsonl", "m.csv", "b/n.jsonl"]), "n.jsonl#1 m.csv n.jsonl#3");
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("n.jsonl");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert!(matches!(check(&path), Err(RecordError::NotRegular { .. })));
        assert!(matches!(check(folder.path()), Err(RecordError::Unreadable { .. })));
    }
}
