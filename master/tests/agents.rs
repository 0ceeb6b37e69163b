//! What operators do to agents, over real sockets.

mod world;

use protocol::agents::{Hello, to_agent};
use protocol::held::HeldAgents;
use protocol::v1::TaskState;
use serde_json::{Value, json};
use world::agent::{Agent, hello, report};
use world::http::{get, request, send};
use world::scheduler::{Scheduler, info, operator};
use world::{Cluster, eventually};

const HAS: &str = "cpus:4;mem:1024";

async fn operate(address: &str, r#type: &str, call: Value) -> (u16, String) {
    let part = r#type.to_lowercase();
    let mut whole = json!({ "type": r#type });
    whole[part] = call;
    let answer = operator(address, &whole).await;
    (answer.status, answer.text())
}

async fn agents(address: &str) -> Value {
    operator(address, &json!({"type": "GET_AGENTS"})).await.json()["get_agents"]["agents"].take()
}

/// The agent as it comes back, with the tasks that it says it has.
fn again(agent: &Agent, tasks: Vec<protocol::agents::TaskReport>, last_launch: u64) -> Hello {
    Hello {
        cluster_id: agent.welcome.cluster_id.clone(),
        agent_id: agent.id.clone(),
        tasks,
        last_launch_index: last_launch,
        ..hello(HAS)
    }
}

/// semantics 228, 229, 231, 308
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_marked_gone_is_shut_down_and_never_taken_again() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let mut scheduler = Scheduler::subscribe(&address, info("first")).await;
    let mut agent = Agent::connect(&address, hello(HAS)).await;
    let offer = scheduler.offer().await;
    scheduler.launch(&offer, "t").await;
    agent.launch().await;

    let bare = operator(&address, &json!({"type": "MARK_AGENT_GONE"})).await;
    assert_eq!(bare.status, 400, "{}", bare.text());
    let unknown = json!({"agent_id": {"value": "nobody"}});
    assert_eq!(operate(&address, "MARK_AGENT_GONE", unknown).await.0, 404);
    let mine = json!({"agent_id": {"value": agent.id}});
    for _ in 0..2 {
        let gone = operate(&address, "MARK_AGENT_GONE", mine.clone()).await;
        assert_eq!(gone, (200, String::new()));
    }
    let status = scheduler.update().await;
    assert_eq!(status["state"], "TASK_GONE_BY_OPERATOR", "{status}");
    assert_eq!(status["reason"], "REASON_AGENT_REMOVED_BY_OPERATOR", "{status}");
    match agent.next().await {
        Some(to_agent::Message::Refused(refused)) => assert!(refused.shutdown, "{refused:?}"),
        other => panic!("not told to leave: {other:?}"),
    }
    assert!(agent.next().await.is_none(), "the stream ends");
    assert_eq!(agents(&address).await, json!([]), "semantics 312");
    let (_, _, first) = Agent::try_connect(&address, again(&agent, Vec::new(), 0)).await;
    match first {
        Some(to_agent::Message::Refused(refused)) => assert!(refused.shutdown, "{refused:?}"),
        other => panic!("taken again: {other:?}"),
    }
}

/// semantics 236, 240, 290, 312
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deactivated_agent_shows_so_until_it_is_reactivated() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let mut scheduler = Scheduler::subscribe(&address, info("first")).await;
    let agent = Agent::connect(&address, hello(HAS)).await;
    let offer = scheduler.offer().await;
    let mine = json!({"agent_id": {"value": agent.id}});
    for call in ["DEACTIVATE_AGENT", "REACTIVATE_AGENT", "DRAIN_AGENT"] {
        let unknown = operate(&address, call, json!({"agent_id": {"value": "nobody"}})).await;
        assert_eq!(unknown, (400, "Unknown agent".to_owned()), "{call}");
    }
    let refused = operate(&address, "REACTIVATE_AGENT", mine.clone()).await;
    assert_eq!(refused, (400, "Agent is not deactivated".to_owned()));
    assert_eq!(operate(&address, "DEACTIVATE_AGENT", mine.clone()).await.0, 200);
    let rescinded = scheduler.expect("RESCIND").await;
    assert_eq!(rescinded["rescind"]["offer_id"], offer["id"]);
    let shown = agents(&address).await;
    assert_eq!((&shown[0]["active"], &shown[0]["deactivated"]), (&json!(false), &json!(true)));
    let classic = get(&address, "/slaves").await.json();
    assert_eq!(classic["slaves"][0]["deactivated"], true, "{classic}");
    assert_eq!(operate(&address, "REACTIVATE_AGENT", mine).await.0, 200);
    assert_eq!(scheduler.offer().await["agent_id"]["value"], agent.id.as_str());
}

