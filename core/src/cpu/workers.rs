//! Tasks in parallel, each worker with room of its own. Bounded by the caller; one worker needs no thread.

#[cfg(not(target_arch = "wasm32"))]
use std::sync::{Arc, Mutex};

/// Workers and their rooms.
#[derive(Debug)]
pub struct Workers<S> {
    rooms: Vec<S>,
    #[cfg(not(target_arch = "wasm32"))]
    pool: Option<Arc<rayon::ThreadPool>>,
}

impl<S: Default + Send> Workers<S> {
    /// `threads` workers, at least one; in a browser, one.
    ///
    /// # Panics
    /// If the system gives no thread.
    pub fn new(threads: usize) -> Self {
        #[cfg(target_arch = "wasm32")]
        {
            let _ = threads;
            Self { rooms: vec![S::default()] }
        }
        #[cfg(not(target_arch = "wasm32"))]
        {
            let threads = threads.max(1);
            let pool = (threads > 1).then(|| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
                Arc::new(pool.build().expect("the system gives threads"))
            });
            Self { rooms: (0..threads).map(|_| S::default()).collect(), pool }
        }
    }

    /// How many workers.
    pub fn count(&self) -> usize {
        self.rooms.len()
    }

    /// Their rooms.
    pub fn rooms(&self) -> &[S] {
        &self.rooms
    }

    /// The first worker's room.
    pub fn first(&mut self) -> &mut S {
        &mut self.rooms[0]
    }

    /// Does `work` on one of the threads, so that it starts its tasks from there: from outside, every start would
    /// wake a thread and sleep.
    pub fn inside<R: Send>(&mut self, work: impl FnOnce(&mut Self) -> R + Send) -> R {
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(pool) = self.pool.clone() {
            return pool.install(|| work(self));
        }
        work(self)
    }

    /// Does all tasks: whoever is free takes the next one.
    pub fn run<T: Send>(
        &mut self,
        tasks: impl Iterator<Item = T> + Send,
        work: impl Fn(&mut S, T) + Sync + Send,
    ) {
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(pool) = &self.pool {
            let queue = Mutex::new(tasks);
            let (queue, work) = (&queue, &work);
            let next = || queue.lock().expect("no task panicked while it was taken").next();
            let next = &next;
            pool.scope(|scope| {
                for room in &mut self.rooms {
                    scope.spawn(move |_| {
                        while let Some(task) = next() {
                            work(room, task);
                        }
                    });
                }
            });
            return;
        }
        let room = &mut self.rooms[0];
        tasks.for_each(|task| work(room, task));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_done_once_whatever_the_number_of_workers() {
        for threads in [0, 1, 2, 3] {
            let mut workers: Workers<Vec<usize>> = Workers::new(threads);
            let mut out = vec![0; 100];
            workers.run(out.iter_mut().enumerate(), |room, (index, out)| {
                room.push(index);
                *out = index * index;
            });
            assert!(out.iter().enumerate().all(|(index, out)| *out == index * index));
            let mut done: Vec<usize> = workers.rooms().iter().flatten().copied().collect();
            done.sort_unstable();
            assert_eq!(done, (0..100).collect::<Vec<_>>());
        }
    }
}
