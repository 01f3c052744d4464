//! Steps with their times: one line each on standard error.

use std::time::Instant;

use anyhow::Result;
use serde_json::json;

use crate::context::Context;
use crate::error::Interrupted;
use crate::interrupt;
use crate::progress::ProgressMode;
use crate::report::Step;
use crate::talk;

/// The steps so far.
pub(super) struct Clock {
    mode: ProgressMode,
    steps: Vec<Step>,
}

impl Clock {
    pub(super) fn new(context: &Context) -> Self {
        Self { mode: context.progress, steps: Vec::new() }
    }

    /// Does a step; it returns what it made and a line on how it came out.
    ///
    /// # Errors
    /// Those of the step, and [`Interrupted`] if the user asked to stop.
    pub(super) fn step<T>(&mut self, name: &str, work: impl FnOnce() -> Result<(T, String)>) -> Result<T> {
        let start = Instant::now();
        let stopped = || Interrupted("the demo starts anew when it is called again".into());
        let done = work();
        if interrupt::asked() || done.as_ref().is_err_and(|error| error.is::<Interrupted>()) {
            return Err(stopped().into());
        }
        let (made, outcome) = done.map_err(|error| error.context(name.to_lowercase()))?;
        let seconds = start.elapsed().as_secs_f64();
        match self.mode {
            ProgressMode::None => {}
            ProgressMode::Json => {
                talk::object(&json!({"event": "step", "step": name, "text": outcome, "seconds": seconds}));
            }
            ProgressMode::Auto | ProgressMode::Bar => {
                talk::say(&format!("{seconds:>7.1} s  {name}: {outcome}"));
            }
        }
        self.steps.push(Step { name: name.to_owned(), outcome, seconds });
        Ok(made)
    }

    /// All steps, in order.
    pub(super) fn finish(self) -> Vec<Step> {
        self.steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_fails_is_named_and_not_kept() {
        let mut clock = Clock::new(&Context::default());
        assert_eq!(clock.step("Hospital", || Ok((7, "made".into()))).unwrap(), 7);
        let error = clock.step::<()>("Corpus", || anyhow::bail!("disk full")).unwrap_err();
        assert_eq!(format!("{error:#}"), "corpus: disk full");
        let steps = clock.finish();
        assert_eq!((steps.len(), steps[0].name.as_str(), steps[0].outcome.as_str()), (1, "Hospital", "made"));
    }
}
