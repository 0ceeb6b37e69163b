//! One snapshot on disk: header, then chunks each with its own hash, then a trailer over all.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::header::{Header, invalid};
use crate::chain::Hash;
use crate::machine::SnapshotSource;

/// Content bytes in one chunk.
const CHUNK_BYTES: usize = 1 << 20;
/// Hash of the chain of chunk hashes before the first.
const NO_CHUNKS: Hash = Hash::START;

/// A handle on a complete snapshot. The open file stays readable when the name goes.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotFile {
    pub(crate) path: PathBuf,
    pub(crate) header: Header,
    file: Arc<File>,
}

impl SnapshotFile {
    /// Opens the snapshot at `path`; only its header is checked.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let header = Header::read(&mut BufReader::new(&file))?;
        Ok(Self { path: path.to_path_buf(), header, file: Arc::new(file) })
    }

    /// The same open file under the name it was given since.
    pub(crate) fn renamed(self, path: &Path) -> Self {
        Self { path: path.to_path_buf(), ..self }
    }

    /// The file itself, from its start, as it is sent to peers.
    pub(crate) fn raw(&self) -> RawReader {
        RawReader { file: self.file.clone(), at: 0 }
    }

    /// The content, checked chunk by chunk while it is read.
    pub(crate) fn content(&self) -> io::Result<SnapshotReader> {
        let mut from = BufReader::new(self.raw());
        Header::read(&mut from)?;
        Ok(SnapshotReader { from, chunk: Vec::new(), at: 0, chain: NO_CHUNKS, ended: false })
    }

    /// Reads everything once.
    pub(crate) fn verify(&self) -> io::Result<()> {
        io::copy(&mut self.content()?, &mut io::sink()).map(drop)
    }
}

/// Reads a shared file from its start, whoever else reads it.
#[derive(Debug)]
pub(crate) struct RawReader {
    file: Arc<File>,
    at: u64,
}

impl Read for RawReader {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(to, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Writes a snapshot to `path` and syncs it.
pub(crate) fn write(path: &Path, header: &Header, source: &dyn SnapshotSource) -> io::Result<()> {
    let mut to = BufWriter::new(File::create(path)?);
    to.write_all(&header.encode()?)?;
    let mut chunks = ChunkWriter { to, chunk: Vec::new(), chain: NO_CHUNKS };
    source.write(&mut chunks)?;
    chunks.finish()?.sync_all()
}

/// Each chunk: length (u32), content, BLAKE3 of the hash before and the content. The end: length 0
/// and the last of those hashes once more.
struct ChunkWriter {
    to: BufWriter<File>,
    chunk: Vec<u8>,
    chain: Hash,
}

impl ChunkWriter {
    fn write_chunk(&mut self) -> io::Result<()> {
        let length = u32::try_from(self.chunk.len()).map_err(io::Error::other)?;
        self.chain = link(&self.chain, &self.chunk);
        self.to.write_all(&length.to_le_bytes())?;
        self.to.write_all(&self.chunk)?;
        self.to.write_all(&self.chain.0)?;
        self.chunk.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<File> {
        if !self.chunk.is_empty() {
            self.write_chunk()?;
        }
        self.to.write_all(&0_u32.to_le_bytes())?;
        self.to.write_all(&self.chain.0)?;
        self.to.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

impl Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK_BYTES - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        if self.chunk.len() == CHUNK_BYTES {
            self.write_chunk()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads content; a damaged or short file is an error, never an early end.
#[derive(Debug)]
pub struct SnapshotReader {
    from: BufReader<RawReader>,
    chunk: Vec<u8>,
    at: usize,
    chain: Hash,
    ended: bool,
}

impl SnapshotReader {
    fn next_chunk(&mut self) -> io::Result<()> {
        let mut length = [0; 4];
        self.from.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > CHUNK_BYTES {
            return Err(invalid("a chunk is too long"));
        }
        self.chunk.resize(length, 0);
        self.from.read_exact(&mut self.chunk)?;
        self.at = 0;
        let mut hash = [0; 32];
        self.from.read_exact(&mut hash)?;
        self.ended = length == 0;
        if !self.ended {
            self.chain = link(&self.chain, &self.chunk);
        }
        if hash == self.chain.0 { Ok(()) } else { Err(invalid("a chunk is damaged")) }
    }
}

impl Read for SnapshotReader {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.at == self.chunk.len() && !self.ended {
            self.next_chunk()?;
        }
        let count = to.len().min(self.chunk.len() - self.at);
        to[..count].copy_from_slice(&self.chunk[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

fn link(previous: &Hash, chunk: &[u8]) -> Hash {
    Hash(*blake3::Hasher::new().update(&previous.0).update(chunk).finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::format::Mark;
    use crate::raft::StoredMembership;

    struct Bytes(Vec<u8>);

    impl SnapshotSource for Bytes {
        fn write(&self, to: &mut dyn Write) -> io::Result<()> {
            to.write_all(&self.0)
        }
    }

    fn write_snapshot(path: &Path, content: &[u8]) {
        let mark = Mark { index: 7, term: 2, hash: Hash([3; 32]) };
        let header = Header { mark, membership: StoredMembership::default() };
        write(path, &header, &Bytes(content.to_vec())).expect("written");
    }

    fn check(content: &[u8]) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("snapshot");
        write_snapshot(&path, content);
        let snapshot = SnapshotFile::open(&path).expect("opened");
        assert_eq!(snapshot.header.mark.index, 7);
        fs::remove_file(&path).expect("removed");
        let mut read = Vec::new();
        snapshot.content().expect("still open").read_to_end(&mut read).expect("read");
        assert!(read == content, "{} bytes came back as {}", content.len(), read.len());
    }

    #[test]
    fn content_of_any_size_survives_a_round_trip() {
        check(b"");
        check(b"x");
        check(&vec![1; CHUNK_BYTES]);
        check(&vec![2; 2 * CHUNK_BYTES + 1]);
    }

    #[test]
    fn every_damaged_or_missing_byte_is_found() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("snapshot");
        write_snapshot(&path, b"state");
        let good = fs::read(&path).expect("read");
        let verify = |bytes: &[u8]| {
            fs::write(&path, bytes).expect("written");
            SnapshotFile::open(&path).and_then(|snapshot| snapshot.verify())
        };
        assert!(verify(&good).is_ok());
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert!(verify(&bad).is_err(), "byte {at} of {}", good.len());
            assert!(verify(&good[..at]).is_err(), "cut at {at}");
        }
    }
}
