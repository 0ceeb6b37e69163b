//! Reservations and volumes over real sockets: what schedulers and operators ask, and hear of it.

mod world;

use protocol::agents::{Confirm, from_agent};
use serde_json::{Value, json};
use world::Cluster;
use world::agent::{Agent, hello};
use world::scheduler::{Scheduler, info, operator};

const AGENT_HAS: &str = "cpus:4;mem:1024;disk:1000";

fn reserved(name: &str, value: f64, role: &str) -> Value {
    json!({
        "name": name, "type": "SCALAR", "scalar": {"value": value},
        "reservations": [{"type": "DYNAMIC", "role": role}],
    })
}

fn volume(megabytes: f64, role: &str) -> Value {
    let mut volume = reserved("disk", megabytes, role);
    volume["disk"] = json!({
        "persistence": {"id": "v"},
        "volume": {"container_path": "data", "mode": "RW"},
    });
    volume
}

/// semantics 91, 218
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_with_an_id_is_followed_to_its_end() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let mut scheduler = Scheduler::subscribe(&address, info("first")).await;
    let mut agent = Agent::connect(&address, hello(AGENT_HAS)).await;
    let offer = scheduler.offer().await;
    let operation = |id: &str, cpus: f64| {
        let reserve = json!({"resources": [reserved("cpus", cpus, "test")]});
        json!({"type": "RESERVE", "id": {"value": id}, "reserve": reserve})
    };
    scheduler
        .accepted(json!({"type": "ACCEPT", "accept": {
            "offer_ids": [offer["id"]],
            "operations": [operation("good", 1.0), operation("bad", 99.0)],
            "filters": {"refuse_seconds": 0.0},
        }}))
        .await;
    let refused = scheduler.expect("UPDATE_OPERATION_STATUS").await;
    let status = &refused["update_operation_status"]["status"];
    assert_eq!(status["state"], "OPERATION_ERROR", "{refused}");
    assert_eq!(status["operation_id"]["value"], "bad");
    assert_eq!((&status["uuid"], &status["agent_id"]), (&Value::Null, &Value::Null));

    let shown = operator(&address, &json!({"type": "GET_OPERATIONS"})).await.json();
    let shown = &shown["get_operations"]["operations"][0];
    assert_eq!(shown["latest_status"]["state"], "OPERATION_PENDING", "{shown}");
    assert_eq!(shown["info"]["reserve"]["resources"][0]["name"], "cpus", "{shown}");

    let index = agent.reserved().await;
    agent.say(from_agent::Message::Confirm(Confirm { index })).await;
    let finished = scheduler.expect("UPDATE_OPERATION_STATUS").await;
    let status = &finished["update_operation_status"]["status"];
    assert_eq!(status["state"], "OPERATION_FINISHED", "{finished}");
    assert_eq!(status["agent_id"]["value"], agent.id.as_str());
    // the ACCEPT itself could use them (golden: operation-feedback)
    assert_eq!(status["converted_resources"], Value::Null, "{finished}");
    scheduler
        .accepted(json!({"type": "ACKNOWLEDGE_OPERATION_STATUS", "acknowledge_operation_status": {
            "operation_id": status["operation_id"], "uuid": status["uuid"]["value"],
            "agent_id": status["agent_id"],
        }}))
        .await;
    scheduler
        .accepted(json!({"type": "RECONCILE_OPERATIONS", "reconcile_operations": {
            "operations": [{"operation_id": {"value": "good"}}],
        }}))
        .await;
    let answer = scheduler.expect("UPDATE_OPERATION_STATUS").await;
    let status = &answer["update_operation_status"]["status"];
    assert_eq!(status["state"], "OPERATION_UNKNOWN", "it is over and acknowledged: {answer}");
}

