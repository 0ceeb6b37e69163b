//! Isolator `namespaces/pid`: a container sees no processes but its own, and all of them end with its
//! first one, however they fork.

use std::fs;

use protocol::v1;

use super::{Container, IsolateError, Isolator};
use crate::shim::spec::Spec;

/// The bit of the capability without which no namespace is made (`CAP_SYS_ADMIN`).
const SYS_ADMIN: u64 = 1 << 21;

/// Gives containers process ids of their own.
#[derive(Debug)]
pub(crate) struct OwnPids;

impl OwnPids {
    /// Errors say in words what is missing.
    pub(crate) fn new() -> Result<Self, String> {
        if !fs::exists("/proc/self/ns/pid").unwrap_or(false) {
            return Err("the kernel has no namespaces of processes".to_owned());
        }
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        if can_make_namespaces(&status) {
            Ok(Self)
        } else {
            Err("the agent lacks the capability CAP_SYS_ADMIN".to_owned())
        }
    }
}

fn can_make_namespaces(status: &str) -> bool {
    let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = capabilities.and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    bits.is_some_and(|bits| bits & SYS_ADMIN != 0)
}

impl Isolator for OwnPids {
    fn name(&self) -> &'static str {
        "namespaces/pid"
    }

    fn prepare(&self, container: &Container, spec: &mut Spec) -> Result<(), IsolateError> {
        let linux = container.info.as_ref().and_then(|info| info.linux_info.as_ref());
        let is_shared = linux.is_some_and(v1::LinuxInfo::share_pid_namespace);
        if is_shared && container.parent.is_some() {
            return Err(IsolateError::Refused(
                "the executor has no processes to share its namespace with".to_owned(),
            ));
        }
        spec.has_own_pids = !is_shared;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_may_administer_makes_namespaces() {
        assert!(can_make_namespaces("Name:\ta\nCapEff:\t000001ffffffffff\n"));
        assert!(!can_make_namespaces("CapPrm:\t000001ffffffffff\nCapEff:\t0000000000000000\n"));
        assert!(!can_make_namespaces("CapEff:\t000001ffffdfffff\n"));
        assert!(!can_make_namespaces(""));
    }
}
