//! The cluster as it was: the state at an index or at a time.

use std::fmt;

use ::journal::Kind;
use statemachine::{Batch, State, Time};

use crate::journal::{Journal, JournalError};
use crate::moment;

/// Which moment is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Right after the entry with this index.
    Index(u64),
    /// After everything that was decided up to this time.
    Time(Time),
    /// After the newest entry.
    Now,
}

/// The state at one moment.
#[derive(Clone, Debug)]
pub struct Past {
    /// The last entry that is in it.
    pub index: u64,
    /// The state after that entry.
    pub state: State,
}

/// Why there is no state for a moment.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The moment is not in what the journal holds.
    #[error("{asked} is outside of the history, which {extent}")]
    Outside {
        /// The moment that was asked for.
        asked: String,
        /// Where the history begins and ends.
        extent: Extent,
    },
}

/// Where a history begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// First entry after which the state can be known.
    pub first: u64,
    /// Newest entry, and when it was decided; none while there is nothing.
    pub last: Option<(u64, Time)>,
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.last {
            None => f.write_str("is empty"),
            Some((last, time)) => {
                write!(f, "goes from {} to {last} ({})", self.first, moment::text(time))
            }
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "index {index}"),
            Self::Time(time) => f.write_str(&moment::text(*time)),
            Self::Now => f.write_str("the newest entry"),
        }
    }
}

impl Journal {
    /// Where its history begins and ends.
    ///
    /// # Errors
    /// When a snapshot or the newest entry cannot be read.
    pub fn extent(&self) -> Result<Extent, JournalError> {
        let bounds = self.reader.bounds();
        let first = if self.is_whole() { Some(bounds.first) } else { self.oldest_base()? };
        let mut last = None;
        // Entries of the journal's own have no time: the last batch before them does.
        let mut index = bounds.last;
        while let Some(at) = index.filter(|at| *at >= bounds.first && last.is_none()) {
            last = self.batch(at)?.map(|batch| (at, batch.at));
            index = at.checked_sub(1);
        }
        Ok(Extent { first: first.unwrap_or(bounds.first), last })
    }

    /// The state at a moment: the newest snapshot before it, and the entries after that.
    ///
    /// # Errors
    /// When the moment is outside of the history, which is said, or something cannot be read.
    pub fn past(&self, moment: Moment) -> Result<Past, PastError> {
        let outside = |journal: &Self| -> Result<Past, PastError> {
            let extent = journal.extent()?;
            Err(PastError::Outside { asked: moment.to_string(), extent })
        };
        let last = self.reader.bounds().last;
        let (at_most, until) = match moment {
            Moment::Index(index) if last.is_none_or(|last| index > last) => return outside(self),
            Moment::Index(index) => (index, Time(u64::MAX)),
            Moment::Time(time) => (u64::MAX, time),
            Moment::Now => (u64::MAX, Time(u64::MAX)),
        };
        let Some(mut past) = self.base_before(at_most, until)? else { return outside(self) };
        for entry in self.reader.entries(past.index.saturating_add(1)..=at_most) {
            let entry = entry.map_err(JournalError::from)?;
            if entry.kind == Kind::Normal {
                let index = entry.index;
                let batch = Batch::decode(&entry.payload)
                    .map_err(|source| JournalError::Batch { index, source })?;
                if !batch.records.is_empty() && batch.at > until {
                    break;
                }
                batch.apply(&mut past.state);
            }
            past.index = entry.index;
        }
        Ok(past)
    }

    /// The newest state to fold from that is not after the moment.
    fn base_before(&self, index: u64, until: Time) -> Result<Option<Past>, JournalError> {
        let mut at_most = Some(index);
        while let Some(base) = at_most.map(|index| self.base(index)).transpose()?.flatten() {
            if base.state.cluster.now <= until && base.index + 1 >= self.reader.bounds().first {
                return Ok(Some(Past { index: base.index, state: base.state }));
            }
            at_most = base.index.checked_sub(1);
        }
        Ok(self.is_whole().then(|| Past { index: 0, state: State::default() }))
    }

    fn oldest_base(&self) -> Result<Option<u64>, JournalError> {
        let first = self.reader.bounds().first;
        Ok(self.bases()?.iter().map(|base| base.index).find(|index| index + 1 >= first))
    }

    /// The batch of one entry, if it holds one.
    pub(crate) fn batch(&self, index: u64) -> Result<Option<Batch>, JournalError> {
        let Some(entry) = self.reader.entries(index..=index).next().transpose()? else {
            return Ok(None);
        };
        if entry.kind != Kind::Normal {
            return Ok(None);
        }
        let batch = Batch::decode(&entry.payload)
            .map_err(|source| JournalError::Batch { index, source })?;
        Ok(Some(batch).filter(|batch| !batch.records.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Step, story, written};

    /// The state at each index, with and without a snapshot in the way, is the fold up to there.
    #[test]
    fn the_past_is_the_fold_up_to_there() {
        for snapshot_after in [None, Some(4)] {
            let batches = story();
            let mut steps: Vec<_> = batches.iter().cloned().map(Step::Batch).collect();
            if let Some(place) = snapshot_after {
                steps.insert(place, Step::Snapshot);
            }
            let dir = written(steps);
            let journal = Journal::open(dir.path()).expect("a journal");
            let mut state = State::default();
            for index in 0..=journal.last().expect("entries") {
                if let Some(batch) = journal.batch(index).expect("sound") {
                    batch.apply(&mut state);
                }
                let past = journal.past(Moment::Index(index)).expect("inside of the history");
                assert_eq!((past.index, past.state), (index, state.clone()));
            }
            assert_eq!(journal.past(Moment::Now).expect("now").state, state);
        }
    }

    #[test]
    fn what_is_outside_says_what_is_inside() {
        let dir = written(story().into_iter().map(Step::Batch).collect());
        let journal = Journal::open(dir.path()).expect("a journal");
        let last = journal.last().expect("entries");
        let error = journal.past(Moment::Index(last + 1)).expect_err("not yet").to_string();
        assert!(error.starts_with(&format!("index {} is outside", last + 1)), "{error}");
        assert!(error.contains(&format!("goes from 0 to {last}")), "{error}");
    }
}
