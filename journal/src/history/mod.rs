//! Entries that left the tail: closed segments, each a file that never changes again.

mod segment;

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

pub(crate) use segment::{Segment, range_in_name};

use crate::chain::Hash;
use crate::entry::Entry;
use crate::error::{OpenError, ReadError};
use crate::format::Mark;

/// The closed segments of one journal, oldest first, without gaps.
pub(crate) struct History {
    dir: PathBuf,
    segments: RwLock<Vec<Arc<Segment>>>,
}

impl History {
    /// Finds the segments in `dir` and checks that they follow one another. Segments up to
    /// `purged` are left over from an interrupted purge: they are removed.
    pub(crate) fn open(dir: &Path, purged: Option<Mark>) -> Result<Self, OpenError> {
        let mut segments = find(dir)?;
        while let (Some(first), Some(purged)) = (segments.first(), purged) {
            if first.last.index > purged.index {
                break;
            }
            fs::remove_file(&first.path).map_err(OpenError::io(&first.path))?;
            segments.remove(0);
        }
        check_order(&segments)?;
        let segments = RwLock::new(segments.into_iter().map(Arc::new).collect());
        Ok(Self { dir: dir.to_path_buf(), segments })
    }

    /// Mark of the newest entry in the history.
    pub(crate) fn last(&self) -> Option<Mark> {
        self.segments().last().map(|segment| segment.last)
    }

    /// Entries of `range` that lie in the history, checked, as many as lie in one segment.
    pub(crate) fn read(&self, range: Range<u64>) -> Result<Vec<Entry>, ReadError> {
        let segments = self.segments();
        let found = segments.iter().find(|segment| segment.contains(range.start));
        found.map_or_else(|| Ok(Vec::new()), |segment| segment.read(range))
    }

    /// Closes `entries`, which follow the newest segment, into a segment of their own.
    pub(crate) fn close(&self, base: Hash, entries: &[Entry]) -> Result<(), OpenError> {
        let segment = Segment::create(&self.dir, base, entries)?;
        self.write().push(Arc::new(segment));
        Ok(())
    }

    /// Puts a segment that was written anew into the place of the old one.
    pub(crate) fn replace(&self, mended: &Segment) {
        for segment in self.write().iter_mut().filter(|segment| segment.path == mended.path) {
            *segment = Arc::new(mended.clone());
        }
    }

    /// Removes the segments that end at or before `index`.
    pub(crate) fn purge(&self, index: u64) -> Result<(), OpenError> {
        let mut segments = self.write();
        let kept = segments.partition_point(|segment| segment.last.index <= index);
        for segment in segments.drain(..kept) {
            fs::remove_file(&segment.path).map_err(OpenError::io(&segment.path))?;
        }
        Ok(())
    }

    /// The segments as of now, oldest first.
    pub(crate) fn segments(&self) -> Vec<Arc<Segment>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Vec<Arc<Segment>>> {
        self.segments.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The segments in `dir`, oldest first. Writes nothing.
pub(crate) fn find(dir: &Path) -> Result<Vec<Segment>, OpenError> {
    paths(dir)?.iter().map(|path| Segment::open(path)).collect()
}

/// Where the segments in `dir` lie, oldest first.
pub(crate) fn paths(dir: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let mut found = Vec::new();
    for file in fs::read_dir(dir).map_err(OpenError::io(dir))? {
        let path = file.map_err(OpenError::io(dir))?.path();
        if let Some((first, _)) = range_in_name(&path) {
            found.push((first, path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Names the segment that does not follow the one before.
pub(crate) fn check_order(segments: &[Segment]) -> Result<(), OpenError> {
    for pair in segments.windows(2) {
        if let [before, after] = pair
            && (before.last.index + 1 != after.first || before.last.hash != after.base)
        {
            let what = format!("it does not follow {}", before.path.display());
            return Err(OpenError::damaged(&after.path, what));
        }
    }
    Ok(())
}
