//! One try of a check: a command in the sandbox, an HTTP request, or a connection.

use std::path::PathBuf;
use std::process::Stdio;

use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use protocol::v1::{CheckInfo, CommandInfo, HealthCheck, check_info, health_check};
use tokio::net::TcpStream;
use tokio::process::Command;

use super::Found;
use crate::containerizer::environment;
use crate::shim::spec::Credentials;

/// Where a check looks.
#[derive(Debug, Clone)]
pub(crate) enum Probe {
    Command(Box<CommandInfo>),
    /// Path and port of a GET.
    Http {
        port: u16,
        path: String,
    },
    Tcp {
        port: u16,
    },
}

/// The container that a check is for.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(super) sandbox: PathBuf,
    pub(super) environment: Vec<(String, String)>,
    pub(super) user: Option<Credentials>,
    /// Address on which the container's ports are.
    pub(super) ip: String,
}

type Refusal = &'static str;

const NO_TYPE: Refusal = "the check has no type, or not what its type needs";
const NO_PORT: Refusal = "the check's port is not between 1 and 65535";

impl Probe {
    /// The type may be left out where it can be told from the rest (semantics 157).
    pub(super) fn of_health_check(check: &HealthCheck) -> Result<Self, Refusal> {
        let inferred = if check.command.is_some() {
            health_check::Type::Command
        } else {
            health_check::Type::Http
        };
        let kind = if check.r#type.is_some() { check.r#type() } else { inferred };
        match (kind, &check.command, &check.http, &check.tcp) {
            (health_check::Type::Command, Some(command), ..) => {
                Ok(Self::Command(Box::new(command.clone())))
            }
            (health_check::Type::Http, _, Some(http), _) if http.scheme() == "https" => {
                Err("this agent makes no checks over HTTPS")
            }
            (health_check::Type::Http, _, Some(http), _) => Self::http(http.port, http.path()),
            (health_check::Type::Tcp, .., Some(tcp)) => Ok(Self::Tcp { port: port(tcp.port)? }),
            _ => Err(NO_TYPE),
        }
    }

    pub(super) fn of_check(check: &CheckInfo) -> Result<Self, Refusal> {
        match (check.r#type(), &check.command, &check.http, &check.tcp) {
            (check_info::Type::Command, Some(command), ..) => {
                Ok(Self::Command(Box::new(command.command.clone())))
            }
            (check_info::Type::Http, _, Some(http), _) => Self::http(http.port, http.path()),
            (check_info::Type::Tcp, .., Some(tcp)) => Ok(Self::Tcp { port: port(tcp.port)? }),
            _ => Err(NO_TYPE),
        }
    }

    fn http(number: u32, path: &str) -> Result<Self, Refusal> {
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self::Http { port: port(number)?, path: path.to_owned() })
    }

    pub(super) async fn run(&self, context: &Context) -> Found {
        match self {
            Self::Command(command) => run_command(command, context).await,
            Self::Http { port, path } => get(&context.ip, *port, path).await,
            Self::Tcp { port } => {
                let connected = TcpStream::connect((context.ip.as_str(), *port)).await;
                Found::Connected(connected.is_ok())
            }
        }
    }
}

fn port(number: u32) -> Result<u16, Refusal> {
    u16::try_from(number).ok().filter(|port| *port > 0).ok_or(NO_PORT)
}

/// Runs as the task's user in its sandbox.
async fn run_command(info: &CommandInfo, context: &Context) -> Found {
    let value = info.value.as_deref().unwrap_or_default();
    let mut command = if info.shell() {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(value);
        command
    } else {
        let mut command = Command::new(value);
        command.args(info.arguments.iter().skip(1));
        command
    };
    let Ok(environment) = environment::merge(context.environment.clone(), info) else {
        return Found::Nothing;
    };
    command.env_clear().envs(environment).current_dir(&context.sandbox);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.process_group(0);
    if let Some(user) = &context.user {
        command.uid(user.user).gid(user.group);
    }
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            tracing::warn!(%error, "a check's command cannot be run");
            return Found::Nothing;
        }
    };
    let group = Group(child.id());
    let status = child.wait().await;
    drop(group);
    status.ok().and_then(|status| status.code()).map_or(Found::Nothing, Found::Exit)
}

/// A check's processes, which end with it: when it is over, or when it is given up.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // None may be left, which is as well.
            let _ = killpg(Pid::from_raw(leader as i32), Signal::SIGKILL);
        }
    }
}

async fn get(ip: &str, port: u16, path: &str) -> Found {
    let client: Client<HttpConnector, Empty<Bytes>> =
        Client::builder(TokioExecutor::new()).build_http();
    let host = if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() };
    let Ok(uri) = format!("http://{host}:{port}{path}").parse() else { return Found::Nothing };
    match client.get(uri).await {
        Ok(response) => Found::Status(response.status().as_u16()),
        Err(_) => Found::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context {
        let sandbox = std::env::temp_dir();
        let variable = ("CODE".to_owned(), "7".to_owned());
        Context::new(sandbox, vec![variable], None, "127.0.0.1".to_owned())
    }

    #[tokio::test]
    async fn commands_run_in_the_tasks_environment() {
        let command = CommandInfo { value: Some("exit $CODE".to_owned()), ..Default::default() };
        assert_eq!(Probe::Command(Box::new(command)).run(&context()).await, Found::Exit(7));
    }

    #[tokio::test]
    async fn connections_are_tried() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        assert_eq!(Probe::Tcp { port }.run(&context()).await, Found::Connected(true));
        drop(listener);
        assert_eq!(Probe::Tcp { port }.run(&context()).await, Found::Connected(false));
        let http = Probe::Http { port, path: "/".to_owned() };
        assert_eq!(http.run(&context()).await, Found::Nothing);
    }

    #[test]
    fn checks_without_what_they_need_are_refused() {
        assert!(Probe::of_check(&CheckInfo::default()).is_err());
        assert!(Probe::of_health_check(&HealthCheck::default()).is_err());
        let http = health_check::HttpCheckInfo { port: 70_000, ..Default::default() };
        let check = HealthCheck { http: Some(http), ..Default::default() };
        assert_eq!(Probe::of_health_check(&check).err(), Some(NO_PORT));
    }
}
