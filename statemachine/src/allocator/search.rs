//! Who comes first of those that can take what is left of one agent.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::line::{Lookout, Names};
use super::lot::{Lot, is_enough};
use super::pile::Pile;
use super::trace::{Obstacle, Trace};
use super::tree::{Client, Kind, ROOT, Seat, Tree};
use super::turns::{About, Turn};
use crate::id::{FrameworkId, Role};
use crate::quota::{Amounts, Bound, Headroom};
use crate::resources::{Resource, Resources, Scalar};

/// To whom a round over the agents gives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    /// Roles that are due something by a guarantee.
    Guarantees,
    /// All, by their shares.
    Shares,
}

/// A client's seat, and what it takes.
pub(super) type Taker = (Seat, Pile);

pub(super) struct Search<'a, 's, T> {
    pub(super) tree: &'a Tree<'s>,
    pub(super) headroom: &'a Headroom<'s>,
    /// What anybody wants at least.
    pub(super) least: &'a [Amounts],
    pub(super) round: Round,
    pub(super) trace: &'a mut T,
    pub(super) lot: &'a Lot<'s>,
    pub(super) left: &'a Pile,
    /// Groups that were found to have no room for more, and of what.
    pub(super) spent: &'a mut Vec<(usize, Names)>,
    /// Whom to look at.
    pub(super) lookout: Lookout,
    /// Clients that are behind, each with how many were asked before it.
    pub(super) waiting: Vec<(usize, Seat)>,
}

/// Who stands behind those that have not been asked yet.
#[derive(Clone, Copy)]
enum Behind<'a> {
    Nobody,
    /// These, and who would be offered nothing but reservations and was asked about those.
    Asked(Option<&'a Turn>),
}

impl<T: Trace> Search<'_, '_, T> {
    /// Who comes first, and what that is. When nothing unreserved is left to speak of, only those under
    /// a reservation are asked.
    pub(super) fn taker(mut self) -> Option<Taker> {
        if self.trace.is_deaf() && !is_enough(self.least, self.left.quantities()) {
            return None;
        }
        self.lookout = self.lookout();
        if self.round == Round::Guarantees {
            return self.due();
        }
        if is_enough(self.least, &self.left.unreserved()) {
            return self.of(ROOT, self.open());
        }
        let mut roles = separate(self.left.resources()).into_iter();
        roles.find_map(|role| self.of(self.tree.role(role)?, About::Reserved(role.clone())))
    }

    /// What is not reserved is revocable all, or nothing of it is.
    fn open(&self) -> About {
        if self.left.has_revocable() { About::Revocable } else { About::Free }
    }

    /// Who may have enough of what is left, as far as quotas go. What does not count for quotas may be
    /// enough for anybody.
    fn lookout(&self) -> Lookout {
        let minimums = self.lot.minimums();
        let bounds_all = self.tree.has_spent() && !self.tree.has_minimums();
        if !bounds_all || minimums.is_empty() || !self.trace.is_deaf() {
            return Lookout::ALL;
        }
        let (all, counted) = (self.left.quantities(), self.left.counted());
        let wanted = |minimum: &Amounts| {
            Names::that(|name| {
                let least = minimum.get(name).copied().unwrap_or_default();
                least > Scalar(0) && all.get(name) == counted.get(name)
            })
        };
        let possible = minimums.iter().filter(|it| is_enough(std::slice::from_ref(it), all));
        Lookout::any_of(possible.map(wanted))
    }

    /// The first of those that are due something; who was asked already waits for the other round.
    fn due(&mut self) -> Option<Taker> {
        let asked = self.lot.asked(self.open());
        let is_many = asked.is_some_and(|asked| asked.last_of_many().is_some());
        if is_many || !self.headroom.requires(self.left.resources()) {
            return None;
        }
        let tree = self.tree;
        tree.due().find_map(|node| self.below(node, Behind::Asked(asked)))
    }

    /// The first below a node: by share among those not asked yet, then who was asked longest ago.
    fn of(&mut self, node: usize, about: About) -> Option<Taker> {
        let tree = self.tree;
        let asked = self.lot.asked(about);
        if let Some(last) = asked.and_then(Turn::last_of_many) {
            return tree.clients_after(last).find_map(|client| self.one(node, client));
        }
        let first = self.below(node, Behind::Asked(asked));
        if first.is_some() {
            return first;
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.sort_by_key(|it| it.0);
        waiting.into_iter().find_map(|(_, client)| self.one(node, client))
    }

    /// A client, if it stands below a node.
    fn one(&mut self, above: usize, seat: Seat) -> Option<Taker> {
        let is_below = self.tree.is_below(seat.group, above);
        is_below.then(|| self.among(seat.group, std::iter::once(seat.index), Behind::Nobody))?
    }

    fn below(&mut self, node: usize, behind: Behind<'_>) -> Option<Taker> {
        let tree = self.tree;
        match tree.kind(node) {
            Kind::Role(_) => {
                let mut children = tree.children(node, self.lookout);
                children.find_map(|child| self.below(child, behind))
            }
            Kind::Group(_) => self.among(node, tree.team(node)?.in_order(), behind),
        }
    }

    /// The first of some clients of one role.
    fn among(
        &mut self,
        group: usize,
        mut clients: impl Iterator<Item = usize>,
        behind: Behind<'_>,
    ) -> Option<Taker> {
        let tree = self.tree;
        let (role, team) = (tree.kind(group).group()?.role, tree.team(group)?);
        let account = tree.account(group);
        let open = self.left.open_to(role);
        let cut = self.headroom.cut(account, open.resources(), &open.counted());
        let bound = cut.as_ref().map(|(_, why)| *why);
        let open = cut.map_or(open, |(part, _)| Cow::Owned(part.into()));
        if bound.is_some() {
            let spent = Names::that(|name| self.headroom.is_spent(account, name));
            self.spent.push((group, spent));
        }
        if self.round == Round::Guarantees && !self.headroom.is_due(account, open.resources()) {
            return None;
        }
        let too_little = match bound {
            Some(Bound::Limit) => Obstacle::Limit,
            Some(Bound::Guarantees) => Obstacle::Guarantees,
            None => Obstacle::TooLittle,
        };
        clients.find_map(|index| {
            let (id, seat) = (team.framework(index), Seat { group, index });
            if self.trace.is_deaf() && self.was_asked((id, role), seat, None, behind) {
                return None; // what it can take is looked at if nobody else takes anything
            }
            let client = Client::new(tree.framework(id)?, role);
            let fit = self.lot.fit(&client, &open, too_little);
            let fit = fit.and_then(|fit| {
                let is_behind = self.was_asked((id, role), seat, Some(&fit), behind);
                if is_behind { Err(Obstacle::Turn) } else { Ok((seat, fit)) }
            });
            fit.map_err(|why| self.trace.passed_over(self.lot.agent.id, (id, role), why)).ok()
        })
    }

    /// Whether others are to be asked before a client, for which it waits then. If it is known what it
    /// can take, who was asked about what of that is reserved counts as well.
    fn was_asked(
        &mut self,
        client: (FrameworkId, &Role),
        seat: Seat,
        fit: Option<&Pile>,
        behind: Behind<'_>,
    ) -> bool {
        let Behind::Asked(asked) = behind else { return false };
        let place = |asked: Option<&Turn>| asked.and_then(|asked| asked.place(client));
        let of_reserved = || {
            let role = fit.and_then(Pile::reserved_for)?;
            place(self.lot.asked(About::Reserved(role.clone())))
        };
        let place = place(asked).or_else(of_reserved);
        self.waiting.extend(place.map(|place| (place, seat)));
        place.is_some()
    }
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
