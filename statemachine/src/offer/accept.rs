//! A framework takes offers and says what to do with them: a pipeline of operations on what was
//! offered, in which one may fail without stopping the next (semantics D).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Offer;
use super::filter::refuse;
use super::launch;
use super::launch_group::launch_group;
use crate::allocator::exclusive;
use crate::capability;
use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::Effect;
use crate::event::Fold;
use crate::id::{AgentId, FrameworkId, OfferId, OperationId, OperationKey, Role};
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
                let id = |framework: FrameworkId| {
                    state.frameworks.get(&framework).map_or("", |framework| &framework.wire_id)
                };
                return Some(format!(
                    "Offer {text} has invalid framework {} while framework {} is expected",
                    id(offer.framework),
                    id(self.framework)
                ));
            }
            let first = first.get_or_insert(offer);
            if first.agent != offer.agent {
                return Some(format!(
                    "Aggregated offers must belong to one single agent. Offer {text} is of agent {} \
                     and the ones before of {}",
                    state.agent_text(offer.agent),
                    state.agent_text(first.agent)
                ));
            }
            if first.role != offer.role {
                return Some(format!(
                    "Aggregated offers must be allocated to the same role. Offer {text} is for \
                     role '{}' and the ones before for '{}'",
                    offer.role, first.role
                ));
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
        None => check_feedback(draft.state(), hand.stock.agent, id)
            .and_then(|()| operation::plan(draft.state(), hand.stock.agent, &asker, request))
            .and_then(|plan| check_limits(draft.state(), hand, &plan).map(|()| plan))
            .and_then(|plan| operation::convert(draft, &mut hand.stock, plan, label)),
    };
    if let (Some(key), Err(why)) = (key, done) {
        operation::refuse(draft, key, &why);
    }
}

/// Only an agent that confirms operations can be followed (semantics 89).
fn check_feedback(
    state: &State,
    agent: AgentId,
    id: Option<&OperationId>,
) -> Result<(), ConversionError> {
    let agent = state.agents.get(&agent);
    let confirms = agent.is_some_and(|agent| {
        agent.description.capabilities.has(capability::agent::AGENT_OPERATION_FEEDBACK)
    });
    if id.is_none() || confirms {
        Ok(())
    } else {
        Err(ConversionError::AgentNotCapable("AGENT_OPERATION_FEEDBACK"))
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
    let client = (hand.framework, hand.role.clone());
    before.book.charge(&client, *agent, rest);
    let mut rest = rest.clone();
    plan.carry_out(&mut rest);
    after.book.charge(&client, *agent, &rest);
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
/// `TASK_DROPPED`, or `TASK_LOST` for those that cannot tell (semantics 80).
fn drop_task(
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
mod tests;
