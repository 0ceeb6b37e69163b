//! Whole masters in one process on loopback, with a scheduler and an agent that the test plays.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of the world")]

pub mod agent;
pub mod http;
pub mod scheduler;

use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use master::Config;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long anything may take that should happen soon.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Masters that run.
pub struct Cluster {
    pub masters: Vec<Running>,
}

/// One master.
pub struct Running {
    pub address: String,
    dir: TempDir,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), master::RunError>>,
}

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    config: Config,
}

/// A port below those that outgoing connections get: whoever restarts a master finds it free again.
async fn listen() -> TcpListener {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = std::process::id() as u16;
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 10_000 + first.wrapping_mul(37).wrapping_add(step) % 20_000;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)).await {
            return listener;
        }
    }
}

impl Cluster {
    /// Starts `size` masters that form a quorum.
    pub async fn start(size: usize) -> Self {
        Self::start_with(size, &[]).await
    }

    /// The same with more flags.
    pub async fn start_with(size: usize, flags: &[&str]) -> Self {
        let mut listeners = Vec::new();
        for _ in 0..size {
            listeners.push(listen().await);
        }
        let address = |it: &TcpListener| it.local_addr().expect("bound").to_string();
        let addresses: Vec<_> = listeners.iter().map(address).collect();
        let list = addresses.join(",");
        let masters = listeners.into_iter().zip(addresses).map(|(listener, address)| {
            let dir = tempfile::tempdir().expect("a temporary directory");
            Running::start(listener, address, dir, &list, flags)
        });
        Self { masters: masters.collect() }
    }

    /// Address of the master that serves, once one does.
    pub async fn leader(&self) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            for master in &self.masters {
                let answer = http::try_get(&master.address, "/state-summary").await;
                if answer.is_some_and(|answer| answer.status == 200) {
                    return master.address.clone();
                }
            }
            assert!(Instant::now() < deadline, "no master serves");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Starts the master at `address`, stopped before, on a directory that knows nothing.
    pub async fn start_blank(&self, address: &str, flags: &[&str]) -> Running {
        let listener = TcpListener::bind(address).await.expect("its port is free again");
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut list: Vec<_> = self.masters.iter().map(|it| it.address.as_str()).collect();
        list.push(address);
        Running::start(listener, address.to_owned(), dir, &list.join(","), flags)
    }

    /// Stops the master at `address`, as a crash would for the others.
    pub async fn stop(&mut self, address: &str) {
        let at = self.masters.iter().position(|it| it.address == address).expect("known");
        self.masters.remove(at).stop().await;
    }
}

impl Running {
    fn start(
        listener: TcpListener,
        address: String,
        dir: TempDir,
        masters: &str,
        flags: &[&str],
    ) -> Self {
        let path = dir.path().to_str().expect("a path in UTF-8");
        let port = address.rsplit(':').next().expect("a port");
        let own = [
            "master",
            "--ip",
            "127.0.0.1",
            "--port",
            port,
            "--work-dir",
            path,
            "--masters",
            masters,
        ];
        let arguments = own.iter().chain(flags);
        let config = Flags::try_parse_from(arguments).expect("flags").config;
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(master::run_on(listener, config, async {
            let _ = stopped.await;
        }));
        Self { address, dir, stop: Some(stop), task }
    }

    /// How it ends by itself.
    pub async fn end(self) -> Result<(), master::RunError> {
        self.task.await.expect("no panic")
    }

    async fn stop(mut self) {
        drop(self.stop.take());
        self.task.await.expect("no panic").expect("a clean end");
        drop(self.dir);
    }
}

/// Waits for a condition.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let deadline = Instant::now() + DEADLINE;
    while !condition().await {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
