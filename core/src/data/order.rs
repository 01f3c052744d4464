//! The order of examples in an epoch: shuffled, with neighbours of similar length in a batch.

use rand::seq::SliceRandom;

use super::random::{Purpose, stream};

/// Batches that are sorted by length together: large enough that little is padded, small enough that
/// batches stay random.
pub const BATCHES_A_BUCKET: usize = 32;

/// Example indices of one epoch, in batches. All are full but the last of the shortest bucket's; each example
/// comes once. Within a batch lengths rise. The same arguments give the same batches.
///
/// # Panics
/// If `batch` is 0.
pub fn epoch_batches(lengths: &[u32], batch: usize, seed: u64, epoch: u64) -> Vec<Vec<u32>> {
    assert!(batch > 0, "a batch needs at least one example");
    let mut random = stream(seed, Purpose::Order, [epoch, 0]);
    let mut order: Vec<u32> = (0..lengths.len() as u32).collect();
    order.shuffle(&mut random);
    let mut batches: Vec<Vec<u32>> = Vec::with_capacity(order.len().div_ceil(batch));
    for bucket in order.chunks_mut(batch * BATCHES_A_BUCKET) {
        bucket.sort_by_key(|&at| lengths[at as usize]);
        batches.extend(bucket.chunks(batch).map(<[u32]>::to_vec));
    }
    batches.shuffle(&mut random);
    batches
}

/// Cuts a batch (lengths rising) into micro-batches of neighbours, each at most `budget` tokens with its
/// padding, at least one row.
pub fn micro_batches<'b>(batch: &'b [u32], lengths: &[u32], budget: usize) -> Vec<&'b [u32]> {
    let mut parts = Vec::new();
    let mut start = 0;
    for end in 1..=batch.len() {
        let width = |end: usize| batch[start..end].iter().map(|&at| lengths[at as usize] as usize).max();
        let next_fits = end < batch.len() && width(end + 1).unwrap_or(0) * (end + 1 - start) <= budget;
        if !next_fits {
            parts.push(&batch[start..end]);
            start = end;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_comes_once_and_the_seed_decides() {
        let lengths: Vec<u32> = (0..1000).map(|i| (i * 37 % 101) as u32).collect();
        let batches = epoch_batches(&lengths, 8, 3, 0);
        let mut all: Vec<u32> = batches.iter().flatten().copied().collect();
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
        assert_eq!(batches, epoch_batches(&lengths, 8, 3, 0));
        assert_ne!(batches, epoch_batches(&lengths, 8, 3, 1));
        let spread = |batch: &Vec<u32>| {
            let all = batch.iter().map(|&at| lengths[at as usize]);
            all.clone().max().unwrap() - all.min().unwrap()
        };
        // Sorted buckets of 256 over 101 lengths: a batch of 8 spans few of them.
        assert!(batches.iter().map(spread).sum::<u32>() < 6 * batches.len() as u32);
        // And batches are not in the order of their lengths.
        assert!(!batches.is_sorted_by_key(|batch| lengths[batch[0] as usize]));
    }

    #[test]
    fn micro_batches_hold_the_budget() {
        let lengths = [10, 10, 12, 30, 50];
        let parts = micro_batches(&[0, 1, 2, 3, 4], &lengths, 40);
        assert_eq!(parts, [&[0, 1, 2][..], &[3], &[4]]);
        assert_eq!(micro_batches(&[0, 1], &lengths, 1), [&[0][..], &[1]]);
        assert_eq!(micro_batches(&[0, 1, 2, 3, 4], &lengths, 1000).len(), 1);
    }
}
