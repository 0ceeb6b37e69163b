//! Everything that can happen, with its number in the journal, and the one fold.
//!
//! Numbers are for ever: events only get added, fields only get added with a default, and no number
//! is used twice. `docs/JOURNAL_FORMAT.md` says how they lie on disk.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::effect::Effect;
use crate::state::State;
use crate::time::Time;

/// Folds one kind of event.
pub(crate) trait Fold {
    /// Changes `state`; cannot fail, since a committed event is a fact.
    fn fold(&self, state: &mut State, at: Time, effects: &mut Vec<Effect>);
}

macro_rules! events {
    ($($(#[$doc:meta])* $number:literal => $name:ident($path:path)),* $(,)?) => {
        /// A committed fact.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Event {
            $($(#[$doc])* $name($path),)*
        }

        impl Event {
            /// Every kind, with its number.
            pub const KINDS: &[(u16, &str)] = &[$(($number, stringify!($name)),)*];

            /// Its number in the journal.
            pub fn kind(&self) -> u16 {
                match self {
                    $(Self::$name(_) => $number,)*
                }
            }

            /// Its name, for logs, metrics and people.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($name),)*
                }
            }

            /// Hands its content to something that serialises.
            pub(crate) fn encode<E: Encoder>(&self, encoder: E) -> E::Output {
                match self {
                    $(Self::$name(event) => encoder.encode(event),)*
                }
            }

            /// Reads the content of the event with this number; none if there is no such number.
            pub(crate) fn decode<D: Decoder>(kind: u16, decoder: D) -> Option<Result<Self, D::Error>> {
                match kind {
                    $($number => Some(decoder.decode().map(Self::$name)),)*
                    _ => None,
                }
            }
        }

        fn fold(event: &Event, state: &mut State, at: Time, effects: &mut Vec<Effect>) {
            match event {
                $(Event::$name(event) => event.fold(state, at, effects),)*
            }
        }

        $(impl From<$path> for Event {
            fn from(event: $path) -> Self {
                Self::$name(event)
            }
        })*
    };
}

/// Something that takes an event's content.
pub(crate) trait Encoder {
    type Output;
    fn encode<T: Serialize>(self, content: &T) -> Self::Output;
}

/// Something that gives an event's content.
pub(crate) trait Decoder {
    type Error;
    fn decode<T: DeserializeOwned>(self) -> Result<T, Self::Error>;
}

events! {
    /// A master became leader.
    1 => LeaderElected(crate::cluster::LeaderElected),
    /// Roles weigh something else.
    2 => WeightsUpdated(crate::cluster::WeightsUpdated),
    /// Roles are guaranteed, and limited to, something else.
    3 => QuotasUpdated(crate::quota::QuotasUpdated),
    /// What was over for long is not remembered any more.
    4 => HistoryForgotten(crate::cluster::HistoryForgotten),
    /// A framework subscribed for the first time.
    10 => FrameworkSubscribed(crate::framework::FrameworkSubscribed),
    /// A framework subscribed again.
    11 => FrameworkResubscribed(crate::framework::FrameworkResubscribed),
    /// A scheduler's stream ended, or it did not come back to a new leader.
    12 => FrameworkDisconnected(crate::framework::FrameworkDisconnected),
    /// A framework ended.
    13 => FrameworkRemoved(crate::framework::FrameworkRemoved),
    /// A framework wants no offers for some roles.
    14 => RolesSuppressed(crate::framework::RolesSuppressed),
    /// A framework wants offers again, whatever it refused.
    15 => RolesRevived(crate::framework::RolesRevived),
    /// A framework changed what it says of itself.
    16 => FrameworkUpdated(crate::framework::FrameworkUpdated),
    /// Nothing of a framework that is over runs on an agent any more.
    17 => FrameworkStopped(crate::framework::FrameworkStopped),
    /// An agent registered.
    20 => AgentRegistered(crate::agent::AgentRegistered),
    /// An agent came back.
    21 => AgentReregistered(crate::agent::AgentReregistered),
    /// An agent's stream ended.
    22 => AgentDisconnected(crate::agent::AgentDisconnected),
    /// An agent was away for too long.
    23 => AgentUnreachable(crate::agent::AgentUnreachable),
    /// An agent left for good.
    24 => AgentUnregistered(crate::agent::AgentUnregistered),
    /// An agent was declared lost for good.
    25 => AgentGone(crate::agent::AgentGone),
    /// An agent that was unreachable or gone for long is not remembered any more.
    26 => AgentForgotten(crate::agent::AgentForgotten),
    /// Nothing of an agent is offered any more.
    27 => AgentDeactivated(crate::agent::AgentDeactivated),
    /// An agent is offered again; a drain is over, finished or not.
    28 => AgentReactivated(crate::agent::AgentReactivated),
    /// An agent is being emptied.
    29 => AgentDraining(crate::agent::AgentDraining),
    /// Resources were offered: one event per allocation cycle.
    30 => OffersMade(crate::offer::OffersMade),
    /// A framework took offers; what it did with them follows.
    31 => OffersAccepted(crate::offer::OffersAccepted),
    /// A framework refused offers.
    32 => OffersDeclined(crate::offer::OffersDeclined),
    /// The master withdrew offers.
    33 => OffersRescinded(crate::offer::OffersRescinded),
    /// A framework is not to be offered these resources again for a while.
    34 => OffersFiltered(crate::offer::OffersFiltered),
    /// A task was launched.
    40 => TaskLaunched(crate::task::TaskLaunched),
    /// A task was not launched, and its framework is told why.
    41 => TaskRefused(crate::task::TaskRefused),
    /// A task's state was reported or found out.
    42 => TaskUpdated(crate::task::TaskUpdated),
    /// A framework confirmed an update.
    43 => TaskAcknowledged(crate::task::TaskAcknowledged),
    /// A framework wants a task dead.
    44 => TaskKillRequested(crate::task::TaskKillRequested),
    /// A framework wants an executor gone.
    45 => ExecutorShutdownRequested(crate::task::ExecutorShutdownRequested),
    /// An executor ended.
    46 => ExecutorEnded(crate::task::ExecutorEnded),
    /// Tasks were launched together.
    47 => GroupLaunched(crate::task::GroupLaunched),
    /// Resources of an agent were converted: reserved, unreserved, made into volumes or back.
    50 => ResourcesConverted(crate::operation::ResourcesConverted),
    /// The last task of a draining agent is over.
    60 => AgentDrained(crate::agent::AgentDrained),
    /// Other machines will be out of service, or at other times.
    61 => MaintenanceScheduled(crate::maintenance::MaintenanceScheduled),
    /// Machines are out of service.
    62 => MachinesDowned(crate::maintenance::MachinesDowned),
    /// Machines are in service again.
    63 => MachinesUpped(crate::maintenance::MachinesUpped),
    /// Frameworks were asked to give resources back.
    64 => InverseOffersMade(crate::maintenance::InverseOffersMade),
    /// A framework said whether it will.
    65 => InverseOffersAnswered(crate::maintenance::InverseOffersAnswered),
    /// An operation was not carried out, and its framework is told why.
    51 => OperationRefused(crate::operation::OperationRefused),
    /// Agents that have been away for long enough are not given up yet.
    67 => AgentsSpared(crate::agent::AgentsSpared),
    /// An agent would lend out more or less, revocably.
    66 => AgentOversubscribed(crate::agent::AgentOversubscribed),
    /// An agent has done its part of operations.
    52 => OperationsFinished(crate::operation::OperationsFinished),
    /// A framework confirmed that it knows of an operation's end.
    53 => OperationAcknowledged(crate::operation::OperationAcknowledged),
}

/// Folds one event, decided at `at`, into the state, and appends what the leader then owes the
/// world. The only fold there is: leaders, followers, restarts, replay and tests all use it.
pub fn apply(state: &mut State, at: Time, event: &Event, effects: &mut Vec<Effect>) {
    state.cluster.now = state.cluster.now.max(at);
    state.cluster.events.0 += 1;
    fold(event, state, at, effects);
}
