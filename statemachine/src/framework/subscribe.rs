//! A framework subscribes: for the first time, again, or as a new scheduler that takes over.

use std::sync::Arc;

use imbl::{OrdSet, Vector};
use serde::{Deserialize, Serialize};

use super::{Description, Framework, FrameworkCounts};
use crate::command::Decide;
use crate::connection::Connection;
use crate::context::Context;
use crate::draft::{Draft, Reply};
use crate::effect::{Effect, FrameworkMessage, OperatorMessage};
use crate::event::Fold;
use crate::id::{FrameworkId, OfferId, Role, Session};
use crate::offer::OfferConstraints;
use crate::outstanding;
use crate::rejection::Rejection;
use crate::state::State;
use crate::time::Time;

/// How many roles a framework may have. Mesos knows no limit.
pub const ROLES_MAX: usize = 1000;
/// How long a role's name may be. Mesos knows no limit.
pub const ROLE_BYTES_MAX: usize = 255;

/// SUBSCRIBE, its shape checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscribe {
    /// The id that the framework brings; none for a new one.
    pub wire_id: Option<Arc<str>>,
    /// What it says of itself.
    pub description: Description,
    /// Roles that want no offers yet; a subset of its roles.
    pub suppressed: Vec<Role>,
    /// What it wants of the agents that it is offered; for some of its roles.
    pub constraints: OfferConstraints,
    /// The stream it came over.
    pub session: Session,
}

/// A framework subscribed for the first time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameworkSubscribed {
    /// Its number.
    #[serde(rename = "i")]
    pub id: FrameworkId,
    /// Its id on the wire.
    #[serde(rename = "w")]
    pub wire_id: Arc<str>,
    /// What it says of itself.
    #[serde(rename = "d")]
    pub description: Arc<Description>,
    /// Roles that want no offers yet.
    #[serde(rename = "s", default, skip_serializing_if = "Vec::is_empty")]
    pub suppressed: Vec<Role>,
    /// What it wants of the agents that it is offered (semantics 62).
    #[serde(rename = "q", default, skip_serializing_if = "OfferConstraints::is_empty")]
    pub constraints: OfferConstraints,
    /// Its stream.
    #[serde(rename = "c")]
    pub session: Session,
}

/// A framework subscribed again, over a new stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameworkResubscribed {
    /// Its number.
    #[serde(rename = "i")]
    pub id: FrameworkId,
    /// What it says of itself now.
    #[serde(rename = "d")]
    pub description: Arc<Description>,
    /// Roles that want no offers: exactly these from now on (semantics 62).
    #[serde(rename = "s", default, skip_serializing_if = "Vec::is_empty")]
    pub suppressed: Vec<Role>,
    /// What it wants of the agents that it is offered (semantics 62).
    #[serde(rename = "q", default, skip_serializing_if = "OfferConstraints::is_empty")]
    pub constraints: OfferConstraints,
    /// Its new stream.
    #[serde(rename = "c")]
    pub session: Session,
    /// Offers that end: all of them when another scheduler took over (semantics 60), those of roles
    /// it left otherwise. Offers made before a change of leader stand.
    #[serde(rename = "o", default, skip_serializing_if = "Vec::is_empty")]
    pub discarded: Vec<OfferId>,
}

impl Decide for Subscribe {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        check_description(&self.description, draft.context())?;
        let state = draft.state();
        let known = self.wire_id.as_ref().and_then(|wire_id| state.framework_ids.get(wire_id));
        match known.copied() {
            Some(id) => self.resubscribe(id, draft),
            None => Ok(self.subscribe(draft)),
        }
    }
}

/// What the cluster refuses whatever the framework was before.
pub(super) fn check_description(
    description: &Description,
    context: &Context,
) -> Result<(), Rejection> {
    if &*description.user == "root" && !context.settings.root_submissions {
        return Err(Rejection::FrameworkInvalid(
            "frameworks of user 'root' may not subscribe here (--root_submissions=false)".into(),
        ));
    }
    check_roles(&description.roles)
}

/// Refuses roles without end: each is kept, shown and sorted with all its ancestors.
fn check_roles(roles: &[Role]) -> Result<(), Rejection> {
    let fault = if roles.len() > ROLES_MAX {
        format!("a framework may have {ROLES_MAX} roles at most, not {}", roles.len())
    } else if roles.iter().any(|role| role.len() > ROLE_BYTES_MAX) {
        format!("a role's name may have {ROLE_BYTES_MAX} bytes at most")
    } else {
        return Ok(());
    };
    Err(Rejection::FrameworkInvalid(fault.into()))
}

