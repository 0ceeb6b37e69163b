//! One call to the real core and to the model: what a generated call comes to, and the comparison.

use std::collections::BTreeSet;
use std::fmt::Debug;

use statemachine::testing::World;
use statemachine::{AgentId, Command, FrameworkId, OfferId, Rejection, Reply, Session};

use crate::call::Call;
use crate::compare::compare;
use crate::model::{Link, Model, Refused};
use crate::said;

/// Roles that frameworks have and operators limit.
pub(crate) const ROLES: [&str; 4] = ["a", "a/x", "b", "b/y/z"];
/// More of either are not made.
const CLIENTS_MAX: usize = 4;

/// The real core and the model side by side.
pub(crate) struct Pair {
    pub(crate) real: World,
    pub(crate) model: Model,
    /// Numbers of status updates, so that each has its own.
    pub(crate) updates: u64,
}

impl Pair {
    /// A cluster with a leader and nothing else. Offers last two minutes.
    pub(crate) fn new() -> Self {
        let mut real = World::new();
        real.settings.offer_timeout_ms = Some(120_000);
        let model = Model { now: real.now.0, elected_at: real.now.0, ..Model::default() };
        Self { real, model, updates: 0 }
    }

    /// Makes one call, if there is anything that it can be made with.
    ///
    /// # Panics
    /// When the real core does anything else than the model.
    pub(crate) fn act(&mut self, call: &Call) {
        let before = self.model.clone();
        self.real.sent();
        let state = self.real.state.clone();
        let done = self.dispatch(call);
        let Some((real, model)) = done else { return };
        assert_eq!(real.as_ref().err().map(name_of), model.err().map(str::to_owned), "{call:?}");
        if model.is_ok() {
            self.model.finish_drains();
        }
        self.model.said.sort();
        let want = std::mem::take(&mut self.model.said);
        assert_eq!(said::read(&self.real.sent(), &state), want, "told after {call:?}");
        self.note_launches();
        compare(&self.real.state, &self.model);
        self.check_limits(&before, call);
    }

    fn dispatch(&mut self, call: &Call) -> Option<(Result<Reply, Rejection>, Refused)> {
        match call {
            Call::Subscribe { .. }
            | Call::Resubscribe { .. }
            | Call::UpdateFramework { .. }
            | Call::HangUp { .. }
            | Call::Teardown { .. }
            | Call::Suppress { .. }
            | Call::Revive { .. } => self.framework_call(call),
            Call::Kill { .. }
            | Call::Report { .. }
            | Call::Acknowledge { .. }
            | Call::Reconcile { .. }
            | Call::ShutdownExecutor { .. }
            | Call::ExecutorExits { .. } => self.task_call(call),
            Call::Allocate { .. } | Call::Accept { .. } | Call::Decline { .. } => {
                self.offer_call(call)
            }
            Call::Register { .. }
            | Call::Return { .. }
            | Call::AgentHangsUp { .. }
            | Call::Stopped { .. }
            | Call::Unregister { .. } => self.agent_call(call),
            _ => self.operator_call(call),
        }
    }

    /// Numbers of launches grow; the model takes them from the real core once they are known to.
    fn note_launches(&mut self) {
        let latest = self.model.tasks.values().map(|task| task.launched).max().unwrap_or(0);
        for (key, task) in &self.real.state.tasks {
            let name = (key.framework, key.task.to_string());
            let Some(known) = self.model.tasks.get_mut(&name) else { continue };
            if known.launched == 0 {
                assert!(task.launched.0 > latest, "launch {} after {latest}", task.launched);
                known.launched = task.launched.0;
            }
            assert_eq!(known.launched, task.launched.0, "launch of {name:?}");
        }
        for (key, executor) in &self.real.state.executors {
            let name = (key.agent, key.framework, key.executor.to_string());
            if let Some(known) = self.model.executors.get_mut(&name) {
                known.launched = executor.launched.0;
            }
        }
    }

