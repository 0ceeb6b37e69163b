//! Calls about offers, of operators, and of time: the real command and what the model makes of it.

use statemachine::agent::{Deactivate, DrainAgent, MarkGone, Reactivate};
use statemachine::allocator::Allocate;
use statemachine::cluster::{Lead, Tick, Weigh};
use statemachine::maintenance::{
    AnswerInverseOffers, Machine, StartMaintenance, StopMaintenance, Unavailability,
    UpdateSchedule, Window,
};
use statemachine::offer::{self, OfferReference};
use statemachine::operation::{Operate, Request};
use statemachine::quota::{Before, Quota, SetQuotas};
use statemachine::resources::{Name, Scalar};
use statemachine::testing::command_task;
use statemachine::{AgentId, Event, FrameworkId, OfferId, Rejection, Reply, task};

use crate::call::{Call, Convert, Do, Piece};
use crate::drive::{Pair, ROLES, pick, refusal};
use crate::model::{Offer, Refused};
use crate::offers::{Conversion, Operation, Wanted};
use crate::pile::{Kind, Pile};

type Done = Option<(Result<Reply, Rejection>, Refused)>;

/// How long time passes by itself: up to fifteen days, after which absent agents are forgotten.
const PASSES_MS: [u64; 16] = [
    100,
    1_000,
    1_000,
    1_000,
    1_000,
    5_000,
    5_000,
    5_000,
    5_000,
    5_000,
    31_000,
    31_000,
    61_000,
    121_000,
    601_000,
    15 * 24 * 3_600_000,
];
/// What an executor uses.
const EXECUTOR_CPUS: i64 = 100;

impl Pair {
    pub(crate) fn offer_call(&mut self, call: &Call) -> Done {
        match call {
            Call::Allocate { only } => {
                let only = only.and_then(|only| pick(&self.agents(), only));
                let real = self.ask(Allocate { agents: only.map(|only| vec![only]) });
                self.take_offers(only);
                Some((real, Ok(())))
            }
            Call::Accept { who, offers, operations, refuse } => {
                let id = self.pick_holder(*who)?;
                let offers = self.pick_offers(id, offers);
                Some(self.accept(id, &offers, operations, *refuse))
            }
            Call::Decline { who, offers, refuse } => {
                let framework = self.pick_holder(*who)?;
                let offers = self.pick_offers(framework, offers);
                let (refuse_seconds, refuse_ms) = refusal(*refuse);
                let declined = offers.clone();
                let real = self.ask(offer::Decline { framework, offers, refuse_seconds });
                Some((real, self.model.decline(framework, &declined, refuse_ms)))
            }
            _ => None,
        }
    }

    /// Each new offer must be one that may be made; after a cycle over all agents, none that may be made
    /// is missing.
    fn take_offers(&mut self, only: Option<AgentId>) {
        let mut told: Vec<(FrameworkId, Vec<u64>)> = Vec::new();
        for (id, offer) in &self.real.state.offers.clone() {
            if self.model.offers.contains_key(id) {
                continue;
            }
            assert!(only.is_none_or(|only| only == offer.agent), "another agent's offer {id}");
            self.model.offer(
                *id,
                Offer {
                    framework: offer.framework,
                    role: offer.role.to_string(),
                    agent: offer.agent,
                    pile: Pile::of(&offer.resources),
                    until: Some(self.model.now + 120_000),
                },
            );
            match told.iter_mut().find(|(framework, _)| *framework == offer.framework) {
                Some((_, offers)) => offers.push(id.0),
                None => told.push((offer.framework, vec![id.0])),
            }
        }
        for (framework, offers) in told {
            self.model.tell(framework, crate::said::Said::Offers(offers));
        }
        if only.is_none() {
            self.model.check_nothing_is_kept_back();
        }
        self.model.ask_back(only);
    }

    fn accept(
        &mut self,
        framework: FrameworkId,
        offers: &[OfferId],
        operations: &[Do],
        refuse: u8,
    ) -> (Result<Reply, Rejection>, Refused) {
        let operations = self.concrete(offers, operations);
        let (refuse_seconds, refuse_ms) = refusal(refuse);
        let before = self.real.events.len();
        let real = self.ask(offer::Accept {
            framework,
            offers: offers.iter().map(|id| self.reference(*id)).collect(),
            operations: operations.iter().map(to_core).collect(),
            refuse_seconds,
        });
        let refused = self.real.events[before..].iter().find_map(|event| match event {
            Event::OffersFiltered(filtered) => Some(Pile::of(&filtered.resources)),
            _ => None,
        });
        (real, self.model.accept(framework, offers, &operations, (refuse_ms, refused)))
    }

    fn reference(&self, offer: OfferId) -> OfferReference {
        self.real.reference(offer)
    }

