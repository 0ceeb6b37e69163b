//! Calls that are taken, of all types that change something.

use serde_json::{Value, json};

const FRAMEWORK: &str = "c-0000";

fn id(value: &str) -> Value {
    json!({"value": value})
}

fn scalar(name: &str, value: f64, role: &str) -> Value {
    json!({"name": name, "type": "SCALAR", "scalar": {"value": value},
        "reservations": [{"type": "STATIC", "role": role}]})
}

/// Refined for a role below.
fn reserved(name: &str, value: f64) -> Value {
    let mut resource = scalar(name, value, "a");
    let refinement = json!({"type": "DYNAMIC", "role": "a/x"});
    resource["reservations"] = json!([resource["reservations"][0], refinement]);
    resource
}

/// A persistent volume on space that is statically reserved.
fn volume(megabytes: f64) -> Value {
    let mut volume = scalar("disk", megabytes, "a");
    volume["disk"] = json!({"persistence": {"id": "v"},
        "volume": {"container_path": "data", "mode": "RW"}});
    volume
}

fn info() -> Value {
    json!({"id": id(FRAMEWORK), "user": "nobody", "name": "n", "roles": ["a/x", "a/y"],
        "failover_timeout": 60.0, "checkpoint": true,
        "capabilities": [{"type": "MULTI_ROLE"}, {"type": "PARTITION_AWARE"},
            {"type": "RESERVATION_REFINEMENT"}],
        "offer_filters": {"a/x": {"min_allocatable_resources":
            {"quantities": [{"quantities": {"cpus": {"value": 0.5}}}]}}}})
}

/// With what goes beside an info in SUBSCRIBE and `UPDATE_FRAMEWORK`.
fn description() -> Value {
    json!({"framework_info": info(), "suppressed_roles": ["a/y"],
        "offer_constraints": {"role_constraints": {"a/x": {"groups": [{"attribute_constraints": [
            {"selector": {"pseudoattribute_type": "HOSTNAME"},
             "predicate": {"text_matches": {"regex": "node.*"}}}]}]}}}})
}

fn task(name: &str) -> Value {
    json!({"name": name, "task_id": id(name), "agent_id": id("c-S0"),
        "resources": [scalar("cpus", 0.5, "a"), scalar("mem", 32.0, "a")],
        "kill_policy": {"grace_period": {"nanoseconds": 1_000_000_000}},
        "health_check": {"type": "HTTP", "http": {"port": 80, "path": "/"}, "delay_seconds": 1.0},
        "labels": {"labels": [{"key": "k", "value": "v"}]}})
}

fn command() -> Value {
    json!({"value": "true", "environment": {"variables": [{"name": "x", "value": "y"}]},
        "uris": [{"value": "http://x/y"}]})
}

fn executor(r#type: &str) -> Value {
    json!({"type": r#type, "executor_id": id("e"), "framework_id": id(FRAMEWORK),
        "resources": [scalar("cpus", 0.1, "a"), scalar("mem", 32.0, "a"), scalar("disk", 1.0, "a")],
        "container": {"type": "MESOS", "volumes": [
            {"mode": "RW", "container_path": "p", "host_path": "/h"}]}})
}

fn launches() -> [Value; 3] {
    let (mut plain, mut custom) = (task("t"), task("u"));
    plain["command"] = command();
    plain["container"] = json!({"type": "DOCKER", "docker": {"image": "i",
        "parameters": [{"key": "k", "value": "v"}]}});
    plain["limits"] = json!({"cpus": {"value": 1.0}, "mem": {"value": "Infinity"}});
    custom["executor"] = executor("CUSTOM");
    custom["executor"]["command"] = command();
    let (mut first, mut second) = (task("v"), task("w"));
    first["command"] = command();
    second["command"] = command();
    let mut default = executor("DEFAULT");
    default["executor_id"] = id("pod");
    [
        json!({"type": "LAUNCH", "launch": {"task_infos": [plain]}}),
        json!({"type": "LAUNCH", "launch": {"task_infos": [custom]}}),
        json!({"type": "LAUNCH_GROUP", "launch_group": {"executor": default,
            "task_group": {"tasks": [first, second]}}}),
    ]
}

fn conversions() -> Vec<Value> {
    let space = scalar("disk", 8.0, "a");
    let mut smaller = volume(64.0);
    smaller["disk"]["persistence"]["id"] = json!("w");
    vec![
        json!({"type": "RESERVE", "id": id("r"), "reserve": {"resources": [reserved("cpus", 1.0)]}}),
        json!({"type": "CREATE", "id": id("c"), "create": {"volumes": [volume(64.0)]}}),
        json!({"type": "GROW_VOLUME", "grow_volume": {"volume": volume(64.0), "addition": space}}),
        json!({"type": "CREATE", "create": {"volumes": [smaller]}}),
        json!({"type": "SHRINK_VOLUME",
            "shrink_volume": {"volume": smaller, "subtract": {"value": 8.0}}}),
        json!({"type": "DESTROY", "destroy": {"volumes": [smaller]}}),
        json!({"type": "UNRESERVE", "unreserve": {"resources": [reserved("disk", 8.0)]}}),
    ]
}

