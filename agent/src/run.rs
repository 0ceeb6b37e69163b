//! An agent from its start to its end.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use protocol::tls::{Tls, TlsError};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::cgroups::Cgroups;
use crate::checkpoint::log::{CheckpointError, Log};
use crate::config::Config;
use crate::containerizer::Containerizer;
use crate::containerizer::isolation::{Isolation, IsolationError};
use crate::containerizer::launcher::ShimLauncher;
use crate::containerizer::mesos::MesosContainerizer;
use crate::containerizer::recover::{recover, remove_unknown};
use crate::containerizer::user::SwitchUser;
use crate::decide::{Capability, End, Input, Settings, capabilities};
use crate::effects::{Effects, trash};
use crate::fetcher::Fetcher;
use crate::http::{self, Api};
use crate::info::{self, InfoError};
use crate::oversubscribe::{Oversubscription, OversubscriptionError};
use crate::session::Session;
use crate::shim::spec::RuntimeDirectory;
use crate::turns::{INPUT_LIMIT, Shared, Turns};
use crate::work_dir;

/// Why an agent cannot start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// What was tried.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// A directory of the agent cannot be used.
    #[error("cannot use the directory {path}")]
    Directory {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A directory that holds something, and nothing of an agent's.
    #[error("{path} is not empty and holds no agent: there is {name} in it")]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// What is there, for example.
        name: String,
    },
    /// The program that is to run as shim is not known.
    #[error("cannot find this program's own file")]
    Executable(#[source] io::Error),
    /// The machine does not say which boot this is.
    #[error("cannot read the boot id of this machine")]
    BootId(#[source] io::Error),
    /// The system does not let the agent take a signal.
    #[error("cannot listen for SIGUSR1")]
    Signal(#[source] io::Error),
    /// What the agent is to offer makes no sense.
    #[error(transparent)]
    Info(#[from] InfoError),
    /// What the agent is to lend out makes no sense.
    #[error(transparent)]
    Oversubscription(#[from] OversubscriptionError),
    /// TLS cannot be spoken as the flags say.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Containers cannot be held to what the flags say.
    #[error(transparent)]
    Isolation(#[from] IsolationError),
    /// What the agent must remember cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The master wants this agent to end.
    #[error("the master wants this agent to end: {0}")]
    Removed(String),
}

/// Runs an agent until `shutdown` comes. Its tasks run on: an agent with the same work directory
/// takes them up.
///
/// SIGUSR1 ends it for good (surface 278): it unregisters, kills its tasks and returns; the next
/// run is a new agent.
///
/// Ends with an error if it cannot start, if its checkpoint fails, or if the master wants it gone.
pub async fn run(mut config: Config, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
    let goodbyes = signal(SignalKind::user_defined1()).map_err(RunError::Signal)?;
    let tls = Tls::load(&config.tls)?;
    let listener = listen(&config).await?;
    let port = listener.local_addr().map_err(|source| listen_error(&config, source))?.port();
    let ip = advertised_ip(&config);
    let address = SocketAddr::new(ip, config.advertise_port.unwrap_or(port));
    config.work_dir = make_directory(&config.work_dir)?;
    work_dir::check_own(&config.work_dir)?;
    config.runtime_dir = Some(make_directory(&config.runtime_dir())?);
    let info = info::describe(&config, ip, port)?;
    let oversubscription = Oversubscription::new(&config.oversubscription)?;
    let (log, state) = Log::open(&config.work_dir.join(work_dir::CHECKPOINT))?;
    if let Some(before) = &state.info
        && state.identity.is_some()
    {
        info::check_change(before, &info, config.reconfiguration_policy)?;
    }
    let (inputs, received) = mpsc::channel(INPUT_LIMIT);
    let cgroups = cgroups(&config);
    let isolation = Isolation::choose(&config, &cgroups)?;
    let containerizer = Arc::new(containerizer(&config, isolation)?);
    let mut turns = Turns {
        known: Shared::new(state),
        settings: settings(&config, address, capabilities(containerizer.holds_limits())),
        log,
        inputs: received,
        effects: Effects::new(containerizer.clone(), inputs.clone(), config.work_dir.clone()),
        parked: VecDeque::new(),
    };
    let began = Instant::now();
    take_up(&mut turns, &info, &config.runtime_dir(), cgroups.as_deref().ok())?;
    let estimate = oversubscription.estimate(&turns.known);
    turns.decide(|turn| turn.estimated(estimate))?;
    let api = Api::new(config.clone(), address, turns.known.clone(), containerizer, inputs.clone())
        .recovered_in(began.elapsed());
    let collected = crate::collect::run(&config, api.sandboxes());
    let lent = oversubscription.run(turns.known.clone(), inputs.clone());
    tracing::info!(%address, work_dir = %config.work_dir.display(), "the agent serves");
    let goodbyes = unregister_on(goodbyes, inputs.clone());
    let session = Session::new(
        inputs,
        (config.master.0.clone(), tls.clone()),
        config.registration_backoff_factor,
    );
    let ended = tokio::select! {
        ended = turns.run() => match ended? {
            End::Left => Ok(()),
            End::Removed(reason) => Err(RunError::Removed(reason)),
        },
        () = goodbyes => Ok(()),
        () = http::serve(listener, tls, Arc::new(api)) => Ok(()),
        () = session.run() => Ok(()),
        () = collected => Ok(()),
        () = lent => Ok(()),
        () = shutdown => Ok(()),
    };
    if let Ok(cgroups) = cgroups {
        cgroups.leave();
    }
    ended
}

/// Passes the operator's wish on, until nobody is left to hear it.
async fn unregister_on(mut goodbyes: Signal, inputs: mpsc::Sender<Input>) {
    while goodbyes.recv().await.is_some() && inputs.send(Input::Unregister).await.is_ok() {}
}

async fn listen(config: &Config) -> Result<TcpListener, RunError> {
    let address = SocketAddr::new(config.ip, config.port);
    TcpListener::bind(address).await.map_err(|source| listen_error(config, source))
}

fn listen_error(config: &Config, source: io::Error) -> RunError {
    RunError::Listen { address: SocketAddr::new(config.ip, config.port), source }
}

/// The address told to others. An agent that listens on all addresses tells the one that leads to
/// its master.
fn advertised_ip(config: &Config) -> IpAddr {
    let given = config.advertise_ip.or(Some(config.ip).filter(|ip| !ip.is_unspecified()));
    given.or_else(|| outgoing_ip(config)).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

fn outgoing_ip(config: &Config) -> Option<IpAddr> {
    let socket = UdpSocket::bind(SocketAddr::new(config.ip, 0)).ok()?;
    // Nothing is sent: connecting a datagram socket only chooses the way.
    socket.connect(config.master.0.first()?).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

/// Makes a directory; its whole path, since containers work elsewhere.
fn make_directory(path: &Path) -> Result<PathBuf, RunError> {
    fs::create_dir_all(path)
        .and_then(|()| path.canonicalize())
        .map_err(|source| RunError::Directory { path: path.to_owned(), source })
}

fn settings(config: &Config, address: SocketAddr, capabilities: Vec<Capability>) -> Settings {
    Settings {
        capabilities,
        work_dir: config.work_dir.clone(),
        ip: address.ip().to_string(),
        address: address.to_string(),
        registration_timeout: config.executor_registration_timeout,
        reregistration_timeout: config.executor_reregistration_timeout,
        shutdown_grace: config.executor_shutdown_grace_period,
        recovery_timeout: config.recovery_timeout,
        session_id: Uuid::new_v4().to_string(),
    }
}

/// The machine's cgroups, or why they cannot be used.
fn cgroups(config: &Config) -> Result<Arc<Cgroups>, String> {
    let flags = &config.isolation;
    Cgroups::find(&flags.cgroups_hierarchy, &flags.cgroups_root, &config.work_dir).map(Arc::new)
}

fn containerizer(config: &Config, isolation: Isolation) -> Result<MesosContainerizer, RunError> {
    let executable = match &config.launcher_exe {
        Some(executable) => executable.clone(),
        None => std::env::current_exe().map_err(RunError::Executable)?,
    };
    let launcher = ShimLauncher::new(executable, config.runtime_dir());
    Ok(MesosContainerizer::new(
        Box::new(launcher),
        isolation,
        SwitchUser::new(config.switch_user),
        Fetcher::new(config.fetcher_stall_timeout),
    ))
}

/// Takes up what an earlier run of the agent left: its containers are adopted, or their ends are
/// told.
fn take_up(
    turns: &mut Turns,
    info: &protocol::v1::AgentInfo,
    runtime_dir: &Path,
    cgroups: Option<&Cgroups>,
) -> Result<(), RunError> {
    let failed = |source| RunError::Directory { path: runtime_dir.to_owned(), source };
    let boot_id =
        fs::read_to_string("/proc/sys/kernel/random/boot_id").map_err(RunError::BootId)?;
    let boot_id = boot_id.trim();
    let (containers, is_same_boot) = {
        let known = turns.known.read();
        (known.state.containers(), known.state.boot_id == boot_id)
    };
    let ids: BTreeSet<String> = containers.iter().map(|(_, id)| id.clone()).collect();
    remove_unknown(runtime_dir, &ids).map_err(failed)?;
    if let Some(Err(error)) = cgroups.map(|cgroups| cgroups.remove_unknown(&ids)) {
        tracing::warn!(%error, "cannot remove unknown cgroups");
    }
    if let Err(error) = fs::remove_dir_all(trash(&turns.settings.work_dir))
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "cannot clear the removed volumes");
    }
    turns.decide(|turn| turn.start(boot_id, info))?;
    for (executor, container_id) in containers {
        let directory = RuntimeDirectory(runtime_dir.join(&container_id));
        let found = recover(&directory, is_same_boot).map_err(failed)?;
        turns.decide(|turn| turn.take_up(&executor, &container_id, found))?;
    }
    Ok(())
}
