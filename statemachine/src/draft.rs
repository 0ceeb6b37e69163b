//! A decision in the making: events recorded so far, each folded into the working state at once.

use std::sync::Arc;

use crate::context::Context;
use crate::effect::{Directive, Effect, FrameworkMessage};
use crate::event::Event;
use crate::id::{AgentId, EventNumber, FrameworkId};
use crate::state::State;

/// Where a command records its events. Later parts of a decision see what earlier parts recorded.
///
/// A command that is refused must not have recorded anything: check first, record after.
#[derive(Debug)]
pub struct Draft<'a> {
    state: &'a mut State,
    context: &'a Context,
    events: Vec<Event>,
    effects: Vec<Effect>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(state: &'a mut State, context: &'a Context) -> Self {
        Self { state, context, events: Vec::new(), effects: Vec::new() }
    }

    /// The working state, with everything recorded so far.
    pub fn state(&self) -> &State {
        self.state
    }

    /// The world.
    pub fn context(&self) -> &'a Context {
        self.context
    }

    /// Records that `event` happened.
    pub fn record(&mut self, event: impl Into<Event>) {
        let event = event.into();
        crate::apply(self.state, self.context.now, &event, &mut self.effects);
        self.events.push(event);
    }

    /// Sends something that no event stands behind (an answer about the present state).
    pub fn say(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Tells a framework something about the present state, if it has a stream.
    pub fn tell(&mut self, framework: FrameworkId, message: FrameworkMessage) {
        self.state.tell(framework, message, &mut self.effects);
    }

    /// Directs an agent to something that is owed already, if it has a stream.
    pub fn direct(&mut self, agent: AgentId, directive: Directive) {
        self.state.direct(agent, directive, &mut self.effects);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(crate) fn finish(self, reply: Reply) -> Decision {
        Decision { events: self.events, effects: self.effects, reply }
    }
}

/// What came of a command. The events are already folded into the working state; the effects and
/// the reply may leave the master once the events, and all decided before them, are committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What happened; may be empty.
    pub events: Vec<Event>,
    /// What to send.
    pub effects: Vec<Effect>,
    /// What the caller hears.
    pub reply: Reply,
}

/// The answer to the caller of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reply {
    /// Done.
    #[default]
    Done,
    /// The framework is subscribed under this number and wire id.
    Subscribed(FrameworkId, Arc<str>),
    /// The agent is registered under this number.
    Registered(AgentId),
    /// The agent has been told of what was converted by the directive of this number.
    Converted(AgentId, EventNumber),
}
