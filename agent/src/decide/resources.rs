//! The master's view of reservations and volumes changes.

use std::collections::BTreeSet;

use protocol::agents::Resources;

use super::{Effect, Turn};
use crate::checkpoint::event::Event;
use crate::checkpoint::wire::Wire;
use crate::containerizer::volumes::Volume;

impl Turn<'_> {
    pub(super) fn resources(&mut self, resources: Resources) {
        let Resources { index, total } = resources;
        if index > self.state.last_directive_index {
            let before = self.volumes();
            let total = total.into_iter().map(Wire).collect();
            self.record(Event::ResourcesChanged { total, directive_index: index });
            let after = self.volumes();
            // One that is new must not show what an earlier one of its name may have left.
            let remove = before.symmetric_difference(&after).cloned().collect();
            self.effect(Effect::Volumes { remove, make: after.into_iter().collect() });
        }
        self.confirm(index);
    }

    /// The persistent volumes that the agent has.
    pub(super) fn volumes(&self) -> BTreeSet<Volume> {
        self.state.total.iter().filter_map(|resource| Volume::of(resource)).collect()
    }
}
