//! Errors that say what to do, and the one that is none: the user asked to stop.

use std::fmt;

/// An error's advice: printed after the chain as `hint: …`. Made by [`hinted`].
#[derive(Debug)]
pub struct Hint {
    message: String,
    /// What the user can do.
    pub hint: String,
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Hint {}

/// An error with a message and advice.
pub fn hinted(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Hint { message: message.into(), hint: hint.into() })
}

/// The user asked to stop; what was done is kept.
#[derive(Debug, thiserror::Error)]
#[error("interrupted: {0}")]
pub struct Interrupted(
    /// What was kept and how to go on.
    pub String,
);
