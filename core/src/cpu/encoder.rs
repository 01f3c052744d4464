//! The BERT encoder over one window: a layer is a pass over blocks of rows and a pass over heads.

use super::attention::Arithmetic;
use super::gelu::gelu;
use super::isa::Isa;
use super::linear::Linear;
use super::norm::{LayerNorm, add};
use super::parameters::{CpuModelError, Parameters};
use super::rows::{Rows, RowsMut};
use super::workspace::{Room, Workspace};
use crate::quantization::Matrix;

/// Rows that go through a layer together: its widest activations stay in the second cache.
const BLOCK: usize = 48;

/// The encoder's sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EncoderShape {
    /// Word pieces.
    pub vocab: usize,
    /// Longest window in tokens.
    pub positions: usize,
    /// Segments.
    pub segments: usize,
    /// Width of a hidden state.
    pub d_model: usize,
    /// Transformer blocks.
    pub layers: usize,
    /// Attention heads a block; divides `d_model`.
    pub heads: usize,
    /// Width of the feed-forward layer.
    pub intermediate: usize,
    /// Added to the variance in LayerNorm.
    pub epsilon: f32,
}

impl EncoderShape {
    /// Checks every size.
    ///
    /// # Errors
    /// The first that cannot be built.
    pub fn validate(&self) -> Result<(), CpuModelError> {
        let sizes = [
            ("vocab", self.vocab),
            ("positions", self.positions),
            ("segments", self.segments),
            ("d_model", self.d_model),
            ("layers", self.layers),
            ("heads", self.heads),
            ("intermediate", self.intermediate),
        ];
        if let Some((field, value)) = sizes.into_iter().find(|(_, value)| *value == 0) {
            return Err(CpuModelError::Size { field, value, rule: "must be at least 1" });
        }
        if !self.d_model.is_multiple_of(self.heads) {
            let rule = "must divide d_model without remainder";
            return Err(CpuModelError::Size { field: "heads", value: self.heads, rule });
        }
        for (field, value) in [("d_model", self.d_model), ("intermediate", self.intermediate)] {
            if value > LONGEST_SUM {
                let rule = "must be at most 131072: longer sums of 8-bit products leave 32 bits";
                return Err(CpuModelError::Size { field, value, rule });
            }
        }
        Ok(())
    }
}

/// Products of 127 × 127 that fit into 31 bits: 133,144, rounded down to a power of two.
const LONGEST_SUM: usize = 1 << 17;

/// The encoder's weights, packed.
#[derive(Debug)]
pub(super) struct Encoder {
    shape: EncoderShape,
    isa: Isa,
    word: Matrix,
    position: Matrix,
    segment: Matrix,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    attention_norm: LayerNorm,
    intermediate: Linear,
    feed_forward: Linear,
    norm: LayerNorm,
    arithmetic: Arithmetic,
}

/// Rows that go through a layer together, in each buffer.
struct Block<'a> {
    /// First row.
    start: usize,
    /// `[rows, d_model]`
    hidden: &'a mut [f32],
    /// A head's queries, keys and values after another's, `[heads, 3, rows, d_head]`.
    projected: &'a mut [f32],
}

impl Encoder {
    pub fn new(shape: EncoderShape, isa: Isa, from: &mut Parameters) -> Result<Self, CpuModelError> {
        shape.validate()?;
        let d = shape.d_model;
        let layers = (0..shape.layers).map(|index| Layer::new(&shape, index, from));
        let layers = layers.collect::<Result<_, _>>()?;
        Ok(Self {
            word: from.matrix("encoder.embeddings.word.weight", shape.vocab, d)?,
            position: from.matrix("encoder.embeddings.position.weight", shape.positions, d)?,
            segment: from.matrix("encoder.embeddings.segment.weight", shape.segments, d)?,
            norm: from.norm("encoder.embeddings.norm", d, shape.epsilon)?,
            shape,
            isa,
            layers,
        })
    }

    pub fn shape(&self) -> &EncoderShape {
        &self.shape
    }

    pub fn bytes(&self) -> usize {
        let tables = [&self.word, &self.position, &self.segment];
        tables.iter().map(|table| table.bytes()).sum::<usize>()
            + self.layers.iter().map(Layer::bytes).sum::<usize>()
    }

