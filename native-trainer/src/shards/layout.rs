//! One shard: made in memory, written whole, mapped and checked.

use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use memmap2::Mmap;

use crate::files::{FileInTheMaking, sha256_of};

/// The first bytes of a shard.
const MAGIC: &[u8; 8] = b"BXTOKENS";
/// Magic, bytes an id, notes, tokens, labels, bytes of names.
const HEADER: usize = 48;

/// Bytes that an id takes in the shards of a vocabulary.
pub fn id_bytes(vocab_size: usize) -> usize {
    if vocab_size <= 1 << 16 { 2 } else { 4 }
}

/// A shard that is being filled.
#[derive(Default)]
pub struct ShardInTheMaking {
    id_bytes: usize,
    token_ends: Vec<u64>,
    label_ends: Vec<u64>,
    name_ends: Vec<u64>,
    labels: Vec<u32>,
    names: String,
    ids: Vec<u8>,
}

impl ShardInTheMaking {
    /// Without notes; ids take `id_bytes` (2 or 4).
    pub fn new(id_bytes: usize) -> Self {
        Self { id_bytes, ..Self::default() }
    }

    /// Appends a note. Ids fit into their bytes: they are below the vocabulary's size.
    pub fn push(&mut self, ids: &[u32], labels: &[u32], name: &str) {
        for id in ids {
            self.ids.extend_from_slice(&id.to_le_bytes()[..self.id_bytes]);
        }
        self.labels.extend_from_slice(labels);
        self.names.push_str(name);
        self.token_ends.push(self.tokens());
        self.label_ends.push(self.labels.len() as u64);
        self.name_ends.push(self.names.len() as u64);
    }

    /// Notes so far.
    pub fn notes(&self) -> u64 {
        self.token_ends.len() as u64
    }

    /// Tokens so far.
    pub fn tokens(&self) -> u64 {
        (self.ids.len() / self.id_bytes.max(1)) as u64
    }

    /// Writes the file, whole or not at all; its size and SHA-256.
    ///
    /// # Errors
    /// Whatever the disk says, with the path.
    pub fn write(&self, path: &Path) -> Result<(u64, String)> {
        let bytes = self.bytes();
        let written = FileInTheMaking::start(path).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.finish()
        });
        written.with_context(|| format!("writing {}", path.display()))?;
        Ok((bytes.len() as u64, sha256_of(&bytes)))
    }

    fn bytes(&self) -> Vec<u8> {
        let counts = [
            self.id_bytes as u64,
            self.notes(),
            self.tokens(),
            self.labels.len() as u64,
            self.names.len() as u64,
        ];
        let mut bytes =
            Vec::with_capacity(self.ids.len() + self.names.len() + 4 * self.labels.len() + 64 * 1024);
        bytes.extend_from_slice(MAGIC);
        counts.iter().for_each(|count| bytes.extend_from_slice(&count.to_le_bytes()));
        for ends in [&self.token_ends, &self.label_ends, &self.name_ends] {
            ends.iter().for_each(|end| bytes.extend_from_slice(&end.to_le_bytes()));
        }
        self.labels.iter().for_each(|label| bytes.extend_from_slice(&label.to_le_bytes()));
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.extend_from_slice(self.names.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.extend_from_slice(&self.ids);
        bytes
    }
}

/// Where the parts of a shard stand in its bytes.
#[derive(Clone, Copy, Debug)]
struct Parts {
    id_bytes: usize,
    notes: usize,
    tokens: usize,
    labels: usize,
    names: usize,
}

impl Parts {
    fn read(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.get(..HEADER)?.strip_prefix(MAGIC)?;
        let mut counts = rest.chunks_exact(8).map(|count| {
            usize::try_from(u64::from_le_bytes(count.try_into().expect("chunks of 8 bytes"))).ok()
        });
        let mut next = || counts.next().flatten();
        let parts =
            Self { id_bytes: next()?, notes: next()?, tokens: next()?, labels: next()?, names: next()? };
        // In wider numbers: a damaged header may hold any.
        let wide = |count: usize| count as u128;
        let size = (HEADER as u128 + 24 * wide(parts.notes) + 4 * wide(parts.labels)).next_multiple_of(8);
        let size = (size + wide(parts.names)).next_multiple_of(8) + wide(parts.id_bytes) * wide(parts.tokens);
        ([2, 4].contains(&parts.id_bytes) && size == wide(bytes.len())).then_some(parts)
    }

    fn labels_at(&self) -> usize {
        HEADER + 24 * self.notes
    }

    fn names_at(&self) -> usize {
        (self.labels_at() + 4 * self.labels).next_multiple_of(8)
    }

    fn ids_at(&self) -> usize {
        (self.names_at() + self.names).next_multiple_of(8)
    }
}

/// A shard on disk, its pages read when they are looked at.
///
/// Who changes or cuts the file while it is mapped gets undefined behaviour, as everywhere with mapped files: shards are
/// written under another name, renamed into place and never written again.
pub struct MappedShard {
    map: Mmap,
    parts: Parts,
    path: PathBuf,
}

