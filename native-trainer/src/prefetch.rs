//! Work that is done ahead on a thread of its own, so that whoever takes its results need not wait.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;
use std::time::{Duration, Instant};

/// Items in their order, made ahead; the time spent waiting for them is counted.
///
/// Dropped, it ends its thread at the next item.
pub struct Ahead<T> {
    items: Receiver<T>,
    waited: Duration,
}

impl<T: Send> Ahead<T> {
    /// Starts the thread: it makes items until `most` of them lie ready, and goes on when one is taken.
    pub fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        most: usize,
        items: impl Iterator<Item = T> + Send + 'scope,
    ) -> Self
    where
        T: 'scope,
    {
        let (give, take) = sync_channel(most);
        scope.spawn(move || {
            // Nobody takes any more: done.
            let _ = items.map(|item| give.send(item)).take_while(Result::is_ok).count();
        });
        Self { items: take, waited: Duration::ZERO }
    }

    /// The time spent waiting so far.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}

impl<T> Iterator for Ahead<T> {
    type Item = T;

    /// None at the end, and where the thread panicked (its scope panics then too).
    fn next(&mut self) -> Option<T> {
        let start = Instant::now();
        let item = self.items.recv().ok();
        self.waited += start.elapsed();
        item
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn items_come_in_order_a_few_ahead_and_no_more_after_the_end() {
        let made = AtomicUsize::new(0);
        let items = || (0..100usize).inspect(|_| _ = made.fetch_add(1, Ordering::SeqCst));
        let all: Vec<usize> = thread::scope(|scope| Ahead::start(scope, 3, items()).collect());
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        made.store(0, Ordering::SeqCst);
        thread::scope(|scope| {
            let mut ahead = Ahead::start(scope, 3, items());
            assert_eq!(ahead.next(), Some(0));
        });
        // The one taken, three that lay ready, and one that nobody took.
        assert!((1..=5).contains(&made.load(Ordering::SeqCst)), "{made:?}");
    }

    #[test]
    fn waiting_is_counted_and_working_is_not() {
        let pause = Duration::from_millis(30);
        let slow = (0..3).inspect(|_| thread::sleep(pause));
        thread::scope(|scope| {
            let mut ahead = Ahead::start(scope, 2, slow);
            assert_eq!(ahead.by_ref().count(), 3);
            assert!(ahead.waited() >= pause * 2, "{:?}", ahead.waited());
        });
        thread::scope(|scope| {
            let mut ahead = Ahead::start(scope, 2, 0..3);
            while ahead.next().is_some() {
                thread::sleep(pause);
            }
            assert!(ahead.waited() < pause * 2, "{:?}", ahead.waited());
        });
    }
}