impl Subscribe {
    fn subscribe(&self, draft: &mut Draft<'_>) -> Reply {
        let (id, wire_id) = fresh(draft.state(), self.wire_id.as_ref());
        draft.record(FrameworkSubscribed {
            id,
            wire_id: wire_id.clone(),
            description: Arc::new(self.description.clone()),
            suppressed: self.suppressed.clone(),
            constraints: self.constraints.clone(),
            session: self.session,
        });
        Reply::Subscribed(id, wire_id)
    }

    fn resubscribe(&self, id: FrameworkId, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let state = draft.state();
        let Some(framework) = state.frameworks.get(&id) else {
            return Err(Rejection::FrameworkRemoved);
        };
        if framework.description.principal != self.description.principal {
            return Err(Rejection::FrameworkInvalid(
                "Changing framework's principal is not allowed.".into(),
            ));
        }
        // user and checkpoint never change over SUBSCRIBE (semantics 61)
        let description = Description {
            user: framework.description.user.clone(),
            checkpoint: framework.description.checkpoint,
            ..self.description.clone()
        };
        let taken_over = framework.connection.is_connected();
        let stays = |offer: &OfferId| {
            let role = state.offers.get(offer).map(|offer| &offer.role);
            !taken_over && role.is_some_and(|role| description.roles.contains(role))
        };
        let discarded = framework.offers.iter().filter(|offer| !stays(offer)).copied().collect();
        let wire_id = framework.wire_id.clone();
        draft.record(FrameworkResubscribed {
            id,
            description: Arc::new(description),
            suppressed: self.suppressed.clone(),
            constraints: self.constraints.clone(),
            session: self.session,
            discarded,
        });
        Ok(Reply::Subscribed(id, wire_id))
    }
}

/// The next number and, unless the client brings one, the wire id made from it (semantics 57). An
/// id that a client has brought along already is passed over.
fn fresh(state: &State, brought: Option<&Arc<str>>) -> (FrameworkId, Arc<str>) {
    let mut number = state.cluster.frameworks;
    if let Some(wire_id) = brought {
        return (FrameworkId(number), wire_id.clone());
    }
    loop {
        let wire_id: Arc<str> = format!("{}-{number:04}", state.cluster.id).into();
        if !state.framework_ids.contains_key(&wire_id) {
            return (FrameworkId(number), wire_id);
        }
        number += 1;
    }
}

impl Fold for FrameworkSubscribed {
    fn fold(&self, state: &mut State, at: Time, effects: &mut Vec<Effect>) {
        state.cluster.frameworks = state.cluster.frameworks.max(self.id.0 + 1);
        state.framework_ids.insert(self.wire_id.clone(), self.id);
        let framework = Framework {
            id: self.id,
            wire_id: self.wire_id.clone(),
            description: self.description.clone(),
            connection: Connection::Connected(self.session),
            suppressed: self.suppressed.iter().cloned().collect(),
            constraints: self.constraints.clone(),
            registered_at: at,
            reregistered_at: None,
            disconnected_at: None,
            offers: OrdSet::new(),
            unheard: Vector::new(),
            completed: Vector::new(),
            counts: FrameworkCounts::default(),
        };
        state.add_framework(framework);
        effects.push(Effect::Operators(OperatorMessage::FrameworkAdded(self.id)));
    }
}

