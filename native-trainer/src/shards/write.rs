//! From a corpus to shards, streamed: memory holds one shard and a few groups of notes, whatever the size of the corpus.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use bert_xml_core::data::Split;
use bert_xml_core::text::{Note, Tokenizer};

use super::encoders::Encoders;
use super::layout::{ShardInTheMaking, id_bytes};
use super::manifest::{MANIFEST, Manifest, ShardMark, UNFINISHED, shard_file};
use crate::context::Context;
use crate::corpus::Corpus;
use crate::error::hinted;
use crate::files::{LOCK, lock_folder, sha256, write_atomic};
use crate::prefetch::Ahead;
use crate::progress::{Progress, Unit};

/// Tokens of a shard: 64 MiB where an id takes two bytes.
pub const SHARD_TOKENS: u64 = 1 << 25;
/// Notes of a shard, at most: bounds the memory where notes are short.
const SHARD_NOTES: u64 = 1 << 20;
/// A group of notes ends with the one that brings it to this many bytes of text or that many notes.
const GROUP_BYTES: usize = 4 << 20;
const GROUP_NOTES: usize = 4096;
/// Groups that are read ahead.
const GROUPS_AHEAD: usize = 2;

/// What was done.
#[derive(Clone, Debug)]
pub struct Tokenized {
    /// The whole folder.
    pub manifest: Manifest,
    /// Notes that earlier calls had done.
    pub found: u64,
    /// Tokens that this call made.
    pub made: u64,
    /// Seconds that this call worked.
    pub seconds: f64,
}

/// Tokenizes all splits of a corpus into `out`, or goes on where an earlier call was ended. Corpus, vocabulary and
/// `shard_tokens` decide every byte; threads and interruptions do not.
///
/// # Errors
/// A corpus that cannot be read; a folder with something else in it, or made from another corpus or vocabulary;
/// another process at work in it; a full disk, which leaves the shards before the one that did not fit.
pub fn tokenize_corpus(
    context: &Context,
    corpus: &Corpus,
    (tokenizer, digest): (&Tokenizer, &str),
    out: &Path,
    shard_tokens: u64,
) -> Result<Tokenized> {
    ensure!(shard_tokens > 0, "a shard of 0 tokens holds no note");
    fs::create_dir_all(out).with_context(|| format!("creating {}", out.display()))?;
    let _lock = lock_folder(out)?;
    let fresh = Manifest::new(corpus.digest(), digest.to_owned(), tokenizer.vocab_size(), shard_tokens);
    let (manifest, finished) = take_up(fresh, corpus, out)?;
    let found = Split::ALL.into_iter().map(|split| manifest.notes(split)).sum();
    let start = Instant::now();
    let mut work = Work { context, corpus, encoders: Encoders::new(tokenizer), out, manifest, made: 0 };
    if !finished {
        for split in Split::ALL {
            work.split(split)?;
        }
        write_manifest(&work.manifest, &out.join(MANIFEST))?;
        fs::remove_file(out.join(UNFINISHED))
            .or_else(missing_is_fine)
            .context("removing the shards so far")?;
    }
    Ok(Tokenized { manifest: work.manifest, found, made: work.made, seconds: start.elapsed().as_secs_f64() })
}

fn missing_is_fine(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn write_manifest(manifest: &Manifest, path: &Path) -> Result<()> {
    write_atomic(path, (serde_json::to_string_pretty(manifest)? + "\n").as_bytes())
}

/// What an earlier call left, or `fresh`; and whether all is done.
fn take_up(fresh: Manifest, corpus: &Corpus, out: &Path) -> Result<(Manifest, bool)> {
    let (whole, part) = (out.join(MANIFEST), out.join(UNFINISHED));
    let finished = whole.is_file();
    let mut found = match (finished, part.is_file()) {
        (true, _) => Manifest::read(&whole)?,
        (false, true) => Manifest::read(&part)?,
        (false, false) => {
            check_unused(out)?;
            write_manifest(&fresh, &part)?;
            fresh.clone()
        }
    };
    found.check(out, corpus.digest(), &fresh.vocabulary)?;
    if found.shard_tokens != fresh.shard_tokens {
        return Err(hinted(
            format!(
                "{} has shards of {} tokens, not {}",
                out.display(),
                found.shard_tokens,
                fresh.shard_tokens
            ),
            "go on with the --shard-tokens that it was begun with, or name another --out",
        ));
    }
    if finished {
        return Ok((found, true));
    }
    remove_half_made(out)?;
    // A machine that lost its power may have lost what it had said was written: such shards are made again.
    for (split, marks) in &mut found.shards {
        let whole = |(at, mark): (usize, &ShardMark)| {
            sha256(&out.join(shard_file(*split, at))).is_ok_and(|hash| hash == mark.sha256)
        };
        let sound = marks.iter().enumerate().take_while(|&(at, mark)| whole((at, mark))).count();
        marks.truncate(sound);
    }
    Ok((found, false))
}

/// Refuses a folder that holds something that is not ours.
fn check_unused(out: &Path) -> Result<()> {
    let entries = fs::read_dir(out).with_context(|| format!("reading {}", out.display()))?;
    let ours = |name: &str| name == LOCK || name.starts_with(HALF_MADE);
    if entries.flatten().all(|entry| entry.file_name().to_str().is_some_and(ours)) {
        return Ok(());
    }
    Err(hinted(
        format!("{} is not empty: results go into a folder of their own", out.display()),
        "name another --out",
    ))
}

/// How files begin that are not whole yet.
const HALF_MADE: &str = ".writing-";

/// Removes what a killed process was writing.
fn remove_half_made(out: &Path) -> Result<()> {
    for entry in fs::read_dir(out).with_context(|| format!("reading {}", out.display()))?.flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(HALF_MADE)) {
            fs::remove_file(entry.path()).with_context(|| format!("removing {}", entry.path().display()))?;
        }
    }
    Ok(())
}

