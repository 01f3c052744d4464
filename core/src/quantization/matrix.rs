//! A matrix in one of four precisions.

use half::f16;
use serde::{Deserialize, Serialize};

use super::{int4, int8};

/// How weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// As trained.
    F32,
    /// IEEE half precision.
    F16,
    /// Symmetric, one f32 scale a row.
    Int8,
    /// Symmetric, blocks of 32 along a row, one f16 scale a block.
    Int4,
}

/// What a [`Matrix`] holds, row after row.
#[derive(Clone, Debug, PartialEq)]
pub enum MatrixValues {
    /// `rows × cols` numbers.
    F32(Vec<f32>),
    /// `rows × cols` numbers.
    F16(Vec<f16>),
    /// `rows × cols` integers −127 to 127, and `rows` scales.
    Int8 {
        /// The integers.
        values: Vec<i8>,
        /// Weight = integer × scale of its row.
        scales: Vec<f32>,
    },
    /// `rows × ⌈cols/2⌉` bytes, and `rows × ⌈cols/32⌉` scales.
    Int4 {
        /// Two weights a byte, the earlier in the low half, each stored with 8 added.
        packed: Vec<u8>,
        /// Weight = integer × scale of its block.
        scales: Vec<f16>,
    },
}

/// A matrix whose rows are outputs (or table entries) and contiguous along the inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Outputs, or entries of a table.
    pub rows: usize,
    /// Inputs (K).
    pub cols: usize,
    /// The weights.
    pub values: MatrixValues,
}

impl Matrix {
    /// Stores weights `[rows, cols]` in a precision.
    ///
    /// # Panics
    /// If `weights` is not `rows × cols` long.
    pub fn new(rows: usize, cols: usize, weights: &[f32], precision: Precision) -> Self {
        assert_eq!(weights.len(), rows * cols, "a matrix of {rows} × {cols}");
        let lines = weights.chunks_exact(cols.max(1));
        let values = match precision {
            Precision::F32 => MatrixValues::F32(weights.to_vec()),
            Precision::F16 => MatrixValues::F16(weights.iter().copied().map(f16::from_f32).collect()),
            Precision::Int8 => {
                let mut values = Vec::with_capacity(weights.len());
                let scales = lines.map(|row| int8::quantize_row(row, &mut values)).collect();
                MatrixValues::Int8 { values, scales }
            }
            Precision::Int4 => {
                let mut packed = Vec::with_capacity(rows * int4::packed_len(cols));
                let mut scales = Vec::with_capacity(rows * int4::blocks(cols));
                lines.for_each(|row| int4::quantize_row(row, &mut packed, &mut scales));
                MatrixValues::Int4 { packed, scales }
            }
        };
        Self { rows, cols, values }
    }

    /// The precision that it is stored in.
    pub fn precision(&self) -> Precision {
        match self.values {
            MatrixValues::F32(_) => Precision::F32,
            MatrixValues::F16(_) => Precision::F16,
            MatrixValues::Int8 { .. } => Precision::Int8,
            MatrixValues::Int4 { .. } => Precision::Int4,
        }
    }

    /// Writes the weights of row `row` to `out`, `cols` long.
    ///
    /// # Panics
    /// If there is no such row, or `out` has another length.
    pub fn read_row(&self, row: usize, out: &mut [f32]) {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        assert_eq!(out.len(), self.cols, "a row of {} weights", self.cols);
        let part = |len: usize| row * len..(row + 1) * len;
        match &self.values {
            MatrixValues::F32(values) => out.copy_from_slice(&values[part(self.cols)]),
            MatrixValues::F16(values) => {
                out.iter_mut().zip(&values[part(self.cols)]).for_each(|(to, from)| *to = from.to_f32());
            }
            MatrixValues::Int8 { values, scales } => {
                int8::dequantize_row(&values[part(self.cols)], scales[row], out);
            }
            MatrixValues::Int4 { packed, scales } => {
                let (bytes, blocks) = (int4::packed_len(self.cols), int4::blocks(self.cols));
                int4::dequantize_row(&packed[part(bytes)], &scales[part(blocks)], out);
            }
        }
    }

    /// All weights, `[rows, cols]`.
    pub fn to_f32(&self) -> Vec<f32> {
        let mut weights = vec![0.0; self.rows * self.cols];
        for (row, out) in weights.chunks_exact_mut(self.cols.max(1)).enumerate() {
            self.read_row(row, out);
        }
        weights
    }

    /// Bytes of weights and scales.
    pub fn bytes(&self) -> usize {
        match &self.values {
            MatrixValues::F32(values) => 4 * values.len(),
            MatrixValues::F16(values) => 2 * values.len(),
            MatrixValues::Int8 { values, scales } => values.len() + 4 * scales.len(),
            MatrixValues::Int4 { packed, scales } => packed.len() + 2 * scales.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_precision_gives_back_each_weight_within_half_its_step() {
        let (rows, cols) = (3, 70);
        let weights: Vec<f32> = (0..rows * cols).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
        for (precision, step, bytes) in [
            (Precision::F32, 0.0, 840),
            (Precision::F16, 1e-3, 420),
            (Precision::Int8, 1.0 / 127.0, 222),
            (Precision::Int4, 1.01 / 7.0, 3 * 35 + 2 * 9),
        ] {
            let matrix = Matrix::new(rows, cols, &weights, precision);
            assert_eq!((matrix.precision(), matrix.bytes()), (precision, bytes));
            for (back, weight) in matrix.to_f32().iter().zip(&weights) {
                assert!((back - weight).abs() <= 0.5 * step + 1e-6, "{precision:?}: {back} for {weight}");
            }
        }
    }

    #[test]
    fn quantizing_what_was_quantized_changes_nothing() {
        let weights: Vec<f32> = (0..64).map(|i| (i as f32 * 0.7).sin()).collect();
        let once = Matrix::new(2, 32, &weights, Precision::Int8);
        assert_eq!(Matrix::new(2, 32, &once.to_f32(), Precision::Int8), once);
    }
}
