//! What operators do to the model.

use statemachine::{AgentId, FrameworkId, OfferId};

use crate::model::{Link, Model, Refused, is_within};
use crate::offers::Conversion;
use crate::pile::{Kind, Pile};
use crate::said::Said;

/// A refusal that says nothing of its time counts so long.
const REFUSE_DEFAULT_MS: u64 = 5_000;

impl Model {
    pub(crate) fn mark_gone(&mut self, id: AgentId) -> Refused {
        if self.gone.contains_key(&id) {
            return Ok(());
        }
        if !self.agents.contains_key(&id) {
            return Err("AgentUnknown");
        }
        self.declare_gone(id);
        Ok(())
    }

    pub(crate) fn deactivate(&mut self, id: AgentId) -> Refused {
        let Some(agent) = self.agents.get_mut(&id) else { return Err("AgentUnknown") };
        agent.is_deactivated = true;
        self.rescind_agent(id);
        Ok(())
    }

    pub(crate) fn reactivate(&mut self, id: AgentId) -> Refused {
        let Some(agent) = self.agents.get_mut(&id) else { return Err("AgentUnknown") };
        if !agent.is_deactivated {
            return Err("Invalid");
        }
        agent.is_deactivated = false;
        agent.drain = None;
        Ok(())
    }

    pub(crate) fn drain(&mut self, id: AgentId, goes: bool) -> Refused {
        let Some(agent) = self.agents.get_mut(&id) else { return Err("AgentUnknown") };
        if self.machines.contains_key(&agent.machine) {
            return Err("Invalid");
        }
        if agent.drain == Some((goes, false)) {
            return Ok(());
        }
        agent.is_deactivated = true;
        agent.drain = Some((goes, false));
        self.rescind_agent(id);
        for name in self.tasks_on(id) {
            if !self.tasks[&name].state.is_terminal() {
                self.direct(id, Said::Kill(name.0, name.1));
            }
        }
        Ok(())
    }

    /// A new limit of a role, or none any more.
    pub(crate) fn limit(&mut self, role: &str, limit: Option<i64>, is_forced: bool) -> Refused {
        let before = self.limits.get(role).copied();
        match limit {
            Some(limit) => self.limits.insert(role.into(), limit),
            None => self.limits.remove(role),
        };
        let offered = |offer: &crate::model::Offer| {
            offer.pile.only(|kind| kind.roles.is_empty()).amount("cpus")
        };
        let below = self.offers.values().filter(|offer| is_within(&offer.role, role));
        let used = self.consumption(role, None) - below.map(offered).sum::<i64>();
        let is_low = limit.is_some_and(|limit| used > limit) && !is_forced;
        let is_nested = self.limits.iter().all(|(role, limit)| {
            let above = self.limits.iter().filter(|(above, _)| is_within(role, above));
            above.map(|(_, above)| above).all(|above| limit <= above)
        });
        if is_low || !is_nested {
            match before {
                Some(before) => self.limits.insert(role.into(), before),
                None => self.limits.remove(role),
            };
            return Err("Invalid");
        }
        if before == limit {
            return Ok(());
        }
        // offers go back, oldest first, as long as they keep a role above its limit
        for id in self.offers.keys().copied().collect::<Vec<_>>() {
            let offer = &self.offers[&id];
            let mut above = self.limits.iter().filter(|(above, _)| is_within(&offer.role, above));
            let passes = above.any(|(above, limit)| self.consumption(above, None) > *limit);
            if passes && offered(offer) > 0 {
                self.rescind(id);
            }
        }
        Ok(())
    }

    pub(crate) fn weigh(&mut self, role: &str, weight: u64) {
        if self.weights.insert(role.into(), weight) == Some(weight) {
            return;
        }
        let mut roles = self.frameworks.values().flat_map(|framework| &framework.roles);
        if roles.any(|it| is_within(it, role)) {
            self.offers
                .keys()
                .copied()
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(|it| self.rescind(it));
        }
    }

