//! The frameworks of one role in the order of their shares. It is found out when somebody looks at them:
//! most cycles give to few roles.

use std::collections::BTreeSet;

use super::held::Holding;
use super::line::Place;
use super::roster::Members;
use crate::id::{FrameworkId, Role};
use crate::resources::Quantities;
use crate::state::State;

/// See the module.
pub(super) struct Team {
    /// In the order of their wire ids, so that a lower index breaks ties.
    members: Vec<Member>,
    line: BTreeSet<Place>,
}

struct Member {
    framework: FrameworkId,
    held: Quantities,
    place: Place,
}

impl Team {
    /// All of these, with what they hold in the role, which lies so deep.
    pub(super) fn new(
        state: &State,
        (role, depth): (&Role, usize),
        members: &Members,
        total: &Quantities,
    ) -> Self {
        let mut key = (FrameworkId(0), role.clone());
        let member = |(index, framework): (usize, &FrameworkId)| {
            key.0 = *framework;
            let mut member =
                Member { framework: *framework, held: Quantities::default(), place: (0, 0, index) };
            if let Some(holding) = state.book.held.of(&key) {
                member.hold(holding, depth, total);
            }
            member
        };
        let members: Vec<_> = members.values().enumerate().map(member).collect();
        let line = members.iter().map(|member| member.place).collect();
        Self { members, line }
    }

    /// Their indexes, who comes first first.
    pub(super) fn in_order(&self) -> impl Iterator<Item = usize> + '_ {
        self.line.iter().map(|place| place.2)
    }

    /// Who that is.
    pub(super) fn framework(&self, index: usize) -> FrameworkId {
        self.members[index].framework
    }

    /// The dominant share of one of them.
    pub(super) fn share(&self, index: usize, total: &Quantities) -> f64 {
        self.members[index].held.share_of(total)
    }

    /// So much goes to one of them, which moves back in the line.
    pub(super) fn charge(
        &mut self,
        index: usize,
        charge: &Holding,
        (depth, total): (usize, &Quantities),
    ) {
        let member = &mut self.members[index];
        self.line.remove(&member.place);
        member.hold(charge, depth, total);
        self.line.insert(member.place);
    }
}

impl Member {
    fn hold(&mut self, holding: &Holding, depth: usize, total: &Quantities) {
        self.held.add_all(&holding.quantities);
        self.place.1 += holding.offers_below(depth);
        self.place.0 = self.held.share_of(total).to_bits();
    }
}
