//! What surrounds every simulated process: time, chance, the network, the trace, and the oracle that
//! knows what really happened.

use std::fmt;
use std::sync::Arc;

use statemachine::{Session, Settings};

use crate::agenda::Agenda;
use crate::bug::Bug;
use crate::cluster::Node;
use crate::dice::Dice;
use crate::happening::{End, Happening, Life, Place, Request, ToClient};
use crate::invariants::Oracle;
use crate::network::Network;
use crate::trace::Trace;

/// The surroundings.
#[derive(Debug)]
pub struct Nature {
    /// Virtual milliseconds since the start.
    pub now: u64,
    /// The run's randomness.
    pub dice: Dice,
    /// What is to come.
    pub agenda: Agenda<Happening>,
    /// What was.
    pub trace: Trace,
    /// Streams and cuts.
    pub network: Network,
    /// What must hold.
    pub oracle: Oracle,
    /// The leader's flags, the same for all masters.
    pub settings: Arc<Settings>,
    /// The planted fault, if there is one.
    pub bug: Option<Bug>,
    /// All faults are over.
    pub calm: bool,
    lives: std::collections::BTreeMap<Node, (Life, bool)>,
}

impl Nature {
    /// The surroundings of one run.
    pub fn new(seed: u64, settings: Settings, bug: Option<Bug>, trace: Trace) -> Self {
        Self {
            now: 0,
            dice: Dice::new(seed),
            agenda: Agenda::default(),
            trace,
            network: Network::default(),
            oracle: Oracle::default(),
            settings: Arc::new(settings),
            bug,
            calm: false,
            lives: std::collections::BTreeMap::new(),
        }
    }

    /// Whether this is the planted fault.
    pub fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Writes a line of the trace.
    pub fn note(&mut self, what: fmt::Arguments<'_>) {
        self.trace.note(self.now, what);
    }

    /// Plans something.
    pub fn after(&mut self, delay_ms: u64, happening: Happening) {
        self.agenda.plan(self.now + delay_ms, happening);
    }

    /// How long a message is under way: mostly short, sometimes not.
    pub fn delay_ms(&mut self) -> u64 {
        match self.dice.below(100) {
            0..90 => self.dice.between(1, 4),
            90..98 => self.dice.between(5, 50),
            _ => self.dice.between(50, 400),
        }
    }

    /// A master's process has started or stopped.
    pub fn set_life(&mut self, master: Node, life: Life, up: bool) {
        self.lives.insert(master, (life, up));
    }

    /// A new stream to a master; none if it cannot be reached.
    pub fn open(&mut self, client: (Place, Life), master: Node) -> Option<Session> {
        let (life, up) = self.lives.get(&master).copied().unwrap_or_default();
        let (there, back) = (client.0, Place::Master(master));
        if !up || self.network.blocks(there, back) || self.network.blocks(back, there) {
            return None;
        }
        Some(self.network.open(client, (master, life)))
    }

    /// Sends a request over a stream of this client.
    pub fn send(&mut self, request: Request) {
        let session = request.session;
        let Some(stream) = self.network.stream(session) else { return };
        let (client, master) = (stream.client.0, stream.master.0);
        if self.network.blocks(client, Place::Master(master)) {
            return self.break_stream(session);
        }
        let at_ms = self.now + self.delay_ms();
        if let Some(at_ms) = self.network.arrival(session, End::Master, at_ms) {
            self.agenda.plan(at_ms, Happening::Ask { master, request: Box::new(request) });
        }
    }

    /// Sends a call to the master at the other end of a stream, over a connection of its own: it may
    /// overtake others, and may be lost.
    pub fn call(&mut self, request: Request) {
        let Some(stream) = self.network.stream(request.session) else { return };
        let (client, master) = (stream.client.0, stream.master.0);
        let lost = !self.calm && self.dice.chance(5);
        if !lost && !self.network.blocks(client, Place::Master(master)) {
            let delay_ms = self.delay_ms();
            self.after(delay_ms, Happening::Ask { master, request: Box::new(request) });
        }
    }

    /// Sends something to the client's end of a stream.
    pub fn tell(&mut self, session: Session, message: ToClient) {
        let Some(stream) = self.network.stream(session) else { return };
        let (client, master) = (stream.client.0, stream.master.0);
        if self.network.blocks(Place::Master(master), client) {
            return self.break_stream(session);
        }
        let at_ms = self.now + self.delay_ms();
        if let Some(at_ms) = self.network.arrival(session, End::Client, at_ms) {
            self.agenda.plan(at_ms, Happening::Tell(session, message));
        }
    }

    /// Breaks a stream. Each end notices in its own time, a cut-off one late.
    pub fn break_stream(&mut self, session: Session) {
        let Some(stream) = self.network.stream(session) else { return };
        let (client, master) = (stream.client.0, Place::Master(stream.master.0));
        let cut = self.network.blocks(client, master) || self.network.blocks(master, client);
        let limit_ms = if cut { 8_000 } else { 100 };
        let noticed = [0; 2].map(|_: u64| self.now + self.dice.between(1, limit_ms));
        if let Some([client, master]) = self.network.break_stream(session, noticed) {
            self.oracle.streams.over(session);
            self.agenda.plan(client, Happening::Ended(session, End::Client));
            self.agenda.plan(master, Happening::Ended(session, End::Master));
        }
    }

    /// The client hangs up: it hears nothing more, the master soon hears of that.
    pub fn hang_up(&mut self, session: Session) {
        self.break_stream(session);
        self.network.end(session, End::Client);
    }

    /// Breaks the streams of a process that died, or that a cut crosses.
    pub fn break_streams(&mut self, which: impl Fn(&Network, Place, Place) -> bool) {
        let crossing = self
            .network
            .whole(|stream| which(&self.network, stream.client.0, Place::Master(stream.master.0)));
        for session in crossing {
            self.break_stream(session);
        }
    }
}
