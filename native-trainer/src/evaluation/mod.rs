//! Predictions against gold: of a model on a split, or of files.
