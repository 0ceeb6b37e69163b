//! What people are told on stderr.

use std::io::{self, Write};

/// One line. That stderr is closed is nobody's concern any more.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "mesolith: {text}");
}

/// An error with its causes in one line. What an error says of its cause is not said twice: some
/// libraries put the cause into their own text, and some have one layer more than causes.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    for cause in error.chain().map(ToString::to_string) {
        if texts.last().is_none_or(|before| !before.ends_with(&cause)) {
            texts.push(cause);
        }
    }
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cause_is_told_twice() {
        let error = anyhow::anyhow!("connection refused")
            .context("tcp connect error")
            .context("tcp connect error")
            .context("transport error: tcp connect error")
            .context("connecting to a:1");
        let text = "connecting to a:1: transport error: tcp connect error: connection refused";
        assert_eq!(chain(&error), text);
    }
}
