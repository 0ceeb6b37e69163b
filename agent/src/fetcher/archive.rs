//! Archives, unpacked so that nothing lands outside the sandbox.
//!
//! Every name is checked, and every directory on the way to it must be a real one: a link that the
//! archive itself brought is never walked through.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, lchown, symlink};
use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::shim::spec::Credentials;

/// Entries of one archive.
const ENTRY_LIMIT: usize = 1_000_000;
/// Bytes that one archive may unpack to: a bomb ends here.
const SIZE_LIMIT_BYTES: u64 = 64 << 30;

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    #[error("the archive cannot be read")]
    Read(#[from] io::Error),
    #[error("the archive cannot be read as zip")]
    Zip(#[from] zip::result::ZipError),
    #[error("the archive's entry '{0}' leads out of the sandbox")]
    Escapes(String),
    #[error("the archive has more than {ENTRY_LIMIT} entries")]
    TooMany,
    #[error("the archive unpacks to more than {SIZE_LIMIT_BYTES} bytes")]
    TooLarge,
    #[error("archives packed with {0} are not supported by this agent")]
    Unsupported(&'static str),
    #[error("cannot unpack the entry '{name}'")]
    Entry { name: String, source: io::Error },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Tar,
    TarGzip,
    Gzip,
    Zip,
    Unsupported(&'static str),
}

/// Where entries go, and what may still come.
struct Target<'a> {
    sandbox: &'a Path,
    owner: Option<&'a Credentials>,
    entries_left: usize,
    bytes_left: u64,
}

/// Unpacks `file` into `sandbox` if its name says that it is an archive; any other file stays as it
/// is.
pub(super) fn unpack(
    file: &Path,
    sandbox: &Path,
    owner: Option<&Credentials>,
) -> Result<(), ArchiveError> {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some(format) = format(name) else { return Ok(()) };
    let mut target =
        Target { sandbox, owner, entries_left: ENTRY_LIMIT, bytes_left: SIZE_LIMIT_BYTES };
    match format {
        Format::Tar => unpack_tar(BufReader::new(File::open(file)?), &mut target),
        Format::TarGzip => {
            unpack_tar(MultiGzDecoder::new(BufReader::new(File::open(file)?)), &mut target)
        }
        Format::Zip => unpack_zip(File::open(file)?, &mut target),
        Format::Gzip => {
            let inner = Path::new(name).with_extension("");
            let content = MultiGzDecoder::new(BufReader::new(File::open(file)?));
            target.write_file(&inner, content, 0o644)
        }
        Format::Unsupported(what) => Err(ArchiveError::Unsupported(what)),
    }
}

fn format(name: &str) -> Option<Format> {
    let endings = [
        (".tar", Format::Tar),
        (".tar.gz", Format::TarGzip),
        (".tgz", Format::TarGzip),
        (".zip", Format::Zip),
        (".gz", Format::Gzip),
        (".tar.bz2", Format::Unsupported("bzip2")),
        (".tbz2", Format::Unsupported("bzip2")),
        (".tar.xz", Format::Unsupported("xz")),
        (".txz", Format::Unsupported("xz")),
    ];
    let found = endings.into_iter().find(|(ending, _)| name.ends_with(ending));
    found.map(|(_, format)| format)
}

fn unpack_tar(content: impl Read, target: &mut Target<'_>) -> Result<(), ArchiveError> {
    let mut archive = tar::Archive::new(content);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let mode = entry.header().mode().unwrap_or(0o644);
        match entry.header().entry_type() {
            tar::EntryType::Directory => target.make_directory(&path)?,
            tar::EntryType::Symlink => {
                let to = entry.link_name()?.map(std::borrow::Cow::into_owned).unwrap_or_default();
                target.link(&path, &to)?;
            }
            tar::EntryType::Link => {
                let to = entry.link_name()?.map(std::borrow::Cow::into_owned).unwrap_or_default();
                target.copy_entry(&path, &to, mode)?;
            }
            tar::EntryType::Regular | tar::EntryType::Continuous | tar::EntryType::GNUSparse => {
                target.write_file(&path, &mut entry, mode)?;
            }
            // Devices and fifos have no place in a sandbox; headers describe other entries.
            _ => {}
        }
    }
    Ok(())
}

fn unpack_zip(file: File, target: &mut Target<'_>) -> Result<(), ArchiveError> {
    let mut archive = zip::ZipArchive::new(BufReader::new(file))?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let path = PathBuf::from(entry.name());
        let mode = entry.unix_mode().unwrap_or(0o644);
        if entry.is_dir() {
            target.make_directory(&path)?;
        } else if entry.is_symlink() {
            let mut to = String::new();
            entry.by_ref().take(libc::PATH_MAX as u64).read_to_string(&mut to)?;
            target.link(&path, Path::new(&to))?;
        } else {
            target.write_file(&path, entry, mode)?;
        }
    }
    Ok(())
}

