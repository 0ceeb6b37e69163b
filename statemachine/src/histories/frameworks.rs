//! What frameworks do.

use proptest::prelude::*;

use super::pick;
use crate::framework::{Description, Disconnect, Revive, Suppress, Teardown, Update};
use crate::framework_capability::{REVOCABLE_RESOURCES, SHARED_RESOURCES};
use crate::id::Role;
use crate::offer::OfferConstraints;
use crate::testing::World;

#[derive(Clone, Copy, Debug)]
pub(super) enum OnFramework {
    Subscribe,
    Resubscribe,
    Update,
    Disconnect,
    Teardown,
    Suppress,
    Revive,
}

pub(super) fn strategy() -> impl Strategy<Value = OnFramework> {
    prop_oneof![
        2 => Just(OnFramework::Subscribe),
        3 => Just(OnFramework::Resubscribe),
        2 => Just(OnFramework::Update),
        2 => Just(OnFramework::Disconnect),
        1 => Just(OnFramework::Teardown),
        1 => Just(OnFramework::Suppress),
        2 => Just(OnFramework::Revive),
    ]
}

pub(super) fn act(world: &mut World, action: OnFramework, number: u8) -> Option<()> {
    if matches!(action, OnFramework::Subscribe) {
        let mut subscribe = world.subscription(None, &["a", "a/b"]);
        subscribe.description.failover_timeout_ms = 1_000 * u64::from(number % 100);
        if number.is_multiple_of(2) {
            let capabilities = subscribe.description.capabilities;
            subscribe.description.capabilities = capabilities.with(SHARED_RESOURCES);
        }
        if number.is_multiple_of(3) {
            let capabilities = subscribe.description.capabilities;
            subscribe.description.capabilities = capabilities.with(REVOCABLE_RESOURCES);
        }
        world.subscribe(subscribe);
        return Some(());
    }
    if matches!(action, OnFramework::Resubscribe) {
        let wire_id = pick(world.state.framework_ids.keys().cloned(), number)?;
        let roles: &[&str] = if number.is_multiple_of(3) { &["a"] } else { &["a", "a/b"] };
        let again = world.subscription(Some(&wire_id), roles);
        let _ = world.ask(again); // those that are over are refused
        return Some(());
    }
    let framework = pick(world.state.frameworks.keys().copied(), number)?;
    let session = world.state.frameworks[&framework].session().unwrap_or_default();
    match action {
        OnFramework::Subscribe | OnFramework::Resubscribe => return None,
        OnFramework::Update => {
            let mut description =
                Description::clone(&world.state.frameworks[&framework].description);
            let roles: &[&str] = if number.is_multiple_of(2) { &["a"] } else { &["a", "a/b"] };
            description.roles = roles.iter().map(|role| Role::from(*role)).collect();
            let constraints = OfferConstraints::default();
            world.must(Update { framework, description, suppressed: Vec::new(), constraints })
        }
        OnFramework::Disconnect => world.must(Disconnect { framework, session }),
        OnFramework::Teardown => world.must(Teardown { framework }),
        OnFramework::Suppress => world.must(Suppress { framework, roles: Vec::new() }),
        OnFramework::Revive => world.must(Revive { framework, roles: Vec::new() }),
    };
    Some(())
}