impl MappedShard {
    /// Maps a shard and looks at its header and at the ends of its notes.
    ///
    /// # Errors
    /// A file that cannot be read or is no whole shard.
    pub fn open(path: &Path) -> Result<Self> {
        let reading = || format!("reading {}", path.display());
        let file = File::open(path).with_context(reading)?;
        // SAFETY: nobody writes into a shard in its place (see above); a file that others cut meanwhile ends the
        // process by a signal.
        let map = unsafe { Mmap::map(&file) }.with_context(reading)?;
        let damaged = || format!("{} is damaged: it is no whole shard", path.display());
        let parts = Parts::read(&map).with_context(damaged)?;
        let shard = Self { map, parts, path: path.to_owned() };
        for (part, count) in [(0, parts.tokens), (1, parts.labels), (2, parts.names)] {
            let mut before = 0;
            for note in 0..parts.notes {
                let end = shard.end(part, note);
                ensure!(before <= end && end <= count, damaged());
                before = end;
            }
            ensure!(before == count, damaged());
        }
        ensure!(std::str::from_utf8(shard.bytes(parts.names_at(), parts.names)).is_ok(), damaged());
        Ok(shard)
    }

    /// Notes in it.
    pub fn notes(&self) -> usize {
        self.parts.notes
    }

    /// Tokens in it.
    pub fn tokens(&self) -> usize {
        self.parts.tokens
    }

    /// Tokens of a note.
    pub fn note_len(&self, note: usize) -> usize {
        self.range(0, note).len()
    }

    /// Appends ids of a note's tokens.
    ///
    /// # Panics
    /// If it has no such tokens.
    pub fn append(&self, note: usize, tokens: Range<usize>, ids: &mut Vec<u32>) {
        let whole = self.range(0, note);
        assert!(tokens.end <= whole.len(), "token {} of a note of {}", tokens.end, whole.len());
        let size = self.parts.id_bytes;
        let bytes =
            self.bytes(self.parts.ids_at() + size * (whole.start + tokens.start), size * tokens.len());
        if size == 2 {
            let halves = bytes.as_chunks::<2>().0.iter();
            ids.extend(halves.map(|&id| u32::from(u16::from_le_bytes(id))));
        } else {
            ids.extend(bytes.as_chunks::<4>().0.iter().map(|&id| u32::from_le_bytes(id)));
        }
    }

    /// Label indices of a note, rising.
    pub fn labels(&self, note: usize) -> Vec<u32> {
        let range = self.range(1, note);
        let bytes = self.bytes(self.parts.labels_at() + 4 * range.start, 4 * range.len());
        bytes.as_chunks::<4>().0.iter().map(|&label| u32::from_le_bytes(label)).collect()
    }

    /// A note's id.
    pub fn name(&self, note: usize) -> &str {
        let range = self.range(2, note);
        let bytes = self.bytes(self.parts.names_at() + range.start, range.len());
        std::str::from_utf8(bytes).unwrap_or_else(|_| panic!("{} changed while mapped", self.path.display()))
    }

    /// Where a note's share of a part begins and ends.
    fn range(&self, part: usize, note: usize) -> Range<usize> {
        let start = note.checked_sub(1).map_or(0, |before| self.end(part, before));
        start..self.end(part, note)
    }

    fn end(&self, part: usize, note: usize) -> usize {
        assert!(note < self.parts.notes, "note {note} of {}", self.parts.notes);
        let bytes = self.bytes(HEADER + 8 * (part * self.parts.notes + note), 8);
        u64::from_le_bytes(bytes.try_into().expect("8 bytes")) as usize
    }

    fn bytes(&self, at: usize, count: usize) -> &[u8] {
        &self.map[at..at + count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(id_bytes: usize) -> ShardInTheMaking {
        let mut shard = ShardInTheMaking::new(id_bytes);
        shard.push(&[5, 65_535, 7], &[0, 9], "a");
        shard.push(&[], &[], "béta");
        shard.push(&[8], &[3], "");
        shard
    }

    #[test]
    fn notes_come_back_in_both_widths() {
        let folder = tempfile::tempdir().unwrap();
        for width in [2, 4] {
            let path = folder.path().join(width.to_string());
            let (bytes, hash) = made(width).write(&path).unwrap();
            assert_eq!(
                (bytes, hash),
                (std::fs::metadata(&path).unwrap().len(), crate::files::sha256(&path).unwrap())
            );
            let shard = MappedShard::open(&path).unwrap();
            assert_eq!((shard.notes(), shard.tokens()), (3, 4));
            let mut ids = vec![1];
            shard.append(0, 1..3, &mut ids);
            shard.append(2, 0..1, &mut ids);
            assert_eq!(ids, [1, 65_535, 7, 8]);
            assert_eq!([0, 1, 2].map(|note| shard.note_len(note)), [3, 0, 1]);
            assert_eq!([0, 1, 2].map(|note| shard.labels(note)), [vec![0, 9], vec![], vec![3]]);
            assert_eq!([0, 1, 2].map(|note| shard.name(note)), ["a", "béta", ""]);
        }
        let empty = folder.path().join("empty");
        ShardInTheMaking::new(2).write(&empty).unwrap();
        assert_eq!(MappedShard::open(&empty).unwrap().notes(), 0);
    }

    #[test]
    fn what_is_no_whole_shard_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let whole = made(2).bytes();
        let refused = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            MappedShard::open(&path).err().map(|error| error.to_string()).unwrap_or_default()
        };
        for cut in [0, 7, HEADER - 1, HEADER, whole.len() - 1] {
            assert!(refused(&whole[..cut]).ends_with("is damaged: it is no whole shard"), "{cut} bytes");
        }
        // Magic, width, notes, an end beyond the next, the last end, a name that is not UTF-8.
        let names = HEADER + 3 * 24 + 3 * 4 + 4;
        for at in [0, 8, 16, HEADER, HEADER + 16, names + 1] {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            assert!(refused(&bytes).ends_with("is damaged: it is no whole shard"), "byte {at}");
        }
        assert_eq!(refused(&whole), "");
    }
}
