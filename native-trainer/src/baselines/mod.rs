//! Linear and constant baselines.
