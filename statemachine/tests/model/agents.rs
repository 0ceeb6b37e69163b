//! What agents do and what is done to them, in the model.

use std::collections::BTreeSet;

use statemachine::{AgentId, FrameworkId, OfferId, Session, TaskState};

use crate::model::{Agent, ExecutorName, Link, MEMORY_MS, Model, Refused, TaskName};
use crate::said::Said;

/// How long an agent may be away before it is unreachable, and schedulers are awaited after a change of
/// leader, and how long they are given to come back at least: the leader's default settings.
const REREGISTER_MS: u64 = 600_000;
const RECONNECT_MS: u64 = 30_000;
const FAILOVER_MIN_MS: u64 = 600_000;

/// What an agent that comes back says.
#[derive(Clone, Debug)]
pub(crate) struct Hello {
    pub(crate) session: Session,
    /// Tasks that run there.
    pub(crate) tasks: Vec<TaskName>,
    pub(crate) executors: BTreeSet<ExecutorName>,
    /// Frameworks that are over and of which something runs.
    pub(crate) running: BTreeSet<FrameworkId>,
    /// The last launch that it has heard of.
    pub(crate) heard: u64,
}

impl Model {
    pub(crate) fn register(&mut self, id: AgentId, agent: Agent) -> Refused {
        if self.machines.get(&agent.machine).is_some_and(|(_, is_down)| *is_down) {
            return Err("AgentDismissed");
        }
        assert!(self.agents.insert(id, agent).is_none(), "the number {id} is in use");
        Ok(())
    }

