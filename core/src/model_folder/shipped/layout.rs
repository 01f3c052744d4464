//! Which tensors a model has, in which precision each is stored, and where it lies in the stream.

use crate::model::{HeadKind, ModelConfig, Readout};
use crate::quantization::{INT4_BLOCK, Precision};

/// Tensors and scales start at multiples of this many bytes.
pub const ALIGNMENT: u64 = 64;

/// What a tensor does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A bias, or gain or shift of a LayerNorm: one row.
    Vector,
    /// Position or segment embeddings.
    Table,
    /// Word or label embeddings.
    Embedding,
    /// The weight of a linear layer, one row an output.
    Linear,
}

/// A tensor of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorShape {
    /// The path of [`crate::model::parameters::export`].
    pub name: String,
    /// Outputs, or entries of a table; 1 for a vector.
    pub rows: usize,
    /// Inputs, or the vector's length.
    pub cols: usize,
    /// What it does.
    pub role: Role,
}

/// How many tensors a model has; none where the number overflows.
pub fn tensor_count(config: &ModelConfig) -> Option<usize> {
    let head = match config.head {
        HeadKind::Xml => match config.xml.readout {
            Readout::Shared => 3 + usize::from(config.xml.bias),
            Readout::Own => 2 + usize::from(config.xml.bias),
        },
        HeadKind::Cls => 2,
    };
    config.encoder.num_hidden_layers.checked_mul(16)?.checked_add(5 + head)
}

/// All tensors of a model in the order of their names, by bytes. Ask `tensor_count` first: a config from
/// elsewhere can have any number of layers.
pub fn tensor_shapes(config: &ModelConfig) -> Vec<TensorShape> {
    let encoder = &config.encoder;
    let (width, wide) = (encoder.hidden_size, encoder.intermediate_size);
    let mut shapes = Vec::new();
    let mut add = |name: String, rows, cols, role| shapes.push(TensorShape { name, rows, cols, role });
    for (name, rows, role) in [
        ("word", encoder.vocab_size, Role::Embedding),
        ("position", encoder.max_position_embeddings, Role::Table),
        ("segment", encoder.type_vocab_size, Role::Table),
    ] {
        add(format!("encoder.embeddings.{name}.weight"), rows, width, role);
    }
    let mut norms = vec!["encoder.embeddings.norm".to_owned()];
    let mut linears = Vec::new();
    for layer in 0..encoder.num_hidden_layers {
        let path = |part: &str| format!("encoder.layers.{layer}.{part}");
        for part in ["query", "key", "value", "output"] {
            linears.push((path(&format!("attention.{part}")), width, width));
        }
        linears.push((path("feed_forward.intermediate"), wide, width));
        linears.push((path("feed_forward.output"), width, wide));
        norms.extend([path("attention.norm"), path("feed_forward.norm")]);
    }
    match config.head {
        HeadKind::Xml => {
            add("head.Xml.labels".to_owned(), config.labels, width, Role::Embedding);
            match config.xml.readout {
                Readout::Shared => {
                    add("head.Xml.hidden.weight".to_owned(), config.head_hidden, width, Role::Linear);
                    add("head.Xml.output.weight".to_owned(), 1, config.head_hidden, Role::Linear);
                }
                Readout::Own => add("head.Xml.weights".to_owned(), config.labels, width, Role::Embedding),
            }
            if config.xml.bias {
                add("head.Xml.bias".to_owned(), 1, config.labels, Role::Vector);
            }
        }
        HeadKind::Cls => linears.push(("head.Cls.classifier".to_owned(), config.labels, width)),
    }
    for (path, rows, cols) in linears {
        add(format!("{path}.weight"), rows, cols, Role::Linear);
        add(format!("{path}.bias"), 1, rows, Role::Vector);
    }
    for path in norms {
        add(format!("{path}.gamma"), 1, width, Role::Vector);
        add(format!("{path}.beta"), 1, width, Role::Vector);
    }
    shapes.sort_by(|a, b| a.name.cmp(&b.name));
    shapes
}

/// In which precision a tensor of a model of `precision` is stored: single rows (vectors, `W_a`) in f32, which
/// costs nothing; the small tables one step finer than the rest, as every token adds two of their rows.
pub fn stored_precision(shape: &TensorShape, precision: Precision) -> Precision {
    match (shape.role, precision) {
        _ if shape.rows == 1 => Precision::F32,
        (Role::Table, Precision::Int8) => Precision::F16,
        (Role::Table, Precision::Int4) => Precision::Int8,
        _ => precision,
    }
}

