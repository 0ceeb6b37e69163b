//! What both daemons' `/files` and `LIST_FILES` and `READ_FILE` show of a file: itself, the parts that are asked for, and
//! the directory that it is in (semantics 268, 285). Which files these are is up to the daemon.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde_json::{Value, json};

use crate::v1;

/// Longest part of a file that one call reads, in bytes: 16 pages.
pub const PART_BYTES: u64 = 16 * 4096;
/// The bits of a mode that say what a file is (inode(7)).
const S_IFMT: u32 = 0o170_000;
/// Entries of a directory that are listed.
const LIST_LIMIT: usize = 100_000;

/// Why a file cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is not there, or not to be shown.
    #[error("there is no such file")]
    NotFound,
    /// A directory has nothing to read.
    #[error("Cannot read a directory.")]
    Directory,
    /// The disk says no.
    #[error("the file cannot be read: {0}")]
    Io(io::Error),
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::NotFound,
            _ => Self::Io(error),
        }
    }
}

/// A part of a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// Of the whole file, in bytes.
    pub size: u64,
    /// As much as was asked for and is there.
    pub data: Vec<u8>,
}

/// What is in the directory `real`, by name; the paths shown are below `shown`. `owner` names the user and the group of
/// a file.
pub fn list(
    real: &Path,
    shown: &str,
    owner: impl Fn(&Metadata) -> (String, String),
) -> Result<Vec<v1::FileInfo>, FileError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(real)?.take(LIST_LIMIT) {
        let entry = entry?;
        let path = format!("{shown}/{}", entry.file_name().to_string_lossy());
        // A file that went meanwhile is not there.
        if let Ok(metadata) = fs::symlink_metadata(entry.path()) {
            files.push(describe(path, &metadata, owner(&metadata)));
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

/// The owners of a file by their numbers.
pub fn numbers(metadata: &Metadata) -> (String, String) {
    (metadata.uid().to_string(), metadata.gid().to_string())
}

fn describe(path: String, metadata: &Metadata, (user, group): (String, String)) -> v1::FileInfo {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    v1::FileInfo {
        path,
        nlink: i32::try_from(metadata.nlink()).ok(),
        size: Some(metadata.size()),
        mtime: modified.map(|time| v1::TimeInfo { nanoseconds: time.as_nanos() as i64 }),
        mode: Some(metadata.mode()),
        uid: Some(user),
        gid: Some(group),
    }
}

/// Reads at most `length` bytes from `offset`, and never more than one part; beyond the end there
/// is nothing.
pub fn read(path: &Path, offset: u64, length: Option<u64>) -> Result<Part, FileError> {
    let (mut file, size) = open(path)?;
    let mut data = Vec::new();
    if offset < size {
        file.seek(SeekFrom::Start(offset))?;
        file.take(length.unwrap_or(PART_BYTES).min(PART_BYTES)).read_to_end(&mut data)?;
    }
    Ok(Part { size, data })
}

/// Opens a plain file; it and its size. Others are not read: a fifo would wait for ever for its writer.
pub fn open(path: &Path) -> Result<(File, u64), FileError> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(FileError::Directory);
    }
    if !metadata.is_file() {
        return Err(FileError::Io(io::Error::new(io::ErrorKind::InvalidInput, "not a plain file")));
    }
    Ok((File::open(path)?, metadata.size()))
}

/// A file as `/files/browse` shows it.
pub fn classic(file: &v1::FileInfo) -> Value {
    json!({
        "path": file.path,
        "nlink": file.nlink(),
        "size": file.size(),
        "mtime": file.mtime.as_ref().map_or(0, |time| time.nanoseconds / 1_000_000_000),
        "mode": mode_text(file.mode()),
        "uid": file.uid(),
        "gid": file.gid(),
    })
}

