//! What an event says, as names and values that a person can read. The one place that looks into events.

use std::borrow::Cow;

use protocol::v1::{TaskState as WireState, task_status};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use statemachine::agent::Spared;
use statemachine::maintenance::Machine;
use statemachine::operation::Conversion;
use statemachine::quota::{Amounts, Quota};
use statemachine::{
    AgentId, Event, ExecutorKey, FrameworkId, OfferId, Role, Status, TaskKey, TaskState, Time,
};

use crate::hex;
use crate::moment;
use crate::names::Names;

/// One value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum Fact {
    /// An id, a name, or words.
    Text(String),
    /// A number.
    Number(i64),
    /// Several ids or names.
    List(Vec<String>),
}

/// What one event says: names, such as `task_id`, and values, in an order that reads well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts(pub Vec<(Cow<'static, str>, Fact)>);

impl Serialize for Facts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, fact)| (name, fact)))
    }
}

impl<'de> Deserialize<'de> for Facts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Facts;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("names and what they say")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Facts, A::Error> {
                let mut facts = Facts::default();
                while let Some((name, fact)) = map.next_entry::<String, Fact>()? {
                    facts.0.push((name.into(), fact));
                }
                Ok(facts)
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// An event's facts, with the wire ids of its place in the journal.
pub(crate) fn of(event: &Event, names: &Names) -> Facts {
    Describer { names, facts: Facts::default() }.describe(event)
}

struct Describer<'a> {
    names: &'a Names,
    facts: Facts,
}

/// `eng guarantees cpus:2;mem:64 limits cpus:4`, or `eng none`.
fn quota(role: &Role, quota: &Quota) -> String {
    let amounts = |word: &str, amounts: &Amounts| {
        let parts: Vec<_> = amounts.iter().map(|(name, it)| format!("{name}:{it}")).collect();
        if parts.is_empty() { String::new() } else { format!(" {word} {}", parts.join(";")) }
    };
    if quota.is_empty() {
        return format!("{role} none");
    }
    let (guarantees, limits) = (&quota.guarantees, &quota.limits);
    format!("{role}{}{}", amounts("guarantees", guarantees), amounts("limits", limits))
}

