//! Writing to standard output.

use std::fmt::Display;
use std::io::Write;

/// Writes a line at once. A reader that has left, as `head` does, is no error worth dying of.
pub(crate) fn line(text: impl Display) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
