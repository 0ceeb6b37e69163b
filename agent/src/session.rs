//! The agent's stream to the leader: found, held, and found again.

use std::collections::VecDeque;
use std::time::Duration;

use protocol::agents::{FromAgent, ToAgent, Welcome, from_agent, to_agent};
use protocol::rpc;
use protocol::tls::Tls;
use rand::RngExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::decide::Input;

/// Messages that may wait for the leader to read them; beyond, the stream is given up and a new one
/// begun.
const OUTBOUND_LIMIT: usize = 65_536;
/// How long a master may take to answer a Hello.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);
/// Shortest ping timeout that is believed; a master that says 0 would be left at once.
const PING_TIMEOUT_MIN: Duration = Duration::from_secs(1);
/// First pause after all masters were tried in vain; it doubles up to the flag's.
const BACKOFF_FIRST: Duration = Duration::from_millis(50);
/// Masters that are remembered as worth a try.
const CANDIDATES: usize = 32;

/// Why one try to reach a leader ended.
#[derive(Debug)]
enum End {
    /// This master is not the leader; another may be.
    NotLeader { leader: Option<String>, masters: Vec<String> },
    /// The master will not have this agent; why was said.
    Refused,
    /// It leads in an older term than this agent has heard of, or another cluster.
    Unheard { term: u64 },
    /// No master there, or no longer.
    Lost,
    /// The stream did its work and broke.
    Held { masters: Vec<String> },
    /// The agent ends.
    Stopped,
}

/// Holds a stream to the leader, whichever master that is, for as long as the agent runs.
#[derive(Debug)]
pub(crate) struct Session {
    inputs: mpsc::Sender<Input>,
    configured: Vec<String>,
    tls: Option<Tls>,
    /// Masters in the order in which they are to be tried.
    candidates: VecDeque<String>,
    backoff: Backoff,
}

/// How long to pause after all masters were tried in vain: up to a limit that doubles each time, and
/// has a limit itself.
#[derive(Debug)]
struct Backoff {
    limit: Duration,
    max: Duration,
}

impl Backoff {
    fn new(max: Duration) -> Self {
        Self { limit: BACKOFF_FIRST, max: max.max(BACKOFF_FIRST) }
    }

    /// The next pause: a share of the limit, drawn at random so that agents do not come in step
    /// (semantics 220).
    fn next(&mut self, share: f64) -> Duration {
        let pause = self.limit.mul_f64(share);
        self.limit = (self.limit * 2).min(self.max);
        pause
    }

    /// A stream was held: the next one is not to blame for what was before.
    fn reset(&mut self) {
        self.limit = BACKOFF_FIRST;
    }
}

impl Session {
    /// `masters` are the addresses to begin with; `backoff_max` is the longest pause between two
    /// rounds.
    pub(crate) fn new(
        inputs: mpsc::Sender<Input>,
        (masters, tls): (Vec<String>, Option<Tls>),
        backoff_max: Duration,
    ) -> Self {
        Self {
            inputs,
            candidates: masters.iter().cloned().collect(),
            configured: masters,
            tls,
            backoff: Backoff::new(backoff_max),
        }
    }

    /// Runs until the agent's loop is gone.
    pub(crate) async fn run(mut self) {
        let mut tries = 0;
        let mut complained = false;
        loop {
            let Some(master) = self.candidates.pop_front() else {
                self.learn(self.configured.clone());
                continue;
            };
            tries += 1;
            let (Ok(end) | Err(end)) = Box::pin(self.try_master(&master)).await;
            match end {
                End::Stopped => return,
                End::Held { masters } => {
                    tracing::info!(master, "the stream to the leader is gone");
                    self.backoff.reset();
                    (tries, complained) = (0, false);
                    self.learn(masters);
                }
                End::NotLeader { leader, masters } => {
                    self.learn(masters);
                    self.prefer(leader);
                }
                // said once, as that no master takes it
                End::Unheard { term } if !complained => tracing::warn!(
                    master,
                    term,
                    "not listened to: of an older term, or another cluster. Masters that went back to an older \
                     journal are not those that this agent knows: it serves them with an empty work directory"
                ),
                End::Refused | End::Unheard { .. } | End::Lost => {}
            }
            self.learn(vec![master]);
            if tries >= self.candidates.len() {
                tries = 0;
                // once, until the agent was registered again
                if !std::mem::replace(&mut complained, true) {
                    let masters = &self.candidates;
                    tracing::warn!(?masters, "no master takes this agent yet; it goes on trying");
                }
                let share = rand::rng().random_range(0.0..1.0);
                sleep(self.backoff.next(share)).await;
            }
        }
    }

    /// Puts masters at the end of the queue, unless they are in it.
    fn learn(&mut self, masters: Vec<String>) {
        for master in masters {
            if !self.candidates.contains(&master) && self.candidates.len() < CANDIDATES {
                self.candidates.push_back(master);
            }
        }
    }

