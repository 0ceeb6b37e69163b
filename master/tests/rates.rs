//! Rates of principals: calls that come too fast wait, and are refused when too many wait.

mod world;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use world::Cluster;
use world::agent::{Agent, hello};
use world::scheduler::{Scheduler, info};

fn revive() -> Value {
    json!({"type": "REVIVE"})
}

async fn of_principal(address: &str, principal: &str) -> Scheduler {
    let mut info = info("paced");
    info["principal"] = json!(principal);
    Scheduler::subscribe(address, info).await
}

/// gaps 63
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_calls_too_fast_is_told_when_to_come_again() {
    let limits = r#"--rate_limits={"limits":[{"principal":"slow","qps":0.001,"capacity":0}]}"#;
    let cluster = Cluster::start_with(1, &[limits]).await;
    let leader = cluster.leader().await;
    let slow = of_principal(&leader, "slow").await;
    let mut another = of_principal(&leader, "slow").await;
    slow.accepted(revive()).await;
    for scheduler in [&slow, &another] {
        let refused = scheduler.call(revive()).await;
        assert_eq!(refused.status, 429, "{}", refused.text());
        let again: u64 = refused.header("retry-after").expect("when").parse().expect("seconds");
        assert!((900..=1000).contains(&again), "{again}");
        assert!(refused.text().contains("'slow'"), "{}", refused.text());
    }
    let unlimited = of_principal(&leader, "other").await;
    for _ in 0..10 {
        unlimited.accepted(revive()).await;
    }
    // whoever is refused stays subscribed
    drop((slow, unlimited));
    let _agent = Agent::connect(&leader, hello("cpus:4;mem:1024")).await;
    another.offer().await;
}

/// gaps 63
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_calls_a_little_too_fast_waits() {
    let limits = r#"--rate_limits={"aggregate_default_qps":20,"aggregate_default_capacity":100}"#;
    let cluster = Cluster::start_with(1, &[limits]).await;
    let leader = cluster.leader().await;
    let (one, other) = (of_principal(&leader, "a").await, of_principal(&leader, "b").await);
    let began = Instant::now();
    for _ in 0..3 {
        tokio::join!(one.accepted(revive()), other.accepted(revive()));
    }
    assert!(began.elapsed() >= Duration::from_millis(250), "six calls at 20 in a second");
}
