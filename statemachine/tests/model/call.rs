//! Calls as they are generated: numbers that pick among what is there when the call is made.

use proptest::collection::vec;
use proptest::prelude::*;

/// One thing that a client, an operator, an agent, or time does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Call {
    Subscribe { roles: u8, is_aware: bool, timeout: u8 },
    Resubscribe { who: u8, roles: u8, suppressed: u8 },
    UpdateFramework { who: u8, roles: u8, suppressed: u8 },
    HangUp { who: u8, is_old: bool },
    Teardown { who: u8 },
    Suppress { who: u8, roles: u8 },
    Revive { who: u8, roles: u8 },
    Register { size: u8 },
    Return { agent: u8, tasks: u8, executors: u8, heard: u8 },
    AgentHangsUp { agent: u8, is_old: bool, is_silent: bool },
    Unregister { agent: u8, is_old: bool },
    Gone { agent: u8 },
    Deactivate { agent: u8 },
    Reactivate { agent: u8 },
    Drain { agent: u8, goes: bool },
    Allocate { only: Option<u8> },
    Accept { who: u8, offers: Vec<u8>, operations: Vec<Do>, refuse: u8 },
    Decline { who: u8, offers: Vec<u8>, refuse: u8 },
    Kill { who: u8, task: u8, agent: Option<u8> },
    Report { task: u8, state: u8, ahead: Option<u8>, again: u8 },
    Acknowledge { who: u8, task: u8, is_other: bool },
    Reconcile { who: u8, tasks: Vec<(u8, Option<u8>)> },
    ShutdownExecutor { executor: u8 },
    ExecutorExits { executor: u8, is_old: bool },
    Stopped { agent: u8, framework: u8, is_old: bool },
    Limit { role: u8, limit: Option<u8>, is_forced: bool },
    Weigh { role: u8, weight: u8 },
    Operate { agent: u8, convert: Convert },
    Schedule { machines: u8, start: u8 },
    BringDown { machine: u8 },
    BringUp { machine: u8 },
    AnswerAsked { who: u8, agent: u8, refuse: u8 },
    Pass { how_long: u8 },
    Lead,
}

/// One operation of an ACCEPT.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Do {
    Launch(Vec<Piece>),
    Group { executor: u8, tasks: Vec<Piece> },
    Convert(Convert),
}

/// A task: its id, and how much it takes of what is in hand; now and then for another agent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Piece {
    pub(crate) id: u8,
    pub(crate) part: u8,
    pub(crate) is_misplaced: bool,
}

/// A conversion of a part of what is there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Convert {
    Reserve { which: u8, role: u8, part: u8 },
    Unreserve { which: u8, part: u8 },
    Create { which: u8, id: u8, part: u8 },
    Destroy { which: u8 },
}

fn convert() -> impl Strategy<Value = Convert> {
    let n = any::<u8>;
    prop_oneof![
        3 => (n(), n(), n()).prop_map(|(which, role, part)| Convert::Reserve { which, role, part }),
        3 => (n(), n()).prop_map(|(which, part)| Convert::Unreserve { which, part }),
        2 => (n(), n(), n()).prop_map(|(which, id, part)| Convert::Create { which, id, part }),
        1 => n().prop_map(|which| Convert::Destroy { which }),
    ]
}

fn piece() -> impl Strategy<Value = Piece> {
    (any::<u8>(), any::<u8>(), prop::bool::weighted(0.05))
        .prop_map(|(id, part, is_misplaced)| Piece { id, part, is_misplaced })
}

fn operation() -> impl Strategy<Value = Do> {
    prop_oneof![
        4 => vec(piece(), 1..4).prop_map(Do::Launch),
        2 => (any::<u8>(), vec(piece(), 1..4))
            .prop_map(|(executor, tasks)| Do::Group { executor, tasks }),
        3 => convert().prop_map(Do::Convert),
    ]
}

/// Mostly some.
fn offers() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![15 => vec(any::<u8>(), 1..4), 1 => vec(any::<u8>(), 0..2)]
}

