//! What a run did, line by line: kept for people when they ask, and always as one fingerprint, so
//! that two runs of a seed can be compared byte by byte.

use std::fmt;

/// The record of a run.
#[derive(Debug)]
pub struct Trace {
    lines: Option<Vec<String>>,
    fingerprint: u64,
    count: u64,
}

impl Trace {
    /// An empty record; `keep` its lines, or only their fingerprint.
    pub fn new(keep: bool) -> Self {
        Self { lines: keep.then(Vec::new), fingerprint: 0xcbf2_9ce4_8422_2325, count: 0 }
    }

    /// Records one line at a virtual time.
    pub fn note(&mut self, at_ms: u64, what: fmt::Arguments<'_>) {
        let line = format!("{:>9}.{:03} {what}", at_ms / 1000, at_ms % 1000);
        for byte in line.bytes().chain([b'\n']) {
            self.fingerprint = (self.fingerprint ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.count += 1;
        if let Some(lines) = &mut self.lines {
            lines.push(line);
        }
    }

    /// FNV-1a over all lines.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// How many lines there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The lines, if they were kept.
    pub fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}
