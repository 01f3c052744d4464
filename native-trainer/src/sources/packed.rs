//! Files as they are published: packed or not.

use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};

use super::files::file_name;
use crate::ingest::RecordError;
use crate::ingest::source::{Compression, open};

/// The longest document and the longest line, in bytes.
pub(super) const LONGEST: u64 = 64 << 20;

/// A file, unpacked by its ending (.gz, .zst).
///
/// # Errors
/// It cannot be opened.
pub(super) fn unpacked(path: &Path) -> Result<BufReader<Box<dyn Read + Send>>> {
    open(path, compression_of(path), Arc::default()).map_err(RecordError::hinted)
}

/// How a file is packed, by its ending.
pub(super) fn compression_of(path: &Path) -> Compression {
    let name = file_name(path);
    match () {
        () if name.ends_with(".gz") => Compression::Gzip,
        () if name.ends_with(".zst") => Compression::Zstd,
        () => Compression::None,
    }
}

/// Why a packed file ends early; its decoder's errors have no code of the operating system.
pub(super) const DAMAGED: &str = "a packed file that is damaged or cut off from here on";

/// Whether a failed read is [`DAMAGED`] content, which is listed, and no failure of the disk.
pub(super) fn is_damage(error: &io::Error) -> bool {
    error.raw_os_error().is_none()
}

/// All bytes of a file; or the rule that it breaks: at most [`LONGEST`], and whole.
///
/// # Errors
/// It cannot be read.
pub(super) fn read_whole(path: &Path) -> Result<Result<Vec<u8>, &'static str>> {
    let mut bytes = Vec::new();
    match unpacked(path)?.take(LONGEST + 1).read_to_end(&mut bytes) {
        Err(error) if is_damage(&error) => Ok(Err(DAMAGED)),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        Ok(_) if bytes.len() as u64 > LONGEST => Ok(Err("a file of more than 64 MiB")),
        Ok(_) => Ok(Ok(bytes)),
    }
}