impl Target<'_> {
    /// The place of an entry, its directories made; refused when any of them is not a directory of
    /// the sandbox.
    fn place(&mut self, entry: &Path) -> Result<PathBuf, ArchiveError> {
        self.entries_left = self.entries_left.checked_sub(1).ok_or(ArchiveError::TooMany)?;
        let escapes = || ArchiveError::Escapes(entry.display().to_string());
        let mut parts = Vec::new();
        for part in entry.components() {
            match part {
                Component::Normal(name) => parts.push(name),
                Component::CurDir => {}
                _ => return Err(escapes()),
            }
        }
        let Some((name, directories)) = parts.split_last() else {
            return Ok(self.sandbox.to_owned());
        };
        let mut place = self.sandbox.to_owned();
        for directory in directories {
            place.push(directory);
            match place.symlink_metadata() {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(_) => return Err(escapes()),
                Err(_) => self.create_directory(&place, entry)?,
            }
        }
        place.push(name);
        Ok(place)
    }

    fn create_directory(&self, place: &Path, entry: &Path) -> Result<(), ArchiveError> {
        DirBuilder::new().mode(0o755).create(place).map_err(|error| failed(entry, error))?;
        self.give(place, entry)
    }

    fn make_directory(&mut self, entry: &Path) -> Result<(), ArchiveError> {
        let place = self.place(entry)?;
        match place.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => Ok(()),
            Ok(_) => Err(ArchiveError::Escapes(entry.display().to_string())),
            Err(_) => self.create_directory(&place, entry),
        }
    }

    fn link(&mut self, entry: &Path, to: &Path) -> Result<(), ArchiveError> {
        // A link may point anywhere, as it may when the task makes it; only the agent must not walk
        // through it.
        let place = self.vacant(entry)?;
        symlink(to, &place).map_err(|error| failed(entry, error))?;
        self.give(&place, entry)
    }

    /// A hard link becomes a copy: a link could make the container's user own somebody else's file.
    fn copy_entry(&mut self, entry: &Path, to: &Path, mode: u32) -> Result<(), ArchiveError> {
        let original = self.place(to)?;
        let source = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW)
            .open(original)
            .map_err(|error| failed(entry, error))?;
        self.write_file(entry, source, mode)
    }

    fn write_file(
        &mut self,
        entry: &Path,
        content: impl Read,
        mode: u32,
    ) -> Result<(), ArchiveError> {
        let place = self.vacant(entry)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&place)
            .map_err(|error| failed(entry, error))?;
        let limit = self.bytes_left.saturating_add(1);
        let written =
            io::copy(&mut content.take(limit), &mut file).map_err(|error| failed(entry, error))?;
        self.bytes_left = self.bytes_left.checked_sub(written).ok_or(ArchiveError::TooLarge)?;
        // No bit that lends the owner's rights to others.
        file.set_permissions(fs::Permissions::from_mode(mode & 0o777))
            .map_err(|error| failed(entry, error))?;
        self.give(&place, entry)
    }

    /// The place of an entry with nothing at it: what was there is replaced, links included.
    fn vacant(&mut self, entry: &Path) -> Result<PathBuf, ArchiveError> {
        let place = self.place(entry)?;
        match fs::remove_file(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(entry, error)),
            _ => Ok(place),
        }
    }

    fn give(&self, place: &Path, entry: &Path) -> Result<(), ArchiveError> {
        let Some(owner) = self.owner else { return Ok(()) };
        lchown(place, Some(owner.user), Some(owner.group)).map_err(|error| failed(entry, error))
    }
}

