//! Nobody is disconnected whose stream is whole (semantics 60, 75): news of an old stream's end must
//! not hurt a newer one.

use std::collections::BTreeSet;

use statemachine::{Event, Session};

use super::{Fact, Violation, demand};

/// Streams that have broken, whether or not their ends have noticed.
#[derive(Debug, Default)]
pub struct Streams {
    over: BTreeSet<Session>,
}

impl Streams {
    /// A stream breaks.
    pub fn over(&mut self, session: Session) {
        self.over.insert(session);
    }

    pub(super) fn event(&self, fact: &Fact<'_>) -> Result<(), Violation> {
        let session = match fact.event {
            Event::FrameworkDisconnected(gone) => {
                fact.before.frameworks.get(&gone.id).and_then(|framework| framework.session())
            }
            Event::AgentDisconnected(gone) => {
                fact.before.agents.get(&gone.id).and_then(|agent| agent.session())
            }
            _ => None,
        };
        demand(
            session.is_none_or(|session| self.over.contains(&session)),
            "nobody is disconnected whose stream is whole",
            || format!("{} of stream {session:?}", fact.event.name()),
        )
    }
}
