//! Who takes offers for which role, kept beside the frameworks: a cycle begins with the roles and need
//! not look at everybody.

use std::sync::Arc;

use imbl::OrdMap;

use crate::framework::Framework;
use crate::id::{FrameworkId, Role};
use crate::state::State;

/// The frameworks that take offers for one role, by wire id.
pub(super) type Members = OrdMap<Arc<str>, FrameworkId>;

/// All that take offers at present. It follows from the frameworks, and is in no snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    roles: OrdMap<Role, Members>,
    /// How many of them say what an offer must have at least.
    choosy: usize,
}

impl<'a> FromIterator<&'a Framework> for Roster {
    fn from_iter<I: IntoIterator<Item = &'a Framework>>(frameworks: I) -> Self {
        let mut roster = Self::default();
        frameworks.into_iter().for_each(|framework| roster.list(framework));
        roster
    }
}

impl Roster {
    /// Each role that somebody takes offers for, without those above it.
    pub(super) fn roles(&self) -> impl Iterator<Item = (&Role, &Members)> {
        self.roles.iter()
    }

    /// Somebody says what an offer must have at least.
    pub(super) fn has_minimums(&self) -> bool {
        self.choosy > 0
    }

    /// A framework is there, or is what it is from now on.
    fn list(&mut self, framework: &Framework) {
        for role in asking(framework) {
            let members = self.roles.entry(role.clone()).or_default();
            members.insert(framework.wire_id.clone(), framework.id);
            self.choosy += is_choosy(framework);
        }
    }

    /// A framework is gone, or will be another than it was.
    fn strike(&mut self, framework: &Framework) {
        for role in asking(framework) {
            let Some(members) = self.roles.get_mut(role) else { continue };
            members.remove(&framework.wire_id);
            self.choosy -= is_choosy(framework);
            if members.is_empty() {
                self.roles.remove(role);
            }
        }
    }
}

/// The roles that a framework takes offers for at present.
fn asking(framework: &Framework) -> impl Iterator<Item = &Role> {
    let roles = framework.description.roles.iter();
    let is_there = framework.connection.is_connected();
    roles.filter(move |role| is_there && !framework.suppressed.contains(*role))
}

fn is_choosy(framework: &Framework) -> usize {
    usize::from(!framework.description.minimums.is_empty())
}

impl State {
    /// Changes whether a framework takes offers, and for what.
    pub(crate) fn alter_framework(&mut self, id: FrameworkId, change: impl FnOnce(&mut Framework)) {
        let Some(framework) = self.frameworks.get_mut(&id).map(Arc::make_mut) else { return };
        self.book.roster.strike(framework);
        change(framework);
        self.book.roster.list(framework);
    }

    /// A framework is there.
    pub(crate) fn add_framework(&mut self, framework: Framework) {
        self.book.roster.list(&framework);
        self.frameworks.insert(framework.id, Arc::new(framework));
    }

    /// A framework is there no more.
    pub(crate) fn take_framework(&mut self, id: FrameworkId) -> Option<Arc<Framework>> {
        let framework = self.frameworks.remove(&id)?;
        self.book.roster.strike(&framework);
        Some(framework)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framework::{Disconnect, Revive, Suppress, Teardown};
    use crate::testing::World;

    /// Who takes offers for which role, in a state and in the one that its snapshot makes.
    fn check(world: &World, want: &[(&str, &[&str])]) {
        let read = State::decode(&world.state.encode()).expect("a state");
        assert_eq!(read, world.state);
        let names = |members: &Members| members.keys().map(ToString::to_string).collect();
        let roles = read.book.roster.roles();
        let found: Vec<(String, Vec<String>)> =
            roles.map(|(role, members)| (role.to_string(), names(members))).collect();
        let text = |names: &&[&str]| names.iter().map(ToString::to_string).collect();
        let want: Vec<_> =
            want.iter().map(|(role, names)| (role.to_string(), text(names))).collect();
        assert_eq!(found, want);
    }

    #[test]
    fn those_are_listed_who_take_offers() {
        let mut world = World::new();
        world.agent("cpus:4;mem:64;cpus(a):1");
        check(&world, &[]);
        let first = world.framework(&["a", "b"]);
        let second = world.framework(&["a"]);
        check(&world, &[("a", &["c-0000", "c-0001"]), ("b", &["c-0000"])]);
        world.must(Suppress { framework: first, roles: vec!["b".into()] });
        check(&world, &[("a", &["c-0000", "c-0001"])]);
        world.must(Suppress { framework: first, roles: Vec::new() });
        check(&world, &[("a", &["c-0001"])]);
        world.must(Revive { framework: first, roles: Vec::new() });
        world.must(Teardown { framework: second });
        check(&world, &[("a", &["c-0000"]), ("b", &["c-0000"])]);
        let session = world.state.frameworks[&first].session().expect("connected");
        world.must(Disconnect { framework: first, session });
        check(&world, &[]);
        let mut again = world.subscription(Some("c-0000"), &["b"]);
        again.description.minimums = [("b".into(), Vec::new())].into();
        world.subscribe(again);
        check(&world, &[("b", &["c-0000"])]);
        assert!(world.state.book.roster.has_minimums());
    }
}
