//! A master from its start to its end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use journal::{Identity, Journal, OpenError};
use protocol::tls::{Tls, TlsError};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::admission::Admission;
use crate::clock;
use crate::config::{Config, QuorumError};
use crate::confirmed::Confirmed;
use crate::desk::Desk;
use crate::effects;
use crate::form::{self, FormError};
use crate::leader::{Shell, WINDOW_BATCHES, inbox, lead};
use crate::master::Master;
use crate::metrics::Counters;
use crate::quorum::{Place, QuorumService};
use crate::replica::{Reader, Replica};
use crate::server::{Doors, serve};
use crate::standing::Stand;
use crate::streams::Streams;
use crate::transport::Grpc;

/// Connections that the system may hold before they are accepted.
const BACKLOG: u32 = 1024;

/// Why a master could not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The list of founders makes no sense.
    #[error(transparent)]
    Quorum(#[from] QuorumError),
    /// The port cannot be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// TLS cannot be spoken as the flags say.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The data directory cannot be used.
    #[error("cannot open the journal")]
    Journal(#[source] OpenError),
    /// No place in a quorum can be taken.
    #[error(transparent)]
    Form(#[from] FormError),
}

/// Runs a master until `shutdown` is done.
///
/// # Errors
/// When the flags make no sense, the port or the directory cannot be used, or the master cannot
/// take its place in the quorum.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
    let listener = listen(&config)?;
    run_on(listener, config, shutdown).await
}

/// The same on a port that is open already, which is then what `config.port` says.
///
/// # Errors
/// As [`run`].
pub async fn run_on(
    listener: TcpListener,
    mut config: Config,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    if let Ok(address) = listener.local_addr() {
        config.port = address.port();
    }
    if !config.join {
        config.founders()?;
    }
    let config = Arc::new(config);
    let tls = Tls::load(&config.tls)?;
    let identity = Identity::load_or_create(&config.work_dir).map_err(RunError::Journal)?;
    let (place, seen) = watch::channel(Place::Waiting(identity.clone()));
    let doors = Doors::new(QuorumService {
        address: config.address(),
        place: place.clone(),
        tls: tls.clone(),
        may_join: config.join,
    });
    tracing::info!(address = %config.address(), "this master listens");
    let served = tokio::spawn(serve(listener, tls.clone(), doors.clone()));
    let ran = tokio::select! {
        () = shutdown => Ok(()),
        failed = work(&config, tls, identity, (place, seen), &doors) => failed,
    };
    served.abort();
    // its end is that it was aborted; the port is free only then
    let _ = served.await;
    doors.close().await;
    ran
}

fn listen(config: &Config) -> Result<TcpListener, RunError> {
    let address = SocketAddr::new(config.ip, config.port);
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|source| RunError::Listen { address, source })
}

/// Takes a place in the quorum, opens the doors, and leads when it is this master's turn.
async fn work(
    config: &Arc<Config>,
    tls: Option<Tls>,
    mut identity: Identity,
    (place, mut seen): (watch::Sender<Place>, watch::Receiver<Place>),
    doors: &Doors,
) -> Result<(), RunError> {
    let taken = form::take_place((config, tls.as_ref()), &mut identity, &mut seen).await?;
    let (replica, committed) = Replica::new();
    let settings = config.journal.settings(&config.work_dir, taken.node);
    let (counters, began) = (Counters::default(), Instant::now());
    let journal = Journal::open(settings, Box::new(replica), Arc::new(Grpc(tls.clone()))).await;
    let journal = journal.map_err(RunError::Journal)?;
    counters.fetch.record(began.elapsed());
    // a journal that has stopped already says so by itself
    let members = journal.members().await.unwrap_or_default();
    if let Err(error) = form::check_address(config, taken.node, &members) {
        journal.shutdown().await;
        return Err(error.into());
    }
    place.send_replace(Place::Open(Box::new(journal.clone())));
    let tasks = start(config, journal.clone(), (committed, counters), doors);
    form::form((config, tls.as_ref()), &journal, taken).await?;
    tasks.await;
    Ok(())
}

/// Starts what leads and what sends; the future ends with them.
fn start(
    config: &Arc<Config>,
    journal: Journal,
    (committed, counters): (Reader, Counters),
    doors: &Doors,
) -> impl Future<Output = ()> + use<> {
    let (inbox, requests) = inbox();
    let (outgoing_sender, outgoing) = mpsc::channel(2 * WINDOW_BATCHES);
    let stand = Stand::new(journal.leadership(), journal.lease(), journal.heard());
    let shell = Shell {
        journal: journal.clone(),
        committed: committed.clone(),
        settings: Arc::new(config.settings()),
        stand: stand.clone(),
        requests,
        outgoing: outgoing_sender,
        meter: counters.meter.clone(),
    };
    let master = Arc::new(Master {
        config: config.clone(),
        journal,
        stand,
        committed,
        streams: Streams::new(inbox.clone()),
        inbox,
        counters,
        admission: Admission::new(config.rate_limits.as_ref()),
        confirmed: Confirmed::default(),
        desk: Desk::of_this_machine(),
        listeners: Arc::new(Semaphore::new(config.max_operator_event_stream_subscribers as usize)),
        started: clock::wall(),
    });
    doors.open(master.clone());
    let leading = lead(shell);
    let sending = effects::send(master, outgoing);
    async {
        tokio::join!(leading, sending);
    }
}