    /// The whole schedule: which machines are out of service, and from when on.
    pub(crate) fn schedule(&mut self, machines: &[u8], start: i64) -> Refused {
        let is_missing = |machine: &u8| !machines.contains(machine);
        if self.machines.iter().any(|(machine, (_, is_down))| *is_down && is_missing(machine)) {
            return Err("Invalid");
        }
        let is_down = |it: &u8| self.machines.get(it).is_some_and(|(_, is_down)| *is_down);
        let next = machines.iter().map(|machine| (*machine, (start, is_down(machine))));
        self.reschedule(next.collect());
        Ok(())
    }

    fn reschedule(&mut self, next: std::collections::BTreeMap<u8, (i64, bool)>) {
        let before = std::mem::replace(&mut self.machines, next);
        let start = |of: &std::collections::BTreeMap<u8, (i64, bool)>, machine: u8| {
            of.get(&machine).map(|(start, _)| *start)
        };
        let changed = self.agents.iter().filter(|(_, agent)| {
            start(&before, agent.machine) != start(&self.machines, agent.machine)
        });
        for agent in changed.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.rescind_agent(agent);
            self.withdraw_asked(agent);
        }
    }

    pub(crate) fn bring_down(&mut self, machine: u8) -> Refused {
        match self.machines.get_mut(&machine) {
            Some((_, is_down)) if !*is_down => *is_down = true,
            _ => return Err("Invalid"),
        }
        let there = self.agents.iter();
        let there = there.filter(|(_, it)| it.machine == machine && !it.is_unreachable);
        for agent in there.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.direct(agent, Said::Leave);
            self.send_away(agent);
        }
        Ok(())
    }

    pub(crate) fn bring_up(&mut self, machine: u8) -> Refused {
        if !self.machines.get(&machine).is_some_and(|(_, is_down)| *is_down) {
            return Err("Invalid");
        }
        let mut next = self.machines.clone();
        next.remove(&machine);
        self.reschedule(next);
        Ok(())
    }

    /// Asks back what is held on machines of the schedule, of everybody who is not asked already.
    pub(crate) fn ask_back(&mut self, only: Option<AgentId>) {
        let agents = self.agents.iter().filter(|(id, agent)| {
            let is_there = !matches!(agent.link, Link::Away(_)) && !agent.is_unreachable;
            is_there && only.is_none_or(|only| only == **id)
        });
        let concerned =
            agents.filter_map(|(id, it)| Some((*id, self.machines.get(&it.machine)?.0)));
        for (agent, start) in concerned.collect::<Vec<_>>() {
            for framework in self.frameworks.keys().copied().collect::<Vec<_>>() {
                let is_there = !matches!(self.frameworks[&framework].link, Link::Away(_));
                let (is_awaited, until) =
                    self.asked.get(&(agent, framework)).copied().unwrap_or_default();
                let is_due = !is_awaited && until.is_none_or(|until| until <= self.now);
                if is_there && is_due && self.holds_on(framework, agent) {
                    self.asked.insert((agent, framework), (true, None));
                    self.tell(framework, Said::Asked(agent, start));
                }
            }
        }
    }

    fn holds_on(&self, framework: FrameworkId, agent: AgentId) -> bool {
        let mut tasks = self.tasks.iter();
        tasks.any(|(name, it)| name.0 == framework && it.agent == agent && it.holds())
            || self.executors.keys().any(|name| name.0 == agent && name.1 == framework)
            || self.offers.values().any(|it| it.framework == framework && it.agent == agent)
    }

    /// A framework says whether it will give back what it has on an agent.
    pub(crate) fn answer_asked(
        &mut self,
        id: FrameworkId,
        agent: AgentId,
        refuse_ms: Option<u64>,
    ) -> Refused {
        if !self.frameworks.contains_key(&id) {
            return Err("FrameworkUnknown");
        }
        let until = refuse_ms.map(|refuse_ms| self.now + refuse_ms);
        if let Some(asked) = self.asked.get_mut(&(agent, id)).filter(|asked| asked.0) {
            *asked = (false, until);
        }
        Ok(())
    }

    /// What an operator does with the resources of an agent: offers that are in the way go back, oldest
    /// first.
    pub(crate) fn operate(&mut self, id: AgentId, conversion: &Conversion) -> Refused {
        if !self.agents.get(&id).is_some_and(crate::model::Agent::is_reachable) {
            return Err("Invalid");
        }
        let Some((consumed, made)) = self.plan(id, conversion) else { return Err("Invalid") };
        let mut free = self.free(id);
        let mut taken_back: Vec<OfferId> = Vec::new();
        for (offer, held) in self.offers.iter().filter(|(_, offer)| offer.agent == id) {
            if !free.covers(&consumed) {
                free.add(&held.pile);
                taken_back.push(*offer);
            }
        }
        if !free.covers(&consumed) {
            return Err("Conflict");
        }
        let mut after = self.clone();
        after.offers.retain(|offer, _| !taken_back.contains(offer));
        after.convert_total(id, &consumed, &made);
        let before = self.consumptions(None);
        // what a role is only offered is not in the way of its limit
        while let Some(role) = self.passing(&before, &after.consumptions(None)) {
            let Some(offer) = after.oldest_within(role) else { return Err("Conflict") };
            after.offers.remove(&offer);
            taken_back.push(offer);
        }
        for offer in taken_back {
            let held = self.offers[&offer].clone();
            self.rescind(offer);
            let client = (held.framework, held.role);
            self.refuse(client, held.agent, held.pile, Some(REFUSE_DEFAULT_MS));
        }
        self.convert_total(id, &consumed, &made);
        let total = self.agents[&id].total.clone();
        self.direct(id, Said::Total(total));
        Ok(())
    }

    /// What a conversion takes and makes; none if it is against the rules.
    pub(crate) fn plan(&self, id: AgentId, conversion: &Conversion) -> Option<(Pile, Pile)> {
        let agent = self.agents.get(&id).filter(|agent| agent.is_reachable())?;
        let (Conversion::Reserve(named)
        | Conversion::Unreserve(named)
        | Conversion::Create(named)
        | Conversion::Destroy(named)) = conversion;
        let all = |rule: &dyn Fn(&Kind) -> bool| named.0.keys().all(rule);
        let is_reserved = |kind: &Kind| !kind.roles.is_empty();
        let refines = |kind: &Kind| {
            let mut pairs = kind.roles.windows(2);
            pairs.all(|pair| pair[0] != pair[1] && is_within(&pair[1], &pair[0]))
        };
        let owner = named.0.keys().next()?.roles.last().cloned();
        let is_known = |kind: &Kind| {
            let held = agent.total.0.keys();
            held.clone().any(|it| it.volume == kind.volume && it.roles.last() == kind.roles.last())
        };
        let used = self.used(id);
        let is_valid = match conversion {
            Conversion::Reserve(_) => {
                all(&|kind| is_reserved(kind) && refines(kind) && kind.volume.is_none())
            }
            Conversion::Unreserve(_) => all(&|kind| is_reserved(kind) && kind.volume.is_none()),
            Conversion::Create(_) => all(&|kind| {
                let is_new = kind.volume.is_some() && !is_known(kind);
                is_new
                    && is_reserved(kind)
                    && kind.name == "disk"
                    && kind.roles.last() == owner.as_ref()
            }),
            Conversion::Destroy(_) => {
                all(&|kind| kind.volume.is_some() && !used.0.contains_key(kind))
                    && agent.total.covers(named)
            }
        };
        let undone = |kind: &Kind| match conversion {
            Conversion::Reserve(_) | Conversion::Unreserve(_) => kind.unreserved(),
            Conversion::Create(_) | Conversion::Destroy(_) => kind.with_volume(None),
        };
        let other = named.turned(undone);
        let makes = matches!(conversion, Conversion::Reserve(_) | Conversion::Create(_));
        is_valid.then(|| if makes { (other, named.clone()) } else { (named.clone(), other) })
    }

    /// Replaces a part of what an agent has; what it had before.
    pub(crate) fn convert_total(&mut self, id: AgentId, consumed: &Pile, made: &Pile) -> Pile {
        let before = self.agents[&id].total.clone();
        let mut total = before.clone();
        total.take(consumed);
        total.add(made);
        self.set_total(id, total);
        before
    }

    pub(crate) fn set_total(&mut self, id: AgentId, total: Pile) {
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.total = total;
        }
    }
}
