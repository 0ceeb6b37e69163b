//! A framework takes offers and says what to do with them: a pipeline of operations on what was
//! offered, in which one may fail without stopping the next (semantics D).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Offer;
use super::filter::refuse;
use super::launch;
use super::launch_group::launch_group;
use crate::allocator::exclusive;
use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::Effect;
use crate::event::Fold;
use crate::id::{FrameworkId, OfferId, OperationId, OperationKey, Role};
use crate::operation::{self, Asker, ConversionError, Given, Label, Plan, Request, Stock};
use crate::quota::passed_limit;
use crate::rejection::Rejection;
use crate::resources::{Resource, Resources};
use crate::state::State;
use crate::status::{Reason, Status, TaskState, UpdateId};
use crate::task::{GroupSpec, TaskRefused, TaskSpec};
use crate::time::Time;

/// ACCEPT.
#[derive(Clone, Debug, PartialEq)]
pub struct Accept {
    /// Who.
    pub framework: FrameworkId,
    /// Which.
    pub offers: Vec<OfferReference>,
    /// What to do, in order.
    pub operations: Vec<Operation>,
    /// For how long what is left over is refused; none if the call has no filters.
    pub refuse_seconds: Option<f64>,
}

/// An offer as the framework named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferReference {
    /// The offer; none if the text is no offer id of this cluster.
    pub id: Option<OfferId>,
    /// As it was named.
    pub text: Arc<str>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Start tasks, each on its own.
    Launch(Vec<TaskSpec>),
    /// Start tasks together or not at all.
    LaunchGroup(GroupSpec),
    /// Convert resources. With an id, the framework hears what becomes of it.
    Convert(Request, Option<OperationId>),
}

impl Operation {
    /// RESERVE without an id.
    pub fn reserve(given: Given) -> Self {
        Self::Convert(Request::Reserve(given), None)
    }

    /// UNRESERVE without an id.
    pub fn unreserve(given: Given) -> Self {
        Self::Convert(Request::Unreserve(given), None)
    }

    /// CREATE without an id.
    pub fn create(given: Given) -> Self {
        Self::Convert(Request::Create(given), None)
    }

    /// DESTROY without an id.
    pub fn destroy(given: Given) -> Self {
        Self::Convert(Request::Destroy(given), None)
    }
}

/// A framework took offers; what it did with them follows, and what is left over is free again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffersAccepted {
    /// Which.
    #[serde(rename = "o")]
    pub offers: Vec<OfferId>,
}

/// The resources in hand while the operations of one ACCEPT run. What they made and nothing has used
/// goes back unfiltered (semantics 100).
#[derive(Debug)]
pub(crate) struct Hand {
    pub(crate) framework: FrameworkId,
    pub(crate) role: Role,
    pub(crate) stock: Stock,
}

impl Hand {
    /// Whether all that is needed is there. One copy of what is shared does for any number of uses
    /// (semantics 101).
    pub(super) fn holds(&self, needed: &Resources) -> bool {
        let shared = |resource: &&Resource| resource.shared;
        let rest = &self.stock.rest;
        rest.contains(&needed.filtered(|resource| !resource.shared))
            && needed.iter().filter(shared).all(|it| rest.iter().any(|held| held == it))
    }

    /// Something is used from now on; what is shared stays in hand all the same.
    pub(super) fn spend(&mut self, used: &Resources) {
        self.stock.rest.remove_each(exclusive(used));
        self.stock.converted.remove_all(used);
    }
}

impl Decide for Accept {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        if !draft.state().frameworks.contains_key(&self.framework) {
            return Err(Rejection::FrameworkUnknown);
        }
        let found = self.found(draft.state());
        match self.fault(draft.state()) {
            Some(fault) => self.refuse_all(draft, &found, &fault),
            None => self.carry_out(draft, &found),
        }
        Ok(Reply::Done)
    }
}

impl Accept {
    /// The offers named that are there and this framework's, each once.
    fn found(&self, state: &State) -> Vec<Arc<Offer>> {
        let mut found: Vec<_> = self
            .offers
            .iter()
            .filter_map(|reference| state.offers.get(&reference.id?))
            .filter(|offer| offer.framework == self.framework)
            .cloned()
            .collect();
        found.sort_by_key(|offer| offer.id);
        found.dedup_by_key(|offer| offer.id);
        found
    }

