//! An operator converts resources of an agent. What it takes is taken back from offers, if need be.

use super::{Asker, ConversionError, Plan, Request, Stock, convert, plan};
use crate::agent::Agent;
use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::id::{AgentId, OfferId};
use crate::offer::{OffersRescinded, refuse};
use crate::quota::{counts, passed_limit};
use crate::rejection::Rejection;
use crate::resources::{Quantities, Resources, Scalar};
use crate::state::State;

/// `RESERVE_RESOURCES`, `CREATE_VOLUMES` and their like (semantics 166 to 168).
#[derive(Clone, Debug, PartialEq)]
pub struct Operate {
    /// Whose resources; none if that is no agent of this cluster.
    pub agent: Option<AgentId>,
    /// What to do.
    pub request: Request,
}

impl Decide for Operate {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let asker = Asker::Operator(draft.context().principal.clone());
        let state = draft.state();
        let agent = self.agent.and_then(|agent| state.agents.get(&agent)).cloned();
        let agent = agent.filter(|agent| agent.is_reachable());
        let agent =
            agent.ok_or_else(|| Rejection::Invalid("No agent found with specified ID".into()))?;
        let invalid = |error: ConversionError| {
            let name = state.agent_text(agent.id);
            let kind = self.request.name();
            Rejection::Invalid(format!("Invalid {kind} operation on agent {name}: {error}").into())
        };
        let plan = plan(state, agent.id, &asker, &self.request).map_err(invalid)?;
        let (offers, rest) = recovered(state, &agent, &plan.consumed).ok_or_else(|| {
            let consumed = &plan.consumed;
            let what = format!("{consumed} is not free on agent {}", state.agent_text(agent.id));
            Rejection::Conflict(what.into())
        })?;
        let offers = keep_limits(state, agent.id, offers, &plan)?;
        take_back(draft, offers);
        let mut stock = Stock { agent: agent.id, rest, converted: Resources::default() };
        let agent = agent.id;
        // all that it consumes is in stock
        convert(draft, &mut stock, plan, None)
            .map_err(|error| Rejection::Invalid(error.to_string().into()))?;
        // the conversion is the last that happened, and its number is the directive's
        Ok(Reply::Converted(agent, draft.state().cluster.events))
    }
}

/// No role has more than its limit for it (gaps 56). What is only offered to a role is taken back for that: these
/// offers come on top of those whose resources are needed.
fn keep_limits(
    state: &State,
    agent: AgentId,
    mut offers: Vec<OfferId>,
    plan: &Plan,
) -> Result<Vec<OfferId>, Rejection> {
    if state.quotas.is_empty() {
        return Ok(offers);
    }
    let mut after = state.clone();
    for offer in &offers {
        after.lift(*offer);
    }
    after.alter_agent(agent, |agent| plan.carry_out(&mut agent.total));
    while let Some(passed) = passed_limit(state, &after) {
        // one that was passed before may stay so
        let before = state.consumption().get(&*passed.role).map_or(0, |it| it.get(&passed.name).0);
        let mut excess = passed.consumed.0 - passed.limit.0.max(before);
        let had = offers.len();
        for offer in state.offers.values().filter(|it| it.role.is_within(&passed.role)) {
            let counted = Quantities::of(offer.resources.iter().filter(|it| counts(it)));
            let counted = counted.get(&passed.name);
            if excess > 0 && counted > Scalar(0) && after.offers.contains_key(&offer.id) {
                after.lift(offer.id);
                offers.push(offer.id);
                excess -= counted.0;
            }
        }
        if offers.len() == had {
            let name = state.agent_text(agent);
            return Err(Rejection::Conflict(format!("operation on agent {name}: {passed}").into()));
        }
    }
    Ok(offers)
}

/// The offers to rescind, one by one, until all that is needed is free, and what is free then; none
/// if it never is.
fn recovered(
    state: &State,
    agent: &Agent,
    needed: &Resources,
) -> Option<(Vec<OfferId>, Resources)> {
    let mut free = agent.free();
    let mut offers = Vec::new();
    for id in &agent.offers {
        if free.contains(needed) {
            break;
        }
        if let Some(offer) = state.offers.get(id) {
            free.add_all(&offer.resources.filtered(|resource| !resource.shared));
            offers.push(*id);
        }
    }
    free.contains(needed).then_some((offers, free))
}

