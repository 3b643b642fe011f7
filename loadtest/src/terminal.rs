//! What the person who waits sees: results on standard output, progress on standard error.
//! A reader who has gone away is no error of ours.

use std::io::{self, IsTerminal as _, Write as _};

/// A line of the result.
pub(crate) fn say(text: &str) {
    let mut out = io::stdout();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

/// What is being done now. On a terminal, the next one takes its place.
pub(crate) fn progress(text: &str) {
    let mut out = io::stderr();
    if out.is_terminal() {
        let _ = write!(out, "\r\x1b[K{text}\r");
        let _ = out.flush();
    }
}

/// Something to know that is no result.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
