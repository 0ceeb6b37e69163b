//! What happens to offers in the model: who may be offered what, and what an ACCEPT comes to.

use std::collections::BTreeSet;

use statemachine::{AgentId, FrameworkId, OfferId, TaskState};

use crate::model::{Executor, Filter, Link, Model, Offer, Refused, Task, is_within};
use crate::pile::Pile;
use crate::said::Said;

/// The master does not look further than so many refusals of one framework, role and agent.
const FILTERS_MAX: usize = 16;

/// A task that a framework wants launched.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) id: String,
    pub(crate) agent: AgentId,
    pub(crate) pile: Pile,
}

/// One operation of an ACCEPT.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Launch(Vec<Wanted>),
    /// With an executor, and what that uses.
    Group(String, Pile, Vec<Wanted>),
    Convert(Conversion),
}

/// What is done with resources: what is to be, or what is to go.
#[derive(Clone, Debug)]
pub(crate) enum Conversion {
    Reserve(Pile),
    Unreserve(Pile),
    Create(Pile),
    Destroy(Pile),
}

/// What a framework has in hand while an ACCEPT is carried out.
#[derive(Debug)]
struct Hand {
    framework: FrameworkId,
    role: String,
    agent: AgentId,
    rest: Pile,
}

impl Model {
    /// An offer that the master has made: it must be one that it may make.
    pub(crate) fn offer(&mut self, id: OfferId, offer: Offer) {
        let framework = &self.frameworks[&offer.framework];
        let what = format!("offer {id}: {offer:?}");
        assert!(matches!(framework.link, Link::Up(_)), "{what} to one who is away");
        assert!(framework.roles.contains(&offer.role), "{what} for another role");
        assert!(!framework.suppressed.contains(&offer.role), "{what} though suppressed");
        assert!(self.agents[&offer.agent].is_active(), "{what} of an agent that is not active");
        assert!(self.free(offer.agent).covers(&offer.pile), "{what} of what is not free");
        assert!(is_enough(&offer.pile), "{what} is too little");
        assert_eq!(open_to(&offer.pile, &offer.role), offer.pile, "{what} is for others");
        assert!(!self.is_refused(&offer), "{what} was refused");
        self.offers.insert(id, offer);
    }

    fn is_refused(&self, offer: &Offer) -> bool {
        let client = (offer.framework, offer.role.clone());
        let own = self.filters.iter();
        let own = own.filter(|it| it.agent == offer.agent && it.client == client);
        let live: Vec<&Filter> = own.filter(|filter| filter.until > self.now).collect();
        live.len() < FILTERS_MAX && live.iter().any(|filter| filter.pile.covers(&offer.pile))
    }

    /// After a cycle over all agents: what is free there, nobody can be offered. Limits make the master
    /// keep things back.
    pub(crate) fn check_nothing_is_kept_back(&self) {
        for (agent, _) in self.agents.iter().filter(|(_, agent)| agent.is_active()) {
            for (id, framework) in &self.frameworks {
                let wants = framework.roles.difference(&framework.suppressed);
                for role in wants.filter(|_| matches!(framework.link, Link::Up(_))) {
                    let pile = open_to(&self.free(*agent), role);
                    let (framework, role, agent) = (*id, role.clone(), *agent);
                    let offer = Offer { framework, role, agent, pile, until: None };
                    let takes = is_enough(&offer.pile) && !self.is_refused(&offer);
                    assert!(!takes || !self.limits.is_empty(), "not offered: {offer:?}");
                }
            }
        }
    }

    pub(crate) fn decline(
        &mut self,
        id: FrameworkId,
        offers: &[OfferId],
        refuse_ms: Option<u64>,
    ) -> Refused {
        if !self.frameworks.contains_key(&id) {
            return Err("FrameworkUnknown");
        }
        for offer in offers {
            if self.offers.get(offer).is_none_or(|offer| offer.framework != id) {
                continue;
            }
            if let Some(gone) = self.offers.remove(offer) {
                self.refuse((id, gone.role), gone.agent, gone.pile, refuse_ms);
            }
        }
        Ok(())
    }

