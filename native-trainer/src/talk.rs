//! Talk on standard error: lines for people, or JSON Lines. A standard error that is closed or full is no reason to
//! stop: what cannot be said is not said.

use std::io::{Write, stderr};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

/// Whether every line is a JSON object. There is one standard error for the process, and so one form.
static JSON: AtomicBool = AtomicBool::new(false);

/// From now on every line is a JSON object (`--progress json`), or is not.
pub fn in_json(json: bool) {
    JSON.store(json, Ordering::Relaxed);
}

/// A note to the user.
pub fn say(text: &str) {
    line("note", text, text);
}

/// Something that the user should look at.
pub fn warn(text: &str) {
    line("warning", text, &format!("warning: {text}"));
}

/// Why the command failed, and what the user can do.
pub fn fail(text: &str, hint: Option<&str>) {
    if JSON.load(Ordering::Relaxed) {
        object(&json!({"event": "error", "text": text, "hint": hint}));
    } else {
        plain(&format!("error: {text}"));
        if let Some(hint) = hint {
            plain(&format!("hint: {hint}"));
        }
    }
}

/// One JSON object a line.
pub fn object(object: &Value) {
    plain(&object.to_string());
}

fn line(event: &str, text: &str, plainly: &str) {
    if JSON.load(Ordering::Relaxed) {
        object(&json!({"event": event, "text": text}));
    } else {
        plain(plainly);
    }
}

/// The line as it is.
pub(crate) fn plain(line: &str) {
    // One write a line: lines of several threads and processes do not mix.
    let _ = stderr().lock().write_all(format!("{line}\n").as_bytes());
}
