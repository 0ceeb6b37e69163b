//! A whole cluster in one thread: everything that happens goes through here, one thing at a time.

use statemachine::{Settings, Time};

use crate::act;
use crate::bug::Bug;
use crate::client::{Agent, Fate, Operator, Scheduler};
use crate::cluster::{EPOCH_MS, Quorum};
use crate::happening::{End, Happening, Place, Request, ToClient};
use crate::nature::Nature;
use crate::plan::Plan;
use crate::trace::Trace;

/// The cluster and what surrounds it.
#[derive(Debug)]
pub struct World {
    /// Time, chance, network, oracle.
    pub nature: Nature,
    /// The masters.
    pub quorum: Quorum,
    /// The agents.
    pub agents: Vec<Agent>,
    /// The schedulers.
    pub schedulers: Vec<Scheduler>,
    /// The operator.
    pub operator: Operator,
    pub(crate) plan: Plan,
}

impl World {
    /// The world that a plan begins with: nothing runs, everything is about to start.
    pub fn new(plan: &Plan, bug: Option<Bug>, trace: Trace) -> Self {
        let mut nature = Nature::new(plan.seed, settings(), bug, trace);
        let shape = plan.shape;
        let agents = (0..shape.agents).map(|number| {
            let (cpus, mem) = (nature.dice.between(3, 8), nature.dice.between(1024, 4096));
            Agent::new(number, shape.masters, format!("cpus:{cpus};mem:{mem};ports:[31000-31100]"))
        });
        let agents = agents.collect();
        let schedulers = (0..shape.schedulers)
            .map(|number| Scheduler::new(number, shape.masters, shape.tasks, &mut nature))
            .collect();
        let mut world = Self {
            nature,
            quorum: Quorum::new(shape.masters, bug),
            agents,
            schedulers,
            operator: Operator::default(),
            plan: plan.clone(),
        };
        world.start_all();
        world
    }

    fn start_all(&mut self) {
        let places = (0..self.plan.shape.masters).map(Place::Master);
        let places = places.chain((0..self.plan.shape.agents).map(Place::Agent));
        for place in places.chain((0..self.plan.shape.schedulers).map(Place::Scheduler)) {
            let delay_ms = self.nature.dice.below(200);
            self.nature.after(delay_ms, Happening::Start(place));
        }
        self.nature.after(0, Happening::Act(0));
        self.nature.after(0, Happening::Operate);
    }

