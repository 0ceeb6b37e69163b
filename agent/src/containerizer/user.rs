//! Isolator: containers run as their own user.

use std::ffi::CString;

use nix::unistd::{User, geteuid, getgrouplist};

use super::{Container, IsolateError, Isolator};
use crate::shim::spec::{Credentials, Spec};

/// Runs each container as the user that it names. Off when the agent is not root, which alone may
/// switch.
#[derive(Debug)]
pub(crate) struct SwitchUser {
    is_on: bool,
}

impl SwitchUser {
    pub(crate) fn new(is_wanted: bool) -> Self {
        let is_root = geteuid().is_root();
        if is_wanted && !is_root {
            tracing::warn!("the agent is not root: containers run as the agent's user");
        }
        Self { is_on: is_wanted && is_root }
    }

    /// Who a container of this user runs as; nobody else than the agent when unset.
    pub(crate) fn credentials(&self, user: &str) -> Result<Option<Credentials>, IsolateError> {
        if !self.is_on || user.is_empty() {
            return Ok(None);
        }
        look_up(user).map(Some)
    }
}

impl Isolator for SwitchUser {
    fn name(&self) -> &'static str {
        "user"
    }

    fn prepare(&self, container: &Container, spec: &mut Spec) -> Result<(), IsolateError> {
        spec.user = self.credentials(&container.user)?;
        Ok(())
    }
}

fn look_up(name: &str) -> Result<Credentials, IsolateError> {
    let failed = |error: nix::Error| IsolateError::Io {
        doing: format!("cannot look up the user '{name}'"),
        source: error.into(),
    };
    let missing = || IsolateError::Refused(format!("no such user '{name}'"));
    let user = User::from_name(name).map_err(failed)?.ok_or_else(missing)?;
    let text = CString::new(name).map_err(|_| missing())?;
    let groups = getgrouplist(&text, user.gid).map_err(failed)?;
    Ok(Credentials {
        user: user.uid.as_raw(),
        group: user.gid.as_raw(),
        groups: groups.into_iter().map(nix::unistd::Gid::as_raw).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_found_and_nobody_else_is_made_up() {
        let root = look_up("root").expect("root");
        assert_eq!((root.user, root.group), (0, 0));
        let error = look_up("no-such-user").expect_err("unknown");
        assert!(error.to_string().contains("no-such-user"));
    }

    #[test]
    fn an_agent_that_may_not_switch_does_not() {
        let isolator = SwitchUser { is_on: false };
        assert_eq!(isolator.credentials("no-such-user").expect("off"), None);
    }
}
