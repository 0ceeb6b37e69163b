//! Counts the calls of schedulers, by the names that Mesos has for the messages behind them.

use protocol::v1::scheduler::Call;
use protocol::v1::scheduler::call::Type;
use statemachine::FrameworkId;

use crate::metrics::Counters;

/// A call has come whose shape is right.
pub(super) fn came(counters: &Counters, r#type: Type, call: &Call) {
    let is_named = call.framework_id.as_ref().is_some_and(|id| !id.value.is_empty());
    counters.count(match r#type {
        Type::Subscribe if is_named => "messages_reregister_framework",
        Type::Subscribe => "messages_register_framework",
        Type::Teardown => "messages_unregister_framework",
        Type::Accept => "messages_launch_tasks",
        Type::Decline => "messages_decline_offers",
        Type::Revive => "messages_revive_offers",
        Type::Suppress => "messages_suppress_offers",
        Type::Kill => "messages_kill_task",
        Type::Acknowledge => "messages_status_update_acknowledgement",
        Type::AcknowledgeOperationStatus => "messages_operation_status_update_acknowledgement",
        Type::Reconcile => "messages_reconcile_tasks",
        Type::ReconcileOperations => "messages_reconcile_operations",
        Type::Message => "messages_framework_to_executor",
        Type::Request => "messages_resource_request",
        // Mesos has no names for these
        Type::Shutdown
        | Type::AcceptInverseOffers
        | Type::DeclineInverseOffers
        | Type::UpdateFramework
        | Type::Unknown => return,
    });
}

/// A call has come whose shape is wrong (semantics 44): Mesos counts acknowledgements alone.
pub(super) fn malformed(counters: &Counters, call: &Call) {
    if let r#type @ (Type::Acknowledge | Type::AcknowledgeOperationStatus) = call.r#type() {
        judged(counters, r#type, false);
    }
}

/// It is known whose the call is.
pub(super) fn known(counters: &Counters, framework: FrameworkId, r#type: Type, call: &Call) {
    counters.call(framework, r#type);
    for operation in call.accept.iter().flat_map(|accept| &accept.operations) {
        counters.operation(framework, operation.r#type.unwrap_or_default());
    }
}

/// It is known whether something has come of the call.
pub(super) fn judged(counters: &Counters, r#type: Type, is_valid: bool) {
    let names = match r#type {
        Type::Acknowledge => {
            ["valid_status_update_acknowledgements", "invalid_status_update_acknowledgements"]
        }
        Type::AcknowledgeOperationStatus => [
            "valid_operation_status_update_acknowledgements",
            "invalid_operation_status_update_acknowledgements",
        ],
        Type::Message => {
            ["valid_framework_to_executor_messages", "invalid_framework_to_executor_messages"]
        }
        _ => return,
    };
    counters.count_either(is_valid, names);
}
