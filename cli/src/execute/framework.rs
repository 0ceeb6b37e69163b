//! The calls that our framework makes.

use std::time::Duration;

use protocol::v1::framework_info::{Capability, capability};
use protocol::v1::offer::{Operation, operation};
use protocol::v1::scheduler::{Call, call};
use protocol::v1::{Filters, FrameworkInfo, Offer, OfferId, TaskId, TaskInfo, TaskStatus};

use super::work::Work;

/// How long the task outlives us when we die without a farewell, or a new leader waits for us.
const FAILOVER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long offers that are not needed stay away.
const REFUSE_SECONDS: f64 = 5.0;

/// Who we are.
pub(super) fn info(work: &Work) -> FrameworkInfo {
    let able = |kind: capability::Type| Capability { r#type: Some(kind.into()) };
    let us = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
    FrameworkInfo {
        user: work.user.clone().or(us.map(|us| us.name)).unwrap_or_else(|| "root".into()),
        name: format!("mesolith execute {}", work.name),
        failover_timeout: Some(FAILOVER_TIMEOUT.as_secs_f64()),
        checkpoint: Some(true),
        roles: vec![work.role.clone()],
        capabilities: vec![
            able(capability::Type::MultiRole),
            able(capability::Type::ReservationRefinement),
            able(capability::Type::PartitionAware),
            able(capability::Type::TaskKillingState),
        ],
        ..FrameworkInfo::default()
    }
}

pub(super) fn launch(offer: &Offer, task: TaskInfo) -> Call {
    let launch = operation::Launch { task_infos: vec![task] };
    let operation = Operation {
        r#type: Some(operation::Type::Launch.into()),
        launch: Some(launch),
        ..Operation::default()
    };
    let accept = call::Accept {
        offer_ids: vec![offer.id.clone()],
        operations: vec![operation],
        filters: Some(Filters { refuse_seconds: Some(REFUSE_SECONDS) }),
    };
    Call { accept: Some(accept), ..of(call::Type::Accept) }
}

pub(super) fn decline(offer_ids: Vec<OfferId>) -> Call {
    let filters = Some(Filters { refuse_seconds: Some(REFUSE_SECONDS) });
    Call { decline: Some(call::Decline { offer_ids, filters }), ..of(call::Type::Decline) }
}

/// No more offers, please.
pub(super) fn suppress() -> Call {
    of(call::Type::Suppress)
}

/// The confirmation that a status asks for; none for those that the master makes.
pub(super) fn acknowledge(status: &TaskStatus) -> Option<Call> {
    let acknowledge = call::Acknowledge {
        agent_id: status.agent_id.clone()?,
        task_id: status.task_id.clone(),
        uuid: status.uuid.clone()?,
    };
    Some(Call { acknowledge: Some(acknowledge), ..of(call::Type::Acknowledge) })
}

pub(super) fn reconcile(task_id: &TaskId) -> Call {
    let task = call::reconcile::Task { task_id: task_id.clone(), agent_id: None };
    Call { reconcile: Some(call::Reconcile { tasks: vec![task] }), ..of(call::Type::Reconcile) }
}

pub(super) fn teardown() -> Call {
    of(call::Type::Teardown)
}

fn of(kind: call::Type) -> Call {
    Call { r#type: Some(kind.into()), ..Call::default() }
}
