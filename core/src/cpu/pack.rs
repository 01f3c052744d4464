//! Right-hand sides of products, packed in panels of 16 outputs, so that a kernel reads them front to back.
//!
//! One layout for every processor: a line of 64 bytes holds one input of 16 outputs in f32, or four inputs of 16
//! outputs in int8. Outputs and inputs that fill up a line are zero.

use super::isa::{Isa, for_each_isa};
use super::quantize::quantize_row_i8;
use super::rows::Rows;

/// Outputs a panel.
pub const PANEL: usize = 16;
/// Inputs that an int8 line takes together.
pub const GROUP: usize = 4;

/// One input of a panel's outputs.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct FloatLine(pub [f32; PANEL]);

/// [`GROUP`] inputs of a panel's outputs: byte `4 j + i` is input `i` of output `j`.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct ByteLine(pub [i8; PANEL * GROUP]);

/// A right-hand side in f32.
#[derive(Clone, Debug, Default)]
pub struct PackedF32 {
    outputs: usize,
    inputs: usize,
    /// `[panels, inputs]`
    lines: Vec<FloatLine>,
}

impl PackedF32 {
    /// Packs `[outputs, inputs]`, for `x · Wᵀ`.
    pub fn from_rows(rows: Rows<'_, f32>) -> Self {
        let mut packed = Self::default();
        packed.pack_rows(rows.rows(), rows.cols(), |row| rows.row(row));
        packed
    }

    /// As [`PackedF32::from_rows`], of rows wherever they lie, in the memory that it has already.
    pub fn pack_rows<'a>(&mut self, outputs: usize, inputs: usize, row: impl Fn(usize) -> &'a [f32]) {
        self.reset(outputs, inputs);
        for output in 0..self.outputs {
            let lines = &mut self.lines[output / PANEL * self.inputs..][..self.inputs];
            for (line, value) in lines.iter_mut().zip(row(output)) {
                line.0[output % PANEL] = *value;
            }
        }
    }

    /// Packs `[inputs, outputs]`, for `x · W`, of rows wherever they lie, in the memory that it has already.
    pub fn pack_columns<'a>(&mut self, inputs: usize, outputs: usize, row: impl Fn(usize) -> &'a [f32]) {
        self.reset(outputs, inputs);
        for input in 0..self.inputs {
            for (panel, values) in row(input).chunks(PANEL).enumerate() {
                self.lines[panel * self.inputs + input].0[..values.len()].copy_from_slice(values);
            }
        }
    }

    fn reset(&mut self, outputs: usize, inputs: usize) {
        (self.outputs, self.inputs) = (outputs, inputs);
        self.lines.resize(outputs.div_ceil(PANEL) * inputs, FloatLine([0.0; PANEL]));
        // What fills up the last panel; every other number is written.
        if !outputs.is_multiple_of(PANEL) {
            let last = self.lines.len() - inputs;
            self.lines[last..].fill(FloatLine([0.0; PANEL]));
        }
    }

    /// Columns of the product.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Numbers that a sum runs over (K).
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// `[panels, inputs]`
    pub fn lines(&self) -> &[FloatLine] {
        &self.lines
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        64 * self.lines.capacity()
    }
}

/// A right-hand side in int8: `weight = integer × scale of its output`.
#[derive(Clone, Debug, Default)]
pub struct PackedInt8 {
    outputs: usize,
    inputs: usize,
    /// `[panels, groups]`
    lines: Vec<ByteLine>,
    /// One an output; empty where the scales lie with the inputs.
    scales: Vec<f32>,
    /// The sum of an output's integers: what the left side's zero is multiplied with.
    sums: Vec<i32>,
}

impl PackedInt8 {
    /// Packs `[outputs, inputs]` integers and one scale an output.
    pub fn from_rows(values: Rows<'_, i8>, scales: &[f32]) -> Self {
        assert_eq!(scales.len(), values.rows(), "one scale an output");
        let mut packed = Self::default(); // All zeros: what fills up is not written.
        packed.reset(values.rows(), values.cols());
        for (output, scale) in scales.iter().enumerate() {
            packed.set_output(output, values.row(output), *scale);
        }
        packed
    }

