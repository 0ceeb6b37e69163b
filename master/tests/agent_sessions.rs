//! Agents that fall silent, leave, and are told what to start.

mod world;

use protocol::agents::{ExecutorExited, FrameworkStopped, Hello, Unregister, from_agent, to_agent};
use serde_json::{Value, json};
use world::agent::{Agent, hello};
use world::scheduler::{Scheduler, info};
use world::{Cluster, eventually};

async fn gauge(address: &str, name: &str) -> Option<f64> {
    world::http::get(address, "/metrics/snapshot").await.json()[name].as_f64()
}

/// semantics 221: nothing is waited for beside the pings, though the deadline of an agent that hangs
/// up is ten minutes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_misses_its_pings_is_unreachable() {
    let flags = ["--agent_ping_timeout=100ms", "--max_agent_ping_timeouts=2"];
    let cluster = Cluster::start_with(1, &flags).await;
    let address = cluster.leader().await;
    // It never looks at what it is sent.
    let _agent = Agent::connect(&address, hello("cpus:4;mem:1024")).await;
    eventually("an unreachable agent", || async {
        gauge(&address, "master/slaves_unreachable").await == Some(1.0)
    })
    .await;
}

/// semantics 219: the total, of all pings that may be missed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_hears_how_long_silence_may_last() {
    for (flags, expected_ms) in [
        (&[][..], 75_000),
        (&["--agent_ping_timeout=3secs", "--max_agent_ping_timeouts=7"], 21_000),
    ] {
        let cluster = Cluster::start_with(1, flags).await;
        let address = cluster.leader().await;
        let agent = Agent::connect(&address, hello("cpus:4;mem:1024")).await;
        assert_eq!(agent.welcome.ping_timeout_ms, expected_ms, "{flags:?}");
    }
}

/// semantics 235: it may come again, since only agents that the cluster is done with are shut down.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_refused_hears_why_and_may_try_again() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let other = Hello { cluster_id: "elsewhere".to_owned(), ..hello("cpus:1") };
    let (_, _, first) = Agent::try_connect(&address, other).await;
    let Some(to_agent::Message::Refused(refused)) = first else { panic!("{first:?}") };
    assert!(!refused.shutdown, "{refused:?}");
    assert!(refused.reason.contains("belongs to cluster elsewhere"), "{refused:?}");
    let agents = world::http::get(&address, "/slaves").await.json();
    assert_eq!(agents["slaves"], json!([]));
}

/// surface 278
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_leaves_is_told_so_and_is_gone() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let mut agent = Agent::connect(&address, hello("cpus:4;mem:1024")).await;
    agent.say(from_agent::Message::Unregister(Unregister {})).await;
    let answer = agent.next().await;
    assert!(matches!(answer, Some(to_agent::Message::Unregistered(_))), "{answer:?}");
    assert!(agent.next().await.is_none(), "the stream ends");
    let agents = world::http::get(&address, "/slaves").await.json();
    assert_eq!(agents["slaves"], json!([]));
}

/// Launches `task` on the executor `e` from the next offer.
async fn launch_on_executor(scheduler: &mut Scheduler, task: &str) {
    let offer = scheduler.offer().await;
    let scalar = |name: &str, value: f64| json!({"name": name, "type": "SCALAR", "scalar": {"value": value}});
    let resources: Value = json!([scalar("cpus", 0.5), scalar("mem", 64.0)]);
    let executor = json!({
        "executor_id": {"value": "e"},
        "command": {"value": "true"},
        "resources": resources,
    });
    let task = json!({
        "task_id": {"value": task}, "name": task, "agent_id": offer["agent_id"],
        "resources": resources, "executor": executor,
    });
    let launch = json!({"type": "LAUNCH", "launch": {"task_infos": [task]}});
    let accept = json!({
        "offer_ids": [offer["id"]], "operations": [launch], "filters": {"refuse_seconds": 0.0},
    });
    scheduler.accepted(json!({"type": "ACCEPT", "accept": accept})).await;
}

/// semantics 259
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_launch_says_whether_it_starts_its_executor() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let mut scheduler = Scheduler::subscribe(&address, info("first")).await;
    let mut agent = Agent::connect(&address, hello("cpus:8;mem:4096")).await;
    let mut framework_id = String::new();
    for (task, starts) in [("first", true), ("second", false)] {
        launch_on_executor(&mut scheduler, task).await;
        let launch = agent.launch().await;
        assert_eq!(launch.starts_executor, Some(starts), "{task}");
        framework_id = launch.framework.and_then(|it| it.id).expect("an id").value;
    }
    let exited = ExecutorExited { framework_id, executor_id: "e".to_owned(), status: 9 };
    agent.say(from_agent::Message::ExecutorExited(exited)).await;
    scheduler.expect("FAILURE").await;
    launch_on_executor(&mut scheduler, "third").await;
    assert_eq!(agent.launch().await.starts_executor, Some(true), "it is over");
}

/// gaps 51
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_framework_had_is_used_until_its_agent_says_that_it_has_stopped() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let mut scheduler = Scheduler::subscribe(&address, info("first")).await;
    let hello = Hello { tells_stops: true, ..hello("cpus:8;mem:4096") };
    let mut agent = Agent::connect(&address, hello).await;
    launch_on_executor(&mut scheduler, "t").await;
    agent.launch().await;
    scheduler.accepted(json!({"type": "TEARDOWN"})).await;
    let framework_id = loop {
        match agent.next().await {
            Some(to_agent::Message::ShutdownFramework(shutdown)) => break shutdown.framework_id,
            Some(_) => {}
            None => panic!("the stream ends"),
        }
    };
    assert_eq!(gauge(&address, "master/cpus_used").await, Some(1.0));
    agent.say(from_agent::Message::FrameworkStopped(FrameworkStopped { framework_id })).await;
    eventually("nothing in use", || async {
        gauge(&address, "master/cpus_used").await == Some(0.0)
    })
    .await;
}