/// A mode as `ls` shows it.
fn mode_text(mode: u32) -> String {
    let kind = match mode & S_IFMT {
        0o040_000 => 'd',
        0o120_000 => 'l',
        0o010_000 => 'p',
        0o140_000 => 's',
        0o020_000 => 'c',
        0o060_000 => 'b',
        _ => '-',
    };
    let bit = |place: u32| {
        let letter = ['r', 'w', 'x'][(8 - place) as usize % 3];
        if mode & (1 << place) == 0 { '-' } else { letter }
    };
    std::iter::once(kind).chain((0..9).rev().map(bit)).collect()
}

/// The query of `/files/read`. A number may be -1 or absent, which both mean none.
#[derive(Debug, PartialEq, Eq)]
pub struct Wanted {
    path: String,
    offset: Option<u64>,
    length: Option<u64>,
}

impl Wanted {
    /// The errors are what clients of Mesos know.
    pub fn parse(
        path: Option<&str>,
        offset: Option<&str>,
        length: Option<&str>,
    ) -> Result<Self, String> {
        let number = |name: &str, text: Option<&str>| match text {
            None | Some("-1") => Ok(None),
            Some(text) => {
                let number = text.parse().map(Some);
                number.map_err(|_| format!("Failed to parse {name}: '{text}' is no number"))
            }
        };
        Ok(Self {
            path: path_of(path)?.to_owned(),
            offset: number("offset", offset)?,
            length: number("length", length)?,
        })
    }

    /// As the client names it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What `/files/read` answers with, of the file at `real`. Without an offset, only the file's size is told, as
    /// `offset`.
    pub fn read(&self, real: &Path) -> Result<Value, FileError> {
        let limit = if self.offset.is_none() { Some(0) } else { self.length };
        let part = read(real, self.offset.unwrap_or(0), limit)?;
        let data = String::from_utf8_lossy(&part.data);
        Ok(json!({ "offset": self.offset.unwrap_or(part.size), "data": data }))
    }
}

/// The path that a query must name.
pub fn path_of(query: Option<&str>) -> Result<&str, String> {
    let path = query.filter(|path| !path.is_empty());
    path.ok_or_else(|| "Expecting 'path=value' in query.".to_owned())
}

/// The header with which a file of this name is saved.
pub fn disposition(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default().replace('"', "'");
    format!("attachment; filename=\"{name}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_look_as_in_a_listing() {
        assert_eq!(mode_text(0o100_644), "-rw-r--r--");
        assert_eq!(mode_text(0o040_755), "drwxr-xr-x");
        assert_eq!(mode_text(0o120_777), "lrwxrwxrwx");
    }

    #[test]
    fn parts_are_read_within_the_file() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("f");
        fs::write(&file, "0123456789").expect("written");
        for (offset, length, expected) in [(0, 4, "0123"), (8, 4, "89"), (10, 4, ""), (99, 4, "")] {
            let part = read(&file, offset, Some(length)).expect("read");
            assert_eq!((part.size, part.data.as_slice()), (10, expected.as_bytes()));
        }
        assert!(matches!(read(directory.path(), 0, None), Err(FileError::Directory)));
        assert!(matches!(read(&file.join("x"), 0, None), Err(FileError::NotFound)));
    }

    /// semantics 285
    #[test]
    fn without_an_offset_the_size_is_told() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), "0123456789").expect("written");
        let check = |offset, length, expected| {
            let wanted = Wanted::parse(Some("/log"), offset, length).expect("a query");
            assert_eq!(wanted.read(file.path()).expect("read"), expected);
        };
        check(None, None, json!({ "offset": 10, "data": "" }));
        check(Some("-1"), Some("5"), json!({ "offset": 10, "data": "" }));
        check(Some("3"), Some("-1"), json!({ "offset": 3, "data": "3456789" }));
        for (path, offset) in [(None, None), (Some(""), None), (Some("/log"), Some("x"))] {
            assert!(Wanted::parse(path, offset, None).is_err());
        }
    }
}
