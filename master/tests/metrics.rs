//! Metrics: the names that tools know, what each is documented to be, and that counters of the cluster
//! go on with another leader.

mod world;

use std::collections::BTreeMap;

use protocol::v1::TaskState;
use serde_json::json;
use world::Cluster;
use world::agent::{Agent, hello};
use world::http::get;
use world::scheduler::{Scheduler, info, operator};

/// surface 37 at P0 and P1, as far as names do not vary.
const NAMES: &str = "
    master/uptime_secs master/elected
    master/cpus_total master/cpus_used master/cpus_percent
    master/mem_total master/mem_used master/mem_percent
    master/disk_total master/disk_used master/disk_percent
    master/gpus_total master/gpus_used master/gpus_percent
    system/cpus_total system/load_1min system/load_5min system/load_15min
    system/mem_total_bytes system/mem_free_bytes
    master/slaves_active master/slaves_inactive master/slaves_connected
    master/slaves_disconnected master/slaves_unreachable
    master/slave_registrations master/slave_reregistrations master/slave_removals
    master/slave_removals/reason_unhealthy master/slave_removals/reason_unregistered
    master/slave_removals/reason_registered master/recovery_slave_removals
    master/slave_unreachable_scheduled master/slave_unreachable_completed
    master/slave_unreachable_canceled
    master/frameworks_active master/frameworks_inactive
    master/frameworks_connected master/frameworks_disconnected
    master/outstanding_offers
    master/tasks_staging master/tasks_starting master/tasks_running master/tasks_killing
    master/tasks_unreachable master/tasks_finished master/tasks_failed master/tasks_killed
    master/tasks_lost master/tasks_error master/tasks_dropped master/tasks_gone
    master/tasks_gone_by_operator
    master/messages_register_framework master/messages_reregister_framework
    master/messages_unregister_framework master/messages_deactivate_framework
    master/messages_kill_task master/messages_status_update_acknowledgement
    master/messages_operation_status_update_acknowledgement master/messages_resource_request
    master/messages_launch_tasks master/messages_decline_offers master/messages_revive_offers
    master/messages_suppress_offers master/messages_reconcile_operations
    master/messages_reconcile_tasks master/messages_framework_to_executor
    master/messages_executor_to_framework master/messages_register_slave
    master/messages_reregister_slave master/messages_unregister_slave
    master/messages_status_update master/messages_operation_status_update
    master/messages_exited_executor master/messages_update_slave master/messages_authenticate
    master/valid_framework_to_executor_messages master/invalid_framework_to_executor_messages
    master/valid_executor_to_framework_messages master/invalid_executor_to_framework_messages
    master/valid_status_updates master/invalid_status_updates
    master/valid_status_update_acknowledgements master/invalid_status_update_acknowledgements
    master/valid_operation_status_updates master/invalid_operation_status_updates
    master/valid_operation_status_update_acknowledgements
    master/invalid_operation_status_update_acknowledgements
    master/dropped_messages master/event_queue_messages master/event_queue_dispatches
    master/event_queue_http_requests master/operator_event_stream_subscribers
    registrar/state_fetch_ms registrar/state_store_ms registrar/state_store_ms/count
    registrar/state_store_ms/min registrar/state_store_ms/max registrar/state_store_ms/p50
    registrar/state_store_ms/p90 registrar/state_store_ms/p95 registrar/state_store_ms/p99
    registrar/state_store_ms/p999 registrar/state_store_ms/p9999
    registrar/registry_size_bytes registrar/log/recovered registrar/log/ensemble_size
    allocator/mesos/allocation_runs allocator/mesos/allocation_run_ms
    allocator/mesos/allocation_run_ms/p99 allocator/mesos/allocation_run_latency_ms
    allocator/mesos/allocation_run_latency_ms/p99
    allocator/mesos/resources/cpus/total allocator/mesos/resources/cpus/offered_or_allocated
    allocator/mesos/resources/mem/total allocator/mesos/resources/mem/offered_or_allocated
    allocator/mesos/resources/disk/total allocator/mesos/resources/disk/offered_or_allocated
    allocator/mesos/roles/test/shares/dominant allocator/mesos/offer_filters/roles/test/active
    allocator/mesos/quota/roles/test/resources/cpus/guarantee
    allocator/mesos/quota/roles/test/resources/cpus/limit
    allocator/mesos/quota/roles/test/resources/cpus/consumed
    allocator/mesos/quota/roles/test/resources/cpus/offered_or_allocated
    master/task_finished/source_executor
";

/// The same of each framework.
const FRAMEWORK_NAMES: &str = "
    subscribed calls calls/accept calls/subscribe events events/offers events/subscribed
    events/heartbeat offers/sent offers/accepted offers/declined offers/rescinded
    tasks/active/task_running tasks/active/task_staging tasks/terminal/task_finished
    operations operations/launch operations/reserve roles/test/suppressed
";

/// A name of the table in the docs, and whether it is a counter of the cluster.
struct Documented {
    name: &'static str,
    lasts: bool,
}

/// All names of the table in the docs.
fn documented() -> Vec<Documented> {
    let rows = include_str!("../../docs/METRICS.md").lines();
    let cells = rows.filter_map(|row| row.strip_prefix("| `"));
    cells
        .map(|row| {
            let (name, rest) = row.split_once("` |").expect("a name");
            let lasts = rest.starts_with(" counter |") && rest.ends_with("| cluster |");
            Documented { name, lasts }
        })
        .collect()
}

