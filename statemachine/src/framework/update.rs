//! A framework changes what it says of itself, over the stream that it has.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Description;
use super::subscribe::check_description;
use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::Effect;
use crate::event::Fold;
use crate::id::{FrameworkId, OfferId, Role};
use crate::offer::OfferConstraints;
use crate::rejection::Rejection;
use crate::state::State;
use crate::time::Time;

/// `UPDATE_FRAMEWORK`, its shape checked (semantics 61, 73, 74).
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// Who.
    pub framework: FrameworkId,
    /// What it says of itself from now on.
    pub description: Description,
    /// Roles that want no offers from now on; a subset of its roles.
    pub suppressed: Vec<Role>,
    /// What it wants of the agents that it is offered from now on; for some of its roles.
    pub constraints: OfferConstraints,
}

/// A framework changed what it says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameworkUpdated {
    /// Who.
    #[serde(rename = "i")]
    pub id: FrameworkId,
    /// What it says of itself now.
    #[serde(rename = "d")]
    pub description: Arc<Description>,
    /// Roles that want no offers: exactly these from now on.
    #[serde(rename = "s", default, skip_serializing_if = "Vec::is_empty")]
    pub suppressed: Vec<Role>,
    /// What it wants of the agents that it is offered: exactly this from now on.
    #[serde(rename = "q", default, skip_serializing_if = "OfferConstraints::is_empty")]
    pub constraints: OfferConstraints,
    /// Offers for roles that it left (semantics 63).
    #[serde(rename = "o", default, skip_serializing_if = "Vec::is_empty")]
    pub rescinded: Vec<OfferId>,
}

impl Decide for Update {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        check_description(&self.description, draft.context())?;
        let state = draft.state();
        let Some(framework) = state.frameworks.get(&self.framework) else {
            return Err(Rejection::FrameworkUnknown);
        };
        check_unchanged(&framework.description, &self.description)?;
        let roles = &self.description.roles;
        let left = |offer: &&OfferId| {
            state.offers.get(*offer).is_some_and(|offer| !roles.contains(&offer.role))
        };
        let rescinded: Vec<_> = framework.offers.iter().filter(left).copied().collect();
        let suppressed = self.suppressed.iter().cloned().collect();
        if *framework.description != self.description
            || framework.suppressed != suppressed
            || framework.constraints != self.constraints
        {
            draft.record(FrameworkUpdated {
                id: self.framework,
                description: Arc::new(self.description.clone()),
                suppressed: self.suppressed.clone(),
                constraints: self.constraints.clone(),
                rescinded,
            });
        }
        Ok(Reply::Done)
    }
}

/// What may not change while the framework lives (semantics 61).
fn check_unchanged(before: &Description, after: &Description) -> Result<(), Rejection> {
    let fault = if before.principal != after.principal {
        "Changing framework's principal is not allowed.".to_owned()
    } else if before.user != after.user {
        unsupported("user", &before.user, &after.user)
    } else if before.checkpoint != after.checkpoint {
        unsupported("checkpoint", before.checkpoint, after.checkpoint)
    } else {
        return Ok(());
    };
    Err(Rejection::FrameworkInvalid(format!("FrameworkInfo update is not valid: {fault}").into()))
}

fn unsupported(
    field: &str,
    before: impl std::fmt::Display,
    after: impl std::fmt::Display,
) -> String {
    format!("'FrameworkInfo.{field}' cannot be updated, here from '{before}' to '{after}'")
}

