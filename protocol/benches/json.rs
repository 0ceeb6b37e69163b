//! What it costs to write and read an offer with ten resources.
//!
//! To run it: `cargo bench -p protocol --bench json`.
#![expect(clippy::print_stdout, reason = "a bench tells what it measured")]

use protocol::v1::resource::ReservationInfo;
use protocol::v1::resource::reservation_info::Type;
use protocol::v1::{Attribute, Offer, Resource, scheduler};
use protocol::{json, pb};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Rounds per measurement; their median and spread are shown.
const ROUNDS: usize = 31;

/// How long one round takes.
const ROUND: Duration = Duration::from_millis(30);

fn main() {
    let event = offers();
    let text = json::to_vec(&event);
    let binary = pb::to_vec(&event);
    println!(
        "an OFFERS event with one offer of ten resources: {} bytes of JSON, {} of protobuf",
        text.len(),
        binary.len()
    );
    measure("JSON write", || json::to_vec(black_box(&event)));
    measure("JSON read", || json::from_slice::<scheduler::Event>(black_box(&text)));
    measure("protobuf write", || pb::to_vec(black_box(&event)));
    measure("protobuf read", || pb::from_slice::<scheduler::Event>(black_box(&binary)));
    measure("protobuf read, unchecked", || {
        <scheduler::Event as prost::Message>::decode(black_box(binary.as_slice()))
    });
    measure("JSON read as a tree", || {
        serde_json::from_slice::<serde_json::Value>(black_box(&text))
    });
}

fn measure<T>(name: &str, mut action: impl FnMut() -> T) {
    let mut nanos: Vec<f64> = (0..ROUNDS).map(|_| round(&mut action)).collect();
    nanos.sort_by(f64::total_cmp);
    let micros = |rank: usize| nanos[rank] / 1000.0;
    let (low, median, high) =
        (micros(ROUNDS / 10), micros(ROUNDS / 2), micros(ROUNDS - 1 - ROUNDS / 10));
    println!("{name:26} median {median:6.2} us   p10 {low:6.2}   p90 {high:6.2}");
}

/// Nanoseconds per action.
fn round<T>(action: &mut impl FnMut() -> T) -> f64 {
    let start = Instant::now();
    let mut count = 0u32;
    while start.elapsed() < ROUND {
        for _ in 0..100 {
            black_box(action());
        }
        count += 100;
    }
    start.elapsed().as_nanos() as f64 / f64::from(count)
}

fn offers() -> scheduler::Event {
    let mut resources = vec![
        Resource::scalar("cpus", 3.5),
        Resource::scalar("mem", 4096.0),
        Resource::scalar("disk", 8192.0),
        Resource::ranges("ports", &[(31000, 31999), (32000, 32500)]),
        Resource::scalar("gpus", 2.0),
    ];
    resources.extend(resources.clone().into_iter().map(|resource| Resource {
        reservations: vec![ReservationInfo {
            r#type: Some(Type::Dynamic as i32),
            role: Some("engineering/web".to_owned()),
            principal: Some("operations".to_owned()),
            labels: None,
        }],
        ..resource
    }));
    let attributes: Vec<Attribute> = protocol::attribute::parse("rack:r17;level:10").unwrap();
    let offer = Offer {
        id: "b88df893-b023-4ebd-84b9-e888ad8817b3-O123".into(),
        framework_id: "b88df893-b023-4ebd-84b9-e888ad8817b3-0016".into(),
        agent_id: "b88df893-b023-4ebd-84b9-e888ad8817b3-S0".into(),
        hostname: "agent-17.example.org".to_owned(),
        resources,
        attributes,
        ..Offer::default()
    };
    scheduler::Event {
        r#type: Some(scheduler::event::Type::Offers as i32),
        offers: Some(scheduler::event::Offers { offers: vec![offer] }),
        ..scheduler::Event::default()
    }
}
