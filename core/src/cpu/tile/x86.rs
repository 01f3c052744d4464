//! AVX-512 (with VNNI for integers) and AVX2 with FMA.

use std::arch::x86_64::*;

use super::Tile;
use crate::cpu::pack::{ByteLine, FloatLine, GROUP, PANEL};
use crate::cpu::rows::Rows;

/// Rows of an AVX-512 tile, over two panels: 24 of 32 registers are sums.
pub const ROWS_AVX512: usize = 12;
/// Rows of an AVX2 tile in f32, over one panel: 12 of 16 registers are sums.
pub const ROWS_AVX2_F32: usize = 6;
/// Rows of an AVX2 tile in integers, over one panel: the 16-bit steps need registers of their own.
pub const ROWS_AVX2_INT8: usize = 4;

/// Calls a kernel of as many rows as there are.
macro_rules! with_rows {
    ($rows:expr, $kernel:ident::<$panels:literal> $args:tt, $($count:literal)*) => {
        match $rows {
            // SAFETY: the caller checked the processor and the lengths.
            $($count => unsafe { $kernel::<$count, $panels> $args },)*
            rows => unreachable!("a tile of {rows} rows"),
        }
    };
}

/// Sums over one or two panels of `inputs` lines, `[panels, inputs]`.
///
/// # Safety
/// The processor has AVX-512 F.
pub unsafe fn tile_f32_avx512(left: Rows<'_, f32>, panels: &[FloatLine], tile: &mut Tile<f32>) {
    let inputs = left.cols();
    assert!(left.rows() <= ROWS_AVX512 && left.rows() > 0);
    let (at, stride, lines) = (left.as_ptr(), left.stride(), panels.as_ptr());
    if panels.len() == 2 * inputs {
        with_rows!(left.rows(), f32_avx512::<2>(at, stride, lines, inputs, tile), 1 2 3 4 5 6 7 8 9 10 11 12);
    } else {
        assert_eq!(panels.len(), inputs);
        with_rows!(left.rows(), f32_avx512::<1>(at, stride, lines, inputs, tile), 1 2 3 4 5 6 7 8 9 10 11 12);
    }
}

#[target_feature(enable = "avx512f")]
unsafe fn f32_avx512<const ROWS: usize, const PANELS: usize>(
    left: *const f32,
    stride: usize,
    lines: *const FloatLine,
    inputs: usize,
    tile: &mut Tile<f32>,
) {
    let mut sums = [[_mm512_setzero_ps(); PANELS]; ROWS];
    for input in 0..inputs {
        let mut right = [_mm512_setzero_ps(); PANELS];
        for panel in 0..PANELS {
            // SAFETY: `panels` has `PANELS × inputs` lines.
            right[panel] = unsafe { _mm512_load_ps(lines.add(panel * inputs + input).cast()) };
        }
        for row in 0..ROWS {
            // SAFETY: `left` has `ROWS` rows of `inputs` numbers.
            let x = _mm512_set1_ps(unsafe { *left.add(row * stride + input) });
            for panel in 0..PANELS {
                sums[row][panel] = _mm512_fmadd_ps(x, right[panel], sums[row][panel]);
            }
        }
    }
    for row in 0..ROWS {
        for panel in 0..PANELS {
            // SAFETY: a tile's row has two panels.
            unsafe { _mm512_storeu_ps(tile[row].as_mut_ptr().add(panel * PANEL), sums[row][panel]) };
        }
    }
}

/// Sums over one or two panels of `groups` lines, `[panels, groups]`; `left` has whole groups.
///
/// # Safety
/// The processor has AVX-512 F and VNNI.
pub unsafe fn tile_int8_avx512(left: Rows<'_, u8>, panels: &[ByteLine], tile: &mut Tile<i32>) {
    let groups = left.cols() / GROUP;
    assert!(left.rows() <= ROWS_AVX512 && left.rows() > 0);
    let (at, stride, lines) = (left.as_ptr(), left.stride(), panels.as_ptr());
    if panels.len() == 2 * groups {
        with_rows!(left.rows(), int8_avx512::<2>(at, stride, lines, groups, tile), 1 2 3 4 5 6 7 8 9 10 11 12);
    } else {
        assert_eq!(panels.len(), groups);
        with_rows!(left.rows(), int8_avx512::<1>(at, stride, lines, groups, tile), 1 2 3 4 5 6 7 8 9 10 11 12);
    }
}