impl Fold for FrameworkUpdated {
    fn fold(&self, state: &mut State, _at: Time, effects: &mut Vec<Effect>) {
        for offer in &self.rescinded {
            state.rescind(*offer, effects);
        }
        let wishes = (&*self.suppressed, &self.constraints);
        state.redescribe(self.id, &self.description, wishes, effects);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::{Directive, FrameworkMessage, OperatorMessage};
    use crate::id::AgentId;
    use crate::testing::World;

    fn update(world: &World, id: FrameworkId, roles: &[&str]) -> Update {
        let framework = &world.state.frameworks[&id];
        let mut description = Description::clone(&framework.description);
        description.roles = roles.iter().map(|role| Role::from(*role)).collect();
        let constraints = OfferConstraints::default();
        Update { framework: id, description, suppressed: Vec::new(), constraints }
    }

    fn is_about(effect: &Effect, id: FrameworkId) -> bool {
        *effect == Effect::Operators(OperatorMessage::FrameworkUpdated(id))
    }

    /// semantics 63
    #[test]
    fn offers_of_roles_that_were_left_are_rescinded() {
        let mut world = World::new();
        world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["a"]);
        world.allocate();
        let offer = world.offers(framework)[0];
        world.sent();
        world.must(update(&world, framework, &["b"]));
        assert_eq!(world.told(framework), [FrameworkMessage::Rescinded(offer)]);
        world.allocate();
        let [offer] = world.offers(framework)[..] else { panic!("one offer") };
        assert_eq!(&*world.state.offers[&offer].role, "b");
    }

    /// semantics 63
    #[test]
    fn tasks_of_roles_that_were_left_go_on_and_count_there() {
        let mut world = World::new();
        world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["a"]);
        world.launch(framework, "t", "cpus:1;mem:64");
        world.must(update(&world, framework, &["b"]));
        let task = world.state.tasks_of(framework).next().expect("it runs on");
        assert_eq!(&*task.role, "a");
        let share = |world: &World| {
            let held =
                &world.state.book.held.of(&(framework, "a".into())).expect("something").quantities;
            held.share_of(&world.state.book.total)
        };
        assert!((share(&world) - 0.25).abs() < 1e-9, "{}", share(&world));
        world.update(framework, "t", crate::TaskState::Finished, 1).expect("taken");
        assert!(share(&world) < 1e-9, "{}", share(&world));
    }

    /// semantics 74
    #[test]
    fn agents_and_operators_hear_of_a_changed_description_only() {
        let mut world = World::new();
        world.agent("cpus:4;mem:4096");
        world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["a"]);
        world.launch(framework, "t", "cpus:1");
        let agent = world.state.tasks_of(framework).next().expect("a task").agent;
        world.sent();
        let mut same = update(&world, framework, &["a"]);
        world.must(same.clone());
        assert_eq!(world.sent(), []);
        same.suppressed = vec!["a".into()];
        world.must(same);
        assert!(world.state.frameworks[&framework].suppressed.contains(&Role::from("a")));
        assert_eq!(world.sent(), []);
        world.must(update(&world, framework, &["a", "b"]));
        let sent = world.sent();
        assert!(sent.iter().any(|effect| is_about(effect, framework)));
        let directed: Vec<AgentId> = sent
            .iter()
            .filter_map(|effect| match effect {
                Effect::Agent { to, directive: Directive::FrameworkChanged(_), .. } => Some(*to),
                _ => None,
            })
            .collect();
        assert_eq!(directed, [agent]);
    }

    /// semantics 61
    #[test]
    fn some_things_never_change() {
        let check = |change: fn(&mut Description), words: &str| {
            let mut world = World::new();
            let framework = world.framework(&["a"]);
            let mut update = update(&world, framework, &["a"]);
            change(&mut update.description);
            let refused = world.ask(update).expect_err("refused").to_string();
            assert!(refused.contains(words), "{refused}");
        };
        check(|it| it.principal = Some("p".into()), "principal is not allowed");
        check(|it| it.user = "other".into(), "'FrameworkInfo.user' cannot be updated");
        check(|it| it.checkpoint = !it.checkpoint, "'FrameworkInfo.checkpoint'");
        check(|it| it.roles = (0..2000).map(|n| Role::from(&*n.to_string())).collect(), "roles");
    }
}
