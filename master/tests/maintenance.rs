//! Maintenance over real sockets: planned, asked for, carried out and over.

mod world;

use protocol::agents::{Hello, to_agent};
use serde_json::{Value, json};
use world::Cluster;
use world::agent::{Agent, hello};
use world::http::{get, post};
use world::scheduler::{Scheduler, info, operator};

const HAS: &str = "cpus:4;mem:1024";

/// The only machine that agents of these tests are on.
fn machine() -> Value {
    json!({"hostname": "localhost", "ip": "127.0.0.1"})
}

fn schedule(start: u64) -> Value {
    json!({"windows": [{"machine_ids": [machine()],
        "unavailability": {"start": {"nanoseconds": start}, "duration": {"nanoseconds": 60}}}]})
}

async fn read(address: &str, r#type: &str) -> Value {
    let answer = operator(address, &json!({ "type": r#type })).await.json();
    answer[r#type.to_lowercase()].clone()
}

/// The Hello of an agent on that machine.
fn at_home() -> Hello {
    Hello { ip: "127.0.0.1".to_owned(), ..hello(HAS) }
}

async fn agent_on_machine(address: &str) -> Agent {
    Agent::connect(address, at_home()).await
}

/// semantics 114, 115, 242 to 245
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frameworks_are_asked_back_before_a_machine_goes_down() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let mut scheduler = Scheduler::subscribe(&address, info("first")).await;
    let mut agent = agent_on_machine(&address).await;
    let first = scheduler.offer().await;
    assert_eq!(first["unavailability"], Value::Null);
    let call = json!({"type": "UPDATE_MAINTENANCE_SCHEDULE",
        "update_maintenance_schedule": {"schedule": schedule(7)}});
    assert_eq!(operator(&address, &call).await.status, 200);
    let rescinded = scheduler.expect("RESCIND").await;
    assert_eq!(rescinded["rescind"]["offer_id"], first["id"]);
    let offer = scheduler.offer().await;
    assert_eq!(offer["unavailability"]["start"]["nanoseconds"], 7, "{offer}");
    let asked = scheduler.expect("INVERSE_OFFERS").await;
    let inverse = &asked["inverse_offers"]["inverse_offers"][0];
    assert_eq!(inverse["agent_id"]["value"], agent.id.as_str(), "{asked}");
    assert_eq!(inverse["unavailability"]["duration"]["nanoseconds"], 60, "{asked}");
    let shown = read(&address, "GET_FRAMEWORKS").await;
    assert_eq!(shown["frameworks"][0]["inverse_offers"][0]["id"], inverse["id"], "{shown}");
    scheduler
        .accepted(json!({"type": "ACCEPT_INVERSE_OFFERS", "accept_inverse_offers":
            {"inverse_offer_ids": [inverse["id"]], "filters": {"refuse_seconds": 3600.0}}}))
        .await;
    assert_eq!(read(&address, "GET_MAINTENANCE_SCHEDULE").await["schedule"], schedule(7));
    let status = read(&address, "GET_MAINTENANCE_STATUS").await["status"].take();
    let draining = &status["draining_machines"][0];
    assert_eq!(draining["id"], machine(), "{status}");
    assert_eq!(draining["statuses"][0]["status"], "ACCEPT", "{status}");
    assert_eq!(draining["statuses"][0]["framework_id"]["value"], scheduler.framework_id.as_str());

    let call = json!({"type": "START_MAINTENANCE", "start_maintenance": {"machines": [machine()]}});
    assert_eq!(operator(&address, &call).await.status, 200);
    let again = operator(&address, &call).await;
    assert_eq!(again.status, 400, "{}", again.text());
    match agent.next().await {
        Some(to_agent::Message::Refused(refused)) => assert!(refused.shutdown, "{refused:?}"),
        other => panic!("not sent away: {other:?}"),
    }
    let (_, _, refused) = Agent::try_connect(&address, at_home()).await;
    match refused {
        Some(to_agent::Message::Refused(refused)) => assert!(refused.shutdown, "{refused:?}"),
        other => panic!("taken while its machine is down: {other:?}"),
    }
    let call = json!({"type": "STOP_MAINTENANCE", "stop_maintenance": {"machines": [machine()]}});
    assert_eq!(operator(&address, &call).await.status, 200);
    assert_eq!(read(&address, "GET_MAINTENANCE_SCHEDULE").await["schedule"], json!({}));
    agent_on_machine(&address).await;
}

/// semantics 19, 243, 294
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_older_endpoints_do_the_same() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let unplanned = post(&address, "/machine/down", &json!([machine()]).to_string()).await;
    assert_eq!(unplanned.status, 400);
    assert!(unplanned.text().contains("is not part of a maintenance schedule"));
    for path in ["/machine/down", "/machine/up"] {
        let answer = post(&address, path, &machine().to_string()).await;
        assert_eq!((answer.status, answer.text().as_str()), (400, "Expecting a JSON array"));
    }
    let planned = post(&address, "/maintenance/schedule", &schedule(9).to_string()).await;
    assert_eq!(planned.status, 200, "{}", planned.text());
    assert_eq!(get(&address, "/master/maintenance/schedule").await.json(), schedule(9));
    assert_eq!(post(&address, "/machine/up", &json!([machine()]).to_string()).await.status, 400);
    assert_eq!(post(&address, "/machine/down", &json!([machine()]).to_string()).await.status, 200);
    let status = get(&address, "/maintenance/status").await.json();
    assert_eq!(status["down_machines"], json!([machine()]), "{status}");
    assert_eq!(post(&address, "/maintenance/status", "").await.status, 405);
    assert_eq!(post(&address, "/machine/up", &json!([machine()]).to_string()).await.status, 200);
    assert_eq!(get(&address, "/maintenance/schedule").await.json(), json!({}));
}
