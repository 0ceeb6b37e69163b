//! Whether the real state is what the model says, field by field.

use statemachine::agent::DrainState;
use statemachine::resources::Name;
use statemachine::{Connection, State};

use crate::model::{Link, Model};
use crate::pile::Pile;

/// Fails at the first difference.
pub(crate) fn compare(state: &State, model: &Model) {
    compare_agents(state, model);
    compare_frameworks(state, model);
    compare_offers(state, model);
    compare_tasks(state, model);
    compare_operators(state, model);
}

fn link(connection: Connection) -> Link {
    match connection {
        Connection::Connected(session) => Link::Up(session),
        Connection::Awaited { until } => Link::Awaited(until.0),
        Connection::Disconnected { until } => Link::Away(until.0),
    }
}

fn compare_agents(state: &State, model: &Model) {
    let (real, modelled) = (state.agents.keys(), model.agents.keys());
    assert_eq!(real.collect::<Vec<_>>(), modelled.collect::<Vec<_>>(), "agents");
    for (id, want) in &model.agents {
        let agent = &state.agents[id];
        let what = |part: &str| format!("{part} of agent {id}");
        assert_eq!(link(agent.connection), want.link, "{}", what("connection"));
        let is_unreachable = agent.unreachable_since.is_some();
        assert_eq!(is_unreachable, want.is_unreachable, "{}", what("unreachability"));
        assert_eq!(agent.deactivated, want.is_deactivated, "{}", what("deactivation"));
        let drain = agent.drain.as_ref();
        let drain = drain.map(|drain| (drain.mark_gone, drain.state == DrainState::Drained));
        assert_eq!(drain, want.drain, "{}", what("drain"));
        let [total, used, offered, free] =
            [&agent.total, &agent.used, &agent.offered, &agent.free()].map(Pile::of);
        assert_eq!(total, want.total, "{}", what("total"));
        assert_eq!(used, model.used(*id), "{}", what("use"));
        assert_eq!(offered, model.offered(*id), "{}", what("offers"));
        assert_eq!(free, model.free(*id), "{}", what("rest"));
        let mut sum = free;
        sum.add(&used);
        sum.add(&offered);
        assert_eq!(sum, total, "free, used and offered {}", what("total"));
    }
    let real = state.agents.values().flat_map(|agent| {
        agent.lingering.iter().map(move |(framework, it)| {
            let all = it.holds.iter().map(|(role, held)| (role.to_string(), Pile::of(held)));
            ((agent.id, *framework), all.collect::<Vec<_>>())
        })
    });
    assert_eq!(real.collect::<std::collections::BTreeMap<_, _>>(), model.lingering, "what lingers");
    let gone: Vec<_> = state.gone_agents.iter().map(|(id, gone)| (*id, gone.until.0)).collect();
    let want: Vec<_> = model.gone.iter().map(|(id, until)| (*id, *until)).collect();
    assert_eq!(gone, want, "gone agents");
}

fn compare_frameworks(state: &State, model: &Model) {
    let (real, modelled) = (state.frameworks.keys(), model.frameworks.keys());
    assert_eq!(real.collect::<Vec<_>>(), modelled.collect::<Vec<_>>(), "frameworks");
    for (id, want) in &model.frameworks {
        let framework = &state.frameworks[id];
        assert_eq!(link(framework.connection), want.link, "connection of framework {id}");
        let texts = |roles: Vec<&statemachine::Role>| -> std::collections::BTreeSet<String> {
            roles.into_iter().map(ToString::to_string).collect()
        };
        let roles = texts(framework.description.roles.iter().collect());
        assert_eq!(roles, want.roles, "roles of framework {id}");
        let suppressed = texts(framework.suppressed.iter().collect());
        assert_eq!(suppressed, want.suppressed, "suppressed roles of framework {id}");
        let offers: Vec<_> = framework.offers.iter().copied().collect();
        assert_eq!(offers, model.offers_of(*id), "offers of framework {id}");
    }
}

