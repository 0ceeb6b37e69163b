//! Who comes next: roles as a tree, each level sorted by dominant share over weight, then by offers
//! had, then by name (semantics 173). Below each role that frameworks subscribe to stands one group
//! with these frameworks, which competes with the role's sub-roles.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use super::line::{InOrder, Line, Lookout, Names, Place};
use super::turns::ClientKey;
use crate::allocator::Holding;
use crate::framework::Framework;
use crate::id::Role;
use crate::resources::Quantities;
use crate::settings::Settings;
use crate::state::State;

/// Where all roles hang.
pub(super) const ROOT: usize = 0;

/// The tree. Nodes are created in the order of their names, so that a lower index breaks ties.
pub(super) struct Tree {
    nodes: Vec<Node>,
    roles: BTreeMap<Role, usize>,
    /// What shares are parts of.
    total: Quantities,
    is_empty: bool,
    has_minimums: bool,
    /// Those roles of the top level that are due something, sorted as all are.
    due: BTreeSet<Place>,
    /// Made when somebody is looked up by its id.
    clients: OnceCell<BTreeMap<ClientKey, usize>>,
}

struct Node {
    kind: Kind,
    parent: usize,
    weight: f64,
    /// How deep the role lies that it stands below.
    depth: usize,
    held: Quantities,
    /// Offers that count among its siblings.
    offers: u64,
    /// Sorted; see [`Tree::place`].
    children: Line,
    /// What it and all below it may have no more of in this cycle.
    spent: Names,
    /// Of a group: the account of its role's quota.
    account: Option<usize>,
}

/// What a node stands for.
pub(super) enum Kind {
    /// A role with all below it; the root has no name.
    Role(Role),
    /// The frameworks of this role itself.
    Group(Role),
    /// One framework in one role.
    Client(Client),
}

/// A framework that takes offers for a role.
pub(super) struct Client {
    pub(super) framework: Arc<Framework>,
    pub(super) key: ClientKey,
}

impl Tree {
    /// All that take offers at present, with all that their roles hold.
    pub(super) fn new(state: &State, settings: &Settings) -> Self {
        let clients = clients(state);
        let mut tree = Self {
            nodes: vec![Node::new(Kind::Role(Role::from("")), ROOT, 1.0, 0)],
            roles: BTreeMap::new(),
            total: state.book.total.clone(),
            is_empty: clients.is_empty(),
            has_minimums: clients.values().flatten().any(|it| !it.description.minimums.is_empty()),
            due: BTreeSet::new(),
            clients: OnceCell::new(),
        };
        // of what there is none of, nobody has a share
        settings.unshared.iter().for_each(|name| tree.total.clear(name));
        let with_ancestors: BTreeSet<Role> =
            clients.keys().flat_map(|role| role.ancestors().chain([role.clone()])).collect();
        for role in with_ancestors {
            let frameworks = clients.get(&role).map(Vec::as_slice).unwrap_or_default();
            tree.plant(state, &role, frameworks);
        }
        for ((_, role), holding) in &state.book.held {
            tree.endow(role, holding);
        }
        for index in 1..tree.nodes.len() {
            let place = tree.place(index);
            let parent = tree.nodes[index].parent;
            tree.nodes[parent].children.insert(Names::default(), place);
        }
        tree
    }

    /// Nobody takes offers.
    pub(super) fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Somebody says what an offer must have at least.
    pub(super) fn has_minimums(&self) -> bool {
        self.has_minimums
    }

    /// The node of a role, if anybody in it or below takes offers.
    pub(super) fn role(&self, role: &Role) -> Option<usize> {
        self.roles.get(role).copied()
    }

    /// The node of a client.
    pub(super) fn client(&self, client: &ClientKey) -> Option<usize> {
        self.clients().get(client).copied()
    }

    /// All clients in the order of their ids, beginning with the first after this one.
    pub(super) fn clients_after(&self, last: &ClientKey) -> impl Iterator<Item = &ClientKey> {
        let clients = self.clients();
        let after = clients.range((Excluded(last), Unbounded));
        after.chain(clients.range(..=last)).map(|(client, _)| client)
    }