    pub(crate) fn refuse(
        &mut self,
        client: (FrameworkId, String),
        agent: AgentId,
        pile: Pile,
        refuse_ms: Option<u64>,
    ) {
        let Some(refuse_ms) = refuse_ms.filter(|_| !pile.is_empty()) else { return };
        self.filters.retain(|filter| filter.until > self.now);
        self.filters.push(Filter { client, agent, pile, until: self.now + refuse_ms });
    }

    /// ACCEPT. Offers that are none of the cluster's are named by none. `left_over` is what the master
    /// says that the framework refused: at most what is left in hand, and all of that if nothing was
    /// converted.
    pub(crate) fn accept(
        &mut self,
        id: FrameworkId,
        offers: &[OfferId],
        operations: &[Operation],
        (refuse_ms, left_over): (Option<u64>, Option<Pile>),
    ) -> Refused {
        if !self.frameworks.contains_key(&id) {
            return Err("FrameworkUnknown");
        }
        let is_valid = self.are_together(id, offers);
        let own = offers
            .iter()
            .filter(|offer| self.offers.get(offer).is_some_and(|offer| offer.framework == id));
        let own: BTreeSet<OfferId> = own.copied().collect();
        let taken: Vec<Offer> = own.iter().filter_map(|offer| self.offers.remove(offer)).collect();
        if !is_valid {
            self.refuse_all(id, operations);
            return Ok(());
        }
        let (role, agent) = (taken[0].role.clone(), taken[0].agent);
        let mut hand = Hand { framework: id, role, agent, rest: Pile::default() };
        for offer in &taken {
            hand.rest.add(&offer.pile);
        }
        let mut is_converted = false;
        for operation in operations {
            match operation {
                Operation::Launch(tasks) => {
                    for task in tasks {
                        self.launch(&mut hand, None, std::slice::from_ref(task));
                    }
                }
                Operation::Group(executor, own, tasks) => {
                    self.launch(&mut hand, Some((executor, own)), tasks);
                }
                Operation::Convert(conversion) => {
                    is_converted |= self.convert_in_hand(&mut hand, conversion);
                }
            }
        }
        let expected = if refuse_ms.is_some() { hand.rest } else { Pile::default() };
        let refused = left_over.unwrap_or_default();
        assert!(expected.covers(&refused), "{refused:?} refused of {expected:?}");
        assert!(is_converted || refused == expected, "{refused:?} refused, not {expected:?}");
        self.refuse((id, hand.role), agent, refused, refuse_ms);
        Ok(())
    }

    /// Whether offers can be accepted in one call: known, this framework's, of one agent and role.
    fn are_together(&self, id: FrameworkId, offers: &[OfferId]) -> bool {
        let known: Vec<&Offer> = offers.iter().filter_map(|it| self.offers.get(it)).collect();
        let distinct: BTreeSet<_> = offers.iter().collect();
        let place = |offer: &Offer| (offer.framework, offer.agent, offer.role.clone());
        let places: BTreeSet<_> = known.iter().map(|offer| place(offer)).collect();
        let is_own = known.iter().all(|offer| offer.framework == id);
        known.len() == offers.len() && distinct.len() == offers.len() && places.len() == 1 && is_own
    }

    fn refuse_all(&mut self, id: FrameworkId, operations: &[Operation]) {
        for operation in operations {
            let (Operation::Launch(tasks) | Operation::Group(_, _, tasks)) = operation else {
                continue;
            };
            let state = if self.is_aware(id) { TaskState::Dropped } else { TaskState::Lost };
            for task in tasks {
                self.say_refused(id, task, (state, 6));
            }
        }
    }

