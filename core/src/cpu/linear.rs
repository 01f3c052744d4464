//! Linear layers in the precision of their weights.

use super::gemm::{product_f32, product_int8};
use super::isa::Isa;
use super::pack::{PackedF32, PackedInt8};
use super::quantize::QuantizedRows;
use super::rows::{Rows, RowsMut};
use crate::quantization::{Matrix, MatrixValues, Precision};

/// Packed weights; what is stored in f16 is multiplied in f32, what is stored in int4 in int8.
#[derive(Clone, Debug)]
pub enum Weights {
    /// Products in f32.
    F32(PackedF32),
    /// Products in integers, the left side quantized row by row.
    Int8(PackedInt8),
}

/// `y = x Wᵀ + b`.
#[derive(Clone, Debug)]
pub struct Linear {
    weights: Weights,
    bias: Option<Vec<f32>>,
}

impl Weights {
    /// Packs `[outputs, inputs]`.
    pub fn new(matrix: &Matrix) -> Self {
        let (rows, cols) = (matrix.rows, matrix.cols);
        match &matrix.values {
            MatrixValues::F32(values) => Self::F32(PackedF32::from_rows(Rows::new(values, rows, cols, cols))),
            MatrixValues::F16(_) => {
                Self::F32(PackedF32::from_rows(Rows::new(&matrix.to_f32(), rows, cols, cols)))
            }
            MatrixValues::Int8 { values, scales } => {
                Self::Int8(PackedInt8::from_rows(Rows::new(values, rows, cols, cols), scales))
            }
            MatrixValues::Int4 { .. } => {
                Self::new(&Matrix::new(rows, cols, &matrix.to_f32(), Precision::Int8))
            }
        }
    }

    fn outputs(&self) -> usize {
        match self {
            Self::F32(weights) => weights.outputs(),
            Self::Int8(weights) => weights.outputs(),
        }
    }
}

impl Linear {
    /// Packs a layer's weights `[outputs, inputs]` and bias `[outputs]`.
    ///
    /// # Panics
    /// If the bias has another length.
    pub fn new(weights: &Matrix, bias: Option<Vec<f32>>) -> Self {
        assert!(bias.as_ref().is_none_or(|bias| bias.len() == weights.rows), "one bias an output");
        Self { weights: Weights::new(weights), bias }
    }

    /// Columns of the output.
    pub fn outputs(&self) -> usize {
        self.weights.outputs()
    }

    /// Whether its products run in integers.
    pub fn is_int8(&self) -> bool {
        matches!(self.weights, Weights::Int8(_))
    }

    /// `out = input Wᵀ + b`; `quantized` is room for the input's integers.
    ///
    /// # Shapes
    /// - `input`: `[rows, inputs]`, `out`: `[rows, outputs]`
    pub fn apply(
        &self,
        isa: Isa,
        input: Rows<'_, f32>,
        quantized: &mut QuantizedRows,
        out: RowsMut<'_, f32>,
    ) {
        if self.is_int8() {
            quantized.quantize(isa, input);
        }
        self.apply_to(isa, input, quantized, out);
    }

    /// As [`Linear::apply`], of an input whose integers are there already if they are asked for.
    pub fn apply_to(&self, isa: Isa, input: Rows<'_, f32>, quantized: &QuantizedRows, out: RowsMut<'_, f32>) {
        let bias = self.bias.as_deref();
        match &self.weights {
            Weights::F32(weights) => product_f32(isa, input, weights, bias, out),
            Weights::Int8(weights) => product_int8(isa, quantized.view(), weights, bias, out),
        }
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        let weights = match &self.weights {
            Weights::F32(weights) => weights.bytes(),
            Weights::Int8(weights) => weights.bytes(),
        };
        weights + self.bias.as_ref().map_or(0, |bias| 4 * bias.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_precision_multiplies_what_its_matrix_stands_for() {
        let (rows, inputs, outputs) = (3, 70, 20);
        let weights: Vec<f32> =
            (0..outputs * inputs).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
        let input: Vec<f32> = (0..rows * inputs).map(|i| ((i * 53 % 127) as f32 - 63.0) / 63.0).collect();
        for (precision, int8, tolerance) in [
            (Precision::F32, false, 1e-5),
            (Precision::F16, false, 1e-5),
            (Precision::Int8, true, 0.15),
            (Precision::Int4, true, 0.25),
        ] {
            let matrix = Matrix::new(outputs, inputs, &weights, precision);
            let linear = Linear::new(&matrix, Some(vec![0.5; outputs]));
            assert_eq!(linear.is_int8(), int8);
            let mut out = vec![0.0; rows * outputs];
            linear.apply(
                Isa::detect(),
                Rows::new(&input, rows, inputs, inputs),
                &mut QuantizedRows::default(),
                RowsMut::new(&mut out, rows, outputs, outputs),
            );
            let weights = matrix.to_f32();
            for (at, found) in out.iter().enumerate() {
                let (row, output) = (at / outputs, at % outputs);
                let sum: f32 =
                    (0..inputs).map(|i| input[row * inputs + i] * weights[output * inputs + i]).sum();
                assert!((found - sum - 0.5).abs() <= tolerance, "{precision:?}: {found} for {}", sum + 0.5);
            }
        }
    }
}
