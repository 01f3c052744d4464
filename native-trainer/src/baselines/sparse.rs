//! Rows with few entries.

/// A matrix `[rows, width]` by its non-zero entries, row after row.
#[derive(Clone, Debug, PartialEq)]
pub struct SparseRows {
    width: usize,
    starts: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f32>,
}

impl SparseRows {
    /// No rows yet, of `width` columns.
    pub fn new(width: usize) -> Self {
        Self { width, starts: vec![0], columns: Vec::new(), values: Vec::new() }
    }

    /// Adds a row from its entries (column, value).
    ///
    /// # Panics
    /// If a column is not below the width.
    pub fn push(&mut self, row: impl IntoIterator<Item = (u32, f32)>) {
        for (column, value) in row {
            assert!((column as usize) < self.width, "column {column} of {}", self.width);
            self.columns.push(column);
            self.values.push(value);
        }
        self.starts.push(self.columns.len());
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Entries of one row (column, value).
    pub fn row(&self, at: usize) -> impl Iterator<Item = (usize, f64)> {
        let range = self.starts[at]..self.starts[at + 1];
        let columns = self.columns[range.clone()].iter().map(|&column| column as usize);
        columns.zip(self.values[range].iter().map(|&value| f64::from(value)))
    }

    /// Scalar product of one row with a dense vector, `[width]`.
    pub fn dot(&self, at: usize, dense: &[f64]) -> f64 {
        self.row(at).map(|(column, value)| value * dense[column]).sum()
    }

    /// Adds `factor` × one row to a dense vector, `[width]`.
    pub fn add_to(&self, at: usize, factor: f64, dense: &mut [f64]) {
        for (column, value) in self.row(at) {
            dense[column] += factor * value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_multiply() {
        let mut rows = SparseRows::new(3);
        rows.push([(2, 2.0), (0, 1.0)]);
        rows.push([]);
        assert_eq!((rows.rows(), rows.width()), (2, 3));
        assert_eq!((rows.dot(0, &[1.0, 5.0, 10.0]), rows.dot(1, &[1.0, 5.0, 10.0])), (21.0, 0.0));
        let mut dense = [0.5, 0.0, 0.0];
        rows.add_to(0, 2.0, &mut dense);
        assert_eq!(dense, [2.5, 0.0, 4.0]);
    }
}
