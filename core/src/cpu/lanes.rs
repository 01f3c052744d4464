//! Sums and maxima in 16 lanes, and rounding by addition: the same bits on every processor, and fast on each.

/// Numbers that are summed side by side, whatever the processor: the order of a sum is part of the result.
pub(super) const LANES: usize = 16;

/// Added to a number of less than 2²², it leaves the nearest integer (ties to even) in the low bits.
pub(super) const ROUNDER: f32 = 12_582_912.0; // 1.5 × 2²³

/// The nearest integer of a number of less than 2²², ties to even; the same bits everywhere.
#[inline(always)]
pub(super) fn nearest(value: f32) -> i32 {
    (value + ROUNDER).to_bits() as i32 - ROUNDER.to_bits() as i32
}

/// The greatest lane.
#[inline(always)]
pub(super) fn greatest_of(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            let other = lanes[lane + half];
            lanes[lane] = if other > lanes[lane] { other } else { lanes[lane] };
        }
        half /= 2;
    }
    lanes[0]
}

/// The sum of the lanes, in halves.
#[inline(always)]
pub(super) fn sum_of(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
        half /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_fold_in_halves() {
        let mut lanes = [0.0; LANES];
        (0..LANES).for_each(|lane| lanes[lane] = lane as f32 - 20.0);
        assert_eq!((sum_of(lanes), greatest_of(lanes)), (120.0 - 320.0, -5.0));
        // 1e8 + 1 is 1e8 in f32: the order shows.
        let mut lanes = [0.0; LANES];
        (lanes[0], lanes[8], lanes[4]) = (1e8, -1e8, 1.0);
        assert_eq!(sum_of(lanes), 1.0);
    }
}
