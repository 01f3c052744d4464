//! Random streams that are drawn from what they are for, so that a resumed run goes on as if never stopped.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What a stream is for; streams of different purposes never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Order of examples in an epoch.
    Order,
    /// Sentence pairs of an epoch.
    Pairs,
    /// Masked tokens of a step.
    Masking,
    /// Dropout of a micro-step.
    Dropout,
    /// Fresh weights.
    Weights,
}

/// The stream of a purpose at a place (such as epoch, or step and micro-step). Nothing needs saving: the same
/// numbers give the same stream on every platform.
pub fn stream(seed: u64, purpose: Purpose, place: [u64; 2]) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (part, value) in key.chunks_exact_mut(8).zip([seed, purpose as u64 + 1, place[0], place[1]]) {
        part.copy_from_slice(&value.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    #[test]
    fn streams_repeat_and_differ_by_purpose_and_place() {
        let first = |purpose, place| stream(7, purpose, place).next_u64();
        assert_eq!(first(Purpose::Order, [1, 2]), first(Purpose::Order, [1, 2]));
        assert_ne!(first(Purpose::Order, [1, 2]), first(Purpose::Pairs, [1, 2]));
        assert_ne!(first(Purpose::Order, [1, 2]), first(Purpose::Order, [2, 1]));
    }
}
