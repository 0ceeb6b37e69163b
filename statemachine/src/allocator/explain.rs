//! Why a framework is offered what it is, and no more: what stands between it and each agent at one
//! moment. It asks the checks of the cycle itself, so that it cannot say anything else than what
//! happens.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::cycle::allocate;
use super::filters::refused_until;
use super::lot::{Lot, Lots, is_enough};
use super::pile::Pile;
use super::trace::{Obstacle, Step};
use super::tree::{Client, Tree};
use crate::agent::{Agent, DrainState};
use crate::context::Context;
use crate::framework::Framework;
use crate::id::{AgentId, FrameworkId, OfferId, Role};
use crate::quota::{Amounts, Bound, Headroom};
use crate::resources::{Quantities, Resources};
use crate::state::State;
use crate::time::Time;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Of whom.
    pub framework: FrameworkId,
    /// For which of its roles; none for all.
    pub role: Option<Role>,
    /// On which agent; none for all.
    pub agent: Option<AgentId>,
    /// What an offer would have to have, beside the usual minimum.
    pub needs: Amounts,
}

/// How a framework stands in one of its roles.
#[derive(Clone, Debug, PartialEq)]
pub struct RoleAnswer {
    /// The role.
    pub role: Role,
    /// Whether offers are made to it at all.
    pub standing: Standing,
    /// The dominant share of the role with all below it, before its weight; none while nobody takes
    /// offers for it.
    pub share: Option<f64>,
    /// What stands between it and each agent; empty if no offers are made to it.
    pub agents: Vec<(AgentId, Verdict)>,
}

/// Whether offers are made to a framework for a role at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// They are.
    Asking,
    /// It has suppressed the role (semantics 110).
    Suppressed,
    /// It is not connected.
    Disconnected,
}

/// What stands between a framework and one agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: it has this offer.
    Offered(OfferId),
    /// Nothing: the next cycle makes an offer.
    Next,
    /// The next cycle makes an offer, but to these, who come before it by their shares or by what
    /// they are guaranteed; to nobody, if other offers of the cycle use up what a quota allows.
    OthersFirst(Vec<(FrameworkId, Role)>),
    /// Nothing of the agent is offered to anybody.
    Inactive(Inactive),
    /// It would not do even if nothing of it were in use.
    Unfit(Obstacle),
    /// What it could take is in use, or offered to these.
    Taken(Vec<(FrameworkId, Role, OfferId)>),
    /// It refused as much or more until then (semantics 107).
    Refused(Time),
    /// Quotas leave it less than an offer needs (semantics 181).
    Bound(Bound),
}

/// Why nothing of an agent is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inactive {
    /// It has not been heard of for so long that its tasks count as unreachable.
    Unreachable,
    /// It is not connected.
    Disconnected,
    /// It is being drained.
    Draining,
    /// It is drained.
    Drained,
    /// An operator deactivated it.
    Deactivated,
}

/// Answers for the state as it is, each role of the framework that is asked for. Empty if there is no
/// such framework, or it has no such role.
pub fn explain(state: &State, context: &Context, question: &Question) -> Vec<RoleAnswer> {
    let Some(framework) = state.frameworks.get(&question.framework) else { return Vec::new() };
    let mut steps = Vec::new();
    allocate(state, context, question.agent.as_ref().map(std::slice::from_ref), &mut steps);
    let mut next: BTreeMap<AgentId, Vec<(FrameworkId, Role)>> = BTreeMap::new();
    for step in steps {
        if let Step::Offered(offer, _) = step {
            next.entry(offer.agent).or_default().push((offer.framework, offer.role));
        }
    }
    let (tree, headroom) = (Tree::new(state, &context.settings), Headroom::new(state));
    let asked = Asked { state, context, question, framework, next, tree, headroom };
    let roles = framework.description.roles.iter();
    let roles = roles.filter(|role| question.role.as_ref().is_none_or(|asked| asked == *role));
    roles.map(|role| asked.role(role)).collect()
}

/// A question, with what is the same for all agents.
struct Asked<'a> {
    state: &'a State,
    context: &'a Context,
    question: &'a Question,
    framework: &'a Framework,
    /// To whom the next cycle offers what is free on each agent.
    next: BTreeMap<AgentId, Vec<(FrameworkId, Role)>>,
    tree: Tree<'a>,
    headroom: Headroom<'a>,
}

