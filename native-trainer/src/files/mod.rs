//! Files and folders that are whole or not there, where results go, and hashes.

mod file;
mod folder;
mod lines;
mod lock;
mod place;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

pub use crate::unfinished::Held;
use crate::unfinished::UNFINISHED;
pub use file::{FileInTheMaking, write_atomic, write_atomic_with};
pub use folder::{FolderInTheMaking, create_empty_folder};
pub use lines::write_lines;
pub use lock::{LOCK, lock_folder};
pub use place::{STANDARD, check_file_place, distinct};

/// Removes every file and folder in the making, for a process that is about to end; while the answer is
/// kept, no other is begun or finished.
pub fn remove_unfinished() -> Held<'static> {
    UNFINISHED.remove_all()
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
                return Ok(hexadecimal(&hash.finalize()));
            }
            hash.update(&buffer[..count]);
        }
    };
    read().with_context(|| format!("reading {}", path.display()))
}

/// SHA-256 of bytes, in lower-case hexadecimal.
pub fn sha256_of(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

fn hexadecimal(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
