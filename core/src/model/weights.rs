//! Parameters as the bytes of a safetensors file, both ways.

use std::collections::{BTreeMap, HashMap};

use burn::tensor::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView, serialize};
use thiserror::Error;

use super::parameters::Values;

/// Bytes that are no safetensors file.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// The header does not parse, or the data is shorter or longer than the header says.
    #[error("not a whole safetensors file")]
    Format(#[from] SafeTensorError),
}

/// Reads all tensors of floats (f16, bf16, f32, f64) as f32. Returns them and the names of the others, sorted.
///
/// # Errors
/// A damaged header, or data of another length than the header says.
pub fn read_weights(bytes: &[u8]) -> Result<(BTreeMap<String, Values>, Vec<String>), WeightsError> {
    let file = SafeTensors::deserialize(bytes)?;
    let mut values = BTreeMap::new();
    let mut others = Vec::new();
    for (name, tensor) in file.iter() {
        match floats(&tensor) {
            Some(data) => {
                values.insert(name.to_owned(), Values { shape: tensor.shape().to_vec(), data });
            }
            None => others.push(name.to_owned()),
        }
    }
    others.sort();
    Ok((values, others))
}

fn floats(tensor: &TensorView<'_>) -> Option<Vec<f32>> {
    let bytes = tensor.data();
    Some(match tensor.dtype() {
        Dtype::F32 => bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Dtype::F16 => bytes.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
        Dtype::BF16 => bytes.as_chunks::<2>().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect(),
        Dtype::F64 => bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
        _ => return None,
    })
}

/// Writes tensors as f32 with the metadata `format` = `pt`, which Python's libraries ask for. The same values
/// give the same bytes.
///
/// # Panics
/// If a tensor's values do not fill its shape.
pub fn write_weights(values: &BTreeMap<String, Values>) -> Vec<u8> {
    let data: BTreeMap<&String, Vec<u8>> = values
        .iter()
        .map(|(name, values)| (name, values.data.iter().flat_map(|value| value.to_le_bytes()).collect()))
        .collect();
    let views = values.iter().map(|(name, values)| {
        let view = TensorView::new(Dtype::F32, values.shape.clone(), &data[name]);
        (name, view.expect("the values fill the shape"))
    });
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    serialize(views, Some(metadata)).expect("plain tensors serialize")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_bit_for_bit_and_in_the_same_bytes() {
        let tensor = |shape: &[usize], data: &[f32]| Values { shape: shape.to_vec(), data: data.to_vec() };
        let values = BTreeMap::from([
            ("b".to_owned(), tensor(&[2, 2], &[1.0, -0.0, f32::MIN_POSITIVE, 3.5])),
            ("a".to_owned(), tensor(&[1], &[0.1])),
        ]);
        let bytes = write_weights(&values);
        assert_eq!(write_weights(&values), bytes);
        let (back, others) = read_weights(&bytes).unwrap();
        assert_eq!(back, values);
        assert!(back["b"].data[1].is_sign_negative() && others.is_empty());
        assert!(read_weights(&bytes[..bytes.len() - 1]).is_err());
        assert!(read_weights(b"no such file").is_err());
    }

    #[test]
    fn half_and_double_precision_become_f32_and_integers_are_named() {
        // 1.5 = sign 0, exponent 0, mantissa .5: f16 0x3e00, bf16 0x3fc0.
        let (half, brain) = (0x3e00u16.to_le_bytes(), 0x3fc0u16.to_le_bytes());
        let (double, integer) = (1.5f64.to_le_bytes(), 7i64.to_le_bytes());
        let view = |dtype, bytes| TensorView::new(dtype, vec![1], bytes).unwrap();
        let file = serialize(
            [
                ("half", view(Dtype::F16, &half)),
                ("brain", view(Dtype::BF16, &brain)),
                ("double", view(Dtype::F64, &double)),
                ("position_ids", view(Dtype::I64, &integer)),
            ],
            None,
        )
        .unwrap();
        let (values, others) = read_weights(&file).unwrap();
        assert_eq!(others, ["position_ids"]);
        assert_eq!(values.len(), 3);
        assert!(values.values().all(|values| values.data == [1.5] && values.shape == [1]));
    }
}