    /// Quantizes and packs `[outputs, inputs]`, one scale an output, of rows wherever they lie, in the memory that
    /// it has already. `integers` is room for them.
    pub fn pack_rows<'a>(
        &mut self,
        isa: Isa,
        outputs: usize,
        inputs: usize,
        row: impl Fn(usize) -> &'a [f32],
        integers: &mut Vec<i8>,
    ) {
        self.reset(outputs, inputs);
        let stride = self.groups() * GROUP;
        integers.clear();
        integers.resize(PANEL * stride, 0);
        let groups = self.groups();
        for start in (0..outputs).step_by(PANEL) {
            let count = PANEL.min(outputs - start);
            integers[count * stride..].fill(0);
            for at in 0..count {
                let values = &mut integers[at * stride..][..inputs];
                self.scales[start + at] = quantize_row_i8(isa, row(start + at), values);
                self.sums[start + at] = sum_of_row(isa, values);
            }
            transpose_groups(isa, integers, &mut self.lines[start / PANEL * groups..][..groups]);
        }
    }

    /// Quantizes and packs `[inputs, outputs]`, one scale an *input*, written to `scales`, of rows wherever they
    /// lie, in the memory that it has already. `integers` is room for them.
    pub fn pack_columns<'a>(
        &mut self,
        isa: Isa,
        inputs: usize,
        outputs: usize,
        row: impl Fn(usize) -> &'a [f32],
        scales: &mut Vec<f32>,
        integers: &mut Vec<i8>,
    ) {
        self.reset(outputs, inputs);
        self.scales.clear();
        self.sums.clear();
        scales.clear();
        let stride = outputs.next_multiple_of(PANEL);
        integers.clear();
        integers.resize(GROUP * stride, 0);
        let groups = self.groups();
        for start in (0..inputs).step_by(GROUP) {
            let count = GROUP.min(inputs - start);
            integers[count * stride..].fill(0);
            for at in 0..count {
                let values = &mut integers[at * stride..][..outputs];
                scales.push(quantize_row_i8(isa, row(start + at), values));
            }
            interleave_rows(isa, integers, &mut self.lines[start / GROUP..], groups);
        }
    }

    fn set_output(&mut self, output: usize, values: &[i8], scale: f32) {
        let groups = self.groups();
        let at = output % PANEL * GROUP;
        let lines = &mut self.lines[output / PANEL * groups..][..groups];
        for (line, group) in lines.iter_mut().zip(values.chunks(GROUP)) {
            line.0[at..at + group.len()].copy_from_slice(group);
        }
        self.scales[output] = scale;
        self.sums[output] = sum_of(values);
    }

    fn reset(&mut self, outputs: usize, inputs: usize) {
        (self.outputs, self.inputs) = (outputs, inputs);
        let panels = outputs.div_ceil(PANEL);
        self.lines.resize(panels * self.groups(), ByteLine([0; PANEL * GROUP]));
        // The last panel is read whole.
        self.scales.clear();
        self.scales.resize(panels * PANEL, 0.0);
        self.sums.clear();
        self.sums.resize(panels * PANEL, 0);
    }

    /// Columns of the product.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Numbers that a sum runs over (K).
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Lines a panel.
    pub fn groups(&self) -> usize {
        self.inputs.div_ceil(GROUP)
    }

    /// `[panels, groups]`
    pub fn lines(&self) -> &[ByteLine] {
        &self.lines
    }

    /// One an output, filled up to whole panels.
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// Sums of an output's integers, filled up to whole panels.
    pub fn sums(&self) -> &[i32] {
        &self.sums
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        64 * self.lines.capacity() + 4 * (self.scales.capacity() + self.sums.capacity())
    }
}

for_each_isa! {
    fn sum_of_row(values: &[i8]) -> i32 = sum_of
}

#[inline(always)]
fn sum_of(values: &[i8]) -> i32 {
    values.iter().map(|value| i32::from(*value)).sum()
}

for_each_isa! {
    /// Sixteen rows of whole groups, `[16, groups × 4]`, to lines.
    fn transpose_groups(rows: &[i8], lines: &mut [ByteLine]) = transpose_groups_of
}

#[inline(always)]
fn transpose_groups_of(rows: &[i8], lines: &mut [ByteLine]) {
    let stride = lines.len() * GROUP;
    let (rows, _) = rows.as_chunks::<GROUP>();
    for (group, line) in lines.iter_mut().enumerate() {
        let (outputs, _) = line.0.as_chunks_mut::<GROUP>();
        for (at, output) in outputs.iter_mut().enumerate() {
            *output = rows[at * stride / GROUP + group];
        }
    }
}

for_each_isa! {
    /// Four rows of whole panels, `[4, panels × 16]`, to one line a panel; lines of a group are `stride` apart.
    fn interleave_rows(rows: &[i8], lines: &mut [ByteLine], stride: usize) = interleave_rows_of
}

