//! The CPU engine: a packed model on plain slices, no tensors, native and in a browser.
//!
//! ids → embeddings → layers (rows in blocks, then heads) → label attention → logits, attention of some labels
//!
//! Weights are packed once in panels of 16 outputs, one layout for every processor. What is stored in int8 runs
//! in integers: 7 bits on the left (labels: all 8), 8 on the right, one scale a row. Integer sums are exact, and
//! everything else is written so that Rust gives it the same bits wherever it runs (no fused multiply-adds, sums in
//! 16 lanes); so **a model whose layers are all int8 gives the same probabilities, bit for bit, on every processor
//! and in every browser**, whatever the number of threads. In f32 products are fused where the processor fuses.

pub mod isa;

pub mod rows;

mod lanes;

pub mod quantize;

pub mod pack;

mod tile;

pub mod gemm;

pub mod fine;

pub mod softmax;

pub mod gelu;

pub mod norm;

pub mod linear;

pub mod attention;

mod workers;

pub mod workspace;

pub mod parameters;

pub mod encoder;

mod label_attention;

pub mod model;

mod config;

#[cfg(test)]
mod allocations;

#[cfg(test)]
mod reference;

pub use encoder::EncoderShape;
pub use isa::Isa;
pub use model::{CpuModel, CpuShape, HeadShape};
pub use parameters::CpuModelError;
pub use workspace::Workspace;
