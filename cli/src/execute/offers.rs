//! Takes what a task needs out of an offer.

use protocol::v1::{Offer, Resource, value};

/// Scalars have three decimals; all arithmetic is on thousandths.
const THOUSANDTHS: f64 = 1000.0;

/// What is needed, taken from the offer's resources in their order; none when the offer is too small.
pub(super) fn take(offer: &Offer, needed: &[(&str, f64)]) -> Option<Vec<Resource>> {
    let mut taken = Vec::new();
    for (name, amount) in needed {
        let mut missing = thousandths(*amount);
        for resource in offer.resources.iter().filter(|resource| usable(resource, name)) {
            let here = resource.scalar.map_or(0, |scalar| thousandths(scalar.value));
            let part = missing.min(here);
            if part > 0 {
                missing -= part;
                taken.push(part_of(resource, part));
            }
        }
        if missing > 0 {
            return None;
        }
    }
    Some(taken)
}

/// Volumes, shared and revocable resources are not for commands that did not ask for them.
fn usable(resource: &Resource, name: &str) -> bool {
    resource.name == name
        && resource.disk.is_none()
        && resource.shared.is_none()
        && resource.revocable.is_none()
}

fn part_of(resource: &Resource, part: i64) -> Resource {
    let scalar = value::Scalar { value: part as f64 / THOUSANDTHS };
    Resource { scalar: Some(scalar), ..resource.clone() }
}

fn thousandths(amount: f64) -> i64 {
    (amount * THOUSANDTHS).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(scalars: &[(&str, f64)]) -> Offer {
        let resource = |(name, value): &(&str, f64)| Resource {
            name: (*name).into(),
            scalar: Some(value::Scalar { value: *value }),
            ..Resource::default()
        };
        Offer { resources: scalars.iter().map(resource).collect(), ..Offer::default() }
    }

    fn check(offered: &[(&str, f64)], needed: &[(&str, f64)], expected: Option<&[(&str, f64)]>) {
        let taken = take(&offer(offered), needed);
        let expected = expected.map(|expected| offer(expected).resources);
        assert_eq!(taken, expected, "{offered:?} {needed:?}");
    }

    #[test]
    fn no_more_is_taken_than_is_needed() {
        let expected: &[_] = &[("cpus", 0.1), ("mem", 32.0)];
        check(&[("cpus", 2.0), ("mem", 64.0)], &[("cpus", 0.1), ("mem", 32.0)], Some(expected));
    }

    #[test]
    fn resources_of_one_name_add_up() {
        let expected: &[_] = &[("cpus", 0.1), ("cpus", 0.2)];
        check(&[("cpus", 0.1), ("cpus", 0.2)], &[("cpus", 0.3)], Some(expected));
    }

    #[test]
    fn an_offer_that_is_too_small_gives_nothing() {
        check(&[("cpus", 2.0), ("mem", 31.999)], &[("cpus", 0.1), ("mem", 32.0)], None);
        check(&[], &[("cpus", 0.1)], None);
    }

    #[test]
    fn nothing_is_asked_for_what_is_not_needed() {
        check(&[("cpus", 1.0)], &[("cpus", 1.0), ("disk", 0.0)], Some(&[("cpus", 1.0)]));
    }
}