    fn say_refused(&mut self, id: FrameworkId, task: &Wanted, (state, reason): (TaskState, i32)) {
        let (task, reason) = (task.id.clone(), Some(reason));
        self.tell(id, Said::Updated { task, state, reason, update: None });
    }

    /// Launches tasks together, or none: ids must be new, agents the right one, and all must fit.
    fn launch(&mut self, hand: &mut Hand, executor: Option<(&String, &Pile)>, tasks: &[Wanted]) {
        let ids: BTreeSet<&String> = tasks.iter().map(|task| &task.id).collect();
        let name = |task: &Wanted| (hand.framework, task.id.clone());
        let are_new = tasks.iter().all(|task| !self.tasks.contains_key(&name(task)));
        let are_here = tasks.iter().all(|task| task.agent == hand.agent);
        let mut needed = Pile::default();
        for task in tasks {
            needed.add(&task.pile);
        }
        let starting = executor.filter(|(executor, _)| {
            !self.executors.contains_key(&(hand.agent, hand.framework, (*executor).clone()))
        });
        if let Some((_, own)) = starting {
            needed.add(own);
        }
        let fits = ids.len() == tasks.len() && are_new && are_here && hand.rest.covers(&needed);
        if !fits {
            let reason = if executor.is_some() { 25 } else { 14 };
            for task in tasks {
                self.say_refused(hand.framework, task, (TaskState::Error, reason));
            }
            return;
        }
        hand.rest.take(&needed);
        if let Some((executor, own)) = starting {
            let key = (hand.agent, hand.framework, executor.clone());
            let (role, pile) = (hand.role.clone(), own.clone());
            let executor = Executor { role, pile, holds: true, is_shut_down: false, launched: 0 };
            self.executors.insert(key, executor);
        }
        for task in tasks {
            let launched = Task {
                agent: hand.agent,
                role: hand.role.clone(),
                pile: task.pile.clone(),
                state: TaskState::Staging,
                told: None,
                by_master: None,
                pending: None,
                acknowledged: None,
                is_killed: false,
                launched: 0,
            };
            self.tasks.insert((hand.framework, task.id.clone()), launched);
        }
        let ids = tasks.iter().map(|task| task.id.clone()).collect();
        self.direct(hand.agent, Said::Launch(hand.framework, ids));
    }

    /// Converts what is in hand; whether that could be done.
    fn convert_in_hand(&mut self, hand: &mut Hand, conversion: &Conversion) -> bool {
        let is_for_role = match conversion {
            Conversion::Reserve(target) => {
                let roles = &self.frameworks[&hand.framework].roles;
                let last = |kind: &crate::pile::Kind| kind.roles.last() == Some(&hand.role);
                roles.contains(&hand.role) && target.0.keys().all(last)
            }
            _ => true,
        };
        let plan = self.plan(hand.agent, conversion).filter(|_| is_for_role);
        let Some((consumed, made)) = plan.filter(|plan| hand.rest.covers(&plan.0)) else {
            return false;
        };
        let before = self.consumptions(Some((&hand.role, &hand.rest)));
        let mut rest = hand.rest.clone();
        rest.take(&consumed);
        rest.add(&made);
        let total = self.convert_total(hand.agent, &consumed, &made);
        if self.passes(&before, &self.consumptions(Some((&hand.role, &rest)))) {
            self.set_total(hand.agent, total);
            return false;
        }
        hand.rest = rest;
        let total = self.agents[&hand.agent].total.clone();
        self.direct(hand.agent, Said::Total(total));
        true
    }
}

/// What a role may be offered of some resources.
pub(crate) fn open_to(pile: &Pile, role: &str) -> Pile {
    pile.only(|kind| kind.roles.last().is_none_or(|reserved| is_within(role, reserved)))
}

/// Whether it is worth an offer: 0.01 cpus or 32 MB.
fn is_enough(pile: &Pile) -> bool {
    pile.amount("cpus") >= 10 || pile.amount("mem") >= 32_000
}
