//! BERT-XML: from a clinical note to ICD-10 codes with the words that speak for them.
//!
//! One direction, and the modules in its order; a module uses only earlier ones:
//!
//! notes → tokens → batches → encoder → label attention → probabilities → evidence → report
//!
//! The model is that of Zhang, Liu and Razavian, "BERT-XML: Large Scale Automated ICD Coding Using
//! BERT Pretraining" (2020). It is written once and runs on every burn backend: a backend is a
//! [`burn::tensor::Device`] value that the final crate builds.

pub mod text;

pub mod codes;

pub mod data;

pub mod model;

pub mod metrics;

pub mod quantization;

pub mod model_folder;

pub mod cpu;

pub mod infer;
