//! Symmetric 4-bit integers in blocks along a row, one half-precision scale a block.

use half::f16;

/// Weights a block.
pub const INT4_BLOCK: usize = 32;
/// Largest magnitude of a stored weight.
pub const INT4_MAX: f32 = 7.0;

/// Bytes that a row of `cols` weights takes: two a byte, each block padded to whole bytes.
pub(super) fn packed_len(cols: usize) -> usize {
    cols.div_ceil(2)
}

/// Scales that a row of `cols` weights takes.
pub(super) fn blocks(cols: usize) -> usize {
    cols.div_ceil(INT4_BLOCK)
}

/// Rounds each block to multiples of its scale (`max |w| / 7`, itself rounded to half precision first); weight
/// `2i` is the low half of byte `i`, each stored with 8 added.
pub(super) fn quantize_row(row: &[f32], packed: &mut Vec<u8>, scales: &mut Vec<f16>) {
    for block in row.chunks(INT4_BLOCK) {
        let largest = block.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
        let mut scale = f16::from_f32(largest / INT4_MAX);
        if scale == f16::ZERO {
            scale = f16::MIN_POSITIVE_SUBNORMAL;
        }
        scales.push(scale);
        let scale = scale.to_f32();
        let nibble = |weight: f32| (weight / scale).round_ties_even().clamp(-INT4_MAX, INT4_MAX) as i8 + 8;
        packed.extend(block.chunks(2).map(|pair| {
            let high = pair.get(1).copied().map_or(8, nibble);
            nibble(pair[0]) as u8 | (high as u8) << 4
        }));
    }
}

/// The row that the integers stand for.
pub(super) fn dequantize_row(packed: &[u8], scales: &[f16], row: &mut [f32]) {
    for (index, weight) in row.iter_mut().enumerate() {
        let byte = packed[index / 2];
        let nibble = if index % 2 == 0 { byte & 15 } else { byte >> 4 };
        *weight = f32::from(nibble as i8 - 8) * scales[index / INT4_BLOCK].to_f32();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_block_has_its_own_scale_and_an_odd_row_its_half_byte() {
        let mut row = vec![0.5_f32; 32];
        row.extend([7.0, -3.0, 1.0]);
        let (mut packed, mut scales) = (Vec::new(), Vec::new());
        quantize_row(&row, &mut packed, &mut scales);
        assert_eq!((packed.len(), scales.len()), (packed_len(35), blocks(35)));
        assert_eq!(&packed[16..], [15 | 5 << 4, 9 | 8 << 4]);
        let mut back = vec![0.0; 35];
        dequantize_row(&packed, &scales, &mut back);
        assert_eq!(&back[32..], [7.0, -3.0, 1.0]);
        assert!(back[..32].iter().all(|weight| (weight - 0.5).abs() < 5e-4));
    }

    #[test]
    fn zeros_and_weights_too_small_for_half_precision_are_zero() {
        let (mut packed, mut scales) = (Vec::new(), Vec::new());
        quantize_row(&[0.0, 1e-12, 0.0], &mut packed, &mut scales);
        let mut back = vec![1.0; 3];
        dequantize_row(&packed, &scales, &mut back);
        assert_eq!(back, [0.0; 3]);
    }
}
