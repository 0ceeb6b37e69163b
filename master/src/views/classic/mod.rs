//! The JSON of the endpoints from before the v1 API (semantics T): flat, with every key present,
//! and agents still called slaves. Written straight from the state, one entry at a time.

mod agents;
mod frameworks;
mod resources;
mod roles;
mod state;
mod summary;
mod tasks;

pub(crate) use agents::slaves;
pub(crate) use frameworks::frameworks;
pub(crate) use roles::roles;
pub(crate) use state::{Host, state};
pub(crate) use summary::summary;
pub(crate) use tasks::{Page, tasks};

use std::cell::Cell;

use serde::ser::{Serialize, Serializer};

/// A list that is made while it is written.
pub(crate) struct List<I>(Cell<Option<I>>);

/// Makes a list of what `entries` gives.
pub(crate) fn list<I: IntoIterator>(entries: I) -> List<I> {
    List(Cell::new(Some(entries)))
}

impl<I: IntoIterator> Serialize for List<I>
where
    I::Item: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.take() {
            Some(entries) => serializer.collect_seq(entries),
            None => serializer.collect_seq(std::iter::empty::<I::Item>()),
        }
    }
}
