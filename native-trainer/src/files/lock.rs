//! One process at a time in a folder.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};

use crate::error::hinted;

/// The file that is locked.
pub const LOCK: &str = ".lock";

/// Keeps other processes out of a folder until the file is dropped or the process ends, however it ends: two that go on
/// with one run would mix their steps.
///
/// # Errors
/// Another process is at work in it; whatever the disk says.
pub fn lock_folder(folder: &Path) -> Result<File> {
    let path = folder.join(LOCK);
    let file = File::create(&path).with_context(|| format!("writing {}", path.display()))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(hinted(
            format!("another process is at work in {}", folder.display()),
            "wait for its end, or name another --out",
        )),
        // A file system without locks keeps nobody out, as before.
        Err(TryLockError::Error(error)) if error.kind() != ErrorKind::Unsupported => {
            Err(error).with_context(|| format!("locking {}", path.display()))
        }
        _ => Ok(file),
    }
}
