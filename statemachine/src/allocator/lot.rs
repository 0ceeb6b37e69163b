//! One agent, as far as it bears on who may take what is free.

use std::borrow::Cow;

use super::along::Along;
use super::book::Book;
use super::filters::{Refusals, blocks};
use super::pile::Pile;
use super::trace::Obstacle;
use super::tree::Client;
use super::turns::{About, Turn, Turns};
use crate::agent::Agent;
use crate::capability::framework as capability;
use crate::context::Context;
use crate::id::AgentId;
use crate::quota::Amounts;
use crate::resources::{Name, Quantities, Scalar};
use crate::settings::Settings;
use crate::state::State;
use crate::time::Time;

/// Makes lots of agents, one after another in the order of their ids.
pub(super) struct Lots<'a> {
    book: &'a Book,
    settings: &'a Settings,
    now: Time,
    turns: Along<'a, (AgentId, About), Turn>,
    refusals: Along<'a, AgentId, Refusals>,
}

impl<'a> Lots<'a> {
    pub(super) fn new(state: &'a State, context: &'a Context) -> Self {
        let (book, settings, now) = (&state.book, &*context.settings, context.now);
        let (turns, refusals) = (book.turns.along(), book.filters.along());
        Self { book, settings, now, turns, refusals }
    }

    /// An agent with all that is free on it. What each of most agents has is not looked at one by one:
    /// sums say enough (decision 0034).
    pub(super) fn next(&mut self, agent: &'a Agent, sums: Option<&Quantities>) -> Lot<'a> {
        let settings = self.settings;
        let sums = sums.filter(|_| !self.book.special.contains(&agent.id));
        let may_have_gpus = settings.filter_gpu_resources && sums.is_none();
        let has_gpus = may_have_gpus && agent.total.scalar(&Name::Gpus) > Scalar(0);
        let ours = settings.region.as_ref();
        let is_remote = ours.is_some_and(|ours| {
            let domain = agent.description.domain.as_ref();
            domain.is_some_and(|domain| domain.region != *ours)
        });
        let turn = self.turns.next(agent.id);
        let turns = turn.is_some().then_some(&self.book.turns);
        let of_free = turn.filter(|((_, about), _)| *about == About::Free);
        let of_free = of_free.and_then(|(_, turn)| turn.counting(&unused(agent, sums)));
        Lot {
            agent,
            has_gpus,
            is_remote,
            settings,
            now: self.now,
            refusals: self.refusals.next(agent.id).map(|(_, refusals)| refusals),
            of_free,
            turns,
            free: match sums {
                Some(sums) => Pile::plain(agent.free(), sums.clone()),
                None => agent.free().into(),
            },
        }
    }
}

/// How much of an agent no task uses, given how much of it is free if nothing of it is special.
fn unused(agent: &Agent, free: Option<&Quantities>) -> Quantities {
    let Some(free) = free else { return agent.unused() };
    let mut unused = free.clone();
    unused.add_all(&Quantities::of(&agent.offered));
    debug_assert_eq!(unused, agent.unused(), "of agent {}", agent.id);
    unused
}

/// See [`Lots`].
pub(super) struct Lot<'a> {
    pub(super) agent: &'a Agent,
    /// Frameworks that take no GPUs are not to have it.
    has_gpus: bool,
    /// It is in another region than the masters.
    is_remote: bool,
    settings: &'a Settings,
    now: Time,
    pub(super) refusals: Option<&'a Refusals>,
    /// Who was asked about all that is free.
    of_free: Option<&'a Turn>,
    /// Where to find who was asked about anything, if somebody was.
    turns: Option<&'a Turns>,
    /// What is still free in the middle of a cycle.
    pub(super) free: Pile,
}

impl<'a> Lot<'a> {
    /// What anybody wants at least who does not say otherwise.
    pub(super) fn minimums(&self) -> &'a [Amounts] {
        &self.settings.offer_minimums
    }

    /// What a framework can take of what is open to its role (semantics 176).
    pub(super) fn fit(
        &self,
        client: &Client<'_>,
        open: &Pile,
        too_little: Obstacle,
    ) -> Result<Pile, Obstacle> {
        let minimums = client.minimums.unwrap_or(self.minimums());
        if !is_enough(minimums, open.quantities()) {
            return Err(too_little);
        }
        let capabilities = client.capabilities;
        if self.has_gpus && !capabilities.has(capability::GPU_RESOURCES) {
            return Err(Obstacle::Gpus);
        }
        if self.is_remote && !capabilities.has(capability::REGION_AWARE) {
            return Err(Obstacle::Region);
        }
        let framework = client.framework;
        if !framework.constraints.allow(client.role, &self.agent.description) {
            return Err(Obstacle::Constraints);
        }
        let fit = open.understood(capabilities);
        let lacks_some = matches!(fit, Cow::Owned(_));
        if fit.is_empty() || lacks_some && !is_enough(minimums, fit.quantities()) {
            return Err(Obstacle::TooLittle);
        }
        let refusals = self.refusals.filter(|refusals| refusals.may_be_of(framework.id));
        let blocks = |refusals| blocks(refusals, &client.key(), fit.resources(), self.now);
        if refusals.is_some_and(blocks) { Err(Obstacle::Filter) } else { Ok(fit.into_owned()) }
    }

    /// Who was asked already.
    pub(super) fn asked(&self, about: About) -> Option<&'a Turn> {
        let turns = self.turns?;
        if about == About::Free {
            return self.of_free;
        }
        turns.of(self.agent.id, about)?.counting(&self.agent.unused())
    }
}

/// Whether this is worth an offer, as somebody who has these minimums sees it.
pub(super) fn is_enough(minimums: &[Amounts], quantities: &Quantities) -> bool {
    let has =
        |minimum: &Amounts| minimum.iter().all(|(name, amount)| quantities.get(name) >= *amount);
    minimums.is_empty() || minimums.iter().any(has)
}
