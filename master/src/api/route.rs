//! Which handler a path leads to: the longest known prefix, at whole segments (semantics 317).

/// A handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Scheduler,
    Operator,
    Prometheus,
    Explain,
    Held,
    Events,
    Files(Files),
    Classic(Endpoint),
}

/// What is shown of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Files {
    Browse,
    Read,
    Download,
    Debug,
}

/// One of the endpoints from before the v1 API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Health,
    Version,
    State,
    StateSummary,
    Slaves,
    Frameworks,
    Tasks,
    Roles,
    Flags,
    Redirect,
    MetricsSnapshot,
    Teardown,
    MaintenanceSchedule,
    MaintenanceStatus,
    MachineDown,
    MachineUp,
    Quota,
    Weights,
    Reserve,
    Unreserve,
    CreateVolumes,
    DestroyVolumes,
    Outcome,
}

/// Known paths, without the `/master` that may stand before each.
const ROUTES: [(&str, Route); 33] = [
    ("api/v1/scheduler", Route::Scheduler),
    ("api/v1", Route::Operator),
    ("metrics/snapshot", Route::Classic(Endpoint::MetricsSnapshot)),
    ("metrics", Route::Prometheus),
    ("explain", Route::Explain),
    ("held-agents", Route::Held),
    ("events", Route::Events),
    ("files/browse", Route::Files(Files::Browse)),
    ("files/read", Route::Files(Files::Read)),
    ("files/download", Route::Files(Files::Download)),
    ("files/debug", Route::Files(Files::Debug)),
    ("outcome", Route::Classic(Endpoint::Outcome)),
    ("health", Route::Classic(Endpoint::Health)),
    ("version", Route::Classic(Endpoint::Version)),
    ("state", Route::Classic(Endpoint::State)),
    ("state-summary", Route::Classic(Endpoint::StateSummary)),
    ("slaves", Route::Classic(Endpoint::Slaves)),
    ("frameworks", Route::Classic(Endpoint::Frameworks)),
    ("tasks", Route::Classic(Endpoint::Tasks)),
    ("roles", Route::Classic(Endpoint::Roles)),
    ("flags", Route::Classic(Endpoint::Flags)),
    ("redirect", Route::Classic(Endpoint::Redirect)),
    ("teardown", Route::Classic(Endpoint::Teardown)),
    ("maintenance/schedule", Route::Classic(Endpoint::MaintenanceSchedule)),
    ("maintenance/status", Route::Classic(Endpoint::MaintenanceStatus)),
    ("machine/down", Route::Classic(Endpoint::MachineDown)),
    ("machine/up", Route::Classic(Endpoint::MachineUp)),
    ("quota", Route::Classic(Endpoint::Quota)),
    ("weights", Route::Classic(Endpoint::Weights)),
    ("reserve", Route::Classic(Endpoint::Reserve)),
    ("unreserve", Route::Classic(Endpoint::Unreserve)),
    ("create-volumes", Route::Classic(Endpoint::CreateVolumes)),
    ("destroy-volumes", Route::Classic(Endpoint::DestroyVolumes)),
];

impl Route {
    /// The handler of a path, if it has one.
    pub(super) fn find(path: &str) -> Option<Self> {
        let decoded = decode(path)?;
        let path = decoded.strip_prefix('/')?;
        let path = path.strip_prefix("master/").unwrap_or(path);
        if path.split('/').any(|segment| segment == "..") {
            return None;
        }
        let (prefix, route) = ROUTES.iter().find(|(prefix, _)| {
            let rest = path.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })?;
        // a redirect to a redirect would never end (semantics 33)
        let below_redirect =
            *route == Self::Classic(Endpoint::Redirect) && path.trim_end_matches('/') != *prefix;
        (!below_redirect).then_some(*route)
    }
}

/// Resolves `%xx`; none if that makes no text.
pub(super) fn decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, tail) = tail.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}

/// One parameter of a query or a form, decoded.
pub(super) fn parameter(text: &str, name: &str) -> Option<String> {
    text.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key)? == name).then(|| decode(&value.replace('+', " "))).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Option<Route>) {
        assert_eq!(Route::find(path), expected, "{path}");
    }

    /// semantics 33, 317
    #[test]
    fn paths_lead_to_the_longest_prefix() {
        check("/api/v1/scheduler", Some(Route::Scheduler));
        check("/master/api/v1/scheduler", Some(Route::Scheduler));
        check("/api/v1", Some(Route::Operator));
        check("/api/v1/operator", Some(Route::Operator));
        check("/version/", Some(Route::Classic(Endpoint::Version)));
        check("/%76ersion", Some(Route::Classic(Endpoint::Version)));
        check("/metrics/snapshot", Some(Route::Classic(Endpoint::MetricsSnapshot)));
        check("/metrics", Some(Route::Prometheus));
        check("/redirect", Some(Route::Classic(Endpoint::Redirect)));
        for path in [
            "/",
            "/state.json",
            "/stateful",
            "/redirect/x",
            "/master/redirect/x",
            "/api",
            "//version",
            "/master/../version",
            "/%zz",
            "/%7",
            "/%ff",
        ] {
            check(path, None);
        }
    }

    #[test]
    fn parameters_are_decoded() {
        assert_eq!(parameter("a=1&frameworkId=x%2Fy+z", "frameworkId").as_deref(), Some("x/y z"));
        assert_eq!(parameter("a", "a").as_deref(), Some(""));
        assert_eq!(parameter("a=1", "b"), None);
    }
}
