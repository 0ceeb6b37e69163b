//! What is known of each framework: what it was offered and what became of its tasks is the state's,
//! calls and events are this process's.

use std::fmt::Write;

use statemachine::framework::Framework;
use statemachine::{State, TaskState};

use super::cluster::short;
use super::counters::Counters;
use super::name::{Kind, Labelled, Metrics};
use crate::convert::framework;

/// Adds all frameworks that are not over.
pub(super) fn add(metrics: &mut Metrics, state: &State, counters: &Counters) {
    for framework in state.frameworks.values() {
        let name = encode(&framework::write(framework).name);
        let mut add = |kind: Kind, after: &str, value: f64| {
            let labels = [("framework", &*name), ("framework_id", &framework.wire_id)];
            let name = Labelled { before: "master/frameworks", labels: &labels, after };
            metrics.labelled(kind, name, value);
        };
        for (after, value) in counters.of_framework(framework.id) {
            add(Kind::Counter, &after, value);
        }
        add_state(state, framework, &mut add);
    }
}

fn add_state(state: &State, framework: &Framework, add: &mut impl FnMut(Kind, &str, f64)) {
    let subscribed = framework.connection.is_connected();
    add(Kind::Gauge, "subscribed", f64::from(u8::from(subscribed)));
    let counts = &framework.counts;
    add(Kind::Counter, "offers/sent", counts.offers_sent as f64);
    add(Kind::Counter, "offers/accepted", counts.offers_accepted as f64);
    add(Kind::Counter, "offers/declined", counts.offers_declined as f64);
    add(Kind::Counter, "offers/rescinded", counts.offers_rescinded as f64);
    for of in TaskState::ALL {
        if of.is_terminal() {
            let ended = counts.tasks_ended.get(&of).copied().unwrap_or(0);
            add(Kind::Counter, &format!("tasks/terminal/task_{}", short(of)), ended as f64);
        } else {
            let active = state.tasks_of(framework.id).filter(|task| task.state == of).count();
            add(Kind::Gauge, &format!("tasks/active/task_{}", short(of)), active as f64);
        }
    }
    for role in framework.description.roles.iter() {
        let suppressed = framework.suppressed.contains(role);
        let after = format!("roles/{}/suppressed", &**role);
        add(Kind::Gauge, &after, f64::from(u8::from(suppressed)));
    }
}

/// A name as a part of a path, encoded as libprocess does.
fn encode(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        let is_plain = byte.is_ascii_graphic() && !br#"$&+,/:;=?@"<>#%{}|\^~[]`"#.contains(&byte);
        if is_plain {
            encoded.push(char::from(byte));
        } else {
            // writing to a String cannot fail
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_one_part_of_a_path() {
        for (name, expected) in [
            ("marathon-1.5_x", "marathon-1.5_x"),
            ("a b/c", "a%20b%2Fc"),
            ("é%", "%C3%A9%25"),
            ("", ""),
        ] {
            assert_eq!(encode(name), expected);
        }
    }
}
