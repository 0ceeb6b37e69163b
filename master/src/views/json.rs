//! The JSON of answers whose lists are there even when they are empty (semantics 9).

use protocol::v1::master::response::{GetAgents, GetExecutors, GetFrameworks, GetState, GetTasks};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// A message of the operator API with its lists.
#[derive(Debug)]
pub(crate) struct WithLists<'a, T>(pub(crate) &'a T);

/// Writes lists under their names, empty ones too.
macro_rules! with_lists {
    ($($message:ident { $($list:ident),* })*) => {$(
        impl Serialize for WithLists<'_, $message> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                $(map.serialize_entry(stringify!($list), &self.0.$list)?;)*
                map.end()
            }
        }
    )*};
}

with_lists! {
    GetTasks { tasks, unreachable_tasks, completed_tasks }
    GetExecutors { executors }
    GetFrameworks { frameworks, completed_frameworks }
    GetAgents { agents, recovered_agents }
}

impl Serialize for WithLists<'_, GetState> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("get_tasks", &self.0.get_tasks.as_ref().map(WithLists))?;
        map.serialize_entry("get_executors", &self.0.get_executors.as_ref().map(WithLists))?;
        map.serialize_entry("get_frameworks", &self.0.get_frameworks.as_ref().map(WithLists))?;
        map.serialize_entry("get_agents", &self.0.get_agents.as_ref().map(WithLists))?;
        map.end()
    }
}

/// `{"type":"GET_X","get_x":…}`.
pub(crate) fn typed<T>(name: &str, field: &str, message: &T) -> Vec<u8>
where
    for<'a> WithLists<'a, T>: Serialize,
{
    to_vec(&Typed { name, field, content: WithLists(message) })
}

/// The SUBSCRIBED event of an operator stream (semantics 297).
pub(crate) fn subscribed(state: &GetState, heartbeat_seconds: f64) -> Vec<u8> {
    let content =
        Subscribed { get_state: WithLists(state), heartbeat_interval_seconds: heartbeat_seconds };
    to_vec(&Typed { name: "SUBSCRIBED", field: "subscribed", content })
}

/// A message that says its type, and one field named after it.
struct Typed<'a, T> {
    name: &'a str,
    field: &'a str,
    content: T,
}

impl<T: Serialize> Serialize for Typed<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", self.name)?;
        map.serialize_entry(self.field, &self.content)?;
        map.end()
    }
}

#[derive(serde::Serialize)]
struct Subscribed<'a> {
    get_state: WithLists<'a, GetState>,
    heartbeat_interval_seconds: f64,
}

/// Names are strings and memory takes all, so nothing can fail here.
pub(crate) fn to_vec(view: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(view).unwrap_or_else(|error| {
        tracing::error!(%error, "a view could not be written");
        Vec::new()
    })
}
