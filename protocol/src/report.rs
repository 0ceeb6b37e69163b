//! Where in a message the reader stands: the path to a value that does not fit, and the required
//! fields that were not there.

use std::fmt::{Display, Write};

/// Missing fields that are named; there may be as many as the input has objects.
const MAX_MISSING: usize = 32;

/// Paths are gathered from the inside out, so that reading without errors costs nothing.
#[derive(Debug, Default)]
pub struct Report {
    /// Path to the value that did not fit, such as `.accept.operations[1].type`.
    path: String,
    /// Paths of required fields that were not there.
    missing: Vec<String>,
}

impl Report {
    /// Runs a reader for the value at `segment` (`.name` or `[3]`), and puts the segment before
    /// what it reports.
    pub(crate) fn within<T, E>(
        &mut self,
        segment: impl Display,
        read: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let mark = self.mark();
        let result = read(self);
        self.prefix(mark, &segment);
        if result.is_err() {
            self.path.insert_str(0, &segment.to_string());
        }
        result
    }

    /// A point in time, for `prefix`.
    pub(crate) fn mark(&self) -> usize {
        self.missing.len()
    }

    /// Puts a segment before all that was missed since the mark.
    pub(crate) fn prefix(&mut self, mark: usize, segment: impl Display) {
        for path in self.missing.iter_mut().skip(mark) {
            path.insert_str(0, &segment.to_string());
        }
    }

    /// Notes that a required field of the current message was not there.
    pub(crate) fn miss(&mut self, name: &str) {
        if self.missing.len() < MAX_MISSING {
            self.missing.push(format!(".{name}"));
        }
    }

    /// The text for a message that lacks required fields (semantics 17); `None` if nothing is
    /// missing.
    pub(crate) fn into_missing(self) -> Option<String> {
        if self.missing.is_empty() {
            return None;
        }
        let paths: Vec<&str> = self.missing.iter().map(|path| without_dot(path)).collect();
        Some(format!("Missing required fields: {}", paths.join(", ")))
    }

    /// Whether what did not fit is the whole text, not something in it.
    pub(crate) fn is_at_top(&self) -> bool {
        self.path.is_empty()
    }

    /// The text for a value that does not fit.
    pub(crate) fn locate(&self, error: &impl Display) -> String {
        let mut text = String::new();
        if !self.path.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(text, "field '{}': ", without_dot(&self.path));
        }
        let _ = write!(text, "{error}");
        text
    }
}

fn without_dot(path: &str) -> &str {
    path.strip_prefix('.').unwrap_or(path)
}