struct Work<'a> {
    context: &'a Context,
    corpus: &'a Corpus,
    encoders: Encoders<'a>,
    out: &'a Path,
    manifest: Manifest,
    made: u64,
}

impl Work<'_> {
    fn split(&mut self, split: Split) -> Result<()> {
        let (done, all) = (self.manifest.notes(split), self.corpus.count(split));
        if done == all {
            return Ok(());
        }
        let mut progress = self.context.start(&format!("tokens {split}"), Some(all), Unit::Notes);
        progress.start_at(done);
        let notes = self.corpus.notes_from(split, done)?;
        thread::scope(|scope| {
            self.shards(split, Ahead::start(scope, GROUPS_AHEAD, groups(notes)), &mut progress)
        })?;
        progress.finish();
        Ok(())
    }

    fn shards(
        &mut self,
        split: Split,
        groups: impl Iterator<Item = Result<Vec<Note>>>,
        progress: &mut Progress,
    ) -> Result<()> {
        let (start, before) = (Instant::now(), self.made);
        let empty = || ShardInTheMaking::new(id_bytes(self.manifest.vocab_size));
        let (mut shard, mut outside) = (empty(), 0);
        for group in groups {
            let group = group?;
            for (note, ids) in group.iter().zip(self.encoders.encode(&group)) {
                let (gold, others) = self.corpus.labels().indices(&note.codes);
                shard.push(&ids, &gold, &note.note_id);
                outside += others as u64;
                self.made += ids.len() as u64;
                if shard.tokens() >= self.manifest.shard_tokens || shard.notes() >= SHARD_NOTES {
                    self.close(split, &shard, outside)?;
                    (shard, outside) = (ShardInTheMaking::new(id_bytes(self.manifest.vocab_size)), 0);
                }
            }
            progress.advance(group.len() as u64);
            let speed = (self.made - before) as f64 / start.elapsed().as_secs_f64();
            progress.message(format!("{speed:.0} tokens/s"));
        }
        if shard.notes() > 0 {
            self.close(split, &shard, outside)?;
        }
        Ok(())
    }

    /// Writes a shard and says that it is there.
    fn close(&mut self, split: Split, shard: &ShardInTheMaking, outside: u64) -> Result<()> {
        let marks = self.manifest.shards.entry(split).or_default();
        let (bytes, sha256) = shard.write(&self.out.join(shard_file(split, marks.len())))?;
        marks.push(ShardMark { notes: shard.notes(), tokens: shard.tokens(), outside, bytes, sha256 });
        write_manifest(&self.manifest, &self.out.join(UNFINISHED))
    }
}

/// Notes that are tokenized together. An error is the last item.
fn groups(
    mut notes: impl Iterator<Item = Result<Note>> + Send,
) -> impl Iterator<Item = Result<Vec<Note>>> + Send {
    std::iter::from_fn(move || {
        let (mut group, mut bytes) = (Vec::new(), 0);
        while bytes < GROUP_BYTES && group.len() < GROUP_NOTES {
            match notes.next() {
                None => break,
                Some(Err(error)) => return Some(Err(error)),
                Some(Ok(note)) => {
                    bytes += note.text.len();
                    group.push(note);
                }
            }
        }
        (!group.is_empty()).then_some(Ok(group))
    })
}
