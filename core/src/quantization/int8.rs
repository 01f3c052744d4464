//! Symmetric 8-bit integers, one scale a row.

/// Largest magnitude of a stored weight; −128 is not used, so that a row and its negation are alike.
pub const INT8_MAX: f32 = 127.0;

/// Rounds a row to multiples of `max |w| / 127`; the scale of a row of zeros is 1.
pub(super) fn quantize_row(row: &[f32], values: &mut Vec<i8>) -> f32 {
    let largest = row.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
    let scale = if largest > 0.0 { largest / INT8_MAX } else { 1.0 };
    values
        .extend(row.iter().map(|weight| (weight / scale).round_ties_even().clamp(-INT8_MAX, INT8_MAX) as i8));
    scale
}

/// The row that the integers stand for.
pub(super) fn dequantize_row(values: &[i8], scale: f32, row: &mut [f32]) {
    for (weight, value) in row.iter_mut().zip(values) {
        *weight = f32::from(*value) * scale;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_weight_is_127_and_the_others_keep_their_share() {
        let mut values = Vec::new();
        let scale = quantize_row(&[-2.54, 1.27, 0.01, 0.0], &mut values);
        assert_eq!(values, [-127, 64, 0, 0]); // 63.5 to even
        let mut row = [0.0; 4];
        dequantize_row(&values, scale, &mut row);
        assert!((row[0] + 2.54).abs() < 1e-6 && (row[1] - 1.28).abs() < 1e-6);
    }

    #[test]
    fn a_row_of_zeros_stays_zero() {
        let mut values = Vec::new();
        assert_eq!(quantize_row(&[0.0; 3], &mut values), 1.0);
        assert_eq!(values, [0; 3]);
    }
}
