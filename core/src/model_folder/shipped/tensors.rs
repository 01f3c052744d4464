//! A matrix as bytes of the stream, both ways. All numbers are little-endian.

use half::f16;

use super::layout::{ALIGNMENT, aligned, part_bytes};
use crate::quantization::{INT8_MAX, Matrix, MatrixValues, Precision};

/// The bytes of a matrix: values, and scales from the next multiple of 64 on.
pub(super) fn to_bytes(matrix: &Matrix) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(matrix.bytes() + ALIGNMENT as usize);
    let to_scales = |bytes: &mut Vec<u8>| bytes.resize(bytes.len().next_multiple_of(ALIGNMENT as usize), 0);
    match &matrix.values {
        MatrixValues::F32(values) => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        MatrixValues::F16(values) => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        MatrixValues::Int8 { values, scales } => {
            bytes.extend(values.iter().map(|&value| value as u8));
            to_scales(&mut bytes);
            bytes.extend(scales.iter().flat_map(|scale| scale.to_le_bytes()));
        }
        MatrixValues::Int4 { packed, scales } => {
            bytes.extend(packed);
            to_scales(&mut bytes);
            bytes.extend(scales.iter().flat_map(|scale| scale.to_le_bytes()));
        }
    }
    bytes
}

/// The matrix of [`to_bytes`]; the rule that is broken where there is none.
pub(super) fn from_bytes(
    rows: usize,
    cols: usize,
    precision: Precision,
    bytes: &[u8],
) -> Result<Matrix, &'static str> {
    let (values, scales) = part_bytes(rows, cols, precision).ok_or("sizes overflow")?;
    let scales_at = if scales > 0 { aligned(values).ok_or("sizes overflow")? } else { values };
    if scales_at.checked_add(scales) != Some(bytes.len() as u64) {
        return Err("its bytes are not those of its size");
    }
    let (values, scales) = (&bytes[..values as usize], &bytes[scales_at as usize..]);
    let single = |bytes: &[u8]| -> Result<Vec<f32>, _> {
        let numbers: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        numbers.iter().all(|number| number.is_finite()).then_some(numbers).ok_or("a number is not finite")
    };
    let half = |bytes: &[u8]| -> Result<Vec<f16>, _> {
        let numbers: Vec<f16> = bytes.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b)).collect();
        numbers.iter().all(|number| number.is_finite()).then_some(numbers).ok_or("a number is not finite")
    };
    let values = match precision {
        Precision::F32 => MatrixValues::F32(single(values)?),
        Precision::F16 => MatrixValues::F16(half(values)?),
        Precision::Int8 => {
            let values: Vec<i8> = values.iter().map(|&byte| byte as i8).collect();
            if values.iter().any(|&value| f32::from(value) < -INT8_MAX) {
                return Err("an integer is -128");
            }
            MatrixValues::Int8 { values, scales: single(scales)? }
        }
        Precision::Int4 => {
            if values.iter().any(|byte| byte & 15 == 0 || byte >> 4 == 0) {
                return Err("an integer is -8");
            }
            MatrixValues::Int4 { packed: values.to_vec(), scales: half(scales)? }
        }
    };
    Ok(Matrix { rows, cols, values })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model_folder::shipped::layout::tensor_bytes;

    const ALL: [Precision; 4] = [Precision::F32, Precision::F16, Precision::Int8, Precision::Int4];

    #[test]
    fn every_precision_comes_back_bit_for_bit() {
        let weights: Vec<f32> = (0..3 * 35).map(|at| (at as f32 * 0.37).sin()).collect();
        for precision in ALL {
            let matrix = Matrix::new(3, 35, &weights, precision);
            let bytes = to_bytes(&matrix);
            assert_eq!(tensor_bytes(3, 35, precision), Some(bytes.len() as u64));
            assert_eq!(from_bytes(3, 35, precision, &bytes).unwrap(), matrix);
            assert!(from_bytes(3, 35, precision, &bytes[1..]).is_err());
            assert!(from_bytes(usize::MAX, 35, precision, &bytes).is_err());
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_document() {
        let matrix = Matrix::new(1, 3, &[1.27, -0.64, 0.0], Precision::Int8);
        let bytes = to_bytes(&matrix);
        assert_eq!((bytes.len(), &bytes[..4]), (68, &[127u8, 192, 0, 0][..]));
        assert_eq!(&bytes[64..], (1.27f32 / 127.0).to_le_bytes());
        let bytes = to_bytes(&Matrix::new(1, 2, &[7.0, -7.0], Precision::Int4));
        assert_eq!((bytes[0], &bytes[64..]), (0x1f, &[0x00u8, 0x3c][..])); // low half first; f16 1.0
    }

    #[test]
    fn what_no_writer_leaves_is_refused() {
        let nan = f32::NAN.to_le_bytes();
        assert_eq!(from_bytes(1, 1, Precision::F32, &nan), Err("a number is not finite"));
        assert_eq!(from_bytes(1, 1, Precision::F16, &[0, 0x7c]), Err("a number is not finite"));
        let mut bytes = to_bytes(&Matrix::new(1, 2, &[1.0, 1.0], Precision::Int8));
        bytes[1] = 128;
        assert_eq!(from_bytes(1, 2, Precision::Int8, &bytes), Err("an integer is -128"));
        let mut bytes = to_bytes(&Matrix::new(1, 2, &[1.0, 1.0], Precision::Int4));
        bytes[0] = 0x0f;
        assert_eq!(from_bytes(1, 2, Precision::Int4, &bytes), Err("an integer is -8"));
    }
}
