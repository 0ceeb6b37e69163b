//! Snapshots: files of their own, written while the log goes on.

mod directory;
mod file;
mod header;

pub(crate) use directory::{Snapshots, named, newest_good};
pub(crate) use file::SnapshotFile;
pub use file::SnapshotReader;
pub(crate) use header::Header;
