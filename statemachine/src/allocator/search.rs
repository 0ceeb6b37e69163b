//! Who comes first of those that can take what is left of one agent.

use std::collections::BTreeSet;

use super::filters::{Refusals, blocks};
use super::line::{Lookout, Names};
use super::trace::{Obstacle, Trace};
use super::tree::{Client, Kind, ROOT, Tree};
use super::turns::{About, Asked, ClientKey, Turns, outermost};
use crate::agent::{Agent, Description};
use crate::capability::{Capabilities, framework as capability};
use crate::id::{AgentId, Role};
use crate::quota::{Amounts, Bound, Headroom, counts};
use crate::resources::{Name, Quantities, Resource, Resources, Scalar};
use crate::settings::Settings;
use crate::state::State;
use crate::time::Time;

/// One agent, as far as it bears on who may take what is free.
pub(super) struct Lot<'a> {
    pub(super) agent: AgentId,
    description: &'a Description,
    /// Frameworks that take no GPUs are not to have it.
    has_gpus: bool,
    /// It is in another region than the masters.
    is_remote: bool,
    settings: &'a Settings,
    now: Time,
    pub(super) refusals: Option<&'a Refusals>,
    turns: Option<(&'a Turns, Quantities)>,
}

impl<'a> Lot<'a> {
    pub(super) fn new(
        agent: &'a Agent,
        state: &'a State,
        (settings, now): (&'a Settings, Time),
    ) -> Self {
        let description = &*agent.description;
        let has_gpus = settings.filter_gpu_resources && agent.total.scalar(&Name::Gpus) > Scalar(0);
        let region = description.domain.as_ref().map(|domain| &domain.region);
        let is_remote = region
            .is_some_and(|region| settings.region.as_ref().is_some_and(|ours| ours != region));
        let refusals = state.book.filters.of(agent.id);
        let turns = Some(&state.book.turns).filter(|turns| !turns.is_empty());
        let turns = turns.map(|turns| (turns, agent.unused()));
        Self { agent: agent.id, description, has_gpus, is_remote, settings, now, refusals, turns }
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
        if self.has_gpus && !capabilities.has(capability::GPU_RESOURCES) {
            return Err(Obstacle::Gpus);
        }
        if self.is_remote && !capabilities.has(capability::REGION_AWARE) {
            return Err(Obstacle::Region);
        }
        if !framework.constraints.allow(role, self.description) {
            return Err(Obstacle::Constraints);
        }
        let fit = open.filtered(|resource| understands(capabilities, resource));
        if fit.is_empty() || fit.len() < open.len() && !is_enough(minimums, &Quantities::of(&fit)) {
            return Err(Obstacle::TooLittle);
        }
        match self.refusals {
            Some(refusals) if blocks(refusals, &client.key, &fit, self.now) => {
                Err(Obstacle::Filter)
            }
            _ => Ok(fit),
        }
    }

    /// Who was asked already.
    fn asked(&self, about: About) -> Option<&'a Asked> {
        let (turns, unused) = self.turns.as_ref()?;
        turns.asked(self.agent, about, unused)
    }
}

/// To whom a round over the agents gives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    /// Roles that are due something by a guarantee.
    Guarantees,
    /// All, by their shares.
    Shares,
}

/// A client's node, and what it takes.
pub(super) type Taker = (usize, Resources);

pub(super) struct Search<'a, T> {
    pub(super) tree: &'a Tree,
    pub(super) headroom: &'a Headroom<'a>,
    /// What anybody wants at least.
    pub(super) least: &'a [Amounts],
    pub(super) round: Round,
    pub(super) trace: &'a mut T,
    pub(super) lot: &'a Lot<'a>,
    pub(super) left: &'a Resources,
    /// Groups that were found to have no room for more, and of what.
    pub(super) spent: &'a mut Vec<(usize, Names)>,
    /// Whom to look at.
    pub(super) lookout: Lookout,
    /// Who can take something, but is behind; with how many were asked before it.
    pub(super) waiting: Vec<(usize, Taker)>,
}

/// Who stands behind those that have not been asked yet.
#[derive(Clone, Copy)]
enum Behind<'a> {
    Nobody,
    /// These, and who would be offered nothing but reservations and was asked about those.
    Asked(Option<&'a Asked>),
}

