//! Calls of frameworks and agents: the real command and what the model makes of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use statemachine::agent::{self, Cause};
use statemachine::framework;
use statemachine::task;
use statemachine::{
    AgentId, Capabilities, EventNumber, FrameworkId, NamedAgent, Rejection, Reply, Role, Status,
    TaskState, Time, UpdateId, framework_capability,
};

use crate::agents::Hello;
use crate::call::Call;
use crate::drive::{Pair, may_add, pick, roles, session_of, unwrap};
use crate::frameworks::wire_id;
use crate::model::{Agent, Framework, Link, Refused, TaskName};
use crate::pile::Pile;
use crate::tasks::Report;

type Done = Option<(Result<Reply, Rejection>, Refused)>;

/// How long frameworks may be away.
const TIMEOUTS_MS: [u64; 3] = [60_000, 0, 10_000_000];
/// What agents report.
const STATES: [TaskState; 8] = [
    TaskState::Running,
    TaskState::Starting,
    TaskState::Finished,
    TaskState::Failed,
    TaskState::Killed,
    TaskState::Killing,
    TaskState::Running,
    TaskState::Lost,
];

impl Pair {
    pub(crate) fn framework_call(&mut self, call: &Call) -> Done {
        match *call {
            Call::Subscribe { roles: bits, is_aware, timeout } => {
                may_add(self.model.frameworks.len()).then_some(())?;
                let timeout_ms = pick(&TIMEOUTS_MS, timeout)?;
                Some(self.subscribe(roles(bits), is_aware, timeout_ms))
            }
            Call::Resubscribe { who, roles: bits, suppressed } => {
                let id = pick(&self.frameworks(), who)?;
                let (roles, suppressed) = self.wishes(id, bits, suppressed);
                let mut subscribe = self.subscription(id, &roles);
                subscribe.suppressed = core_roles(&suppressed);
                let session = subscribe.session;
                let real = self.ask(subscribe);
                Some((real, self.model.resubscribe(id, session, (roles, suppressed))))
            }
            Call::UpdateFramework { who, roles: bits, suppressed } => {
                let id = pick(&self.frameworks(), who)?;
                let (roles, suppressed) = self.wishes(id, bits, suppressed);
                let subscribe = self.subscription(id, &roles);
                let real = self.ask(framework::Update {
                    framework: id,
                    description: subscribe.description,
                    suppressed: core_roles(&suppressed),
                    constraints: subscribe.constraints,
                });
                Some((real, self.model.update_framework(id, (roles, suppressed))))
            }
            Call::HangUp { who, is_old } => {
                let framework = pick(&self.frameworks(), who)?;
                let link = self.model.frameworks.get(&framework).map(|it| it.link);
                let session = session_of(link, is_old);
                let real = self.ask(framework::Disconnect { framework, session });
                Some((real, self.model.hang_up(framework, session)))
            }
            Call::Teardown { who } => {
                let framework = pick(&self.frameworks(), who)?;
                let real = self.ask(framework::Teardown { framework });
                Some((real, self.model.teardown(framework)))
            }
            Call::Suppress { who, roles: bits } => {
                let (framework, named) = (pick(&self.frameworks(), who)?, named(bits));
                let roles = core_roles(&named);
                let real = self.ask(framework::Suppress { framework, roles });
                Some((real, self.model.want(framework, &texts(&named), false)))
            }
            Call::Revive { who, roles: bits } => {
                let (framework, named) = (pick(&self.frameworks(), who)?, named(bits));
                let roles = core_roles(&named);
                let real = self.ask(framework::Revive { framework, roles });
                Some((real, self.model.want(framework, &texts(&named), true)))
            }
            _ => None,
        }
    }

    fn subscribe(
        &mut self,
        roles: BTreeSet<String>,
        is_aware: bool,
        timeout_ms: u64,
    ) -> (Result<Reply, Rejection>, Refused) {
        let names: Vec<&str> = roles.iter().map(String::as_str).collect();
        let mut subscribe = self.real.subscription(None, &names);
        describe(&mut subscribe.description, is_aware, timeout_ms);
        let link = Link::Up(subscribe.session);
        let real = self.ask(subscribe);
        let id = unwrap(&real, |reply| match reply {
            Reply::Subscribed(id, _) => Some(*id),
            Reply::Done | Reply::Registered(_) | Reply::Converted(..) => None,
        });
        let suppressed = BTreeSet::new();
        let framework = Framework {
            link,
            roles,
            suppressed,
            is_aware,
            timeout_ms,
            subscribed_at: self.model.now,
            left_at: None,
            unheard: Vec::new(),
        };
        self.model.subscribe(id.expect("a number"), framework);
        (real, Ok(()))
    }

