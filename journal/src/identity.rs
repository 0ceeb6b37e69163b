//! Which member a data directory belongs to. Kept in a small file of its own, written once when the
//! directory is made and once when the member learns its place in a quorum.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use crate::store::{RealDisk, Tail};
use crate::{FORMAT, OpenError};

/// Which member a data directory belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Journal format of the directory.
    pub format: u32,
    /// This member's number in the quorum; 0 until it is known.
    pub node: u64,
    /// Names the quorum; empty until it is formed.
    pub cluster_id: String,
    /// Random, made with the directory: a wiped directory has another.
    pub incarnation: String,
}

/// An identity as it is on disk.
#[derive(Serialize, Deserialize)]
struct Checked {
    #[serde(flatten)]
    identity: Identity,
    check: String,
}

const FILE: &str = "identity";
/// What a data directory may hold before its identity is written: the agent and the master keep
/// nothing in it, but file systems do.
const IGNORED: [&str; 1] = ["lost+found"];

impl Identity {
    /// The identity in `dir`; makes the directory and a fresh identity when there is none.
    ///
    /// # Errors
    /// [`OpenError::Foreign`] for a directory with something else in it, [`OpenError::Format`] for
    /// one of another version.
    pub fn load_or_create(dir: &Path) -> Result<Self, OpenError> {
        fs::create_dir_all(dir).map_err(OpenError::io(dir))?;
        if let Some(identity) = Self::load(dir)? {
            return Ok(identity);
        }
        for entry in fs::read_dir(dir).map_err(OpenError::io(dir))? {
            let name = entry.map_err(OpenError::io(dir))?.file_name();
            let leftover = Path::new(&name).extension().is_some_and(|it| it == "tmp");
            if !leftover && !IGNORED.iter().any(|ignored| name == *ignored) {
                return Err(OpenError::Foreign(dir.to_path_buf()));
            }
        }
        let incarnation = random_hex();
        let identity = Self { format: FORMAT, node: 0, cluster_id: String::new(), incarnation };
        identity.save(dir)?;
        Ok(identity)
    }

    /// The identity in `dir`, if there is one. Writes nothing.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or is of another format.
    pub fn load(dir: &Path) -> Result<Option<Self>, OpenError> {
        let path = dir.join(FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(OpenError::io(&path)(error)),
        };
        let damaged = |what: String| OpenError::damaged(&path, what);
        let checked: Checked =
            rmp_serde::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        let identity = checked.identity;
        if identity.format != FORMAT {
            return Err(OpenError::Format { path, found: identity.format, expected: FORMAT });
        }
        if checked.check != identity.check() {
            return Err(damaged("its content does not match its check".to_owned()));
        }
        Ok(Some(identity))
    }

    /// Takes a place in a quorum, durably. The same place again is fine. The tail comes first: a
    /// directory with a place and without a tail has lost it.
    ///
    /// # Errors
    /// [`OpenError::OtherNode`] when the directory has another place already.
    pub fn join(&mut self, dir: &Path, node: u64, cluster_id: &str) -> Result<(), OpenError> {
        if self.node == node && self.cluster_id == cluster_id {
            return Ok(());
        }
        let other_cluster = !self.cluster_id.is_empty() && self.cluster_id != cluster_id;
        if (self.node != 0 && self.node != node) || other_cluster {
            let (dir, found) = (dir.to_path_buf(), self.node);
            return Err(OpenError::OtherNode { dir, found, expected: node });
        }
        if self.node == 0 {
            Tail::make(dir, &RealDisk)?;
        }
        self.node = node;
        self.cluster_id = cluster_id.to_string();
        self.save(dir)
    }

    /// Hash of all of it, as hex. One flipped bit would make this member another, whom the others shun without a word.
    fn check(&self) -> String {
        let Self { format, node, cluster_id, incarnation } = self;
        let text = format!("{format} {node} {cluster_id} {incarnation}");
        blake3::hash(text.as_bytes()).to_hex().to_string()
    }

    fn save(&self, dir: &Path) -> Result<(), OpenError> {
        let path = dir.join(FILE);
        let checked = Checked { identity: self.clone(), check: self.check() };
        let bytes = rmp_serde::to_vec_named(&checked).map_err(io::Error::other);
        bytes.and_then(|bytes| write_durably(&path, &bytes)).map_err(OpenError::io(&path))
    }
}

/// The identity as it is now, of those that share it.
pub(crate) fn read(identity: &RwLock<Identity>) -> Identity {
    identity.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Replaces a file so that after a crash it is the old one or the new one, whole.
fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    rename_durably(&temporary, path)
}

/// Renames a synced file within one directory, durably.
pub(crate) fn rename_durably(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_dir(to)
}

/// Makes the entries of the directory that `path` lies in durable.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    let dir = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    File::open(dir)?.sync_all()
}

fn random_hex() -> String {
    rand::random::<[u8; 16]>().iter().fold(String::with_capacity(32), |mut hex, byte| {
        // writing to a String cannot fail
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(prepare: impl FnOnce(&Path), expected: &str) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        prepare(dir.path());
        let error = Identity::load_or_create(dir.path()).expect_err("refused");
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn is_made_once_and_joins_once() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut identity = Identity::load_or_create(dir.path()).expect("made");
        assert_eq!((identity.node, identity.cluster_id.as_str()), (0, ""));
        assert_eq!(identity.incarnation.len(), 32);
        identity.join(dir.path(), 2, "cluster").expect("joined");
        identity.join(dir.path(), 2, "cluster").expect("joined again");
        assert_eq!(Identity::load_or_create(dir.path()).expect("read"), identity);
        assert!(identity.join(dir.path(), 3, "cluster").is_err());
        assert!(identity.join(dir.path(), 2, "other").is_err());
    }

    #[test]
    fn foreign_and_damaged_directories_are_named() {
        check_refused(|dir| fs::write(dir.join("diary"), "dear").expect("written"), "no journal");
        check_refused(|dir| fs::write(dir.join(FILE), "dear").expect("written"), "damaged");
        check_refused(
            |dir| {
                let mut identity = Identity::load_or_create(dir).expect("made");
                identity.format = FORMAT + 1;
                identity.save(dir).expect("written");
            },
            "has journal format 2",
        );
    }

    #[test]
    fn a_flipped_bit_anywhere_is_noticed() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut identity = Identity::load_or_create(dir.path()).expect("made");
        identity.join(dir.path(), 2, "cluster").expect("joined");
        let path = dir.path().join(FILE);
        let whole = fs::read(&path).expect("read");
        for (byte, bit) in (0..whole.len()).flat_map(|byte| (0..8).map(move |bit| (byte, bit))) {
            let mut flipped = whole.clone();
            flipped[byte] ^= 1 << bit;
            fs::write(&path, flipped).expect("written");
            assert!(Identity::load(dir.path()).is_err(), "bit {bit} of byte {byte}");
        }
    }
}
