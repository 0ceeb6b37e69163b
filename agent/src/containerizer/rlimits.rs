//! Isolator: POSIX resource limits of `ContainerInfo.rlimit_info`.

use protocol::v1;
use protocol::v1::r_limit_info::RLimit;
use protocol::v1::r_limit_info::r_limit::Type;

use super::{Container, IsolateError, Isolator};
use crate::shim::spec::{Limit, Spec};

/// Sets the limits that a container asks for.
#[derive(Debug)]
pub(crate) struct ResourceLimits;

impl Isolator for ResourceLimits {
    fn name(&self) -> &'static str {
        "posix/rlimits"
    }

    fn prepare(&self, container: &Container, spec: &mut Spec) -> Result<(), IsolateError> {
        let info = container.info.as_ref().and_then(|info| info.rlimit_info.as_ref());
        spec.limits = match info {
            Some(info) => resolve(info)?,
            None => Vec::new(),
        };
        Ok(())
    }
}

fn resolve(info: &v1::RLimitInfo) -> Result<Vec<Limit>, IsolateError> {
    info.rlimits.iter().map(resolve_one).collect()
}

/// Both values or neither: without them the resource is unlimited.
fn resolve_one(limit: &RLimit) -> Result<Limit, IsolateError> {
    let resource = number(limit.r#type())
        .ok_or_else(|| IsolateError::Refused("a resource limit has no known type".to_owned()))?;
    let name = limit.r#type().as_str_name();
    let (soft, hard) = match (limit.soft, limit.hard) {
        (Some(soft), Some(hard)) if soft <= hard => (soft, hard),
        (Some(_), Some(_)) => {
            return Err(IsolateError::Refused(format!(
                "{name}: the soft limit is above the hard one"
            )));
        }
        (None, None) => (libc::RLIM_INFINITY, libc::RLIM_INFINITY),
        _ => {
            return Err(IsolateError::Refused(format!(
                "{name}: either both a soft and a hard limit or none"
            )));
        }
    };
    Ok(Limit { resource, soft, hard })
}

fn number(kind: Type) -> Option<u32> {
    Some(match kind {
        Type::Unknown => return None,
        Type::RlmtAs => libc::RLIMIT_AS,
        Type::RlmtCore => libc::RLIMIT_CORE,
        Type::RlmtCpu => libc::RLIMIT_CPU,
        Type::RlmtData => libc::RLIMIT_DATA,
        Type::RlmtFsize => libc::RLIMIT_FSIZE,
        Type::RlmtLocks => libc::RLIMIT_LOCKS,
        Type::RlmtMemlock => libc::RLIMIT_MEMLOCK,
        Type::RlmtMsgqueue => libc::RLIMIT_MSGQUEUE,
        Type::RlmtNice => libc::RLIMIT_NICE,
        Type::RlmtNofile => libc::RLIMIT_NOFILE,
        Type::RlmtNproc => libc::RLIMIT_NPROC,
        Type::RlmtRss => libc::RLIMIT_RSS,
        Type::RlmtRtprio => libc::RLIMIT_RTPRIO,
        Type::RlmtRttime => libc::RLIMIT_RTTIME,
        Type::RlmtSigpending => libc::RLIMIT_SIGPENDING,
        Type::RlmtStack => libc::RLIMIT_STACK,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(soft: Option<u64>, hard: Option<u64>, expected: Option<(u64, u64)>) {
        let limit = RLimit { r#type: Some(Type::RlmtNofile.into()), soft, hard };
        let resolved = resolve_one(&limit).ok().map(|limit| (limit.soft, limit.hard));
        assert_eq!(resolved, expected);
    }

    #[test]
    fn limits_are_given_whole_or_not_at_all() {
        check(Some(1), Some(2), Some((1, 2)));
        check(None, None, Some((libc::RLIM_INFINITY, libc::RLIM_INFINITY)));
        check(Some(3), Some(2), None);
        check(Some(1), None, None);
        check(None, Some(1), None);
    }

    #[test]
    fn a_limit_without_a_known_type_is_refused() {
        assert!(resolve_one(&RLimit::default()).is_err());
    }
}