    /// Roles, mostly those that it has, and those of them that are to be suppressed, mostly none.
    fn wishes(
        &self,
        id: FrameworkId,
        bits: u8,
        suppressed: u8,
    ) -> (BTreeSet<String>, BTreeSet<String>) {
        let known = self.model.frameworks.get(&id).filter(|_| bits >= 96);
        let mine = known.map_or_else(|| roles(bits), |known| known.roles.clone());
        let not = if suppressed < 64 { roles(suppressed) } else { BTreeSet::new() };
        let suppressed = not.intersection(&mine).cloned().collect();
        (mine, suppressed)
    }

    /// A SUBSCRIBE of a framework that was there, with the same description but for its roles.
    fn subscription(&mut self, id: FrameworkId, roles: &BTreeSet<String>) -> framework::Subscribe {
        let names: Vec<&str> = roles.iter().map(String::as_str).collect();
        let mut subscribe = self.real.subscription(Some(&wire_id(id)), &names);
        let known = self.model.frameworks.get(&id);
        let (is_aware, timeout_ms) = known.map_or((true, 0), |it| (it.is_aware, it.timeout_ms));
        describe(&mut subscribe.description, is_aware, timeout_ms);
        subscribe
    }

    pub(crate) fn agent_call(&mut self, call: &Call) -> Done {
        match *call {
            Call::Register { size } => {
                may_add(self.model.agents.len()).then_some(())?;
                Some(self.register(size))
            }
            Call::Return { agent, tasks, executors, heard } => {
                let id = pick(&self.agents(), agent)?;
                Some(self.agent_returns(id, (tasks, executors, heard)))
            }
            Call::AgentHangsUp { agent, is_old, is_silent } => {
                let agent = pick(&self.agents(), agent)?;
                let session = self.agent_session(agent, is_old);
                let cause = if is_silent { Cause::Silent } else { Cause::Closed };
                let real = self.ask(agent::Disconnect { agent, session, cause });
                Some((real, self.model.agent_hangs_up(agent, session, is_silent)))
            }
            Call::Unregister { agent, is_old } => {
                let agent = pick(&self.agents(), agent)?;
                let session = self.agent_session(agent, is_old);
                let real = self.ask(agent::Unregister { agent, session });
                Some((real, self.model.unregister(agent, session)))
            }
            Call::Stopped { agent, framework, is_old } => {
                let mut all: Vec<_> = self.model.lingering.keys().copied().collect();
                let strangers = self.agents().into_iter().zip(self.frameworks());
                all.extend(strangers.take(usize::from(framework % 4 == 0)));
                let (agent, id) = pick(&all, agent)?;
                let session = self.agent_session(agent, is_old);
                let framework = wire_id(id).into();
                let real = self.ask(framework::Stopped { agent, session, framework });
                self.model.stopped(agent, id, session);
                Some((real, Ok(())))
            }
            _ => None,
        }
    }

    fn register(&mut self, size: u8) -> (Result<Reply, Rejection>, Refused) {
        let (tells, size) = (size < 192, i64::from(size % 8) + 1);
        let text = format!("cpus:{size};mem:{};disk:{}", size * 512, size * 100);
        // machines are used again once their number is free
        let taken: BTreeSet<u8> = self.model.agents.values().map(|agent| agent.machine).collect();
        let machine = (0..=u8::MAX).find(|machine| !taken.contains(machine)).unwrap_or_default();
        let mut hello = self.real.hello(None, &text);
        place(&mut hello.description, machine);
        hello.description.tells_stops = tells;
        let (link, total) = (Link::Up(hello.session), Pile::of(&hello.description.resources));
        let real = self.ask(hello);
        let id = unwrap(&real, |reply| match reply {
            Reply::Registered(id) => Some(*id),
            Reply::Done | Reply::Subscribed(..) | Reply::Converted(..) => None,
        });
        let agent = Agent {
            link,
            is_unreachable: false,
            is_deactivated: false,
            drain: None,
            machine,
            total,
            tells,
        };
        (real, self.model.register(id.unwrap_or(AgentId(u32::MAX)), agent))
    }

