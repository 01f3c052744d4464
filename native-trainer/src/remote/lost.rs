//! What becomes of a run whose worker is lost: burn panics where a device fails, and here that is an error.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, resume_unwind, set_hook, take_hook};
use std::sync::{Mutex, PoisonError};

use anyhow::{Error, Result};

use crate::error::hinted;

/// What the first panic said: later ones follow from it.
static FIRST: Mutex<Option<String>> = Mutex::new(None);

/// Runs work on workers' devices; `names` are those devices, for the error.
///
/// # Errors
/// Those of the work; a panic inside, which is what burn makes of a lost connection, with what it said first.
pub fn catching<T>(names: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let hook = take_hook();
    set_hook(Box::new(remember));
    // What the work holds is not used again: the run ends.
    let result = catch_unwind(AssertUnwindSafe(work));
    set_hook(hook);
    result.unwrap_or_else(|panic| Err(lost(names, panic.as_ref())))
}

/// Goes on with the panic of a thread that used one device, its name with it.
pub fn on(device: impl fmt::Display, panic: Box<dyn Any + Send>) -> ! {
    resume_unwind(Box::new(OnDevice { name: device.to_string(), panic }))
}

struct OnDevice {
    name: String,
    panic: Box<dyn Any + Send>,
}

fn lost(names: &str, panic: &(dyn Any + Send)) -> Error {
    let (names, panic) = match panic.downcast_ref::<OnDevice>() {
        Some(found) => (found.name.as_str(), found.panic.as_ref()),
        None => (names, panic),
    };
    let first = FIRST.lock().unwrap_or_else(PoisonError::into_inner).take();
    let cause = first.unwrap_or_else(|| said(panic));
    // burn tells the reason behind `Caused by:`; a backtrace may follow.
    let mut lines = cause.lines();
    let reason = lines.clone().skip_while(|line| *line != "Caused by:").nth(1);
    let cause = reason.or_else(|| lines.next()).unwrap_or_default().trim();
    hinted(
        format!("{names} failed: {cause}"),
        "look at the worker's own output, start it again, and go on with --resume",
    )
}

fn remember(info: &PanicHookInfo<'_>) {
    let mut first = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
    first.get_or_insert_with(|| said(info.payload()));
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_on_a_worker_is_an_error_with_its_first_reason() {
        let error = catching::<()>("two workers", || {
            let reader = std::thread::spawn(|| {
                panic!("no data: (An error\nCaused by:\n  the stream closed\nbacktrace")
            });
            on("remote:ws://a:1", reader.join().unwrap_err())
        });
        assert_eq!(error.unwrap_err().to_string(), "remote:ws://a:1 failed: the stream closed");
        let error = catching::<()>("remote:ws://a:1,remote:ws://b:1", || panic!("no answer\nbacktrace"));
        assert_eq!(error.unwrap_err().to_string(), "remote:ws://a:1,remote:ws://b:1 failed: no answer");
        assert_eq!(catching("x", || Ok(3)).unwrap(), 3);
    }
}
