//! The whole graph once more, naively and in f64: what the engine's tests compare with.

use std::collections::BTreeMap;
use std::ops::Range;

use super::encoder::EncoderShape;
use super::model::{CpuShape, HeadShape};
use crate::quantization::{Matrix, Precision};

/// Repeatable numbers, roughly normal with deviation `std` around `centre`.
pub fn numbers(count: usize, seed: u64, centre: f32, std: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    (0..count).map(|_| centre + std * 1.732 * (uniform() + uniform() + uniform() + uniform() - 2.0)).collect()
}

/// Paths, rows, columns and centre of every matrix.
pub fn paths(shape: &CpuShape) -> Vec<(String, usize, usize, f32)> {
    let EncoderShape { d_model: d, intermediate: wide, .. } = shape.encoder;
    let mut paths = Vec::new();
    let mut add = |path: String, rows, cols, centre| paths.push((path, rows, cols, centre));
    add("encoder.embeddings.word.weight".into(), shape.encoder.vocab, d, 0.0);
    add("encoder.embeddings.position.weight".into(), shape.encoder.positions, d, 0.0);
    add("encoder.embeddings.segment.weight".into(), shape.encoder.segments, d, 0.0);
    let mut norms = vec!["encoder.embeddings.norm".to_owned()];
    let mut linear = Vec::new();
    for layer in 0..shape.encoder.layers {
        for part in ["query", "key", "value", "output"] {
            linear.push((format!("encoder.layers.{layer}.attention.{part}"), d, d));
        }
        linear.push((format!("encoder.layers.{layer}.feed_forward.intermediate"), wide, d));
        linear.push((format!("encoder.layers.{layer}.feed_forward.output"), d, wide));
        norms.push(format!("encoder.layers.{layer}.attention.norm"));
        norms.push(format!("encoder.layers.{layer}.feed_forward.norm"));
    }
    match shape.head {
        HeadShape::Cls => linear.push(("head.Cls.classifier".into(), shape.labels, d)),
        HeadShape::Xml { hidden, bias } => {
            add("head.Xml.labels".into(), shape.labels, d, 0.0);
            match hidden {
                Some(hidden) => {
                    add("head.Xml.hidden.weight".into(), hidden, d, 0.0);
                    add("head.Xml.output.weight".into(), 1, hidden, 0.0);
                }
                None => add("head.Xml.weights".into(), shape.labels, d, 0.0),
            }
            if bias {
                add("head.Xml.bias".into(), 1, shape.labels, 0.0);
            }
        }
    }
    for norm in norms {
        add(format!("{norm}.gamma"), 1, d, 1.0);
        add(format!("{norm}.beta"), 1, d, 0.0);
    }
    for (path, outputs, inputs) in linear {
        add(format!("{path}.weight"), outputs, inputs, 0.0);
        add(format!("{path}.bias"), 1, outputs, 0.0);
    }
    paths
}

/// A model of repeatable weights: of linear layers and label embeddings in `precision`, the rest in f32.
pub fn matrices(shape: &CpuShape, std: f32, precision: Precision) -> BTreeMap<String, Matrix> {
    let matrix = |(seed, (path, rows, cols, centre)): (usize, (String, usize, usize, f32))| {
        let values = numbers(rows * cols, seed as u64, centre, std);
        let precision = if rows == 1 { Precision::F32 } else { precision };
        (path, Matrix::new(rows, cols, &values, precision))
    };
    paths(shape).into_iter().enumerate().map(matrix).collect()
}

type Table = Vec<Vec<f64>>;

struct Weights<'a>(&'a BTreeMap<String, Matrix>);

impl Weights<'_> {
    fn table(&self, path: &str) -> Table {
        let matrix = &self.0[path];
        let values = matrix.to_f32();
        values.chunks(matrix.cols).map(|row| row.iter().map(|value| f64::from(*value)).collect()).collect()
    }

    fn linear(&self, path: &str, input: &Table) -> Table {
        let bias = self.table(&format!("{path}.bias")).remove(0);
        let mut out = multiply(input, &self.table(&format!("{path}.weight")));
        out.iter_mut().for_each(|row| row.iter_mut().zip(&bias).for_each(|(value, bias)| *value += bias));
        out
    }

    fn norm(&self, path: &str, epsilon: f32, rows: &mut Table) {
        let (gamma, beta) = (self.table(&format!("{path}.gamma")), self.table(&format!("{path}.beta")));
        for row in rows {
            let mean = row.iter().sum::<f64>() / row.len() as f64;
            let variance = row.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / row.len() as f64;
            for (at, value) in row.iter_mut().enumerate() {
                *value =
                    (*value - mean) / (variance + f64::from(epsilon)).sqrt() * gamma[0][at] + beta[0][at];
            }
        }
    }
}