fn accept(offer: &str, operations: &[Value]) -> Value {
    json!({"offer_ids": [id(offer)], "operations": operations, "filters": {"refuse_seconds": 5.0}})
}

fn of_framework(r#type: &str, part: &Value) -> Value {
    json!({"type": r#type, "framework_id": id(FRAMEWORK), r#type.to_lowercase(): part})
}

/// Of the scheduler API, by the first framework of the world, which holds this offer.
pub(super) fn scheduler(offer: &str) -> Vec<Value> {
    let uuid = "7hfX7eLnTiCJIcyvkhQCqg==";
    let task = json!({"task_id": id("a"), "agent_id": id("c-S0")});
    let executor = json!({"agent_id": id("c-S0"), "executor_id": id("e")});
    let mut message = executor.clone();
    message["data"] = json!("aGk=");
    let mut acknowledge = task.clone();
    acknowledge["uuid"] = json!(uuid);
    let mut kill = task.clone();
    kill["kill_policy"] = json!({"grace_period": {"nanoseconds": 1}});
    let declined = json!({"offer_ids": [id(offer)], "filters": {"refuse_seconds": 60.0}});
    let inverse = json!({"inverse_offer_ids": [id("c-O9")], "filters": {"refuse_seconds": 1.0}});
    let operation = json!({"operation_id": id("r"), "agent_id": id("c-S0")});
    let confirmed = json!({"operation_id": id("r"), "agent_id": id("c-S0"), "uuid": uuid});
    [
        ("SUBSCRIBE", description()),
        ("UPDATE_FRAMEWORK", description()),
        ("ACCEPT", accept(offer, &launches())),
        ("ACCEPT", accept(offer, &conversions())),
        ("ACCEPT", accept(offer, &[])),
        ("DECLINE", declined),
        ("ACCEPT_INVERSE_OFFERS", inverse.clone()),
        ("DECLINE_INVERSE_OFFERS", inverse),
        ("REVIVE", json!({"roles": ["a/x"]})),
        ("SUPPRESS", json!({"roles": ["a/x"]})),
        ("KILL", kill),
        ("SHUTDOWN", executor),
        ("ACKNOWLEDGE", acknowledge),
        ("RECONCILE", json!({"tasks": [task]})),
        ("MESSAGE", message),
        ("RECONCILE_OPERATIONS", json!({"operations": [operation]})),
        ("ACKNOWLEDGE_OPERATION_STATUS", confirmed),
        ("TEARDOWN", json!({})),
    ]
    .map(|(r#type, part)| of_framework(r#type, &part))
    .to_vec()
}

/// Of the operator API.
pub(super) fn operator() -> Vec<Value> {
    let on_agent = |mut part: Value| {
        part["agent_id"] = id("c-S0");
        part
    };
    let machine = json!({"hostname": "node", "ip": "127.0.0.1"});
    let unavailability = json!({"start": {"nanoseconds": 7}, "duration": {"nanoseconds": 8}});
    let window = json!({"machine_ids": [machine], "unavailability": unavailability});
    let amounts = |value: f64| json!({"cpus": {"value": value}});
    let quota = json!({"role": "b", "guarantees": amounts(1.0), "limits": amounts(8.0)});
    [
        ("RESERVE_RESOURCES", on_agent(json!({"resources": [reserved("cpus", 1.0)]}))),
        (
            "RESERVE_RESOURCES",
            on_agent(json!({"resources": [reserved("disk", 8.0)],
            "source": [reserved("disk", 8.0)]})),
        ),
        ("UNRESERVE_RESOURCES", on_agent(json!({"resources": [reserved("disk", 8.0)]}))),
        ("CREATE_VOLUMES", on_agent(json!({"volumes": [volume(64.0)]}))),
        ("UPDATE_WEIGHTS", json!({"weight_infos": [{"role": "a", "weight": 2.0}]})),
        ("UPDATE_QUOTA", json!({"force": true, "quota_configs": [quota]})),
        ("DEACTIVATE_AGENT", on_agent(json!({}))),
        ("REACTIVATE_AGENT", json!({"agent_id": id("c-S2")})),
        ("DRAIN_AGENT", on_agent(json!({"mark_gone": true, "max_grace_period": {"seconds": 5}}))),
        ("MARK_AGENT_GONE", on_agent(json!({}))),
        ("UPDATE_MAINTENANCE_SCHEDULE", json!({"schedule": {"windows": [window]}})),
        ("TEARDOWN", json!({"framework_id": id(FRAMEWORK)})),
    ]
    .map(|(r#type, part)| json!({"type": r#type, r#type.to_lowercase(): part}))
    .to_vec()
}