    fn prefer(&mut self, leader: Option<String>) {
        if let Some(leader) = leader {
            self.candidates.retain(|known| *known != leader);
            self.candidates.push_front(leader);
        }
    }

    /// One try, from Hello to its end; what cut it short comes as an error.
    async fn try_master(&self, master: &str) -> Result<End, End> {
        let channel = rpc::channel(master, self.tls.as_ref()).map_err(|error| {
            tracing::warn!(%error, "a master's address is of no use");
            End::Lost
        })?;
        let (outbound, received) = mpsc::channel(OUTBOUND_LIMIT);
        let hello = self.ask(|reply| Input::Greeting { reply }).await?;
        let hello = FromAgent { message: Some(from_agent::Message::Hello(*hello)) };
        outbound.try_send(hello).map_err(|_| End::Lost)?;
        let mut client = rpc::agents_client(channel);
        let opened = client.session(ReceiverStream::new(received));
        let opened = timeout(GREETING_TIMEOUT, opened).await;
        let mut inbound = match opened {
            Ok(Ok(response)) => response.into_inner(),
            Ok(Err(status)) => {
                tracing::debug!(master, %status, "no stream");
                return Err(End::Lost);
            }
            Err(_) => return Err(End::Lost),
        };
        let first = timeout(GREETING_TIMEOUT, next(&mut inbound)).await.map_err(|_| End::Lost)?;
        match first {
            Some(to_agent::Message::Welcome(welcome)) => {
                self.hold(master, welcome, outbound, inbound).await
            }
            Some(to_agent::Message::NotLeader(answer)) => {
                let leader = Some(answer.leader).filter(|leader| !leader.is_empty());
                Ok(End::NotLeader { leader, masters: answer.masters })
            }
            Some(to_agent::Message::Refused(refused)) => {
                tracing::warn!(master, reason = refused.reason, "the master refuses this agent");
                let refused = to_agent::Message::Refused(refused);
                self.tell(Input::Directive(Box::new(refused))).await?;
                Ok(End::Refused)
            }
            _ => Err(End::Lost),
        }
    }

    async fn hold(
        &self,
        master: &str,
        welcome: Welcome,
        outbound: mpsc::Sender<FromAgent>,
        mut inbound: Streaming<ToAgent>,
    ) -> Result<End, End> {
        let masters = welcome.masters.clone();
        let ping_timeout = Duration::from_millis(welcome.ping_timeout_ms).max(PING_TIMEOUT_MIN);
        let term = welcome.term;
        // The loop alone keeps the sending end: when it lets go, the stream ends.
        let is_ours = self.ask(|reply| Input::Welcomed { welcome, outbound, reply }).await?;
        if !is_ours {
            return Err(End::Unheard { term });
        }
        tracing::info!(master, term, "registered with the leader");
        while let Ok(Some(message)) = timeout(ping_timeout, next(&mut inbound)).await {
            self.tell(Input::Directive(Box::new(message))).await?;
        }
        self.tell(Input::Disconnected).await?;
        Ok(End::Held { masters })
    }

    async fn tell(&self, input: Input) -> Result<(), End> {
        self.inputs.send(input).await.map_err(|_| End::Stopped)
    }

    async fn ask<T>(&self, input: impl FnOnce(oneshot::Sender<T>) -> Input) -> Result<T, End> {
        let (reply, answer) = oneshot::channel();
        self.tell(input(reply)).await?;
        answer.await.map_err(|_| End::Stopped)
    }
}

/// The next message; nothing when the stream is over, however it ended.
async fn next(inbound: &mut Streaming<ToAgent>) -> Option<to_agent::Message> {
    loop {
        match inbound.message().await {
            // A message of a kind that this agent does not know is passed over.
            Ok(Some(ToAgent { message: None })) => {}
            Ok(Some(ToAgent { message })) => return message,
            Ok(None) => return None,
            Err(status) => {
                tracing::debug!(%status, "the stream broke");
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(max_ms: u64, shares: &[f64], expected_ms: &[u64]) {
        let mut backoff = Backoff::new(Duration::from_millis(max_ms));
        let pauses: Vec<_> = shares.iter().map(|share| backoff.next(*share)).collect();
        let expected: Vec<_> = expected_ms.iter().copied().map(Duration::from_millis).collect();
        assert_eq!(pauses, expected);
        backoff.reset();
        assert_eq!(backoff.next(1.0), BACKOFF_FIRST);
    }

    /// semantics 220
    #[test]
    fn pauses_are_drawn_from_an_interval_that_doubles() {
        check(1_000, &[1.0; 7], &[50, 100, 200, 400, 800, 1_000, 1_000]);
        check(1_000, &[0.0, 0.5, 0.5], &[0, 50, 100]);
        check(0, &[1.0; 3], &[50; 3]);
    }
}