    /// What operations come to, given what the offers hold. It may still be too much.
    fn concrete(&self, offers: &[OfferId], operations: &[Do]) -> Vec<Operation> {
        let held: Vec<&Offer> = offers.iter().filter_map(|id| self.model.offers.get(id)).collect();
        let mut hand = Pile::default();
        for offer in &held {
            hand.add(&offer.pile);
        }
        let agent = held.first().map_or(AgentId(0), |offer| offer.agent);
        let role = held.first().map_or_else(|| "a".to_owned(), |offer| offer.role.clone());
        let mut done = Vec::new();
        for operation in operations {
            let operation = match operation {
                Do::Launch(pieces) => Operation::Launch(wanted(agent, &hand, pieces)),
                Do::Group { executor, tasks } => {
                    let own = Pile::plain("cpus", EXECUTOR_CPUS);
                    let name = format!("e{}", executor % 2);
                    Operation::Group(name, own, wanted(agent, &hand, tasks))
                }
                Do::Convert(convert) => match conversion(&hand, *convert, Some(&role)) {
                    Some(conversion) => Operation::Convert(conversion),
                    None => continue,
                },
            };
            // later operations may use what earlier ones make
            if let Operation::Convert(conversion) = &operation
                && let Some((consumed, made)) = self.model.plan(agent, conversion)
                && hand.covers(&consumed)
            {
                hand.take(&consumed);
                hand.add(&made);
            }
            done.push(operation);
        }
        done
    }

    pub(crate) fn operator_call(&mut self, call: &Call) -> Done {
        match *call {
            Call::Gone { agent } => {
                let agent = pick(&self.agents(), agent)?;
                Some((self.ask(MarkGone { agent }), self.model.mark_gone(agent)))
            }
            Call::Deactivate { agent } => {
                let agent = pick(&self.agents(), agent)?;
                Some((self.ask(Deactivate { agent }), self.model.deactivate(agent)))
            }
            Call::Reactivate { agent } => {
                let agent = pick(&self.agents(), agent)?;
                Some((self.ask(Reactivate { agent }), self.model.reactivate(agent)))
            }
            Call::Drain { agent, goes } => {
                let agent = pick(&self.agents(), agent)?;
                let real = self.ask(DrainAgent { agent, max_grace_ns: None, mark_gone: goes });
                Some((real, self.model.drain(agent, goes)))
            }
            Call::Limit { role, limit, is_forced } => {
                let role = pick(&ROLES, role)?;
                let limit = limit.map(|limit| i64::from(limit % 12) * 500);
                let limits = limit.map(|limit| (Name::Cpus, Scalar(limit))).into_iter().collect();
                let quota = Quota { limits, ..Quota::default() };
                let quotas = vec![(role.into(), quota)];
                let real = self.ask(SetQuotas { quotas, force: is_forced, before: Before::Any });
                Some((real, self.model.limit(role, limit, is_forced)))
            }
            Call::Weigh { role, weight } => {
                let (role, weight) = (pick(&ROLES, role)?, u64::from(weight % 3 + 1) * 1000);
                let real = self.ask(Weigh { weights: vec![(role.into(), weight)] });
                self.model.weigh(role, weight);
                Some((real, Ok(())))
            }
            Call::Operate { agent, convert } => {
                let id = pick(&self.agents(), agent)?;
                let total = self.model.agents.get(&id).map(|agent| agent.total.clone());
                let conversion = conversion(&total.unwrap_or_default(), convert, None)?;
                let request = to_request(&conversion);
                let real = self.ask(Operate { agent: Some(id), request });
                Some((real, self.model.operate(id, &conversion)))
            }
            Call::AnswerAsked { who, agent, refuse } => {
                let framework = pick(&self.frameworks(), who)?;
                let agent = pick(&self.agents(), agent)?;
                let inverse = self.real.state.maintenance.inverse.get(&(agent, framework));
                let offers = inverse.and_then(|inverse| inverse.offer).into_iter().collect();
                let (refuse_seconds, refuse_ms) = refusal(refuse);
                let accepts = refuse % 2 == 0;
                let answer = AnswerInverseOffers { framework, offers, accepts, refuse_seconds };
                let real = self.ask(answer);
                Some((real, self.model.answer_asked(framework, agent, refuse_ms)))
            }
            _ => self.machine_call(call),
        }
    }

    fn machine_call(&mut self, call: &Call) -> Done {
        match *call {
            Call::Schedule { machines, start } => {
                let start_ns = i64::from(start % 3);
                let machines: Vec<u8> = (0..4).filter(|bit| machines >> bit & 1 == 1).collect();
                let unavailability = Unavailability { start_ns, duration_ns: None };
                let window = Window {
                    machines: machines.iter().copied().map(machine).collect(),
                    unavailability,
                };
                let windows = if machines.is_empty() { Vec::new() } else { vec![window] };
                let real = self.ask(UpdateSchedule { windows });
                Some((real, self.model.schedule(&machines, start_ns)))
            }
            Call::BringDown { machine: number } => {
                let machines = vec![machine(number % 4)];
                let real = self.ask(StartMaintenance { machines });
                Some((real, self.model.bring_down(number % 4)))
            }
            Call::BringUp { machine: number } => {
                let machines = vec![machine(number % 4)];
                let real = self.ask(StopMaintenance { machines });
                Some((real, self.model.bring_up(number % 4)))
            }
            Call::Pass { how_long } => {
                let passed_ms = pick(&PASSES_MS, how_long)?;
                self.real.now = self.real.now.after_ms(passed_ms);
                self.model.now += passed_ms;
                let real = self.ask(Tick);
                self.model.tick();
                Some((real, Ok(())))
            }
            Call::Lead => {
                let term = self.real.state.cluster.term + 1;
                let real = self.ask(Lead { term, leader: term, cluster: "c".into() });
                self.model.lead();
                Some((real, Ok(())))
            }
            _ => None,
        }
    }
}

