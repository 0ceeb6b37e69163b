//! How much of each scalar resource something is, whatever it is reserved for: what shares are
//! computed from.

use serde::{Deserialize, Serialize};

use super::{Name, Resource, Scalar};

/// Thousandths by name. Sums wrap instead of stopping at a bound, so that taking away what was added
/// always leads back to where it began, even if an agent claims absurd amounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantities {
    /// cpus, mem, disk and gpus.
    #[serde(rename = "u")]
    usual: [i64; 4],
    /// All others that are not 0, sorted by name.
    #[serde(rename = "o", default, skip_serializing_if = "Vec::is_empty")]
    others: Vec<(Name, i64)>,
}

impl Quantities {
    /// The sum of all scalars among these.
    pub fn of<'a>(resources: impl IntoIterator<Item = &'a Resource>) -> Self {
        let mut sum = Self::default();
        resources.into_iter().for_each(|resource| sum.add(resource));
        sum
    }

    /// Nothing of anything.
    pub fn is_empty(&self) -> bool {
        self.usual == [0; 4] && self.others.is_empty()
    }

    /// How much there is of one resource.
    pub fn get(&self, name: &Name) -> Scalar {
        Scalar(match slot(name) {
            Some(slot) => self.usual[slot],
            None => self.others.iter().find(|other| other.0 == *name).map_or(0, |other| other.1),
        })
    }

    /// None of one resource is left.
    pub fn clear(&mut self, name: &Name) {
        self.shift(name, self.get(name).0.wrapping_neg());
    }

    /// Adds a resource, if it is a scalar.
    pub fn add(&mut self, resource: &Resource) {
        self.shift(&resource.name, resource.value.thousandths());
    }

    /// Takes a resource away, if it is a scalar.
    pub fn remove(&mut self, resource: &Resource) {
        self.shift(&resource.name, resource.value.thousandths().wrapping_neg());
    }

    /// Adds all of `other`.
    pub fn add_all(&mut self, other: &Self) {
        for (held, more) in self.usual.iter_mut().zip(other.usual) {
            *held = held.wrapping_add(more);
        }
        other.others.iter().for_each(|(name, more)| self.shift(name, *more));
    }

    /// Takes all of `other` away.
    pub fn remove_all(&mut self, other: &Self) {
        for (held, less) in self.usual.iter_mut().zip(other.usual) {
            *held = held.wrapping_sub(less);
        }
        other.others.iter().for_each(|(name, less)| self.shift(name, less.wrapping_neg()));
    }

    /// Whether there is as much of everything here as in `other`.
    pub fn covers(&self, other: &Self) -> bool {
        let usual = self.usual.iter().zip(other.usual);
        usual.into_iter().all(|(held, wanted)| *held >= wanted)
            && other.others.iter().all(|(name, wanted)| self.get(name).0 >= *wanted)
    }

    /// The largest fraction of any resource of `total` that this is: the dominant share of DRF.
    pub fn share_of(&self, total: &Self) -> f64 {
        let usual = self.usual.iter().zip(total.usual).map(|(part, whole)| (*part, whole));
        let others = self.others.iter().map(|(name, part)| (*part, total.get(name).0));
        usual.chain(others).map(|(part, whole)| fraction(part, whole)).fold(0.0, f64::max)
    }

    fn shift(&mut self, name: &Name, by: i64) {
        if by == 0 {
            return;
        }
        if let Some(slot) = slot(name) {
            self.usual[slot] = self.usual[slot].wrapping_add(by);
            return;
        }
        match self.others.binary_search_by(|other| other.0.cmp(name)) {
            Err(at) => self.others.insert(at, (name.clone(), by)),
            Ok(at) => {
                self.others[at].1 = self.others[at].1.wrapping_add(by);
                if self.others[at].1 == 0 {
                    self.others.remove(at);
                }
            }
        }
    }
}

fn fraction(part: i64, whole: i64) -> f64 {
    if whole > 0 { part as f64 / whole as f64 } else { 0.0 }
}

fn slot(name: &Name) -> Option<usize> {
    match name {
        Name::Cpus => Some(0),
        Name::Mem => Some(1),
        Name::Disk => Some(2),
        Name::Gpus => Some(3),
        Name::Ports | Name::Other(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::resources;

    fn check(part: &str, total: &str, share: f64) {
        let (part, total) = (resources(part), resources(total));
        let found = Quantities::of(&part).share_of(&Quantities::of(&total));
        assert!((found - share).abs() < 1e-9, "{part} of {total} is {found}");
    }

    #[test]
    fn the_largest_fraction_of_any_scalar_is_the_share() {
        check("cpus:1;mem:4", "cpus:9;mem:18", 2.0 / 9.0);
        check("cpus:3;mem:1", "cpus:9;mem:18", 3.0 / 9.0);
        check("bandwidth:5", "bandwidth:10;cpus:1", 0.5);
        check("ports:[1-5];names:{a}", "ports:[1-5];names:{a}", 0.0);
        check("cpus:1;licences:1", "cpus:4", 0.25);
        check("", "cpus:4", 0.0);
    }

    #[test]
    fn what_was_added_can_be_taken_away_again() {
        let mut sum = Quantities::of(&resources("cpus:1;cpus(a):2;x:1"));
        assert_eq!(sum.get(&Name::Cpus), Scalar(3000));
        let huge = Resource {
            value: super::super::Value::Scalar(Scalar(i64::MAX)),
            ..resources("y:1").iter().next().expect("one").clone()
        };
        sum.add(&huge);
        sum.add(&huge);
        sum.remove(&huge);
        sum.remove(&huge);
        assert_eq!(sum, Quantities::of(&resources("cpus:3;x:1")));
        sum.remove_all(&sum.clone());
        assert!(sum.is_empty());
    }
}
