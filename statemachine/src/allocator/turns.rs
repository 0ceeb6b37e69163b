//! Whose turn it is where nobody takes what is free (decision 0021). Who has been offered an agent's
//! resources and took nothing of them stands behind those who have not been asked since, whatever its
//! share. Once somebody takes something, or more becomes free than was offered, shares alone decide
//! again.

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use super::along::Along;
use super::crowd::Crowd;
use crate::id::{AgentId, FrameworkId, Role};
use crate::resources::{Quantities, Resource, Resources};

/// How many that were asked are remembered for one agent. When so many in a row took nothing, the
/// next are asked in the order of their ids, of which only the last needs to be remembered.
pub const ASKED_MAX: usize = 16;

/// A framework in one of its roles.
pub(crate) type ClientKey = (FrameworkId, Role);

/// Those who were asked since somebody took something, for each agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turns(OrdMap<(AgentId, About), Turn>);

/// What they were asked about. Whoever alone can have something of one kind would otherwise always
/// have been asked last, and never have its turn at the others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum About {
    /// All that is free: what is not reserved, with whatever else was open to them.
    #[serde(rename = "f")]
    Free,
    /// What is revocable, which is offered apart.
    #[serde(rename = "v")]
    Revocable,
    /// What is reserved for this role, which those in it or below it can have.
    #[serde(rename = "r")]
    Reserved(Role),
}

/// Who was asked about one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub(super) struct Turn {
    /// What of the agent was not in use when they were asked.
    #[serde(rename = "u")]
    unused: Quantities,
    #[serde(rename = "a")]
    asked: Asked,
    /// Of those who are remembered one by one.
    #[serde(skip)]
    crowd: Crowd,
}

/// A turn as snapshots keep it.
#[derive(Deserialize)]
struct Stored {
    #[serde(rename = "u")]
    unused: Quantities,
    #[serde(rename = "a")]
    asked: Asked,
}

impl From<Stored> for Turn {
    fn from(Stored { unused, asked }: Stored) -> Self {
        Self { unused, crowd: asked.crowd(), asked }
    }
}

/// Who was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Asked {
    /// These, longest ago first.
    #[serde(rename = "t")]
    These(Vec<ClientKey>),
    /// More than are remembered, and this one last.
    #[serde(rename = "m")]
    Many(ClientKey),
}

impl Turns {
    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Who was asked about something of an agent.
    pub(super) fn of(&self, agent: AgentId, about: About) -> Option<&Turn> {
        self.0.get(&(agent, about))
    }

    /// The same for one agent after another.
    pub(super) fn along(&self) -> Along<'_, (AgentId, About), Turn> {
        Along::new(&self.0)
    }

    /// Somebody is asked whether it takes these.
    pub(crate) fn offer(
        &mut self,
        agent: AgentId,
        client: &ClientKey,
        resources: &Resources,
        unused: &Quantities,
    ) {
        for about in subjects(resources) {
            let turn = self.0.entry((agent, about)).or_insert_with(|| Turn::new(unused));
            if !turn.unused.covers(unused) {
                *turn = Turn::new(unused);
            }
            turn.push(client);
        }
    }

    /// Somebody took these.
    pub(crate) fn take(&mut self, agent: AgentId, resources: &Resources) {
        for about in subjects(resources) {
            self.0.remove(&(agent, about));
        }
    }

    /// What anybody may have, or who comes first, has changed.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// An agent has changed, or has gone.
    pub(crate) fn forget(&mut self, agent: AgentId) {
        let of_agent = self.0.range((agent, About::Free)..).take_while(|(key, _)| key.0 == agent);
        let keys: Vec<_> = of_agent.map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.0.remove(&key);
        }
    }
}

impl Turn {
    fn new(unused: &Quantities) -> Self {
        let (asked, crowd) = (Asked::These(Vec::new()), Crowd::default());
        Self { unused: unused.clone(), asked, crowd }
    }

    /// It, if it counts for an agent of which this is not in use.
    pub(super) fn counting(&self, unused: &Quantities) -> Option<&Self> {
        self.unused.covers(unused).then_some(self)
    }

    /// Who was asked last, if more were asked than are remembered.
    pub(super) fn last_of_many(&self) -> Option<&ClientKey> {
        match &self.asked {
            Asked::These(_) => None,
            Asked::Many(last) => Some(last),
        }
    }

    /// How many were asked before this one; none if it is not remembered that it was.
    pub(super) fn place(&self, (framework, role): (FrameworkId, &Role)) -> Option<usize> {
        if !self.crowd.may_have(framework) {
            return None;
        }
        match &self.asked {
            Asked::These(clients) => {
                clients.iter().position(|it| it.0 == framework && it.1 == *role)
            }
            Asked::Many(_) => None,
        }
    }

