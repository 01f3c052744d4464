//! Products with a packed right side: `x · Wᵀ + b` in f32 and in integers.
//!
//! A panel (or two) stays in the first cache while the rows pass in tiles; blocks of rows are the caller's.
//! Integer sums are the same on every processor, and so is every f32 that comes of them. f32 sums are in order,
//! fused where the processor fuses.

use super::isa::{Isa, for_each_isa};
use super::pack::{ByteLine, FloatLine, PANEL, PackedF32, PackedInt8};
use super::quantize::QuantizedView;
use super::rows::{Rows, RowsMut};
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use super::tile::wasm;
#[cfg(target_arch = "x86_64")]
use super::tile::x86;
use super::tile::{MAX_PANELS, MAX_ROWS, Tile, portable};

/// What a kernel makes of a panel once for all rows.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
type Room = wasm::Widened;
/// No kernel here makes anything of a panel.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[derive(Default)]
struct Room {}

/// `out = left · rightᵀ (+ bias)`.
///
/// # Shapes
/// - `left`: `[rows, inputs]`, `bias`: `[outputs]`, `out`: `[rows, outputs]`
///
/// # Panics
/// If shapes differ.
pub fn product_f32(
    isa: Isa,
    left: Rows<'_, f32>,
    right: &PackedF32,
    bias: Option<&[f32]>,
    out: RowsMut<'_, f32>,
) {
    assert_eq!((left.rows(), left.cols()), (out.rows(), right.inputs()), "the left side's shape");
    assert_eq!(out.cols(), right.outputs(), "one column an output");
    assert!(bias.is_none_or(|bias| bias.len() == right.outputs()), "one bias an output");
    f32_tiles(isa, isa, left, right, bias, out);
}

for_each_isa! {
    fn f32_tiles(
        isa: Isa, left: Rows<'_, f32>, right: &PackedF32, bias: Option<&[f32]>, out: RowsMut<'_, f32>,
    ) = f32_tiles_of
}

#[inline(always)]
fn f32_tiles_of(
    isa: Isa,
    left: Rows<'_, f32>,
    right: &PackedF32,
    bias: Option<&[f32]>,
    mut out: RowsMut<'_, f32>,
) {
    let mut tile: Tile<f32> = [[0.0; MAX_PANELS * PANEL]; MAX_ROWS];
    let (tile_rows, tile_panels) = shape_f32(isa);
    for_each_tile(left.rows(), right.outputs(), tile_rows, tile_panels, |row, rows, panel, panels| {
        let lines = &right.lines()[panel * right.inputs()..][..panels * right.inputs()];
        let column = panel * PANEL;
        #[cfg(target_arch = "x86_64")]
        if isa == Isa::Avx512 {
            let width = (panels * PANEL).min(right.outputs() - column);
            let (left, bias) = (left.part(row, rows), bias.map(|bias| &bias[column..]));
            // SAFETY: an `Isa` is one that the machine has.
            unsafe { x86::product_f32_avx512(left, lines, bias, out.part(row, rows).columns(column, width)) };
            return;
        }
        sums_f32(isa, left.part(row, rows), lines, &mut tile);
        for (row, sums) in (row..).zip(&tile[..rows]) {
            let out = &mut out.row(row)[column..];
            let width = out.len().min(panels * PANEL);
            match bias {
                Some(bias) => {
                    for ((out, sum), bias) in out[..width].iter_mut().zip(sums).zip(&bias[column..]) {
                        *out = sum + bias;
                    }
                }
                None => out[..width].copy_from_slice(&sums[..width]),
            }
        }
    });
}

/// `out = left · rightᵀ (+ bias)` of quantized rows: `(sums − zero Σ w) · scale of the output · scale of the row`.
///
/// # Shapes
/// - `left`: `[rows, inputs]`, `bias`: `[outputs]`, `out`: `[rows, outputs]`
///
/// # Panics
/// If shapes differ.
pub fn product_int8(
    isa: Isa,
    left: QuantizedView<'_>,
    right: &PackedInt8,
    bias: Option<&[f32]>,
    out: RowsMut<'_, f32>,
) {
    let values = left.values;
    assert_eq!((values.rows(), left.inputs), (out.rows(), right.inputs()), "the left side's shape");
    assert_eq!(out.cols(), right.outputs(), "one column an output");
    assert!(bias.is_none_or(|bias| bias.len() == right.outputs()), "one bias an output");
    int8_tiles(isa, isa, left, right, bias, out);
}