    pub(crate) fn agent_returns(&mut self, id: AgentId, machine: u8, hello: &Hello) -> Refused {
        if self.machines.get(&machine).is_some_and(|(_, is_down)| *is_down)
            || self.gone.contains_key(&id)
        {
            return Err("AgentDismissed");
        }
        let Some(agent) = self.agents.get_mut(&id) else { return Err("AgentUnknown") };
        let was_unreachable = std::mem::take(&mut agent.is_unreachable);
        agent.link = Link::Up(hello.session);
        self.lingering.retain(|name, _| name.0 != id || hello.running.contains(&name.1));
        if was_unreachable {
            self.drop_unheard(id, hello.heard);
            let own = self.executors.iter_mut().filter(|(name, _)| name.0 == id);
            own.for_each(|(_, executor)| executor.holds = true);
            self.keep_what_fits(id);
        }
        self.say_what_is_owed(id, hello.heard);
        if was_unreachable {
            self.bring_back(id, hello);
        }
        let lost = self.executors.iter().filter(|(name, executor)| {
            let is_late = executor.launched > hello.heard && !was_unreachable;
            name.0 == id && !hello.executors.contains(name) && !is_late
        });
        for name in lost.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.end_executor(&name);
        }
        self.ask_for_missing(id, hello);
        Ok(())
    }

    /// What lingers on an agent that was out of reach is in use again, if there is still room for it.
    fn keep_what_fits(&mut self, id: AgentId) {
        let own: Vec<_> = self.lingering.keys().filter(|name| name.0 == id).copied().collect();
        let all: Vec<_> = own
            .into_iter()
            .filter_map(|name| self.lingering.insert(name, Vec::new()).map(|it| (name, it)))
            .collect();
        for (name, (role, pile)) in
            all.into_iter().flat_map(|(name, all)| all.into_iter().map(move |it| (name, it)))
        {
            if self.free(id).covers(&pile) {
                self.lingering.entry(name).or_default().push((role, pile));
            }
        }
    }

    /// An agent says that it runs nothing of a framework.
    pub(crate) fn stopped(&mut self, id: AgentId, framework: FrameworkId, session: Session) {
        if self.agents.get(&id).is_some_and(|agent| agent.link == Link::Up(session)) {
            self.lingering.remove(&(id, framework));
        }
    }

    fn drop_unheard(&mut self, id: AgentId, heard: u64) {
        for name in self.tasks_on(id) {
            let task = &self.tasks[&name];
            if task.state == TaskState::Unreachable && task.launched > heard {
                let state =
                    if self.is_aware(name.0) { TaskState::Dropped } else { TaskState::Lost };
                self.update(&name, state, Some(32), None, state);
            }
        }
    }

    fn say_what_is_owed(&mut self, id: AgentId, heard: u64) {
        let total = self.agents[&id].total.clone();
        self.direct(id, Said::Total(total));
        let is_draining = self.agents[&id].is_draining();
        let mut launches: Vec<(u64, FrameworkId, Vec<String>)> = Vec::new();
        for name in self.tasks_on(id) {
            let task = self.tasks[&name].clone();
            if task.state.is_terminal() {
                continue;
            }
            if task.launched > heard {
                match launches.iter_mut().find(|it| it.0 == task.launched) {
                    Some((_, _, together)) => together.push(name.1.clone()),
                    None => launches.push((task.launched, name.0, vec![name.1.clone()])),
                }
            }
            if task.is_killed || is_draining {
                self.direct(id, Said::Kill(name.0, name.1));
            }
        }
        for (_, framework, tasks) in launches {
            self.direct(id, Said::Launch(framework, tasks));
        }
        let own = self.executors.iter().filter(|(name, it)| name.0 == id && it.is_shut_down);
        for name in own.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.direct(id, Said::ShutdownExecutor(name.1, name.2));
        }
        let over = self.lingering.keys().filter(|name| name.0 == id);
        for framework in over.map(|name| name.1).collect::<Vec<_>>() {
            self.direct(id, Said::ShutdownFramework(crate::frameworks::wire_id(framework)));
        }
    }

    /// What was out of reach and runs counts again, if there is still room for it.
    fn bring_back(&mut self, id: AgentId, hello: &Hello) {
        for name in &hello.tasks {
            let Some(task) = self.tasks.get(name) else { continue };
            let is_lost = task.agent == id && task.state == TaskState::Unreachable;
            if is_lost && self.free(id).covers(&task.pile) {
                self.update(name, TaskState::Running, Some(32), None, TaskState::Running);
            }
        }
    }

    fn ask_for_missing(&mut self, id: AgentId, hello: &Hello) {
        let over: BTreeSet<FrameworkId> = hello
            .tasks
            .iter()
            .map(|name| name.0)
            .chain(hello.executors.iter().map(|name| name.1))
            .chain(hello.running.iter().copied())
            .filter(|framework| !self.frameworks.contains_key(framework))
            .filter(|framework| !self.lingering.contains_key(&(id, *framework)))
            .collect();
        for framework in over {
            self.direct(id, Said::ShutdownFramework(crate::frameworks::wire_id(framework)));
        }
        for framework in self.frameworks.keys().copied().collect::<Vec<_>>() {
            let missing = self.tasks.iter().filter(|(name, task)| {
                name.0 == framework
                    && task.agent == id
                    && !task.state.is_terminal()
                    && task.launched <= hello.heard
                    && !hello.tasks.contains(name)
            });
            let missing: Vec<String> = missing.map(|(name, _)| name.1.clone()).collect();
            if !missing.is_empty() {
                self.direct(id, Said::Missing(framework, missing));
            }
        }
    }

    pub(crate) fn agent_hangs_up(
        &mut self,
        id: AgentId,
        session: Session,
        is_silent: bool,
    ) -> Refused {
        let Some(agent) = self.agents.get_mut(&id) else { return Err("AgentUnknown") };
        if agent.link != Link::Up(session) {
            return Ok(());
        }
        agent.link = Link::Away(self.now + if is_silent { 0 } else { REREGISTER_MS });
        self.rescind_agent(id);
        if is_silent {
            self.lose(id);
        }
        Ok(())
    }

    /// An agent has been away for too long.
    fn lose(&mut self, id: AgentId) {
        self.rescind_agent(id);
        self.withdraw_asked(id);
        let until = self.now + MEMORY_MS;
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.link = Link::Away(until);
            agent.is_unreachable = true;
        }
        self.executors.iter_mut().filter(|it| it.0.0 == id).for_each(|it| it.1.holds = false);
        self.filters.retain(|filter| filter.agent != id);
        self.tell_all(&Said::Failed(id, None));
        for name in self.tasks_on(id) {
            if self.tasks[&name].state.is_terminal() {
                self.tell_end(&name);
            } else {
                let aware = self.is_aware(name.0);
                let told = if aware { TaskState::Unreachable } else { TaskState::Lost };
                self.update(&name, told, Some(11), None, TaskState::Unreachable);
            }
        }
    }

    fn forget(&mut self, id: AgentId) {
        for name in self.tasks_on(id) {
            if !self.tasks[&name].state.is_terminal() {
                self.complete(&name);
            }
        }
        self.executors.retain(|name, _| name.0 != id);
        self.lingering.retain(|name, _| name.0 != id);
        self.agents.remove(&id);
    }

    pub(crate) fn unregister(&mut self, id: AgentId, session: Session) -> Refused {
        let Some(agent) = self.agents.get(&id) else { return Err("AgentUnknown") };
        if agent.link != Link::Up(session) {
            return Err("AgentNotConnected");
        }
        self.send_away(id);
        Ok(())
    }

    /// An agent leaves: its tasks are lost.
    pub(crate) fn send_away(&mut self, id: AgentId) {
        self.end_tasks(id, (TaskState::Lost, 11), (TaskState::Lost, 11));
        self.dismiss(id);
    }

    pub(crate) fn declare_gone(&mut self, id: AgentId) {
        self.end_tasks(id, (TaskState::GoneByOperator, 31), (TaskState::Lost, 11));
        self.direct(id, Said::Leave);
        self.dismiss(id);
        self.gone.insert(id, self.now + MEMORY_MS);
    }

    fn end_tasks(&mut self, id: AgentId, aware: (TaskState, i32), unaware: (TaskState, i32)) {
        for name in self.tasks_on(id) {
            if self.tasks[&name].state.is_terminal() {
                self.tell_end(&name);
                continue;
            }
            let (told, reason) = if self.is_aware(name.0) { aware } else { unaware };
            self.update(&name, told, Some(reason), None, told);
        }
    }

    fn dismiss(&mut self, id: AgentId) {
        self.rescind_agent(id);
        self.withdraw_asked(id);
        self.executors.retain(|name, _| name.0 != id);
        self.lingering.retain(|name, _| name.0 != id);
        self.filters.retain(|filter| filter.agent != id);
        self.tell_all(&Said::Failed(id, None));
        self.agents.remove(&id);
    }

    pub(crate) fn withdraw_asked(&mut self, id: AgentId) {
        for framework in self.frameworks.keys().copied().collect::<Vec<_>>() {
            if self.asked.remove(&(id, framework)).is_some_and(|(is_awaited, _)| is_awaited) {
                self.tell(framework, Said::AskedNoMore(id));
            }
        }
    }

    /// A new leader awaits everybody.
    pub(crate) fn lead(&mut self) {
        self.elected_at = self.now;
        for framework in self.frameworks.values_mut() {
            if let Link::Up(_) = framework.link {
                framework.link = Link::Awaited(self.now + RECONNECT_MS);
            }
        }
        for agent in self.agents.values_mut() {
            if let Link::Up(_) = agent.link {
                agent.link = Link::Awaited(self.now + REREGISTER_MS);
            }
        }
    }

    /// What is due happens, in the order of its times.
    pub(crate) fn tick(&mut self) {
        for (_, due) in self.due() {
            match due {
                Due::FrameworkAbsent(id) => {
                    let patience_ms = self.frameworks[&id].timeout_ms.max(FAILOVER_MIN_MS);
                    self.leave(id, (self.elected_at + patience_ms).max(self.now));
                }
                Due::FrameworkFailover(id) => self.remove_framework(id),
                Due::AgentAbsent(id) if self.agents[&id].is_unreachable => self.forget(id),
                Due::AgentAbsent(id) => self.lose(id),
                Due::GoneForgotten(id) => drop(self.gone.remove(&id)),
                Due::OfferOver(id) => self.rescind(id),
            }
        }
    }

    fn due(&self) -> Vec<(u64, Due)> {
        let mut due = Vec::new();
        for (id, framework) in &self.frameworks {
            match framework.link {
                Link::Up(_) => {}
                Link::Awaited(until) => due.push((until, Due::FrameworkAbsent(*id))),
                Link::Away(until) => due.push((until, Due::FrameworkFailover(*id))),
            }
        }
        for (id, agent) in &self.agents {
            if let Link::Awaited(until) | Link::Away(until) = agent.link {
                due.push((until, Due::AgentAbsent(*id)));
            }
        }
        due.extend(self.gone.iter().map(|(id, until)| (*until, Due::GoneForgotten(*id))));
        let offers = self.offers.iter().filter_map(|(id, it)| Some((it.until?, *id)));
        due.extend(offers.map(|(until, id)| (until, Due::OfferOver(id))));
        due.retain(|(at, _)| *at <= self.now);
        due.sort();
        due
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    FrameworkAbsent(FrameworkId),
    FrameworkFailover(FrameworkId),
    AgentAbsent(AgentId),
    GoneForgotten(AgentId),
    OfferOver(OfferId),
}