    fn agent_returns(
        &mut self,
        id: AgentId,
        (tasks, executors, heard): (u8, u8, u8),
    ) -> (Result<Reply, Rejection>, Refused) {
        let known = self.model.agents.get(&id).cloned();
        let machine = known.as_ref().map_or(200, |agent| agent.machine);
        let launches: Vec<u64> =
            self.model.tasks.values().filter(|it| it.agent == id).map(|it| it.launched).collect();
        // mostly it has heard of all
        let heard = if heard % 4 == 0 { pick(&launches, heard / 4).unwrap_or(0) } else { u64::MAX };
        let there = self.model.tasks_on(id).into_iter().enumerate().filter(|(bit, name)| {
            let task = &self.model.tasks[name];
            tasks >> (bit % 8) & 1 == 1 && task.launched <= heard && !task.state.is_terminal()
        });
        let mut there: Vec<TaskName> = there.map(|(_, name)| name).collect();
        there.extend(
            self.model.over.iter().take(usize::from(tasks % 5 == 0)).map(|id| (*id, "old".into())),
        );
        let own = self.model.executors.keys().filter(|name| name.0 == id).enumerate();
        let own = own.filter(|(bit, _)| executors >> (bit % 8) & 1 == 1).map(|(_, it)| it.clone());
        let own: BTreeSet<_> = own.collect();
        let lingering = self.model.lingering.keys().filter(|name| name.0 == id).enumerate();
        let stay = lingering.filter(|(bit, _)| executors.rotate_left(3) >> (bit % 8) & 1 == 1);
        let mut running: BTreeSet<_> = stay.map(|(_, name)| name.1).collect();
        running.extend(self.model.over.iter().take(usize::from(executors % 7 == 0)));
        let mut hello = self.real.hello(Some(id), "");
        if let Some(agent) = self.real.state.agents.get(&id) {
            hello.description.resources = agent.description.resources.clone();
            hello.description.tells_stops = agent.description.tells_stops;
        }
        place(&mut hello.description, machine);
        hello.last_launch = EventNumber(heard);
        hello.tasks = there.iter().map(report_task).collect();
        let report = |name: &(AgentId, FrameworkId, String)| agent::ExecutorReport {
            framework: wire_id(name.1).into(),
            executor: name.2.as_str().into(),
        };
        hello.executors = own.iter().map(report).collect();
        hello.running = running.iter().map(|id| wire_id(*id).into()).collect();
        let session = hello.session;
        let real = self.ask(hello);
        let hello = Hello { session, tasks: there, executors: own, running, heard };
        (real, self.model.agent_returns(id, machine, &hello))
    }

    pub(crate) fn task_call(&mut self, call: &Call) -> Done {
        match call {
            Call::Kill { who, task, agent } => {
                let id = pick(&self.frameworks(), *who)?;
                let name = self.pick_task(id, *task);
                let agent = agent.and_then(|agent| pick(&self.agents(), agent));
                let real = self.ask(task::Kill {
                    framework: id,
                    task: name.as_str().into(),
                    agent: agent.map(NamedAgent::Ours),
                    policy: bytes::Bytes::new(),
                });
                Some((real, self.model.kill(id, name, agent)))
            }
            Call::Report { task, state, ahead, again } => {
                self.report(*task, (*state, *ahead), *again)
            }
            Call::Acknowledge { who, task, is_other } => {
                let framework = pick(&self.frameworks(), *who)?;
                let name = self.pick_task(framework, *task);
                let known = self.model.tasks.get(&(framework, name.clone()));
                let pending = known.and_then(|task| task.pending).filter(|_| !is_other);
                let update = pending.map_or(UpdateId([9; 16]), |pending| pending.0);
                let agent = known.map_or(AgentId(0), |task| task.agent);
                let task = name.as_str().into();
                let real =
                    self.ask(task::Acknowledge { framework, agent: Some(agent), task, update });
                Some((real, self.model.acknowledge(framework, agent, name, update)))
            }
            Call::Reconcile { who, tasks } => {
                let framework = pick(&self.frameworks(), *who)?;
                let asked: Vec<_> = tasks
                    .iter()
                    .map(|(task, agent)| {
                        let agent = agent.and_then(|agent| pick(&self.agents(), agent));
                        (self.pick_task(framework, *task), agent)
                    })
                    .collect();
                let question = |(task, agent): &(String, Option<AgentId>)| task::Question {
                    task: task.as_str().into(),
                    agent: agent.map(NamedAgent::Ours),
                };
                let tasks = asked.iter().map(question).collect();
                let real = self.ask(task::Reconcile { framework, tasks });
                Some((real, self.model.reconcile(framework, &asked)))
            }
            Call::ShutdownExecutor { executor } => {
                let names: Vec<_> = self.model.executors.keys().cloned().collect();
                let name = pick(&names, *executor)?;
                let (agent, framework, executor) = (Some(name.0), name.1, name.2.as_str().into());
                let real = self.ask(task::ShutdownExecutor { framework, agent, executor });
                self.model.shut_down(&name);
                Some((real, Ok(())))
            }
            Call::ExecutorExits { executor, is_old } => {
                let names: Vec<_> = self.model.executors.keys().cloned().collect();
                let name = pick(&names, *executor)?;
                let session = self.agent_session(name.0, *is_old);
                let real = self.ask(task::ExecutorExited {
                    agent: name.0,
                    session,
                    framework: wire_id(name.1).into(),
                    executor: name.2.as_str().into(),
                    status: 9,
                });
                self.model.executor_exits(&name, session);
                Some((real, Ok(())))
            }
            _ => None,
        }
    }