/// semantics 21, 237 to 239, 241
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_is_drained_across_its_own_absence() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let mut scheduler = Scheduler::subscribe(&address, info("first")).await;
    let mut agent = Agent::connect(&address, hello(HAS)).await;
    let offer = scheduler.offer().await;
    scheduler.launch(&offer, "t").await;
    let launch = agent.launch().await;

    let text = json!({"agent_id": {"value": agent.id}, "max_grace_period": "600s"});
    assert_eq!(operate(&address, "DRAIN_AGENT", text).await.0, 400);
    let call = json!({"agent_id": {"value": agent.id}, "max_grace_period": {"seconds": 1}});
    assert_eq!(operate(&address, "DRAIN_AGENT", call).await, (200, String::new()));
    let (running, last_launch) = (report(&launch, TaskState::TaskRunning), launch.index);
    for _ in 0..2 {
        let Some(to_agent::Message::Kill(kill)) = agent.next().await else { panic!("no kill") };
        let grace =
            kill.kill_policy.and_then(|policy| policy.grace_period).expect("a grace period");
        assert_eq!((kill.task_id.as_str(), grace.nanoseconds), ("t", 1_000_000_000));
        agent = Agent::connect(&address, again(&agent, vec![running.clone()], last_launch)).await;
    }
    let shown = agents(&address).await[0].take();
    assert_eq!(shown["drain_info"]["state"], "DRAINING", "{shown}");
    assert_eq!(
        shown["drain_info"]["config"]["max_grace_period"]["nanoseconds"], 1_000_000_000,
        "{shown}"
    );
    assert!(shown["estimated_drain_start_time"]["nanoseconds"].is_number(), "{shown}");

    agent.report(&launch, TaskState::TaskKilled).await;
    let status = scheduler.update().await;
    assert_eq!(status["state"], "TASK_KILLED", "{status}");
    assert_eq!(status["reason"], "REASON_AGENT_DRAINING", "{status}");
    scheduler.acknowledge(&status).await;
    let classic = get(&address, "/slaves").await.json()["slaves"][0].take();
    assert_eq!(classic["drain_info"]["state"], "DRAINED", "{classic}");
    assert!(classic["estimated_drain_start_time_seconds"].is_number(), "{classic}");
}

/// gaps 47: what a limit holds back, operators see and give up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_held_back_by_a_limit_is_given_up_by_an_operator() {
    let flags = ["--agent_removal_rate_limit=1/1weeks", "--agent_reregister_timeout=1ms"];
    let cluster = Cluster::start_with(1, &flags).await;
    let address = cluster.leader().await;
    let path = "/held-agents";
    let mut ids = Vec::new();
    for port in [5051, 5052, 5053] {
        let mut hello = hello(HAS);
        hello.info.as_mut().expect("an info").port = Some(port);
        // its stream ends here
        ids.push(Agent::connect(&address, hello).await.id.clone());
    }
    let held = || async {
        let listed: HeldAgents =
            serde_json::from_slice(&get(&address, path).await.body).expect("agents");
        assert!(listed.agents.iter().all(|it| it.limit == "--agent-removal-rate-limit"));
        listed.agents.into_iter().map(|it| it.agent_id).collect::<Vec<_>>()
    };
    eventually("two to be held back", || async { held().await.len() == 2 }).await;
    let [one, other] = &held().await[..] else { panic!("two") };
    assert!(ids.contains(one) && ids.contains(other));
    let give_up = |form: String| send(&address, request("POST", path, &[], form));
    let unknown = give_up(format!("agentId={one},nobody")).await;
    assert_eq!((unknown.status, unknown.text().contains("'nobody'")), (404, true));
    assert_eq!(held().await.len(), 2, "all or none");
    let answer = give_up(format!("agentId={one}")).await;
    assert_eq!(answer.json()["agents"][0]["agent_id"], one.as_str());
    assert_eq!(held().await, [other.as_str()]);
    assert_eq!(give_up(String::new()).await.json()["agents"][0]["agent_id"], other.as_str());
    assert_eq!((held().await, agents(&address).await), (vec![], json!([])));
    assert_eq!(send(&address, request("DELETE", path, &[], "")).await.status, 405);
}