#[inline(always)]
fn interleave_rows_of(rows: &[i8], lines: &mut [ByteLine], stride: usize) {
    let (rows, _) = rows.as_chunks::<PANEL>();
    let panels = rows.len() / GROUP;
    for panel in 0..panels {
        let [a, b, c, d] = [0, 1, 2, 3].map(|row| &rows[row * panels + panel]);
        let line = &mut lines[panel * stride].0;
        for at in 0..PANEL {
            line[GROUP * at] = a[at];
            line[GROUP * at + 1] = b[at];
            line[GROUP * at + 2] = c[at];
            line[GROUP * at + 3] = d[at];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_pack_the_same_matrix_alike() {
        let (outputs, inputs) = (19, 6);
        let by_output: Vec<f32> = (0..outputs * inputs).map(|i| i as f32).collect();
        let by_input: Vec<f32> =
            (0..inputs * outputs).map(|i| by_output[i % outputs * inputs + i / outputs]).collect();
        let rows = PackedF32::from_rows(Rows::new(&by_output, outputs, inputs, inputs));
        let mut columns = PackedF32::from_rows(Rows::new(&[9.0; 40], 20, 2, 2)); // memory used before
        columns.pack_columns(inputs, outputs, |row| &by_input[row * outputs..][..outputs]);
        assert_eq!(rows.lines().len(), 2 * inputs);
        for (a, b) in rows.lines().iter().zip(columns.lines()) {
            assert_eq!(a.0, b.0);
        }
        assert_eq!(rows.lines()[inputs + 1].0[..4], [97.0, 103.0, 109.0, 0.0]);
    }

    #[test]
    fn an_int8_line_holds_four_inputs_of_each_output_and_zeros_behind_the_last() {
        let values: Vec<i8> = (0..17 * 5).map(|i| (i % 100) as i8).collect();
        let packed = PackedInt8::from_rows(Rows::new(&values, 17, 5, 5), &[0.5; 17]);
        assert_eq!(packed.lines().len(), 4);
        assert_eq!(packed.lines()[0].0[4..8], [5, 6, 7, 8]);
        assert_eq!(packed.lines()[1].0[4..8], [9, 0, 0, 0]);
        assert_eq!(packed.lines()[2].0[..8], [80, 81, 82, 83, 0, 0, 0, 0]);
        assert_eq!(packed.sums()[1], 5 + 6 + 7 + 8 + 9);
    }

    #[test]
    fn what_was_packed_before_leaves_nothing_behind() {
        let ones = [1.0; 40 * 9];
        for (outputs, inputs) in [(17, 5), (3, 9), (16, 4)] {
            let (mut used, mut fresh) = (PackedInt8::default(), PackedInt8::default());
            let (mut scales, mut room) = (Vec::new(), vec![5; 7]);
            let row = |_| &ones[..inputs];
            used.pack_rows(Isa::detect(), 40, 9, |_| &ones[..9], &mut room);
            used.pack_rows(Isa::detect(), outputs, inputs, row, &mut room);
            fresh.pack_rows(Isa::detect(), outputs, inputs, row, &mut Vec::new());
            assert!(used.lines().iter().zip(fresh.lines()).all(|(a, b)| a.0 == b.0));
            assert_eq!(used.lines().len(), fresh.lines().len());
            assert_eq!(used.sums(), fresh.sums());
            used.pack_columns(Isa::detect(), 40, 9, |_| &ones[..9], &mut scales, &mut room);
            used.pack_columns(Isa::detect(), outputs, inputs, row, &mut scales, &mut room);
            fresh.pack_columns(Isa::detect(), outputs, inputs, row, &mut Vec::new(), &mut Vec::new());
            assert!(used.lines().iter().zip(fresh.lines()).all(|(a, b)| a.0 == b.0));
            assert_eq!(scales.len(), outputs);
        }
    }

    #[test]
    fn columns_in_int8_have_one_scale_an_input() {
        let (mut packed, mut scales, mut row) = (PackedInt8::default(), Vec::new(), Vec::new());
        let values = [1.27, -0.64, 0.0, 0.0, 254.0, 2.0];
        packed.pack_columns(Isa::detect(), 3, 2, |at| &values[2 * at..][..2], &mut scales, &mut row);
        assert_eq!(packed.lines()[0].0[..8], [127, 0, 127, 0, -64, 0, 1, 0]);
        assert!((scales[0] - 0.01).abs() < 1e-6 && scales[1] == 0.0 && scales[2] == 2.0);
    }
}