    /// Hidden states `[seq, d_model]` to `hidden`.
    pub fn encode(&self, ids: &[u32], segments: &[u32], workspace: &mut Workspace, hidden: &mut Vec<f32>) {
        let (seq, d) = (ids.len(), self.shape.d_model);
        let d_head = d / self.shape.heads;
        hidden.clear();
        hidden.resize(seq * d, 0.0);
        workspace.projected.resize(workspace.projected.len().max(seq * 3 * d), 0.0);
        workspace.context.resize(seq * d, 0.0);
        let Workspace { workers, projected, context, .. } = workspace;
        let projected = &mut projected[..seq * 3 * d];
        let blocks = seq.div_ceil(BLOCK).next_multiple_of(workers.count());
        let rows = seq.div_ceil(blocks);
        workers.inside(|workers| {
            workers.run(split(hidden, projected, rows, d), |room, block| {
                self.embed(ids, segments, block.start, block.hidden, &mut room.narrow);
                self.layers[0].project(self.isa, room, block, d_head);
            });
            for (index, layer) in self.layers.iter().enumerate() {
                let whole = &*projected;
                workers.run(context.chunks_exact_mut(seq * d_head).enumerate(), |room, (head, out)| {
                    layer.attend(self.isa, room, whole, head, rows, RowsMut::new(out, seq, d_head, d_head));
                });
                let contexts = Rows::new(context, self.shape.heads * seq, d_head, d_head);
                workers.run(split(hidden, projected, rows, d), |room, mut block| {
                    layer.forward(self.isa, room, contexts, seq, &mut block);
                    if let Some(next) = self.layers.get(index + 1) {
                        next.project(self.isa, room, block, d_head);
                    }
                });
            }
        });
    }

    fn embed(&self, ids: &[u32], segments: &[u32], start: usize, hidden: &mut [f32], row: &mut Vec<f32>) {
        let d = self.shape.d_model;
        row.resize(d, 0.0);
        let row = &mut row[..d];
        for (position, hidden) in (start..).zip(hidden.chunks_exact_mut(d)) {
            self.word.read_row(ids[position] as usize, hidden);
            self.segment.read_row(segments[position] as usize, row);
            add(self.isa, hidden, row);
            self.position.read_row(position, row);
            add(self.isa, hidden, row);
            self.norm.apply(self.isa, hidden);
        }
    }
}

/// Cuts the buffers into blocks of rows.
fn split<'a>(
    hidden: &'a mut [f32],
    projected: &'a mut [f32],
    rows: usize,
    d: usize,
) -> impl Iterator<Item = Block<'a>> + Send {
    let parts = hidden.chunks_mut(rows * d).zip(projected.chunks_mut(rows * 3 * d));
    parts.enumerate().map(move |(index, (hidden, projected))| Block {
        start: index * rows,
        hidden,
        projected,
    })
}

impl Layer {
    fn new(shape: &EncoderShape, index: usize, from: &mut Parameters) -> Result<Self, CpuModelError> {
        let (d, wide) = (shape.d_model, shape.intermediate);
        let path = |part: &str| format!("encoder.layers.{index}.{part}");
        let query = from.linear(&path("attention.query"), d, d)?;
        let key = from.linear(&path("attention.key"), d, d)?;
        let value = from.linear(&path("attention.value"), d, d)?;
        let integers = query.is_int8() && key.is_int8() && value.is_int8();
        Ok(Self {
            arithmetic: if integers { Arithmetic::Int8 } else { Arithmetic::F32 },
            query,
            key,
            value,
            output: from.linear(&path("attention.output"), d, d)?,
            attention_norm: from.norm(&path("attention.norm"), d, shape.epsilon)?,
            intermediate: from.linear(&path("feed_forward.intermediate"), wide, d)?,
            feed_forward: from.linear(&path("feed_forward.output"), d, wide)?,
            norm: from.norm(&path("feed_forward.norm"), d, shape.epsilon)?,
        })
    }

    fn bytes(&self) -> usize {
        let linear =
            [&self.query, &self.key, &self.value, &self.output, &self.intermediate, &self.feed_forward];
        linear.iter().map(|linear| linear.bytes()).sum()
    }

