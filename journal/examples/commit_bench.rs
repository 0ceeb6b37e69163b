//! How many entries a second three members commit, all on this machine's disk, beside what the disk
//! itself does: `cargo run --release -p journal --features testing --example commit_bench`.
//!
//! Rounds alternate, so that the ratios hold whatever else the machine does.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use journal::testing::{Counter, MemoryNetwork, eventually};
use journal::{Config, Journal, Leadership, Member, Outcome};
use tokio::sync::oneshot;

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);
/// Members, writers that each wait for their entry, and bytes of an entry.
const LOADS: [(u64, usize, usize); 6] = [
    (1, 1, 256),
    (1, 1024, 256),
    (3, 1, 256),
    (3, 64, 256),
    (3, 1024, 256),
    // what the leader loop does: some batches of many events in flight
    (3, 8, 16 << 10),
];

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir_in(".")?;
    let mut report = io::stdout().lock();
    for (members, writers, bytes) in LOADS {
        let quorum = form(members, dir.path()).await?;
        let (mut rates, mut fsyncs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            fsyncs.push(fdatasyncs(dir.path())?);
            rates.push(commits(&quorum, writers, bytes).await);
        }
        for journal in quorum.values() {
            journal.shutdown().await;
        }
        let (rates, fsyncs) = (spread(rates), spread(fsyncs));
        writeln!(
            report,
            "{members} members, {writers:4} writers, {bytes:5} B: {rates} entries/s, beside {fsyncs} appends synced/s"
        )?;
    }
    Ok(())
}

async fn form(members: u64, dir: &std::path::Path) -> io::Result<BTreeMap<u64, Journal>> {
    let (network, mut quorum) = (MemoryNetwork::default(), BTreeMap::new());
    let dir = tempfile::tempdir_in(dir)?.keep();
    for node in 1..=members {
        let config = Config::new(dir.join(node.to_string()), node);
        let machine = Box::new(Counter::default());
        let opened = Journal::open(config, machine, network.transport(node)).await;
        let journal = opened.map_err(io::Error::other)?;
        network.connect(node, journal.clone());
        quorum.insert(node, journal);
    }
    let founders: BTreeMap<u64, Member> = quorum
        .iter()
        .map(|(node, journal)| {
            let incarnation = journal.identity().incarnation;
            (*node, Member { address: format!("memory:{node}"), incarnation })
        })
        .collect();
    let forming = quorum.values().map(|journal| journal.form(founders.clone(), "bench"));
    futures::future::try_join_all(forming).await.map_err(io::Error::other)?;
    Ok(quorum)
}

/// Entries committed a second.
async fn commits(quorum: &BTreeMap<u64, Journal>, writers: usize, bytes: usize) -> f64 {
    let (journal, term) = eventually("a leader", || {
        quorum.values().find_map(|journal| match *journal.leadership().borrow() {
            Leadership::Leader { term } => Some((journal.clone(), term)),
            _ => None,
        })
    })
    .await;
    let (count, start) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let writing = (0..writers).map(|_| {
        let (journal, count) = (journal.clone(), count.clone());
        let payload = Bytes::from(vec![7; bytes]);
        tokio::spawn(async move {
            while start.elapsed() < ROUND {
                let (sender, receiver) = oneshot::channel();
                journal.propose(term, payload.clone(), |outcome| {
                    let _ = sender.send(outcome);
                });
                if let Ok(Outcome::Committed { .. }) = receiver.await {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        })
    });
    futures::future::join_all(writing.collect::<Vec<_>>()).await;
    count.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64()
}

/// What the disk does when one writer waits for each write.
fn fdatasyncs(dir: &std::path::Path) -> io::Result<f64> {
    let mut file = File::create(dir.join("raw"))?;
    let (start, mut count) = (Instant::now(), 0.0);
    while start.elapsed() < ROUND / 4 {
        file.write_all(&[7; 256])?;
        file.sync_data()?;
        count += 1.0;
    }
    Ok(count / start.elapsed().as_secs_f64())
}

/// Median, and the extremes.
fn spread(mut rates: Vec<f64>) -> String {
    rates.sort_by(f64::total_cmp);
    let at = |index: usize| rates.get(index).copied().unwrap_or_default();
    let (median, least, most) = (at(rates.len() / 2), at(0), at(rates.len().saturating_sub(1)));
    format!("{median:8.0} ({least:.0} to {most:.0})")
}
