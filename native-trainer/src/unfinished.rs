//! What is being written and must not stay if the command is ended in the middle.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Paths of temporary files and folders. There is one for the process, and one in each test.
#[derive(Debug, Default)]
pub(crate) struct Unfinished(Mutex<Vec<PathBuf>>);

/// The process's.
pub(crate) static UNFINISHED: Unfinished = Unfinished(Mutex::new(Vec::new()));

/// A path in the list, until it is dropped.
#[derive(Debug)]
pub(crate) struct Entry {
    list: &'static Unfinished,
    path: PathBuf,
}

/// Holds up all that would begin or end something.
pub struct Held<'a>(#[expect(dead_code, reason = "held, not read")] MutexGuard<'a, Vec<PathBuf>>);

impl Unfinished {
    fn paths(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        // A panic elsewhere leaves the list as good as it was.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes something and lists it; there is no moment at which it exists and is not listed.
    pub(crate) fn make<T>(
        &'static self,
        make: impl FnOnce() -> io::Result<T>,
        path: impl FnOnce(&T) -> &Path,
    ) -> io::Result<(T, Entry)> {
        let mut paths = self.paths();
        let made = make()?;
        let path = path(&made).to_owned();
        paths.push(path.clone());
        Ok((made, Entry { list: self, path }))
    }

    /// Removes all that is listed. Until the answer is dropped, other threads wait before they begin or end
    /// something.
    pub(crate) fn remove_all(&self) -> Held<'_> {
        let mut paths = self.paths();
        for path in paths.drain(..) {
            remove(&path);
        }
        Held(paths)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.list.paths().retain(|path| *path != self.path);
    }
}

/// Removes a file or folder into which other threads may still be writing; what cannot be removed stays.
fn remove(path: &Path) {
    for _ in 0..20 {
        let done = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        match done {
            Err(error) if error.kind() != ErrorKind::NotFound => std::thread::sleep(Duration::from_millis(5)),
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn list() -> &'static Unfinished {
        Box::leak(Box::default())
    }

    #[test]
    fn only_what_is_unfinished_is_removed() {
        let (list, folder) = (list(), tempfile::tempdir().unwrap());
        let file = |name: &str| {
            let path = folder.path().join(name);
            list.make(|| fs::write(&path, "half").map(|()| path.clone()), |path| path).unwrap()
        };
        let (_first, (second, done)) = (file("a"), file("b"));
        drop(done);
        let room = folder.path().join("c");
        let make = || fs::create_dir(&room).and_then(|()| fs::write(room.join("x"), "half"));
        let _third = list.make(|| make().map(|()| room.clone()), |path| path).unwrap();
        drop(list.remove_all());
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(left, [second]);
    }

    #[test]
    fn nothing_is_begun_after_the_removal() {
        let (list, folder) = (list(), tempfile::tempdir().unwrap());
        let path = folder.path().join("late");
        let held = list.remove_all();
        let (say, hear) = mpsc::channel();
        let late = path.clone();
        let other = std::thread::spawn(move || {
            let made = list.make(|| fs::write(&late, "half").map(|()| late.clone()), |path| path);
            say.send(made.is_ok()).unwrap();
        });
        assert!(hear.recv_timeout(Duration::from_millis(50)).is_err() && !path.exists());
        drop(held);
        other.join().unwrap();
        assert!(hear.recv().unwrap() && path.exists());
    }
}
