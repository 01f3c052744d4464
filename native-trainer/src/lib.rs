//! The steps of the `bert-xml` command, from a hospital's notes to codes with evidence.
//!
//! One direction, and the modules in its order; a module uses only earlier ones:
//!
//! sources → records → corpus → vocabulary → tokens → pretraining → fine-tuning → prediction → shipping → report → demo →
//! reproduction
//!
//! Core computes; this crate reads, schedules, writes and shows. [`commands`] has one thin file a subcommand.

pub mod error;
pub mod talk;
mod unfinished;
pub mod files;
pub mod interrupt;
pub mod remote;
pub mod device;
pub mod devices;
pub mod progress;
pub mod prefetch;
pub mod context;

pub mod ingest;
pub mod sources;
pub mod corpus;
pub mod shards;
pub mod synth;
pub mod cohort;
pub mod evaluation;
pub mod baselines;
pub mod train;
pub mod prediction;
pub mod shipping;
pub mod report;
pub mod demo;
pub mod reproduce;

pub mod commands;

pub mod cli;
