//! AVX-512 (with VNNI for integers) and AVX2 with FMA.

use std::arch::x86_64::*;

use super::Tile;
use crate::cpu::pack::{ByteLine, FloatLine, GROUP, PANEL};
use crate::cpu::rows::{Rows, RowsMut};

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

/// `left · panelsᵀ (+ bias)` straight from the registers to `out`, over one or two panels of `inputs` lines.
/// `bias` is that of `out`'s columns.
///
/// # Safety
/// The processor has AVX-512 F.
pub unsafe fn product_f32_avx512(
    left: Rows<'_, f32>,
    panels: &[FloatLine],
    bias: Option<&[f32]>,
    out: RowsMut<'_, f32>,
) {
    let inputs = left.cols();
    let target = Target::new(left.rows(), bias, out, panels.len(), inputs);
    let (at, stride, lines) = (left.as_ptr(), left.stride(), panels.as_ptr());
    if target.two_panels {
        with_rows!(left.rows(), f32_avx512::<2>(at, stride, lines, inputs, target), 1 2 3 4 5 6 7 8 9 10 11 12);
    } else {
        with_rows!(left.rows(), f32_avx512::<1>(at, stride, lines, inputs, target), 1 2 3 4 5 6 7 8 9 10 11 12);
    }
}

/// Where a tile's numbers go.
#[derive(Clone, Copy)]
struct Target<T> {
    out: *mut T,
    stride: usize,
    /// The columns that there are of each panel.
    masks: [__mmask16; 2],
    /// Of the first column; null for none.
    bias: *const f32,
    two_panels: bool,
}

impl<T> Target<T> {
    fn new(rows: usize, bias: Option<&[f32]>, mut out: RowsMut<'_, T>, lines: usize, inputs: usize) -> Self {
        let width = out.cols();
        let panels = width.div_ceil(PANEL);
        assert!(rows == out.rows() && rows > 0 && width > 0 && panels <= 2, "a tile's shape");
        assert_eq!(lines, panels * inputs, "as many panels as columns");
        assert!(bias.is_none_or(|bias| bias.len() >= width), "one bias a column");
        let mask = |width: usize| if width >= PANEL { u16::MAX } else { (1 << width) - 1 };
        Self {
            masks: [mask(width), mask(width.saturating_sub(PANEL))],
            stride: out.stride(),
            out: out.as_mut_ptr(),
            bias: bias.map_or(std::ptr::null(), <[f32]>::as_ptr),
            two_panels: panels == 2,
        }
    }

    /// Where row `row`'s columns of a panel start.
    #[inline(always)]
    fn at(&self, row: usize, panel: usize) -> *mut T {
        self.out.wrapping_add(row * self.stride + panel * PANEL)
    }

    /// The bias of a panel's columns.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn bias_of(&self, panel: usize) -> __m512 {
        if self.bias.is_null() {
            return _mm512_setzero_ps();
        }
        // SAFETY: there is a bias for every column under the mask.
        unsafe { _mm512_maskz_loadu_ps(self.masks[panel], self.bias.wrapping_add(panel * PANEL)) }
    }
}

#[target_feature(enable = "avx512f")]
unsafe fn f32_avx512<const ROWS: usize, const PANELS: usize>(
    left: *const f32,
    stride: usize,
    lines: *const FloatLine,
    inputs: usize,
    target: Target<f32>,
) {
    let mut sums = [[_mm512_setzero_ps(); PANELS]; ROWS];
    for input in 0..inputs {
        let mut right = [_mm512_setzero_ps(); PANELS];
        for panel in 0..PANELS {
            // SAFETY: there are `PANELS × inputs` lines.
            let line = lines.wrapping_add(panel * inputs + input);
            right[panel] = unsafe { _mm512_load_ps(line.cast()) };
            // The next panels come from far: every line is asked for once before its turn.
            _mm_prefetch::<_MM_HINT_T0>(line.wrapping_add(PANELS * inputs).cast());
        }
        for row in 0..ROWS {
            // SAFETY: `left` has `ROWS` rows of `inputs` numbers.
            let x = _mm512_set1_ps(unsafe { *left.wrapping_add(row * stride + input) });
            for panel in 0..PANELS {
                sums[row][panel] = _mm512_fmadd_ps(x, right[panel], sums[row][panel]);
            }
        }
    }
    for panel in 0..PANELS {
        // SAFETY: the target was checked.
        let bias = unsafe { target.bias_of(panel) };
        for row in 0..ROWS {
            let sum =
                if target.bias.is_null() { sums[row][panel] } else { _mm512_add_ps(sums[row][panel], bias) };
            // SAFETY: the target has `ROWS` rows of the columns under the mask.
            unsafe { _mm512_mask_storeu_ps(target.at(row, panel), target.masks[panel], sum) };
        }
    }
}

