//! Keeps holes out of the proposals of a term. A leader that decides ahead builds each proposal on
//! those before it; if one is refused (no quorum answered lately, the queue was full) and a later
//! one still got in, that one would rest on something that never happened.

use std::sync::Arc;

use tokio::sync::watch;

/// A term in which a proposal was refused takes no more. Clones share what is known.
#[derive(Clone)]
pub(crate) struct Gate(Arc<watch::Sender<u64>>);

/// The place of a proposal among those of its term, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) term: u64,
    pub(crate) sequence: u64,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    /// `term`, and those before it, take no more.
    pub(crate) fn close(&self, term: u64) {
        self.0.send_if_modified(|closed| {
            let later = term > *closed;
            *closed = term.max(*closed);
            later
        });
    }

    pub(crate) fn is_closed(&self, term: u64) -> bool {
        term <= *self.0.borrow()
    }

    /// Tells when another term is closed.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

/// Gives tickets, and checks them where entries enter the log.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    next: Option<Ticket>,
}

impl Sequence {
    /// The next ticket of `term`.
    pub(crate) fn take(&mut self, term: u64) -> Ticket {
        let next = self.next.filter(|next| next.term == term);
        let ticket = next.unwrap_or(Ticket { term, sequence: 0 });
        self.next = Some(Ticket { term, sequence: ticket.sequence + 1 });
        ticket
    }

    /// Whether nothing is missing before `ticket`; if something is, nothing after it passes.
    pub(crate) fn admit(&mut self, ticket: Ticket) -> bool {
        let expected = match self.next {
            Some(next) if next.term >= ticket.term => next,
            _ => Ticket { term: ticket.term, sequence: 0 },
        };
        let admitted = ticket == expected;
        if admitted {
            self.next = Some(Ticket { sequence: ticket.sequence + 1, ..ticket });
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tickets: &[(u64, u64)], expected: &[bool]) {
        let mut sequence = Sequence::default();
        let tickets =
            tickets.iter().map(|(term, sequence)| Ticket { term: *term, sequence: *sequence });
        let admitted: Vec<bool> = tickets.map(|ticket| sequence.admit(ticket)).collect();
        assert_eq!(admitted, expected);
    }

    #[test]
    fn nothing_passes_after_a_hole() {
        check(&[(1, 0), (1, 1), (1, 2)], &[true, true, true]);
        check(&[(1, 0), (1, 2), (1, 3), (1, 1)], &[true, false, false, true]);
        check(&[(1, 1), (1, 2)], &[false, false]);
        check(&[(1, 0), (2, 0), (1, 1), (2, 1)], &[true, true, false, true]);
        check(&[(1, 0), (2, 1), (2, 2)], &[true, false, false]);
    }

    #[test]
    fn tickets_count_from_zero_in_each_term() {
        let mut sequence = Sequence::default();
        let taken = [1, 1, 3, 3, 3].map(|term| sequence.take(term).sequence);
        assert_eq!(taken, [0, 1, 0, 1, 2]);
    }

    #[test]
    fn a_closed_gate_stays_closed() {
        let gate = Gate::new();
        assert!(!gate.is_closed(1));
        gate.close(3);
        gate.close(2);
        assert!(gate.is_closed(1) && gate.is_closed(3) && !gate.is_closed(4));
    }
}
