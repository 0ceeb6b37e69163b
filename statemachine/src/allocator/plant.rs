//! Makes the tree at the beginning of a cycle.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use super::held::Holding;
use super::line::{Line, Place};
use super::tree::{Client, Kind, Node, ROOT, Tree};
use crate::framework::Framework;
use crate::id::Role;
use crate::quota::upwards;
use crate::settings::Settings;
use crate::state::State;

/// A framework that takes offers for a role, and what it holds in it.
struct Seed<'a> {
    client: Client<'a>,
    held: Option<&'a Holding>,
}

/// All that take offers at present, by role; the roles above them are there as well.
type Seeds<'a> = BTreeMap<&'a str, Vec<Seed<'a>>>;

impl<'a> Tree<'a> {
    /// All that take offers at present, with all that their roles hold.
    pub(super) fn new(state: &'a State, settings: &Settings) -> Self {
        let seeds = seeds(state);
        let clients: usize = seeds.values().map(Vec::len).sum();
        let mut tree = Self {
            nodes: Vec::with_capacity(1 + 2 * seeds.len() + clients),
            roles: Vec::with_capacity(seeds.len()),
            total: state.book.total.clone(),
            has_minimums: false,
            has_spent: false,
            due: BTreeSet::new(),
            clients: OnceCell::new(),
        };
        // of what there is none of, nobody has a share
        settings.unshared.iter().for_each(|name| tree.total.clear(name));
        tree.nodes.push(Node::new(Kind::Role(""), (ROOT, ROOT), 1.0, 0));
        for (role, seeds) in seeds {
            tree.plant(state, role, seeds);
        }
        for (role, holding) in state.book.held.by_role() {
            tree.endow(role, holding);
        }
        tree.line_up();
        tree
    }

    /// Adds a role, whose ancestors are there already, with its frameworks.
    fn plant(&mut self, state: &State, role: &'a str, seeds: Vec<Seed<'a>>) {
        let above = upwards(role).nth(1).and_then(|above| self.role(above)).unwrap_or(ROOT);
        let depth = upwards(role).count();
        let node = self.push(Kind::Role(role), above, weight(state, role), depth - 1);
        self.roles.push((role, node));
        let Some(role) = seeds.first().map(|seed| seed.client.role) else { return };
        let group = self.push(Kind::Group(role), node, 1.0, depth);
        let mut places = Vec::with_capacity(seeds.len());
        for Seed { client, held } in seeds {
            self.has_minimums |= !client.framework.description.minimums.is_empty();
            let client = self.push(Kind::Client(client), group, 1.0, depth);
            let client = &mut self.nodes[client];
            if let Some(held) = held {
                client.hold(held);
                client.settle(&self.total);
            }
            places.push(client.place);
        }
        self.nodes[group].children = Line::new(places);
    }

    fn push(&mut self, kind: Kind<'a>, parent: usize, weight: f64, depth: usize) -> usize {
        let index = self.nodes.len();
        self.nodes.push(Node::new(kind, (index, parent), weight, depth));
        index
    }

    /// Adds what is held in a role, by whomever, to it, its group and its ancestors.
    fn endow(&mut self, role: &str, holding: &Holding) {
        let Some(closest) = upwards(role).find_map(|above| self.role(above)) else { return };
        let mut node = closest;
        while node != ROOT {
            self.nodes[node].hold(holding);
            node = self.nodes[node].parent;
        }
        // a role's group is created right after it
        if let Some(group) = self.nodes.get_mut(closest + 1)
            && matches!(&group.kind, Kind::Group(of) if ***of == *role)
        {
            group.hold(holding);
        }
    }

    /// Sorts roles and groups; those of one role were sorted when it was planted.
    fn line_up(&mut self) {
        let mut places: Vec<(usize, Place)> = Vec::with_capacity(2 * self.roles.len());
        for node in self.nodes.iter_mut().skip(1) {
            if !matches!(node.kind, Kind::Client(_)) {
                node.settle(&self.total);
                places.push((node.parent, node.place));
            }
        }
        places.sort_unstable();
        for siblings in places.chunk_by(|a, b| a.0 == b.0) {
            let line = Line::new(siblings.iter().map(|it| it.1).collect());
            self.nodes[siblings[0].0].children = line;
        }
    }
}

fn weight(state: &State, role: &str) -> f64 {
    if state.weights.is_empty() {
        return 1.0;
    }
    let thousandths = state.weights.get(&Role::from(role)).copied().unwrap_or(1000).max(1);
    thousandths as f64 / 1000.0
}

/// Both frameworks and what they hold are sorted by framework.
fn seeds(state: &State) -> Seeds<'_> {
    let mut seeds: Seeds<'_> = BTreeMap::new();
    let mut held = state.book.held.iter().peekable();
    let mut own: Vec<(&Role, &Holding)> = Vec::new();
    for framework in state.frameworks.values() {
        while held.next_if(|(client, _)| client.0 < framework.id).is_some() {}
        own.clear();
        while let Some((client, holding)) = held.next_if(|(client, _)| client.0 == framework.id) {
            own.push((&client.1, holding));
        }
        if framework.connection.is_connected() {
            sow(&mut seeds, framework, &own);
        }
    }
    for seeds in seeds.values_mut() {
        seeds.sort_by(|a, b| a.client.framework.wire_id.cmp(&b.client.framework.wire_id));
    }
    seeds
}

/// Adds a framework in each of the roles that it takes offers for.
fn sow<'a>(seeds: &mut Seeds<'a>, framework: &'a Framework, own: &[(&Role, &'a Holding)]) {
    let roles = framework.description.roles.iter();
    for role in roles.filter(|role| !framework.suppressed.contains(*role)) {
        let held = own.binary_search_by_key(&role, |it| it.0).ok();
        let held = held.and_then(|at| own.get(at)).map(|it| it.1);
        let seed = Seed { client: Client::new(framework, role), held };
        if let Some(others) = seeds.get_mut(&**role) {
            others.push(seed);
            continue;
        }
        for above in upwards(role).skip(1) {
            seeds.entry(above).or_default();
        }
        seeds.insert(role, vec![seed]);
    }
}
