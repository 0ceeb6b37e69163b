//! Metrics by name: flat, as Mesos has them, and for Prometheus with labels for what varies.

use std::collections::BTreeMap;
use std::fmt::Write;

/// Whether a number can go down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It can.
    Gauge,
    /// It only grows.
    Counter,
}

/// One number.
#[derive(Debug)]
struct Metric {
    kind: Kind,
    value: f64,
    /// The name without what the labels say.
    family: String,
    labels: Vec<(&'static str, String)>,
}

/// All numbers, by name.
#[derive(Debug, Default)]
pub(crate) struct Metrics(BTreeMap<String, Metric>);

/// A name with parts that vary: `before/label/label/after`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Labelled<'a> {
    pub(super) before: &'a str,
    pub(super) labels: &'a [(&'static str, &'a str)],
    pub(super) after: &'a str,
}

impl Metrics {
    pub(super) fn gauge(&mut self, name: impl Into<String>, value: f64) {
        self.plain(Kind::Gauge, name.into(), value);
    }

    pub(super) fn counter(&mut self, name: impl Into<String>, value: f64) {
        self.plain(Kind::Counter, name.into(), value);
    }

    /// Adds a number whose name has parts that vary.
    pub(super) fn labelled(&mut self, kind: Kind, name: Labelled<'_>, value: f64) {
        let values = name.labels.iter().map(|(_, value)| *value);
        let parts: Vec<&str> =
            [name.before].into_iter().chain(values).chain([name.after]).collect();
        let labels = name.labels.iter().map(|(label, value)| (*label, (*value).to_owned()));
        let metric = Metric {
            kind,
            value,
            family: format!("{}/{}", name.before, name.after),
            labels: labels.collect(),
        };
        self.0.insert(parts.join("/"), metric);
    }

    /// Names and values.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, metric)| (name.as_str(), metric.value))
    }

    /// The text that Prometheus reads.
    pub(crate) fn prometheus(&self) -> String {
        let mut families: BTreeMap<String, Vec<&Metric>> = BTreeMap::new();
        for metric in self.0.values() {
            families.entry(exposed(&metric.family)).or_default().push(metric);
        }
        let mut text = String::new();
        for (family, metrics) in families {
            let is_counter = metrics.iter().all(|metric| metric.kind == Kind::Counter);
            let kind = if is_counter { "counter" } else { "gauge" };
            // writing to a String cannot fail
            let _ = writeln!(text, "# TYPE {family} {kind}");
            for metric in metrics {
                let _ = writeln!(text, "{family}{} {}", braced(&metric.labels), metric.value);
            }
        }
        text
    }

    fn plain(&mut self, kind: Kind, name: String, value: f64) {
        let metric = Metric { kind, value, family: name.clone(), labels: Vec::new() };
        self.0.insert(name, metric);
    }
}

/// `master/cpus_total` becomes `mesolith_master_cpus_total`.
fn exposed(name: &str) -> String {
    let plain = |it: char| if it.is_ascii_alphanumeric() { it } else { '_' };
    format!("mesolith_{}", name.chars().map(plain).collect::<String>())
}

/// `{label="value",…}`, or nothing.
fn braced(labels: &[(&'static str, String)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let pair = |(label, value): &(&str, String)| {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        format!("{label}=\"{value}\"")
    };
    format!("{{{}}}", labels.iter().map(pair).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_is_a_part_of_the_name_or_a_label() {
        let mut metrics = Metrics::default();
        metrics.counter("master/task_lost/source_master", 2.0);
        metrics.gauge("master/elected", 1.0);
        for (role, share) in [("a/b", 0.5), ("q\"\\", 0.25)] {
            let labels = [("role", role)];
            let (before, after) = ("allocator/mesos/roles", "shares/dominant");
            metrics.labelled(Kind::Gauge, Labelled { before, labels: &labels, after }, share);
        }
        let names: Vec<_> = metrics.values().map(|(name, _)| name).collect();
        let expected = [
            "allocator/mesos/roles/a/b/shares/dominant",
            "allocator/mesos/roles/q\"\\/shares/dominant",
            "master/elected",
            "master/task_lost/source_master",
        ];
        assert_eq!(names, expected);
        let text = "# TYPE mesolith_allocator_mesos_roles_shares_dominant gauge\n\
                    mesolith_allocator_mesos_roles_shares_dominant{role=\"a/b\"} 0.5\n\
                    mesolith_allocator_mesos_roles_shares_dominant{role=\"q\\\"\\\\\"} 0.25\n\
                    # TYPE mesolith_master_elected gauge\n\
                    mesolith_master_elected 1\n\
                    # TYPE mesolith_master_task_lost_source_master counter\n\
                    mesolith_master_task_lost_source_master 2\n";
        assert_eq!(metrics.prometheus(), text);
    }
}
