//! What the master says to the agent.

use protocol::agents::{self, to_agent};
use protocol::v1;

use super::super::Input;
use super::FRAMEWORK;
use super::world::World;
use crate::checkpoint::state::{ExecutorKey, TaskKey};

impl World {
    pub(super) fn say(&mut self, message: to_agent::Message) {
        self.take(Input::Directive(Box::new(message)));
    }

    pub(super) fn connect(&mut self) {
        let (reply, _) = tokio::sync::oneshot::channel();
        self.take(Input::Greeting { reply });
        let welcome = agents::Welcome {
            cluster_id: "c".to_owned(),
            agent_id: "a".to_owned(),
            term: 1,
            ..Default::default()
        };
        let (outbound, _) = tokio::sync::mpsc::channel(1);
        let (reply, _) = tokio::sync::oneshot::channel();
        self.take(Input::Welcomed { welcome, outbound, reply });
        // The Hello has said which executors run.
        self.ended.clear();
        self.ledger = self.running().cloned().collect();
        if self.waits {
            self.shut_framework_down();
        }
    }

    pub(super) fn launch(&mut self, executor: Option<u8>) {
        self.index += 1;
        let mut task =
            v1::TaskInfo { task_id: format!("t{}", self.index).into(), ..Default::default() };
        let mut starts = true;
        match executor {
            Some(number) => {
                let executor_id = format!("e{number}");
                starts = self.reckon_with(&executor_id);
                let executor_id = executor_id.into();
                task.executor = Some(v1::ExecutorInfo { executor_id, ..Default::default() });
            }
            None => task.command = Some(v1::CommandInfo::default()),
        }
        let launch = to_agent::Message::Launch(agents::Launch {
            index: self.index,
            framework: Some(framework()),
            task: Some(task),
            starts_executor: Some(starts),
        });
        self.launches.push(launch.clone());
        self.say(launch);
    }

    pub(super) fn launch_group(&mut self, number: u8, is_default: bool, count: usize) {
        self.index += 1;
        let task = |place: usize| {
            let more = if place == 0 { String::new() } else { format!(".{place}") };
            v1::TaskInfo { task_id: format!("t{}{more}", self.index).into(), ..Default::default() }
        };
        let tasks = (0..count).map(task).collect();
        let (kind, prefix) = if is_default {
            (v1::executor_info::Type::Default, 'p')
        } else {
            (v1::executor_info::Type::Custom, 'e')
        };
        let executor_id = format!("{prefix}{number}");
        let starts_executor = self.reckon_with(&executor_id);
        let launch = to_agent::Message::LaunchGroup(agents::LaunchGroup {
            index: self.index,
            framework: Some(framework()),
            executor: Some(v1::ExecutorInfo {
                executor_id: executor_id.into(),
                r#type: Some(kind.into()),
                ..Default::default()
            }),
            tasks,
            starts_executor,
        });
        self.launches.push(launch.clone());
        self.say(launch);
    }

    /// The master reckons with an executor from now on; whether it did not before.
    pub(super) fn reckon_with(&mut self, executor_id: &str) -> bool {
        let (framework_id, executor_id) = (FRAMEWORK.to_owned(), executor_id.to_owned());
        self.ledger.insert(ExecutorKey { framework_id, executor_id })
    }

    pub(super) fn shut_framework_down(&mut self) {
        self.waits = true;
        self.say(to_agent::Message::ShutdownFramework(agents::ShutdownFramework {
            framework_id: FRAMEWORK.to_owned(),
            // it counts whatever was taken before
            index: 0,
        }));
    }

    pub(super) fn acknowledge(&mut self, number: usize) {
        let owed: Vec<_> = self
            .state
            .tasks
            .iter()
            .filter_map(|(key, task)| {
                Some((key.clone(), task.unacknowledged.front()?.uuid.clone()?))
            })
            .collect();
        let Some((key, uuid)) = number.checked_rem(owed.len()).and_then(|place| owed.get(place))
        else {
            return;
        };
        assert!(self.told.contains_key(key), "the oldest update was sent");
        self.say(to_agent::Message::Acknowledge(agents::Acknowledge {
            framework_id: key.framework_id.clone(),
            task_id: key.task_id.clone(),
            uuid: uuid.clone().into(),
        }));
    }

    pub(super) fn kill(&mut self, number: usize) {
        let task_id = format!("t{}", number % (self.index as usize + 1));
        let framework_id = FRAMEWORK.to_owned();
        let key = TaskKey { framework_id: framework_id.clone(), task_id: task_id.clone() };
        // The master kills only what it believes to be there.
        if self.state.tasks.contains_key(&key) {
            self.say(to_agent::Message::Kill(agents::Kill {
                framework_id,
                task_id,
                kill_policy: None,
            }));
        }
    }
}

fn framework() -> v1::FrameworkInfo {
    v1::FrameworkInfo { id: Some(FRAMEWORK.into()), ..Default::default() }
}
