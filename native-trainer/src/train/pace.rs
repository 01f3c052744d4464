//! How fast a training goes, how long it waited for its batches, and the memory that it holds.

use std::fmt;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::memory::resident_bytes;
use crate::talk;

/// The memory is asked for at most this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A training's clock.
pub struct Pace {
    start: Instant,
    tokens_before: u64,
    resident: Option<u64>,
    looked: Option<Instant>,
}

impl Pace {
    /// Starts the clock; `tokens` were read by earlier calls.
    pub fn start(tokens: u64) -> Self {
        Self { start: Instant::now(), tokens_before: tokens, resident: None, looked: None }
    }

    /// Where the training stands; `waited` for batches since the start.
    pub fn at(&mut self, tokens: u64, waited: Duration) -> Reading {
        if self.looked.is_none_or(|last| last.elapsed() >= LOOK_EVERY) {
            (self.resident, self.looked) = (resident_bytes(), Some(Instant::now()));
        }
        let seconds = self.start.elapsed().as_secs_f64();
        Reading {
            tokens_per_second: (tokens - self.tokens_before) as f64 / seconds,
            waited: waited.as_secs_f64(),
            waited_percent: 100.0 * waited.as_secs_f64() / seconds,
            resident: self.resident,
        }
    }
}

/// What the clock says.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Tokens that are not padding.
    pub tokens_per_second: f64,
    /// Seconds spent waiting for batches.
    pub waited: f64,
    /// The same in percent of all time since the start.
    pub waited_percent: f64,
    /// Bytes of memory that the process holds, mapped files included; none where the system does not say.
    pub resident: Option<u64>,
}

impl Reading {
    /// A line of metrics with these added.
    pub fn line(&self, mut line: Value) -> Value {
        line["tokens_per_second"] = json!(self.tokens_per_second.round());
        line["waited_percent"] = json!((self.waited_percent * 1000.0).round() / 1000.0);
        line["resident_mb"] = json!(self.resident.map(|bytes| bytes / 1_000_000));
        line
    }

    /// Tells the user, at the end.
    pub fn say(&self) {
        let Self { tokens_per_second, waited, waited_percent, .. } = self;
        talk::say(&format!(
            "{tokens_per_second:.0} tokens/s; waited for batches {waited:.2} s, {waited_percent:.2} % of the time"
        ));
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} tokens/s, waited {:.1} %", self.tokens_per_second, self.waited_percent)?;
        match self.resident {
            Some(bytes) => write!(f, ", {:.2} GB", bytes as f64 / 1e9),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_is_of_this_calls_tokens_and_waiting_of_its_time() {
        let mut pace = Pace::start(1000);
        std::thread::sleep(Duration::from_millis(50));
        let seconds = pace.start.elapsed().as_secs_f64();
        let now = pace.at(1100, Duration::from_millis(5));
        assert!(
            now.tokens_per_second <= 100.0 / seconds && now.tokens_per_second > 50.0 / seconds,
            "{now:?}"
        );
        assert!(now.waited_percent <= 0.5 / seconds && now.waited_percent > 0.25 / seconds, "{now:?}");
        let line = now.line(json!({"step": 1}));
        assert_eq!(
            (line["step"].as_u64(), line["tokens_per_second"].as_f64()),
            (Some(1), Some(now.tokens_per_second.round()))
        );
        assert!(line["waited_percent"].is_number() && line.get("resident_mb").is_some(), "{line}");
    }
}
