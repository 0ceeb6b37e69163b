//! A launch that was answered with 202 is in the journal (design 1; gaps 1): launched, or refused in
//! words. And no task is decided to be launched twice.

use std::collections::BTreeSet;

use statemachine::{Event, FrameworkId, TaskId, TaskKey};

use super::{Fact, Violation, demand};

/// The launches that the journal knows.
#[derive(Debug, Default)]
pub struct Accounted {
    launched: BTreeSet<TaskKey>,
    refused: BTreeSet<TaskKey>,
}

impl Accounted {
    pub(super) fn event(&mut self, fact: &Fact<'_>) -> Result<(), Violation> {
        match fact.event {
            Event::TaskLaunched(launched) => {
                let news = self.launched.insert(launched.key.clone());
                demand(news, "no task is launched twice", || format!("{:?}", launched.key))
            }
            Event::GroupLaunched(group) => {
                let framework = group.framework;
                group.tasks.iter().try_for_each(|task| {
                    let key = TaskKey { framework, task: task.id.clone() };
                    let news = self.launched.insert(key.clone());
                    demand(news, "no task is launched twice", || format!("{key:?}"))
                })
            }
            Event::TaskRefused(refused) => {
                let (framework, task) = (refused.framework, refused.task.clone());
                self.refused.insert(TaskKey { framework, task });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A scheduler hears 202 for an ACCEPT with these tasks.
    pub fn promised(&self, framework: FrameworkId, tasks: &[TaskId]) -> Result<(), Violation> {
        let unknown = tasks.iter().find(|task| {
            let key = TaskKey { framework, task: TaskId::clone(task) };
            !self.launched.contains(&key) && !self.refused.contains(&key)
        });
        demand(unknown.is_none(), "an accepted launch is in the journal", || {
            format!("task {unknown:?} of framework {framework}")
        })
    }
}
