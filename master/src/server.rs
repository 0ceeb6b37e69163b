//! The one port: HTTP/1.1 for clients, gRPC over HTTP/2 for agents and masters.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use protocol::agents::agents_server::AgentsServer;
use protocol::quorum::quorum_server::QuorumServer;
use protocol::rpc;
use protocol::tls::{self, Accepted, Tls};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tonic::Status;
use tower::ServiceExt;

use crate::agents::AgentsService;
use crate::api::{self, Body, boxed};
use crate::master::Master;
use crate::quorum::QuorumService;

/// Connections that may be open at a time; more wait to be accepted.
const CONNECTIONS_MAX: usize = 32_768;
/// How long a connection may wait for the head of a request. Long: clients such as pymesos keep theirs
/// open from one call to the next, and fail the next one if it has been closed meanwhile.
const HEAD_TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// The largest head of a request.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// How often a silent HTTP/2 connection is tried.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// How long its peer may take to answer. Long: agents that fall silent are found out by their pings,
/// and must not be taken for ones that hung up (semantics 221, 223).
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(600);
/// How long to wait after the system would accept no connection.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What connections are answered with.
#[derive(Clone, Debug)]
pub(crate) struct Doors {
    quorum: QuorumServer<QuorumService>,
    /// Set once this master has its place.
    master: Arc<OnceLock<Open>>,
}

#[derive(Clone, Debug)]
struct Open {
    master: Arc<Master>,
    agents: AgentsServer<AgentsService>,
}

impl Doors {
    pub(crate) fn new(quorum: QuorumService) -> Self {
        Self { quorum: rpc::quorum_server(quorum), master: Arc::default() }
    }

    /// From now on clients and agents are served.
    pub(crate) fn open(&self, master: Arc<Master>) {
        let agents = rpc::agents_server(AgentsService(master.clone()));
        // it is opened once only
        let _ = self.master.set(Open { master, agents });
    }

    /// Ends the journal, if there is one: what was acknowledged is on disk already.
    pub(crate) async fn close(&self) {
        if let Some(open) = self.master.get() {
            open.master.journal.shutdown().await;
        }
    }

    async fn answer(self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path();
        if path.starts_with("/mesolith.quorum.") {
            return grpc(self.quorum.oneshot(request).await);
        }
        let is_agents = path.starts_with("/mesolith.agents.");
        match self.master.get().cloned() {
            Some(open) if is_agents => grpc(open.agents.oneshot(request).await),
            Some(open) => api::answer(open.master, request).await,
            None if is_agents => {
                let status = Status::unavailable("this master has no place in a quorum yet");
                status.into_http::<tonic::body::Body>().map(boxed)
            }
            None => early(path),
        }
    }
}

fn grpc(answered: Result<Response<tonic::body::Body>, Infallible>) -> Response<Body> {
    match answered {
        Ok(response) => response.map(boxed),
        Err(never) => match never {},
    }
}

/// Answers before this master has its place.
fn early(path: &str) -> Response<Body> {
    let code = match path {
        "/health" | "/master/health" => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let text = if code == StatusCode::OK { "" } else { "No leader elected" };
    let mut response = Response::new(boxed(http_body_util::Full::from(text)));
    *response.status_mut() = code;
    response
}

/// Accepts connections for ever. Dropped, it ends them all.
pub(crate) async fn serve(listener: TcpListener, tls: Option<Tls>, doors: Doors) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                // without it a small answer waits for the acknowledgement of the one before
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "a connection keeps its delay");
                }
                let (doors, tls) = (doors.clone(), tls.clone());
                connections.spawn(async move {
                    match tls::accept(tls.as_ref(), stream).await {
                        Ok(stream) => converse(stream, doors).await,
                        Err(error) => tracing::debug!(%error, "a connection is no use"),
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(stream: Accepted, doors: Doors) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // without half_close: that a scheduler is gone shows in the end of what it sends, at once, and no
    // sooner than with the next heartbeat if that end might be its request's alone
    builder
        .http1()
        .timer(TokioTimer::new())
        .title_case_headers(true)
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(16 << 20);
    let answer = service_fn(move |request| {
        let doors = doors.clone();
        async move { Ok::<_, Infallible>(doors.answer(request).await) }
    });
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), answer).await {
        tracing::debug!(error, "a connection ended early");
    }
}