    /// Nothing that a client does takes a role further above its limit; agents that come back, or report
    /// what came back with them, may, and operators who say that they want it.
    fn check_limits(&self, before: &Model, call: &Call) {
        let brings =
            matches!(call, Call::Return { .. } | Call::Register { .. } | Call::Report { .. });
        if brings || matches!(call, Call::Limit { .. }) {
            return;
        }
        let (then, now) = (before.consumptions(None), self.model.consumptions(None));
        assert!(!self.model.passes(&then, &now), "a limit is passed after {call:?}: {now:?}");
    }

    pub(crate) fn ask(&mut self, command: impl Into<Command>) -> Result<Reply, Rejection> {
        self.real.ask(command)
    }

    pub(crate) fn frameworks(&self) -> Vec<FrameworkId> {
        // one that is over is picked now and then too
        let over = self.model.over.iter().take(1);
        self.model.frameworks.keys().chain(over).copied().collect()
    }

    pub(crate) fn agents(&self) -> Vec<AgentId> {
        let strangers = self.model.gone.keys().copied().chain([AgentId(99)]).take(1);
        self.model.agents.keys().copied().chain(strangers).collect()
    }

    pub(crate) fn agent_session(&self, agent: AgentId, is_old: bool) -> Session {
        session_of(self.model.agents.get(&agent).map(|agent| agent.link), is_old)
    }

    /// A framework, mostly one that holds offers.
    pub(crate) fn pick_holder(&self, number: u8) -> Option<FrameworkId> {
        let holders: BTreeSet<FrameworkId> =
            self.model.offers.values().map(|offer| offer.framework).collect();
        let holders: Vec<FrameworkId> = holders.into_iter().collect();
        pick(&holders, number).filter(|_| number < 240).or_else(|| pick(&self.frameworks(), number))
    }

    /// The offers that numbers pick: mostly different ones of this framework that can be accepted
    /// together, now and then others' or one that is not there.
    pub(crate) fn pick_offers(&self, who: FrameworkId, numbers: &[u8]) -> Vec<OfferId> {
        let all: Vec<OfferId> = self.model.offers.keys().copied().chain([OfferId(9_999)]).collect();
        let mut own = self.model.offers_of(who);
        let mut picked: Vec<OfferId> = Vec::new();
        for number in numbers {
            if *number >= 245 {
                picked.extend(pick(&all, *number));
            } else if let Some(offer) = pick(&own, *number) {
                let place = |id: &OfferId| {
                    let offer = &self.model.offers[id];
                    (offer.agent, offer.role.clone())
                };
                own.retain(|it| *it != offer && place(it) == place(&offer));
                picked.push(offer);
            }
        }
        picked
    }
}

/// Whether one more may be made of so many.
pub(crate) fn may_add(known: usize) -> bool {
    known < CLIENTS_MAX
}

/// The stream that a link is, or one that nobody has.
pub(crate) fn session_of(link: Option<Link>, is_old: bool) -> Session {
    match link {
        Some(Link::Up(session)) if !is_old => session,
        _ => Session(0),
    }
}

fn name_of(rejection: &Rejection) -> String {
    let text = format!("{rejection:?}");
    text.split(['(', ' ']).next().unwrap_or_default().to_owned()
}

/// The one that a number picks.
pub(crate) fn pick<T: Clone>(items: &[T], number: u8) -> Option<T> {
    items.get(usize::from(number) % items.len().max(1)).cloned()
}

/// The roles that a number stands for, bit by bit.
pub(crate) fn roles(bits: u8) -> BTreeSet<String> {
    let chosen = ROLES.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
    chosen.map(|(_, role)| (*role).to_owned()).collect()
}

/// `refuse_seconds` that a number stands for, and what it comes to in milliseconds.
pub(crate) fn refusal(number: u8) -> (Option<f64>, Option<u64>) {
    match number % 6 {
        0 => (None, Some(5_000)),
        1 | 2 => (Some(0.0), None),
        3 => (Some(0.2), Some(1_000)),
        4 => (Some(-1.0), Some(5_000)),
        _ => (Some(300.0), Some(300_000)),
    }
}

/// What was asked for, if it was not refused.
pub(crate) fn unwrap<T: Debug>(
    reply: &Result<Reply, Rejection>,
    take: fn(&Reply) -> Option<T>,
) -> Option<T> {
    reply.as_ref().ok().and_then(take)
}