#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn int8_avx512<const ROWS: usize, const PANELS: usize>(
    left: *const u8,
    stride: usize,
    lines: *const ByteLine,
    groups: usize,
    tile: &mut Tile<i32>,
) {
    let mut sums = [[_mm512_setzero_si512(); PANELS]; ROWS];
    for group in 0..groups {
        let mut right = [_mm512_setzero_si512(); PANELS];
        for panel in 0..PANELS {
            // SAFETY: `panels` has `PANELS × groups` lines.
            right[panel] = unsafe { _mm512_load_si512(lines.add(panel * groups + group).cast()) };
        }
        for row in 0..ROWS {
            // SAFETY: `left` has `ROWS` rows of `groups` groups.
            let x = unsafe { left.add(row * stride + group * GROUP).cast::<i32>().read_unaligned() };
            let x = _mm512_set1_epi32(x);
            for panel in 0..PANELS {
                sums[row][panel] = _mm512_dpbusd_epi32(sums[row][panel], x, right[panel]);
            }
        }
    }
    for row in 0..ROWS {
        for panel in 0..PANELS {
            // SAFETY: a tile's row has two panels.
            unsafe {
                _mm512_storeu_si512(tile[row].as_mut_ptr().add(panel * PANEL).cast(), sums[row][panel])
            };
        }
    }
}

/// Sums over one panel of `inputs` lines.
///
/// # Safety
/// The processor has AVX2 and FMA.
pub unsafe fn tile_f32_avx2(left: Rows<'_, f32>, panel: &[FloatLine], tile: &mut Tile<f32>) {
    assert_eq!(panel.len(), left.cols());
    let (at, stride, lines) = (left.as_ptr(), left.stride(), panel.as_ptr());
    with_rows!(left.rows(), f32_avx2::<2>(at, stride, lines, left.cols(), tile), 1 2 3 4 5 6);
}

#[target_feature(enable = "avx2,fma")]
unsafe fn f32_avx2<const ROWS: usize, const HALVES: usize>(
    left: *const f32,
    stride: usize,
    lines: *const FloatLine,
    inputs: usize,
    tile: &mut Tile<f32>,
) {
    let mut sums = [[_mm256_setzero_ps(); HALVES]; ROWS];
    for input in 0..inputs {
        // SAFETY: there are `inputs` lines, and `left` has `ROWS` rows of `inputs` numbers.
        unsafe {
            let line = lines.add(input).cast::<f32>();
            let right = [_mm256_load_ps(line), _mm256_load_ps(line.add(8))];
            for row in 0..ROWS {
                let x = _mm256_broadcast_ss(&*left.add(row * stride + input));
                for half in 0..HALVES {
                    sums[row][half] = _mm256_fmadd_ps(x, right[half], sums[row][half]);
                }
            }
        }
    }
    for row in 0..ROWS {
        for half in 0..HALVES {
            // SAFETY: a panel has two halves.
            unsafe { _mm256_storeu_ps(tile[row].as_mut_ptr().add(half * 8), sums[row][half]) };
        }
    }
}

/// Sums over one panel of whole groups; `left` has whole groups, of at most 127.
///
/// # Safety
/// The processor has AVX2.
pub unsafe fn tile_int8_avx2(left: Rows<'_, u8>, panel: &[ByteLine], tile: &mut Tile<i32>) {
    let groups = left.cols() / GROUP;
    assert_eq!(panel.len(), groups);
    let (at, stride, lines) = (left.as_ptr(), left.stride(), panel.as_ptr());
    with_rows!(left.rows(), int8_avx2::<2>(at, stride, lines, groups, tile), 1 2 3 4);
}

#[target_feature(enable = "avx2")]
unsafe fn int8_avx2<const ROWS: usize, const HALVES: usize>(
    left: *const u8,
    stride: usize,
    lines: *const ByteLine,
    groups: usize,
    tile: &mut Tile<i32>,
) {
    let ones = _mm256_set1_epi16(1);
    let mut sums = [[_mm256_setzero_si256(); HALVES]; ROWS];
    for group in 0..groups {
        // SAFETY: there are `groups` lines, and `left` has `ROWS` rows of `groups` groups.
        unsafe {
            let line = lines.add(group).cast::<__m256i>();
            let right = [_mm256_load_si256(line), _mm256_load_si256(line.add(1))];
            for row in 0..ROWS {
                let x = left.add(row * stride + group * GROUP).cast::<i32>().read_unaligned();
                let x = _mm256_set1_epi32(x);
                for half in 0..HALVES {
                    // 2 × 127 × 127 < 2¹⁵: nothing saturates.
                    let pairs = _mm256_maddubs_epi16(x, right[half]);
                    sums[row][half] = _mm256_add_epi32(sums[row][half], _mm256_madd_epi16(pairs, ones));
                }
            }
        }
    }
    for row in 0..ROWS {
        for half in 0..HALVES {
            // SAFETY: a panel has two halves.
            unsafe { _mm256_storeu_si256(tile[row].as_mut_ptr().add(half * 8).cast(), sums[row][half]) };
        }
    }
}
