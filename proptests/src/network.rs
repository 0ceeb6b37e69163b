//! The simulated network: streams that keep their order and break, single messages that do not, and
//! cuts in either direction.

use std::collections::BTreeMap;

use statemachine::Session;

use crate::cluster::Node;
use crate::happening::{End, Life, Place};

/// A stream between a client and a master.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Who opened it, in which life.
    pub client: (Place, Life),
    /// To which master, in which life.
    pub master: (Node, Life),
    /// Nothing more gets through.
    pub broken: bool,
    ended: [bool; 2],
    arrival: [u64; 2],
}

/// Messages from one side to the other are lost.
#[derive(Clone, Debug)]
struct Cut {
    from: Vec<Place>,
    to: Vec<Place>,
    both_ways: bool,
}

/// The network.
#[derive(Debug, Default)]
pub struct Network {
    streams: BTreeMap<Session, Stream>,
    cuts: BTreeMap<u64, Cut>,
    sessions: u64,
    cuts_made: u64,
}

impl Network {
    /// A new stream.
    pub fn open(&mut self, client: (Place, Life), master: (Node, Life)) -> Session {
        self.sessions += 1;
        let session = Session(self.sessions);
        let stream = Stream { client, master, broken: false, ended: [false; 2], arrival: [0; 2] };
        self.streams.insert(session, stream);
        session
    }

    /// The stream, while either end knows of it.
    pub fn stream(&self, session: Session) -> Option<&Stream> {
        self.streams.get(&session)
    }

    /// When a message sent now reaches `end` after `delay_ms`, behind all sent before it; none if
    /// nothing gets through any more.
    pub fn arrival(&mut self, session: Session, end: End, at_ms: u64) -> Option<u64> {
        let stream = self.streams.get_mut(&session)?;
        if stream.broken || stream.ended[index(end)] {
            return None;
        }
        Some(stream.follow(end, at_ms))
    }

    /// Breaks a stream; when its ends notice, given that each could at these times. None if it is
    /// broken already.
    pub fn break_stream(&mut self, session: Session, at_ms: [u64; 2]) -> Option<[u64; 2]> {
        let stream = self.streams.get_mut(&session).filter(|stream| !stream.broken)?;
        stream.broken = true;
        let [client, master] = at_ms;
        Some([stream.follow(End::Client, client), stream.follow(End::Master, master)])
    }

    /// One end has noticed; whether that is news. The stream is forgotten once both have.
    pub fn end(&mut self, session: Session, end: End) -> Option<Stream> {
        let stream = self.streams.get_mut(&session)?;
        let news = !std::mem::replace(&mut stream.ended[index(end)], true);
        let copy = stream.clone();
        if stream.ended == [true; 2] {
            self.streams.remove(&session);
        }
        news.then_some(copy)
    }

    /// Whether this end of the stream still listens.
    pub fn listens(&self, session: Session, end: End) -> bool {
        self.streams.get(&session).is_some_and(|stream| !stream.ended[index(end)])
    }

    /// The streams that are not broken and for which `which` holds.
    pub fn whole(&self, which: impl Fn(&Stream) -> bool) -> Vec<Session> {
        let whole = self.streams.iter().filter(|(_, stream)| !stream.broken && which(stream));
        whole.map(|(session, _)| *session).collect()
    }

    /// Loses everything from one side to the other; the name to mend it by.
    pub fn cut(&mut self, from: Vec<Place>, to: Vec<Place>, both_ways: bool) -> u64 {
        self.cuts_made += 1;
        self.cuts.insert(self.cuts_made, Cut { from, to, both_ways });
        self.cuts_made
    }

    /// Mends a cut.
    pub fn mend(&mut self, cut: u64) {
        self.cuts.remove(&cut);
    }

    /// Mends all cuts.
    pub fn mend_all(&mut self) {
        self.cuts.clear();
    }

    /// Whether messages in this direction are lost.
    pub fn blocks(&self, from: Place, to: Place) -> bool {
        self.cuts.values().any(|cut| {
            cut.from.contains(&from) && cut.to.contains(&to)
                || cut.both_ways && cut.from.contains(&to) && cut.to.contains(&from)
        })
    }
}

impl Stream {
    fn follow(&mut self, end: End, at_ms: u64) -> u64 {
        let arrival = &mut self.arrival[index(end)];
        *arrival = (*arrival).max(at_ms);
        *arrival
    }
}

fn index(end: End) -> usize {
    match end {
        End::Client => 0,
        End::Master => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: (Place, Life) = (Place::Agent(1), 1);

    #[test]
    fn a_stream_keeps_its_order_and_ends_once() {
        let mut network = Network::default();
        let session = network.open(CLIENT, (0, 1));
        assert_eq!(network.arrival(session, End::Master, 50), Some(50));
        assert_eq!(network.arrival(session, End::Master, 20), Some(50), "behind the first");
        assert_eq!(network.arrival(session, End::Client, 20), Some(20));
        assert_eq!(network.break_stream(session, [30, 30]), Some([30, 50]));
        assert_eq!(network.break_stream(session, [30, 30]), None);
        assert_eq!(network.arrival(session, End::Client, 60), None);
        assert!(network.end(session, End::Client).is_some());
        assert!(network.end(session, End::Client).is_none());
        assert!(network.listens(session, End::Master));
        assert!(network.end(session, End::Master).is_some());
        assert!(network.stream(session).is_none());
    }

    #[test]
    fn cuts_have_a_direction() {
        let mut network = Network::default();
        let (a, b) = (Place::Master(0), Place::Master(1));
        let cut = network.cut(vec![a], vec![b], false);
        assert!(network.blocks(a, b));
        assert!(!network.blocks(b, a));
        network.mend(cut);
        assert!(!network.blocks(a, b));
        network.cut(vec![a], vec![b], true);
        assert!(network.blocks(b, a));
    }
}