/// Bytes of the values and of the scales of a tensor; none where they overflow.
pub fn part_bytes(rows: usize, cols: usize, precision: Precision) -> Option<(u64, u64)> {
    let (rows, cols) = (u64::try_from(rows).ok()?, u64::try_from(cols).ok()?);
    let cells = rows.checked_mul(cols)?;
    Some(match precision {
        Precision::F32 => (cells.checked_mul(4)?, 0),
        Precision::F16 => (cells.checked_mul(2)?, 0),
        Precision::Int8 => (cells, rows.checked_mul(4)?),
        Precision::Int4 => {
            let blocks = cols.div_ceil(INT4_BLOCK as u64);
            (rows.checked_mul(cols.div_ceil(2))?, rows.checked_mul(blocks)?.checked_mul(2)?)
        }
    })
}

/// Bytes of a tensor: values and, from the next multiple of 64 on, scales; none where they overflow.
pub fn tensor_bytes(rows: usize, cols: usize, precision: Precision) -> Option<u64> {
    match part_bytes(rows, cols, precision)? {
        (values, 0) => Some(values),
        (values, scales) => aligned(values)?.checked_add(scales),
    }
}

/// The next multiple of 64; none where it overflows.
pub fn aligned(bytes: u64) -> Option<u64> {
    bytes.checked_next_multiple_of(ALIGNMENT)
}

/// Bytes of the whole stream of a model in a precision; none where they overflow.
pub fn stream_bytes(config: &ModelConfig, precision: Precision) -> Option<u64> {
    tensor_shapes(config).iter().try_fold(0u64, |end, shape| {
        let bytes = tensor_bytes(shape.rows, shape.cols, stored_precision(shape, precision))?;
        aligned(end)?.checked_add(bytes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::parameters::export;
    use crate::model::{EncoderConfig, Size, XmlOptions};
    use burn::tensor::Device;

    #[test]
    fn the_shapes_are_those_of_the_model() {
        let encoder = EncoderConfig {
            vocab_size: 11,
            hidden_size: 8,
            num_hidden_layers: 11, // layers.10 comes before layers.2
            num_attention_heads: 2,
            intermediate_size: 12,
            max_position_embeddings: 16,
            ..EncoderConfig::default()
        };
        let options = |readout, bias| XmlOptions { readout, bias };
        for (head, xml) in [
            (HeadKind::Xml, options(Readout::Shared, false)),
            (HeadKind::Xml, options(Readout::Shared, true)),
            (HeadKind::Xml, options(Readout::Own, false)),
            (HeadKind::Xml, options(Readout::Own, true)),
            (HeadKind::Cls, XmlOptions::default()),
        ] {
            let config = ModelConfig { head_hidden: 5, xml, ..ModelConfig::new(encoder.clone(), head, 7) };
            let parameters = export(&config.init(&Device::flex()).unwrap());
            let shapes = tensor_shapes(&config);
            assert_eq!(tensor_count(&config), Some(shapes.len()));
            assert_eq!(shapes.len(), parameters.len());
            for (shape, (path, values)) in shapes.iter().zip(&parameters) {
                assert_eq!(&shape.name, path);
                let wanted = match shape.role {
                    Role::Vector => vec![shape.cols],
                    Role::Linear => vec![shape.cols, shape.rows],
                    _ => vec![shape.rows, shape.cols],
                };
                assert_eq!(values.shape, wanted, "{path}");
            }
        }
    }

    #[test]
    fn the_papers_small_model_fits_a_browser() {
        let config = ModelConfig::new(EncoderConfig::of_size(Size::Small), HeadKind::Xml, 2292);
        let megabytes = |precision| stream_bytes(&config, precision).unwrap() as f64 / 1e6;
        // Tokenizer, labels and manifest take about .5 MB more.
        assert!(megabytes(Precision::Int8) < 39.4, "{}", megabytes(Precision::Int8));
        assert!(megabytes(Precision::Int4) < 21.5, "{}", megabytes(Precision::Int4));
        assert!(megabytes(Precision::F16) < 75.0 && megabytes(Precision::F32) < 150.0);
    }

    #[test]
    fn bytes_by_hand() {
        // 3 rows of 70: 35 bytes and 3 scales of 2 bytes a row in int4; scales start at a multiple of 64.
        assert_eq!(part_bytes(3, 70, Precision::Int4), Some((105, 18)));
        assert_eq!(tensor_bytes(3, 70, Precision::Int4), Some(128 + 18));
        assert_eq!(tensor_bytes(3, 70, Precision::Int8), Some(256 + 12));
        assert_eq!(tensor_bytes(3, 70, Precision::F16), Some(420));
        assert_eq!(tensor_bytes(usize::MAX, usize::MAX, Precision::F32), None);
        assert_eq!(tensor_bytes(usize::MAX / 2, 1, Precision::Int8), None);
    }
}
