//! What becomes of tasks and executors in the model.

use statemachine::{AgentId, FrameworkId, Session, TaskState, UpdateId};

use crate::model::{ExecutorName, Link, Model, Refused, TaskName};
use crate::said::Said;

/// What an agent reports of a task.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) agent: AgentId,
    pub(crate) session: Session,
    pub(crate) task: TaskName,
    pub(crate) state: TaskState,
    /// The newest state that the agent knows.
    pub(crate) latest: TaskState,
    pub(crate) update: UpdateId,
}

impl Model {
    /// A task reaches `latest`, and its framework is told `told`. What the master itself says is over,
    /// is over; what an agent says must be acknowledged.
    pub(crate) fn update(
        &mut self,
        name: &TaskName,
        told: TaskState,
        reason: Option<i32>,
        update: Option<UpdateId>,
        latest: TaskState,
    ) {
        let Some(task) = self.tasks.get_mut(name) else { return };
        task.state = latest;
        task.told = Some(told);
        task.by_master = update.is_none().then_some((reason, self.now));
        if let Some(update) = update {
            task.pending = Some((update, told, reason));
        }
        self.tell(name.0, Said::Updated { task: name.1.clone(), state: told, reason, update });
        if latest.is_terminal() && update.is_none() {
            self.complete(name);
        }
    }

    pub(crate) fn complete(&mut self, name: &TaskName) {
        if let Some(task) = self.tasks.remove(name) {
            self.history.push((name.clone(), task));
        }
    }

    /// Whether a task is over of which this update was acknowledged last.
    fn is_over(&self, name: &TaskName, update: UpdateId) -> bool {
        let mut over = self.history.iter();
        over.any(|(it, task)| it == name && task.acknowledged == Some(update))
    }

    /// A task has ended, and its agent will not say so any more.
    pub(crate) fn tell_end(&mut self, name: &TaskName) {
        let task = &self.tasks[name];
        if !task.told.is_some_and(TaskState::is_terminal) {
            let state = task.state;
            self.update(name, state, Some(11), None, state);
        }
    }

    pub(crate) fn end_executor(&mut self, name: &ExecutorName) {
        if self.executors.remove(name).is_none() {
            return;
        }
        match self.frameworks.get_mut(&name.1) {
            Some(away) if !matches!(away.link, Link::Up(_)) => {
                away.unheard.push((name.0, name.2.clone()));
            }
            _ => self.tell(name.1, Said::Failed(name.0, Some(name.2.clone()))),
        }
    }

    pub(crate) fn kill(
        &mut self,
        id: FrameworkId,
        task: String,
        named: Option<AgentId>,
    ) -> Refused {
        if !self.frameworks.contains_key(&id) {
            return Err("FrameworkUnknown");
        }
        let Some(held) = self.tasks.get_mut(&(id, task.clone())) else {
            self.answer(id, task, named);
            return Ok(());
        };
        if named.is_none_or(|named| named == held.agent) && !held.state.is_terminal() {
            held.is_killed = true;
            let agent = held.agent;
            self.direct(agent, Said::Kill(id, task));
        }
        Ok(())
    }

    pub(crate) fn acknowledge(
        &mut self,
        id: FrameworkId,
        agent: AgentId,
        task: String,
        update: UpdateId,
    ) -> Refused {
        if !self.frameworks.contains_key(&id) {
            return Err("FrameworkUnknown");
        }
        let name = (id, task.clone());
        let named = self.tasks.get(&name).filter(|task| task.agent == agent);
        let pending = named.and_then(|task| task.pending);
        let Some((_, state, _)) = pending.filter(|pending| pending.0 == update) else {
            self.direct(agent, Said::Acknowledge(task, update));
            return Ok(());
        };
        self.direct(agent, Said::Acknowledge(task, update));
        if let Some(task) = self.tasks.get_mut(&name) {
            task.pending = None;
            task.acknowledged = Some(update);
        }
        if state.is_terminal() {
            self.complete(&name);
        }
        Ok(())
    }

    pub(crate) fn report(&mut self, report: &Report) -> Refused {
        let agent = self.agents.get(&report.agent);
        if !agent.is_some_and(|it| it.link == Link::Up(report.session) && !it.is_unreachable) {
            return Err("AgentNotConnected");
        }
        let known = self.tasks.get(&report.task).filter(|task| task.agent == report.agent);
        let is_known = known.is_some();
        let enough = Said::Acknowledge(report.task.1.clone(), report.update);
        let acknowledged = Some(report.update);
        if !self.frameworks.contains_key(&report.task.0)
            || known.is_some_and(|task| task.acknowledged == acknowledged)
            || !is_known && self.is_over(&report.task, report.update)
        {
            // who reported need not repeat it
            self.direct(report.agent, enough);
        } else if !is_known {
            self.tell(
                report.task.0,
                Said::Updated {
                    task: report.task.1.clone(),
                    state: report.state,
                    reason: None,
                    update: Some(report.update),
                },
            );
        } else {
            self.report_known(report, enough);
        }
        Ok(())
    }

    fn report_known(&mut self, report: &Report, enough: Said) {
        let (id, name) = (report.agent, &report.task);
        let task = self.tasks[name].clone();
        let repeated = task.pending.filter(|pending| pending.0 == report.update);
        if repeated.is_none() && task.pending.is_some_and(|pending| pending.1.is_terminal()) {
            // nothing comes after the end
            return self.direct(id, enough);
        }
        let has_room = task.holds() || self.free(id).covers(&task.pile);
        let stays = task.state.is_terminal() || !report.latest.is_terminal() && !has_room;
        let latest = if stays { task.state } else { self.as_drained(name, report.latest) };
        let is_drained = self.agents[&id].is_draining()
            && matches!(report.state, TaskState::Killing | TaskState::Killed);
        let news = if is_drained {
            (self.as_drained(name, report.state), Some(34))
        } else {
            (report.state, None)
        };
        let (told, reason) = repeated.map_or(news, |(_, state, reason)| (state, reason));
        if repeated.is_some() && latest == task.state {
            let (task, update) = (name.1.clone(), Some(report.update));
            self.tell(name.0, Said::Updated { task, state: told, reason, update });
        } else {
            self.update(name, told, reason, Some(report.update), latest);
        }
    }

    /// A killed task of an agent that is drained to be gone is gone, for those who can tell.
    fn as_drained(&self, name: &TaskName, state: TaskState) -> TaskState {
        let agent = &self.agents[&self.tasks[name].agent];
        let goes = agent.drain == Some((true, false));
        if goes && self.is_aware(name.0) && state == TaskState::Killed {
            TaskState::GoneByOperator
        } else {
            state
        }
    }

    pub(crate) fn shut_down(&mut self, name: &ExecutorName) {
        if let Some(executor) = self.executors.get_mut(name) {
            executor.is_shut_down = true;
            self.direct(name.0, Said::ShutdownExecutor(name.1, name.2.clone()));
        }
    }

    pub(crate) fn executor_exits(&mut self, name: &ExecutorName, session: Session) {
        if self.agents.get(&name.0).is_some_and(|agent| agent.link == Link::Up(session)) {
            self.end_executor(name);
        }
    }
}
