//! Roles with quotas.

use statemachine::State;
use statemachine::quota::{Before, Quota, SetQuotas};
use statemachine::resources::{Name, Scalar};

use crate::cluster::run;

/// Half of all CPUs are guaranteed, ten times as much to every tenth role as to each of the others, and
/// each may have three times as much.
pub(crate) fn set(state: &mut State, agents: u32, roles: u32, role: impl Fn(u32) -> String) {
    let large = f64::from(roles.div_ceil(10));
    let unit = f64::from(agents) * 16.0 / 2.0 / (f64::from(roles) + 9.0 * large);
    let quotas = (0..roles).map(|number| {
        let guaranteed = if number % 10 == 0 { 10.0 * unit } else { unit };
        let amount = |value: f64| [(Name::Cpus, Scalar::from_f64(value))].into();
        let quota = Quota { guarantees: amount(guaranteed), limits: amount(3.0 * guaranteed) };
        (role(number).as_str().into(), quota)
    });
    let quotas = quotas.collect();
    run(state, 0, SetQuotas { quotas, force: true, before: Before::None });
}
