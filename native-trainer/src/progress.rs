//! Progress of a step on standard error: a bar, JSON lines, or nothing.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::talk;

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ProgressMode {
    /// A bar where standard error is a terminal, else nothing
    #[default]
    Auto,
    /// A bar
    Bar,
    /// One JSON object a line
    Json,
    /// Nothing
    None,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Clinical notes.
    Notes,
    /// Optimizer steps.
    Steps,
    /// Bytes read or written.
    Bytes,
    /// Codes, each with a model of its own.
    Codes,
    /// Tensors of a model.
    Tensors,
}

impl Unit {
    fn as_str(self) -> &'static str {
        match self {
            Self::Notes => "notes",
            Self::Steps => "steps",
            Self::Bytes => "bytes",
            Self::Codes => "codes",
            Self::Tensors => "tensors",
        }
    }
}

/// JSON lines come at most this often, and once at the end.
const JSON_EVERY: Duration = Duration::from_secs(1);

enum Display {
    Silent,
    Bar(ProgressBar),
    Json { last: Option<Instant> },
}

/// The progress of one step; dropped without [`Progress::finish`], a bar stays as it is.
pub struct Progress {
    display: Display,
    step: String,
    unit: Unit,
    total: Option<u64>,
    done: u64,
    /// What was done before the start.
    from: u64,
    message: String,
    start: Instant,
}

impl Progress {
    pub(crate) fn start(mode: ProgressMode, step: &str, total: Option<u64>, unit: Unit) -> Self {
        let display = match mode {
            ProgressMode::None => Display::Silent,
            ProgressMode::Json => Display::Json { last: None },
            ProgressMode::Auto if !std::io::stderr().is_terminal() => Display::Silent,
            ProgressMode::Auto | ProgressMode::Bar => Display::Bar(bar(step, total, unit)),
        };
        let (step, start) = (step.to_owned(), Instant::now());
        Self { display, step, unit, total, done: 0, from: 0, message: String::new(), start }
    }

    /// Starts in the middle: a resumed run. The time left is that of the rest.
    pub fn start_at(&mut self, done: u64) {
        (self.done, self.from) = (done, done);
        if let Display::Bar(bar) = &self.display {
            bar.set_position(done);
            bar.reset_eta();
        }
    }

    /// More is done.
    pub fn advance(&mut self, by: u64) {
        self.done += by;
        match &mut self.display {
            Display::Bar(bar) => bar.set_position(self.done),
            Display::Json { last } if last.is_none_or(|last| last.elapsed() >= JSON_EVERY) => {
                *last = Some(Instant::now());
                self.line("progress");
            }
            _ => {}
        }
    }

    /// What stands behind the counts, such as loss and tokens/s.
    pub fn message(&mut self, message: impl Into<String>) {
        self.message = message.into();
        if let Display::Bar(bar) = &self.display {
            bar.set_message(self.message.clone());
        }
    }

    /// A line that stays, above a bar; in JSON as `{"event": "note", …}`.
    pub fn say(&self, line: &str) {
        match &self.display {
            Display::Silent => {}
            Display::Bar(bar) => bar.suspend(|| talk::plain(line)),
            Display::Json { .. } => {
                talk::object(&json!({"event": "note", "step": self.step, "text": line}));
            }
        }
    }

    /// A line that the user should look at: it goes out however progress is shown, and where it is not.
    pub fn warn(&self, line: &str) {
        match &self.display {
            Display::Silent => talk::warn(line),
            Display::Bar(bar) => bar.suspend(|| talk::warn(line)),
            Display::Json { .. } => {
                talk::object(&json!({"event": "warning", "step": self.step, "text": line}));
            }
        }
    }

    /// The step is over.
    pub fn finish(self) {
        match &self.display {
            Display::Silent => {}
            Display::Bar(bar) => bar.finish(),
            Display::Json { .. } => self.line("done"),
        }
    }

    fn line(&self, event: &str) {
        let seconds = self.start.elapsed().as_secs_f64();
        talk::object(&json!({
            "event": event, "step": self.step, "unit": self.unit.as_str(), "done": self.done,
            "total": self.total, "seconds": seconds, "seconds_left": self.seconds_left(seconds),
            "message": self.message,
        }));
    }

    /// As long as the rest takes at the speed so far; none where the total or the speed is not known.
    fn seconds_left(&self, seconds: f64) -> Option<f64> {
        let here = self.done.checked_sub(self.from).filter(|&done| done > 0)?;
        Some(self.total?.saturating_sub(self.done) as f64 * seconds / here as f64)
    }
}

fn bar(step: &str, total: Option<u64>, unit: Unit) -> ProgressBar {
    let template = match (total, unit) {
        (Some(_), Unit::Bytes) => "{prefix:>12} {bar:30} {bytes}/{total_bytes} {eta} left  {msg}",
        (Some(_), _) => "{prefix:>12} {bar:30} {human_pos}/{human_len} {eta} left  {msg}",
        (None, _) => "{prefix:>12} {spinner} {human_pos}  {msg}",
    };
    let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    bar.set_style(ProgressStyle::with_template(template).expect("the templates above are well-formed"));
    bar.set_prefix(step.to_owned());
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_that_of_the_rest_at_the_speed_since_the_start() {
        let mut progress = Progress::start(ProgressMode::None, "x", Some(100), Unit::Steps);
        assert_eq!(progress.seconds_left(1.0), None, "no speed yet");
        progress.start_at(40);
        assert_eq!(progress.seconds_left(1.0), None);
        progress.advance(20);
        assert_eq!(progress.seconds_left(10.0), Some(20.0));
        progress.total = None;
        assert_eq!(progress.seconds_left(10.0), None);
    }
}
