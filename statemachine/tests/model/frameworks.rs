//! What calls of and about frameworks do to the model.

use std::collections::BTreeSet;

use statemachine::{AgentId, FrameworkId, OfferId, Session, TaskState};

use crate::model::{Framework, Link, Model, Refused};
use crate::said::Said;

impl Model {
    pub(crate) fn subscribe(&mut self, id: FrameworkId, framework: Framework) {
        assert!(!self.over.contains(&id), "the number {id} was given before");
        assert!(self.frameworks.insert(id, framework).is_none(), "the number {id} is in use");
    }

    pub(crate) fn resubscribe(
        &mut self,
        id: FrameworkId,
        session: Session,
        (roles, suppressed): (BTreeSet<String>, BTreeSet<String>),
    ) -> Refused {
        let Some(framework) = self.frameworks.get(&id) else { return Err("FrameworkRemoved") };
        let is_taken_over = matches!(framework.link, Link::Up(_));
        let unheard = self.unheard_since(framework);
        self.tell(id, Said::Error);
        let held = self.offers_of(id);
        if let Some(framework) = self.frameworks.get_mut(&id) {
            framework.link = Link::Up(session);
            framework.subscribed_at = self.now;
        }
        for offer in held {
            if is_taken_over {
                self.offers.remove(&offer);
            } else if !roles.contains(&self.offers[&offer].role) {
                self.rescind(offer);
            }
        }
        self.redescribe(id, roles, suppressed);
        let offers: Vec<u64> = self.offers_of(id).iter().map(|offer| offer.0).collect();
        if !offers.is_empty() {
            self.tell(id, Said::Offers(offers));
        }
        let asked = self.asked.iter().filter(|((_, framework), asked)| *framework == id && asked.0);
        for agent in asked.map(|((agent, _), _)| *agent).collect::<Vec<_>>() {
            let start = self.machines[&self.agents[&agent].machine].0;
            self.tell(id, Said::Asked(agent, start));
        }
        let owed = self.tasks.iter().filter(|((framework, _), _)| *framework == id);
        let owed = owed.filter_map(|((_, task), it)| Some((task.clone(), it.pending?)));
        for (task, (update, state, reason)) in owed.collect::<Vec<_>>() {
            self.tell(id, Said::Updated { task, state, reason, update: Some(update) });
        }
        let ends = self.frameworks.get_mut(&id).map(|it| std::mem::take(&mut it.unheard));
        for (agent, executor) in ends.into_iter().flatten() {
            self.tell(id, Said::Failed(agent, Some(executor)));
        }
        if let Some(since) = unheard {
            self.say_again(id, since);
        }
        Ok(())
    }

    /// Since when a framework may have heard nothing: it left, or there is a new leader, and it has not
    /// been back since.
    fn unheard_since(&self, framework: &Framework) -> Option<u64> {
        let ends = framework.left_at.into_iter().chain([self.elected_at]);
        let is_silent = !matches!(framework.link, Link::Up(_));
        ends.filter(|at| is_silent && *at >= framework.subscribed_at).min()
    }

    /// What the master itself has last said of tasks since then, which nobody acknowledges; not of one
    /// that is over if its id is in use again.
    fn say_again(&mut self, id: FrameworkId, since: u64) {
        let over = self.history.iter().filter(|(name, _)| !self.tasks.contains_key(name));
        let all = over.map(|(name, task)| (name, task)).chain(&self.tasks);
        let said = all.filter(|(name, _)| name.0 == id).filter_map(|(name, task)| {
            let (reason, _) = task.by_master.filter(|(_, at)| *at >= since)?;
            Some((name.1.clone(), task.told?, reason))
        });
        for (task, state, reason) in said.collect::<Vec<_>>() {
            self.tell(id, Said::Updated { task, state, reason, update: None });
        }
    }

    pub(crate) fn update_framework(
        &mut self,
        id: FrameworkId,
        (roles, suppressed): (BTreeSet<String>, BTreeSet<String>),
    ) -> Refused {
        if !self.frameworks.contains_key(&id) {
            return Err("FrameworkUnknown");
        }
        for offer in self.offers_of(id) {
            if !roles.contains(&self.offers[&offer].role) {
                self.rescind(offer);
            }
        }
        self.redescribe(id, roles, suppressed);
        Ok(())
    }

    fn redescribe(
        &mut self,
        id: FrameworkId,
        roles: BTreeSet<String>,
        suppressed: BTreeSet<String>,
    ) {
        self.filters.retain(|it| it.client.0 != id || roles.contains(&it.client.1));
        if let Some(framework) = self.frameworks.get_mut(&id) {
            framework.roles = roles;
            framework.suppressed = suppressed;
        }
    }

    pub(crate) fn offers_of(&self, id: FrameworkId) -> Vec<OfferId> {
        let held = self.offers.iter().filter(|(_, offer)| offer.framework == id);
        held.map(|(offer, _)| *offer).collect()
    }

    pub(crate) fn hang_up(&mut self, id: FrameworkId, session: Session) -> Refused {
        let Some(framework) = self.frameworks.get(&id) else { return Err("FrameworkUnknown") };
        if framework.link != Link::Up(session) {
            return Ok(());
        }
        let timeout_ms = framework.timeout_ms;
        self.leave(id, self.now + timeout_ms);
        if timeout_ms == 0 {
            self.remove_framework(id);
        }
        Ok(())
    }