impl Fold for FrameworkResubscribed {
    fn fold(&self, state: &mut State, at: Time, effects: &mut Vec<Effect>) {
        let failed_over = FrameworkMessage::Failure("Framework failed over".into());
        state.tell(self.id, failed_over, effects);
        let elected_at = state.cluster.elected_at;
        let unheard = state.frameworks.get(&self.id).and_then(|it| it.unheard_since(elected_at));
        let taken_over = state.frameworks.get(&self.id).is_some_and(|it| it.session().is_some());
        state.connect_framework(self.id, Connection::Connected(self.session));
        for offer in &self.discarded {
            if taken_over {
                state.lift(*offer);
            } else {
                state.rescind(*offer, effects);
            }
        }
        if let Some(framework) = state.framework_mut(self.id) {
            framework.reregistered_at = Some(at);
        }
        let wishes = (&*self.suppressed, &self.constraints);
        state.redescribe(self.id, &self.description, wishes, effects);
        outstanding::for_framework(state, self.id, unheard, effects);
        if let Some(framework) = state.framework_mut(self.id) {
            framework.unheard.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    fn framework(world: &World, id: FrameworkId) -> Framework {
        Framework::clone(&world.state.frameworks[&id])
    }

    /// semantics 57
    #[test]
    fn new_frameworks_are_numbered_and_named_after_the_cluster() {
        let mut world = World::new();
        let first = world.framework(&["*"]);
        let second = world.framework(&["*"]);
        assert_eq!(&*framework(&world, first).wire_id, "c-0000");
        assert_eq!(&*framework(&world, second).wire_id, "c-0001");
        let added = [first, second]
            .map(|id| Effect::Operators(OperatorMessage::FrameworkAdded(id)))
            .to_vec();
        assert_eq!(world.sent(), added);
    }

    /// semantics 58
    #[test]
    fn any_id_is_believed_and_never_handed_out_again() {
        let mut world = World::new();
        let brought = world.subscription(Some("c-0001"), &["*"]);
        let brought = world.subscribe(brought);
        assert_eq!(&*framework(&world, brought).wire_id, "c-0001");
        let made = world.framework(&["*"]);
        assert_eq!(&*framework(&world, made).wire_id, "c-0002");
        assert_ne!(brought, made);
    }

    #[test]
    fn roles_have_limits() {
        let mut world = World::new();
        let many: Vec<_> = (0..=ROLES_MAX).map(|number| number.to_string()).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        let deep = ["a"; 129].join("/");
        for (roles, fits) in [
            (&many[..], false),
            (&many[1..], true),
            (&[&deep[..]], false),
            (&[&deep[..ROLE_BYTES_MAX]], true),
        ] {
            let subscribe = world.subscription(None, roles);
            assert_eq!(world.ask(subscribe).is_ok(), fits);
        }
        world.agent("cpus:1;mem:64");
        world.allocate();
        assert_eq!(world.state.offers.len(), 1, "a deep tree is walked");
    }

    /// semantics 60
    #[test]
    fn the_newest_stream_wins() {
        let mut world = World::new();
        world.agent("cpus:4;mem:4096");
        let id = world.framework(&["*"]);
        let old = framework(&world, id).session().expect("connected");
        world.allocate();
        world.sent();
        let again = world.subscription(Some("c-0000"), &["*"]);
        assert_eq!(world.subscribe(again.clone()), id);
        assert_eq!(framework(&world, id).session(), Some(again.session));
        let failed_over = Effect::Framework {
            to: id,
            session: old,
            message: FrameworkMessage::Failure("Framework failed over".into()),
        };
        assert_eq!(world.sent(), [failed_over], "offers are not rescinded");
        assert!(world.state.offers.is_empty(), "but they are gone");
    }

    /// semantics 61, 62
    #[test]
    fn user_and_checkpoint_stay_and_the_rest_changes() {
        let mut world = World::new();
        let id = world.framework(&["a", "b"]);
        let mut again = world.subscription(Some("c-0000"), &["b"]);
        again.description.user = "root".into();
        again.description.checkpoint = false;
        again.suppressed = vec!["b".into()];
        world.subscribe(again);
        let framework = framework(&world, id);
        assert_eq!(&*framework.description.user, "nobody");
        assert!(framework.description.checkpoint);
        assert_eq!(&framework.description.roles[..], ["b".into()]);
        assert!(framework.suppressed.contains(&Role::from("b")));
        assert!(!framework.wants(&"b".into()));
    }

    /// semantics 61
    #[test]
    fn the_principal_may_not_change() {
        let mut world = World::new();
        world.framework(&["*"]);
        let mut again = world.subscription(Some("c-0000"), &["*"]);
        again.description.principal = Some("other".into());
        let refused = world.ask(again).expect_err("refused");
        assert_eq!(refused.to_string(), "Changing framework's principal is not allowed.");
    }

    /// semantics 66
    #[test]
    fn without_roles_there_are_no_offers() {
        let mut world = World::new();
        world.agent("cpus:4;mem:4096");
        let id = world.framework(&[]);
        world.allocate();
        assert!(framework(&world, id).connection.is_connected());
        assert!(world.state.offers.is_empty());
    }

    /// semantics 57
    #[test]
    fn agents_are_named_after_the_cluster_and_so_are_offers() {
        let mut world = World::new();
        let agents = [world.agent("cpus:1;mem:64"), world.agent("cpus:1;mem:64")];
        assert_eq!(agents.map(|agent| world.state.agent_text(agent)), ["c-S0", "c-S1"]);
        let id = world.framework(&["*"]);
        world.allocate();
        let offers: Vec<_> =
            world.offers(id).iter().map(|offer| world.state.offer_text(*offer)).collect();
        assert_eq!(offers, ["c-O0", "c-O1"]);
    }

    /// semantics 64
    #[test]
    fn root_is_refused_where_the_flag_says_so() {
        let mut world = World::new();
        world.settings.root_submissions = false;
        let mut subscribe = world.subscription(None, &["*"]);
        subscribe.description.user = "root".into();
        world.ask(subscribe.clone()).expect_err("refused");
        world.settings.root_submissions = true;
        world.must(subscribe);
    }

    /// semantics 59, 249; gaps 7
    #[test]
    fn a_removed_framework_stays_removed_whoever_leads() {
        let mut world = World::new();
        let id = world.framework(&["*"]);
        world.must(crate::framework::Teardown { framework: id });
        world.lead(2);
        let again = world.subscription(Some("c-0000"), &["*"]);
        assert_eq!(world.ask(again), Err(Rejection::FrameworkRemoved));
    }
}
