//! Matrices as they are stored and multiplied: one row an output, contiguous along the inputs (K), in full
//! precision or quantized. Plain slices, no tensors.

mod int4;
mod int8;
mod matrix;

pub use int4::{INT4_BLOCK, INT4_MAX};
pub use int8::INT8_MAX;
pub use matrix::{Matrix, MatrixValues, Precision};