    fn push(&mut self, client: &ClientKey) {
        self.asked.push(client);
        self.crowd = self.asked.crowd();
    }
}

impl Asked {
    fn push(&mut self, client: &ClientKey) {
        let Self::These(clients) = self else {
            *self = Self::Many(client.clone());
            return;
        };
        clients.retain(|it| it != client);
        if clients.len() < ASKED_MAX {
            clients.push(client.clone());
        } else {
            *self = Self::Many(client.clone());
        }
    }

    fn crowd(&self) -> Crowd {
        match self {
            Self::These(clients) => clients.iter().map(|client| client.0).collect(),
            Self::Many(_) => Crowd::default(),
        }
    }
}

/// What an offer of these is about: all that is free, if any of it is not reserved, and what is
/// reserved for the outermost of their roles.
pub(super) fn subjects(resources: &Resources) -> impl Iterator<Item = About> {
    let mut unreserved = resources.iter().filter(|it| it.reservations.is_empty());
    let first = unreserved.next();
    let open = first.map(|it| if it.revocable { About::Revocable } else { About::Free });
    let reserved = outermost(resources).cloned().map(About::Reserved);
    open.into_iter().chain(reserved)
}

/// The outermost of the roles that these are reserved for.
pub(super) fn outermost(resources: &Resources) -> Option<&Role> {
    resources.iter().filter_map(Resource::role).min_by_key(|role| role.depth())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{resources, revocable};

    const AGENT: AgentId = AgentId(0);

    fn client(number: u32) -> ClientKey {
        (FrameworkId(number), "a".into())
    }

    /// The turn of 8 CPUs after these offers of `cpus:8`.
    fn offered(to: impl IntoIterator<Item = u32>) -> Turns {
        let mut turns = Turns::default();
        let all = resources("cpus:8");
        for number in to {
            turns.offer(AGENT, &client(number), &all, &Quantities::of(&all));
        }
        turns
    }

    fn check(turns: &Turns, about: Option<&str>, unused: &str, want: Option<&[u32]>) {
        let about = about.map_or(About::Free, |role| About::Reserved(role.into()));
        let unused = Quantities::of(&resources(unused));
        let found = turns.of(AGENT, about.clone()).and_then(|turn| turn.counting(&unused));
        let found = found.map(|turn| match &turn.asked {
            Asked::These(clients) => clients.iter().map(|it| it.0.0).collect::<Vec<_>>(),
            Asked::Many(last) => vec![last.0.0],
        });
        assert_eq!(found.as_deref(), want, "{about:?}");
    }

    #[test]
    fn who_was_asked_again_was_asked_last() {
        check(&offered([1, 2, 3, 1]), None, "cpus:8", Some(&[2, 3, 1]));
        check(&offered([]), None, "cpus:8", None);
    }

    #[test]
    fn more_that_is_free_is_another_matter() {
        let mut turns = offered([1, 2]);
        check(&turns, None, "cpus:7", Some(&[1, 2]));
        check(&turns, None, "cpus:8.001", None);
        check(&turns, None, "cpus:8;gpus:1", None);
        let more = resources("cpus:9");
        turns.offer(AGENT, &client(3), &more, &Quantities::of(&more));
        check(&turns, None, "cpus:9", Some(&[3]));
    }

    #[test]
    fn what_is_reserved_is_a_matter_of_its_own() {
        let mut turns = offered([1]);
        let unused = Quantities::of(&resources("cpus:8"));
        turns.offer(AGENT, &client(2), &resources("cpus(a):4"), &unused);
        turns.offer(AGENT, &client(3), &resources("cpus:2;cpus(a):4;cpus(a/b):1"), &unused);
        check(&turns, None, "cpus:8", Some(&[1, 3]));
        check(&turns, Some("a"), "cpus:8", Some(&[2, 3]));
        check(&turns, Some("a/b"), "cpus:8", None);
        turns.offer(AGENT, &client(4), &revocable(&resources("cpus:1")), &unused);
        check(&turns, None, "cpus:8", Some(&[1, 3]));
        let found = turns.of(AGENT, About::Revocable).map(|turn| &turn.asked);
        assert_eq!(found, Some(&Asked::These(vec![client(4)])));
        turns.take(AGENT, &resources("cpus(a):1"));
        check(&turns, None, "cpus:8", Some(&[1, 3]));
        check(&turns, Some("a"), "cpus:8", None);
        turns.forget(AGENT);
        assert!(turns.is_empty());
    }

    #[test]
    fn no_more_are_remembered_than_are_needed() {
        let many = ASKED_MAX as u32;
        let all: Vec<u32> = (0..many).collect();
        check(&offered(0..many), None, "cpus:8", Some(&all));
        check(&offered(0..=many), None, "cpus:8", Some(&[many]));
        check(&offered((0..=many).chain([5])), None, "cpus:8", Some(&[5]));
    }
}
