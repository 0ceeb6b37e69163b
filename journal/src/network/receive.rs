//! A snapshot on its way: cut into chunks by the sender, put together into a file by the receiver
//! and checked as a whole before anything is done with it.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};

use crate::snapshot::{SnapshotFile, Snapshots};
use crate::transport::{Frames, TransportError};

/// Bytes in one frame of a snapshot.
const CHUNK_BYTES: usize = 1 << 20;
/// A sender that falls silent for so long is given up.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(10);

/// The file as frames.
pub(super) fn chunks(
    snapshot: &SnapshotFile,
) -> impl Stream<Item = Result<Bytes, TransportError>> + Send + use<> {
    futures::stream::try_unfold(snapshot.raw(), |mut from| async move {
        let read = tokio::task::spawn_blocking(move || {
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            from.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut chunk)?;
            Ok((chunk, from))
        });
        let read: io::Result<_> = read.await.map_err(io::Error::other).and_then(|read| read);
        let (chunk, from) = read.map_err(|error| failed("read", &error))?;
        Ok((!chunk.is_empty()).then(|| (Bytes::from(chunk), from)))
    })
}

/// Writes the frames into a new file, syncs and verifies it. The file is removed when that fails.
pub(super) async fn receive(
    snapshots: &Snapshots,
    mut frames: Frames,
) -> Result<SnapshotFile, TransportError> {
    let path = snapshots.incoming();
    let result = write(&path, &mut frames).await;
    if result.is_err() {
        // what cannot be removed now is removed when the journal is opened again
        let _ = std::fs::remove_file(&path);
    }
    result
}

async fn write(path: &Path, frames: &mut Frames) -> Result<SnapshotFile, TransportError> {
    let mut file = std::fs::File::create(path).map_err(|error| failed("create", &error))?;
    loop {
        let next = tokio::time::timeout(CHUNK_TIMEOUT, frames.next()).await;
        let next = next.map_err(|_| TransportError("the sender fell silent".into()))?;
        let Some(chunk) = next.transpose()? else {
            break;
        };
        let written = tokio::task::spawn_blocking(move || {
            file.write_all(&chunk)?;
            Ok::<_, io::Error>(file)
        });
        let written = written.await.map_err(io::Error::other).and_then(|written| written);
        file = written.map_err(|error| failed("write", &error))?;
    }
    let path = PathBuf::from(path);
    let check = tokio::task::spawn_blocking(move || {
        file.sync_all()?;
        let snapshot = SnapshotFile::open(&path)?;
        snapshot.verify()?;
        Ok(snapshot)
    });
    let checked: io::Result<_> = check.await.map_err(io::Error::other).and_then(|checked| checked);
    checked.map_err(|error| failed("check", &error))
}

fn failed(what: &str, error: &io::Error) -> TransportError {
    TransportError(format!("cannot {what} the snapshot: {error}"))
}
