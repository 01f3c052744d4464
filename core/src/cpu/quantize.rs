//! Activations as integers, one scale a row (a token, a query, a label): never one a batch or a window.
//!
//! The left side of a product has 7 bits, 0..=127 from the row's least number to its greatest (GELU's outputs are
//! nearly all on one side of 0, and a row with one outlier has it on one side), the right side 8, −127..=127.
//! Two products then sum to less than 2¹⁵, so that no processor's 16-bit steps saturate and all give the same
//! integers (x86 `vpmaddubsw`, WebAssembly's relaxed dot product). What is stored in 8 bits can be the left side
//! too: whole where the processor takes it, else as the sum of two halves of 7 bits, which gives the same integers.

use super::isa::{Isa, for_each_isa};
use super::lanes::{LANES, greatest_of, nearest};
use super::pack::GROUP;
use super::rows::Rows;

const LEFT_MAX: f32 = 127.0;
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

/// The least and the greatest number of a row and 0.
#[inline(always)]
fn range_of(row: &[f32]) -> (f32, f32) {
    let (mut below, mut above) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    let (chunks, rest) = row.as_chunks::<LANES>();
    for (lane, value) in rest.iter().enumerate() {
        below[lane] = if -value > 0.0 { -value } else { 0.0 };
        above[lane] = if *value > 0.0 { *value } else { 0.0 };
    }
    for chunk in chunks {
        for lane in 0..LANES {
            let value = chunk[lane];
            above[lane] = if value > above[lane] { value } else { above[lane] };
            below[lane] = if -value > below[lane] { -value } else { below[lane] };
        }
    }
    (-greatest_of(below), greatest_of(above))
}

/// The left side of an integer product.
#[derive(Clone, Debug, Default)]
pub struct QuantizedRows {
    rows: usize,
    inputs: usize,
    stride: usize,
    values: Vec<u8>,
    /// What is to be added to `values`; empty for nothing.
    rest: Vec<u8>,
    /// `x = (integer − zero) × scale`, one a row.
    zeros: Vec<i32>,
    scales: Vec<f32>,
}

/// Some rows of [`QuantizedRows`].
#[derive(Clone, Copy, Debug)]
pub struct QuantizedView<'a> {
    /// Integers a row.
    pub inputs: usize,
    /// The integers, rows filled up to whole groups.
    pub values: Rows<'a, u8>,
    /// What is to be added to them, in the same shape.
    pub rest: Option<Rows<'a, u8>>,
    /// The integer of 0, one a row.
    pub zeros: &'a [i32],
    /// One a row.
    pub scales: &'a [f32],
}

impl QuantizedView<'_> {
    /// The rows `start..start + rows`.
    pub fn part(&self, start: usize, rows: usize) -> Self {
        Self {
            inputs: self.inputs,
            values: self.values.part(start, rows),
            rest: self.rest.map(|rest| rest.part(start, rows)),
            zeros: &self.zeros[start..start + rows],
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
        self.rest.clear();
        self.zeros.resize(rows, 0);
        self.scales.resize(rows, 0.0);
    }

    /// Quantizes rows in 7 bits.
    pub fn quantize(&mut self, isa: Isa, rows: Rows<'_, f32>) {
        self.reset(rows.rows(), rows.cols());
        for row in 0..self.rows {
            let values = &mut self.values[row * self.stride..][..self.inputs];
            (self.scales[row], self.zeros[row]) = quantize_row_u7(isa, rows.row(row), values);
        }
    }

    /// Takes rows up that have 8 bits, −127..=127, and one scale a row.
    ///
    /// # Shapes
    /// - `values`: `[rows, inputs]`, `scales`: `[rows]`
    pub fn of_bytes(isa: Isa, values: &[i8], scales: &[f32]) -> Self {
        let (rows, mut taken) = (scales.len(), Self::default());
        taken.reset(rows, values.len().checked_div(rows).unwrap_or_default());
        taken.scales.copy_from_slice(scales);
        taken.zeros.fill(127);
        if !isa.multiplies_bytes() {
            taken.rest.resize(taken.values.len(), 0);
        }
        for (row, values) in values.chunks_exact(taken.inputs.max(1)).enumerate() {
            let at = row * taken.stride..row * taken.stride + taken.inputs;
            for (place, value) in taken.values[at.clone()].iter_mut().zip(values) {
                *place = (i16::from(*value) + 127) as u8;
            }
            if let Some(rest) = taken.rest.get_mut(at.clone()) {
                for (rest, place) in rest.iter_mut().zip(&mut taken.values[at]) {
                    (*rest, *place) = (*place - *place / 2, *place / 2);
                }
            }
        }
        taken
    }

    /// All rows.
    pub fn view(&self) -> QuantizedView<'_> {
        let rows = |values| Rows::new(values, self.rows, self.inputs.next_multiple_of(GROUP), self.stride);
        QuantizedView {
            inputs: self.inputs,
            values: rows(&self.values),
            rest: (!self.rest.is_empty()).then(|| rows(&self.rest)),
            zeros: &self.zeros,
            scales: &self.scales,
        }
    }

    /// Rows `first` and `second`, `first` the earlier, to write.
    pub fn two_rows_mut(&mut self, first: usize, second: usize) -> (&mut [u8], &mut [u8]) {
        let (before, behind) = self.values.split_at_mut(second * self.stride);
        (&mut before[first * self.stride..][..self.inputs], &mut behind[..self.inputs])
    }

    /// Takes some rows of `from`.
    pub fn select(&mut self, from: &Self, rows: &[usize]) {
        self.reset(rows.len(), from.inputs);
        let stride = self.stride;
        if !from.rest.is_empty() {
            self.rest.resize(self.values.len(), 0);
        }
        for (to, &row) in rows.iter().enumerate() {
            let (to_at, at) = (to * stride..(to + 1) * stride, row * stride..(row + 1) * stride);
            self.values[to_at.clone()].copy_from_slice(&from.values[at.clone()]);
            if !from.rest.is_empty() {
                self.rest[to_at].copy_from_slice(&from.rest[at]);
            }
            (self.zeros[to], self.scales[to]) = (from.zeros[row], from.scales[row]);
        }
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.values.capacity() + self.rest.capacity() + 4 * (self.zeros.capacity() + self.scales.capacity())
    }
}