impl Asked<'_> {
    fn role(&self, role: &Role) -> RoleAnswer {
        let standing = if !self.framework.connection.is_connected() {
            Standing::Disconnected
        } else if self.framework.suppressed.contains(role) {
            Standing::Suppressed
        } else {
            Standing::Asking
        };
        let agents = match (standing, self.question.agent) {
            (Standing::Suppressed | Standing::Disconnected, _) => Vec::new(),
            (Standing::Asking, Some(id)) => self.state.agents.get(&id).into_iter().collect(),
            (Standing::Asking, None) => self.state.agents.values().collect(),
        };
        let client = Client::new(self.framework, role);
        let verdict = |agent: &std::sync::Arc<Agent>| (agent.id, self.verdict(&client, agent));
        RoleAnswer {
            standing,
            share: self.tree.role(role).map(|node| self.tree.share(node)),
            agents: agents.into_iter().map(verdict).collect(),
            role: role.clone(),
        }
    }

    /// What never changes is named before what time or others may change.
    fn verdict(&self, client: &Client<'_>, agent: &Agent) -> Verdict {
        let role = client.role;
        let mut offers = agent.offers.iter().filter_map(|id| self.state.offers.get(id));
        let mut own =
            offers.clone().filter(|it| it.framework == self.framework.id && it.role == *role);
        if let Some(offer) = own.find(|offer| self.suffices(&offer.resources)) {
            return Verdict::Offered(offer.id);
        }
        if let Some(why) = inactive(agent) {
            return Verdict::Inactive(why);
        }
        let mut lot = Lots::new(self.state, self.context).next(agent, None);
        let refusals = lot.refusals.take();
        if let Err(why) = self.fit(client, &lot, &Pile::from(agent.total.clone()).open_to(role)) {
            return Verdict::Unfit(why);
        }
        let free = lot.free.open_to(role);
        if self.fit(client, &lot, &free).is_err() {
            let others = offers.by_ref().filter(|it| role_may_have(role, &it.resources));
            return Verdict::Taken(
                others.map(|it| (it.framework, it.role.clone(), it.id)).collect(),
            );
        }
        let account = self.headroom.account(role);
        let cut = self.headroom.cut(account, free.resources(), &free.counted());
        let bound = cut.as_ref().map(|(_, why)| *why);
        let open = cut.map_or(free, |(part, _)| Cow::Owned(part.into()));
        let Ok(fit) = self.fit(client, &lot, &open) else {
            return bound.map_or(Verdict::Unfit(Obstacle::TooLittle), Verdict::Bound);
        };
        let now = self.context.now;
        let until = refusals.and_then(|it| refused_until(it, &client.key(), fit.resources(), now));
        if let Some(until) = until {
            return Verdict::Refused(until);
        }
        let next = self.next.get(&agent.id).map(Vec::as_slice).unwrap_or_default();
        if next.contains(&client.key()) {
            Verdict::Next
        } else {
            Verdict::OthersFirst(next.to_vec())
        }
    }

    /// What the framework could take of these, if that is enough for an offer and for what is asked.
    fn fit(&self, client: &Client<'_>, lot: &Lot<'_>, open: &Pile) -> Result<Pile, Obstacle> {
        let fit = lot.fit(client, open, Obstacle::TooLittle)?;
        if self.suffices(fit.resources()) { Ok(fit) } else { Err(Obstacle::TooLittle) }
    }

    fn suffices(&self, resources: &Resources) -> bool {
        is_enough(std::slice::from_ref(&self.question.needs), &Quantities::of(resources))
    }
}

/// Whether some of these could be offered for this role.
fn role_may_have(role: &Role, resources: &Resources) -> bool {
    !Pile::from(resources.clone()).open_to(role).is_empty()
}

fn inactive(agent: &Agent) -> Option<Inactive> {
    if agent.unreachable_since.is_some() {
        return Some(Inactive::Unreachable);
    }
    if !agent.connection.is_active() {
        return Some(Inactive::Disconnected);
    }
    let why = match agent.drain.as_ref().map(|drain| drain.state) {
        Some(DrainState::Draining) => Inactive::Draining,
        Some(DrainState::Drained) => Inactive::Drained,
        None => Inactive::Deactivated,
    };
    (!agent.is_active()).then_some(why)
}
