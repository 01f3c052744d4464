//! Whole small files, packed or not.

use std::io::{BufReader, Read};
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
    let name = file_name(path);
    let compression = match () {
        () if name.ends_with(".gz") => Compression::Gzip,
        () if name.ends_with(".zst") => Compression::Zstd,
        () => Compression::None,
    };
    open(path, compression, Arc::default()).map_err(RecordError::hinted)
}

/// All bytes of a file; none where they are more than [`LONGEST`].
///
/// # Errors
/// It cannot be read.
pub(super) fn read_whole(path: &Path) -> Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let mut input = unpacked(path)?.take(LONGEST + 1);
    input.read_to_end(&mut bytes).with_context(|| format!("reading {}", path.display()))?;
    Ok(Some(bytes).filter(|bytes| bytes.len() as u64 <= LONGEST))
}
