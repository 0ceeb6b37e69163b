//! The agent ends for good, and its containers before it.

use std::time::Duration;

use protocol::agents::{Refused, Unregister, from_agent};

use super::live::{Farewell, Leaving, Timer};
use super::{Effect, End, Turn};
use crate::checkpoint::event::Event;

/// How long an agent that leaves waits for a master to take note.
const FAREWELL_LIMIT: Duration = Duration::from_secs(15);

impl Turn<'_> {
    /// The operator wants the agent gone (SIGUSR1): it unregisters, and ends with its last container.
    pub(super) fn unregister(&mut self) {
        if self.live.leaving.is_some() {
            return;
        }
        // One that never registered has nobody to tell.
        let is_registered = self.state.identity.is_some();
        let farewell = if is_registered { Farewell::Owed } else { Farewell::Needless };
        self.live.timers.set(self.now + FAREWELL_LIMIT, Timer::Farewell);
        self.leave(End::Left, farewell);
    }

    /// The master will not have this agent. To one that unregisters, this says that it is unknown by
    /// now: the answer to its farewell was lost with another leader.
    pub(super) fn refused(&mut self, refused: &Refused) {
        if refused.shutdown && self.live.leaving.is_some() {
            self.farewell(Farewell::Taken);
        } else if refused.shutdown {
            self.leave(End::Removed(refused.reason.clone()), Farewell::Needless);
        }
    }

    fn leave(&mut self, end: End, farewell: Farewell) {
        tracing::warn!(?end, "this agent ends, and its tasks with it");
        self.live.leaving = Some(Leaving { end, farewell });
        self.say_farewell();
        let frameworks: Vec<String> = self.state.frameworks.keys().cloned().collect();
        for framework in frameworks {
            self.end_framework(&framework, 0);
        }
        self.leave_when_empty();
    }

    /// Unregisters, if that is owed: to every leader that the agent meets until one has answered.
    pub(super) fn say_farewell(&mut self) {
        let leaving = self.live.leaving.as_ref();
        if leaving.is_some_and(|leaving| leaving.farewell == Farewell::Owed) {
            self.send(from_agent::Message::Unregister(Unregister {}));
        }
    }

    /// The farewell is over, one way or the other.
    pub(super) fn farewell(&mut self, farewell: Farewell) {
        let owed = self.live.leaving.as_mut().filter(|it| it.farewell == Farewell::Owed);
        if let Some(leaving) = owed {
            leaving.farewell = farewell;
            self.leave_when_empty();
        }
    }

    pub(super) fn leave_when_empty(&mut self) {
        let Some(leaving) = self.live.leaving.clone() else { return };
        let is_empty = self.state.executors.values().all(|executor| executor.has_ended);
        if !is_empty || leaving.farewell == Farewell::Owed {
            return;
        }
        // who is not wanted under its id, and has ended all it ran, may come back under another: on a
        // machine that is in service again nobody has to clear the work directory first
        if leaving.farewell == Farewell::Taken || matches!(leaving.end, End::Removed(_)) {
            self.record(Event::Unregistered);
        }
        self.effect(Effect::Stop(leaving.end));
    }
}

#[cfg(test)]
mod tests {
    use protocol::agents::{Unregistered, Welcome, to_agent};
    use tokio::sync::{mpsc, oneshot};
    use tokio::time::Instant;

    use super::super::Input;
    use super::super::histories::settings;
    use super::super::live::Live;
    use super::*;
    use crate::checkpoint::state::State;

    fn welcome() -> Input {
        let (agent_id, cluster_id) = ("a".to_owned(), "c".to_owned());
        let welcome = Welcome { cluster_id, agent_id, term: 1, ..Welcome::default() };
        let ((outbound, _), (reply, _)) = (mpsc::channel(1), oneshot::channel());
        Input::Welcomed { welcome, outbound, reply }
    }

    fn unregistered() -> Input {
        Input::Directive(Box::new(to_agent::Message::Unregistered(Unregistered {})))
    }

    fn refused() -> Input {
        let refused = Refused { reason: "no".to_owned(), shutdown: true };
        Input::Directive(Box::new(to_agent::Message::Refused(refused)))
    }

    /// How often the agent says farewell, how it ends, and whether it still knows who it is.
    fn check(inputs: Vec<Input>, farewells: usize, end: Option<&End>, is_known: bool) {
        let (mut state, mut live, settings) = (State::default(), Live::default(), settings());
        let mut turn = Turn::new(&mut state, &mut live, &settings, Instant::now(), 0.0);
        for input in inputs {
            turn.take(input);
        }
        let (mut said, mut stops) = (0, Vec::new());
        for effect in turn.effects {
            match effect {
                Effect::Send(message) => {
                    said += usize::from(matches!(*message, from_agent::Message::Unregister(_)));
                }
                Effect::Stop(end) => stops.push(end),
                _ => {}
            }
        }
        assert_eq!((said, stops.first()), (farewells, end));
        assert_eq!(state.identity.is_some(), is_known);
    }

    #[test]
    fn an_agent_leaves_when_its_farewell_was_taken() {
        let left = Some(&End::Left);
        check(vec![welcome(), Input::Unregister], 1, None, true);
        check(vec![welcome(), Input::Unregister, Input::Unregister], 1, None, true);
        check(vec![welcome(), Input::Unregister, unregistered()], 1, left, false);
        check(vec![welcome(), Input::Unregister, refused()], 1, left, false);
    }

    #[test]
    fn a_new_leader_hears_the_farewell_again() {
        let again = vec![welcome(), Input::Unregister, Input::Disconnected, welcome()];
        check(again, 2, None, true);
    }

    #[test]
    fn nobody_is_waited_for_without_end() {
        let late = vec![welcome(), Input::Unregister, Input::Due(Timer::Farewell)];
        check(late, 1, Some(&End::Left), true);
        check(vec![Input::Unregister], 0, Some(&End::Left), false);
    }

    #[test]
    fn an_agent_that_is_not_wanted_ends_without_farewell() {
        let removed = End::Removed("no".to_owned());
        check(vec![welcome(), refused()], 0, Some(&removed), false);
    }
}
