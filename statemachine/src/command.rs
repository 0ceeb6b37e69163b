//! Everything that may be asked of the core, and the one dispatch to who decides it.

use crate::agent::finish_drains;
use crate::context::Context;
use crate::draft::{Decision, Draft, Reply};
use crate::rejection::Rejection;
use crate::state::State;

/// Decides one command: checks first, records after.
pub(crate) trait Decide {
    /// Records what happens on `draft`.
    ///
    /// # Errors
    /// The refusal; nothing has been recorded then.
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection>;
}

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident($path:path)),* $(,)?) => {
        /// Something asked of the cluster. Never stored: what comes of it is.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Command {
            $($(#[$doc])* $name($path),)*
        }

        impl Command {
            /// Its name, for logs and as the cause of its events.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($name),)*
                }
            }
        }

        fn dispatch(command: &Command, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
            match command {
                $(Command::$name(command) => command.decide(draft),)*
            }
        }

        $(impl From<$path> for Command {
            fn from(command: $path) -> Self {
                Self::$name(command)
            }
        })*
    };
}

commands! {
    /// A master has become leader.
    Lead(crate::cluster::Lead),
    /// Time has passed.
    Tick(crate::cluster::Tick),
    /// Roles are to weigh something else.
    Weigh(crate::cluster::Weigh),
    /// Roles are to be guaranteed, and limited to, something else.
    SetQuotas(crate::quota::SetQuotas),
    /// A framework subscribes, for the first time or again.
    Subscribe(crate::framework::Subscribe),
    /// A scheduler's stream has ended.
    DisconnectFramework(crate::framework::Disconnect),
    /// A framework changes what it says of itself.
    UpdateFramework(crate::framework::Update),
    /// A framework ends.
    Teardown(crate::framework::Teardown),
    /// An agent runs nothing of a framework any more.
    FrameworkStopped(crate::framework::Stopped),
    /// A framework wants no offers for some roles.
    Suppress(crate::framework::Suppress),
    /// A framework wants offers again.
    Revive(crate::framework::Revive),
    /// An agent opens a stream, for the first time or again.
    RegisterAgent(crate::agent::Register),
    /// An agent's stream has ended.
    DisconnectAgent(crate::agent::Disconnect),
    /// An agent leaves for good.
    UnregisterAgent(crate::agent::Unregister),
    /// An agent would lend out more or less, revocably.
    Oversubscribe(crate::agent::Oversubscribe),
    /// An operator declares an agent lost for good.
    MarkAgentGone(crate::agent::MarkGone),
    /// An operator gives up agents that are held back.
    GiveUpAgents(crate::agent::GiveUp),
    /// An operator wants nothing of an agent offered.
    DeactivateAgent(crate::agent::Deactivate),
    /// An operator wants an agent offered again.
    ReactivateAgent(crate::agent::Reactivate),
    /// An operator wants an agent emptied.
    DrainAgent(crate::agent::DrainAgent),
    /// An operator says which machines will be out of service.
    UpdateMaintenanceSchedule(crate::maintenance::UpdateSchedule),
    /// Machines go out of service.
    StartMaintenance(crate::maintenance::StartMaintenance),
    /// Machines are in service again.
    StopMaintenance(crate::maintenance::StopMaintenance),
    /// A framework says whether it will give resources back.
    AnswerInverseOffers(crate::maintenance::AnswerInverseOffers),
    /// Free resources are to be offered.
    Allocate(crate::allocator::Allocate),
    /// A framework takes offers.
    Accept(crate::offer::Accept),
    /// A framework refuses offers.
    Decline(crate::offer::Decline),
    /// An operator converts an agent's resources.
    Operate(crate::operation::Operate),
    /// An agent has done as it was told.
    Confirm(crate::operation::Confirm),
    /// A framework knows of an operation's end.
    AcknowledgeOperation(crate::operation::Acknowledge),
    /// A framework asks what has become of operations.
    ReconcileOperations(crate::operation::Reconcile),
    /// Ends of operations are told again to those who do not acknowledge them.
    RetellOperations(crate::operation::Retell),
    /// An agent reports a task's status.
    Update(crate::task::Update),
    /// A framework has received a status.
    Acknowledge(crate::task::Acknowledge),
    /// A framework wants a task dead.
    Kill(crate::task::Kill),
    /// A framework asks what has become of tasks.
    Reconcile(crate::task::Reconcile),
    /// A framework wants an executor gone.
    ShutdownExecutor(crate::task::ShutdownExecutor),
    /// An agent reports an executor's end.
    ExecutorExited(crate::task::ExecutorExited),
    /// A framework's message to an executor.
    MessageExecutor(crate::task::MessageExecutor),
    /// An executor's message to its framework.
    MessageFramework(crate::task::MessageFramework),
}

/// Decides `command`: on success its events are folded into `state` already, and `state` is what
/// the next command is decided on. Pure: all that is not in the arguments does not exist.
///
/// # Errors
/// The refusal; `state` is then as it was.
///
/// # Panics
/// If a command's own code records before it refuses: a fault of this crate, whatever the input.
pub fn decide(
    state: &mut State,
    context: &Context,
    command: &Command,
) -> Result<Decision, Rejection> {
    let mut draft = Draft::new(state, context);
    match dispatch(command, &mut draft) {
        Ok(reply) => {
            finish_drains(&mut draft);
            Ok(draft.finish(reply))
        }
        Err(rejection) => {
            assert!(draft.is_empty(), "{} was refused after it was recorded", command.name());
            Err(rejection)
        }
    }
}
