//! Random histories: any sequence of commands, sensible or not, keeps every invariant, leaves the
//! state alone when refused, and folds into the same state on a replica. [`World`] checks all three
//! at each step; these files only think of things to do.

mod agents;
mod frameworks;
mod maintenance;
mod offers;
mod tasks;

use proptest::prelude::*;

use crate::settings::RemovalLimit;
use crate::testing::World;

use self::agents::OnAgent;
use self::frameworks::OnFramework;
use self::maintenance::OnMaintenance;
use self::offers::OnOffer;
use self::tasks::OnTask;

/// What agents of these histories have.
const AGENT_HAS: &str = "cpus:8;mem:8192;disk:10000;ports:[31000-32000]";

/// One thing to do. Numbers pick among what is there at that moment.
#[derive(Clone, Copy, Debug)]
enum Action {
    Framework(OnFramework, u8),
    Agent(OnAgent, u8),
    Offer(OnOffer, u8),
    Task(OnTask, u8),
    Maintenance(OnMaintenance, u8),
    Allocate,
    Lead,
    /// Agents may be given up so fast, and so many of them after a change of leader.
    Limit(u8),
    Pass(u8),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (frameworks::strategy(), any::<u8>()).prop_map(|(a, n)| Action::Framework(a, n)),
        5 => (agents::strategy(), any::<u8>()).prop_map(|(a, n)| Action::Agent(a, n)),
        8 => (offers::strategy(), any::<u8>()).prop_map(|(a, n)| Action::Offer(a, n)),
        12 => (tasks::strategy(), any::<u8>()).prop_map(|(a, n)| Action::Task(a, n)),
        2 => (maintenance::strategy(), any::<u8>())
            .prop_map(|(a, n)| Action::Maintenance(a, n)),
        6 => Just(Action::Allocate),
        1 => Just(Action::Lead),
        1 => any::<u8>().prop_map(Action::Limit),
        2 => any::<u8>().prop_map(Action::Pass),
    ]
}

/// Does one thing; what cannot be done at present is left out.
fn act(world: &mut World, action: Action) {
    // each says none when there is nothing to do it to
    let _ = match action {
        Action::Framework(action, number) => frameworks::act(world, action, number),
        Action::Agent(action, number) => agents::act(world, action, number),
        Action::Offer(action, number) => offers::act(world, action, number),
        Action::Task(action, number) => tasks::act(world, action, number),
        Action::Maintenance(action, number) => maintenance::act(world, action, number),
        Action::Allocate => {
            world.allocate();
            None
        }
        Action::Lead => {
            let term = world.state.cluster.term + 1;
            world.lead(term);
            None
        }
        Action::Limit(number) => {
            let limit = RemovalLimit { count: 1 + u32::from(number % 3), per_ms: 60_000 };
            world.settings.removal_limit = (!number.is_multiple_of(4)).then_some(limit);
            world.settings.recovery_removal_permille = u32::from(number % 5) * 250;
            None
        }
        Action::Pass(number) => {
            world.pass_ms(u64::from(number) * 3_000);
            None
        }
    };
}

fn pick<T>(items: impl Iterator<Item = T>, number: u8) -> Option<T> {
    let mut items: Vec<T> = items.collect();
    let count = items.len();
    (count > 0).then(|| items.swap_remove(usize::from(number) % count))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_history_keeps_every_invariant(actions in prop::collection::vec(action(), 1..120)) {
        let mut world = World::new();
        world.agent(AGENT_HAS);
        world.framework(&["a", "a/b"]);
        for action in actions {
            act(&mut world, action);
        }
    }
}