for_each_isa! {
    fn int8_tiles(
        isa: Isa, left: QuantizedView<'_>, right: &PackedInt8, bias: Option<&[f32]>, out: RowsMut<'_, f32>,
    ) = int8_tiles_of
}

#[inline(always)]
fn int8_tiles_of(
    isa: Isa,
    left: QuantizedView<'_>,
    right: &PackedInt8,
    bias: Option<&[f32]>,
    mut out: RowsMut<'_, f32>,
) {
    let values = left.values;
    let mut tile: Tile<i32> = [[0; MAX_PANELS * PANEL]; MAX_ROWS];
    let mut tile_of_rest = tile;
    let mut room = Room::default();
    let (tile_rows, tile_panels) = shape_int8(isa);
    for_each_tile(values.rows(), right.outputs(), tile_rows, tile_panels, |row, rows, panel, panels| {
        let lines = &right.lines()[panel * right.groups()..][..panels * right.groups()];
        let column = panel * PANEL;
        let (scales, sums_of_weights) = (&right.scales()[column..], &right.sums()[column..]);
        let zeros = &left.zeros[row..row + rows];
        #[cfg(target_arch = "x86_64")]
        if isa == Isa::Avx512 {
            let width = (panels * PANEL).min(right.outputs() - column);
            let row_scales = &left.scales[row..row + rows];
            let scaling = x86::Scaling { zeros, sums: sums_of_weights, weights: scales, rows: row_scales };
            let (left, bias) = (values.part(row, rows), bias.map(|bias| &bias[column..]));
            let mut out = out.part(row, rows);
            // SAFETY: an `Isa` is one that the machine has.
            unsafe { x86::product_int8_avx512(left, lines, scaling, bias, out.columns(column, width)) };
            return;
        }
        sums_int8(isa, values.part(row, rows), lines, &mut room, row == 0, &mut tile);
        if let Some(rest) = left.rest {
            sums_int8(isa, rest.part(row, rows), lines, &mut room, false, &mut tile_of_rest);
            for (sums, rest) in tile.iter_mut().zip(&tile_of_rest).take(rows) {
                sums.iter_mut().zip(rest).for_each(|(sum, rest)| *sum += rest);
            }
        }
        for ((row, sums), zero) in (row..).zip(&tile[..rows]).zip(zeros) {
            let scale = left.scales[row];
            let out = &mut out.row(row)[column..];
            let width = out.len().min(panels * PANEL);
            let mut terms = [0.0; MAX_PANELS * PANEL];
            for ((term, sum), (sum_of_weights, weight)) in
                terms.iter_mut().zip(sums).zip(sums_of_weights.iter().zip(scales))
            {
                *term = (sum - zero * sum_of_weights) as f32 * weight * scale;
            }
            if let Some(bias) = bias {
                for (term, bias) in terms[..width].iter_mut().zip(&bias[column..]) {
                    *term += bias;
                }
            }
            out[..width].copy_from_slice(&terms[..width]);
        }
    });
}

/// The bare sums of an integer product, no zero point: `out = left · rightᵀ`.
///
/// # Shapes
/// - `left`: `[rows, inputs]`, filled up to whole groups, of at most 127; `out`: `[rows, outputs]`
///
/// # Panics
/// If shapes differ.
pub fn sums_of_int8(isa: Isa, left: Rows<'_, u8>, right: &PackedInt8, mut out: RowsMut<'_, i32>) {
    assert_eq!((left.rows(), left.cols()), (out.rows(), right.groups() * super::pack::GROUP));
    assert_eq!(out.cols(), right.outputs(), "one column an output");
    let mut tile: Tile<i32> = [[0; MAX_PANELS * PANEL]; MAX_ROWS];
    let mut room = Room::default();
    let (tile_rows, tile_panels) = shape_int8(isa);
    for_each_tile(left.rows(), right.outputs(), tile_rows, tile_panels, |row, rows, panel, panels| {
        let lines = &right.lines()[panel * right.groups()..][..panels * right.groups()];
        #[cfg(target_arch = "x86_64")]
        if isa == Isa::Avx512 {
            let width = (panels * PANEL).min(right.outputs() - panel * PANEL);
            let mut out = out.part(row, rows);
            let out = out.columns(panel * PANEL, width);
            // SAFETY: an `Isa` is one that the machine has.
            unsafe { x86::sums_int8_avx512(left.part(row, rows), lines, out) };
            return;
        }
        sums_int8(isa, left.part(row, rows), lines, &mut room, row == 0, &mut tile);
        for (row, sums) in (row..).zip(&tile[..rows]) {
            let out = &mut out.row(row)[panel * PANEL..];
            let width = out.len().min(panels * PANEL);
            out[..width].copy_from_slice(&sums[..width]);
        }
    });
}

