//! A model's matrices by the path that training exports, each taken once and checked.

use std::collections::BTreeMap;

use thiserror::Error;

use super::linear::Linear;
use super::norm::LayerNorm;
use crate::quantization::Matrix;

/// Matrices that do not make the model.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CpuModelError {
    /// A parameter that the model has and the source lacks.
    #[error("parameter {0} is missing")]
    Missing(String),
    /// A parameter that the source has and the model lacks.
    #[error("parameter {0} is none of this model's")]
    Unknown(String),
    /// The shapes differ.
    #[error("parameter {path} has {} × {}, the model wants {} × {}", found.0, found.1, wanted.0, wanted.1)]
    Shape {
        /// The parameter.
        path: String,
        /// Rows and columns in the source.
        found: (usize, usize),
        /// Rows and columns in the model.
        wanted: (usize, usize),
    },
    /// Heads that do not divide the width, or a size of nothing.
    #[error("{field} = {value}: {rule}")]
    Size {
        /// The field of the shape.
        field: &'static str,
        /// Its value.
        value: usize,
        /// What it must be.
        rule: &'static str,
    },
}

/// Matrices that are still to be taken.
pub(super) struct Parameters(pub BTreeMap<String, Matrix>);

impl Parameters {
    /// The matrix `[rows, cols]` of a path.
    pub fn matrix(&mut self, path: &str, rows: usize, cols: usize) -> Result<Matrix, CpuModelError> {
        let matrix = self.0.remove(path).ok_or_else(|| CpuModelError::Missing(path.to_owned()))?;
        let (found, wanted) = ((matrix.rows, matrix.cols), (rows, cols));
        if found != wanted {
            return Err(CpuModelError::Shape { path: path.to_owned(), found, wanted });
        }
        Ok(matrix)
    }

    /// A vector, stored as one row.
    pub fn vector(&mut self, path: &str, len: usize) -> Result<Vec<f32>, CpuModelError> {
        Ok(self.matrix(path, 1, len)?.to_f32())
    }

    /// `path.weight` `[outputs, inputs]` and `path.bias`.
    pub fn linear(&mut self, path: &str, outputs: usize, inputs: usize) -> Result<Linear, CpuModelError> {
        let weights = self.matrix(&format!("{path}.weight"), outputs, inputs)?;
        Ok(Linear::new(&weights, Some(self.vector(&format!("{path}.bias"), outputs)?)))
    }

    /// `path.gamma` and `path.beta`.
    pub fn norm(&mut self, path: &str, len: usize, epsilon: f32) -> Result<LayerNorm, CpuModelError> {
        let gamma = self.vector(&format!("{path}.gamma"), len)?;
        Ok(LayerNorm { gamma, beta: self.vector(&format!("{path}.beta"), len)?, epsilon })
    }

    /// # Errors
    /// The first matrix that nobody took.
    pub fn finish(self) -> Result<(), CpuModelError> {
        self.0.into_keys().next().map_or(Ok(()), |path| Err(CpuModelError::Unknown(path)))
    }
}
