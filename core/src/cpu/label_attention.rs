//! Label attention (paper, eqs. 2–4): the labels are queries over a window's word pieces, in blocks, so that no
//! label × token matrix is ever whole.
//!
//! `W_b` is linear and a window has fewer tokens than the model has labels, so it is applied to the hidden states
//! instead of to every label's context: `W_b Σ a_i h_i = Σ a_i (W_b h_i)`. What a label takes the mean of is that.

use super::attention::{Arithmetic, Queries};
use super::isa::Isa;
use super::linear::Linear;
use super::norm::dot;
use super::parameters::{CpuModelError, Parameters};
use super::quantize::QuantizedRows;
use super::rows::{Rows, RowsMut};
use super::workspace::Workspace;
use crate::quantization::{Matrix, MatrixValues, Precision};

/// Labels that are attended together.
const BLOCK: usize = 48;

/// `logit_j = W_a relu(W_b Σ_i softmax_i⟨h_i, l_j⟩ h_i)`, or a named departure from it.
#[derive(Debug)]
pub(super) struct LabelAttention {
    isa: Isa,
    labels: Labels,
    count: usize,
    d_model: usize,
    readout: Readout,
    /// One a label, added to its logit.
    bias: Option<Vec<f32>>,
}

/// From a label's context to its logit.
#[derive(Debug)]
enum Readout {
    Shared {
        /// `W_b`
        hidden: Linear,
        /// `W_a`
        output: Vec<f32>,
    },
    /// `⟨w_j, c_j⟩`; w is `[labels, d_model]`.
    Own(Vec<f32>),
}

/// The label embeddings, as queries: all 8 bits of what is stored in int8, as scores are unscaled and a label's
/// error stands in the scores of all tokens.
#[derive(Debug)]
enum Labels {
    F32(Vec<f32>),
    Int8(QuantizedRows),
}

impl Labels {
    fn new(isa: Isa, embeddings: &Matrix) -> Self {
        match &embeddings.values {
            MatrixValues::F32(_) | MatrixValues::F16(_) => Self::F32(embeddings.to_f32()),
            MatrixValues::Int8 { values, scales } => Self::Int8(QuantizedRows::of_bytes(isa, values, scales)),
            MatrixValues::Int4 { .. } => {
                let (rows, cols) = (embeddings.rows, embeddings.cols);
                Self::new(isa, &Matrix::new(rows, cols, &embeddings.to_f32(), Precision::Int8))
            }
        }
    }
}

impl LabelAttention {
    pub fn new(
        isa: Isa,
        d_model: usize,
        d_hidden: Option<usize>,
        bias: bool,
        labels: usize,
        from: &mut Parameters,
    ) -> Result<Self, CpuModelError> {
        for (field, value) in [("labels", labels), ("head_hidden", d_hidden.unwrap_or(1))] {
            if value == 0 {
                return Err(CpuModelError::Size { field, value, rule: "must be at least 1" });
            }
        }
        let embeddings = from.matrix("head.Xml.labels", labels, d_model)?;
        let readout = match d_hidden {
            Some(d_hidden) => Readout::Shared {
                hidden: Linear::new(&from.matrix("head.Xml.hidden.weight", d_hidden, d_model)?, None),
                output: from.vector("head.Xml.output.weight", d_hidden)?,
            },
            None => Readout::Own(from.matrix("head.Xml.weights", labels, d_model)?.to_f32()),
        };
        let bias = if bias { Some(from.vector("head.Xml.bias", labels)?) } else { None };
        Ok(Self { labels: Labels::new(isa, &embeddings), isa, count: labels, d_model, readout, bias })
    }

    pub fn bytes(&self) -> usize {
        let labels = match &self.labels {
            Labels::F32(labels) => 4 * labels.len(),
            Labels::Int8(labels) => labels.bytes(),
        };
        let readout = match &self.readout {
            Readout::Shared { hidden, output } => hidden.bytes() + 4 * output.len(),
            Readout::Own(weights) => 4 * weights.len(),
        };
        labels + readout + 4 * self.bias.as_ref().map_or(0, Vec::len)
    }

