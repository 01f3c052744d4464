//! Drawing by weight, and numbers that follow a Poisson or log-normal distribution, with the same bits everywhere.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Items with the running sum of their weights.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool {
    members: Vec<u32>,
    sums: Vec<f64>,
}

impl Pool {
    /// Items by place; those of weight 0 are left out.
    pub(super) fn new(weights: impl Iterator<Item = f64>) -> Self {
        let mut pool = Self::default();
        let mut sum = 0.0;
        for (at, weight) in weights.enumerate() {
            if weight > 0.0 {
                sum += weight;
                pool.members.push(u32::try_from(at).expect("few items"));
                pool.sums.push(sum);
            }
        }
        pool
    }

    /// An item; none from an empty pool.
    pub(super) fn draw(&self, rng: &mut ChaCha8Rng) -> Option<usize> {
        let at = rng.random::<f64>() * self.sums.last()?;
        let place = self.sums.partition_point(|sum| *sum <= at).min(self.members.len() - 1);
        Some(self.members[place] as usize)
    }
}

/// A number from the Poisson distribution, by multiplying uniform numbers; for small means.
pub(super) fn poisson(mean: f64, rng: &mut ChaCha8Rng) -> usize {
    let limit = libm::exp(-mean);
    let mut product: f64 = rng.random();
    let mut count = 0;
    while product > limit {
        product *= rng.random::<f64>();
        count += 1;
    }
    count
}

/// A number from the log-normal distribution of this median; the normal number is a sum of twelve uniform ones.
pub(super) fn log_normal(median: f64, sigma: f64, rng: &mut ChaCha8Rng) -> f64 {
    let normal: f64 = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
    median * libm::exp(sigma * normal)
}

/// `wanted` rounded up or down by chance, so that its mean stays.
pub(super) fn rounded(wanted: f64, rng: &mut ChaCha8Rng) -> usize {
    let wanted = wanted.max(0.0);
    wanted as usize + usize::from(rng.random_bool(wanted.fract()))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn means_and_medians_are_those_asked_for() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let count: usize = (0..20_000).map(|_| poisson(2.5, &mut rng)).sum();
        assert!((2.45..2.55).contains(&(count as f64 / 2e4)), "{count}");
        let mut lengths: Vec<f64> = (0..20_001).map(|_| log_normal(600.0, 0.6, &mut rng)).collect();
        lengths.sort_by(f64::total_cmp);
        assert!((585.0..615.0).contains(&lengths[10_000]), "{}", lengths[10_000]);
        let long = lengths.iter().filter(|length| **length > 2000.0).count() as f64 / 20_001.0;
        // One in 45 lies beyond two standard deviations.
        assert!((0.017..0.028).contains(&long), "{long}");
        let sum: usize = (0..10_000).map(|_| rounded(1.3, &mut rng)).sum();
        assert!((12_800..13_200).contains(&sum), "{sum}");
        assert_eq!(rounded(-1.0, &mut rng), 0);
    }

    #[test]
    fn a_pool_draws_by_weight() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let pool = Pool::new([1.0, 0.0, 3.0].into_iter());
        let mut counts = [0; 3];
        for _ in 0..8000 {
            counts[pool.draw(&mut rng).unwrap()] += 1;
        }
        assert!(counts[1] == 0 && (1850..2150).contains(&counts[0]), "{counts:?}");
        assert_eq!(Pool::new([0.0].into_iter()).draw(&mut rng), None);
    }
}