    /// A framework is away: its offers are over, what it refused is forgotten.
    pub(crate) fn leave(&mut self, id: FrameworkId, until: u64) {
        self.tell(id, Said::Closed);
        self.offers.retain(|_, offer| offer.framework != id);
        self.filters.retain(|filter| filter.client.0 != id);
        let asked = self.asked.iter_mut().filter(|((_, framework), _)| *framework == id);
        asked.for_each(|(_, asked)| asked.0 = false);
        if let Some(framework) = self.frameworks.get_mut(&id) {
            framework.link = Link::Away(until);
            framework.left_at = Some(self.now);
        }
    }

    pub(crate) fn teardown(&mut self, id: FrameworkId) -> Refused {
        if !self.frameworks.contains_key(&id) {
            return Err("FrameworkUnknown");
        }
        self.remove_framework(id);
        Ok(())
    }

    pub(crate) fn remove_framework(&mut self, id: FrameworkId) {
        self.tell(id, Said::Closed);
        self.offers.retain(|_, offer| offer.framework != id);
        self.filters.retain(|filter| filter.client.0 != id);
        self.asked.retain(|(_, framework), _| *framework != id);
        let tasks = self.tasks.iter().filter(|(name, _)| name.0 == id).map(|(_, it)| it.agent);
        let executors = self.executors.keys().filter(|name| name.1 == id).map(|name| name.0);
        let agents: BTreeSet<AgentId> = tasks.chain(executors).collect();
        for agent in agents {
            self.direct(agent, Said::ShutdownFramework(wire_id(id)));
        }
        self.let_linger(id);
        self.tasks.retain(|name, _| name.0 != id);
        self.executors.retain(|name, _| name.1 != id);
        self.frameworks.remove(&id);
        self.over.insert(id);
    }

    /// What a framework has on agents that will say when it has stopped stays in use.
    fn let_linger(&mut self, id: FrameworkId) {
        let tasks =
            self.tasks.iter().filter(|(name, task)| name.0 == id && !task.state.is_terminal());
        let tasks = tasks.map(|(_, it)| (it.agent, it.holds(), (it.role.clone(), it.pile.clone())));
        let executors = self.executors.iter().filter(|(name, _)| name.1 == id);
        let executors =
            executors.map(|(name, it)| (name.0, it.holds, (it.role.clone(), it.pile.clone())));
        for (agent, holds, what) in tasks.chain(executors).collect::<Vec<_>>() {
            let known = &self.agents[&agent];
            let (tells, counts) = (known.tells, holds || known.is_unreachable);
            if tells {
                let all = self.lingering.entry((agent, id)).or_default();
                all.extend(counts.then_some(what));
            }
        }
    }

    /// SUPPRESS and REVIVE: for these roles, or for all if none is named; for none if one of them is not
    /// the framework's.
    pub(crate) fn want(&mut self, id: FrameworkId, named: &[String], wants: bool) -> Refused {
        let Some(framework) = self.frameworks.get_mut(&id) else { return Err("FrameworkUnknown") };
        let all: Vec<String> = framework.roles.iter().cloned().collect();
        let roles = if named.is_empty() { &all[..] } else { named };
        if !roles.iter().all(|role| framework.roles.contains(role)) {
            return Ok(());
        }
        for role in roles {
            if wants {
                framework.suppressed.remove(role);
                self.filters.retain(|it| it.client != (id, role.clone()));
            } else {
                framework.suppressed.insert(role.clone());
            }
        }
        if wants {
            let asked = self.asked.iter_mut().filter(|((_, framework), _)| *framework == id);
            asked.for_each(|(_, asked)| asked.1 = None);
        }
        Ok(())
    }

    /// RECONCILE; `tasks` with the agents that are named, or none for all.
    pub(crate) fn reconcile(
        &mut self,
        id: FrameworkId,
        tasks: &[(String, Option<AgentId>)],
    ) -> Refused {
        if !self.frameworks.contains_key(&id) {
            return Err("FrameworkUnknown");
        }
        let mut asked = tasks.to_vec();
        if tasks.is_empty() {
            let own = self.tasks.iter().filter(|(name, _)| name.0 == id);
            let own = own.filter(|(_, task)| task.state != TaskState::Unreachable);
            asked = own.map(|(name, _)| (name.1.clone(), None)).collect();
        }
        for (task, agent) in asked {
            self.answer(id, task, agent);
        }
        Ok(())
    }

    /// What is said of one task to who asks.
    pub(crate) fn answer(&mut self, id: FrameworkId, task: String, named: Option<AgentId>) {
        let held = self.tasks.get(&(id, task.clone()));
        let state = match held {
            Some(held) if held.state != TaskState::Unreachable => held.told.unwrap_or(held.state),
            _ => {
                let agent = held.map(|held| held.agent).or(named);
                let is_gone = agent.is_some_and(|agent| self.gone.contains_key(&agent));
                match agent.and_then(|agent| self.agents.get(&agent)) {
                    _ if !self.is_aware(id) => TaskState::Lost,
                    _ if is_gone => TaskState::GoneByOperator,
                    Some(agent) if agent.is_unreachable => TaskState::Unreachable,
                    Some(_) => TaskState::Gone,
                    None => TaskState::Unknown,
                }
            }
        };
        self.tell(id, Said::Updated { task, state, reason: Some(9), update: None });
    }
}

/// The id on the wire of a framework that brought none with it.
pub(crate) fn wire_id(id: FrameworkId) -> String {
    format!("c-{:04}", id.0)
}
