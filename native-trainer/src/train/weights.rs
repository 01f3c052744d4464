//! Parameters by path as a safetensors file.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use bert_xml_core::model::parameters::Values;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::files::write_atomic;

/// Writes f32 values; the same values give the same bytes.
///
/// # Errors
/// Whatever the disk says, with the path.
pub fn write_values(path: &Path, values: &BTreeMap<String, Values>) -> Result<()> {
    let bytes: Vec<(&String, Vec<u8>)> =
        values.iter().map(|(name, v)| (name, v.data.iter().flat_map(|x| x.to_le_bytes()).collect())).collect();
    let views: BTreeMap<&String, TensorView<'_>> = bytes
        .iter()
        .map(|(name, bytes)| Ok((*name, TensorView::new(Dtype::F32, values[*name].shape.clone(), bytes)?)))
        .collect::<Result<_, safetensors::SafeTensorError>>()?;
    write_atomic(path, &safetensors::serialize(views, None)?)
}

/// Reads what [`write_values`] wrote.
///
/// # Errors
/// A file that is missing, damaged or holds other types, with its path.
pub fn read_values(path: &Path) -> Result<BTreeMap<String, Values>> {
    let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let file = SafeTensors::deserialize(&bytes).with_context(|| format!("{} is damaged", path.display()))?;
    let mut values = BTreeMap::new();
    for (name, view) in file.tensors() {
        if view.dtype() != Dtype::F32 {
            bail!("{}: {name} is {:?}, not F32", path.display(), view.dtype());
        }
        let data = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        values.insert(name, Values { shape: view.shape().to_vec(), data });
    }
    Ok(values)
}
