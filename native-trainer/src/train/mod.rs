//! Pretraining and fine-tuning: settings, run folders, checkpoints, the optimizer and the two loops.

pub mod settings;

pub mod precision;
pub mod adamw;
pub mod checkpoint;
pub mod frozen_on_cpu;
pub mod examples;
mod finetune_rows;
pub mod finetune;
pub mod memory;
pub mod outcome;
pub mod pace;
mod pretrain_rows;
pub mod pretrain;
pub mod replicas;
pub mod resume;
pub mod run;
pub mod start;
pub mod tensorboard;
pub mod tokens;
