//! Who comes next: roles as a tree, each level sorted by dominant share over weight, then by offers
//! had, then by name (semantics 173). Below each role that frameworks subscribe to stands one group
//! with these frameworks, which competes with the role's sub-roles.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

use super::held::Holding;
use super::line::{InOrder, Line, Lookout, Names, Place};
use super::turns::ClientKey;
use crate::capability::Capabilities;
use crate::framework::Framework;
use crate::id::{FrameworkId, Role};
use crate::quota::Amounts;
use crate::resources::Quantities;

/// Where all roles hang.
pub(super) const ROOT: usize = 0;

/// The tree; it is made by `plant`. Nodes are created in the order of their names, so that a lower
/// index breaks ties.
pub(super) struct Tree<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    /// Sorted by name.
    pub(super) roles: Vec<(&'a str, usize)>,
    /// What shares are parts of.
    pub(super) total: Quantities,
    pub(super) has_minimums: bool,
    /// Somebody may have no more of something in this cycle.
    pub(super) has_spent: bool,
    /// Those roles of the top level that are due something, sorted as all are.
    pub(super) due: BTreeSet<Place>,
    /// Made when somebody is looked up by its id.
    pub(super) clients: OnceCell<BTreeMap<(FrameworkId, &'a Role), usize>>,
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
    /// Sorted by their places.
    pub(super) children: Line,
    /// What it and all below it may have no more of in this cycle.
    spent: Names,
    /// Of a group: the account of its role's quota.
    account: Option<usize>,
}

/// What a node stands for.
pub(super) enum Kind<'a> {
    /// A role with all below it; the root has no name.
    Role(&'a str),
    /// The frameworks of this role itself.
    Group(&'a Role),
    /// One framework in one role.
    Client(Client<'a>),
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
        self.has_minimums
    }

    /// Somebody may have no more of something in this cycle.
    pub(super) fn has_spent(&self) -> bool {
        self.has_spent
    }

    /// The node of a role, if anybody in it or below takes offers.
    pub(super) fn role(&self, role: &str) -> Option<usize> {
        let at = self.roles.binary_search_by_key(&role, |it| it.0).ok()?;
        self.roles.get(at).map(|it| it.1)
    }

    /// The nodes of all clients in the order of their ids, beginning with the first after this one.
    pub(super) fn clients_after<'b>(
        &'b self,
        last: &'b ClientKey,
    ) -> impl Iterator<Item = usize> + 'b {
        let clients: &BTreeMap<(FrameworkId, &Role), usize> = self.clients();
        let last = (last.0, &last.1);
        let after = clients.range((Excluded(last), Unbounded));
        after.chain(clients.range(..=last)).map(|(_, node)| *node)
    }

    fn clients(&self) -> &BTreeMap<(FrameworkId, &'a Role), usize> {
        self.clients.get_or_init(|| {
            let nodes = self.nodes.iter().enumerate();
            let client = |(index, node): (usize, &Node<'a>)| match &node.kind {
                Kind::Client(client) => Some(((client.framework.id, client.role), index)),
                Kind::Role(_) | Kind::Group(_) => None,
            };
            nodes.filter_map(client).collect()
        })
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

    /// The node above.
    pub(super) fn parent(&self, node: usize) -> usize {
        self.nodes[node].parent
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

    /// Finds the accounts of all groups.
    pub(super) fn open_accounts(&mut self, of: impl Fn(&Role) -> Option<usize>) {
        for node in &mut self.nodes {
            if let Kind::Group(role) = &node.kind {
                node.account = of(role);
            }
        }
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
    pub(super) fn due(&self) -> impl Iterator<Item = usize> + '_ {
        self.due.iter().map(|place| place.2)
    }

    /// Says of all roles of the top level whether they are due something.
    pub(super) fn note_due(&mut self, is_due: impl Fn(&str) -> bool) {
        let tops = self.nodes[ROOT].children.in_order(Lookout::ALL);
        let tops = tops.map(|node| &self.nodes[node]);
        let due = tops.filter(|node| matches!(node.kind, Kind::Role(role) if is_due(role)));
        self.due = due.map(|node| node.place).collect();
    }

    /// The role of the top level that a client is in or below may be due nothing any more.
    pub(super) fn note_met(&mut self, client: usize, is_due: impl Fn(&str) -> bool) {
        let Node { kind, place, .. } = &self.nodes[self.top(client)];
        if matches!(kind, Kind::Role(role) if !is_due(role)) {
            self.due.remove(place);
        }
    }

    /// The dominant share of a node, without its weight.
    pub(super) fn share(&self, node: usize) -> f64 {
        self.nodes[node].held.share_of(&self.total)
    }

    /// So much goes to a client; it and all above it move back in their lines.
    pub(super) fn charge(&mut self, client: usize, charge: &Holding) {
        let mut node = client;
        while node != ROOT {
            let charged = &mut self.nodes[node];
            let (before, parent, spent) = (charged.place, charged.parent, charged.spent);
            charged.hold(charge);
            charged.settle(&self.total);
            let after = charged.place;
            if parent == ROOT && self.due.remove(&before) {
                self.due.insert(after);
            }
            let line = &mut self.nodes[parent].children;
            line.remove(spent, &before);
            line.insert(spent, after);
            node = parent;
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
