//! When too much is lent out.

use std::fmt::Debug;
use std::fs;

use super::{ControllerKind, Correction, Holder, OversubscriptionError, OversubscriptionFlags};

/// Where the kernel says how much there is to do.
const LOAD: &str = "/proc/loadavg";

/// Says which containers have to go, so that others get what they were promised.
pub(crate) trait QosController: Debug + Send + Sync {
    /// Those of these containers that have to go now.
    fn corrections(&self, holders: &[Holder]) -> Vec<Correction>;
}

/// The controller that the flags ask for; none if nothing is to be looked for.
pub(super) fn of(
    flags: &OversubscriptionFlags,
) -> Result<Option<Box<dyn QosController>>, OversubscriptionError> {
    match flags.qos_controller {
        ControllerKind::Noop => Ok(None),
        ControllerKind::Load => {
            let thresholds =
                Thresholds { five: flags.load_threshold_5min, fifteen: flags.load_threshold_15min };
            if thresholds.five.or(thresholds.fifteen).is_none() {
                return Err(OversubscriptionError::NoThreshold);
            }
            Ok(Some(Box::new(Load(thresholds))))
        }
    }
}

/// Loads from which on a machine has too much to do.
#[derive(Debug, Clone, Copy)]
struct Thresholds {
    five: Option<f64>,
    fifteen: Option<f64>,
}

impl Thresholds {
    /// Whether the text of `/proc/loadavg` says that one is reached; none if it says nothing.
    fn are_reached(self, text: &str) -> Option<bool> {
        let mut loads = text.split(' ').skip(1).map(|load| load.parse::<f64>().ok());
        let (five, fifteen) = (loads.next()??, loads.next()??);
        let is_reached = |limit: Option<f64>, load: f64| limit.is_some_and(|limit| load >= limit);
        Some(is_reached(self.five, five) || is_reached(self.fifteen, fifteen))
    }
}

/// Every container with revocable resources goes while the machine's load is too high.
#[derive(Debug)]
struct Load(Thresholds);

impl QosController for Load {
    fn corrections(&self, holders: &[Holder]) -> Vec<Correction> {
        let lent: Vec<_> = holders.iter().filter(|holder| holder.is_revocable()).collect();
        if lent.is_empty() {
            return Vec::new();
        }
        let reached = fs::read_to_string(LOAD).ok().and_then(|text| self.0.are_reached(&text));
        let Some(reached) = reached else {
            tracing::warn!("cannot read this machine's load from {LOAD}: nothing is taken back");
            return Vec::new();
        };
        let correct = |holder: &Holder| Correction {
            executor: holder.executor.clone(),
            container_id: holder.container_id.clone(),
        };
        lent.into_iter().filter(|_| reached).map(correct).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::flags::tests::flags;
    use super::*;
    use crate::checkpoint::state::ExecutorKey;

    fn holder(name: &str, is_revocable: bool) -> Holder {
        let mut resources = protocol::resource::parse("cpus:1", "*").expect("resources");
        if is_revocable {
            resources[0].revocable = Some(protocol::v1::resource::RevocableInfo::default());
        }
        let executor = ExecutorKey { framework_id: "f".to_owned(), executor_id: name.to_owned() };
        Holder { executor, container_id: name.to_owned(), resources }
    }

    /// Whether a load of 2 over 5 and of 1 over 15 minutes is too much.
    fn check(five: Option<f64>, fifteen: Option<f64>, reached: bool) {
        let text = "9.99 2.00 1.00 1/234 5678\n";
        let thresholds = Thresholds { five, fifteen };
        assert_eq!(thresholds.are_reached(text), Some(reached), "{thresholds:?}");
    }

    #[test]
    fn either_threshold_is_enough() {
        check(Some(2.0), None, true);
        check(Some(2.1), None, false);
        check(None, Some(1.0), true);
        check(None, Some(1.1), false);
        check(Some(3.0), Some(0.5), true);
        check(Some(0.5), Some(3.0), true);
        check(Some(3.0), Some(3.0), false);
        assert_eq!(Thresholds { five: Some(0.0), fifteen: None }.are_reached("nothing"), None);
    }

    #[test]
    fn only_containers_with_revocable_resources_go() {
        let holders = [holder("firm", false), holder("lent", true)];
        for (flag, gone) in [("0", vec!["lent"]), ("1e9", vec![])] {
            let text = format!("--qos-controller load --load-threshold-5min {flag}");
            let controller = of(&flags(&text)).expect("flags").expect("a controller");
            let corrections = controller.corrections(&holders);
            let found: Vec<_> = corrections.iter().map(|it| it.container_id.as_str()).collect();
            assert_eq!(found, gone, "from a load of {flag} on");
        }
    }

    #[test]
    fn a_load_controller_needs_a_threshold() {
        let error = of(&flags("--qos-controller load")).expect_err("no threshold").to_string();
        assert!(error.contains("--load-threshold-5min"), "{error}");
        assert!(of(&flags("")).expect("flags").is_none());
    }
}