/// How integers become numbers: `(sum − zero · sum of the weights) · weight scale · row scale`.
#[derive(Clone, Copy)]
pub struct Scaling<'a> {
    /// The integer of 0, one a row.
    pub zeros: &'a [i32],
    /// Of a column's weights, filled up to whole panels.
    pub sums: &'a [i32],
    /// One a column, filled up to whole panels.
    pub weights: &'a [f32],
    /// One a row.
    pub rows: &'a [f32],
}

/// Quantized `left · panelsᵀ (+ bias)` straight from the registers to `out`, over one or two panels of whole groups.
///
/// # Safety
/// The processor has AVX-512 F and VNNI.
pub unsafe fn product_int8_avx512(
    left: Rows<'_, u8>,
    panels: &[ByteLine],
    scaling: Scaling<'_>,
    bias: Option<&[f32]>,
    out: RowsMut<'_, f32>,
) {
    let groups = left.cols() / GROUP;
    let target = Target::new(left.rows(), bias, out, panels.len(), groups);
    let columns = if target.two_panels { 2 * PANEL } else { PANEL };
    assert!(scaling.sums.len() >= columns && scaling.weights.len() >= columns, "whole panels");
    assert_eq!((scaling.rows.len(), scaling.zeros.len()), (left.rows(), left.rows()), "one scale a row");
    let (at, stride, lines) = (left.as_ptr(), left.stride(), panels.as_ptr());
    let finish = Scaled { scaling, target };
    if target.two_panels {
        with_rows!(left.rows(), int8_avx512::<2>(at, stride, lines, groups, finish), 1 2 3 4 5 6 7 8 9 10 11 12);
    } else {
        with_rows!(left.rows(), int8_avx512::<1>(at, stride, lines, groups, finish), 1 2 3 4 5 6 7 8 9 10 11 12);
    }
}

/// The bare sums of `left · panelsᵀ`, over one or two panels of whole groups.
///
/// # Safety
/// The processor has AVX-512 F and VNNI.
pub unsafe fn sums_int8_avx512(left: Rows<'_, u8>, panels: &[ByteLine], out: RowsMut<'_, i32>) {
    let groups = left.cols() / GROUP;
    let target = Target::new(left.rows(), None, out, panels.len(), groups);
    let (at, stride, lines) = (left.as_ptr(), left.stride(), panels.as_ptr());
    if target.two_panels {
        with_rows!(left.rows(), int8_avx512::<2>(at, stride, lines, groups, target), 1 2 3 4 5 6 7 8 9 10 11 12);
    } else {
        with_rows!(left.rows(), int8_avx512::<1>(at, stride, lines, groups, target), 1 2 3 4 5 6 7 8 9 10 11 12);
    }
}

/// What becomes of a tile's integers.
trait Finish: Copy {
    /// What the sums of a panel start from.
    ///
    /// # Safety
    /// There are `ROWS` rows and such a panel.
    unsafe fn start<const ROWS: usize>(self, panel: usize) -> [__m512i; ROWS];

    /// # Safety
    /// `sums` are of the target's rows and panels.
    unsafe fn finish<const ROWS: usize, const PANELS: usize>(self, sums: &[[__m512i; PANELS]; ROWS]);
}

