//! Metrics by Mesos's names (surface 37). What the state tells is read from it, so that it goes on
//! whoever leads (gaps 20); what only passes by is counted by each process. `docs/METRICS.md` has all
//! names.

mod cluster;
mod counters;
mod frameworks;
mod host;
mod name;
mod roles;
mod timer;

pub(crate) use counters::Counters;
pub(crate) use counters::Meter;
pub(crate) use name::Metrics;

use statemachine::State;

use crate::clock;
use crate::master::Master;
use crate::standing::Standing;

/// All metrics now.
pub(crate) fn snapshot(master: &Master, state: &State) -> Metrics {
    let mut metrics = Metrics::default();
    let uptime_ms = clock::wall().since_ms(master.started);
    metrics.gauge("master/uptime_secs", uptime_ms as f64 / 1000.0);
    let leads = matches!(master.stand.now(), Standing::Leading(_));
    metrics.gauge("master/elected", f64::from(u8::from(leads)));
    let operators = master.streams.operators() as f64;
    metrics.gauge("master/operator_event_stream_subscribers", operators);
    metrics.gauge("master/event_queue_messages", master.inbox.waiting() as f64);
    master.counters.add_to(&mut metrics);
    add_journal(&mut metrics, master);
    host::add(&mut metrics);
    cluster::add(&mut metrics, state);
    roles::add(&mut metrics, state, &master.config.settings());
    if master.config.publish_per_framework_metrics {
        frameworks::add(&mut metrics, state, &master.counters);
    }
    metrics
}

fn add_journal(metrics: &mut Metrics, master: &Master) {
    let status = master.journal.status();
    let mut count = |name: &str, value: u64| metrics.gauge(format!("journal/{name}"), value as f64);
    count("term", status.term);
    count("last_index", status.last_index);
    count("committed_index", status.committed);
    count("applied_index", status.applied);
    count("members", status.members.len() as u64);
    count("stopped", u64::from(status.stopped.is_some()));
    metrics.gauge("registrar/log/recovered", 1.0);
    metrics.gauge("registrar/log/ensemble_size", status.members.len() as f64);
    let bytes = host::directory_bytes(&master.config.work_dir);
    metrics.gauge("registrar/registry_size_bytes", bytes as f64);
}
