//! Activations as integers, one scale a row (a token, a query, a label): never one a batch or a window.
//!
//! The left side of a product has 7 bits, `round(63 x / max |x|) + 64` in 1..=127, the right side 8, −127..=127.
//! Two products then sum to less than 2¹⁵, so that no processor's 16-bit steps saturate and all give the same
//! integers (x86 `vpmaddubsw`, WebAssembly's relaxed dot product).

use super::isa::for_each_isa;
use super::lanes::{LANES, greatest_of, nearest};
use super::pack::{GROUP, ZERO_POINT};
use super::rows::Rows;

const LEFT_MAX: f32 = 63.0;
const RIGHT_MAX: f32 = 127.0;
/// max |x|; 0 of nothing.
#[inline(always)]
pub(super) fn largest_magnitude(row: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane = value.abs();
    }
    for chunk in chunks {
        for lane in 0..LANES {
            let value = chunk[lane].abs();
            lanes[lane] = if value > lanes[lane] { value } else { lanes[lane] };
        }
    }
    greatest_of(lanes)
}

/// The left side of an integer product.
#[derive(Clone, Debug, Default)]
pub struct QuantizedRows {
    rows: usize,
    inputs: usize,
    stride: usize,
    values: Vec<u8>,
    /// `x = (integer − 64) × scale`, one a row.
    scales: Vec<f32>,
}

/// Some rows of [`QuantizedRows`].
#[derive(Clone, Copy, Debug)]
pub struct QuantizedView<'a> {
    /// Integers a row.
    pub inputs: usize,
    /// The integers, rows filled up to whole groups.
    pub values: Rows<'a, u8>,
    /// One a row.
    pub scales: &'a [f32],
}

impl QuantizedView<'_> {
    /// The rows `start..start + rows`.
    pub fn part(&self, start: usize, rows: usize) -> Self {
        Self {
            inputs: self.inputs,
            values: self.values.part(start, rows),
            scales: &self.scales[start..start + rows],
        }
    }
}

/// Bytes from a row to the next: whole groups, and not a multiple of 4 KiB, where rows would share cache sets.
fn stride_of(inputs: usize) -> usize {
    let stride = inputs.next_multiple_of(64);
    if stride.is_multiple_of(1024) { stride + 64 } else { stride }
}

impl QuantizedRows {
    /// Makes room for `rows` rows of `inputs` integers, all 0.
    pub fn reset(&mut self, rows: usize, inputs: usize) {
        debug_assert!(stride_of(inputs).is_multiple_of(GROUP));
        (self.rows, self.inputs, self.stride) = (rows, inputs, stride_of(inputs));
        self.values.resize(rows * self.stride, 0);
        self.scales.resize(rows, 0.0);
    }

    /// Quantizes rows in 7 bits around [`ZERO_POINT`].
    pub fn quantize(&mut self, isa: super::isa::Isa, rows: Rows<'_, f32>) {
        self.reset(rows.rows(), rows.cols());
        for row in 0..self.rows {
            let values = &mut self.values[row * self.stride..][..self.inputs];
            self.scales[row] = quantize_row_u7(isa, rows.row(row), values);
        }
    }

    /// All rows.
    pub fn view(&self) -> QuantizedView<'_> {
        let values = Rows::new(&self.values, self.rows, self.inputs.next_multiple_of(GROUP), self.stride);
        QuantizedView { inputs: self.inputs, values, scales: &self.scales }
    }

    /// Row `row`, to write.
    pub fn row_mut(&mut self, row: usize) -> &mut [u8] {
        &mut self.values[row * self.stride..][..self.inputs]
    }

    /// Rows `first` and `second`, `first` the earlier, to write.
    pub fn two_rows_mut(&mut self, first: usize, second: usize) -> (&mut [u8], &mut [u8]) {
        let (before, behind) = self.values.split_at_mut(second * self.stride);
        (&mut before[first * self.stride..][..self.inputs], &mut behind[..self.inputs])
    }

    /// Takes row `row` of `from` as row `to`; both have the same inputs.
    pub fn copy_row(&mut self, to: usize, from: &Self, row: usize) {
        let inputs = self.inputs;
        self.row_mut(to).copy_from_slice(&from.values[row * from.stride..][..inputs]);
        self.scales[to] = from.scales[row];
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.values.capacity() + 4 * self.scales.capacity()
    }
}

for_each_isa! {
    /// Quantizes one row in 7 bits and returns its scale; a row of zeros has scale 1.
    pub fn quantize_row_u7(row: &[f32], values: &mut [u8]) -> f32 = row_u7
}

#[inline(always)]
fn row_u7(row: &[f32], values: &mut [u8]) -> f32 {
    let largest = largest_magnitude(row);
    let (scale, inverse) =
        if largest > 0.0 { (largest / LEFT_MAX, (LEFT_MAX / largest).min(f32::MAX)) } else { (1.0, 0.0) };
    for (value, x) in values.iter_mut().zip(row) {
        let x = (x * inverse).clamp(-LEFT_MAX, LEFT_MAX);
        *value = (nearest(x) + ZERO_POINT) as u8;
    }
    scale
}

for_each_isa! {
    /// Quantizes one row in 8 bits and returns its scale; a row of zeros has scale 0 and takes no part in the range
    /// of a sum that takes the scales in.
    pub fn quantize_row_i8(row: &[f32], values: &mut [i8]) -> f32 = row_i8
}

#[inline(always)]
fn row_i8(row: &[f32], values: &mut [i8]) -> f32 {
    let largest = largest_magnitude(row);
    let (scale, inverse) =
        if largest > 0.0 { (largest / RIGHT_MAX, (RIGHT_MAX / largest).min(f32::MAX)) } else { (0.0, 0.0) };
    for (value, x) in values.iter_mut().zip(row) {
        *value = nearest((x * inverse).clamp(-RIGHT_MAX, RIGHT_MAX)) as i8;
    }
    scale
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::isa::Isa;

    #[test]
    fn the_largest_is_63_from_the_zero_point_and_ties_go_to_even() {
        let mut values = [0; 4];
        let scale = quantize_row_u7(Isa::detect(), &[-126.0, 63.0, 1.0, 3.0], &mut values);
        assert_eq!((scale, values), (2.0, [1, 96, 64, 66])); // 31.5, .5 and 1.5 to even
        let scale = quantize_row_u7(Isa::detect(), &[0.0; 4], &mut values);
        assert_eq!((scale, values), (1.0, [64; 4]));
    }

    #[test]
    fn every_isa_gives_the_same_integers() {
        let row: Vec<f32> = (0..777).map(|i| ((i * 7919 % 1013) as f32 - 506.0) * 0.0137).collect();
        let mut expected = vec![0; row.len()];
        let scale = row_u7(&row, &mut expected);
        for isa in Isa::available() {
            let mut values = vec![0; row.len()];
            assert_eq!(quantize_row_u7(isa, &row, &mut values).to_bits(), scale.to_bits());
            assert_eq!(values, expected);
        }
    }

    #[test]
    fn the_smallest_numbers_do_not_overflow() {
        let mut values = [0; 2];
        quantize_row_u7(Isa::detect(), &[f32::from_bits(1), 0.0], &mut values);
        assert!(values[0] >= 64 && values[0] <= 127);
        let mut values = [0_i8; 2];
        quantize_row_i8(Isa::detect(), &[-1e-44, 1e-44], &mut values);
        assert_eq!(values[0], -values[1]);
    }
}
