//! `/metrics` for Prometheus: the same numbers under names that it can hold.

use std::fmt::Write;

use http::Response;

use super::body::{Body, whole};
use crate::master::Master;
use crate::metrics;

/// Answers with the metrics of this master, leader or not.
pub(super) fn answer(master: &Master) -> Response<Body> {
    let state = master.committed.state();
    let mut text = String::new();
    for (name, value) in metrics::snapshot(master, &state) {
        // writing to a String cannot fail
        let _ = writeln!(text, "{} {value}", exposed(&name));
    }
    whole("text/plain; version=0.0.4; charset=utf-8", text)
}

/// `master/cpus_total` becomes `mesolith_master_cpus_total`.
fn exposed(name: &str) -> String {
    let plain = |it: char| if it.is_ascii_alphanumeric() { it } else { '_' };
    format!("mesolith_{}", name.chars().map(plain).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_fit_for_prometheus() {
        assert_eq!(
            exposed("master/task_lost/source_master"),
            "mesolith_master_task_lost_source_master"
        );
    }
}