impl Describer<'_> {
    #[expect(clippy::too_many_lines, reason = "one arm per event")]
    fn describe(self, event: &Event) -> Facts {
        let described = match event {
            Event::LeaderElected(it) => self
                .number("leader", it.leader)
                .number("leader_term", it.term)
                .text("cluster_id", &*it.cluster),
            Event::WeightsUpdated(it) => {
                let weight = |(role, thousandths): &(Role, u64)| {
                    format!("{role}={}", *thousandths as f64 / 1000.0)
                };
                self.list("weights", it.weights.iter().map(weight).collect())
            }
            Event::QuotasUpdated(it) => {
                self.list("quotas", it.quotas.iter().map(|(role, it)| quota(role, it)).collect())
            }
            Event::HistoryForgotten(it) => {
                let mut described = self;
                for (name, before) in
                    [("tasks_before", it.tasks_before), ("frameworks_before", it.frameworks_before)]
                {
                    if let Some(before) = before {
                        described = described.time(name, before);
                    }
                }
                described
            }
            Event::FrameworkSubscribed(it) => self
                .text("framework_id", &*it.wire_id)
                .roles("roles", &it.description.roles)
                .optional("framework_principal", it.description.principal.as_deref())
                .roles("suppressed", &it.suppressed),
            Event::FrameworkResubscribed(it) => self
                .framework(it.id)
                .roles("roles", &it.description.roles)
                .roles("suppressed", &it.suppressed)
                .offers(&it.discarded),
            Event::FrameworkUpdated(it) => self
                .framework(it.id)
                .roles("roles", &it.description.roles)
                .roles("suppressed", &it.suppressed)
                .offers(&it.rescinded),
            Event::FrameworkDisconnected(it) => self.framework(it.id).time("until", it.until),
            Event::FrameworkRemoved(it) => {
                let agents: Vec<_> = it.lingers.iter().map(|id| self.names.agent(*id)).collect();
                let described = self.framework(it.id);
                if agents.is_empty() { described } else { described.list("lingers_on", agents) }
            }
            Event::FrameworkStopped(it) => self.framework(it.id).agent(it.agent),
            Event::RolesSuppressed(it) => self.framework(it.framework).roles("roles", &it.roles),
            Event::RolesRevived(it) => self.framework(it.framework).roles("roles", &it.roles),
            Event::AgentRegistered(it) => self
                .agent(it.id)
                .text("hostname", &*it.description.hostname)
                .text("address", &*it.description.address)
                .text("resources", it.description.resources.to_string()),
            Event::AgentReregistered(it) => self
                .agent(it.id)
                .text("hostname", &*it.description.hostname)
                .text("address", &*it.description.address)
                .text("resources", it.total.to_string()),
            Event::AgentDisconnected(it) => self.agent(it.id).time("until", it.until),
            Event::AgentUnreachable(it) => match it.until {
                Some(until) => self.agent(it.id).time("until", until),
                None => self.agent(it.id),
            },
            Event::AgentUnregistered(it) => self.agent(it.id),
            Event::AgentGone(it) => self.agent(it.id).time("until", it.until),
            Event::AgentForgotten(it) => self.agent(it.id),
            Event::AgentDeactivated(it) => self.agent(it.id),
            Event::AgentReactivated(it) => self.agent(it.id),
            Event::AgentDraining(it) => {
                let grace = it.max_grace_ns.map(|ns| format!("{} ms", ns / 1_000_000));
                self.agent(it.id)
                    .optional("max_grace_period", grace.as_deref())
                    .optional("mark_gone", it.mark_gone.then_some("true"))
            }
            Event::AgentDrained(it) => self.agent(it.id),
            Event::AgentsSpared(it) => {
                let agents = it.agents.iter().map(|id| self.names.agent(*id)).collect();
                let why = match it.why {
                    Spared::Recovery => "too many have not come back to this leader",
                    Spared::Rate => "as many as may be were given up not long ago",
                };
                self.list("agent_ids", agents).time("until", it.until).text("why", why)
            }
            Event::AgentOversubscribed(it) => {
                self.agent(it.id).text("revocable_resources", it.estimate.to_string())
            }
            Event::MaintenanceScheduled(it) => {
                self.machines(it.windows.iter().flat_map(|window| &window.machines))
            }
            Event::MachinesDowned(it) => self.machines(&it.machines),
            Event::MachinesUpped(it) => self.machines(&it.machines),
            Event::InverseOffersMade(it) => {
                let frameworks = it.offers.iter().map(|(id, _)| self.names.framework(*id));
                let frameworks = distinct(frameworks);
                let agents = distinct(it.offers.iter().map(|(_, id)| self.names.agent(*id)));
                let offers = self.names.next_offers(it.offers.len());
                self.list("inverse_offer_ids", offers)
                    .list("framework_ids", frameworks)
                    .list("agent_ids", agents)
            }
            Event::InverseOffersAnswered(it) => {
                let offers = it.offers.iter().map(|id| self.names.offer(*id)).collect();
                self.list("inverse_offer_ids", offers)
                    .text("answer", if it.accepts { "ACCEPT" } else { "DECLINE" })
            }
            Event::OffersMade(it) => {
                let frameworks =
                    it.offers.iter().map(|offer| self.names.framework(offer.framework));
                let frameworks = distinct(frameworks);
                let agents = distinct(it.offers.iter().map(|offer| self.names.agent(offer.agent)));
                let offers = self.names.next_offers(it.offers.len());
                self.number("offers", it.offers.len() as u64)
                    .list("offer_ids", offers)
                    .list("framework_ids", frameworks)
                    .list("agent_ids", agents)
            }
            Event::OffersAccepted(it) => self.offers(&it.offers),
            Event::OffersDeclined(it) => self.offers(&it.offers),
            Event::OffersRescinded(it) => self.offers(&it.offers),
            Event::OffersFiltered(it) => self
                .framework(it.framework)
                .agent(it.agent)
                .text("role", &*it.role)
                .text("resources", it.resources.to_string())
                .time("until", it.until),
            Event::TaskLaunched(it) => self
                .task(&it.key)
                .agent(it.agent)
                .optional("executor_id", it.executor.as_deref())
                .text("role", &*it.role)
                .text("resources", it.resources.to_string()),
            Event::GroupLaunched(it) => self
                .list("task_ids", it.tasks.iter().map(|task| task.id.to_string()).collect())
                .framework(it.framework)
                .agent(it.agent)
                .text("executor_id", &*it.executor)
                .text("role", &*it.role),
            Event::TaskRefused(it) => self
                .text("task_id", &*it.task)
                .framework(it.framework)
                .agents(it.agent)
                .status(&it.status),
            Event::TaskUpdated(it) => {
                let ahead = (it.latest != it.status.state).then(|| state(it.latest));
                self.task(&it.key).status(&it.status).optional("latest_state", ahead)
            }
            Event::TaskAcknowledged(it) => self.task(&it.key).uuid(&it.update.0),
            Event::TaskKillRequested(it) => self.task(&it.key),
            Event::ExecutorShutdownRequested(it) => self.executor(&it.key),
            Event::ExecutorEnded(it) => self.executor(&it.key).wait_status(it.status),
            Event::OperationRefused(it) => self
                .framework(it.key.framework)
                .text("operation_id", &*it.key.operation)
                .text("message", &*it.message),
            Event::OperationsFinished(it) => self.agent(it.agent).list(
                "operation_ids",
                it.keys.iter().map(|key| key.operation.to_string()).collect(),
            ),
            Event::OperationAcknowledged(it) => {
                self.framework(it.key.framework).text("operation_id", &*it.key.operation)
            }
            Event::ResourcesConverted(it) => self
                .agent(it.agent)
                .text("operation", operation(it.kind))
                .text("consumed", it.consumed.to_string())
                .text("converted", it.converted.to_string()),
        };
        described.facts
    }

    fn with(mut self, name: &'static str, fact: Fact) -> Self {
        self.facts.0.push((name.into(), fact));
        self
    }

    fn text(self, name: &'static str, text: impl Into<String>) -> Self {
        self.with(name, Fact::Text(text.into()))
    }

    fn optional(self, name: &'static str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    /// Our numbers are counts and terms; none comes near the limit.
    fn number(self, name: &'static str, number: u64) -> Self {
        self.with(name, Fact::Number(i64::try_from(number).unwrap_or(i64::MAX)))
    }

    fn list(self, name: &'static str, list: Vec<String>) -> Self {
        if list.is_empty() { self } else { self.with(name, Fact::List(list)) }
    }

    fn machines<'m>(self, machines: impl IntoIterator<Item = &'m Machine>) -> Self {
        let names = machines.into_iter().map(|it| match &*it.hostname {
            "" => it.ip.to_string(),
            hostname => format!("{hostname} {}", it.ip).trim_end().to_owned(),
        });
        self.list("machine_ids", names.collect())
    }

    fn time(self, name: &'static str, time: Time) -> Self {
        self.text(name, moment::text(time))
    }

    fn roles(self, name: &'static str, roles: &[Role]) -> Self {
        self.list(name, roles.iter().map(ToString::to_string).collect())
    }

    fn framework(self, id: FrameworkId) -> Self {
        let name = self.names.framework(id);
        self.text("framework_id", name)
    }

    fn agent(self, id: AgentId) -> Self {
        let name = self.names.agent(id);
        self.text("agent_id", name)
    }

    fn agents(self, id: Option<AgentId>) -> Self {
        match id {
            Some(id) => self.agent(id),
            None => self,
        }
    }

    fn offers(self, ids: &[OfferId]) -> Self {
        let names = ids.iter().map(|id| self.names.offer(*id)).collect();
        self.list("offer_ids", names)
    }

    fn task(self, key: &TaskKey) -> Self {
        self.text("task_id", &*key.task).framework(key.framework)
    }

    fn executor(self, key: &ExecutorKey) -> Self {
        let executor = self.text("executor_id", &*key.executor);
        executor.framework(key.framework).agent(key.agent)
    }

    fn uuid(self, bytes: &[u8; 16]) -> Self {
        self.text("uuid", hex::text(bytes))
    }

    fn wait_status(self, status: i32) -> Self {
        self.with("wait_status", Fact::Number(status.into()))
    }

    fn status(self, status: &Status) -> Self {
        let source = task_status::Source::try_from(status.source as i32);
        let reason = status.reason.map(|reason| task_status::Reason::try_from(reason.0));
        let said = self
            .text("state", state(status.state))
            .optional("source", source.ok().map(|source| source.as_str_name()))
            .optional("reason", reason.and_then(Result::ok).map(|reason| reason.as_str_name()));
        let said = match &status.update {
            Some(update) => said.uuid(&update.0),
            None => said,
        };
        said.optional("message", status.message.as_deref())
    }
}

fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let names: std::collections::BTreeSet<String> = names.collect();
    names.into_iter().collect()
}

/// The v1 name: the numbers are the same.
fn state(state: TaskState) -> &'static str {
    WireState::try_from(state as i32).map_or("TASK_UNKNOWN", |state| state.as_str_name())
}

fn operation(kind: Conversion) -> &'static str {
    match kind {
        Conversion::Reserve => "RESERVE",
        Conversion::Unreserve => "UNRESERVE",
        Conversion::Create => "CREATE",
        Conversion::Destroy => "DESTROY",
        Conversion::Grow => "GROW_VOLUME",
        Conversion::Shrink => "SHRINK_VOLUME",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use statemachine::Batch;

    use super::*;

    /// Every event that was ever written, one a line: number, name, and a batch in hex.
    const GOLDEN: &str = include_str!("../../statemachine/tests/golden/events.txt");

    fn golden() -> impl Iterator<Item = Event> {
        GOLDEN.lines().flat_map(|line| {
            let hex = line.rsplit(' ').next().unwrap_or_default().as_bytes();
            let byte = |pair: &[u8]| u8::from_str_radix(&String::from_utf8_lossy(pair), 16);
            let bytes: Vec<u8> = hex.chunks(2).map(|pair| byte(pair).expect("hex")).collect();
            let batch = Batch::decode(&bytes).expect("a golden batch");
            batch.records.into_iter().flat_map(|record| record.events)
        })
    }

    #[test]
    fn every_event_names_what_it_touches() {
        for event in golden() {
            let facts = of(&event, &Names::at_start());
            // roles have names and no ids, and what is forgotten by age is named by its time
            let others = ["weights", "quotas", "tasks_before", "frameworks_before"];
            let names = |name: &str| name.contains("_id") || others.contains(&name);
            let touched = facts.0.iter().any(|(name, _)| names(name));
            assert!(touched, "{}: {facts:?}", event.name());
        }
    }

    #[test]
    fn no_event_says_a_thing_twice() {
        for event in golden() {
            let facts = of(&event, &Names::at_start()).0;
            let names: BTreeSet<_> = facts.iter().map(|(name, _)| &**name).collect();
            let of_lines = ["index", "term", "committed", "time", "cause", "principal", "event"];
            assert!(!of_lines.iter().any(|name| names.contains(name)), "{facts:?}");
            assert_eq!(names.len(), facts.len(), "{}: {facts:?}", event.name());
        }
    }
}
