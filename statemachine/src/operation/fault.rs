//! Why an operation that converts resources is not carried out. A framework only hears of it when it
//! gave the operation an id (semantics 87).

use std::sync::Arc;

use crate::id::{OperationId, Principal, Role};
use crate::quota::PassedLimit;
use crate::resources::{Resource, Resources, Scalar};

/// What is wrong with RESERVE, UNRESERVE, CREATE or DESTROY.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConversionError {
    /// The resources could not be read.
    #[error("Operation attempted with invalid resources: {0}")]
    Unreadable(Arc<str>),
    /// Nothing is named.
    #[error("no resources are named")]
    Nothing,
    /// The agent is gone or not connected.
    #[error("the agent is not connected")]
    AgentAway,
    /// What is to be converted is not in hand.
    #[error("the offers and operations before do not leave {0}")]
    NotOffered(Resources),
    /// A reservation was expected.
    #[error("{0} is not dynamically reserved")]
    NotReserved(Resource),
    /// The reservation is for another role than the offer (semantics 159).
    #[error("{resource} is not to be reserved for {role}, the role it was offered for")]
    OtherRole {
        /// What.
        resource: Resource,
        /// The offer's role.
        role: Role,
    },
    /// The framework has left the role since the offer was made.
    #[error("the framework is no longer subscribed to role {0}")]
    NotSubscribed(Role),
    /// The stack is not one of ever narrower roles (semantics 122).
    #[error("the reservations of {0} do not refine one another")]
    NotRefined(Resource),
    /// Reserver or creator is missing or somebody else (semantics 159, 162).
    #[error("{resource} does not name principal {principal}")]
    OtherPrincipal {
        /// What.
        resource: Resource,
        /// The framework's.
        principal: Principal,
    },
    /// What may be taken back cannot be reserved (semantics 126, 127).
    #[error("{0} is revocable")]
    Revocable(Resource),
    /// All must come from one provider (semantics 159).
    #[error("{0} comes from another provider than the resources before it")]
    OtherProvider(Resource),
    /// Reservations of volumes cannot change.
    #[error("{0} is a persistent volume, whose reservations cannot be changed")]
    IsVolume(Resource),
    /// Nor be undone (semantics 161).
    #[error("{0} cannot be unreserved directly. Please destroy the persistent volume first")]
    HoldsVolume(Resource),
    /// A whole description of a persistent volume was expected (semantics 162).
    #[error("{0} does not describe a persistent volume")]
    NotVolume(Resource),
    /// Only frameworks that know of shared resources may make them (semantics 162).
    #[error("{0} is shared, which the framework is not capable of")]
    NotCapable(Resource),
    /// The id is taken (semantics 128).
    #[error("Persistence ID '{id}' is not unique: role {role} has such a volume on this agent")]
    VolumeExists {
        /// Its id.
        id: Arc<str>,
        /// Whose.
        role: Role,
    },
    /// The scheduler API cannot change reservations (semantics 90).
    #[error(
        "Reservation updates are not yet implemented for the scheduler API. Use the operator API"
    )]
    Rereserved,
    /// A new reservation of something else than what there was.
    #[error("{0} is not what was reserved before under another name")]
    OtherAmount(Resources),
    /// A volume grows by space like its own (semantics 164).
    #[error("{0} is not space like that of the volume")]
    OtherSpace(Resource),
    /// A volume shrinks by less than its size (semantics 164).
    #[error("{volume} cannot shrink by {by}")]
    OtherSize {
        /// What.
        volume: Resource,
        /// By how much, in MB.
        by: Scalar,
    },
    /// Shared, mounted or provided volumes keep their size (semantics 164).
    #[error("{0} cannot be resized")]
    Fixed(Resource),
    /// It takes a resource provider, and this cluster has none.
    #[error("{0} needs a resource provider, and the agent has none")]
    Unsupported(&'static str),
    /// The agent could not keep what would become of it (semantics 89, 160, 164).
    #[error("the agent does not have the capability {0}")]
    AgentNotCapable(&'static str),
    /// The operation id is taken.
    #[error("operation id {0} is in use")]
    IdInUse(OperationId),
    /// A role would have more than its quota allows.
    #[error("{0}")]
    PassesLimit(PassedLimit),
    /// Nothing to destroy (semantics 163).
    #[error("Persistent volumes not found: {0}")]
    VolumeUnknown(Resource),
    /// A task or executor has it (semantics 163).
    #[error("Persistent volumes in use: {0}")]
    VolumeInUse(Resource),
}