fn compare_offers(state: &State, model: &Model) {
    let real = state.offers.iter().map(|(id, offer)| {
        let until = offer.until.map(|until| until.0);
        (
            *id,
            offer.framework,
            offer.role.to_string(),
            offer.agent,
            Pile::of(&offer.resources),
            until,
        )
    });
    let want = model
        .offers
        .iter()
        .map(|(id, it)| (*id, it.framework, it.role.clone(), it.agent, it.pile.clone(), it.until));
    assert_eq!(real.collect::<Vec<_>>(), want.collect::<Vec<_>>(), "offers");
}

fn compare_tasks(state: &State, model: &Model) {
    let real = state.tasks.keys().map(|key| (key.framework, key.task.to_string()));
    let want = model.tasks.keys().cloned();
    assert_eq!(real.collect::<Vec<_>>(), want.collect::<Vec<_>>(), "tasks");
    for (key, task) in &state.tasks {
        let want = &model.tasks[&(key.framework, key.task.to_string())];
        let what = format!("task {} of framework {}", key.task, key.framework);
        let pending = task
            .pending
            .as_ref()
            .and_then(|it| Some((it.update?, it.state, it.reason.map(|reason| reason.0))));
        let told = task.statuses.last().map(|status| status.state);
        assert_eq!((task.state, told), (want.state, want.told), "state of {what}");
        assert_eq!(pending, want.pending, "what is pending of {what}");
        assert_eq!(task.acknowledged, want.acknowledged, "what is acknowledged of {what}");
        assert_eq!(task.kill.is_some(), want.is_killed, "kill of {what}");
        assert_eq!(task.agent, want.agent, "agent of {what}");
        let real = (task.role.to_string(), Pile::of(&task.resources));
        assert_eq!(real, (want.role.clone(), want.pile.clone()), "resources of {what}");
    }
    let real = state.executors.values().map(|executor| {
        let key = &executor.key;
        let name = (key.agent, key.framework, key.executor.to_string());
        (name, executor.holds, executor.shutdown.is_some(), Pile::of(&executor.resources))
    });
    let want = model.executors.iter();
    let want = want.map(|(name, it)| (name.clone(), it.holds, it.is_shut_down, it.pile.clone()));
    assert_eq!(real.collect::<Vec<_>>(), want.collect::<Vec<_>>(), "executors");
}

fn compare_operators(state: &State, model: &Model) {
    let limits = state.quotas.iter().map(|(role, quota)| {
        (role.to_string(), quota.limits.get(&Name::Cpus).map(|limit| limit.0))
    });
    let want = model.limits.iter().map(|(role, limit)| (role.clone(), Some(*limit)));
    assert_eq!(limits.collect::<Vec<_>>(), want.collect::<Vec<_>>(), "limits");
    let weights = state.weights.iter().map(|(role, weight)| (role.to_string(), *weight));
    let want = model.weights.iter().map(|(role, weight)| (role.clone(), *weight));
    assert_eq!(weights.collect::<Vec<_>>(), want.collect::<Vec<_>>(), "weights");
    let machines = state.maintenance.machines.iter().map(|(machine, (mode, when))| {
        let is_down = *mode == statemachine::maintenance::Mode::Down;
        (machine.hostname.to_string(), when.start_ns, is_down)
    });
    let want = model
        .machines
        .iter()
        .map(|(machine, (start, is_down))| (format!("node{machine}"), *start, *is_down));
    assert_eq!(machines.collect::<Vec<_>>(), want.collect::<Vec<_>>(), "machines");
    let asked = state.maintenance.inverse.iter().filter(|(_, it)| it.offer.is_some());
    let want = model.asked.iter().filter(|(_, (is_awaited, _))| *is_awaited);
    let (asked, want) = (asked.map(|(key, _)| *key), want.map(|(key, _)| *key));
    assert_eq!(asked.collect::<Vec<_>>(), want.collect::<Vec<_>>(), "inverse offers");
}
