//! Bindings of `bert-xml-core` for JavaScript: what a Worker of the npm package drives.
//!
//! [`ModelLoader`] takes a model's files one by one and gives a [`Coder`], which gives a [`Prediction`] a note, which
//! goes on window by window. Three builds export them: on the CPU engine with relaxed SIMD or SIMD128, and on WebGPU
//! (feature `webgpu`). [`CodeTable`] (feature `codes`) is a module of its own.
//!
//! Whatever throws, throws an `Error` with a stable `code`, and never says anything of a note's text.

#[cfg(any(feature = "coder", feature = "codes"))]
mod errors;
mod panic;

#[cfg(feature = "coder")]
mod coder;
#[cfg(feature = "coder")]
mod loader;
#[cfg(feature = "coder")]
mod prediction;
#[cfg(feature = "webgpu")]
mod half;
#[cfg(feature = "webgpu")]
mod webgpu;

#[cfg(feature = "codes")]
mod codes;

#[cfg(feature = "coder")]
pub use coder::Coder;
#[cfg(feature = "codes")]
pub use codes::CodeTable;
#[cfg(feature = "coder")]
pub use loader::ModelLoader;
#[cfg(feature = "coder")]
pub use prediction::Prediction;
