//! What people are told on stderr.

use std::io::{self, Write};

/// One line. That stderr is closed is nobody's concern any more.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "mesolith: {text}");
}
