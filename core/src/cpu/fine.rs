//! The left side of an integer product in 14 bits, for weights that differ by more than 7 bits tell.
//!
//! Where bytes are multiplied it is two digits, `128 high + low`, and two products; where 16-bit numbers are (plain
//! and relaxed SIMD128) it is one. The integers are the same.

use super::isa::{Isa, for_each_isa};
use super::lanes::nearest;
use super::pack::PackedInt8;
use super::rows::RowsMut;

/// Whether one product of 16-bit numbers does it.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
type Store = super::tile::wasm::WideRows;
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
type Store = Digits;

/// Non-negative rows in 14 bits, each with a factor of its own.
#[derive(Debug, Default)]
pub struct FineRows {
    rows: usize,
    store: Store,
    factors: Vec<f32>,
}

/// The greatest integer of a sum over `inputs` products with 8 bits: 127 · 128, and less where the sum would not
/// fit 31 bits.
fn greatest(inputs: usize) -> f32 {
    (i32::MAX as usize / (127 * inputs.max(1))).clamp(1, 16_256) as f32
}

impl FineRows {
    /// Makes room for `rows` rows of `inputs` numbers.
    pub fn reset(&mut self, rows: usize, inputs: usize) {
        self.rows = rows;
        self.store.reset(rows, inputs);
        self.factors.clear();
    }

    /// Takes the next row up: numbers of 0 to `largest`, to be multiplied with `factor` in the product.
    pub fn push(&mut self, isa: Isa, values: &[f32], largest: f32, factor: f32) {
        let greatest = greatest(values.len());
        // Of zeros nothing is left, whatever they are multiplied with.
        let to_integer = (greatest / largest).min(f32::MAX);
        self.store.set(isa, self.rows, self.factors.len(), values, to_integer);
        self.factors.push(largest / greatest * factor);
    }

    /// `out = rows · rightᵀ`, each row times its factor.
    ///
    /// # Shapes
    /// - `out`: `[rows, outputs]`
    pub fn product(&mut self, isa: Isa, right: &PackedInt8, mut out: RowsMut<'_, f32>) {
        assert_eq!((self.rows, self.factors.len()), (out.rows(), out.rows()), "one row each");
        self.store.multiply(isa, self.rows, right);
        for (row, factor) in self.factors.iter().enumerate() {
            self.store.read(isa, self.rows, row, *factor, out.row(row));
        }
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.store.bytes() + 4 * self.factors.capacity()
    }
}

/// High digits of all rows, then low ones.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[derive(Debug, Default)]
struct Digits {
    digits: super::quantize::QuantizedRows,
    sums: Vec<i32>,
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
impl Digits {
    fn reset(&mut self, rows: usize, inputs: usize) {
        self.digits.reset(2 * rows, inputs);
    }

    fn set(&mut self, isa: Isa, rows: usize, row: usize, values: &[f32], to_integer: f32) {
        let (high, low) = self.digits.two_rows_mut(row, row + rows);
        split(isa, values, to_integer, high, low);
    }

    fn multiply(&mut self, isa: Isa, rows: usize, right: &PackedInt8) {
        let outputs = right.outputs();
        self.sums.resize(2 * rows * outputs, 0);
        let sums = RowsMut::new(&mut self.sums, 2 * rows, outputs, outputs);
        super::gemm::sums_of_int8(isa, self.digits.view().values, right, sums);
    }

    fn read(&self, isa: Isa, rows: usize, row: usize, factor: f32, out: &mut [f32]) {
        let outputs = out.len();
        let (high, low) = (&self.sums[row * outputs..], &self.sums[(row + rows) * outputs..]);
        join(isa, &high[..outputs], &low[..outputs], factor, out);
    }

    fn bytes(&self) -> usize {
        self.digits.bytes() + 4 * self.sums.capacity()
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
for_each_isa! {
    fn split(values: &[f32], to_integer: f32, high: &mut [u8], low: &mut [u8]) = split_of
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline(always)]
fn split_of(values: &[f32], to_integer: f32, high: &mut [u8], low: &mut [u8]) {
    for ((value, high), low) in values.iter().zip(high).zip(low) {
        let integer = nearest(value * to_integer);
        *high = (integer >> 7) as u8;
        *low = (integer & 127) as u8;
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
for_each_isa! {
    fn join(high: &[i32], low: &[i32], factor: f32, out: &mut [f32]) = join_of
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline(always)]
fn join_of(high: &[i32], low: &[i32], factor: f32, out: &mut [f32]) {
    for ((out, high), low) in out.iter_mut().zip(high).zip(low) {
        *out = (high * 128 + low) as f32 * factor;
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
for_each_isa! {
    /// The nearest integers of numbers of less than 2¹⁵.
    pub(super) fn round(values: &[f32], to_integer: f32, integers: &mut [i16]) = round_of
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
fn round_of(values: &[f32], to_integer: f32, integers: &mut [i16]) {
    for (value, integer) in values.iter().zip(integers) {
        *integer = nearest(value * to_integer) as i16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::rows::Rows;

    #[test]
    fn sums_are_those_of_the_integers_and_none_overflows() {
        for (inputs, outputs) in [(1, 1), (5, 17), (1024, 3), (5000, 2)] {
            let weights: Vec<i8> = (0..inputs * outputs).map(|i| if i % 5 < 4 { 127 } else { -3 }).collect();
            let right =
                PackedInt8::from_rows(Rows::new(&weights, outputs, inputs, inputs), &vec![1.0; outputs]);
            let rows = [vec![3.0; inputs], (0..inputs).map(|i| (i % 7) as f32 * 0.5).collect()];
            let mut first: Option<Vec<f32>> = None;
            for isa in Isa::available() {
                let (mut fine, mut out) = (FineRows::default(), vec![0.0; 2 * outputs]);
                fine.reset(2, inputs);
                rows.iter().for_each(|row| fine.push(isa, row, 3.0, 2.0));
                fine.product(isa, &right, RowsMut::new(&mut out, 2, outputs, outputs));
                for (at, found) in out.iter().enumerate() {
                    let (row, output) = (&rows[at / outputs], at % outputs);
                    let terms = row.iter().zip(&weights[output * inputs..]);
                    let exact: f64 = terms.map(|(x, w)| 2.0 * f64::from(*x) * f64::from(*w)).sum();
                    let error = (f64::from(*found) - exact).abs() / exact.abs().max(1.0);
                    assert!(error < 2e-4, "{isa:?}, {inputs} inputs: {found} for {exact}");
                }
                assert_eq!(&out, first.get_or_insert_with(|| out.clone()), "{isa:?}");
            }
        }
    }
}
