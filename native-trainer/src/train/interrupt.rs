//! Ctrl-C: asks training to stop after the step under way; a second one ends the process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Once;

static ASKED: AtomicBool = AtomicBool::new(false);
static INSTALL: Once = Once::new();

/// Listens for Ctrl-C and SIGTERM from now on.
pub fn listen() {
    INSTALL.call_once(|| {
        let handler = || {
            if ASKED.swap(true, Ordering::SeqCst) {
                std::process::exit(130);
            }
        };
        // Where no handler can be set, Ctrl-C ends the process: checkpoints are whole all the same.
        if let Err(error) = ctrlc::set_handler(handler) {
            eprintln!("warning: Ctrl-C will not save a checkpoint: {error}");
        }
    });
}

/// Whether the user asked to stop.
pub fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}
