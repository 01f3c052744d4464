//! Files of lines, compressed by their names.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, Result};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::file::write_atomic_with;
use super::place::STANDARD;

/// Opens `path` for lines, compressed by its ending (.gz, .zst), whole or not at all; `-` is standard output.
///
/// # Errors
/// What `write` or the disk says, with the path.
pub fn write_lines(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    if path == Path::new(STANDARD) {
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        return write(&mut out).and_then(|()| out.flush()).context("writing to standard output");
    }
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or("").to_ascii_lowercase();
    write_atomic_with(path, |file: &mut BufWriter<&File>| match ending.as_str() {
        "gz" => {
            let mut packed = GzEncoder::new(file, Compression::default());
            write(&mut packed)?;
            packed.finish()?;
            Ok(())
        }
        "zst" => {
            let mut packed = zstd::Encoder::new(file, 0)?;
            write(&mut packed)?;
            packed.finish()?;
            Ok(())
        }
        _ => write(file),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_says_how_lines_are_packed() {
        let folder = tempfile::tempdir().unwrap();
        let packed = |name: &str| {
            let path = folder.path().join(name);
            write_lines(&path, |out| out.write_all(b"{}\n")).unwrap();
            std::fs::read(path).unwrap()
        };
        assert_eq!(packed("a.jsonl"), b"{}\n");
        assert!(packed("a.jsonl.gz").starts_with(&[0x1f, 0x8b]));
        assert!(packed("a.jsonl.zst").starts_with(&[0x28, 0xb5, 0x2f, 0xfd]));
    }
}
