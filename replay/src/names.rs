//! The wire ids behind the numbers in events.

use std::collections::BTreeMap;
use std::sync::Arc;

use statemachine::{AgentId, Event, FrameworkId, OfferId, State};

/// What is known of ids at one place of the journal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    cluster: Option<Arc<str>>,
    frameworks: BTreeMap<FrameworkId, Arc<str>>,
    /// Number that the next offer gets; offers are numbered by the fold alone. None when the beginning
    /// of the journal is gone and so is every state from before what is left.
    next_offer: Option<u64>,
}

impl Names {
    /// Those at the very beginning.
    pub(crate) fn at_start() -> Self {
        Self { next_offer: Some(0), ..Self::default() }
    }

    /// Those of a state, for what comes right after it.
    pub(crate) fn of(state: &State) -> Self {
        Self { next_offer: Some(state.cluster.offers), ..Self::later(state) }
    }

    /// What a later state tells of what came before it.
    pub(crate) fn later(state: &State) -> Self {
        let frameworks = state.framework_ids.iter();
        Self {
            cluster: Some(state.cluster.id.clone()).filter(|id| !id.is_empty()),
            frameworks: frameworks.map(|(wire_id, id)| (*id, wire_id.clone())).collect(),
            next_offer: None,
        }
    }

    /// Takes in an event that has been shown.
    pub(crate) fn learn(&mut self, event: &Event) {
        if let Event::LeaderElected(elected) = event {
            self.cluster = Some(elected.cluster.clone());
        }
        if let Event::FrameworkSubscribed(subscribed) = event {
            let wire_id = subscribed.wire_id.clone();
            self.frameworks.insert(subscribed.id, wire_id);
        }
        let made = match event {
            Event::OffersMade(made) => made.offers.len(),
            Event::InverseOffersMade(made) => made.offers.len(),
            _ => 0,
        };
        if let Some(next) = &mut self.next_offer {
            *next += made as u64;
        }
    }

    /// A framework that an event itself names is known only from there on.
    pub(crate) fn framework(&self, id: FrameworkId) -> String {
        let known = self.frameworks.get(&id);
        known.map_or_else(|| format!("framework {id}"), ToString::to_string)
    }

    pub(crate) fn agent(&self, id: AgentId) -> String {
        self.numbered('S', id.0.into())
    }

    pub(crate) fn offer(&self, id: OfferId) -> String {
        self.numbered('O', id.0)
    }

    /// The offers that an event makes.
    pub(crate) fn next_offers(&self, count: usize) -> Vec<String> {
        let first = self.next_offer.map(|next| next..next + count as u64);
        first.into_iter().flatten().map(|number| self.offer(OfferId(number))).collect()
    }

    /// An id that is made of the cluster's (semantics 57).
    fn numbered(&self, letter: char, number: u64) -> String {
        let cluster = self.cluster.as_deref().unwrap_or("?");
        format!("{cluster}-{letter}{number}")
    }
}