impl Finish for Target<i32> {
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn start<const ROWS: usize>(self, _panel: usize) -> [__m512i; ROWS] {
        [_mm512_setzero_si512(); ROWS]
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn finish<const ROWS: usize, const PANELS: usize>(self, sums: &[[__m512i; PANELS]; ROWS]) {
        for row in 0..ROWS {
            for panel in 0..PANELS {
                // SAFETY: the target has `ROWS` rows of the columns under the mask.
                unsafe {
                    _mm512_mask_storeu_epi32(self.at(row, panel), self.masks[panel], sums[row][panel]);
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Scaled<'a> {
    scaling: Scaling<'a>,
    target: Target<f32>,
}

impl Finish for Scaled<'_> {
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn start<const ROWS: usize>(self, panel: usize) -> [__m512i; ROWS] {
        // SAFETY: sums fill whole panels.
        let sums =
            unsafe { _mm512_loadu_si512(self.scaling.sums.as_ptr().wrapping_add(panel * PANEL).cast()) };
        let mut start = [sums; ROWS];
        for (row, start) in start.iter_mut().enumerate() {
            // SAFETY: there is a zero for every row.
            let zero = unsafe { *self.scaling.zeros.as_ptr().wrapping_add(row) };
            *start = _mm512_mullo_epi32(sums, _mm512_set1_epi32(-zero));
        }
        start
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn finish<const ROWS: usize, const PANELS: usize>(self, sums: &[[__m512i; PANELS]; ROWS]) {
        let Self { scaling, target } = self;
        for panel in 0..PANELS {
            // SAFETY: scales fill whole panels.
            let (weight, bias) = unsafe {
                (_mm512_loadu_ps(scaling.weights.as_ptr().wrapping_add(panel * PANEL)), target.bias_of(panel))
            };
            for row in 0..ROWS {
                let term = _mm512_cvtepi32_ps(sums[row][panel]);
                // SAFETY: there is a scale for every row.
                let scale = _mm512_set1_ps(unsafe { *scaling.rows.as_ptr().wrapping_add(row) });
                let mut term = _mm512_mul_ps(_mm512_mul_ps(term, weight), scale);
                if !target.bias.is_null() {
                    term = _mm512_add_ps(term, bias);
                }
                // SAFETY: the target has `ROWS` rows of the columns under the mask.
                unsafe { _mm512_mask_storeu_ps(target.at(row, panel), target.masks[panel], term) };
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn int8_avx512<const ROWS: usize, const PANELS: usize>(
    left: *const u8,
    stride: usize,
    lines: *const ByteLine,
    groups: usize,
    finish: impl Finish,
) {
    let mut sums = [[_mm512_setzero_si512(); PANELS]; ROWS];
    for panel in 0..PANELS {
        // SAFETY: the caller's target has these panels.
        let start: [__m512i; ROWS] = unsafe { finish.start(panel) };
        sums.iter_mut().zip(start).for_each(|(sums, start)| sums[panel] = start);
    }
    for group in 0..groups {
        let mut right = [_mm512_setzero_si512(); PANELS];
        for panel in 0..PANELS {
            // SAFETY: there are `PANELS × groups` lines.
            let line = lines.wrapping_add(panel * groups + group);
            right[panel] = unsafe { _mm512_load_si512(line.cast()) };
            _mm_prefetch::<_MM_HINT_T0>(line.wrapping_add(PANELS * groups).cast());
        }
        for row in 0..ROWS {
            // SAFETY: `left` has `ROWS` rows of `groups` groups.
            let x = unsafe { left.wrapping_add(row * stride + group * GROUP).cast::<i32>().read_unaligned() };
            let x = _mm512_set1_epi32(x);
            for panel in 0..PANELS {
                sums[row][panel] = _mm512_dpbusd_epi32(sums[row][panel], x, right[panel]);
            }
        }
    }
    // SAFETY: the caller's target has these rows and panels.
    unsafe { finish.finish(&sums) };
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
            let line = lines.wrapping_add(input).cast::<f32>();
            let right = [_mm256_load_ps(line), _mm256_load_ps(line.wrapping_add(8))];
            for row in 0..ROWS {
                let x = _mm256_broadcast_ss(&*left.wrapping_add(row * stride + input));
                for half in 0..HALVES {
                    sums[row][half] = _mm256_fmadd_ps(x, right[half], sums[row][half]);
                }
            }
        }
    }
    for row in 0..ROWS {
        for half in 0..HALVES {
            // SAFETY: a panel has two halves.
            unsafe { _mm256_storeu_ps(tile[row].as_mut_ptr().wrapping_add(half * 8), sums[row][half]) };
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
            let line = lines.wrapping_add(group).cast::<__m256i>();
            let right = [_mm256_load_si256(line), _mm256_load_si256(line.wrapping_add(1))];
            for row in 0..ROWS {
                let x = left.wrapping_add(row * stride + group * GROUP).cast::<i32>().read_unaligned();
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
            unsafe {
                _mm256_storeu_si256(tile[row].as_mut_ptr().wrapping_add(half * 8).cast(), sums[row][half])
            };
        }
    }
}