    /// Queries, keys and values of a block, sorted by heads: read by row, whole rows would be far apart.
    fn project(&self, isa: Isa, room: &mut Room, block: Block<'_>, d_head: usize) {
        let d = self.query.outputs();
        let rows = block.hidden.len() / d;
        let hidden = Rows::new(block.hidden, rows, d, d);
        let parts = [&self.query, &self.key, &self.value];
        if parts.iter().any(|linear| linear.is_int8()) {
            room.quantized.quantize(isa, hidden);
        }
        let stride = d + 16;
        room.wide.resize(rows * stride, 0.0);
        for (part, linear) in parts.into_iter().enumerate() {
            let mut out = RowsMut::new(&mut room.wide, rows, d, stride);
            linear.apply_to(isa, hidden, &room.quantized, out.reborrow());
            for (head, place) in block.projected.chunks_exact_mut(3 * rows * d_head).enumerate() {
                for (row, place) in
                    place[part * rows * d_head..].chunks_exact_mut(d_head).take(rows).enumerate()
                {
                    place.copy_from_slice(&out.row(row)[head * d_head..][..d_head]);
                }
            }
        }
    }

    /// One head of a sequence whose blocks have `rows` rows, but for the last.
    fn attend(
        &self,
        isa: Isa,
        room: &mut Room,
        projected: &[f32],
        head: usize,
        rows: usize,
        mut out: RowsMut<'_, f32>,
    ) {
        let (seq, d_head, d) = (out.rows(), out.cols(), self.query.outputs());
        // Part 0 of a block are the queries, 1 the keys, 2 the values.
        let part = |start: usize, part: usize| {
            let rows = rows.min(seq - start);
            &projected[3 * d * start + (3 * head + part) * rows * d_head..][..rows * d_head]
        };
        let row_of = |of: usize| {
            move |token: usize| {
                let start = token / rows * rows;
                &part(start, of)[(token - start) * d_head..][..d_head]
            }
        };
        room.keys_values.pack(isa, self.arithmetic, seq, [d_head, d_head], row_of(1), row_of(2));
        let scale = 1.0 / (d_head as f32).sqrt();
        for start in (0..seq).step_by(rows) {
            let count = rows.min(seq - start);
            let queries = Rows::new(part(start, 0), count, d_head, d_head);
            let out = out.part(start, count);
            room.attention.attend(isa, self.arithmetic, queries, &room.keys_values, scale, out);
        }
    }

    /// What follows the attention, on a block: contexts are `[heads × seq, d_head]`.
    fn forward(&self, isa: Isa, room: &mut Room, contexts: Rows<'_, f32>, seq: usize, block: &mut Block<'_>) {
        let (d, d_head) = (self.output.outputs(), contexts.cols());
        let rows = block.hidden.len() / d;
        let wide = self.intermediate.outputs();
        // Rows 4 KiB apart would share cache sets.
        let wide_stride = wide + 16;
        room.wide.resize(rows * wide_stride.max(d), 0.0);
        room.narrow.resize(rows * d, 0.0);

        let mut gathered = RowsMut::new(&mut room.wide, rows, d, d);
        for row in 0..rows {
            for (head, out) in gathered.row(row).chunks_exact_mut(d_head).enumerate() {
                out.copy_from_slice(contexts.row(head * seq + block.start + row));
            }
        }
        let out = RowsMut::new(&mut room.narrow, rows, d, d);
        self.output.apply(isa, gathered.as_rows(), &mut room.quantized, out);
        add_and_norm(isa, block.hidden, &room.narrow, &self.attention_norm);

        let mut inner = RowsMut::new(&mut room.wide, rows, wide, wide_stride);
        let hidden = Rows::new(block.hidden, rows, d, d);
        self.intermediate.apply(isa, hidden, &mut room.quantized, inner.reborrow());
        for row in 0..rows {
            gelu(isa, inner.row(row));
        }
        let out = RowsMut::new(&mut room.narrow, rows, d, d);
        self.feed_forward.apply(isa, inner.as_rows(), &mut room.quantized, out);
        add_and_norm(isa, block.hidden, &room.narrow, &self.norm);
    }
}

fn add_and_norm(isa: Isa, hidden: &mut [f32], change: &[f32], norm: &LayerNorm) {
    let d = norm.gamma.len();
    for (hidden, change) in hidden.chunks_exact_mut(d).zip(change.chunks_exact(d)) {
        norm.apply_to_sum(isa, hidden, change);
    }
}