impl<T: Trace> Search<'_, T> {
    /// Who comes first, and what that is. When nothing unreserved is left to speak of, only those under
    /// a reservation are asked.
    pub(super) fn taker(mut self) -> Option<Taker> {
        self.lookout = self.lookout();
        if self.round == Round::Guarantees {
            return self.due();
        }
        let unreserved = self.left.iter().filter(|resource| resource.reservations.is_empty());
        if is_enough(self.least, &Quantities::of(unreserved)) {
            return self.of(ROOT, self.open());
        }
        let mut roles = separate(self.left).into_iter();
        roles.find_map(|role| self.of(self.tree.role(role)?, About::Reserved(role.clone())))
    }

    /// What is not reserved is revocable all, or nothing of it is.
    fn open(&self) -> About {
        let is_lent = self.left.iter().any(|resource| resource.revocable);
        if is_lent { About::Revocable } else { About::Free }
    }

    /// Who may have enough of what is left, as far as quotas go. What does not count for quotas may be
    /// enough for anybody.
    fn lookout(&self) -> Lookout {
        let minimums = &self.lot.settings.offer_minimums;
        let bounds_all = !self.headroom.is_empty() && !self.tree.has_minimums();
        if !bounds_all || minimums.is_empty() || !self.trace.is_deaf() {
            return Lookout::ALL;
        }
        let all = Quantities::of(self.left);
        let others = Quantities::of(self.left.iter().filter(|it| !counts(it)));
        let wanted = |minimum: &Amounts| {
            Names::that(|name| {
                let least = minimum.get(name).copied().unwrap_or_default();
                least > Scalar(0) && others.get(name) == Scalar(0)
            })
        };
        let possible = minimums.iter().filter(|it| is_enough(std::slice::from_ref(it), &all));
        Lookout::any_of(possible.map(wanted))
    }

    /// The first of those that are due something; who was asked already waits for the other round.
    fn due(&mut self) -> Option<Taker> {
        let asked = self.lot.asked(self.open());
        if matches!(asked, Some(Asked::Many(_))) || !self.headroom.requires(self.left) {
            return None;
        }
        let tree = self.tree;
        tree.due().find_map(|node| self.below(node, Behind::Asked(asked)))
    }

    /// The first below a node: by share among those not asked yet, then who was asked longest ago.
    fn of(&mut self, node: usize, about: About) -> Option<Taker> {
        let tree = self.tree;
        let asked = self.lot.asked(about);
        if let Some(Asked::Many(last)) = asked {
            return tree.clients_after(last).find_map(|client| self.one(node, client));
        }
        let first = self.below(node, Behind::Asked(asked));
        first.or_else(|| self.waiting.drain(..).min_by_key(|it| it.0).map(|it| it.1))
    }

    /// A client, if it stands below a node.
    fn one(&mut self, above: usize, client: &ClientKey) -> Option<Taker> {
        let tree = self.tree;
        let node = tree.client(client).filter(|node| tree.is_below(*node, above))?;
        self.among((tree.parent(node), &client.1), std::iter::once(node), Behind::Nobody)
    }

    fn below(&mut self, node: usize, behind: Behind<'_>) -> Option<Taker> {
        let tree = self.tree;
        let mut children = tree.children(node, self.lookout);
        match tree.kind(node) {
            Kind::Role(_) => children.find_map(|child| self.below(child, behind)),
            Kind::Group(role) => self.among((node, role), children, behind),
            Kind::Client(_) => None,
        }
    }

    /// The first of some clients of one role.
    fn among(
        &mut self,
        (group, role): (usize, &Role),
        mut clients: impl Iterator<Item = usize>,
        behind: Behind<'_>,
    ) -> Option<Taker> {
        let tree = self.tree;
        let account = tree.account(group);
        let (open, bound) = self.headroom.cut(account, &open_to(self.left, role));
        if bound.is_some() {
            let spent = Names::that(|name| self.headroom.is_spent(account, name));
            self.spent.push((group, spent));
        }
        if self.round == Round::Guarantees && !self.headroom.is_due(account, &open) {
            return None;
        }
        let too_little = match bound {
            Some(Bound::Limit) => Obstacle::Limit,
            Some(Bound::Guarantees) => Obstacle::Guarantees,
            None => Obstacle::TooLittle,
        };
        let quantities = Quantities::of(&open);
        clients.find_map(|node| {
            let Kind::Client(client) = tree.kind(node) else { return None };
            let fit = self.lot.fit(client, (&open, &quantities), too_little);
            let fit = fit.and_then(|fit| self.in_turn(client, (node, fit), behind));
            fit.map_err(|why| self.trace.passed_over(self.lot.agent, (client.key.0, role), why))
                .ok()
        })
    }

    /// What it can take, unless others are to be asked before it.
    fn in_turn(
        &mut self,
        client: &Client,
        taker: Taker,
        behind: Behind<'_>,
    ) -> Result<Taker, Obstacle> {
        let Behind::Asked(asked) = behind else { return Ok(taker) };
        let place = |asked: Option<&Asked>| asked.and_then(|asked| asked.place(&client.key));
        let is_reserved = || taker.1.iter().all(|resource| !resource.reservations.is_empty());
        let reserved = || outermost(&taker.1).filter(|_| is_reserved()).cloned();
        let of_reserved =
            || reserved().and_then(|role| place(self.lot.asked(About::Reserved(role))));
        match place(asked).or_else(of_reserved) {
            None => Ok(taker),
            Some(place) => {
                self.waiting.push((place, taker));
                Err(Obstacle::Turn)
            }
        }
    }
}

/// Whether this is worth an offer, as somebody who has these minimums sees it.
pub(super) fn is_enough(minimums: &[Amounts], quantities: &Quantities) -> bool {
    let has =
        |minimum: &Amounts| minimum.iter().all(|(name, amount)| quantities.get(name) >= *amount);
    minimums.is_empty() || minimums.iter().any(has)
}

/// The roles that resources are reserved for, without those below another of them.
fn separate(resources: &Resources) -> Vec<&Role> {
    let roles: BTreeSet<&Role> = resources.iter().filter_map(Resource::role).collect();
    let mut separate: Vec<&Role> = Vec::new();
    for role in roles {
        if !separate.iter().any(|above| role.is_below(above)) {
            separate.push(role);
        }
    }
    separate
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
