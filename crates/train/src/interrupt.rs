//! Ctrl-C: the first one asks for a clean end, the second one ends at once.

use std::io::{self, Write};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::CliError;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// What a shell reports for a program that Ctrl-C ended: 128 and the signal's number.
const EXIT_CODE: i32 = 130;

/// Listens for Ctrl-C from now on.
///
/// # Errors
/// The system does not let us.
pub(crate) fn listen() -> Result<(), CliError> {
    let handler = || {
        if REQUESTED.swap(true, Ordering::Relaxed) {
            process::exit(EXIT_CODE);
        }
        // Nothing is lost if this cannot be printed.
        let _ = writeln!(io::stderr(), "\nEnding the run after this batch; Ctrl-C again aborts at once.");
    };
    ctrlc::set_handler(handler).map_err(CliError::Interrupt)
}

/// Whether Ctrl-C was pressed.
pub(crate) fn is_requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}
