//! A disk that is full, fails or tears when told to.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::backends::FileBackend;
use redb::{Database, DatabaseError, StorageBackend};

use crate::Disk;

/// Counts down the writes and syncs it still does; clones share the count. The one at which it
/// reaches zero is torn, if it is a write, and everything after fails.
#[derive(Clone, Debug)]
pub struct FailingDisk {
    left: Arc<AtomicU64>,
    kind: io::ErrorKind,
}

impl FailingDisk {
    /// A disk that fails with `kind` once [`fail_after`](Self::fail_after) says so.
    pub fn new(kind: io::ErrorKind) -> Self {
        Self { left: Arc::new(AtomicU64::new(u64::MAX)), kind }
    }

    /// Fails after `count` more writes and syncs.
    pub fn fail_after(&self, count: u64) {
        self.left.store(count, Ordering::SeqCst);
    }

    /// Works again.
    pub fn heal(&self) {
        self.left.store(u64::MAX, Ordering::SeqCst);
    }

    /// How many writes and syncs are left; 0 when it has failed.
    fn spend(&self) -> u64 {
        let spend = |left: u64| (left != u64::MAX).then(|| left.saturating_sub(1));
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, spend) {
            Ok(left) => left,
            Err(unlimited) => unlimited,
        }
    }

    fn error(&self) -> io::Error {
        io::Error::new(self.kind, "the disk fails on purpose")
    }
}

impl Disk for FailingDisk {
    fn open(&self, path: &Path) -> Result<Database, DatabaseError> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(path)?;
        let file = FileBackend::new(file)?;
        Database::builder().create_with_backend(FailingFile { file, disk: self.clone() })
    }
}

#[derive(Debug)]
struct FailingFile {
    file: FileBackend,
    disk: FailingDisk,
}

impl StorageBackend for FailingFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.disk.spend() == 0 { Err(self.disk.error()) } else { self.file.set_len(len) }
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.disk.spend() == 0 { Err(self.disk.error()) } else { self.file.sync_data() }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        match self.disk.spend() {
            0 => Err(self.disk.error()),
            1 => {
                self.file.write(offset, &data[..data.len() / 2])?;
                Err(self.disk.error())
            }
            _ => self.file.write(offset, data),
        }
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}
