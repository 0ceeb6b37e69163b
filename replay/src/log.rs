//! Every event as a line.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use ::journal::{Entries, Entry, Kind};
use statemachine::Batch;

use crate::facts::{Fact, Facts};
use crate::journal::{Journal, JournalError};
use crate::line::Line;
use crate::names::Names;
use crate::teller::{Place, Teller};

/// Lines in order of the journal; ends after the first error.
#[derive(Debug)]
pub struct Log<'a> {
    entries: Entries<'a>,
    committed: Option<u64>,
    from: u64,
    teller: Teller,
    lines: VecDeque<Line>,
}

/// The lines of the entries in `range`, as far as they are there.
///
/// # Errors
/// When a snapshot that tells the ids of what came before cannot be read.
pub fn log(journal: &Journal, range: RangeInclusive<u64>) -> Result<Log<'_>, JournalError> {
    let bounds = journal.reader.bounds();
    let from = (*range.start()).max(bounds.first);
    let (names, start) = match journal.base(from.saturating_sub(1))? {
        Some(base) => (Names::of(&base.state), (base.index + 1).max(bounds.first)),
        None if journal.is_whole() => (Names::at_start(), bounds.first),
        None => {
            let newest = journal.base(u64::MAX)?;
            (newest.map(|base| Names::later(&base.state)).unwrap_or_default(), bounds.first)
        }
    };
    Ok(Log {
        entries: journal.reader.entries(start..=*range.end()),
        committed: bounds.committed,
        from,
        teller: Teller::knowing(names),
        lines: VecDeque::new(),
    })
}

impl Log<'_> {
    fn read(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let shown = entry.index >= self.from;
        let (index, term) = (entry.index, entry.term);
        let committed = self.committed.is_some_and(|committed| index <= committed);
        let place = Place { index, term, committed };
        match entry.kind {
            Kind::Blank if shown => {
                let facts = Facts(vec![("leader_term".into(), Fact::Number(term as i64))]);
                self.lines.push_back(Line { facts, ..Line::at(place, "JournalBlank") });
            }
            Kind::Membership if shown => {
                self.lines.push_back(Line::at(place, "JournalMembership"));
            }
            Kind::Blank | Kind::Membership => {}
            Kind::Normal => {
                let batch = Batch::decode(&entry.payload)
                    .map_err(|source| JournalError::Batch { index, source })?;
                let lines = self.teller.tell(place, &batch);
                self.lines.extend(lines.into_iter().filter(|_| shown));
            }
        }
        Ok(())
    }
}

impl Iterator for Log<'_> {
    type Item = Result<Line, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.lines.is_empty() {
            let read = match self.entries.next()? {
                Ok(entry) => self.read(&entry),
                Err(error) => Err(error.into()),
            };
            if let Err(error) = read {
                return Some(Err(error));
            }
        }
        self.lines.pop_front().map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Step, story, written};

    fn shown(journal: &Journal, range: RangeInclusive<u64>) -> Vec<Line> {
        let log = log(journal, range).expect("snapshots are fine");
        log.collect::<Result<_, _>>().expect("entries are fine")
    }

    fn events(lines: &[Line]) -> Vec<&str> {
        let events = lines.iter().map(|line| line.event.as_str());
        events.filter(|event| !event.starts_with("Journal")).collect()
    }

    /// gaps 29
    #[test]
    fn every_event_is_a_line_in_order() {
        let story = story();
        let names: Vec<_> = story.iter().map(|batch| batch.records[0].events[0].name()).collect();
        let dir = written(story.iter().cloned().map(Step::Batch).collect());
        let journal = Journal::open(dir.path()).expect("a journal");
        assert_eq!(events(&shown(&journal, 0..=u64::MAX)), names);
    }

    #[test]
    fn ids_are_those_of_the_wire_wherever_the_log_begins() {
        let mut steps: Vec<_> = story().into_iter().map(Step::Batch).collect();
        steps.insert(4, Step::Snapshot);
        let dir = written(steps);
        let journal = Journal::open(dir.path()).expect("a journal");
        let all = shown(&journal, 0..=u64::MAX);
        for line in &all {
            let same = all.iter().filter(|other| other.index >= line.index).cloned();
            assert_eq!(shown(&journal, line.index..=u64::MAX), same.collect::<Vec<_>>());
        }
        let text: Vec<_> = all.iter().map(ToString::to_string).collect();
        assert!(text.iter().any(|line| line.contains("offer_ids=c-O0")), "{text:#?}");
        assert!(!text.iter().any(|line| line.contains('?')), "{text:#?}");
    }

    #[test]
    fn a_range_ends_where_it_says() {
        let dir = written(story().into_iter().map(Step::Batch).collect());
        let journal = Journal::open(dir.path()).expect("a journal");
        let all = shown(&journal, 0..=u64::MAX);
        let some = shown(&journal, 3..=4);
        assert_eq!(
            some,
            all.into_iter().filter(|line| (3..=4).contains(&line.index)).collect::<Vec<_>>()
        );
    }
}
