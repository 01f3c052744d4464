//! SIMD128, and relaxed SIMD where the build has it.

use std::arch::wasm32::*;

use super::{MAX_PANELS, MAX_ROWS, Tile};
use crate::cpu::fine::round;
use crate::cpu::isa::Isa;
use crate::cpu::pack::{ByteLine, FloatLine, GROUP, PANEL, PackedInt8};
use crate::cpu::rows::Rows;

/// Rows of a tile in f32: with three or four, the sums of sixteen columns spill where there are 16 registers.
pub const ROWS_F32: usize = 2;
/// Rows of a tile in integers.
pub const ROWS_INT8: usize = 2;

/// Vectors of a panel.
const VECTORS: usize = PANEL / 4;

/// Sums over one panel of `inputs` lines.
pub fn tile_f32(left: Rows<'_, f32>, panel: &[FloatLine], tile: &mut Tile<f32>) {
    assert_eq!(panel.len(), left.cols());
    match left.rows() {
        1 => f32_rows::<1>(left, panel, tile),
        2 => f32_rows::<2>(left, panel, tile),
        rows => unreachable!("a tile of {rows} rows"),
    }
}

#[inline(always)]
fn f32_rows<const ROWS: usize>(left: Rows<'_, f32>, panel: &[FloatLine], tile: &mut Tile<f32>) {
    let (at, stride) = (left.as_ptr(), left.stride());
    let mut sums = [[f32x4_splat(0.0); VECTORS]; ROWS];
    for (input, line) in panel.iter().enumerate() {
        for row in 0..ROWS {
            // SAFETY: `left` has `ROWS` rows of as many numbers as the panel has lines.
            let x = unsafe { v128_load32_splat(at.add(row * stride + input).cast()) };
            for vector in 0..VECTORS {
                // SAFETY: a line has `VECTORS` vectors.
                let right = unsafe { v128_load(line.0.as_ptr().add(4 * vector).cast()) };
                sums[row][vector] = multiply_add(x, right, sums[row][vector]);
            }
        }
    }
    for row in 0..ROWS {
        for vector in 0..VECTORS {
            // SAFETY: a tile's row has two panels.
            unsafe { v128_store(tile[row].as_mut_ptr().add(4 * vector).cast(), sums[row][vector]) };
        }
    }
}

#[inline(always)]
fn multiply_add(a: v128, b: v128, c: v128) -> v128 {
    #[cfg(target_feature = "relaxed-simd")]
    return f32x4_relaxed_madd(a, b, c);
    #[cfg(not(target_feature = "relaxed-simd"))]
    f32x4_add(f32x4_mul(a, b), c)
}

/// Room for a panel whose bytes have become 16-bit numbers, once for all rows: eight outputs, then the other eight.
/// A vector holds a group of two outputs. Builds with relaxed SIMD multiply bytes and leave it empty.
#[derive(Debug, Default)]
pub struct Widened(Vec<[v128; VECTORS]>);

/// A panel as the kernel wants it.
#[cfg_attr(target_feature = "relaxed-simd", allow(dead_code))]
pub struct Panel<'a> {
    lines: &'a [ByteLine],
    widened: &'a [[v128; VECTORS]],
}

impl Widened {
    /// Takes a panel up: `fresh` if it is not the last one.
    pub fn panel<'a>(&'a mut self, lines: &'a [ByteLine], fresh: bool) -> Panel<'a> {
        if fresh && cfg!(not(target_feature = "relaxed-simd")) {
            self.widen(lines);
        }
        Panel { lines, widened: &self.0 }
    }

    fn widen(&mut self, lines: &[ByteLine]) {
        self.0.resize(2 * lines.len(), [i32x4_splat(0); VECTORS]);
        let (first, second) = self.0.split_at_mut(lines.len());
        for (half, vectors) in [first, second].into_iter().enumerate() {
            for (line, vectors) in lines.iter().zip(vectors) {
                for vector in 0..VECTORS {
                    // SAFETY: a line has 64 bytes, 8 a vector.
                    vectors[vector] =
                        unsafe { i16x8_load_extend_i8x8(line.0.as_ptr().add(32 * half + 8 * vector)) };
                }
            }
        }
    }
}

/// Sums over one panel of whole groups; `left` has whole groups, of at most 127.
pub fn tile_int8(left: Rows<'_, u8>, panel: &Panel<'_>, tile: &mut Tile<i32>) {
    assert_eq!(panel.lines.len() * GROUP, left.cols());
    match left.rows() {
        1 => int8_rows::<1>(left, panel, tile),
        2 => int8_rows::<2>(left, panel, tile),
        rows => unreachable!("a tile of {rows} rows"),
    }
}

#[cfg(target_feature = "relaxed-simd")]
#[inline(always)]
fn int8_rows<const ROWS: usize>(left: Rows<'_, u8>, panel: &Panel<'_>, tile: &mut Tile<i32>) {
    let (at, stride) = (left.as_ptr(), left.stride());
    let mut sums = [[i32x4_splat(0); VECTORS]; ROWS];
    for (group, line) in panel.lines.iter().enumerate() {
        for row in 0..ROWS {
            // SAFETY: `left` has `ROWS` rows of as many groups as the panel has lines.
            let x = unsafe { v128_load32_splat(at.add(row * stride + group * GROUP).cast()) };
            for vector in 0..VECTORS {
                // SAFETY: a line has `VECTORS` vectors.
                let right = unsafe { v128_load(line.0.as_ptr().add(16 * vector).cast()) };
                // The second operand has 7 bits and no pair sums to 2¹⁵: the same integers in every browser.
                sums[row][vector] = i32x4_relaxed_dot_i8x16_i7x16_add(right, x, sums[row][vector]);
            }
        }
    }
    for row in 0..ROWS {
        for vector in 0..VECTORS {
            // SAFETY: a tile's row has two panels.
            unsafe { v128_store(tile[row].as_mut_ptr().add(4 * vector).cast(), sums[row][vector]) };
        }
    }
}

