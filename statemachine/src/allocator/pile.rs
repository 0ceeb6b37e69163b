//! What is free of one agent, with what is asked about it again and again.

use std::borrow::Cow;

use super::held::Holding;
use super::turns::outermost;
use crate::capability::{Capabilities, framework as capability};
use crate::id::Role;
use crate::quota::counts;
use crate::resources::{Quantities, Resource, Resources};

/// Some resources of one agent.
#[derive(Clone, Debug, Default)]
pub(super) struct Pile {
    resources: Resources,
    quantities: Quantities,
    /// Some are reserved.
    has_reserved: bool,
    /// Some are revocable.
    has_revocable: bool,
    /// Some are not for frameworks that do not say that they understand them (semantics 176).
    has_special: bool,
}

impl From<Resources> for Pile {
    fn from(resources: Resources) -> Self {
        let mut pile = Self::default();
        for resource in &resources {
            pile.quantities.add(resource);
            pile.has_reserved |= !resource.reservations.is_empty();
            pile.has_revocable |= resource.revocable;
            pile.has_special |= !understands(Capabilities::default(), resource);
        }
        Self { resources, ..pile }
    }
}

impl Pile {
    /// What is known to have such sums, and nothing that is not for everybody.
    pub(super) fn plain(resources: Resources, quantities: Quantities) -> Self {
        debug_assert_eq!(quantities, Quantities::of(&resources), "of {resources}");
        Self { resources, quantities, ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    pub(super) fn resources(&self) -> &Resources {
        &self.resources
    }

    pub(super) fn into_resources(self) -> Resources {
        self.resources
    }

    /// The sums of all.
    pub(super) fn quantities(&self) -> &Quantities {
        &self.quantities
    }

    /// What somebody holds more who is offered it.
    pub(super) fn charge(&self) -> Holding {
        let mut charge = Holding { quantities: self.quantities.clone(), ..Holding::default() };
        if self.has_reserved {
            charge.count(&self.resources);
        } else {
            charge.offers = 1;
        }
        charge
    }

    pub(super) fn has_revocable(&self) -> bool {
        self.has_revocable
    }

    /// The outermost of the roles that it is reserved for, if all of it is.
    pub(super) fn reserved_for(&self) -> Option<&Role> {
        let is_all = self.has_reserved
            && self.resources.iter().all(|resource| !resource.reservations.is_empty());
        is_all.then(|| outermost(&self.resources))?
    }

    /// The sums of what is not reserved.
    pub(super) fn unreserved(&self) -> Cow<'_, Quantities> {
        self.sums(!self.has_reserved, |resource| resource.reservations.is_empty())
    }

    /// The sums of what counts for quotas.
    pub(super) fn counted(&self) -> Cow<'_, Quantities> {
        self.sums(!self.has_reserved && !self.has_revocable, counts)
    }

    fn sums(&self, of_all: bool, of: impl Fn(&Resource) -> bool) -> Cow<'_, Quantities> {
        if of_all {
            return Cow::Borrowed(&self.quantities);
        }
        Cow::Owned(Quantities::of(self.resources.iter().filter(|resource| of(resource))))
    }

    /// What is revocable, and what is not.
    pub(super) fn parted(self) -> (Self, Self) {
        let part = |revocable| self.resources.filtered(|it| it.revocable == revocable).into();
        (part(true), part(false))
    }

    /// What a role may be given of it: what is not reserved, and what is reserved for it or an ancestor
    /// (semantics 175).
    pub(super) fn open_to(&self, role: &Role) -> Cow<'_, Self> {
        if !self.has_reserved {
            return Cow::Borrowed(self);
        }
        let is_open = |it: &Resource| it.role().is_none_or(|reserved| role.is_within(reserved));
        Cow::Owned(self.resources.filtered(is_open).into())
    }

    /// What a framework understands of it.
    pub(super) fn understood(&self, capabilities: Capabilities) -> Cow<'_, Self> {
        if !self.has_special {
            return Cow::Borrowed(self);
        }
        let fit = self.resources.filtered(|resource| understands(capabilities, resource));
        if fit.len() == self.resources.len() {
            return Cow::Borrowed(self);
        }
        Cow::Owned(fit.into())
    }

    /// What is left without another, which lies within it.
    pub(super) fn without(mut self, other: &Resources) -> Self {
        self.resources.remove_all(other);
        self.resources.into()
    }
}

fn understands(capabilities: Capabilities, resource: &Resource) -> bool {
    (!resource.shared || capabilities.has(capability::SHARED_RESOURCES))
        && (!resource.revocable || capabilities.has(capability::REVOCABLE_RESOURCES))
        && (resource.reservations.len() < 2 || capabilities.has(capability::RESERVATION_REFINEMENT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{plus, reserved, resources, revocable};

    fn check(found: &Pile, want: &Resources) {
        assert_eq!(found.resources, *want);
        assert_eq!(found.quantities, Quantities::of(want));
    }

    #[test]
    fn roles_have_what_is_free_and_what_is_theirs() {
        let all = resources("cpus:4;cpus(a):2;cpus(b):1;ports:[1-9]");
        let pile = Pile::from(all);
        check(&pile.open_to(&"a/x".into()), &resources("cpus:4;cpus(a):2;ports:[1-9]"));
        check(&pile.open_to(&"c".into()), &resources("cpus:4;ports:[1-9]"));
        assert_eq!(*pile.unreserved(), Quantities::of(&resources("cpus:4")));
        assert!(pile.reserved_for().is_none() && Pile::default().reserved_for().is_none());
        let reserved = Pile::from(resources("cpus(a):2;mem(a/b):5"));
        assert_eq!(reserved.reserved_for(), Some(&"a".into()));
        let plain = Pile::from(resources("cpus:4"));
        check(&plain.open_to(&"c".into()), &resources("cpus:4"));
    }

    #[test]
    fn frameworks_have_what_they_understand() {
        let refined = reserved(&resources("cpus(a):1"), "a/b");
        let lent = revocable(&resources("cpus:2"));
        let pile = Pile::from(plus(&plus(&resources("mem:64"), &refined), &lent));
        let none = Capabilities::default();
        check(&pile.understood(none), &resources("mem:64"));
        let some = none.with(capability::REVOCABLE_RESOURCES);
        check(&pile.understood(some), &plus(&resources("mem:64"), &lent));
        let all = some.with(capability::RESERVATION_REFINEMENT);
        check(&pile.understood(all), pile.resources());
        assert_eq!(*pile.counted(), Quantities::of(&resources("mem:64")));
        let (revocable, firm) = pile.parted();
        check(&revocable, &lent);
        check(&firm, &plus(&resources("mem:64"), &refined));
    }
}