fn machine(number: u8) -> Machine {
    Machine::new(&format!("node{number}"), &format!("10.0.0.{number}"))
}

/// Tasks, each with a part of what is in hand: some of it reserved, some of it a volume, and now and
/// then more than there is.
fn wanted(agent: AgentId, hand: &Pile, pieces: &[Piece]) -> Vec<Wanted> {
    let task = |piece: &Piece| {
        let mut pile = Pile::default();
        for (kind, held) in &hand.0 {
            let takes = match (kind.volume.is_some(), kind.roles.is_empty()) {
                (true, _) => piece.part & 64 != 0,
                (false, false) => piece.part & 32 != 0,
                (false, true) => kind.name != "disk",
            };
            let part = match piece.part % 16 {
                _ if kind.volume.is_some() => *held,
                0 => held + 1,
                1 => *held,
                part => held / i64::from(part),
            };
            if takes && part > 0 {
                pile.0.insert(kind.clone(), part);
            }
        }
        if pile.is_empty() {
            pile = Pile::plain("cpus", 100);
        }
        let agent = if piece.is_misplaced { AgentId(agent.0 + 1) } else { agent };
        Wanted { id: format!("t{}", piece.id % 40), agent, pile }
    };
    pieces.iter().map(task).collect()
}

/// A conversion of something that is there: of one kind, and a part of it.
fn conversion(there: &Pile, convert: Convert, own: Option<&str>) -> Option<Conversion> {
    let kinds = |wanted: &dyn Fn(&Kind) -> bool| -> Vec<(Kind, i64)> {
        there.only(wanted).0.into_iter().collect()
    };
    let share = |amount: i64, part: u8| (amount / i64::from(part % 3 + 1)).max(1);
    Some(match convert {
        Convert::Reserve { which, role, part } => {
            let (kind, amount) = pick(&kinds(&|kind| kind.volume.is_none()), which)?;
            // frameworks mostly reserve for the role that they were offered it for
            let role = own.filter(|_| role < 230).unwrap_or(pick(&ROLES, role)?);
            Conversion::Reserve(Pile([(kind.reserved(role), share(amount, part))].into()))
        }
        Convert::Unreserve { which, part } => {
            let (kind, amount) = pick(&kinds(&|kind| !kind.roles.is_empty()), which)?;
            let amount = if kind.volume.is_some() { amount } else { share(amount, part) };
            Conversion::Unreserve(Pile([(kind, amount)].into()))
        }
        Convert::Create { which, id, part } => {
            let (kind, amount) =
                pick(&kinds(&|it| it.name == "disk" && it.volume.is_none()), which)?;
            let volume = kind.with_volume(Some(&format!("v{}", id % 3)));
            Conversion::Create(Pile([(volume, share(amount, part))].into()))
        }
        Convert::Destroy { which } => {
            let (kind, amount) = pick(&kinds(&|kind| kind.volume.is_some()), which)?;
            Conversion::Destroy(Pile([(kind, amount)].into()))
        }
    })
}

fn to_request(conversion: &Conversion) -> Request {
    match conversion {
        Conversion::Reserve(pile) => Request::Reserve(Ok(pile.to_resources())),
        Conversion::Unreserve(pile) => Request::Unreserve(Ok(pile.to_resources())),
        Conversion::Create(pile) => Request::Create(Ok(pile.to_resources())),
        Conversion::Destroy(pile) => Request::Destroy(Ok(pile.to_resources())),
    }
}

fn to_core(operation: &Operation) -> offer::Operation {
    let spec = |task: &Wanted| {
        let resources = task.pile.to_resources();
        task::TaskSpec { resources, ..command_task(&task.id, task.agent, "") }
    };
    match operation {
        Operation::Launch(tasks) => offer::Operation::Launch(tasks.iter().map(spec).collect()),
        Operation::Group(executor, own, tasks) => offer::Operation::LaunchGroup(task::GroupSpec {
            executor: task::ExecutorSpec {
                id: executor.as_str().into(),
                resources: own.to_resources(),
                payload: bytes::Bytes::new(),
            },
            tasks: tasks.iter().map(spec).collect(),
            fault: None,
        }),
        Operation::Convert(conversion) => offer::Operation::Convert(to_request(conversion), None),
    }
}
