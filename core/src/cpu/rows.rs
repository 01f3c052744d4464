//! Row-major matrices on slices, rows a stride apart.

/// Rows to read: row `i` is `values[i * stride..][..cols]`.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, T> {
    values: &'a [T],
    rows: usize,
    cols: usize,
    stride: usize,
}

impl<'a, T> Rows<'a, T> {
    /// # Panics
    /// If the slice is too short for `rows` rows of `cols` numbers `stride` apart.
    pub fn new(values: &'a [T], rows: usize, cols: usize, stride: usize) -> Self {
        assert!(cols <= stride, "rows of {cols} numbers, {stride} apart");
        assert!(rows == 0 || values.len() >= (rows - 1) * stride + cols, "{rows} rows of {cols} numbers");
        Self { values, rows, cols, stride }
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Numbers a row.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Numbers from a row's start to the next one's.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Row `row`.
    #[inline(always)]
    pub fn row(&self, row: usize) -> &'a [T] {
        &self.values[row * self.stride..][..self.cols]
    }

    /// The rows `start..start + rows`.
    pub fn part(&self, start: usize, rows: usize) -> Self {
        assert!(start + rows <= self.rows, "rows {start} to {} of {}", start + rows, self.rows);
        Self { values: &self.values[(start * self.stride).min(self.values.len())..], rows, ..*self }
    }

    /// The columns `start..start + cols` of every row.
    pub fn columns(&self, start: usize, cols: usize) -> Self {
        assert!(start + cols <= self.cols, "columns {start} to {} of {}", start + cols, self.cols);
        Self { values: &self.values[start.min(self.values.len())..], cols, ..*self }
    }

    /// Where the first number lies.
    #[allow(dead_code)] // Only kernels for a processor ask.
    pub(super) fn as_ptr(&self) -> *const T {
        self.values.as_ptr()
    }
}

/// Rows to write, laid out as in [`Rows`].
#[derive(Debug)]
pub struct RowsMut<'a, T> {
    values: &'a mut [T],
    rows: usize,
    cols: usize,
    stride: usize,
}

impl<'a, T> RowsMut<'a, T> {
    /// # Panics
    /// As [`Rows::new`].
    pub fn new(values: &'a mut [T], rows: usize, cols: usize, stride: usize) -> Self {
        Rows::new(values, rows, cols, stride);
        Self { values, rows, cols, stride }
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Numbers a row.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Numbers from a row's start to the next one's.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Where the first number lies.
    #[allow(dead_code)] // Only kernels for a processor ask.
    pub(super) fn as_mut_ptr(&mut self) -> *mut T {
        self.values.as_mut_ptr()
    }

    /// Row `row`.
    #[inline(always)]
    pub fn row(&mut self, row: usize) -> &mut [T] {
        &mut self.values[row * self.stride..][..self.cols]
    }

    /// The rows `start..start + rows`.
    pub fn part(&mut self, start: usize, rows: usize) -> RowsMut<'_, T> {
        assert!(start + rows <= self.rows, "rows {start} to {} of {}", start + rows, self.rows);
        let start = (start * self.stride).min(self.values.len());
        RowsMut { values: &mut self.values[start..], rows, cols: self.cols, stride: self.stride }
    }

    /// The columns `start..start + cols` of every row.
    pub fn columns(&mut self, start: usize, cols: usize) -> RowsMut<'_, T> {
        assert!(start + cols <= self.cols, "columns {start} to {} of {}", start + cols, self.cols);
        let start = start.min(self.values.len());
        RowsMut { values: &mut self.values[start..], rows: self.rows, cols, stride: self.stride }
    }

    /// The same rows for a shorter time.
    pub fn reborrow(&mut self) -> RowsMut<'_, T> {
        RowsMut { values: self.values, rows: self.rows, cols: self.cols, stride: self.stride }
    }

    /// The same rows, to read.
    pub fn as_rows(&self) -> Rows<'_, T> {
        Rows::new(self.values, self.rows, self.cols, self.stride)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_columns_keep_the_stride() {
        let values: Vec<u8> = (0..12).collect();
        let rows = Rows::new(&values, 3, 3, 4);
        assert_eq!(rows.row(2), [8, 9, 10]);
        assert_eq!(rows.part(1, 2).row(1), [8, 9, 10]);
        assert_eq!(rows.columns(1, 2).row(1), [5, 6]);
        assert_eq!(rows.part(3, 0).rows(), 0);
        let mut values = values.clone();
        RowsMut::new(&mut values, 3, 2, 4).row(2)[1] = 77;
        assert_eq!(values[9], 77);
    }

    #[test]
    #[should_panic(expected = "3 rows of 4 numbers")]
    fn a_slice_too_short_is_refused() {
        Rows::new(&[0_u8; 11], 3, 4, 4);
    }
}