/// Whether a name is what the docs say with `<…>` for one part, or more in names of roles.
fn is(pattern: &str, name: &str) -> bool {
    match (pattern.split_once('<'), name) {
        (None, name) => pattern == name,
        (Some((before, rest)), name) => {
            let Some((hole, after)) = rest.split_once('>') else { return false };
            let Some(name) = name.strip_prefix(before) else { return false };
            let ends = name.match_indices('/').map(|(end, _)| end).chain([name.len()]);
            let allowed = ends.take(if hole == "role" { usize::MAX } else { 1 });
            let mut rests = allowed.filter_map(|end| name.get(end..));
            rests.any(|rest| is(after, rest))
        }
    }
}

async fn snapshot(address: &str) -> BTreeMap<String, f64> {
    let object = get(address, "/metrics/snapshot").await.json();
    let numbers = object.as_object().expect("an object").iter();
    numbers.map(|(name, value)| (name.clone(), value.as_f64().expect("a number"))).collect()
}

/// A framework that has run one task, and has an offer.
async fn run_one(address: &str) -> (Scheduler, Agent) {
    let limit = json!({"cpus": {"value": 100.0}});
    let config = json!({"role": "test", "guarantees": {"cpus": {"value": 1.0}}, "limits": limit});
    let update = json!({"type": "UPDATE_QUOTA",
        "update_quota": {"force": true, "quota_configs": [config]}});
    assert_eq!(operator(address, &update).await.status, 200);
    let mut scheduler = Scheduler::subscribe(address, info("a b")).await;
    let mut agent = Agent::connect(address, hello("cpus:4;mem:1024;disk:64")).await;
    let offer = scheduler.offer().await;
    scheduler.launch(&offer, "t1").await;
    let launch = agent.launch().await;
    agent.report(&launch, TaskState::TaskFinished).await;
    let told = scheduler.update().await;
    scheduler.acknowledge(&told).await;
    (scheduler, agent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_those_that_tools_know_and_all_are_documented() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let (scheduler, _agent) = Box::pin(run_one(&address)).await;
    let found = snapshot(&address).await;
    let of = |name: &str| format!("master/frameworks/a%20b/{}/{name}", scheduler.framework_id);
    let of_framework = FRAMEWORK_NAMES.split_whitespace().map(of);
    for name in NAMES.split_whitespace().map(str::to_owned).chain(of_framework) {
        assert!(found.contains_key(&name), "{name} is missing");
    }
    for (name, value) in [("calls/accept", 1.0), ("operations/launch", 1.0), ("calls", 3.0)] {
        assert_eq!(found.get(&of(name)), Some(&value), "{name}");
    }
    let documented = documented();
    let timed = |name: &str| {
        let (timer, part) = name.rsplit_once('/').unwrap_or_default();
        ["count", "min", "max"].contains(&part) || part.starts_with('p') && timer.ends_with("_ms")
    };
    for name in found.keys().filter(|name| !timed(name)) {
        assert!(documented.iter().any(|it| is(it.name, name)), "{name} is not in docs/METRICS.md");
    }
    for it in documented.iter().filter(|it| !it.name.starts_with("master/task_")) {
        assert!(found.keys().any(|name| is(it.name, name)), "{} is not there", it.name);
    }
    let call = json!({"type": "GET_METRICS", "get_metrics": {}});
    let listed = operator(&address, &call).await.json();
    let listed = listed["get_metrics"]["metrics"].as_array().expect("a list").clone();
    let name = |it: &serde_json::Value| it["name"].as_str().map(str::to_owned);
    assert_eq!(
        listed.iter().filter_map(name).collect::<Vec<_>>(),
        found.into_keys().collect::<Vec<_>>()
    );
    let text = get(&address, "/metrics").await.text();
    let id = &scheduler.framework_id;
    let labels = format!("{{framework=\"a%20b\",framework_id=\"{id}\"}}");
    let line = format!("\nmesolith_master_frameworks_tasks_terminal_task_finished{labels} 1\n");
    assert!(text.contains(&line), "{text}");
    assert!(text.contains("# TYPE mesolith_master_tasks_finished counter\n"), "{text}");
}

/// gaps 20
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_of_the_cluster_go_on_with_another_leader() {
    let mut cluster = Cluster::start(3).await;
    let first = cluster.leader().await;
    let (scheduler, _agent) = Box::pin(run_one(&first)).await;
    let before = snapshot(&first).await;
    cluster.stop(&first).await;
    let after = snapshot(&cluster.leader().await).await;
    let lasting: Vec<_> = documented().into_iter().filter(|it| it.lasts).collect();
    let mut compared = 0;
    for (name, value) in &before {
        if lasting.iter().any(|it| is(it.name, name)) {
            assert!(after.get(name).is_some_and(|now| now >= value), "{name} went back");
            compared += 1;
        }
    }
    assert!(compared > 30, "only {compared} counters");
    let of = format!("master/frameworks/a%20b/{}/offers/sent", scheduler.framework_id);
    for name in ["master/tasks_finished", "master/slave_registrations", &of] {
        assert!(after[name] > 0.0, "{name}");
    }
}