    /// What makes the whole call invalid, if anything does (semantics 79, 81).
    fn fault(&self, state: &State) -> Option<String> {
        if self.offers.is_empty() {
            return Some("No offers specified".into());
        }
        let mut first: Option<&Arc<Offer>> = None;
        for (position, reference) in self.offers.iter().enumerate() {
            let text = &reference.text;
            if self.offers[..position].iter().any(|earlier| earlier.text == *text) {
                return Some(format!("Duplicate offer {text} in offer list"));
            }
            let Some(offer) = reference.id.and_then(|id| state.offers.get(&id)) else {
                return Some(format!("Offer {text} is no longer valid"));
            };
            if offer.framework != self.framework {
                return Some(format!("Offer {text} is not an offer to this framework"));
            }
            let first = first.get_or_insert(offer);
            if first.agent != offer.agent {
                return Some(format!("Offer {text} is of another agent than the offers before it"));
            }
            if first.role != offer.role {
                return Some(format!("Offer {text} is for another role than the offers before it"));
            }
        }
        None
    }

    /// Consumes what was valid, without a filter, and refuses every task (semantics 80).
    fn refuse_all(&self, draft: &mut Draft<'_>, found: &[Arc<Offer>], fault: &str) {
        consume(draft, found);
        let message = format!("Task launched with invalid offers: {fault}");
        for operation in &self.operations {
            match operation {
                Operation::Launch(tasks) | Operation::LaunchGroup(GroupSpec { tasks, .. }) => {
                    for task in tasks {
                        drop_task(draft, self.framework, task, (Reason::INVALID_OFFERS, &message));
                    }
                }
                Operation::Convert(_, Some(id)) => {
                    let (framework, operation) = (self.framework, id.clone());
                    let why = format!("Operation attempted with invalid offers: {fault}");
                    operation::refuse(draft, OperationKey { framework, operation }, &why);
                }
                Operation::Convert(_, None) => {}
            }
        }
    }

    fn carry_out(&self, draft: &mut Draft<'_>, found: &[Arc<Offer>]) {
        let Some(first) = found.first() else { return };
        let mut stock = Stock {
            agent: first.agent,
            rest: Resources::default(),
            converted: Resources::default(),
        };
        for offer in found {
            stock.rest.add_all(&offer.resources);
        }
        consume(draft, found);
        let mut hand = Hand { framework: self.framework, role: first.role.clone(), stock };
        for operation in &self.operations {
            match operation {
                Operation::Launch(tasks) => launch::launch(draft, &mut hand, tasks),
                Operation::LaunchGroup(group) => launch_group(draft, &mut hand, group),
                Operation::Convert(request, id) => convert(draft, &mut hand, request, id.as_ref()),
            }
        }
        let left_over = hand.stock.rest.without(&hand.stock.converted);
        let place = (hand.role, hand.stock.agent);
        refuse(draft, self.framework, place, left_over, self.refuse_seconds);
    }
}

/// Converts what is in hand. Without an id nobody hears that it could not be done (semantics 87).
fn convert(draft: &mut Draft<'_>, hand: &mut Hand, request: &Request, id: Option<&OperationId>) {
    let framework = hand.framework;
    let Some(description) = draft.state().frameworks.get(&framework) else { return };
    let asker = Asker::Framework(description.description.clone(), hand.role.clone());
    let key = id.map(|id| OperationKey { framework, operation: id.clone() });
    let label = key.clone().map(|key| Label { update: fresh_update(draft), key });
    let in_use = key.as_ref().filter(|key| draft.state().operations.contains_key(*key));
    let done = match in_use {
        Some(key) => Err(ConversionError::IdInUse(key.operation.clone())),
        None => operation::plan(draft.state(), hand.stock.agent, &asker, request)
            .and_then(|plan| check_limits(draft.state(), hand, &plan).map(|()| plan))
            .and_then(|plan| operation::convert(draft, &mut hand.stock, plan, label)),
    };
    if let (Some(key), Err(why)) = (key, done) {
        operation::refuse(draft, key, &why);
    }
}

/// No role has more than its limit for it: what is unreserved counts for the role it was offered to,
/// whomever it was reserved for (gaps 56).
fn check_limits(state: &State, hand: &Hand, plan: &Plan) -> Result<(), ConversionError> {
    let Stock { agent, rest, .. } = &hand.stock;
    if state.quotas.is_empty() || !rest.contains(&plan.consumed) {
        return Ok(());
    }
    let (mut before, mut after) = (state.clone(), state.clone());
    before.book.charge(hand.framework, &hand.role, *agent, rest);
    let mut rest = rest.clone();
    plan.carry_out(&mut rest);
    after.book.charge(hand.framework, &hand.role, *agent, &rest);
    after.alter_agent(*agent, |agent| plan.carry_out(&mut agent.total));
    passed_limit(&before, &after).map_or(Ok(()), |passed| Err(ConversionError::PassesLimit(passed)))
}

/// A UUID (version 4 in form) for a status of what is recorded next.
fn fresh_update(draft: &Draft<'_>) -> UpdateId {
    let number = draft.state().cluster.events.0;
    let bits = u128::from(draft.context().seed) << 64 | u128::from(number);
    let version = bits & !(0xf << 76 | 0b11 << 62) | 0x4 << 76 | 0b10 << 62;
    UpdateId(version.to_be_bytes())
}

