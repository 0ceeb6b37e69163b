//! What a container is told through its environment (semantics 267).

use std::time::Duration;

use protocol::{duration_text, v1};
use v1::environment::variable::Type;

use super::IsolateError;

/// `PATH` of containers that bring none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Longest pause between two tries of an executor to reach a restarting agent.
const SUBSCRIPTION_BACKOFF_MAX: Duration = Duration::from_secs(2);

/// What the variables are made from.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) framework: &'a v1::FrameworkInfo,
    pub(crate) executor_id: &'a str,
    /// Set for a command task.
    pub(crate) task_id: Option<&'a str>,
    pub(crate) agent_id: &'a str,
    /// ip:port of the agent's HTTP port.
    pub(crate) agent_address: &'a str,
    pub(crate) sandbox: &'a str,
    pub(crate) allocation_role: Option<&'a str>,
    pub(crate) shutdown_grace: Duration,
    pub(crate) recovery_timeout: Duration,
}

/// The agent's variables, for any container.
pub(crate) fn variables(facts: &Facts<'_>) -> Vec<(String, String)> {
    let framework_id = facts.framework.id.as_ref().map_or("", |id| &id.value);
    let ip = facts.agent_address.rsplit_once(':').map_or("", |(ip, _)| ip);
    let mut variables = vec![
        ("LIBPROCESS_IP", ip.to_owned()),
        ("LIBPROCESS_PORT", "0".to_owned()),
        ("MESOS_AGENT_ENDPOINT", facts.agent_address.to_owned()),
        ("MESOS_CONTAINER_IP", ip.to_owned()),
        ("MESOS_DIRECTORY", facts.sandbox.to_owned()),
        ("MESOS_EXECUTOR_ID", facts.executor_id.to_owned()),
        ("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", duration_text::format(facts.shutdown_grace)),
        ("MESOS_FRAMEWORK_ID", framework_id.to_owned()),
        ("MESOS_HTTP_COMMAND_EXECUTOR", "0".to_owned()),
        ("MESOS_SANDBOX", facts.sandbox.to_owned()),
        ("MESOS_SLAVE_ID", facts.agent_id.to_owned()),
        ("MESOS_SLAVE_PID", format!("slave(1)@{}", facts.agent_address)),
        ("PATH", DEFAULT_PATH.to_owned()),
        ("PWD", facts.sandbox.to_owned()),
    ];
    // Only executors of checkpointing frameworks are to wait for a restarting agent (semantics
    // 273).
    if facts.framework.checkpoint() {
        variables.push(("MESOS_CHECKPOINT", "1".to_owned()));
        variables.push(("MESOS_RECOVERY_TIMEOUT", duration_text::format(facts.recovery_timeout)));
        let backoff = duration_text::format(SUBSCRIPTION_BACKOFF_MAX);
        variables.push(("MESOS_SUBSCRIPTION_BACKOFF_MAX", backoff));
    }
    if let Some(task_id) = facts.task_id {
        variables.push(("MESOS_TASK_ID", task_id.to_owned()));
    }
    if let Some(role) = facts.allocation_role {
        variables.push(("MESOS_ALLOCATION_ROLE", role.to_owned()));
    }
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The agent's variables with the command's own on top: of two of one name the last counts.
pub(crate) fn merge(
    mut variables: Vec<(String, String)>,
    command: &v1::CommandInfo,
) -> Result<Vec<(String, String)>, IsolateError> {
    let environment = command.environment.as_ref();
    for variable in environment.iter().flat_map(|environment| &environment.variables) {
        let value = value(variable)?;
        variables.retain(|(name, _)| *name != variable.name);
        variables.push((variable.name.clone(), value));
    }
    Ok(variables)
}

fn value(variable: &v1::environment::Variable) -> Result<String, IsolateError> {
    let refuse = |what: &str| {
        Err(IsolateError::Refused(format!("the environment variable {} {what}", variable.name)))
    };
    match variable.r#type() {
        Type::Value => Ok(variable.value.clone().unwrap_or_default()),
        Type::Secret => {
            let secret = variable.secret.as_ref().and_then(|secret| secret.value.as_ref());
            let Some(secret) = secret else {
                return refuse("is a secret by reference, and no secret resolver is configured");
            };
            match String::from_utf8(secret.data.clone()) {
                Ok(value) => Ok(value),
                Err(_) => refuse("is a secret that is not text"),
            }
        }
        Type::Unknown => refuse("has no known type"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str, value: &str) -> v1::environment::Variable {
        v1::environment::Variable {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            ..Default::default()
        }
    }

    fn command(variables: Vec<v1::environment::Variable>) -> v1::CommandInfo {
        let environment = Some(v1::Environment { variables });
        v1::CommandInfo { environment, ..Default::default() }
    }

    #[test]
    fn the_commands_own_variables_win() {
        let agent = vec![("PATH".to_owned(), "/bin".to_owned()), ("A".to_owned(), "1".to_owned())];
        let merged = merge(agent, &command(vec![variable("PATH", "/x"), variable("B", "2")]));
        let expected = [("A", "1"), ("PATH", "/x"), ("B", "2")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(merged.expect("plain values"), expected);
    }

    #[test]
    fn a_secret_by_reference_is_refused() {
        let mut secret = variable("TOKEN", "");
        secret.r#type = Some(Type::Secret.into());
        assert!(merge(Vec::new(), &command(vec![secret])).is_err());
    }

    #[test]
    fn only_checkpointing_frameworks_wait_for_the_agent() {
        for is_checkpointing in [true, false] {
            let framework =
                v1::FrameworkInfo { checkpoint: Some(is_checkpointing), ..Default::default() };
            let variables = variables(&Facts {
                framework: &framework,
                executor_id: "e",
                task_id: None,
                agent_id: "a",
                agent_address: "127.0.0.1:5051",
                sandbox: "/s",
                allocation_role: None,
                shutdown_grace: Duration::from_secs(5),
                recovery_timeout: Duration::from_secs(900),
            });
            let has = |name: &str| variables.iter().any(|(known, _)| known == name);
            assert_eq!(has("MESOS_CHECKPOINT"), is_checkpointing);
            assert!(has("MESOS_SANDBOX") && has("MESOS_SLAVE_PID"));
        }
    }
}
