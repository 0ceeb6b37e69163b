//! Who comes next: roles as a tree, each level sorted by dominant share over weight, then by offers
//! had, then by name (semantics 173). Below each role that frameworks subscribe to stands one group
//! with these frameworks, which competes with the role's sub-roles.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use super::held::Holding;
use super::line::{InOrder, Line, Lookout, Names, Place};
use super::roster::Members;
use super::team::Team;
use super::turns::ClientKey;
use crate::capability::Capabilities;
use crate::framework::Framework;
use crate::id::{FrameworkId, Role};
use crate::quota::{Amounts, Headroom, Index};
use crate::resources::Quantities;
use crate::state::State;

/// Where all roles hang.
pub(super) const ROOT: usize = 0;

/// The tree; it is made by `plant`. Nodes are created in the order of their names, so that a lower
/// index breaks ties.
pub(super) struct Tree<'a> {
    pub(super) state: &'a State,
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) roles: Index<'a>,
    /// What shares are parts of.
    pub(super) total: Quantities,
    /// Somebody may have no more of something in this cycle.
    pub(super) has_spent: bool,
    /// Made when somebody is looked up by its id.
    pub(super) clients: OnceCell<BTreeMap<(FrameworkId, &'a Role), Seat>>,
}

/// Where a framework that takes offers for a role stands: the node of its group, and its index there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat {
    pub(super) group: usize,
    pub(super) index: usize,
}

pub(super) struct Node<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) parent: usize,
    weight: f64,
    /// How deep the role lies that it stands below.
    depth: usize,
    held: Quantities,
    /// Among its siblings: its share as it was last, and the offers that count there.
    pub(super) place: Place,
    /// Of a role: what stands below it, sorted by places.
    pub(super) children: Line,
    /// What it and all below it may have no more of in this cycle; of roles of the top level, whether
    /// they are due something.
    spent: Names,
    /// The account of its role's quota.
    account: Option<usize>,
}

/// What a node stands for.
pub(super) enum Kind<'a> {
    /// A role with all below it; the root has no name.
    Role(&'a str),
    /// The frameworks of this role itself.
    Group(Group<'a>),
}

/// The frameworks of one role.
pub(super) struct Group<'a> {
    pub(super) role: &'a Role,
    pub(super) members: &'a Members,
    /// Once somebody has looked at them.
    pub(super) team: OnceCell<Team>,
}

/// A framework that takes offers for a role.
pub(super) struct Client<'a> {
    pub(super) framework: &'a Framework,
    pub(super) role: &'a Role,
    pub(super) capabilities: Capabilities,
    /// What its offers must have at least, if it says so.
    pub(super) minimums: Option<&'a [Amounts]>,
}

impl<'a> Client<'a> {
    pub(super) fn new(framework: &'a Framework, role: &'a Role) -> Self {
        let description = &*framework.description;
        let minimums = description.minimums.get(role).map(Vec::as_slice);
        Self { framework, role, capabilities: description.capabilities, minimums }
    }

    pub(super) fn key(&self) -> ClientKey {
        (self.framework.id, self.role.clone())
    }
}

impl<'a> Tree<'a> {
    /// Nobody takes offers.
    pub(super) fn is_empty(&self) -> bool {
        self.roles.is_empty()
    }

    /// Somebody says what an offer must have at least.
    pub(super) fn has_minimums(&self) -> bool {
        self.state.book.roster.has_minimums()
    }

    /// Somebody may have no more of something in this cycle.
    pub(super) fn has_spent(&self) -> bool {
        self.has_spent
    }

    /// The node of a role, if anybody in it or below takes offers.
    pub(super) fn role(&self, role: &str) -> Option<usize> {
        self.roles.get(role)
    }