/// Rescinds offers, and keeps their resources from who had them for a while (semantics 168).
fn take_back(draft: &mut Draft<'_>, offers: Vec<OfferId>) {
    if offers.is_empty() {
        return;
    }
    let taken: Vec<_> =
        offers.iter().filter_map(|id| draft.state().offers.get(id)).cloned().collect();
    draft.record(OffersRescinded { offers });
    for offer in taken {
        let place = (offer.role.clone(), offer.agent);
        refuse(draft, offer.framework, place, offer.resources.clone(), None);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ROLE, total, world};
    use super::*;
    use crate::effect::{Directive, Effect};
    use crate::quota::{Before, Quota, SetQuotas};
    use crate::resources::Name;
    use crate::testing::{World, plus, reserved, resources, volume};

    fn operate(world: &mut World, request: Request) -> Result<Reply, Rejection> {
        world.ask(Operate { agent: Some(AgentId(0)), request })
    }

    /// semantics 168; gaps 60
    #[test]
    fn offers_give_back_what_an_operator_takes() {
        let (mut world, framework) = world();
        world.allocate();
        let some = reserved(&resources("cpus:1;disk:100"), "db");
        operate(&mut world, Request::Reserve(Ok(some.clone()))).expect("done");
        assert!(world.offers(framework).is_empty());
        assert!(total(&world).contains(&some));
        assert_eq!(world.state.book.filters.len(), 1);
        operate(&mut world, Request::Create(Ok(volume("v", "db", 64)))).expect("done");
        operate(&mut world, Request::Destroy(Ok(volume("v", "db", 64)))).expect("done");
        operate(&mut world, Request::Unreserve(Ok(some.clone()))).expect("done");
        assert!(!total(&world).contains(&some));
    }

    /// semantics 168; gaps 56, 60: what is only offered is not in the way of a reservation either.
    #[test]
    fn offers_that_fill_a_limit_are_taken_back() {
        let (mut world, framework) = world();
        let limits = [(Name::Cpus, Scalar(2000))].into();
        let quota = Quota { limits, ..Quota::default() };
        let quotas = vec![(ROLE.into(), quota)];
        world.must(SetQuotas { quotas, force: false, before: Before::Any });
        world.allocate();
        assert!(!world.offers(framework).is_empty());
        let some = |text: &str| Request::Reserve(Ok(reserved(&resources(text), ROLE)));
        operate(&mut world, some("cpus:2")).expect("nothing of the limit is used");
        let refused = operate(&mut world, some("cpus:0.5")).expect_err("beyond the limit");
        assert!(refused.to_string().contains("cpus:2.5"), "{refused}");
    }

    /// gaps 30
    #[test]
    fn the_answer_names_the_directive_that_the_agent_confirms() {
        let (mut world, _) = world();
        world.allocate();
        world.sent();
        let some = reserved(&resources("cpus:1"), "db");
        let reply = operate(&mut world, Request::Reserve(Ok(some))).expect("done");
        let told = world.sent().into_iter().find_map(|effect| match effect {
            Effect::Agent { to, directive: Directive::Resources { number, .. }, .. } => {
                Some(Reply::Converted(to, number))
            }
            Effect::Agent { .. } | Effect::Framework { .. } | Effect::Operators(_) => None,
        });
        assert_eq!(Some(reply), told);
    }

    /// semantics 168
    #[test]
    fn no_more_offers_are_rescinded_than_it_takes() {
        let (mut world, framework) = world();
        world.launch(framework, "t", "cpus:2;mem:64");
        world.allocate();
        world.update(framework, "t", crate::TaskState::Finished, 1).expect("taken");
        world.allocate();
        let [first, second] = world.offers(framework)[..] else { panic!("two offers") };
        let reserve = |text: &str| Request::Reserve(Ok(reserved(&resources(text), "db")));
        world.sent();
        operate(&mut world, reserve("cpus:1")).expect("done");
        assert_eq!(world.offers(framework), [second], "one of them was enough");
        let rescinded = crate::effect::FrameworkMessage::Rescinded(first);
        assert_eq!(world.told(framework), [rescinded]);
        let until = world.now.after_ms(crate::offer::REFUSE_DEFAULT_MS);
        world.pass_ms(until.since_ms(world.now) - 1);
        world.allocate();
        assert_eq!(world.offers(framework), [second], "the rest is filtered");
        world.pass_ms(1);
        world.allocate();
        assert_eq!(world.offers(framework).len(), 2, "for five seconds");
    }

    #[test]
    fn reservations_move_between_roles() {
        let (mut world, _) = world();
        let (one, other) =
            (reserved(&resources("cpus:1"), "a"), reserved(&resources("cpus:1"), "b"));
        operate(&mut world, Request::Reserve(Ok(one.clone()))).expect("done");
        let before = total(&world);
        operate(&mut world, Request::Rereserve(Ok((one.clone(), other.clone())))).expect("done");
        assert_eq!(plus(&total(&world), &one), plus(&before, &other));
        let more = reserved(&resources("cpus:2"), "a");
        let refused = operate(&mut world, Request::Rereserve(Ok((other, more))));
        assert!(matches!(refused, Err(Rejection::Invalid(_))), "{refused:?}");
    }

    /// semantics 166
    #[test]
    fn an_agent_that_is_not_there_is_not_found() {
        let (mut world, _) = world();
        let some = Request::Reserve(Ok(reserved(&resources("cpus:1"), "db")));
        world.must(crate::agent::Deactivate { agent: AgentId(0) });
        operate(&mut world, some.clone()).expect("it is there, if without offers");
        world.disconnect(AgentId(0));
        for agent in [None, Some(AgentId(0)), Some(AgentId(7))] {
            let refused = world.ask(Operate { agent, request: some.clone() });
            let refused = refused.expect_err("nowhere to be found").to_string();
            assert_eq!(refused, "No agent found with specified ID", "{agent:?}");
        }
    }

    /// semantics 166
    #[test]
    fn what_is_wrong_is_refused_and_what_is_used_conflicts() {
        let (mut world, framework) = world();
        world.launch(framework, "t", "cpus:4;mem:64");
        let some = Request::Reserve(Ok(reserved(&resources("cpus:4"), "db")));
        let refused = operate(&mut world, some.clone());
        assert!(matches!(refused, Err(Rejection::Conflict(_))), "{refused:?}");
        let refused = world.ask(Operate { agent: None, request: some });
        assert!(matches!(refused, Err(Rejection::Invalid(_))), "{refused:?}");
        for request in [
            Request::Reserve(Ok(resources("cpus:1"))),
            Request::Reserve(Ok(reserved(&resources("cpus:1"), "*"))),
            Request::Destroy(Ok(volume("v", ROLE, 64))),
            Request::Unsupported("CREATE_DISK"),
        ] {
            let words = format!("Invalid {} operation on agent c-S0: ", request.name());
            let refused = operate(&mut world, request).expect_err("invalid");
            assert!(matches!(refused, Rejection::Invalid(_)), "{refused:?}");
            assert!(refused.to_string().starts_with(&words), "{refused}");
        }
    }
}