    /// Lets the next thing happen; false if there is none.
    pub fn step(&mut self) -> bool {
        let Some((at_ms, happening)) = self.nature.agenda.take_next() else { return false };
        self.nature.now = at_ms;
        if let Some(master) = master_of(&happening) {
            let until = self.quorum.masters[usize::from(master)].paused_until;
            if until > at_ms {
                self.nature.agenda.plan(until, happening);
                return true;
            }
        }
        self.happen(happening);
        true
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Act(step) => act::step(self, step),
            Happening::Calm => self.calm(),
            Happening::Start(place) => self.start(place),
            Happening::Mend(cut) => self.nature.network.mend(cut),
            Happening::Beat(place, life) => self.beat(place, life),
            Happening::Operate => {
                let leader = self.quorum.leader().map(|leader| leader.id);
                self.operator.beat(leader, &mut self.nature);
            }
            Happening::Revive(number) => {
                let scheduler = &mut self.schedulers[usize::from(number)];
                scheduler.revive(&mut self.nature);
            }
            Happening::Tell(session, message) => self.tell(session, message),
            Happening::Ended(session, end) => self.ended(session, end),
            Happening::Answer { scheduler, life, call, taken } => {
                let scheduler = &mut self.schedulers[usize::from(scheduler)];
                if scheduler.up && scheduler.life == life {
                    scheduler.answered(call, taken, &mut self.nature);
                }
            }
            Happening::Running(agent, task, run) => {
                let agent = &mut self.agents[usize::from(agent)];
                agent.process(&task, run, Fate::Running, &mut self.nature);
            }
            Happening::Exit(agent, task, run, end) => {
                let agent = &mut self.agents[usize::from(agent)];
                agent.process(&task, run, Fate::Ended(end), &mut self.nature);
            }
            Happening::Turn(..)
            | Happening::Synced { .. }
            | Happening::Raft { .. }
            | Happening::Ask { .. } => self.at_master(happening),
        }
    }

    fn at_master(&mut self, happening: Happening) {
        let nature = &mut self.nature;
        let alive = |master: u8, quorum: &Quorum| quorum.masters[usize::from(master)].up;
        let same = |master: u8, life: u32, quorum: &Quorum| {
            alive(master, quorum) && quorum.masters[usize::from(master)].life == life
        };
        match happening {
            Happening::Turn(id, life) if same(id, life, &self.quorum) => {
                self.quorum.turn(id, nature);
            }
            Happening::Synced { master, life, generation, upto, answer }
                if same(master, life, &self.quorum) =>
            {
                self.quorum.synced(master, (generation, upto), answer, nature);
            }
            Happening::Raft { from, to, message } if alive(to, &self.quorum) => {
                self.quorum.raft(from, to, message, nature);
            }
            Happening::Ask { master, request } => self.ask(master, *request),
            _ => {}
        }
    }

    fn ask(&mut self, master: u8, request: Request) {
        let master = &mut self.quorum.masters[usize::from(master)];
        if master.up {
            self.nature.note(format_args!("master {} is asked {request}", master.id));
            master.ask(request, &mut self.nature);
        }
    }

    fn start(&mut self, place: Place) {
        let nature = &mut self.nature;
        match place {
            Place::Master(id) => {
                let master = &mut self.quorum.masters[usize::from(id)];
                if !master.up {
                    master.start(nature);
                }
            }
            Place::Agent(number) => {
                let agent = &mut self.agents[usize::from(number)];
                if !agent.up {
                    agent.start(nature);
                }
            }
            Place::Scheduler(number) => {
                let scheduler = &mut self.schedulers[usize::from(number)];
                if !scheduler.up {
                    scheduler.start(nature);
                }
            }
        }
    }

    fn beat(&mut self, place: Place, life: u32) {
        match place {
            Place::Master(id) => {
                let master = &self.quorum.masters[usize::from(id)];
                if master.up && master.life == life {
                    self.quorum.beat(id, &mut self.nature);
                    if self.quorum.is_settled(&self.nature) {
                        self.nature.oracle.waited(Time(EPOCH_MS + self.nature.now));
                    }
                }
            }
            Place::Agent(number) => {
                let agent = &mut self.agents[usize::from(number)];
                if agent.up && agent.life == life {
                    agent.beat(&mut self.nature);
                }
            }
            Place::Scheduler(number) => {
                let scheduler = &mut self.schedulers[usize::from(number)];
                if scheduler.up && scheduler.life == life {
                    scheduler.beat(&mut self.nature);
                    act::habit(self, number);
                }
            }
        }
    }

    fn tell(&mut self, session: statemachine::Session, message: ToClient) {
        let nature = &mut self.nature;
        if !nature.network.listens(session, End::Client) {
            return;
        }
        let Some(stream) = nature.network.stream(session) else { return };
        let (place, life) = stream.client;
        nature.note(format_args!("{place:?} hears {message} on {session}"));
        match place {
            Place::Agent(number) => {
                let agent = &mut self.agents[usize::from(number)];
                if agent.up && agent.life == life {
                    agent.hear(session, message, nature);
                }
            }
            Place::Scheduler(number) => {
                let scheduler = &mut self.schedulers[usize::from(number)];
                if scheduler.up && scheduler.life == life {
                    scheduler.hear(session, message, nature);
                }
            }
            Place::Master(_) => {}
        }
    }

    fn ended(&mut self, session: statemachine::Session, end: End) {
        let Some(stream) = self.nature.network.end(session, end) else { return };
        let nature = &mut self.nature;
        match (end, stream.client) {
            (End::Master, _) => {
                let (id, life) = stream.master;
                let master = &mut self.quorum.masters[usize::from(id)];
                if master.up && master.life == life {
                    master.ended(session, nature);
                }
            }
            (End::Client, (Place::Agent(number), life)) => {
                let agent = &mut self.agents[usize::from(number)];
                if agent.up && agent.life == life {
                    agent.ended(session, nature);
                }
            }
            (End::Client, (Place::Scheduler(number), life)) => {
                let scheduler = &mut self.schedulers[usize::from(number)];
                if scheduler.up && scheduler.life == life {
                    scheduler.ended(session, nature);
                }
            }
            (End::Client, (Place::Master(_), _)) => {}
        }
    }

    /// All faults are over.
    fn calm(&mut self) {
        self.nature.note(format_args!("calm"));
        self.nature.calm = true;
        self.nature.network.mend_all();
        let now = self.nature.now;
        for master in &mut self.quorum.masters {
            if master.paused_until > now {
                // it goes on from now, with all that was put off, and is not yet settled
                let is_its = |it: &Happening| master_of(it) == Some(master.id);
                self.nature.agenda.bring_forward(master.paused_until, now, is_its);
                master.paused_until = now;
            }
        }
        let places = (0..self.plan.shape.masters).map(Place::Master);
        let places = places.chain((0..self.plan.shape.agents).map(Place::Agent));
        for place in places.chain((0..self.plan.shape.schedulers).map(Place::Scheduler)) {
            self.start(place);
        }
    }
}

/// The master whose doing this is; it waits while that one is paused.
fn master_of(happening: &Happening) -> Option<u8> {
    match happening {
        Happening::Turn(id, _) | Happening::Beat(Place::Master(id), _) => Some(*id),
        Happening::Synced { master, .. } | Happening::Ask { master, .. } => Some(*master),
        Happening::Raft { to, .. } => Some(*to),
        _ => None,
    }
}

/// The leader's flags, with time-outs short enough for all of them to fire in a run.
fn settings() -> Settings {
    Settings {
        agent_reregister_timeout_ms: 15_000,
        framework_reconnect_timeout_ms: 5_000,
        framework_failover_minimum_ms: 20_000,
        offer_timeout_ms: Some(8_000),
        allocation_interval_ms: 1_000,
        retention: statemachine::Retention {
            completed_frameworks: 5,
            completed_tasks_per_framework: 10,
            completed_task_age_ms: Some(20_000),
            completed_framework_age_ms: Some(30_000),
        },
        ..Settings::default()
    }
}
