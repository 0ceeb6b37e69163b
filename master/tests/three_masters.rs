//! Three masters: redirects of the followers, and what survives the loss of the leader.

mod world;

use protocol::agents::{Hello, to_agent};
use protocol::quorum::{ChangeRequest, ShowRequest, change_request};
use protocol::rpc;
use protocol::v1::TaskState;
use serde_json::json;
use world::agent::{Agent, hello, report};
use world::http::{Answer, get, post, request, send};
use world::scheduler::{Scheduler, info};
use world::{Cluster, eventually};

/// semantics 32, 33, 295, 319
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_send_clients_to_the_leader() {
    let cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    for follower in cluster.masters.iter().map(|it| &it.address).filter(|it| **it != leader) {
        let location = |path: &'static str| {
            let follower = follower.clone();
            async move {
                let answer = get(&follower, path).await;
                (answer.status, answer.header("location").map(str::to_owned))
            }
        };
        let knows = || async { location("/redirect").await.0 == 307 };
        eventually("the follower to know the leader", knows).await;
        assert_eq!(location("/redirect").await.1, Some(format!("//{leader}")));
        assert_eq!(location("/state?x=1").await, (307, Some(format!("//{leader}/state?x=1"))));
        let path = "/master/api/v1/scheduler";
        assert_eq!(location(path).await, (307, Some(format!("//{leader}{path}"))));
        for path in ["/health", "/version", "/flags", "/metrics/snapshot", "/metrics"] {
            assert_eq!(location(path).await, (200, None), "{path}");
        }
        let (_, _, first) = Agent::try_connect(follower, hello("cpus:1")).await;
        let Some(to_agent::Message::NotLeader(elsewhere)) = first else { panic!("{first:?}") };
        assert_eq!(elsewhere.leader, leader);
        assert_eq!(elsewhere.masters.len(), 3);
    }
}

/// GET with a header that says which entry the answer is to know of.
async fn get_from(address: &str, path: &str, min_index: &str) -> Answer {
    let headers = [("mesolith-min-index", min_index), ("mesolith-wait", "30secs")];
    send(address, request("GET", path, &headers, "")).await
}

fn index(answer: &Answer) -> u64 {
    let index = answer.header("mesolith-index").and_then(|index| index.parse().ok());
    index.unwrap_or_else(|| panic!("no index: {answer:?}"))
}