/// `a · bᵀ`
fn multiply(a: &Table, b: &Table) -> Table {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum();
    a.iter().map(|a| b.iter().map(|b| dot(a, b)).collect()).collect()
}

fn softmax(row: &mut [f64]) {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    row.iter_mut().for_each(|score| *score = (*score - largest).exp());
    let sum: f64 = row.iter().sum();
    row.iter_mut().for_each(|score| *score /= sum);
}

/// x Φ(x) by the series of erf.
fn gelu(x: f64) -> f64 {
    let z = (x / 2.0_f64.sqrt()).clamp(-5.0, 5.0);
    let (mut term, mut sum) = (z, z);
    for n in 1..150 {
        term *= -z * z / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    x * 0.5 * (1.0 + 2.0 / std::f64::consts::PI.sqrt() * sum)
}

/// Logits and, of the XML head, the labels' attention.
pub fn forward(
    shape: &CpuShape,
    weights: &BTreeMap<String, Matrix>,
    ids: &[u32],
    segments: &[u32],
    real: Range<usize>,
) -> (Vec<f64>, Table) {
    let weights = Weights(weights);
    let EncoderShape { d_model: d, heads, epsilon, layers, .. } = shape.encoder;
    let [word, position, segment] = ["word", "position", "segment"]
        .map(|table| weights.table(&format!("encoder.embeddings.{table}.weight")));
    let sum = |at: usize| {
        let (word, segment) = (&word[ids[at] as usize], &segment[segments[at] as usize]);
        (0..d).map(|i| word[i] + segment[i] + position[at][i]).collect()
    };
    let mut hidden: Table = (0..ids.len()).map(sum).collect();
    weights.norm("encoder.embeddings.norm", epsilon, &mut hidden);
    for layer in 0..layers {
        let path = |part: &str| format!("encoder.layers.{layer}.{part}");
        let [query, key, value] = ["query", "key", "value"]
            .map(|part| weights.linear(&path(&format!("attention.{part}")), &hidden));
        let mut context = vec![vec![0.0; d]; ids.len()];
        let d_head = d / heads;
        for head in 0..heads {
            let part = |table: &Table| -> Table {
                table.iter().map(|row| row[head * d_head..][..d_head].to_vec()).collect()
            };
            let mut scores = multiply(&part(&query), &part(&key));
            for (row, context) in scores.iter_mut().zip(&mut context) {
                row.iter_mut().for_each(|score| *score /= (d_head as f64).sqrt());
                softmax(row);
                for (weight, value) in row.iter().zip(&part(&value)) {
                    let out = context[head * d_head..].iter_mut();
                    out.zip(value).for_each(|(out, value)| *out += weight * value);
                }
            }
        }
        let add = |hidden: &mut Table, change: &Table| {
            for (hidden, change) in hidden.iter_mut().zip(change) {
                hidden.iter_mut().zip(change).for_each(|(hidden, change)| *hidden += change);
            }
        };
        add(&mut hidden, &weights.linear(&path("attention.output"), &context));
        weights.norm(&path("attention.norm"), epsilon, &mut hidden);
        let mut inner = weights.linear(&path("feed_forward.intermediate"), &hidden);
        inner.iter_mut().flatten().for_each(|value| *value = gelu(*value));
        add(&mut hidden, &weights.linear(&path("feed_forward.output"), &inner));
        weights.norm(&path("feed_forward.norm"), epsilon, &mut hidden);
    }
    if shape.head == HeadShape::Cls {
        return (weights.linear("head.Cls.classifier", &hidden[..1].to_vec()).remove(0), Vec::new());
    }
    let hidden = hidden[real].to_vec();
    let mut attention = multiply(&weights.table("head.Xml.labels"), &hidden);
    attention.iter_mut().for_each(|row| softmax(row));
    let columns: Table = (0..d).map(|at| hidden.iter().map(|row| row[at]).collect()).collect();
    let context = multiply(&attention, &columns);
    let HeadShape::Xml { hidden, bias } = shape.head else { unreachable!("told above") };
    let mut logits: Vec<f64> = if hidden.is_some() {
        let mut inner = multiply(&context, &weights.table("head.Xml.hidden.weight"));
        inner.iter_mut().flatten().for_each(|value| *value = value.max(0.0));
        let logits = multiply(&inner, &weights.table("head.Xml.output.weight"));
        logits.into_iter().map(|row| row[0]).collect()
    } else {
        let own = weights.table("head.Xml.weights");
        context.iter().zip(&own).map(|(c, w)| c.iter().zip(w).map(|(c, w)| c * w).sum()).collect()
    };
    if bias {
        let biases = weights.table("head.Xml.bias").remove(0);
        logits.iter_mut().zip(biases).for_each(|(logit, bias)| *logit += bias);
    }
    (logits, attention)
}
