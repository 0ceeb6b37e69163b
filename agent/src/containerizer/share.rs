//! What a container is to have: what was asked for, and how far it may go beyond.

use protocol::v1;

use super::usage::scalar;

/// The resources of a container, and its limits.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Share {
    /// What it was promised.
    pub(crate) resources: Vec<v1::Resource>,
    pub(crate) limits: Limits,
}

/// Limits beyond what was asked for (`TaskInfo.limits`); `f64::INFINITY` is none at all.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Limits {
    /// In processors; unset if nothing was said.
    pub(crate) cpus: Option<f64>,
    /// In megabytes; unset if nothing was said.
    pub(crate) mem: Option<f64>,
}

impl Limits {
    /// A task's own.
    pub(crate) fn of(task: &v1::TaskInfo) -> Self {
        let limit = |name: &str| task.limits.get(name).map(|limit| limit.value);
        Self { cpus: limit("cpus"), mem: limit("mem") }
    }

    /// Those of an executor and its tasks together: once one task has a limit, the limit of the whole
    /// is the sum of the limits of those that have one and the requests of those that have none.
    pub(crate) fn together(executor: &[v1::Resource], tasks: &[&v1::TaskInfo]) -> Self {
        let sum = |name: &str, limit: fn(&Self) -> Option<f64>| {
            let has_any = tasks.iter().any(|task| limit(&Self::of(task)).is_some());
            let one = |task: &&v1::TaskInfo| {
                limit(&Self::of(task)).unwrap_or_else(|| scalar(&task.resources, name))
            };
            has_any.then(|| tasks.iter().map(one).sum::<f64>() + scalar(executor, name))
        };
        Self { cpus: sum("cpus", |limits| limits.cpus), mem: sum("mem", |limits| limits.mem) }
    }
}

impl Share {
    /// Processors that were asked for.
    pub(crate) fn cpus(&self) -> f64 {
        scalar(&self.resources, "cpus")
    }

    /// Megabytes of memory that were asked for.
    pub(crate) fn mem(&self) -> f64 {
        scalar(&self.resources, "mem")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(cpus: f64, limit: Option<f64>) -> v1::TaskInfo {
        let limit = limit.map(|value| ("cpus".to_owned(), v1::value::Scalar { value }));
        v1::TaskInfo {
            resources: vec![v1::Resource::scalar("cpus", cpus)],
            limits: limit.into_iter().collect(),
            ..Default::default()
        }
    }

    fn check(tasks: &[(f64, Option<f64>)], expected: Option<f64>) {
        let tasks: Vec<_> = tasks.iter().map(|(cpus, limit)| task(*cpus, *limit)).collect();
        let executor = [v1::Resource::scalar("cpus", 0.5)];
        let limits = Limits::together(&executor, &tasks.iter().collect::<Vec<_>>());
        assert_eq!(limits, Limits { cpus: expected, mem: None });
    }

    #[test]
    fn the_limit_of_a_whole_is_the_sum_of_its_parts() {
        check(&[(1.0, None), (2.0, None)], None);
        check(&[(1.0, Some(3.0)), (2.0, None)], Some(5.5));
        check(&[(1.0, Some(3.0)), (2.0, Some(f64::INFINITY))], Some(f64::INFINITY));
        check(&[], None);
    }
}