    /// One logit a label. `tokens`: hidden states of the word pieces, `[real, d_model]`.
    pub fn logits(&self, tokens: Rows<'_, f32>, workspace: &mut Workspace, logits: &mut Vec<f32>) {
        logits.clear();
        logits.resize(self.count, 0.0);
        let Workspace { workers, projected, window, .. } = workspace;
        let wide = match &self.readout {
            Readout::Shared { hidden, .. } => hidden.outputs(),
            Readout::Own(_) => self.d_model,
        };
        workers.inside(|workers| {
            let values = match &self.readout {
                Readout::Own(_) => tokens,
                Readout::Shared { hidden, .. } => {
                    projected.resize(projected.len().max(tokens.rows() * wide), 0.0);
                    let projected = &mut projected[..tokens.rows() * wide];
                    workers.run(projected.chunks_mut(BLOCK * wide).enumerate(), |room, (index, out)| {
                        let rows = out.len() / wide;
                        let input = tokens.part(index * BLOCK, rows);
                        let out = RowsMut::new(out, rows, wide, wide);
                        hidden.apply(self.isa, input, &mut room.quantized, out);
                    });
                    Rows::new(projected, tokens.rows(), wide, wide)
                }
            };
            let (key, value) = (|at| tokens.row(at), |at| values.row(at));
            window.pack(self.isa, self.arithmetic(), tokens.rows(), [self.d_model, wide], key, value);
            let window = &*window;
            let blocks = self.count.div_ceil(BLOCK).next_multiple_of(workers.count());
            let rows = self.count.div_ceil(blocks);
            workers.run(logits.chunks_mut(rows).enumerate(), |room, (index, logits)| {
                let count = logits.len();
                room.wide.resize(count * wide, 0.0);
                let inner = RowsMut::new(&mut room.wide, count, wide, wide);
                let queries = self.queries(index * rows, count);
                room.attention.attend_with(self.isa, queries, window, 1.0, inner);
                let first = index * rows;
                for (at, (inner, logit)) in room.wide.chunks_exact_mut(wide).zip(logits).enumerate() {
                    let label = first + at;
                    *logit = match &self.readout {
                        Readout::Shared { output, .. } => {
                            inner
                                .iter_mut()
                                .for_each(|value| *value = if *value > 0.0 { *value } else { 0.0 });
                            dot(self.isa, inner, output)
                        }
                        Readout::Own(weights) => dot(self.isa, inner, &weights[label * wide..][..wide]),
                    };
                    if let Some(bias) = &self.bias {
                        *logit += bias[label];
                    }
                }
            });
        });
    }

    /// The attention of some labels, `[labels, real tokens]`, each row summing to 1.
    pub fn attention(&self, labels: &[usize], tokens: Rows<'_, f32>, workspace: &mut Workspace) -> Vec<f32> {
        let (d, row) = (self.d_model, |at| tokens.row(at));
        workspace.window.pack(self.isa, self.arithmetic(), tokens.rows(), [d, d], row, row);
        let mut attention = vec![0.0; labels.len() * tokens.rows()];
        let (window, room) = (&workspace.window, workspace.workers.first());
        let outs = attention.chunks_mut(BLOCK * tokens.rows());
        for (labels, out) in labels.chunks(BLOCK).zip(outs) {
            match &self.labels {
                Labels::F32(embeddings) => {
                    let d = self.d_model;
                    room.narrow.clear();
                    labels
                        .iter()
                        .for_each(|label| room.narrow.extend_from_slice(&embeddings[label * d..][..d]));
                    let queries = Queries::F32(Rows::new(&room.narrow, labels.len(), d, d));
                    room.attention.weights(self.isa, queries, window, 1.0, out);
                }
                Labels::Int8(embeddings) => {
                    room.quantized.select(embeddings, labels);
                    let queries = Queries::Int8(room.quantized.view());
                    room.attention.weights(self.isa, queries, window, 1.0, out);
                }
            }
        }
        attention
    }

    fn arithmetic(&self) -> Arithmetic {
        match self.labels {
            Labels::F32(_) => Arithmetic::F32,
            Labels::Int8(_) => Arithmetic::Int8,
        }
    }

    fn queries(&self, start: usize, count: usize) -> Queries<'_> {
        let d = self.d_model;
        match &self.labels {
            Labels::F32(labels) => Queries::F32(Rows::new(labels, self.count, d, d).part(start, count)),
            Labels::Int8(labels) => Queries::Int8(labels.view().part(start, count)),
        }
    }
}
