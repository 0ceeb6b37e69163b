//! Tests of what is said about who is offered what.

use std::sync::Arc;

use super::{Question, RoleAnswer, Standing, explain};
use crate::agent::{Deactivate, Domain, DrainAgent};
use crate::framework::{Disconnect, Suppress};
use crate::offer::{Constraint, Decline, OfferConstraints, Predicate, Selector};
use crate::quota::{Amounts, Before, Quota, SetQuotas};
use crate::resources::{Name, Scalar};
use crate::testing::{World, resources};
use crate::{AgentId, Context, FrameworkId};

fn ask(world: &World, framework: FrameworkId, needs: Amounts) -> Vec<RoleAnswer> {
    let settings = world.settings.clone().into();
    let context = Context { now: world.now, seed: 0, principal: None, settings };
    let question = Question { framework, role: None, agent: None, needs };
    explain(&world.state, &context, &question)
}

fn amounts(text: &str) -> Amounts {
    let resources = resources(text);
    resources.iter().map(|it| (it.name.clone(), Scalar(it.value.thousandths()))).collect()
}

/// Asks for the first role, and compares what is said of each agent.
fn check(world: &World, framework: FrameworkId, needs: &str, want: &[(&str, &str)]) {
    let answers = ask(world, framework, amounts(needs));
    let [answer, ..] = &*answers else { panic!("no role: {answers:?}") };
    let words = |verdict: &super::Verdict| verdict.words(&world.state, world.now);
    let found: Vec<_> = answer.agents.iter().map(|(_, it)| (it.name(), words(it))).collect();
    let found: Vec<_> = found.iter().map(|(name, words)| (*name, &**words)).collect();
    assert_eq!(found, want);
}

fn quota(world: &mut World, role: &str, guarantees: &str, limits: &str) {
    let quota = Quota { guarantees: amounts(guarantees), limits: amounts(limits) };
    let quotas = vec![(role.into(), quota)];
    world.must(SetQuotas { quotas, force: true, before: Before::Any });
}

const HAS: &str = "cpus:4;mem:1024";

#[test]
fn who_holds_it_is_named() {
    let mut world = World::new();
    world.agent(HAS);
    let first = world.framework(&["a"]);
    check(&world, first, "", &[("NEXT", "the next cycle offers it")]);
    let second = world.framework(&["b"]);
    let who = format!("{} for role 'a'", world.state.frameworks[&first].wire_id);
    let before = format!("the next cycle offers it to {who}, who comes before");
    check(&world, second, "", &[("OTHERS_FIRST", &before)]);
    world.allocate();
    check(&world, first, "", &[("OFFERED", "it has c-O0")]);
    let offered = format!("what is not in use is offered to {who} in c-O0");
    check(&world, second, "", &[("TAKEN", &offered)]);
    world.launch(first, "t", HAS);
    check(&world, second, "", &[("TAKEN", "what it has is in use")]);
}

#[test]
fn needs_are_compared_with_what_there_is() {
    let mut world = World::new();
    world.agent(HAS);
    let framework = world.framework(&["a"]);
    check(&world, framework, "cpus:4", &[("NEXT", "the next cycle offers it")]);
    let small = "the agent has too little for this role, even with nothing in use";
    check(&world, framework, "cpus:4.001", &[("TOO_SMALL", small)]);
    world.launch(framework, "t", "cpus:1;mem:24");
    check(&world, framework, "cpus:4", &[("TAKEN", "what it has is in use")]);
}

#[test]
fn what_a_framework_chose_itself_is_said() {
    let mut world = World::new();
    world.agent(HAS);
    let framework = world.framework(&["a"]);
    world.allocate();
    let offers = world.offers(framework);
    world.must(Decline { framework, offers, refuse_seconds: Some(60.0) });
    world.pass_ms(500);
    let refused = "the framework refused as much or more, which counts for another 59.500 s";
    check(&world, framework, "", &[("REFUSED", refused)]);

    let mut hello = world.subscription(None, &["a"]);
    let predicate = Predicate::TextEquals("elsewhere".into());
    let group = vec![Constraint { selector: Selector::Hostname, predicate }];
    hello.constraints = OfferConstraints(Arc::new([("a".into(), vec![group])].into()));
    let picky = world.subscribe(hello);
    let excluded = "the framework's offer constraints exclude the agent";
    check(&world, picky, "", &[("CONSTRAINTS", excluded)]);

    world.must(Suppress { framework, roles: vec!["a".into()] });
    let said = |world: &World| {
        let answer = ask(world, framework, Amounts::new()).remove(0);
        assert!(answer.agents.is_empty());
        answer.standing
    };
    assert_eq!(said(&world), Standing::Suppressed);
    let session = world.state.frameworks[&framework].session().expect("connected");
    world.must(Disconnect { framework, session });
    assert_eq!(said(&world), Standing::Disconnected);
    assert!(said(&world).words().is_some() && Standing::Asking.words().is_none());
}

#[test]
fn what_agents_are_is_said() {
    let mut world = World::new();
    world.settings.region = Some("eu".into());
    world.agent("cpus:4;mem:1024;gpus:1");
    let mut hello = world.hello(None, HAS);
    let region = Domain { region: "us".into(), zone: "z".into() };
    hello.description.domain = Some(region);
    world.must(hello);
    for _ in 0..2 {
        world.agent(HAS);
    }
    world.agent("cpus(b):4;mem(b):1024");
    world.must(Deactivate { agent: AgentId(2) });
    world.must(DrainAgent { agent: AgentId(3), max_grace_ns: None, mark_gone: false });
    let framework = world.framework(&["a"]);
    let want = [
        ("GPUS", "the agent has GPUs, which are for frameworks with GPU_RESOURCES"),
        ("REGION", "the agent is in another region, which is for frameworks with REGION_AWARE"),
        ("DEACTIVATED", "an operator deactivated the agent"),
        ("DRAINED", "the agent is drained"),
        ("TOO_SMALL", "the agent has too little for this role, even with nothing in use"),
    ];
    check(&world, framework, "", &want);
}

#[test]
fn quotas_are_said() {
    let mut world = World::new();
    world.agent(HAS);
    let framework = world.framework(&["a"]);
    quota(&mut world, "a", "", "cpus:0.001;mem:1");
    let limit = "the limit of the role, or of one above it, leaves too little";
    check(&world, framework, "", &[("LIMIT", limit)]);
    quota(&mut world, "a", "", "cpus:2");
    check(&world, framework, "cpus:3", &[("LIMIT", limit)]);
    check(&world, framework, "cpus:2", &[("NEXT", "the next cycle offers it")]);
    quota(&mut world, "a", "", "");
    quota(&mut world, "b", HAS, "");
    let kept = "what is left is kept for roles with less than they are guaranteed";
    check(&world, framework, "", &[("GUARANTEES", kept)]);
}

#[test]
fn strangers_and_other_roles_have_no_answer() {
    let mut world = World::new();
    let framework = world.framework(&["a"]);
    assert!(ask(&world, FrameworkId(9), Amounts::new()).is_empty());
    let settings = world.settings.clone().into();
    let context = Context { now: world.now, seed: 0, principal: None, settings };
    let (role, needs) = (Some("b".into()), Amounts::new());
    let question = Question { framework, role, agent: None, needs };
    assert!(explain(&world.state, &context, &question).is_empty());
}

#[test]
fn amounts_of_tests_are_what_they_say() {
    assert_eq!(amounts("cpus:2"), [(Name::Cpus, Scalar(2000))].into());
}