/// semantics 159, 166, 167, 169, 309; gaps 30
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_reserve_and_make_volumes() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let agent = Agent::connect(&address, hello(AGENT_HAS)).await;
    let call = async |r#type: &str, mut part: Value| {
        part["agent_id"] = json!({"value": agent.id});
        let name = r#type.to_lowercase();
        operator(&address, &json!({"type": r#type, name: part})).await
    };
    let space = json!({"resources": [reserved("disk", 100.0, "db")]});
    assert_eq!(call("RESERVE_RESOURCES", space.clone()).await.status, 202);
    let made = json!({"volumes": [volume(64.0, "db")]});
    assert_eq!(call("CREATE_VOLUMES", made.clone()).await.status, 202);
    let again = call("CREATE_VOLUMES", made).await;
    assert_eq!(again.status, 400, "{}", again.text());
    let grown = json!({"volume": volume(64.0, "db"), "addition": reserved("disk", 16.0, "db")});
    assert_eq!(call("GROW_VOLUME", grown).await.status, 202);
    let shrunk = json!({"volume": volume(80.0, "db"), "subtract": {"value": 30.0}});
    assert_eq!(call("SHRINK_VOLUME", shrunk).await.status, 202);
    let in_use = call("UNRESERVE_RESOURCES", space.clone()).await;
    assert_eq!(in_use.status, 409);
    assert!(in_use.text().contains("is not free on agent"), "{}", in_use.text());
    let gone = json!({"volumes": [volume(50.0, "db")]});
    assert_eq!(call("DESTROY_VOLUMES", gone).await.status, 202);
    assert_eq!(call("UNRESERVE_RESOURCES", space).await.status, 202);

    for name in ["GROW_VOLUME", "SHRINK_VOLUME"] {
        let mut part = json!({"volume": volume(64.0, "db"), "subtract": {"value": 1.0}});
        part["addition"] = reserved("disk", 1.0, "db");
        let refused = operator(&address, &json!({"type": name, name.to_lowercase(): part})).await;
        assert_eq!(refused.status, 400, "{}", refused.text());
        assert!(refused.text().contains("'agent_id' is not set"), "{}", refused.text());
    }
    let star = call("RESERVE_RESOURCES", json!({"resources": [reserved("cpus", 1.0, "*")]})).await;
    let expected = format!("Invalid RESERVE operation on agent {}: ", agent.id);
    assert_eq!(star.status, 400);
    assert!(star.text().starts_with(&expected), "{}", star.text());
    let mut allocated = reserved("cpus", 1.0, "db");
    allocated["allocation_info"] = json!({"role": "db"});
    let refused = call("RESERVE_RESOURCES", json!({"resources": [allocated]})).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("'allocation_info'"), "{}", refused.text());

    let unknown = json!({"type": "RESERVE_RESOURCES", "reserve_resources": {
        "agent_id": {"value": "nobody"}, "resources": [reserved("disk", 1.0, "db")],
    }});
    let refused = operator(&address, &unknown).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.text(), "No agent found with specified ID");

    let form = |id: &str| {
        let resources = json!([reserved("cpus", 1.0, "db")]).to_string();
        format!("slaveId={id}&resources={resources}")
    };
    let reserve = world::http::post(&address, "/reserve", &form(&agent.id)).await;
    assert_eq!(reserve.status, 202, "{}", reserve.text());
    let unreserve = world::http::post(&address, "/master/unreserve", &form(&agent.id)).await;
    assert_eq!(unreserve.status, 202, "{}", unreserve.text());
    let missing = "Missing 'slaveId' query parameter in the request body";
    for (path, form) in [("/reserve", "resources=[]"), ("/destroy-volumes", "volumes=[]")] {
        let refused = world::http::post(&address, path, form).await;
        assert_eq!((refused.status, refused.text().as_str()), (400, missing));
    }
}

/// semantics 54, 63, 73
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_framework_changes_its_roles_over_its_stream() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let mut scheduler = Scheduler::subscribe(&address, info("first")).await;
    let _agent = Agent::connect(&address, hello(AGENT_HAS)).await;
    let offer = scheduler.offer().await;
    let update = |change: &dyn Fn(&mut Value)| {
        let mut info = info("first");
        info["id"] = offer["framework_id"].clone();
        change(&mut info);
        json!({"type": "UPDATE_FRAMEWORK", "update_framework": {"framework_info": info}})
    };
    let other = scheduler.call(update(&|info| info["user"] = "other".into())).await;
    assert_eq!(other.status, 400, "{}", other.text());
    assert!(other.text().starts_with("FrameworkInfo update is not valid"), "{}", other.text());
    let strange = scheduler.call(update(&|info| info["roles"] = json!(["a/../b"]))).await;
    assert!(strange.text().starts_with("Supplied FrameworkInfo"), "{}", strange.text());
    let nameless = scheduler.call(update(&|info| info["id"] = json!({"value": "x"}))).await;
    assert!(nameless.text().contains("differs from"), "{}", nameless.text());

    let changed = scheduler.call(update(&|info| info["roles"] = json!(["elsewhere"]))).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    let rescinded = scheduler.expect("RESCIND").await;
    assert_eq!(rescinded["rescind"]["offer_id"], offer["id"]);
    let offer = scheduler.offer().await;
    assert_eq!(offer["allocation_info"]["role"], "elsewhere");
}