fn framework_call() -> impl Strategy<Value = Call> {
    let n = any::<u8>;
    prop_oneof![
        2 => (n(), any::<bool>(), n())
            .prop_map(|(roles, is_aware, timeout)| Call::Subscribe { roles, is_aware, timeout }),
        3 => (n(), n(), n())
            .prop_map(|(who, roles, suppressed)| Call::Resubscribe { who, roles, suppressed }),
        1 => (n(), n(), n())
            .prop_map(|(who, roles, suppressed)| Call::UpdateFramework { who, roles, suppressed }),
        1 => (n(), any::<bool>()).prop_map(|(who, is_old)| Call::HangUp { who, is_old }),
        1 => n().prop_map(|who| Call::Teardown { who }),
        1 => (n(), n()).prop_map(|(who, roles)| Call::Suppress { who, roles }),
        2 => (n(), n()).prop_map(|(who, roles)| Call::Revive { who, roles }),
        14 => (n(), offers(), vec(operation(), 0..4), n()).prop_map(
            |(who, offers, operations, refuse)| Call::Accept { who, offers, operations, refuse }
        ),
        3 => (n(), offers(), n())
            .prop_map(|(who, offers, refuse)| Call::Decline { who, offers, refuse }),
        2 => (n(), n(), proptest::option::weighted(0.3, n()))
            .prop_map(|(who, task, agent)| Call::Kill { who, task, agent }),
        6 => (n(), n(), prop::bool::weighted(0.1))
            .prop_map(|(who, task, is_other)| Call::Acknowledge { who, task, is_other }),
        1 => (n(), vec((n(), proptest::option::of(n())), 0..3))
            .prop_map(|(who, tasks)| Call::Reconcile { who, tasks }),
        1 => n().prop_map(|executor| Call::ShutdownExecutor { executor }),
        1 => (n(), n(), n()).prop_map(|(who, agent, refuse)| Call::AnswerAsked { who, agent, refuse }),
    ]
}

fn agent_call() -> impl Strategy<Value = Call> {
    let n = any::<u8>;
    prop_oneof![
        2 => n().prop_map(|size| Call::Register { size }),
        4 => (n(), n(), n(), n()).prop_map(
            |(agent, tasks, executors, heard)| Call::Return { agent, tasks, executors, heard }
        ),
        1 => (n(), prop::bool::weighted(0.2), any::<bool>()).prop_map(
            |(agent, is_old, is_silent)| Call::AgentHangsUp { agent, is_old, is_silent }
        ),
        1 => (n(), any::<bool>()).prop_map(|(agent, is_old)| Call::Unregister { agent, is_old }),
        16 => (n(), n(), proptest::option::weighted(0.2, n()), n())
            .prop_map(|(task, state, ahead, again)| Call::Report { task, state, ahead, again }),
        1 => (n(), any::<bool>())
            .prop_map(|(executor, is_old)| Call::ExecutorExits { executor, is_old }),
        2 => (n(), n(), prop::bool::weighted(0.2)).prop_map(|(agent, framework, is_old)| Call::Stopped { agent, framework, is_old }),
    ]
}

fn operator_call() -> impl Strategy<Value = Call> {
    let n = any::<u8>;
    prop_oneof![
        1 => n().prop_map(|agent| Call::Gone { agent }),
        1 => n().prop_map(|agent| Call::Deactivate { agent }),
        2 => n().prop_map(|agent| Call::Reactivate { agent }),
        2 => (n(), any::<bool>()).prop_map(|(agent, goes)| Call::Drain { agent, goes }),
        4 => (n(), proptest::option::weighted(0.6, n()), any::<bool>())
            .prop_map(|(role, limit, is_forced)| Call::Limit { role, limit, is_forced }),
        1 => (n(), n()).prop_map(|(role, weight)| Call::Weigh { role, weight }),
        6 => (n(), convert()).prop_map(|(agent, convert)| Call::Operate { agent, convert }),
        1 => (n(), n()).prop_map(|(machines, start)| Call::Schedule { machines, start }),
        1 => n().prop_map(|machine| Call::BringDown { machine }),
        1 => n().prop_map(|machine| Call::BringUp { machine }),
    ]
}

/// Any call.
pub(crate) fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        20 => framework_call(),
        18 => agent_call(),
        5 => operator_call(),
        14 => proptest::option::weighted(0.2, any::<u8>()).prop_map(|only| Call::Allocate { only }),
        3 => any::<u8>().prop_map(|how_long| Call::Pass { how_long }),
        1 => Just(Call::Lead),
    ]
}