/// Cuts rows and outputs into tiles of nearly equal rows; gives first row, rows, first panel, panels.
#[inline(always)]
fn for_each_tile(
    rows: usize,
    outputs: usize,
    tile_rows: usize,
    tile_panels: usize,
    mut tile: impl FnMut(usize, usize, usize, usize),
) {
    let panels = outputs.div_ceil(PANEL);
    let tiles = rows.div_ceil(tile_rows);
    for panel in (0..panels).step_by(tile_panels) {
        for index in 0..tiles {
            let (start, end) = (index * rows / tiles, (index + 1) * rows / tiles);
            tile(start, end - start, panel, tile_panels.min(panels - panel));
        }
    }
}

/// Rows and panels of a tile.
fn shape_f32(isa: Isa) -> (usize, usize) {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => (x86::ROWS_AVX512, 2),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => (x86::ROWS_AVX2_F32, 1),
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        Isa::Portable => (wasm::ROWS_F32, 1),
        #[allow(unreachable_patterns)]
        _ => (portable::ROWS, 1),
    }
}

fn shape_int8(isa: Isa) -> (usize, usize) {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => (x86::ROWS_AVX512, 2),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => (x86::ROWS_AVX2_INT8, 1),
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        Isa::Portable => (wasm::ROWS_INT8, 1),
        #[allow(unreachable_patterns)]
        _ => (portable::ROWS, 1),
    }
}

