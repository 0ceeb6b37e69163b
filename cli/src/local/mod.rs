//! A whole cluster on this machine: each master and agent a process of its own, none restarted.

mod cluster;
mod directory;
mod family;
mod plan;
mod readiness;
mod report;

pub(crate) use cluster::Cluster;
pub(crate) use directory::check_own;
pub(crate) use plan::{Plan, Shape};
