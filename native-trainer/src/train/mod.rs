//! Pretraining and fine-tuning.
