//! Deadlines fire once, never early, and in time (semantics 75, 76, 223; gaps 4, 8): kept here from
//! the events that set them, apart from the ones that the state keeps.

use std::collections::BTreeMap;

use statemachine::{AgentId, Event, FrameworkId, OfferId, Time};

use super::{Fact, Violation, demand};

/// How late a tick may be under a leader that decides undisturbed.
const LATE_MS: u64 = 2_000;

/// Who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Waits {
    Framework(FrameworkId),
    Agent(AgentId),
    Offer(OfferId),
}

/// The deadlines that run.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    running: BTreeMap<Waits, Time>,
}

impl Deadlines {
    pub(super) fn event(&mut self, fact: &Fact<'_>) -> Result<(), Violation> {
        match fact.event {
            Event::LeaderElected(elected) => {
                self.await_all(fact, elected.frameworks_until, elected.agents_until);
            }
            Event::FrameworkDisconnected(gone) => {
                let waits = Waits::Framework(gone.id);
                if fact.cause == "Tick" {
                    self.fires(waits, fact)?;
                }
                self.running.insert(waits, gone.until);
            }
            Event::FrameworkRemoved(removed) => {
                let waits = Waits::Framework(removed.id);
                if fact.cause == "Tick" {
                    self.fires(waits, fact)?;
                }
                self.running.remove(&waits);
            }
            Event::FrameworkResubscribed(back) => self.stops(Waits::Framework(back.id)),
            Event::AgentDisconnected(gone) => {
                self.running.insert(Waits::Agent(gone.id), gone.until);
            }
            Event::AgentsSpared(spared) => {
                for agent in &spared.agents {
                    self.fires(Waits::Agent(*agent), fact)?;
                    self.running.insert(Waits::Agent(*agent), spared.until);
                }
            }
            Event::AgentUnreachable(lost) => self.fires(Waits::Agent(lost.id), fact)?,
            Event::AgentReregistered(back) => self.stops(Waits::Agent(back.id)),
            Event::AgentUnregistered(gone) => self.stops(Waits::Agent(gone.id)),
            Event::AgentGone(gone) => self.stops(Waits::Agent(gone.id)),
            Event::OffersRescinded(rescinded) if fact.cause == "Tick" => {
                for offer in &rescinded.offers {
                    self.fires(Waits::Offer(*offer), fact)?;
                }
            }
            _ => {}
        }
        self.follow_offers(fact);
        Ok(())
    }

    /// Offers come and go with many events: what is on the table is what waits.
    fn follow_offers(&mut self, fact: &Fact<'_>) {
        if fact.before.offers.ptr_eq(&fact.after.offers) {
            return;
        }
        self.running.retain(|waits, _| match waits {
            Waits::Offer(offer) => fact.after.offers.contains_key(offer),
            Waits::Framework(_) | Waits::Agent(_) => true,
        });
        for (id, offer) in &fact.after.offers {
            if let Some(until) = offer.until {
                self.running.insert(Waits::Offer(*id), until);
            }
        }
    }

    /// Whoever was connected to the old leader is awaited.
    fn await_all(&mut self, fact: &Fact<'_>, frameworks: Time, agents: Time) {
        for framework in fact.before.frameworks.values() {
            if framework.connection.is_connected() {
                self.running.insert(Waits::Framework(framework.id), frameworks);
            }
        }
        for agent in fact.before.agents.values() {
            if agent.connection.is_connected() {
                self.running.insert(Waits::Agent(agent.id), agents);
            }
        }
    }

    fn fires(&mut self, waits: Waits, fact: &Fact<'_>) -> Result<(), Violation> {
        let due = self.running.remove(&waits);
        demand(due.is_some_and(|due| due <= fact.at), "deadlines fire once and never early", || {
            format!("{waits:?} at {} though due at {due:?}", fact.at)
        })
    }

    fn stops(&mut self, waits: Waits) {
        self.running.remove(&waits);
    }

    pub(super) fn overdue(&self, now: Time) -> Result<(), Violation> {
        let late = self.running.iter().find(|(_, due)| due.after_ms(LATE_MS) < now);
        demand(late.is_none(), "deadlines fire in time", || format!("{late:?} at {now}"))
    }
}