for_each_isa! {
    /// Quantizes one row in 7 bits; returns its scale and the integer of 0. A row of zeros has scale 1.
    pub fn quantize_row_u7(row: &[f32], values: &mut [u8]) -> (f32, i32) = row_u7
}

#[inline(always)]
fn row_u7(row: &[f32], values: &mut [u8]) -> (f32, i32) {
    let (least, greatest) = range_of(row);
    let range = greatest - least;
    let (scale, inverse) =
        if range > 0.0 { (range / LEFT_MAX, (LEFT_MAX / range).min(f32::MAX)) } else { (1.0, 0.0) };
    let zero = nearest((-least * inverse).clamp(0.0, LEFT_MAX));
    let (below, above) = (-zero as f32, LEFT_MAX - zero as f32);
    for (value, x) in values.iter_mut().zip(row) {
        *value = (nearest((x * inverse).clamp(below, above)) + zero) as u8;
    }
    (scale, zero)
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

    #[test]
    fn integers_reach_from_the_least_to_the_greatest_and_ties_go_to_even() {
        let mut values = [0; 4];
        let found = quantize_row_u7(Isa::detect(), &[-54.0, 200.0, 1.0, 3.0], &mut values);
        assert_eq!((found, values), ((2.0, 27), [0, 127, 27, 29])); // .5 and 1.5 to even
        let found = quantize_row_u7(Isa::detect(), &[127.0, 0.0, 63.0, 2.0], &mut values);
        assert_eq!((found, values), ((1.0, 0), [127, 0, 63, 2]), "nothing below 0 takes no integers");
        let found = quantize_row_u7(Isa::detect(), &[-127.0, 0.0, -63.0, -2.0], &mut values);
        assert_eq!((found, values), ((1.0, 127), [0, 127, 64, 125]));
        assert_eq!(quantize_row_u7(Isa::detect(), &[0.0; 4], &mut values), (1.0, 0));
        assert_eq!(values, [0; 4]);
    }

    #[test]
    fn bytes_stay_as_they_are_whole_or_in_halves() {
        for isa in Isa::available() {
            let rows = QuantizedRows::of_bytes(isa, &[-127, 0, 126, 127, 1, -1], &[0.5, 2.0]);
            let mut second = QuantizedRows::default();
            second.select(&rows, &[1]);
            let view = second.view();
            assert_eq!((view.inputs, view.zeros, view.scales), (3, &[127][..], &[2.0][..]));
            let rest = view.rest.map_or([0; 3], |rest| rest.row(0)[..3].try_into().unwrap());
            let whole: Vec<i32> =
                view.values.row(0).iter().zip(rest).map(|(a, b)| i32::from(*a) + i32::from(b)).collect();
            assert_eq!(whole, [254, 128, 126], "{isa:?}");
            assert!(isa.multiplies_bytes() || view.values.row(0).iter().chain(&rest).all(|half| *half < 128));
        }
    }

    #[test]
    fn every_isa_gives_the_same_integers() {
        let row: Vec<f32> = (0..777).map(|i| ((i * 7919 % 1013) as f32 - 506.0) * 0.0137).collect();
        let mut expected = vec![0; row.len()];
        let scale = row_u7(&row, &mut expected);
        for isa in Isa::available() {
            let mut values = vec![0; row.len()];
            let (found, zero) = quantize_row_u7(isa, &row, &mut values);
            assert_eq!((found.to_bits(), zero), (scale.0.to_bits(), scale.1));
            assert_eq!(values, expected);
        }
    }

    #[test]
    fn the_smallest_numbers_do_not_overflow() {
        let mut values = [0; 2];
        for row in [[f32::from_bits(1), 0.0], [f32::from_bits(1), -1e-44]] {
            let (_, zero) = quantize_row_u7(Isa::detect(), &row, &mut values);
            assert!(i32::from(values[0]) >= zero && values[0] <= 127 && i32::from(values[1]) <= zero);
        }
        let mut values = [0_i8; 2];
        quantize_row_i8(Isa::detect(), &[-1e-44, 1e-44], &mut values);
        assert_eq!(values[0], -values[1]);
    }
}
