//! Makes the tree at the beginning of a cycle.

use std::cell::OnceCell;

use super::line::{Line, Place};
use super::roster::{Members, Roster};
use super::tree::{Group, Kind, Node, ROOT, Tree};
use crate::id::Role;
use crate::quota::{Index, upwards};
use crate::settings::Settings;
use crate::state::State;

/// A role, and who takes offers for it, if anybody does and not only for roles below it.
type Seed<'a> = (&'a str, Option<(&'a Role, &'a Members)>);

impl<'a> Tree<'a> {
    /// All that take offers at present, with all that their roles hold.
    pub(super) fn new(state: &'a State, settings: &Settings) -> Self {
        let seeds = seeds(&state.book.roster);
        let mut tree = Self {
            state,
            nodes: Vec::with_capacity(1 + 2 * seeds.len()),
            roles: Index::with_capacity(seeds.len()),
            total: state.book.total.clone(),
            has_spent: false,
            clients: OnceCell::new(),
        };
        // of what there is none of, nobody has a share
        settings.unshared.iter().for_each(|name| tree.total.clear(name));
        tree.nodes.push(Node::new(Kind::Role(""), (ROOT, ROOT), 1.0, 0));
        for seed in seeds {
            tree.plant(seed);
        }
        tree.endow();
        tree.line_up();
        tree
    }

    /// Adds a role, whose ancestors are there already.
    fn plant(&mut self, (role, group): Seed<'a>) {
        let above = self.roles.above(role).unwrap_or(ROOT);
        let depth = upwards(role).count();
        let node = self.push(Kind::Role(role), above, weight(self.state, role), depth - 1);
        self.roles.push(role, node);
        if let Some((role, members)) = group {
            let team = OnceCell::new();
            self.push(Kind::Group(Group { role, members, team }), node, 1.0, depth);
        }
    }

    fn push(&mut self, kind: Kind<'a>, parent: usize, weight: f64, depth: usize) -> usize {
        let index = self.nodes.len();
        self.nodes.push(Node::new(kind, (index, parent), weight, depth));
        index
    }

    /// Adds what is held in each role, by whomever, to it, its group and its ancestors.
    fn endow(&mut self) {
        let roles = std::mem::take(&mut self.roles);
        let mut find = roles.in_step();
        for (role, holding) in self.state.book.held.by_role() {
            let own = find.get(role);
            // a role's group is created right after it
            if let Some(group) = own.and_then(|own| self.nodes.get_mut(own + 1))
                && group.kind.group().is_some()
            {
                group.hold(holding);
            }
            let Some(mut node) = own.or_else(|| roles.above(role)) else { continue };
            while node != ROOT {
                self.nodes[node].hold(holding);
                node = self.nodes[node].parent;
            }
        }
        self.roles = roles;
    }

    fn line_up(&mut self) {
        let mut places: Vec<(usize, Place)> = Vec::with_capacity(self.nodes.len());
        for node in self.nodes.iter_mut().skip(1) {
            node.settle(&self.total);
            places.push((node.parent, node.place));
        }
        places.sort_unstable();
        for siblings in places.chunk_by(|a, b| a.0 == b.0) {
            let line = Line::new(siblings.iter().map(|it| it.1).collect());
            self.nodes[siblings[0].0].children = line;
        }
    }
}

/// All roles that somebody takes offers for, and those above them, by name.
fn seeds(roster: &Roster) -> Vec<Seed<'_>> {
    let mut seeds: Vec<Seed<'_>> = Vec::new();
    let mut has_nested = false;
    for (role, members) in roster.roles() {
        seeds.push((role, Some((role, members))));
        for above in upwards(role).skip(1) {
            has_nested = true;
            seeds.push((above, None));
        }
    }
    if has_nested {
        // of those with one name, the one with frameworks comes first
        seeds.sort_unstable_by_key(|(role, group)| (*role, group.is_none()));
        seeds.dedup_by_key(|seed| seed.0);
    }
    seeds
}

fn weight(state: &State, role: &str) -> f64 {
    if state.weights.is_empty() {
        return 1.0;
    }
    let thousandths = state.weights.get(&Role::from(role)).copied().unwrap_or(1000).max(1);
    thousandths as f64 / 1000.0
}
