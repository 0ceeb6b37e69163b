//! The stream of every decision, from any index, at any master.

mod world;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use world::agent::{Agent, hello};
use world::scheduler::{Scheduler, info};
use world::{Cluster, DEADLINE, http};

/// Someone who listens.
struct Listener {
    body: Incoming,
    text: String,
}

impl Listener {
    async fn open(address: &str, path: &str) -> Self {
        let request = http::request("GET", path, &[("accept-encoding", "gzip")], "");
        let response = http::open(address, request).await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/x-ndjson");
        Self { body: response.into_body(), text: String::new() }
    }

    /// The next event that is no heartbeat.
    async fn next(&mut self) -> Value {
        loop {
            if let Some(end) = self.text.find('\n') {
                let event: Value = serde_json::from_str(&self.text[..end]).expect("JSON");
                self.text.drain(..=end);
                if event["event"] != "Heartbeat" {
                    return event;
                }
                continue;
            }
            let frame = tokio::time::timeout(DEADLINE, self.body.frame()).await;
            let frame = frame.expect("an event in time").expect("more").expect("a frame");
            let bytes = frame.into_data().expect("data");
            self.text.push_str(std::str::from_utf8(&bytes).expect("text"));
        }
    }

    /// Events up to the first of this name, with it.
    async fn until(&mut self, name: &str) -> Vec<Value> {
        let mut events = Vec::new();
        while events.last().is_none_or(|event: &Value| event["event"] != name) {
            events.push(self.next().await);
        }
        events
    }
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["event"].as_str()).collect()
}

/// gaps 21, 22, 23
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_decision_is_told_from_any_index_at_any_master() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let expected = ["FrameworkSubscribed", "AgentRegistered", "OffersMade", "AgentGone"];
    let path = format!("/events?event={}", expected.join(","));
    let mut live = Listener::open(&leader, &path).await;
    let mut scheduler = Scheduler::subscribe(&leader, info("f")).await;
    let agent = Agent::connect(&leader, hello("cpus:4;mem:1024")).await;
    scheduler.offer().await;
    let gone = serde_json::json!({"type": "MARK_AGENT_GONE",
        "mark_agent_gone": {"agent_id": {"value": agent.id}}});
    assert_eq!(world::scheduler::operator(&leader, &gone).await.status, 200);
    let told = live.until("AgentGone").await;
    assert_eq!(names(&told), expected);
    assert_eq!(told[3]["agent_id"], agent.id.as_str());
    let after = told[1]["index"].as_u64().expect("an index") + 1;

    for master in cluster.masters.iter().map(|it| it.address.clone()).collect::<Vec<_>>() {
        let mut past = Listener::open(&master, "/events?from=1").await;
        let mut all = past.until("AgentGone").await;
        assert_eq!(all[0]["event"], "LeaderElected");
        all.retain(|event| event["event"] != "LeaderElected");
        assert_eq!(all, told);
        let path = format!("/events?from={after}&event=AgentGone,LeaderElected");
        let mut some = Listener::open(&master, &path).await;
        assert_eq!(some.next().await, told[3]);
    }

    let follower = cluster.masters.iter().map(|it| &it.address).find(|it| **it != leader);
    let mut other = Listener::open(follower.expect("one"), "/events?event=LeaderElected").await;
    cluster.stop(&leader).await;
    let elected = other.next().await;
    assert!(elected["term"].as_u64() > told[0]["term"].as_u64(), "{elected}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_told_is_refused_and_listeners_are_limited() {
    let flags = ["--max-operator-event-stream-subscribers=1"];
    let cluster = Cluster::start_with(1, &flags).await;
    let address = cluster.leader().await;
    for (path, status) in [("/events?from=x", 400), ("/events?event=X", 400)] {
        assert_eq!(http::get(&address, path).await.status, status, "{path}");
    }
    let first = Listener::open(&address, "/events").await;
    assert_eq!(http::get(&address, "/events").await.status, 503);
    drop(first);
}
