//! A whole cluster on this machine: each master and agent a process of its own, none restarted.

mod cluster;
mod family;
mod plan;
mod readiness;
mod report;

pub(crate) use cluster::Cluster;
pub(crate) use plan::{Plan, Shape};
