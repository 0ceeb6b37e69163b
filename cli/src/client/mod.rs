//! A small v1 client: what the verbs need of a cluster, over HTTP as any other client would.

mod address;
mod decisions;
mod events;
mod explain;
mod held;
mod http;
mod leader;
mod operator;
mod sandbox;
mod scheduler;
mod trust;

pub(crate) use address::Address;
pub(crate) use decisions::DecisionsError;
pub(crate) use events::{EventStream, StreamError};
pub(crate) use leader::Leader;
pub(crate) use operator::OperatorError;
pub(crate) use sandbox::{OutputError, Sandbox};
pub(crate) use scheduler::Subscription;
pub(crate) use trust::{TRUST_FILE, believe, trust};
