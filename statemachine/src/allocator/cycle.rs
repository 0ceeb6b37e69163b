//! One allocation cycle: for each agent, in random order, whoever comes first and can take what is
//! free gets all of it that is open to its role (semantics 172). Where roles have less than they are
//! guaranteed, there are two rounds over the agents, and the first is theirs alone (semantics 180).

use std::collections::{BTreeMap, BTreeSet};

use super::book::Holding;
use super::filters::{Refusals, blocks};
use super::shuffle::shuffle;
use super::trace::{Obstacle, Skip, Trace};
use super::tree::{Client, Kind, ROOT, Tree};
use crate::agent::{Agent, Description};
use crate::capability::{Capabilities, framework as capability};
use crate::context::Context;
use crate::id::{AgentId, Role};
use crate::offer::OfferSpec;
use crate::quota::{Amounts, Bound, Headroom};
use crate::resources::{Name, Quantities, Resource, Resources, Scalar};
use crate::settings::Settings;
use crate::state::State;
use crate::time::Time;

/// How many offers one cycle makes at most, so that the journal's entry stays within a few MB. The
/// next cycle goes on.
pub const OFFERS_PER_CYCLE_MAX: usize = 20_000;

/// What to offer to whom: a pure function of its arguments. Looks at `agents`, or at all.
pub fn allocate(
    state: &State,
    context: &Context,
    agents: Option<&[AgentId]>,
    trace: &mut impl Trace,
) -> Vec<OfferSpec> {
    let settings = &*context.settings;
    let tree = Tree::new(state, settings);
    if tree.is_empty() {
        return Vec::new();
    }
    let anything = [Amounts::new()];
    // who has a minimum of its own may want less than others
    let least: &[Amounts] = if tree.has_minimums() { &anything } else { &settings.offer_minimums };
    let mut agents = candidates(state, agents, least, trace);
    shuffle(&mut agents, context.seed);
    let headroom = Headroom::new(state);
    let (now, offers) = (context.now, Vec::new());
    let round = Round::Guarantees;
    let mut cycle = Cycle { tree, headroom, settings, least, round, now, trace, offers };
    let mut left: BTreeMap<AgentId, Resources> = BTreeMap::new();
    cycle.note_due(None);
    for agent in &agents {
        if cycle.headroom.is_met() || cycle.is_full() {
            break;
        }
        let rest = cycle.give_out(&Lot::new(agent, state, settings), agent.free());
        left.insert(agent.id, rest);
    }
    cycle.round = Round::Shares;
    for agent in agents {
        if cycle.is_full() {
            break;
        }
        let free = left.remove(&agent.id).unwrap_or_else(|| agent.free());
        cycle.give_out(&Lot::new(agent, state, settings), free);
    }
    cycle.offers
}

/// Agents on which enough is free for any offer.
fn candidates<'a>(
    state: &'a State,
    agents: Option<&[AgentId]>,
    least: &[Amounts],
    trace: &mut impl Trace,
) -> Vec<&'a Agent> {
    let mut found = Vec::new();
    let mut consider = |id: AgentId, free: Option<&Quantities>| {
        let agent = || state.agents.get(&id).filter(|agent| agent.is_active());
        if !free.is_some_and(|free| is_enough(least, free)) {
            trace.skipped(id, Skip::TooLittle);
        } else if let Some(agent) = agent() {
            found.push(&**agent);
        } else {
            trace.skipped(id, Skip::Inactive);
        }
    };
    match agents {
        None => {
            for (id, free) in &state.book.free {
                consider(*id, Some(free));
            }
        }
        Some(agents) => {
            for id in agents.iter().collect::<BTreeSet<_>>() {
                consider(*id, state.book.free.get(id));
            }
        }
    }
    found
}

/// Whether this is worth an offer, as somebody who has these minimums sees it.
pub(super) fn is_enough(minimums: &[Amounts], quantities: &Quantities) -> bool {
    let has =
        |minimum: &Amounts| minimum.iter().all(|(name, amount)| quantities.get(name) >= *amount);
    minimums.is_empty() || minimums.iter().any(has)
}

