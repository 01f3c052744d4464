//! The steps of the `bert-xml` command, from a hospital's notes to codes with evidence.
//!
//! One direction, and the modules in its order; a module uses only earlier ones:
//!
//! records → corpus → vocabulary → pretraining → fine-tuning → prediction → shipping → report → demo → reproduction
//!
//! Core computes; this crate reads, schedules, writes and shows. [`commands`] has one thin file a subcommand.

pub mod error;
pub mod talk;
mod unfinished;
pub mod files;
pub mod interrupt;
pub mod device;
pub mod progress;
pub mod context;

pub mod ingest;
pub mod corpus;
pub mod synth;
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