fn consume(draft: &mut Draft<'_>, found: &[Arc<Offer>]) {
    if !found.is_empty() {
        let offers = found.iter().map(|offer| offer.id).collect();
        draft.record(OffersAccepted { offers });
    }
}

/// Tells a framework that a task was not launched for a reason that lies outside of it:
/// `TASK_DROPPED`, or `TASK_LOST` for those that cannot tell (semantics 80, 83).
pub(super) fn drop_task(
    draft: &mut Draft<'_>,
    framework: FrameworkId,
    task: &TaskSpec,
    (reason, message): (Reason, &str),
) {
    let aware = draft.state().is_partition_aware(framework);
    let state = if aware { TaskState::Dropped } else { TaskState::Lost };
    let status = Status::by_master(state, reason, message, draft.context().now);
    draft.record(TaskRefused {
        framework,
        task: task.id.clone(),
        agent: task.agent,
        status: Arc::new(status),
    });
}

impl Fold for OffersAccepted {
    fn fold(&self, state: &mut State, _at: Time, _effects: &mut Vec<Effect>) {
        for offer in &self.offers {
            if let Some(offer) = state.lift(*offer) {
                state.count_of(offer.framework, |counts| counts.offers_accepted += 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::FrameworkMessage;
    use crate::id::AgentId;
    use crate::task::Fault;
    use crate::testing::{World, command_task, resources};

    /// A world with two agents and a framework that holds an offer of each, in their order.
    fn offered() -> (World, FrameworkId, Vec<OfferId>) {
        let mut world = World::new();
        world.agent("cpus:4;mem:4096");
        world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["*"]);
        world.allocate();
        world.sent();
        let mut offers = world.offers(framework);
        offers.sort_by_key(|id| world.state.offers[id].agent);
        (world, framework, offers)
    }

    fn task(id: &str, agent: AgentId) -> TaskSpec {
        command_task(id, agent, "cpus:1;mem:64")
    }

    fn launch(tasks: &[TaskSpec]) -> Vec<Operation> {
        vec![Operation::Launch(tasks.to_vec())]
    }

    /// What a framework is told of its tasks: state, reason and words.
    fn told(world: &mut World, framework: FrameworkId) -> Vec<(TaskState, Option<Reason>, String)> {
        let told = world.told(framework).into_iter();
        told.map(|message| match message {
            FrameworkMessage::Updated(update) => {
                let status = &update.status;
                let words = status.message.as_deref().unwrap_or_default().to_owned();
                (status.state, status.reason, words)
            }
            other => panic!("not an update: {other:?}"),
        })
        .collect()
    }

    fn check_refused(world: &mut World, framework: FrameworkId, state: TaskState, words: &str) {
        let told = told(world, framework);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].0, state, "{told:?}");
        assert!(told[0].2.contains(words), "{told:?} does not say {words}");
    }

    #[test]
    fn a_launch_uses_and_the_rest_is_free() {
        let (mut world, framework, offers) = offered();
        world.accept(framework, &offers[..1], launch(&[task("t", AgentId(0))]));
        let agent = &world.state.agents[&AgentId(0)];
        assert_eq!(agent.used, resources("cpus:1;mem:64"));
        assert_eq!(agent.free(), resources("cpus:3;mem:4032"));
        assert_eq!(told(&mut world, framework), [], "no TASK_STAGING is sent, semantics 94");
    }

    #[test]
    fn an_offer_can_be_taken_once() {
        let (mut world, framework, offers) = offered();
        world.accept(framework, &offers[..1], launch(&[task("t", AgentId(0))]));
        world.sent();
        world.accept(framework, &offers[..1], launch(&[task("u", AgentId(0))]));
        let words = "is no longer valid";
        check_refused(&mut world, framework, TaskState::Dropped, words); // semantics 80
        assert_eq!(world.state.tasks.len(), 1, "gaps 13");
    }

    #[test]
    fn offers_of_two_agents_do_not_mix_and_are_consumed() {
        let (mut world, framework, offers) = offered();
        world.accept(framework, &offers, launch(&[task("t", AgentId(0))]));
        check_refused(&mut world, framework, TaskState::Dropped, "of another agent");
        assert!(world.state.offers.is_empty(), "semantics 80");
    }

    #[test]
    fn the_same_offer_twice_is_refused() {
        let (mut world, framework, offers) = offered();
        let twice = [offers[0], offers[0]];
        world.accept(framework, &twice, launch(&[task("t", AgentId(0))]));
        check_refused(&mut world, framework, TaskState::Dropped, "Duplicate offer"); // semantics 81
    }

    #[test]
    fn another_frameworks_offer_is_refused_and_stays() {
        let (mut world, framework, offers) = offered();
        let other = world.framework(&["*"]);
        world.sent();
        world.accept(other, &offers[..1], launch(&[task("t", AgentId(0))]));
        check_refused(&mut world, other, TaskState::Dropped, "not an offer to this framework");
        assert_eq!(world.offers(framework).len(), 2);
    }

    #[test]
    fn one_invalid_task_does_not_stop_its_siblings() {
        let (mut world, framework, offers) = offered();
        let greedy = command_task("greedy", AgentId(0), "cpus:9");
        let tasks = [task("a", AgentId(0)), greedy, task("b", AgentId(0))];
        world.accept(framework, &offers[..1], launch(&tasks));
        check_refused(&mut world, framework, TaskState::Error, "more than available");
        assert_eq!(world.state.tasks.len(), 2, "semantics 92");
    }

    #[test]
    fn revocable_resources_do_not_mix_with_others_of_their_name() {
        let (mut world, framework, offers) = offered();
        let mut mixed = task("t", AgentId(0));
        let revocable = resources("cpus:1");
        let revocable = revocable.iter().map(|it| Resource { revocable: true, ..it.clone() });
        mixed.resources.add_all(&revocable.collect());
        world.accept(framework, &offers[..1], launch(&[mixed]));
        check_refused(&mut world, framework, TaskState::Error, "mix revocable"); // semantics 129
    }

    #[test]
    fn faults_are_found_in_the_order_of_semantics_140() {
        let (mut world, framework, offers) = offered();
        let mut spec = task("t", AgentId(1));
        spec.fault = Some(Fault::Id("the id is wrong".into()));
        world.accept(framework, &offers[..1], launch(&[spec.clone()]));
        check_refused(&mut world, framework, TaskState::Error, "the id is wrong");
        world.allocate();
        world.sent();
        let offers = world.offers(framework);
        let of_first = offers.iter().find(|id| world.state.offers[*id].agent == AgentId(0));
        let of_first = *of_first.expect("an offer");
        spec.fault = Some(Fault::Shape("the shape is wrong".into()));
        world.accept(framework, &[of_first], launch(&[spec.clone()]));
        check_refused(&mut world, framework, TaskState::Error, "invalid agent"); // semantics 142
        world.allocate();
        world.sent();
        let offers = world.offers(framework);
        spec.agent = None;
        spec.fault = Some(Fault::Agent("stranger".into()));
        world.accept(framework, &offers[..1], launch(&[spec]));
        check_refused(&mut world, framework, TaskState::Error, "invalid agent stranger while");
    }

    #[test]
    fn a_task_id_is_used_once_at_a_time() {
        let (mut world, framework, offers) = offered();
        let twice = [task("t", AgentId(0)), task("t", AgentId(0))];
        world.accept(framework, &offers[..1], launch(&twice));
        check_refused(&mut world, framework, TaskState::Error, "duplicate ID"); // semantics 141
        world.update(framework, "t", TaskState::Finished, 1).expect("taken");
        world.acknowledge(framework, "t", 1);
        world.launch(framework, "t", "cpus:1");
        assert_eq!(world.state.tasks.len(), 1, "completed ids may be reused");
    }

    /// gaps 10: an id is taken while its task is out of reach, and whoever leads.
    #[test]
    fn the_id_of_a_task_out_of_reach_is_not_free() {
        let (mut world, framework, _) = offered();
        let agent = world.launch(framework, "t", "cpus:1");
        world.disconnect(agent);
        world.pass_ms(600_000);
        world.lead(2);
        let mut again = world.subscription(Some("c-0000"), &["*"]);
        again.description.failover_timeout_ms = 3_600_000;
        world.subscribe(again);
        world.allocate();
        let offer = world.offers(framework)[0];
        let other = world.state.offers[&offer].agent;
        assert_ne!(other, agent);
        world.sent();
        world.accept(framework, &[offer], launch(&[task("t", other)]));
        let words = "the ID of an unreachable task";
        check_refused(&mut world, framework, TaskState::Error, words);
    }

    #[test]
    fn offers_survive_a_change_of_leader() {
        let (mut world, framework, offers) = offered();
        world.lead(2);
        let again = world.subscription(Some("c-0000"), &["*"]);
        world.subscribe(again);
        let [FrameworkMessage::Offers(again)] = &world.told(framework)[..] else {
            panic!("the offers are not sent again");
        };
        let again: Vec<_> = again.iter().map(|offer| offer.id).collect();
        assert!(again.len() == 2 && again.iter().all(|offer| offers.contains(offer)));
        world.accept(framework, &offers[..1], launch(&[task("t", AgentId(0))]));
        assert_eq!(world.state.tasks.len(), 1, "gaps 13: the agent is awaited, not gone");
    }
}