/// To whom a round over the agents gives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    /// Roles that are due something by a guarantee.
    Guarantees,
    /// All, by their shares.
    Shares,
}

struct Cycle<'a, T> {
    tree: Tree,
    headroom: Headroom<'a>,
    settings: &'a Settings,
    /// What anybody wants at least.
    least: &'a [Amounts],
    round: Round,
    now: Time,
    trace: &'a mut T,
    offers: Vec<OfferSpec>,
}

/// One agent, as far as it bears on who may take what is free.
pub(super) struct Lot<'a> {
    agent: AgentId,
    description: &'a Description,
    /// Frameworks that take no GPUs are not to have it.
    has_gpus: bool,
    /// It is in another region than the masters.
    is_remote: bool,
    pub(super) refusals: Option<&'a Refusals>,
}

impl<'a> Lot<'a> {
    pub(super) fn new(agent: &'a Agent, state: &'a State, settings: &Settings) -> Self {
        let description = &*agent.description;
        let has_gpus = settings.filter_gpu_resources && agent.total.scalar(&Name::Gpus) > Scalar(0);
        let region = description.domain.as_ref().map(|domain| &domain.region);
        let is_remote = region
            .is_some_and(|region| settings.region.as_ref().is_some_and(|ours| ours != region));
        let refusals = state.book.filters.of(agent.id);
        Self { agent: agent.id, description, has_gpus, is_remote, refusals }
    }
}

impl<T: Trace> Cycle<'_, T> {
    fn is_full(&self) -> bool {
        self.offers.len() >= OFFERS_PER_CYCLE_MAX
    }

    fn note_due(&mut self, of: Option<&Role>) {
        let Self { tree, headroom, .. } = self;
        tree.note_due(of, |role| headroom.may_be_due(role));
    }

    /// Gives out what is free on one agent, and says what nobody can take. What is revocable goes into
    /// offers of its own, so that taking it back rescinds nothing else (gaps 62).
    fn give_out(&mut self, lot: &Lot<'_>, free: Resources) -> Resources {
        if !free.iter().any(|resource| resource.revocable) {
            return self.give_out_alike(lot, free);
        }
        let firm = self.give_out_alike(lot, free.filtered(|resource| !resource.revocable));
        let mut left = self.give_out_alike(lot, free.filtered(|resource| resource.revocable));
        left.add_all(&firm);
        left
    }

    fn give_out_alike(&mut self, lot: &Lot<'_>, mut left: Resources) -> Resources {
        while let Some((taker, resources)) = self.taker(lot, &left) {
            let Kind::Client(client) = self.tree.kind(taker) else { break };
            left.remove_all(&resources);
            self.headroom.charge(&client.key.1, &resources);
            let (framework, role) = client.key.clone();
            let charge = Holding::of_offer(&resources);
            let offer = OfferSpec { framework, role: role.clone(), agent: lot.agent, resources };
            self.trace.offered(&offer, self.tree.share(taker));
            self.offers.push(offer);
            self.tree.charge(taker, &charge);
            if self.round == Round::Guarantees {
                self.note_due(Some(&role));
            }
        }
        left
    }

    /// Who comes first of those that can take something, and what that is. When nothing unreserved
    /// is left to speak of, only those under a reservation are asked.
    fn taker(&mut self, lot: &Lot<'_>, left: &Resources) -> Option<(usize, Resources)> {
        let Self { tree, headroom, settings, least, round, now, trace, .. } = self;
        let (tree, headroom, round, now) = (&*tree, &*headroom, *round, *now);
        let mut search = Search { tree, headroom, settings, round, now, trace: *trace, lot, left };
        let unreserved = left.iter().filter(|resource| resource.reservations.is_empty());
        if round == Round::Guarantees {
            tree.due().find_map(|node| search.below(node))
        } else if is_enough(least, &Quantities::of(unreserved)) {
            search.below(ROOT)
        } else {
            let mut reserved = outermost(left).into_iter().filter_map(|role| tree.role(role));
            reserved.find_map(|node| search.below(node))
        }
    }
}

