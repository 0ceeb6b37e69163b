//! The snapshots of one data directory: the newest good one, written, received and dropped.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

use super::file::{self, SnapshotFile};
use super::header::Header;
use crate::error::OpenError;
use crate::identity::rename_durably;
use crate::machine::SnapshotSource;

/// How many snapshots are kept: the newest, and one before in case it turns out to be damaged.
const KEPT: usize = 2;

/// A handle on the snapshots; clones share it.
#[derive(Clone)]
pub(crate) struct Snapshots {
    dir: PathBuf,
    newest: Arc<Mutex<Option<SnapshotFile>>>,
    /// One is received at a time, so that peers cannot fill the disk.
    pub(crate) receiving: Arc<Semaphore>,
    /// One is built at a time.
    pub(crate) building: Arc<Semaphore>,
}

impl Snapshots {
    /// Finds the newest snapshot in `dir` that is whole. A damaged one is reported and passed over.
    pub(crate) fn open(dir: &Path) -> Result<Self, OpenError> {
        remove_leftovers(dir).map_err(OpenError::io(dir))?;
        let newest = newest_good(dir).map_err(OpenError::io(dir))?;
        let newest = Arc::new(Mutex::new(newest));
        let one = || Arc::new(Semaphore::new(1));
        Ok(Self { dir: dir.to_path_buf(), newest, receiving: one(), building: one() })
    }

    pub(crate) fn newest(&self) -> Option<SnapshotFile> {
        self.lock().clone()
    }

    /// Writes a snapshot, without a name yet. Leaves nothing behind when that fails.
    pub(crate) fn write(
        &self,
        header: &Header,
        source: &dyn SnapshotSource,
    ) -> io::Result<SnapshotFile> {
        let path = self.dir.join(format!("built-{:020}.snap.tmp", header.mark.index));
        let written = file::write(&path, header, source);
        written.and_then(|()| SnapshotFile::open(&path)).inspect_err(|_| {
            // a disk that is full needs the room; what cannot be removed now is when it is opened
            let _ = fs::remove_file(&path);
        })
    }

    /// A new file for a snapshot that is received.
    pub(crate) fn incoming(&self) -> PathBuf {
        self.dir.join(format!("received-{:016x}.snap.tmp", rand::random::<u64>()))
    }

    /// Gives a complete, synced snapshot its name, durably, and drops those it replaces. One that is
    /// older than the newest is dropped itself.
    pub(crate) fn keep(&self, snapshot: SnapshotFile) -> io::Result<SnapshotFile> {
        let mark = snapshot.header.mark;
        if let Some(newest) = self.newest().filter(|it| it.header.mark.index > mark.index) {
            fs::remove_file(&snapshot.path)?;
            return Ok(newest);
        }
        let path = self.dir.join(format!("snapshot-{:020}-{:020}.snap", mark.index, mark.term));
        if snapshot.path != path {
            rename_durably(&snapshot.path, &path)?;
        }
        let snapshot = snapshot.renamed(&path);
        *self.lock() = Some(snapshot.clone());
        for (_, old) in named(&self.dir)?.into_iter().rev().skip(KEPT) {
            fs::remove_file(old)?;
        }
        Ok(snapshot)
    }

    fn lock(&self) -> MutexGuard<'_, Option<SnapshotFile>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The newest snapshot in `dir` that is whole. Writes nothing.
pub(crate) fn newest_good(dir: &Path) -> io::Result<Option<SnapshotFile>> {
    for (_, path) in named(dir)?.into_iter().rev() {
        let checked =
            SnapshotFile::open(&path).and_then(|snapshot| snapshot.verify().map(|()| snapshot));
        match checked {
            Ok(snapshot) => return Ok(Some(snapshot)),
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "passing over a damaged snapshot");
            }
        }
    }
    Ok(None)
}

/// The snapshots in `dir` that have their names, oldest first, by index and term.
pub(crate) fn named(dir: &Path) -> io::Result<Vec<((u64, u64), PathBuf)>> {
    let mut found = Vec::new();
    for file in fs::read_dir(dir)? {
        let path = file?.path();
        if let Some(position) = position_in_name(&path) {
            found.push((position, path));
        }
    }
    found.sort();
    Ok(found)
}

fn position_in_name(path: &Path) -> Option<(u64, u64)> {
    let name = path.file_name()?.to_str()?;
    let (index, term) = name.strip_prefix("snapshot-")?.strip_suffix(".snap")?.split_once('-')?;
    Some((index.parse().ok()?, term.parse().ok()?))
}

fn remove_leftovers(dir: &Path) -> io::Result<()> {
    for file in fs::read_dir(dir)? {
        let path = file?.path();
        if path.extension().is_some_and(|it| it == "tmp") {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}
