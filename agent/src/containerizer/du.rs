//! How much of the disk a directory takes with all below it. Whoever owns it may change it meanwhile:
//! no link is followed, and no path is too long.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};

/// Levels of directories that are looked into: each takes an open file meanwhile.
const DEPTH_MAX: u32 = 500;
/// Bytes of a block in which the kernel counts, whatever the file system's own are.
const BLOCK: u64 = 512;

/// What was found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measured {
    pub(super) bytes: u64,
    /// Whether all of it was looked at: unset if directories are nested too deeply.
    pub(super) is_whole: bool,
}

struct Walk {
    measured: Measured,
    /// Files with several names, which count once.
    seen: BTreeSet<(u64, u64)>,
}

/// Measures a directory. What goes away meanwhile does not count.
pub(super) fn measure(directory: &Path) -> io::Result<Measured> {
    let mut walk = Walk { measured: Measured { bytes: 0, is_whole: true }, seen: BTreeSet::new() };
    let mut top = Dir::open(directory, flags(), Mode::empty())?;
    let stat = fstat(top.as_fd())?;
    walk.count(&stat);
    walk.enter(&mut top, 0);
    Ok(walk.measured)
}

fn flags() -> OFlag {
    OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_RDONLY
}

impl Walk {
    fn enter(&mut self, directory: &mut Dir, depth: u32) {
        let is_own = |name: &CStr| !matches!(name.to_bytes(), b"." | b"..");
        let entries = directory.iter().flatten().map(|entry| entry.file_name().to_owned());
        let names: Vec<CString> = entries.filter(|name| is_own(name)).collect();
        for name in names {
            let stat = fstatat(directory.as_fd(), name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW);
            let Ok(stat) = stat else { continue };
            self.count(&stat);
            let kind = SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits());
            if kind != SFlag::S_IFDIR {
                continue;
            }
            if depth == DEPTH_MAX {
                self.measured.is_whole = false;
                continue;
            }
            let below = Dir::openat(directory.as_fd(), name.as_c_str(), flags(), Mode::empty());
            if let Ok(mut below) = below {
                self.enter(&mut below, depth + 1);
            }
        }
    }

    fn count(&mut self, stat: &FileStat) {
        if stat.st_nlink <= 1 || self.seen.insert((stat.st_dev, stat.st_ino)) {
            self.measured.bytes += u64::try_from(stat.st_blocks).unwrap_or(0) * BLOCK;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    const MEBIBYTE: u64 = 1 << 20;

    /// Whole megabytes of a directory; what directories take themselves is less than one.
    fn check(directory: &Path, megabytes: u64) {
        let measured = measure(directory).expect("measured");
        assert_eq!((measured.bytes / MEBIBYTE, measured.is_whole), (megabytes, true));
    }

    #[test]
    fn files_count_once_and_links_not_at_all() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let inner = directory.path().join("a/b");
        fs::create_dir_all(&inner).expect("made");
        check(directory.path(), 0);
        let file = inner.join("file");
        fs::write(&file, vec![1; 3 * MEBIBYTE as usize]).expect("written");
        fs::hard_link(&file, directory.path().join("again")).expect("linked");
        symlink("/usr", directory.path().join("elsewhere")).expect("linked");
        check(directory.path(), 3);
        let sparse = fs::File::create(inner.join("sparse")).expect("made");
        sparse.set_len(100 * MEBIBYTE).expect("grown");
        check(directory.path(), 3);
    }

    #[test]
    fn what_is_too_deep_is_told() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let depth = DEPTH_MAX as usize;
        let deep = directory.path().join(vec!["d"; depth].join("/"));
        fs::create_dir_all(deep).expect("made");
        assert!(measure(directory.path()).expect("measured").is_whole);
        let deeper = directory.path().join(vec!["d"; depth + 1].join("/"));
        fs::create_dir_all(deeper).expect("made");
        assert!(!measure(directory.path()).expect("measured").is_whole);
        assert!(measure(&directory.path().join("none")).is_err());
    }
}
