//! The life of a task on one master, over real sockets.

mod world;

use protocol::agents::to_agent;
use protocol::v1::TaskState;
use serde_json::json;
use world::Cluster;
use world::agent::{Agent, hello};
use world::scheduler::{Scheduler, info};

/// semantics 54, 78, 85
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_offered_launched_run_and_acknowledged() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let mut scheduler = Scheduler::subscribe(&address, info("first")).await;
    let mut agent = Agent::connect(&address, hello("cpus:4;mem:1024;ports:[31000-31009]")).await;

    let offer = scheduler.offer().await;
    assert_eq!(offer["agent_id"]["value"], agent.id.as_str());
    assert_eq!(offer["allocation_info"]["role"], "test");
    scheduler.launch(&offer, "t1").await;

    let launch = agent.launch().await;
    let task = launch.task.clone().expect("a task");
    assert_eq!(task.task_id.value, "t1");
    assert_eq!(task.resources.len(), 2);
    // the call did not say for which role
    let role =
        |it: &protocol::v1::Resource| it.allocation_info.as_ref().map(|it| it.role().to_owned());
    assert!(task.resources.iter().all(|it| role(it).as_deref() == Some("test")));

    for state in [TaskState::TaskRunning, TaskState::TaskFinished] {
        agent.report(&launch, state).await;
        let status = scheduler.update().await;
        assert_eq!(status["state"], state.as_str_name());
        assert_eq!(status["executor_id"]["value"], "t1");
        scheduler.acknowledge(&status).await;
        let Some(to_agent::Message::Acknowledge(acknowledged)) = agent.next().await else {
            panic!("no acknowledgement");
        };
        assert_eq!(acknowledged.task_id, "t1");
    }
    let tasks = world::http::get(&address, "/tasks").await.json();
    assert_eq!(tasks["tasks"][0]["state"], "TASK_FINISHED", "{tasks}");
    scheduler.accepted(json!({"type": "TEARDOWN"})).await;
    while let Some(event) = scheduler.next().await {
        assert_ne!(event["type"], "ERROR", "the stream ends without a word: {event}");
    }
}