/// semantics 189, 293
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_set_weights() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let set = |role: &str, weight: f64| {
        json!({"type": "UPDATE_WEIGHTS", "update_weights": {
            "weight_infos": [{"role": role, "weight": weight}],
        }})
    };
    assert_eq!(operator(&address, &set("a", 2.5)).await.status, 200);
    assert_eq!(operator(&address, &set("a", 0.0)).await.status, 400);
    let headers = [("content-type", "application/json")];
    let body = json!([{"role": "b/c", "weight": 0.5}]).to_string();
    let put = world::http::request("PUT", "/weights", &headers, body);
    assert_eq!(world::http::send(&address, put).await.status, 200);
    let both = json!([{"role": "a", "weight": 2.5}, {"role": "b/c", "weight": 0.5}]);
    let shown = world::http::get(&address, "/master/weights").await.json();
    assert_eq!(shown, both);
    let shown = operator(&address, &json!({"type": "GET_WEIGHTS"})).await.json();
    assert_eq!(shown["get_weights"]["weight_infos"], both);
}

/// semantics 185 to 188, 293
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_set_quotas() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let set = |role: &str, guarantees: Value, limits: Value, force: bool| {
        json!({"type": "UPDATE_QUOTA", "update_quota": {
            "force": force,
            "quota_configs": [{"role": role, "guarantees": guarantees, "limits": limits}],
        }})
    };
    let scalar = |value: f64| json!({"value": value});
    let (one, two) = (json!({"cpus": scalar(1.0)}), json!({"cpus": scalar(2.0)}));
    let refused = operator(&address, &set("a", one.clone(), two.clone(), false)).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("the cluster has cpus:0"), "{}", refused.text());
    assert_eq!(operator(&address, &set("a", one.clone(), two.clone(), true)).await.status, 200);
    assert_eq!(operator(&address, &set("a", two.clone(), one.clone(), true)).await.status, 400);
    assert_eq!(operator(&address, &set("*", one.clone(), two.clone(), true)).await.status, 400);
    let config = json!({"role": "a", "limits": two});
    let twice =
        json!({"type": "UPDATE_QUOTA", "update_quota": {"quota_configs": [config, config]}});
    assert_eq!(operator(&address, &twice).await.status, 400);
    let status = json!({
        "infos": [{"role": "a", "guarantee": [
            {"name": "cpus", "type": "SCALAR", "scalar": scalar(1.0)},
        ]}],
        "configs": [{"role": "a", "guarantees": one, "limits": two}],
    });
    let shown = operator(&address, &json!({"type": "GET_QUOTA"})).await.json();
    assert_eq!(shown["get_quota"]["status"], status);
    assert_eq!(world::http::get(&address, "/master/quota").await.json(), status);
    let roles = world::http::get(&address, "/roles").await.json();
    assert_eq!(roles["roles"][0]["quota"]["guarantee"], json!({"cpus": 1.0}));
    assert_eq!(roles["roles"][0]["quota"]["limit"], json!({"cpus": 2.0}));

    // the older way: a guarantee that is the limit as well
    let headers = [("content-type", "application/json")];
    let send = async |method: &str, path: &str, body: &Value| {
        let request = world::http::request(method, path, &headers, body.to_string());
        world::http::send(&address, request).await.status
    };
    let request = |role: &str, force: bool| {
        let guarantee = json!([{"name": "mem", "type": "SCALAR", "scalar": scalar(64.0)}]);
        json!({"role": role, "guarantee": guarantee, "force": force})
    };
    assert_eq!(send("POST", "/quota", &request("a", true)).await, 400, "it has one");
    assert_eq!(send("POST", "/quota", &request("b", false)).await, 409, "semantics 188");
    assert_eq!(send("POST", "/quota", &request("b", true)).await, 200);
    assert_eq!(send("DELETE", "/quota/b", &json!(null)).await, 200);
    assert_eq!(send("DELETE", "/quota/b", &json!(null)).await, 400, "semantics 326");
    let remove = json!({"type": "REMOVE_QUOTA", "remove_quota": {"role": "a"}});
    assert_eq!(operator(&address, &remove).await.status, 200);
    let shown = operator(&address, &json!({"type": "GET_QUOTA"})).await.json();
    assert_eq!(shown["get_quota"], json!({"status": {}}));
}