    /// All clients in the order of their ids, beginning with the first after this one.
    pub(super) fn clients_after<'b>(
        &'b self,
        last: &'b ClientKey,
    ) -> impl Iterator<Item = Seat> + 'b {
        let clients: &BTreeMap<(FrameworkId, &Role), Seat> = self.clients();
        let last = (last.0, &last.1);
        let after = clients.range((Excluded(last), Unbounded));
        after.chain(clients.range(..=last)).map(|(_, seat)| *seat)
    }

    fn clients(&self) -> &BTreeMap<(FrameworkId, &'a Role), Seat> {
        self.clients.get_or_init(|| {
            let nodes = self.nodes.iter().enumerate();
            let groups = nodes.filter_map(|(node, it)| Some((node, it.kind.group()?)));
            let seats = groups.flat_map(|(group, it)| {
                let members = it.members.values().enumerate();
                members.map(move |(index, id)| ((*id, it.role), Seat { group, index }))
            });
            seats.collect()
        })
    }

    /// Somebody who takes offers.
    pub(super) fn framework(&self, id: FrameworkId) -> Option<&'a Framework> {
        self.state.frameworks.get(&id).map(|framework| &**framework)
    }

    /// The frameworks of a group, if it is one.
    pub(super) fn team(&self, node: usize) -> Option<&Team> {
        let Node { kind: Kind::Group(group), depth, .. } = &self.nodes[node] else { return None };
        let team = || Team::new(self.state, (group.role, *depth), group.members, &self.total);
        Some(group.team.get_or_init(team))
    }

    /// Whether a node stands below another.
    pub(super) fn is_below(&self, mut node: usize, above: usize) -> bool {
        while node != ROOT && node != above {
            node = self.nodes[node].parent;
        }
        node == above
    }

    /// What a node stands for.
    pub(super) fn kind(&self, node: usize) -> &Kind<'a> {
        &self.nodes[node].kind
    }

    /// The nodes below that are to be looked at, who comes first first.
    pub(super) fn children(&self, node: usize, lookout: Lookout) -> InOrder<'_> {
        self.nodes[node].children.in_order(lookout)
    }

    /// The node's role of the top level.
    fn top(&self, mut node: usize) -> usize {
        while self.nodes[node].parent != ROOT {
            node = self.nodes[node].parent;
        }
        node
    }

    /// The account of a group's quota.
    pub(super) fn account(&self, group: usize) -> Option<usize> {
        self.nodes[group].account
    }

    /// Finds the accounts of all, and which roles of the top level are due something.
    pub(super) fn open_accounts(&mut self, headroom: &Headroom<'_>) {
        let mut of = headroom.accounts();
        for node in &mut self.nodes {
            node.account = match &node.kind {
                Kind::Role(role) => of(role),
                Kind::Group(group) => of(group.role),
            };
        }
        let is_due = |node: &Node<'_>| node.parent == ROOT && node.may_be_due(headroom);
        for node in self.nodes.iter_mut().skip(1).filter(|node| is_due(node)) {
            node.spent = Names::DUE;
        }
        let mut line = std::mem::take(&mut self.nodes[ROOT].children);
        line.part_due(|place| self.nodes[place.2].spent == Names::DUE);
        self.nodes[ROOT].children = line;
    }

    /// A group may have no more of these, and so may what is above it, if all below that may not.
    pub(super) fn spend(&mut self, mut node: usize, mut names: Names) {
        self.has_spent = true;
        while node != ROOT {
            let Node { spent: before, place, parent, .. } = self.nodes[node];
            let after = before.or(names);
            if after == before {
                return;
            }
            self.nodes[node].spent = after;
            let line = &mut self.nodes[parent].children;
            line.remove(before, &place);
            line.insert(after, place);
            names = line.spent();
            node = parent;
        }
    }

    /// The roles of the top level in or below which somebody is due something, who comes first first.
    pub(super) fn due(&self) -> InOrder<'_> {
        self.children(ROOT, Lookout::DUE)
    }

    /// The role of the top level that a group is in or below may be due nothing any more.
    pub(super) fn note_met(&mut self, group: usize, headroom: &Headroom<'_>) {
        let top = self.top(group);
        let Node { place, spent: before, .. } = self.nodes[top];
        if before.and(Names::DUE) != Names::DUE || self.nodes[top].may_be_due(headroom) {
            return;
        }
        let after = before.without(Names::DUE);
        self.nodes[top].spent = after;
        let line = &mut self.nodes[ROOT].children;
        line.remove(before, &place);
        line.insert(after, place);
    }

    /// The dominant share of a node, without its weight.
    pub(super) fn share(&self, node: usize) -> f64 {
        self.nodes[node].held.share_of(&self.total)
    }

    /// The dominant share of a client.
    pub(super) fn share_of(&self, seat: Seat) -> f64 {
        self.team(seat.group).map_or(0.0, |team| team.share(seat.index, &self.total))
    }

    /// So much goes to a client; it and all above it move back in their lines.
    pub(super) fn charge(&mut self, seat: Seat, charge: &Holding) {
        let Node { kind, depth, .. } = &mut self.nodes[seat.group];
        if let Kind::Group(group) = kind
            && let Some(team) = group.team.get_mut()
        {
            team.charge(seat.index, charge, (*depth, &self.total));
        }
        let mut node = seat.group;
        while node != ROOT {
            let charged = &mut self.nodes[node];
            let (before, parent, spent) = (charged.place, charged.parent, charged.spent);
            charged.hold(charge);
            charged.settle(&self.total);
            let after = charged.place;
            let line = &mut self.nodes[parent].children;
            line.remove(spent, &before);
            line.insert(spent, after);
            node = parent;
        }
    }
}

impl<'a> Kind<'a> {
    /// The frameworks of one role, if that is what it is.
    pub(super) fn group(&self) -> Option<&Group<'a>> {
        match self {
            Self::Role(_) => None,
            Self::Group(group) => Some(group),
        }
    }
}

impl<'a> Node<'a> {
    /// A node that holds nothing yet, at the end of the list of all.
    pub(super) fn new(
        kind: Kind<'a>,
        (index, parent): (usize, usize),
        weight: f64,
        depth: usize,
    ) -> Self {
        let (held, children) = (Quantities::default(), Line::default());
        let (spent, account, place) = (Names::default(), None, (0, 0, index));
        Self { kind, parent, weight, depth, held, place, children, spent, account }
    }

    /// Whether it is a role that is due something, or has one below it.
    fn may_be_due(&self, headroom: &Headroom<'_>) -> bool {
        matches!(self.kind, Kind::Role(role) if headroom.may_be_due(self.account, role))
    }

    /// It, or what is below it, holds so much more.
    pub(super) fn hold(&mut self, holding: &Holding) {
        self.held.add_all(&holding.quantities);
        self.place.1 += holding.offers_below(self.depth);
    }

    /// Finds its place after its holdings have changed.
    pub(super) fn settle(&mut self, total: &Quantities) {
        self.place.0 = (self.held.share_of(total) / self.weight).to_bits();
    }
}
