//! Ctrl-C, a kill and a hang-up: the command ends at once and leaves nothing half-made. While training goes
//! from step to step, the first signal only asks, so that a checkpoint is saved; a second one ends it.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::files::remove_unfinished;
use crate::talk;

static ASKED: AtomicBool = AtomicBool::new(false);
static LISTENERS: AtomicUsize = AtomicUsize::new(0);
static INSTALL: Once = Once::new();

/// Listens for SIGINT, SIGTERM and SIGHUP from now on. Those that the caller of the command has set to be
/// ignored stay ignored: `nohup bert-xml …` outlives its terminal, and Ctrl-C does not reach `bert-xml … &`
/// in a script.
pub fn listen() {
    INSTALL.call_once(|| {
        #[cfg(unix)]
        let ignored: Vec<i32> = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP]
            .into_iter()
            .filter(|&signal| is_ignored(signal))
            .collect();
        // Where no handler can be set, a signal ends the process as ever, and may leave a `.making-…` behind.
        if let Err(error) = ctrlc::set_handler(on_signal) {
            talk::warn(&format!("Ctrl-C will not be tidy: {error}"));
        }
        #[cfg(unix)]
        for signal in ignored {
            // SAFETY: both are constants that `signal` knows; the handler that it replaces is ctrlc's.
            unsafe { libc::signal(signal, libc::SIG_IGN) };
        }
    });
}

/// Whether a signal is set to be ignored.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    // SAFETY: all zeros are a valid `sigaction`; with no new action the call only fills in the old one.
    let (status, old) = unsafe {
        let mut old: libc::sigaction = std::mem::zeroed();
        (libc::sigaction(signal, std::ptr::null(), &raw mut old), old)
    };
    status == 0 && old.sa_sigaction == libc::SIG_IGN
}

/// Runs in a thread of its own, so that it may do more than a signal handler.
fn on_signal() {
    let somebody_asks = LISTENERS.load(Ordering::SeqCst) > 0;
    if somebody_asks && !ASKED.swap(true, Ordering::SeqCst) {
        return;
    }
    // Kept to the end: nothing new is begun, and no work that loses its folder gets to complain.
    let _held = remove_unfinished();
    talk::say("interrupted");
    std::process::exit(130);
}

/// Somebody asks [`asked`] often: the first signal leaves it to them to stop.
pub struct Listener(());

impl Listener {
    /// From now until it is dropped.
    #[expect(clippy::new_without_default, reason = "it does something")]
    pub fn new() -> Self {
        LISTENERS.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        LISTENERS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether the user asked to stop.
pub fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}