/// gaps 33
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_names_an_index_is_answered_by_any_master() {
    let cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    for weight in [2.0, 3.0, 4.0] {
        let weights = json!([{"role": "eng", "weight": weight}]);
        let update = json!({"type": "UPDATE_WEIGHTS", "update_weights": {"weight_infos": weights}});
        let update = update.to_string();
        let written = post(&leader, "/api/v1", &update).await;
        assert_eq!(written.status, 200, "{}", written.text());
        let min = index(&written).to_string();
        for master in cluster.masters.iter().map(|it| &it.address) {
            let answer = get_from(master, "/weights", &min).await;
            assert_eq!((answer.status, answer.json()), (200, weights.clone()), "at {master}");
            assert!(index(&answer) >= index(&written), "at {master}");
            let headers = [("content-type", "application/json"), ("mesolith-min-index", &*min)];
            let read = request("POST", "/api/v1", &headers, r#"{"type":"GET_WEIGHTS"}"#);
            let answer = send(master, read).await;
            let found = &answer.json()["get_weights"]["weight_infos"][0]["weight"];
            assert_eq!(found, weight, "at {master}");
            let write = send(master, request("POST", "/api/v1", &headers, update.clone())).await;
            assert_eq!(write.status, if *master == leader { 200 } else { 307 }, "at {master}");
        }
    }
}

/// gaps 33
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_read_says_how_far_its_master_is() {
    let cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let paths = [
        "/state",
        "/state-summary",
        "/slaves",
        "/frameworks",
        "/tasks",
        "/roles",
        "/quota",
        "/weights",
        "/maintenance/schedule",
        "/maintenance/status",
        "/metrics/snapshot",
        "/version",
    ];
    for master in cluster.masters.iter().map(|it| &it.address) {
        for path in paths {
            let answer = get_from(master, path, "1").await;
            assert_eq!(answer.status, 200, "{path} at {master}");
            assert!(index(&answer) >= 1, "{path} at {master}");
        }
        assert_eq!(get_from(master, "/state", "soon").await.status, 400);
        let never = u64::MAX.to_string();
        let headers = [("mesolith-min-index", never.as_str()), ("mesolith-wait", "0secs")];
        let answer = send(master, request("GET", "/state", &headers, "")).await;
        assert_eq!(answer.status, 503);
        assert!(answer.text().contains(&never), "{}", answer.text());
    }
    assert_eq!(get(&leader, "/state").await.status, 200, "whoever names none asks the leader");
}

/// semantics 248; gaps 1
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_forgotten_when_the_leader_is_lost() {
    let mut cluster = Cluster::start(3).await;
    let first = cluster.leader().await;
    let mut scheduler = Scheduler::subscribe(&first, info("survivor")).await;
    let mut agent = Agent::connect(&first, hello("cpus:4;mem:1024")).await;
    let offer = scheduler.offer().await;
    scheduler.launch(&offer, "t1").await;
    let launch = agent.launch().await;
    agent.report(&launch, TaskState::TaskRunning).await;
    let told = scheduler.update().await;

    cluster.stop(&first).await;
    while scheduler.next().await.is_some() {}
    let second = cluster.leader().await;
    assert_ne!(first, second);

    let mut back = info("survivor");
    back["id"] = json!({"value": scheduler.framework_id});
    let mut scheduler = Scheduler::subscribe(&second, back).await;
    let again = scheduler.update().await;
    assert_eq!(again["uuid"], told["uuid"], "what was not acknowledged is told again");
    let hello = Hello {
        cluster_id: agent.welcome.cluster_id.clone(),
        agent_id: agent.id.clone(),
        tasks: vec![report(&launch, TaskState::TaskRunning)],
        last_launch_index: launch.index,
        ..hello("cpus:4;mem:1024")
    };
    let mut returned = Agent::connect(&second, hello).await;
    assert_eq!(returned.id, agent.id);
    assert!(returned.welcome.term > agent.welcome.term);

    scheduler.acknowledge(&again).await;
    let acknowledged = returned.next().await;
    assert!(matches!(acknowledged, Some(to_agent::Message::Acknowledge(_))), "{acknowledged:?}");
    scheduler.accepted(json!({"type": "RECONCILE", "reconcile": {"tasks": []}})).await;
    let answer = scheduler.update().await;
    assert_eq!(
        (&answer["state"], &answer["task_id"]["value"]),
        (&json!("TASK_RUNNING"), &json!("t1"))
    );
}

/// gaps 14
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_launch_that_its_agent_never_got_is_sent_again() {
    let mut cluster = Cluster::start(3).await;
    let first = cluster.leader().await;
    let mut scheduler = Scheduler::subscribe(&first, info("patient")).await;
    let agent = Agent::connect(&first, hello("cpus:4;mem:1024")).await;
    let offer = scheduler.offer().await;
    scheduler.launch(&offer, "t1").await;
    cluster.stop(&first).await;

    let second = cluster.leader().await;
    let hello = Hello {
        cluster_id: agent.welcome.cluster_id.clone(),
        agent_id: agent.id.clone(),
        ..hello("cpus:4;mem:1024")
    };
    let mut agent = Agent::connect(&second, hello).await;
    let launch = agent.launch().await;
    assert_eq!(launch.task.expect("a task").task_id.value, "t1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_lost_its_directory_is_refused_until_it_is_replaced() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let lost = cluster.masters.iter().map(|it| it.address.clone()).find(|it| *it != leader);
    let lost = lost.expect("a follower");
    let mut quorum = rpc::quorum_client(rpc::channel(&leader, None).expect("an address"));
    let status = quorum.show(ShowRequest {}).await.expect("an answer").into_inner();
    let node_id = status.members.iter().find(|it| it.address == lost).expect("a member").node_id;
    cluster.stop(&lost).await;

    let refused = cluster.start_blank(&lost, &[]).await.end().await;
    let text = refused.expect_err("it forgot what it promised").to_string();
    assert!(text.contains("--join") && text.contains(&status.cluster_id), "{text}");

    let _joining = cluster.start_blank(&lost, &["--join"]).await;
    let replace = ChangeRequest {
        kind: change_request::Kind::Replace as i32,
        address: lost.clone(),
        node_id,
    };
    let changed = quorum.change(replace).await.expect("replaced").into_inner();
    let members = changed.status.expect("a status").members;
    assert!(members.iter().any(|it| it.address == lost && it.node_id > 3), "{members:?}");
    assert!(members.iter().all(|it| it.node_id != node_id), "{members:?}");
    let follows = || async { get(&lost, "/state").await.status == 307 };
    eventually("the new member to follow", follows).await;
}