    /// A task of a framework, or one that nobody knows.
    fn pick_task(&self, id: FrameworkId, number: u8) -> String {
        let own = self.model.tasks.keys().filter(|name| name.0 == id).map(|name| name.1.clone());
        let all: Vec<String> = own.chain(["nobody's".into()]).collect();
        pick(&all, number).unwrap_or_default()
    }

    fn report(&mut self, task: u8, (state, ahead): (u8, Option<u8>), again: u8) -> Done {
        let live = self.model.tasks.iter().map(|(name, task)| (name.clone(), task.agent));
        let over = self.model.history.last().map(|(name, _)| (name.clone(), AgentId(0)));
        let all: Vec<(TaskName, AgentId)> = live.chain(over).collect();
        let (name, agent) = pick(&all, task)?;
        let known = self.model.tasks.get(&name);
        let in_history = self.model.history.iter().rev().find(|(it, _)| *it == name);
        let old =
            known.and_then(|it| it.acknowledged).or(in_history.and_then(|(_, it)| it.acknowledged));
        let pending = known.and_then(|task| task.pending);
        self.updates += 1;
        let mut bytes = [1; 16];
        bytes[..8].copy_from_slice(&self.updates.to_be_bytes());
        let (update, state) = match (again % 8, pending, old) {
            (0 | 1, Some((update, state, _)), _) => (update, state),
            (2, _, Some(update)) => (update, TaskState::Running),
            _ => (UpdateId(bytes), pick(&STATES, state)?),
        };
        let latest =
            ahead.map_or(state, |ahead| [TaskState::Finished, state][usize::from(ahead % 2)]);
        let session = self.agent_session(agent, again == 255);
        let real = self.ask(task::Update {
            agent,
            session,
            framework: wire_id(name.0).into(),
            task: name.1.as_str().into(),
            executor: None,
            status: Arc::new(Status {
                update: Some(update),
                reason: None,
                ..Status::by_master(state, statemachine::Reason(0), "reported", Time(0))
            }),
            latest,
        });
        let report = Report { agent, session, task: name, state, latest, update };
        Some((real, self.model.report(&report)))
    }
}

fn report_task(name: &TaskName) -> agent::TaskReport {
    let (framework, task) = (wire_id(name.0).into(), name.1.as_str().into());
    agent::TaskReport { framework, task, state: TaskState::Running }
}

fn describe(description: &mut framework::Description, is_aware: bool, timeout_ms: u64) {
    description.failover_timeout_ms = timeout_ms;
    let able = Capabilities::default()
        .with(framework_capability::MULTI_ROLE)
        .with(framework_capability::RESERVATION_REFINEMENT);
    let aware = able.with(framework_capability::PARTITION_AWARE);
    description.capabilities = if is_aware { aware } else { able };
}

fn place(description: &mut agent::Description, machine: u8) {
    description.hostname = format!("node{machine}").into();
    description.address = format!("10.0.0.{machine}:5051").into();
}

/// Mostly all roles, which are not named then.
fn named(bits: u8) -> BTreeSet<String> {
    if bits.is_multiple_of(2) { BTreeSet::new() } else { roles(bits / 2) }
}

fn texts(roles: &BTreeSet<String>) -> Vec<String> {
    roles.iter().cloned().collect()
}

fn core_roles(roles: &BTreeSet<String>) -> Vec<Role> {
    roles.iter().map(|role| role.as_str().into()).collect()
}