/// semantics 62, 67, 71, 72, 73, 178
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frameworks_say_what_they_want_to_be_offered() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let mut picky = info("picky");
    let least = json!({"quantities": [{"quantities": {"cpus": {"value": 4}}}]});
    picky["offer_filters"] = json!({"dev": {"min_allocatable_resources": least}});
    picky["roles"] = json!(["dev"]);
    let mut scheduler = Scheduler::subscribe(&address, picky.clone()).await;
    let _small = Agent::connect(&address, hello("cpus:2;mem:1024")).await;
    let mut large = hello("cpus:4;mem:1024");
    if let Some(info) = &mut large.info {
        info.hostname = "large-1".to_owned();
    }
    let _large = Agent::connect(&address, large).await;
    let offer = scheduler.offer().await;
    assert_eq!(offer["hostname"], "large-1");

    picky["id"] = offer["framework_id"].clone();
    let update = |role: &str, regex: &str| {
        let constraint = json!({
            "selector": {"pseudoattribute_type": "HOSTNAME"},
            "predicate": {"text_matches": {"regex": regex}},
        });
        let groups = json!([{"attribute_constraints": [constraint]}]);
        json!({"type": "UPDATE_FRAMEWORK", "update_framework": {
            "framework_info": picky,
            "offer_constraints": {"role_constraints": {role: {"groups": groups}}},
        }})
    };
    for (role, regex, fault) in
        [("stranger", "x", "role 'stranger'"), ("dev", "(", "the pattern '(' is not valid")]
    {
        let refused = scheduler.call(update(role, regex)).await;
        assert_eq!(refused.status, 400);
        let text = refused.text();
        assert!(text.starts_with("'UpdateFramework' call is not valid: "), "{text}");
        assert!(text.contains(fault), "{text}");
    }
    assert_eq!(scheduler.call(update("dev", "larger-.*")).await.status, 200);
    let shown = operator(&address, &json!({"type": "GET_FRAMEWORKS"})).await.json();
    let shown = &shown["get_frameworks"]["frameworks"][0]["offer_constraints"];
    let regex = &shown["role_constraints"]["dev"]["groups"][0]["attribute_constraints"][0];
    assert_eq!(regex["predicate"]["text_matches"]["regex"], "larger-.*");
    let decline = json!({"type": "DECLINE", "decline": {
        "offer_ids": [offer["id"]], "filters": {"refuse_seconds": 0},
    }});
    scheduler.accepted(decline).await;
    let mut larger = hello("cpus:8;mem:1024");
    if let Some(info) = &mut larger.info {
        info.hostname = "larger-1".to_owned();
    }
    let _larger = Agent::connect(&address, larger).await;
    assert_eq!(scheduler.offer().await["hostname"], "larger-1");
}

/// gaps 30
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_agent_makes_of_an_operation_can_be_waited_for() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let mut agent = Agent::connect(&address, hello("cpus:4;mem:1024")).await;
    let call = json!({"type": "RESERVE_RESOURCES", "reserve_resources": {
        "agent_id": {"value": agent.id}, "resources": [reserved("cpus", 1.0, "test")]}});
    let ask = |wait: &'static str| {
        let headers = [("content-type", "application/json"), ("mesolith-wait", wait)];
        world::http::request("POST", "/api/v1", &headers, call.to_string())
    };
    let answer = world::http::send(&address, ask("soon")).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    let answer = world::http::send(&address, ask("0secs")).await;
    assert_eq!((answer.status, answer.header("mesolith-outcome")), (202, Some("PENDING")));
    let operation = answer.header("mesolith-operation").expect("a name").to_owned();
    let path = format!("/outcome?wait=1mins&operation={operation}");
    let waiting = tokio::spawn({
        let address = address.clone();
        async move { world::http::get(&address, &path).await.json() }
    });
    let index = agent.reserved().await;
    agent.say(from_agent::Message::Confirm(Confirm { index })).await;
    let outcome = waiting.await.expect("an answer");
    assert_eq!(outcome, json!({"operation": operation, "outcome": "FINISHED"}));
    assert_eq!(world::http::get(&address, "/outcome").await.status, 400, "of what?");
    for unknown in ["x", "x/1", &format!("{}/99999", agent.id)] {
        let path = format!("/outcome?operation={unknown}");
        assert_eq!(world::http::get(&address, &path).await.status, 404, "{unknown}");
    }
    let answer = world::http::send(&address, ask("0secs")).await;
    let operation = answer.header("mesolith-operation").expect("a name").to_owned();
    let gone =
        json!({"type": "MARK_AGENT_GONE", "mark_agent_gone": {"agent_id": {"value": agent.id}}});
    assert_eq!(operator(&address, &gone).await.status, 200);
    let path = format!("/outcome?wait=1mins&operation={operation}");
    let outcome = world::http::get(&address, &path).await.json();
    assert_eq!(outcome["outcome"], "GONE");
}
