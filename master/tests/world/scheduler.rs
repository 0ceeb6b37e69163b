//! A scheduler that the test plays, in JSON over HTTP.

use std::collections::VecDeque;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::DEADLINE;
use super::http::{Answer, open, post, request, send};

/// A subscribed framework.
pub struct Scheduler {
    pub address: String,
    pub stream_id: String,
    pub framework_id: String,
    body: Incoming,
    skipped: VecDeque<Value>,
}

/// A framework with one role and the usual capabilities.
pub fn info(name: &str) -> Value {
    json!({"user": "nobody", "name": name, "roles": ["test"], "failover_timeout": 60.0,
        "capabilities": [{"type": "MULTI_ROLE"}, {"type": "PARTITION_AWARE"},
            {"type": "RESERVATION_REFINEMENT"}]})
}

impl Scheduler {
    /// Subscribes, and waits for SUBSCRIBED.
    pub async fn subscribe(address: &str, info: Value) -> Self {
        let mut scheduler = Self::try_subscribe(address, info).await;
        let event = scheduler.next().await.expect("an event");
        assert_eq!(event["type"], "SUBSCRIBED", "{event}");
        let id = &event["subscribed"]["framework_id"]["value"];
        scheduler.framework_id = id.as_str().expect("an id").to_owned();
        let event = scheduler.next().await.expect("an event");
        assert_eq!(event["type"], "HEARTBEAT", "semantics 56: {event}");
        scheduler
    }

    /// Opens an operator's stream of events.
    pub async fn watch(address: &str) -> Self {
        let headers = [("content-type", "application/json")];
        let request = request("POST", "/api/v1", &headers, r#"{"type":"SUBSCRIBE"}"#);
        let response = open(address, request).await.expect("an answer");
        assert_eq!(response.status(), 200);
        Self {
            address: address.to_owned(),
            stream_id: String::new(),
            framework_id: String::new(),
            body: response.into_body(),
            skipped: VecDeque::new(),
        }
    }

    /// Sends SUBSCRIBE, and opens the stream whatever it says.
    pub async fn try_subscribe(address: &str, info: Value) -> Self {
        let mut call = json!({"type": "SUBSCRIBE", "subscribe": {"framework_info": info}});
        if let Some(id) = info.get("id") {
            call["framework_id"] = id.clone();
        }
        let headers = [("content-type", "application/json"), ("accept", "application/json")];
        let request = request("POST", "/api/v1/scheduler", &headers, call.to_string());
        let response = open(address, request).await.expect("an answer");
        assert_eq!(response.status(), 200);
        let stream_id = response.headers()["mesos-stream-id"].to_str().expect("text").to_owned();
        Self {
            address: address.to_owned(),
            stream_id,
            framework_id: String::new(),
            body: response.into_body(),
            skipped: VecDeque::new(),
        }
    }

    /// The next event; none when the stream ends. One chunk is exactly one record.
    pub async fn next(&mut self) -> Option<Value> {
        if let Some(skipped) = self.skipped.pop_front() {
            return Some(skipped);
        }
        self.read().await
    }

    async fn read(&mut self) -> Option<Value> {
        let frame = tokio::time::timeout(DEADLINE, self.body.frame()).await;
        let chunk = frame.expect("an event in time")?.ok()?.into_data().expect("data");
        let end = chunk.iter().position(|byte| *byte == b'\n').expect("a length");
        let length: usize =
            std::str::from_utf8(&chunk[..end]).expect("text").parse().expect("digits");
        let record = &chunk[end + 1..];
        assert_eq!(record.len(), length, "a chunk is a record");
        Some(serde_json::from_slice(record).expect("JSON"))
    }

    /// The next event of this type; others are kept for later.
    pub async fn expect(&mut self, r#type: &str) -> Value {
        let kept = self.skipped.iter().position(|event| event["type"] == r#type);
        if let Some(event) = kept.and_then(|at| self.skipped.remove(at)) {
            return event;
        }
        loop {
            let event =
                self.read().await.unwrap_or_else(|| panic!("the stream ended before {type}"));
            if event["type"] == r#type {
                return event;
            }
            self.skipped.push_back(event);
        }
    }

    /// The next status update.
    pub async fn update(&mut self) -> Value {
        self.expect("UPDATE").await["update"]["status"].take()
    }

    /// The next offer.
    pub async fn offer(&mut self) -> Value {
        self.expect("OFFERS").await["offers"]["offers"][0].take()
    }

    /// Makes a call over this stream.
    pub async fn call(&self, mut call: Value) -> Answer {
        call["framework_id"] = json!({"value": self.framework_id});
        let headers =
            [("content-type", "application/json"), ("mesos-stream-id", self.stream_id.as_str())];
        send(&self.address, request("POST", "/api/v1/scheduler", &headers, call.to_string())).await
    }

    /// Makes a call that must be accepted.
    pub async fn accepted(&self, call: Value) {
        let answer = self.call(call.clone()).await;
        assert_eq!((answer.status, answer.text().as_str()), (202, ""), "{call}");
    }

    /// Launches a task on an offer.
    pub async fn launch(&self, offer: &Value, task: &str) {
        let task = json!({"name": task, "task_id": {"value": task}, "agent_id": offer["agent_id"],
            "command": {"value": "true"}, "resources": [
                {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}},
                {"name": "mem", "type": "SCALAR", "scalar": {"value": 64}}]});
        let launch = json!({"type": "LAUNCH", "launch": {"task_infos": [task]}});
        self.accepted(json!({"type": "ACCEPT", "accept": {"offer_ids": [offer["id"]],
            "operations": [launch], "filters": {"refuse_seconds": 0.0}}}))
            .await;
    }

    /// Acknowledges an update.
    pub async fn acknowledge(&self, status: &Value) {
        self.accepted(
            json!({"type": "ACKNOWLEDGE", "acknowledge": {"agent_id": status["agent_id"],
            "task_id": status["task_id"], "uuid": status["uuid"]}}),
        )
        .await;
    }
}

/// A call of the operator API.
pub async fn operator(address: &str, call: &Value) -> Answer {
    post(address, "/api/v1", &call.to_string()).await
}