fn failed(entry: &Path, source: io::Error) -> ArchiveError {
    ArchiveError::Entry { name: entry.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Unpacks a tar of these (name, link target or content) into a sandbox beside a file `victim`.
    fn unpack_entries(
        entries: &[(&str, tar::EntryType, &str)],
    ) -> (tempfile::TempDir, Result<(), ArchiveError>) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let sandbox = directory.path().join("sandbox");
        fs::create_dir(&sandbox).expect("made");
        fs::write(directory.path().join("victim"), "untouched").expect("written");
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, content) in entries {
            let mut header = tar::Header::new_old();
            header.set_entry_type(*kind);
            header.set_mode(0o4755);
            // Written by hand: the builder itself would refuse some of these names.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            let body = if *kind == tar::EntryType::Regular { *content } else { "" };
            header.as_mut_bytes()[157..157 + content.len() - body.len()]
                .copy_from_slice(&content.as_bytes()[body.len()..]);
            header.set_size(body.len() as u64);
            header.set_cksum();
            builder.append(&header, body.as_bytes()).expect("appended");
        }
        let file = sandbox.join("a.tar");
        fs::write(&file, builder.into_inner().expect("finished")).expect("written");
        let result = unpack(&file, &sandbox, None);
        (directory, result)
    }

    #[test]
    fn files_and_directories_come_out() {
        let regular = tar::EntryType::Regular;
        let (directory, result) = unpack_entries(&[
            ("d/", tar::EntryType::Directory, ""),
            ("d/e/f", regular, "content"),
            ("copy", tar::EntryType::Link, "d/e/f"),
        ]);
        result.expect("unpacked");
        let read = |name: &str| fs::read_to_string(directory.path().join("sandbox").join(name));
        assert_eq!(read("d/e/f").expect("read"), "content");
        assert_eq!(read("copy").expect("read"), "content");
        let mode =
            fs::metadata(directory.path().join("sandbox/copy")).expect("there").permissions();
        assert_eq!(mode.mode() & 0o7777, 0o755, "no set-user-id bit");
    }

    #[test]
    fn nothing_leaves_the_sandbox() {
        let (regular, link) = (tar::EntryType::Regular, tar::EntryType::Symlink);
        for entries in [
            vec![("../victim", regular, "x")],
            vec![("/victim", regular, "x")],
            vec![("out", link, ".."), ("out/victim", regular, "x")],
            vec![("d", link, ".."), ("d/", tar::EntryType::Directory, "")],
        ] {
            let (directory, result) = unpack_entries(&entries);
            assert!(matches!(result, Err(ArchiveError::Escapes(_))), "{entries:?}: {result:?}");
            let victim = fs::read_to_string(directory.path().join("victim")).expect("there");
            assert_eq!(victim, "untouched");
        }
    }

    #[test]
    fn a_link_in_a_files_place_is_replaced() {
        let entries =
            [("f", tar::EntryType::Symlink, "../victim"), ("f", tar::EntryType::Regular, "x")];
        let (directory, result) = unpack_entries(&entries);
        result.expect("unpacked");
        let victim = fs::read_to_string(directory.path().join("victim")).expect("there");
        assert_eq!(victim, "untouched");
    }

    #[test]
    fn damaged_archives_are_errors() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for name in ["a.tar.gz", "a.zip", "a.gz", "a.tar.xz"] {
            let file = directory.path().join(name);
            fs::write(&file, b"no archive at all").expect("written");
            assert!(unpack(&file, directory.path(), None).is_err(), "{name}");
        }
        let plain = directory.path().join("a.txt");
        fs::write(&plain, b"text").expect("written");
        unpack(&plain, directory.path(), None).expect("not an archive");
    }
}
