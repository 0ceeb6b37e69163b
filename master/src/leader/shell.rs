//! The leader's task: feeds the core from the inbox and the clock, its batches to the journal, and
//! what comes back out to those who wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use journal::{Journal, Leadership, Outcome};
use statemachine::cluster::Lead;
use statemachine::{Batch, Settings, Time};
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use super::core::{Core, Input, Release, WINDOW_BATCHES};
use super::inbox::{Request, Ticket};
use crate::clock::Clock;
use crate::metrics::Meter;
use crate::replica::Reader;
use crate::standing::Stand;

/// Requests that one turn takes at most.
const TURN_REQUESTS_MAX: usize = 1024;
/// Bytes of requests after which a turn takes no more; one more body still fits into a proposal.
const TURN_BYTES_MAX: usize = 8 << 20;
/// How often the clock is looked at.
const TICK: Duration = Duration::from_millis(50);
/// How long a leader that could not propose waits before it tries to lead again.
const RETRY: Duration = Duration::from_millis(100);

/// What the leader tells the task that sends.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// May leave now.
    Release(u64, Box<Release<Ticket>>),
    /// Leadership is gone: every stream ends.
    Lost,
}

/// All that the leader's task needs.
#[derive(Debug)]
pub(crate) struct Shell {
    pub(crate) journal: Journal,
    pub(crate) committed: Reader,
    pub(crate) settings: Arc<Settings>,
    pub(crate) stand: Stand,
    pub(crate) requests: mpsc::UnboundedReceiver<Request>,
    pub(crate) outgoing: mpsc::Sender<Outgoing>,
    pub(crate) meter: Arc<Meter>,
}

/// Leads whenever the journal says so, until the journal or the inbox is closed.
pub(crate) async fn lead(mut shell: Shell) {
    let mut leadership = shell.stand.leadership();
    loop {
        let current = leadership.borrow_and_update().clone();
        let again = match current {
            Leadership::Leader { term } => {
                let ended = shell.serve(term, &mut leadership).await;
                shell.stand.rest();
                let told = shell.outgoing.send(Outgoing::Lost).await;
                tracing::info!(term, "leadership has ended");
                tokio::time::sleep(RETRY).await;
                ended.is_ok() && told.is_ok()
            }
            _ => shell.wait(&mut leadership).await,
        };
        if !again {
            return;
        }
    }
}

/// Nobody needs a leader any more.
struct Closed;

type Watch = tokio::sync::watch::Receiver<Leadership>;

impl Shell {
    /// Turns requests away until leadership changes.
    async fn wait(&mut self, leadership: &mut Watch) -> bool {
        loop {
            tokio::select! {
                changed = leadership.changed() => return changed.is_ok(),
                // dropping a request tells its caller that nobody decides
                request = self.requests.recv() => if request.is_none() { return false },
            }
        }
    }

    /// Decides until leadership of `term` is gone.
    async fn serve(&mut self, term: u64, leadership: &mut Watch) -> Result<(), Closed> {
        if !self.catch_up(term).await {
            return Ok(());
        }
        let state = self.committed.state();
        let clock = Clock::start(state.cluster.now);
        tracing::info!(term, events = %state.cluster.events, "this master leads");
        let lead = self.first_command(term);
        let (done, mut outcomes) = mpsc::channel(WINDOW_BATCHES + 1);
        let mut reign = Reign {
            term,
            clock,
            core: Core::new(state, self.settings.clone()).measured(self.meter.clone()),
            meter: self.meter.clone(),
            journal: self.journal.clone(),
            outgoing: self.outgoing.clone(),
            done,
        };
        reign.turn([lead]).await?;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut requests = Vec::with_capacity(TURN_REQUESTS_MAX);
        loop {
            tokio::select! {
                biased;
                changed = leadership.changed() => {
                    if changed.is_err() { return Err(Closed) }
                    if *leadership.borrow() != (Leadership::Leader { term }) { return Ok(()) }
                }
                Some((sequence, outcome)) = outcomes.recv() => match outcome {
                    Outcome::Committed { .. } => reign.committed(sequence).await?,
                    Outcome::NotAppended | Outcome::Unknown => return Ok(()),
                },
                _ = tick.tick(), if !reign.core.is_full() => {
                    if reign.core.is_due(reign.clock.now()) { reign.turn([]).await?; }
                }
                taken = self.requests.recv_many(&mut requests, 1), if !reign.core.is_full() => {
                    if taken == 0 { return Err(Closed) }
                    self.take_more(&mut requests);
                    let of_this_term = requests.drain(..).filter(|request| request.term == term);
                    reign.turn(of_this_term.map(Request::into_input)).await?;
                }
            }
        }
    }

    /// Takes what else waits, as much as fits into a turn.
    fn take_more(&mut self, requests: &mut Vec<Request>) {
        let mut bytes = requests.iter().map(|request| request.bytes).sum::<usize>();
        while requests.len() < TURN_REQUESTS_MAX && bytes < TURN_BYTES_MAX {
            let Ok(request) = self.requests.try_recv() else { return };
            bytes += request.bytes;
            requests.push(request);
        }
    }

    /// Commits an empty batch, so that whatever an earlier leadership of this master has left in
    /// flight is either applied here or will never be.
    async fn catch_up(&self, term: u64) -> bool {
        let (sender, receiver) = oneshot::channel();
        let barrier = Batch { at: Time(0), records: Vec::new() }.encode();
        self.journal.propose(term, Bytes::from(barrier), move |outcome| {
            let _ = sender.send(outcome);
        });
        matches!(receiver.await, Ok(Outcome::Committed { .. }))
    }

    fn first_command(&self, term: u64) -> Input<Ticket> {
        let identity = self.journal.identity();
        let lead = Lead { term, leader: identity.node, cluster: identity.cluster_id.into() };
        Input { command: lead.into(), principal: None, ticket: Ticket::Leader(term) }
    }
}

impl Request {
    fn into_input(self) -> Input<Ticket> {
        Input { command: self.command, principal: self.principal, ticket: self.ticket }
    }
}

/// One term of leading.
struct Reign {
    term: u64,
    clock: Clock,
    core: Core<Ticket>,
    meter: Arc<Meter>,
    journal: Journal,
    outgoing: mpsc::Sender<Outgoing>,
    done: mpsc::Sender<(u64, Outcome)>,
}

impl Reign {
    async fn turn(
        &mut self,
        inputs: impl IntoIterator<Item = Input<Ticket>>,
    ) -> Result<(), Closed> {
        let (proposal, release) = self.core.turn(self.clock.now(), rand::random(), inputs);
        if let Some(proposal) = proposal {
            let (done, sequence) = (self.done.clone(), proposal.sequence);
            let (meter, began) = (self.meter.clone(), Instant::now());
            self.journal.propose(self.term, proposal.payload, move |outcome| {
                meter.store.record(began.elapsed());
                // there is room for the whole window; a leader that is gone does not listen
                let _ = done.try_send((sequence, outcome));
            });
        }
        match release {
            Some(release) => self.release(release).await,
            None => Ok(()),
        }
    }

    async fn committed(&mut self, sequence: u64) -> Result<(), Closed> {
        for release in self.core.committed(sequence) {
            self.release(release).await?;
        }
        Ok(())
    }

    async fn release(&self, release: Release<Ticket>) -> Result<(), Closed> {
        self.meter.unsent.rise();
        self.outgoing
            .send(Outgoing::Release(self.term, Box::new(release)))
            .await
            .map_err(|_| Closed)
    }
}
