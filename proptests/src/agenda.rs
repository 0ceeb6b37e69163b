//! What is going to happen, in the order of virtual time.

use std::collections::BTreeMap;

/// Things to come. What is due at the same time happens in the order in which it was planned.
#[derive(Debug)]
pub struct Agenda<T> {
    things: BTreeMap<(u64, u64), T>,
    planned: u64,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self { things: BTreeMap::new(), planned: 0 }
    }
}

impl<T> Agenda<T> {
    /// Plans `thing` for the virtual millisecond `at_ms`.
    pub fn plan(&mut self, at_ms: u64, thing: T) {
        self.things.insert((at_ms, self.planned), thing);
        self.planned += 1;
    }

    /// What waits for `from_ms` happens at `to_ms` already, if it is `wanted`.
    pub fn bring_forward(&mut self, from_ms: u64, to_ms: u64, wanted: impl Fn(&T) -> bool) {
        let waiting = self.things.range((from_ms, 0)..(from_ms + 1, 0));
        let waiting = waiting.filter(|(_, thing)| wanted(thing));
        let keys: Vec<_> = waiting.map(|(key, _)| *key).collect();
        for key in keys {
            if let Some(thing) = self.things.remove(&key) {
                self.plan(to_ms, thing);
            }
        }
    }

    /// The next thing, and when it happens.
    pub fn take_next(&mut self) -> Option<(u64, T)> {
        let ((at_ms, _), thing) = self.things.pop_first()?;
        Some((at_ms, thing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_happen_in_order_of_time_and_then_of_planning() {
        let mut agenda = Agenda::default();
        agenda.plan(5, "b");
        agenda.plan(5, "c");
        agenda.plan(1, "a");
        let order: Vec<_> = std::iter::from_fn(|| agenda.take_next()).collect();
        assert_eq!(order, [(1, "a"), (5, "b"), (5, "c")]);
    }

    #[test]
    fn some_of_what_waits_happens_earlier() {
        let mut agenda = Agenda::default();
        for (at_ms, thing) in [(9, "b"), (9, "stays"), (9, "c"), (8, "a"), (3, "first")] {
            agenda.plan(at_ms, thing);
        }
        agenda.bring_forward(9, 3, |thing| *thing != "stays");
        let order: Vec<_> = std::iter::from_fn(|| agenda.take_next()).collect();
        assert_eq!(order, [(3, "first"), (3, "b"), (3, "c"), (8, "a"), (9, "stays")]);
    }
}