fn sums_f32(isa: Isa, left: Rows<'_, f32>, lines: &[FloatLine], tile: &mut Tile<f32>) {
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` is one that the machine has.
        Isa::Avx2 => unsafe { x86::tile_f32_avx2(left, lines, tile) },
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        Isa::Portable => wasm::tile_f32(left, lines, tile),
        #[allow(unreachable_patterns)]
        _ => portable::tile_f32(left, lines, tile),
    }
}

/// `room` is the processor's for the panel, `fresh` if it is another panel than the last one's.
fn sums_int8(
    isa: Isa,
    left: Rows<'_, u8>,
    lines: &[ByteLine],
    room: &mut Room,
    fresh: bool,
    tile: &mut Tile<i32>,
) {
    #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
    let _ = (room, fresh);
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` is one that the machine has.
        Isa::Avx2 => unsafe { x86::tile_int8_avx2(left, lines, tile) },
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        Isa::Portable => wasm::tile_int8(left, &room.panel(lines, fresh), tile),
        #[allow(unreachable_patterns)]
        _ => portable::tile_int8(left, lines, tile),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::quantize::QuantizedRows;

    /// Repeatable numbers in −1..1.
    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        let mut state = seed as u64 + 1;
        let next = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(next).collect()
    }

    /// Rows, inputs, outputs: every remainder of tiles, panels and groups.
    const SHAPES: [(usize, usize, usize); 9] = [
        (1, 1, 1),
        (2, 3, 15),
        (5, 7, 16),
        (11, 64, 17),
        (12, 65, 33),
        (13, 127, 48),
        (25, 200, 31),
        (48, 512, 64),
        (3, 2048, 70),
    ];

    #[test]
    fn f32_products_are_those_of_f64_on_every_isa() {
        for (rows, inputs, outputs) in SHAPES {
            let (x, w, b) = (numbers(rows * inputs, 1), numbers(outputs * inputs, 2), numbers(outputs, 3));
            let right = PackedF32::from_rows(Rows::new(&w, outputs, inputs, inputs));
            for isa in Isa::available() {
                let mut out = vec![f32::NAN; rows * (outputs + 3)];
                let place = RowsMut::new(&mut out, rows, outputs, outputs + 3);
                product_f32(isa, Rows::new(&x, rows, inputs, inputs), &right, Some(&b), place);
                for row in 0..rows {
                    for column in 0..outputs {
                        let term = |i| f64::from(x[row * inputs + i]) * f64::from(w[column * inputs + i]);
                        let expected = (0..inputs).map(term).sum::<f64>() + f64::from(b[column]);
                        let found = f64::from(out[row * (outputs + 3) + column]);
                        assert!((found - expected).abs() < 1e-6 * inputs as f64, "{isa:?} {inputs}");
                    }
                    let gap = &out[(row * (outputs + 3) + outputs)..(row + 1) * (outputs + 3)];
                    assert!(gap.iter().all(|value| value.is_nan()), "nothing is written between rows");
                }
            }
        }
    }

    #[test]
    fn integer_sums_are_exact_on_every_isa_at_the_extremes() {
        for (rows, inputs, outputs) in SHAPES {
            // All of one sign is the worst for 16-bit steps.
            for (left, right) in [(127_u8, 127_i8), (127, -127), (0, 0)] {
                let padded = inputs.next_multiple_of(4);
                let mut x: Vec<u8> =
                    numbers(rows * padded, 4).iter().map(|x| (x.abs() * 127.0) as u8).collect();
                let mut w: Vec<i8> = numbers(outputs * inputs, 5).iter().map(|w| (w * 127.0) as i8).collect();
                if left > 0 {
                    (x, w) = (vec![left; rows * padded], vec![right; outputs * inputs]);
                }
                let packed =
                    PackedInt8::from_rows(Rows::new(&w, outputs, inputs, inputs), &vec![1.0; outputs]);
                for isa in Isa::available() {
                    let mut out = vec![i32::MIN; rows * outputs];
                    let place = RowsMut::new(&mut out, rows, outputs, outputs);
                    sums_of_int8(isa, Rows::new(&x, rows, padded, padded), &packed, place);
                    for (at, found) in out.iter().enumerate() {
                        let (row, column) = (at / outputs, at % outputs);
                        let term = |i| i32::from(x[row * padded + i]) * i32::from(w[column * inputs + i]);
                        assert_eq!(*found, (0..inputs).map(term).sum::<i32>(), "{isa:?} {inputs}");
                    }
                }
            }
        }
    }

    #[test]
    fn quantized_products_have_the_same_bits_on_every_isa_and_for_every_block_of_rows() {
        for (rows, inputs, outputs) in SHAPES {
            let (x, w, b) = (numbers(rows * inputs, 6), numbers(outputs * inputs, 7), numbers(outputs, 8));
            let mut right = PackedInt8::default();
            right.pack_rows(
                Isa::Portable,
                outputs,
                inputs,
                |row| &w[row * inputs..][..inputs],
                &mut Vec::new(),
            );
            let product = |isa, x: &[f32], rows| {
                let mut left = QuantizedRows::default();
                left.quantize(isa, Rows::new(x, rows, inputs, inputs));
                let mut out = vec![0.0; rows * outputs];
                product_int8(
                    isa,
                    left.view(),
                    &right,
                    Some(&b),
                    RowsMut::new(&mut out, rows, outputs, outputs),
                );
                out
            };
            let expected = product(Isa::Portable, &x, rows);
            for isa in Isa::available() {
                let whole = product(isa, &x, rows);
                let one_by_one: Vec<f32> = x.chunks(inputs).flat_map(|x| product(isa, x, 1)).collect();
                let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&whole), bits(&expected), "{isa:?}");
                assert_eq!(bits(&one_by_one), bits(&expected), "{isa:?}");
            }
            for (at, found) in expected.iter().enumerate() {
                let (row, column) = (at / outputs, at % outputs);
                let exact: f32 = (0..inputs).map(|i| x[row * inputs + i] * w[column * inputs + i]).sum();
                assert!((found - exact - b[column]).abs() < 0.02 * (inputs as f32).sqrt() + 0.02, "{inputs}");
            }
        }
    }
}
