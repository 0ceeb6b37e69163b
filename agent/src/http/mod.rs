//! The agent's HTTP port: executors, operators and the classic read-only endpoints.

mod classic;
mod executor;
mod files;
mod flat;
mod metrics;
mod operator;
mod reply;
mod request;
mod views;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{Method, Request};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use protocol::tls::{self, Accepted, Tls};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::sleep;

use crate::collect;
use crate::config::Config;
use crate::containerizer::Containerizer;
use crate::decide::Input;
use crate::turns::Shared;
use reply::Reply;

/// Connections at the same time. Each executor holds one, and opens a second for its calls.
const CONNECTIONS: usize = 16_384;
/// How long a connection may wait for the head of a request. Long: clients such as pymesos keep theirs
/// open from one call to the next, and fail the next one if it has been closed meanwhile.
const HEAD_TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// Pause after the machine refused to give us a connection, as when it is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the handlers work with.
#[derive(Debug)]
pub(crate) struct Api {
    config: Config,
    /// ip:port under which the agent is reached.
    address: SocketAddr,
    known: Shared,
    containerizer: Arc<dyn Containerizer>,
    inputs: mpsc::Sender<Input>,
    /// Seconds since the epoch.
    start_time: f64,
    recovery_time: Duration,
    sandboxes: Arc<collect::Counts>,
}

impl Api {
    pub(crate) fn new(
        config: Config,
        address: SocketAddr,
        known: Shared,
        containerizer: Arc<dyn Containerizer>,
        inputs: mpsc::Sender<Input>,
    ) -> Self {
        Self {
            config,
            address,
            known,
            containerizer,
            inputs,
            start_time: now(),
            recovery_time: Duration::ZERO,
            sandboxes: Arc::default(),
        }
    }

    /// Whom the collector of old sandboxes tells what it does.
    pub(crate) fn sandboxes(&self) -> Arc<collect::Counts> {
        Arc::clone(&self.sandboxes)
    }

    /// How long the agent took to find its containers again.
    pub(crate) fn recovered_in(self, recovery_time: Duration) -> Self {
        Self { recovery_time, ..self }
    }
}

/// Seconds since the epoch.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Serves connections until the agent ends.
pub(crate) async fn serve(listener: TcpListener, tls: Option<Tls>, api: Arc<Api>) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                // Small records must not wait for one another.
                let _ = stream.set_nodelay(true);
                let (api, tls) = (Arc::clone(&api), tls.clone());
                tokio::spawn(async move {
                    match tls::accept(tls.as_ref(), stream).await {
                        Ok(stream) => serve_connection(stream, api).await,
                        Err(error) => tracing::debug!(%error, "a connection is no use"),
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_connection(stream: Accepted, api: Arc<Api>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let api = Arc::clone(&api);
        async move { Ok::<_, Infallible>(route(&api, request).await) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(error, "a connection broke");
    }
}

/// Finds the handler by the longest known path that is a prefix of the request's, segment by
/// segment (semantics 317). Everything is also below `/slave(1)`.
async fn route(api: &Api, request: Request<Incoming>) -> Reply {
    let accepts_gzip = request::accepts_gzip(&request);
    let path = request::decode(request.uri().path());
    let path = path.strip_prefix("/slave(1)").unwrap_or(&path).to_owned();
    let query = request::Query::of(&request);
    let is = |prefix: &str| {
        path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let reply = match () {
        () if is("/api/v1/executor") => return executor::handle(api, request).await,
        () if is("/api/v1/resource_provider") && request.method() != Method::POST => {
            reply::only_post(request.method())
        }
        () if is("/api/v1/resource_provider") => reply::not_implemented(),
        () if is("/api/v1") => operator::handle(api, request).await,
        () if is("/state") => reply::view(&classic::state(api), &query),
        () if is("/health") => reply::empty(),
        () if is("/version") => reply::view(&classic::version(), &query),
        () if is("/flags") => reply::view(&classic::flags(api), &query),
        () if is("/monitor/statistics") => reply::view(&classic::statistics(api).await, &query),
        () if is("/containers") => match classic::containers(api, &query).await {
            Ok(containers) => reply::view(&containers, &query),
            Err(refusal) => *refusal,
        },
        () if is("/metrics/snapshot") => reply::view(&metrics::snapshot(api), &query),
        () if is("/metrics") => metrics::prometheus(api),
        () if is("/system/stats.json") => reply::view(&metrics::system(), &query),
        () if is("/files/browse") => files::browse(api, &query).await,
        () if is("/files/read") => files::read(api, &query).await,
        () if is("/files/debug") => reply::view(&files::debug(api), &query),
        () if is("/files/download") => return files::download(api, &query).await,
        () => reply::not_found(),
    };
    reply::compress(reply, accepts_gzip)
}
