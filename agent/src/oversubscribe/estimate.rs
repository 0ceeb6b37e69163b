//! How much may be lent out.

use std::fmt::Debug;

use protocol::resource;
use protocol::v1;

use super::{EstimatorKind, Holder, OversubscriptionError, OversubscriptionFlags};

/// Says how much may be lent out revocably.
pub(crate) trait ResourceEstimator: Debug + Send + Sync {
    /// All that may be lent out, what is lent out already included. Given what all containers hold.
    fn estimate(&self, holders: &[Holder]) -> Vec<v1::Resource>;
}

/// The estimator that the flags ask for.
pub(super) fn of(
    flags: &OversubscriptionFlags,
) -> Result<Box<dyn ResourceEstimator>, OversubscriptionError> {
    let text = flags.oversubscribed_resources.as_deref();
    match (flags.resource_estimator, text) {
        (EstimatorKind::Noop, None) => Ok(Box::new(Noop)),
        (EstimatorKind::Noop, Some(_)) => Err(OversubscriptionError::NotFixed),
        (EstimatorKind::Fixed, None) => Err(OversubscriptionError::NothingFixed),
        (EstimatorKind::Fixed, Some(text)) => Ok(Box::new(Fixed(revocable(text)?))),
    }
}

/// The resources of a text, revocable.
fn revocable(text: &str) -> Result<Vec<v1::Resource>, OversubscriptionError> {
    let mut resources = resource::parse(text, "*")?;
    for resource in &mut resources {
        let is_plain = resource.reservations.is_empty()
            && resource.disk.is_none()
            && resource.shared.is_none()
            && resource.provider_id.is_none();
        if !is_plain {
            return Err(OversubscriptionError::NotPlain(resource.name.clone()));
        }
        resource.revocable = Some(v1::resource::RevocableInfo::default());
    }
    if resources.is_empty() { Err(OversubscriptionError::NothingFixed) } else { Ok(resources) }
}

/// Nothing is lent out.
#[derive(Debug)]
struct Noop;

impl ResourceEstimator for Noop {
    fn estimate(&self, _: &[Holder]) -> Vec<v1::Resource> {
        Vec::new()
    }
}

/// Always the same, whatever goes on.
#[derive(Debug)]
struct Fixed(Vec<v1::Resource>);

impl ResourceEstimator for Fixed {
    fn estimate(&self, _: &[Holder]) -> Vec<v1::Resource> {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::flags::tests::flags;
    use super::*;

    /// What an agent with these flags lends out, by name, or what it says is wrong.
    fn check(text: &str, expected: Result<&[&str], &str>) {
        let found = of(&flags(text)).map(|estimator| estimator.estimate(&[]));
        match (found, expected) {
            (Ok(found), Ok(names)) => {
                let is_lent = |it: &v1::Resource| it.revocable.is_some();
                assert!(found.iter().all(is_lent), "{text}: {found:?}");
                let found: Vec<_> = found.iter().map(|it| it.name.as_str()).collect();
                assert_eq!(found, names, "{text}");
            }
            (Err(error), Err(part)) => {
                assert!(error.to_string().contains(part), "{text}: {error}");
            }
            (found, _) => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn an_agent_lends_out_what_its_flags_say() {
        check("", Ok(&[]));
        check("--resource-estimator noop", Ok(&[]));
        check(
            "--resource-estimator fixed --oversubscribed-resources cpus:4;mem:1024",
            Ok(&["cpus", "mem"]),
        );
    }

    #[test]
    fn flags_that_make_no_sense_are_refused() {
        check("--resource-estimator fixed", Err("needs --oversubscribed-resources"));
        check("--oversubscribed-resources cpus:1", Err("of use with"));
        let fixed =
            |text: &str| format!("--resource-estimator fixed --oversubscribed-resources={text}");
        check(&fixed(""), Err("needs --oversubscribed-resources"));
        check(&fixed("cpus"), Err("is wrong"));
        check(&fixed("cpus(a):1"), Err("no reservations and no volumes: cpus"));
    }
}
