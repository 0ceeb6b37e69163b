//! How a client finds the leader and keeps a stream to it: as `mesolith` agents and v1 schedulers
//! do, in turn and with a pause.

use statemachine::Session;

use crate::cluster::Node;
use crate::happening::{Life, Place};
use crate::nature::Nature;

/// A client that hears nothing of its request for this long hangs up.
const PATIENCE_MS: u64 = 5_000;

/// A client's one stream.
#[derive(Debug)]
pub struct Connection {
    place: Place,
    masters: u8,
    /// The master to try next.
    next: Node,
    /// Not before then.
    try_at: u64,
    session: Option<Session>,
    opened_at: u64,
    /// The leader has answered.
    welcome: bool,
}

impl Connection {
    /// No stream yet, of a client that knows all masters.
    pub fn new(place: Place, masters: u8) -> Self {
        let mut connection = Self {
            place,
            masters,
            next: 0,
            try_at: 0,
            session: None,
            opened_at: 0,
            welcome: false,
        };
        connection.reset();
        connection
    }

    /// The process has started again.
    pub fn reset(&mut self) {
        self.session = None;
        self.welcome = false;
        self.try_at = 0;
    }

    /// The stream, once the leader has answered over it.
    pub fn ready(&self) -> Option<Session> {
        self.session.filter(|_| self.welcome)
    }

    /// Whether this is the stream.
    pub fn is(&self, session: Session) -> bool {
        self.session == Some(session)
    }

    /// The leader has answered.
    pub fn welcomed(&mut self) {
        self.welcome = true;
    }

    /// Opens a stream if there is none and it is time; the caller sends its request over it.
    pub fn open(&mut self, life: Life, nature: &mut Nature) -> Option<Session> {
        if self.session.is_some() && !self.welcome && nature.now > self.opened_at + PATIENCE_MS {
            self.hang_up(nature);
        }
        if self.session.is_some() || nature.now < self.try_at {
            return None;
        }
        self.session = nature.open((self.place, life), self.next);
        self.opened_at = nature.now;
        self.welcome = false;
        if self.session.is_none() {
            self.lost(None, nature);
        }
        self.session
    }

    /// The stream is over; the next try is with `hint`, or with the next master in turn.
    pub fn lost(&mut self, hint: Option<Node>, nature: &mut Nature) {
        self.session = None;
        self.welcome = false;
        self.next = hint.unwrap_or((self.next + 1) % self.masters);
        self.try_at = nature.now + nature.dice.between(20, 400);
    }

    /// Gives the stream up.
    pub fn hang_up(&mut self, nature: &mut Nature) {
        if let Some(session) = self.session {
            nature.hang_up(session);
            self.lost(None, nature);
        }
    }
}