    fn clients(&self) -> &BTreeMap<ClientKey, usize> {
        self.clients.get_or_init(|| {
            let nodes = self.nodes.iter().enumerate();
            let client = |(index, node): (usize, &Node)| match &node.kind {
                Kind::Client(client) => Some((client.key.clone(), index)),
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
    pub(super) fn kind(&self, node: usize) -> &Kind {
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
        while node != ROOT {
            let before = self.nodes[node].spent;
            let after = before.or(names);
            if after == before {
                return;
            }
            let (place, parent) = (self.place(node), self.nodes[node].parent);
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

    /// Says for one role of the top level, or for all, whether they are due something.
    pub(super) fn note_due(&mut self, of: Option<&Role>, is_due: impl Fn(&Role) -> bool) {
        let of = of.map(|role| role.ancestors().next().unwrap_or_else(|| role.clone()));
        let nodes: Vec<usize> = match of {
            Some(role) => self.role(&role).into_iter().collect(),
            None => self.children(ROOT, Lookout::ALL).collect(),
        };
        for node in nodes {
            let place = self.place(node);
            match self.kind(node) {
                Kind::Role(role) if is_due(role) => self.due.insert(place),
                Kind::Role(_) | Kind::Group(_) | Kind::Client(_) => self.due.remove(&place),
            };
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
            let parent = self.nodes[node].parent;
            let before = self.place(node);
            self.nodes[node].hold(charge);
            let after = self.place(node);
            if parent == ROOT && self.due.remove(&before) {
                self.due.insert(after);
            }
            let spent = self.nodes[node].spent;
            let line = &mut self.nodes[parent].children;
            line.remove(spent, &before);
            line.insert(spent, after);
            node = parent;
        }
    }

    fn place(&self, index: usize) -> Place {
        let node = &self.nodes[index];
        ((self.share(index) / node.weight).to_bits(), node.offers, index)
    }

    /// Adds a role, whose ancestors are there already, with its frameworks.
    fn plant(&mut self, state: &State, role: &Role, frameworks: &[Arc<Framework>]) {
        let parent = role.parent().and_then(|parent| self.role(&parent)).unwrap_or(ROOT);
        let thousandths = state.weights.get(role).copied().unwrap_or(1000).max(1);
        let depth = role.depth();
        let index = self.push(Node::new(
            Kind::Role(role.clone()),
            parent,
            thousandths as f64 / 1000.0,
            depth - 1,
        ));
        self.roles.insert(role.clone(), index);
        if frameworks.is_empty() {
            return;
        }
        let group = self.push(Node::new(Kind::Group(role.clone()), index, 1.0, depth));
        for framework in frameworks {
            let key = (framework.id, role.clone());
            let held = state.book.held.get(&key);
            let client = Kind::Client(Client { framework: framework.clone(), key });
            let mut client = Node::new(client, group, 1.0, depth);
            if let Some(held) = held {
                client.hold(held);
            }
            self.push(client);
        }
    }

    fn push(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Adds what is held in a role, by whomever, to it, its group and its ancestors.
    fn endow(&mut self, role: &Role, holding: &Holding) {
        for role in role.ancestors().chain([role.clone()]) {
            if let Some(index) = self.role(&role) {
                self.nodes[index].hold(holding);
            }
        }
        // a role's group is created right after it
        let group = self.role(role).map(|index| index + 1);
        if let Some(group) = group.and_then(|group| self.nodes.get_mut(group))
            && matches!(&group.kind, Kind::Group(of) if of == role)
        {
            group.hold(holding);
        }
    }
}

impl Node {
    fn new(kind: Kind, parent: usize, weight: f64, depth: usize) -> Self {
        let (held, children) = (Quantities::default(), Line::default());
        let (spent, account) = (Names::default(), None);
        Self { kind, parent, weight, depth, held, offers: 0, children, spent, account }
    }

    fn hold(&mut self, holding: &Holding) {
        self.held.add_all(&holding.quantities);
        self.offers += holding.offers_below(self.depth);
    }
}

/// The frameworks that take offers for each role, by wire id.
fn clients(state: &State) -> BTreeMap<Role, Vec<Arc<Framework>>> {
    let mut frameworks: Vec<_> =
        state.frameworks.values().filter(|framework| framework.connection.is_connected()).collect();
    frameworks.sort_by(|a, b| a.wire_id.cmp(&b.wire_id));
    let mut clients: BTreeMap<Role, Vec<Arc<Framework>>> = BTreeMap::new();
    for framework in frameworks {
        let roles = framework.description.roles.iter();
        for role in roles.filter(|role| !framework.suppressed.contains(*role)) {
            clients.entry(role.clone()).or_default().push(framework.clone());
        }
    }
    clients
}