/// Without the relaxed product pairs of 16-bit numbers are multiplied and added; a vector of sums holds two outputs
/// in two halves each, joined at the end.
#[cfg(not(target_feature = "relaxed-simd"))]
#[inline(always)]
fn int8_rows<const ROWS: usize>(left: Rows<'_, u8>, panel: &Panel<'_>, tile: &mut Tile<i32>) {
    let (at, stride) = (left.as_ptr(), left.stride());
    let (first, second) = panel.widened.split_at(panel.lines.len());
    for (half, vectors) in [first, second].into_iter().enumerate() {
        let mut sums = [[i32x4_splat(0); VECTORS]; ROWS];
        for (group, right) in vectors.iter().enumerate() {
            for row in 0..ROWS {
                // SAFETY: `left` has `ROWS` rows of as many groups as the panel has lines.
                let x = unsafe { v128_load32_splat(at.add(row * stride + group * GROUP).cast()) };
                let x = i16x8_extend_low_u8x16(x);
                for vector in 0..VECTORS {
                    let products = i32x4_dot_i16x8(x, right[vector]);
                    sums[row][vector] = i32x4_add(sums[row][vector], products);
                }
            }
        }
        join_halves(&sums, half, tile);
    }
}

/// Rows of 16-bit numbers and their sums.
#[derive(Debug, Default)]
pub struct WideRows {
    inputs: usize,
    /// Whole groups a row.
    stride: usize,
    values: Vec<i16>,
    outputs: usize,
    sums: Vec<i32>,
    widened: Widened,
}

impl WideRows {
    /// Makes room for `rows` rows of `inputs` numbers.
    pub fn reset(&mut self, rows: usize, inputs: usize) {
        (self.inputs, self.stride) = (inputs, inputs.next_multiple_of(GROUP));
        self.values.resize(rows * self.stride, 0);
    }

    /// Rounds a row.
    pub fn set(&mut self, isa: Isa, _rows: usize, row: usize, values: &[f32], to_integer: f32) {
        round(isa, values, to_integer, &mut self.values[row * self.stride..][..self.inputs]);
    }

    /// Sums of all rows, whatever fills up a group on the left: it is zero on the right.
    pub fn multiply(&mut self, _isa: Isa, rows: usize, right: &PackedInt8) {
        assert_eq!(self.inputs, right.inputs(), "the left side's shape");
        self.outputs = right.outputs().next_multiple_of(PANEL);
        self.sums.resize(rows * self.outputs, 0);
        let mut tile: Tile<i32> = [[0; MAX_PANELS * PANEL]; MAX_ROWS];
        for (panel, lines) in right.lines().chunks_exact(right.groups()).enumerate() {
            self.widened.widen(lines);
            for start in (0..rows).step_by(ROWS_INT8) {
                let count = ROWS_INT8.min(rows - start);
                let left = Rows::new(&self.values[start * self.stride..], count, self.stride, self.stride);
                match count {
                    1 => wide_rows::<1>(left, &self.widened.0, &mut tile),
                    _ => wide_rows::<2>(left, &self.widened.0, &mut tile),
                }
                for (row, sums) in (start..start + count).zip(&tile) {
                    self.sums[row * self.outputs + panel * PANEL..][..PANEL].copy_from_slice(&sums[..PANEL]);
                }
            }
        }
    }

    /// A row's sums, times a factor.
    pub fn read(&self, _isa: Isa, _rows: usize, row: usize, factor: f32, out: &mut [f32]) {
        for (out, sum) in out.iter_mut().zip(&self.sums[row * self.outputs..]) {
            *out = *sum as f32 * factor;
        }
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        2 * self.values.capacity() + 4 * self.sums.capacity() + 64 * self.widened.0.capacity()
    }
}

#[inline(always)]
fn wide_rows<const ROWS: usize>(left: Rows<'_, i16>, vectors: &[[v128; VECTORS]], tile: &mut Tile<i32>) {
    let (at, stride) = (left.as_ptr(), left.stride());
    let (first, second) = vectors.split_at(vectors.len() / 2);
    for (half, vectors) in [first, second].into_iter().enumerate() {
        let mut sums = [[i32x4_splat(0); VECTORS]; ROWS];
        for (group, right) in vectors.iter().enumerate() {
            for row in 0..ROWS {
                // SAFETY: `left` has `ROWS` rows of as many groups as there are vectors of a half.
                let x = unsafe { v128_load64_splat(at.add(row * stride + group * GROUP).cast()) };
                for vector in 0..VECTORS {
                    let products = i32x4_dot_i16x8(x, right[vector]);
                    sums[row][vector] = i32x4_add(sums[row][vector], products);
                }
            }
        }
        join_halves(&sums, half, tile);
    }
}

/// Adds the two halves of each output's sum.
#[inline(always)]
fn join_halves<const ROWS: usize>(sums: &[[v128; VECTORS]; ROWS], half: usize, tile: &mut Tile<i32>) {
    for row in 0..ROWS {
        for pair in 0..VECTORS / 2 {
            let (a, b) = (sums[row][2 * pair], sums[row][2 * pair + 1]);
            let even = i32x4_shuffle::<0, 2, 4, 6>(a, b);
            let odd = i32x4_shuffle::<1, 3, 5, 7>(a, b);
            // SAFETY: a tile's row has two panels.
            unsafe {
                let out = tile[row].as_mut_ptr().add(8 * half + 4 * pair);
                v128_store(out.cast(), i32x4_add(even, odd));
            }
        }
    }
}