/// The roles that resources are reserved for, without those below another of them.
fn outermost(resources: &Resources) -> Vec<&Role> {
    let roles: BTreeSet<&Role> = resources.iter().filter_map(Resource::role).collect();
    let mut outermost: Vec<&Role> = Vec::new();
    for role in roles {
        if !outermost.iter().any(|above| role.is_below(above)) {
            outermost.push(role);
        }
    }
    outermost
}

/// A search for whoever takes what is left of one agent.
pub(super) struct Search<'a, T> {
    pub(super) tree: &'a Tree,
    pub(super) headroom: &'a Headroom<'a>,
    pub(super) settings: &'a Settings,
    pub(super) round: Round,
    pub(super) now: Time,
    pub(super) trace: &'a mut T,
    pub(super) lot: &'a Lot<'a>,
    pub(super) left: &'a Resources,
}

impl<T: Trace> Search<'_, T> {
    fn below(&mut self, node: usize) -> Option<(usize, Resources)> {
        let tree = self.tree;
        match tree.kind(node) {
            Kind::Role(_) => tree.children(node).find_map(|child| self.below(child)),
            Kind::Group(role) => self.among(node, role),
            Kind::Client(_) => None,
        }
    }

    fn among(&mut self, group: usize, role: &Role) -> Option<(usize, Resources)> {
        let (open, bound) = self.headroom.cut(role, &open_to(self.left, role));
        if self.round == Round::Guarantees && !self.headroom.is_due(role, &open) {
            return None;
        }
        let too_little = match bound {
            Some(Bound::Limit) => Obstacle::Limit,
            Some(Bound::Guarantees) => Obstacle::Guarantees,
            None => Obstacle::TooLittle,
        };
        let quantities = Quantities::of(&open);
        let tree = self.tree;
        tree.children(group).find_map(|node| {
            let Kind::Client(client) = tree.kind(node) else { return None };
            let fit = self.fit(client, (&open, &quantities), too_little);
            fit.map_err(|why| self.trace.passed_over(self.lot.agent, (client.key.0, role), why))
                .ok()
                .map(|resources| (node, resources))
        })
    }

    /// What a framework can take of what is open to its role (semantics 176).
    pub(super) fn fit(
        &self,
        client: &Client,
        (open, quantities): (&Resources, &Quantities),
        too_little: Obstacle,
    ) -> Result<Resources, Obstacle> {
        let (framework, role) = (&client.framework, &client.key.1);
        let own = framework.description.minimums.get(role);
        let minimums = own.unwrap_or(&self.settings.offer_minimums);
        if !is_enough(minimums, quantities) {
            return Err(too_little);
        }
        let capabilities = framework.description.capabilities;
        if self.lot.has_gpus && !capabilities.has(capability::GPU_RESOURCES) {
            return Err(Obstacle::Gpus);
        }
        if self.lot.is_remote && !capabilities.has(capability::REGION_AWARE) {
            return Err(Obstacle::Region);
        }
        if !framework.constraints.allow(role, self.lot.description) {
            return Err(Obstacle::Constraints);
        }
        let fit = open.filtered(|resource| understands(capabilities, resource));
        if fit.is_empty() || fit.len() < open.len() && !is_enough(minimums, &Quantities::of(&fit)) {
            return Err(Obstacle::TooLittle);
        }
        match self.lot.refusals {
            Some(refusals) if blocks(refusals, &client.key, &fit, self.now) => {
                Err(Obstacle::Filter)
            }
            _ => Ok(fit),
        }
    }
}

/// What a role may be given: what is not reserved, and what is reserved for it or an ancestor
/// (semantics 175).
pub(super) fn open_to(left: &Resources, role: &Role) -> Resources {
    left.filtered(|resource| resource.role().is_none_or(|reserved| role.is_within(reserved)))
}

fn understands(capabilities: Capabilities, resource: &Resource) -> bool {
    (!resource.shared || capabilities.has(capability::SHARED_RESOURCES))
        && (!resource.revocable || capabilities.has(capability::REVOCABLE_RESOURCES))
        && (resource.reservations.len() < 2 || capabilities.has(capability::RESERVATION_REFINEMENT))
}
