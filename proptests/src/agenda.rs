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
}
