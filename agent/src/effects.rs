//! The only place that acts: what was decided is carried out here, after it is on disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::agents::{FromAgent, from_agent};
use protocol::v1::executor;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::checkpoint::state::ExecutorKey;
use crate::checks::Check;
use crate::containerizer::volumes::Volume;
use crate::containerizer::{Container, Containerizer};
use crate::decide::live::Stream;
use crate::decide::{Effect, End, Input};

/// Carries out effects.
#[derive(Debug)]
pub(crate) struct Effects {
    containerizer: Arc<dyn Containerizer>,
    inputs: mpsc::Sender<Input>,
    work_dir: PathBuf,
    /// The stream to the leader.
    outbound: Option<mpsc::Sender<FromAgent>>,
    /// Why the agent is to end, once it is.
    pub(crate) stopped: Option<End>,
}

impl Effects {
    pub(crate) fn new(
        containerizer: Arc<dyn Containerizer>,
        inputs: mpsc::Sender<Input>,
        work_dir: PathBuf,
    ) -> Self {
        Self { containerizer, inputs, work_dir, outbound: None, stopped: None }
    }

    /// Does one thing, without waiting for it.
    pub(crate) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Send(message) => self.send(*message),
            Effect::Attach(outbound) => self.outbound = Some(outbound),
            Effect::Detach => self.outbound = None,
            // Whoever asked may be gone: nobody misses the answer.
            Effect::Greet(reply, hello) => drop(reply.send(hello)),
            Effect::ConfirmWelcome(reply, is_ours) => drop(reply.send(is_ours)),
            Effect::Answer(reply, answer) => drop(reply.send(answer)),
            Effect::ConfirmCheck(reply, goes_on) => drop(reply.send(goes_on)),
            Effect::Check(executor, container, checks) => {
                self.check(&executor, &container, checks);
            }
            Effect::Launch(executor, container) => self.launch(executor, *container),
            Effect::Await(executor, container_id) => self.wait(executor, container_id),
            Effect::Kill { container_id, grace } => self.containerizer.kill(&container_id, grace),
            Effect::Update { container_id, share } => {
                self.containerizer.update(&container_id, &share);
            }
            Effect::Share { container_id, share } => {
                self.containerizer.share(&container_id, &share);
            }
            Effect::Remove { container_id } => {
                let containerizer = Arc::clone(&self.containerizer);
                tokio::task::spawn_blocking(move || containerizer.remove(&container_id));
            }
            Effect::Tell { executor, stream, event } => self.tell(executor, &stream, *event),
            Effect::Volumes { remove, make } => self.change_volumes(&remove, &make),
            Effect::Stop(end) => self.stopped = Some(end),
        }
    }

    /// A stream that does not keep up is closed: the next one begins with all that is owed.
    fn send(&mut self, message: from_agent::Message) {
        let Some(outbound) = &self.outbound else { return };
        let is_owed = !matches!(message, from_agent::Message::ExecutorMessage(_));
        let sent = outbound.try_send(FromAgent { message: Some(message) });
        if sent.is_err() && is_owed {
            self.outbound = None;
        }
    }

    /// An executor that does not read loses its stream, and may subscribe again.
    fn tell(&self, executor: ExecutorKey, stream: &Stream, event: executor::Event) {
        if stream.sender.try_send(event).is_err() {
            let (inputs, stream) = (self.inputs.clone(), stream.number);
            tokio::spawn(async move {
                let _ = inputs.send(Input::Unsubscribed { executor, stream }).await;
            });
        }
    }

    fn launch(&self, executor: ExecutorKey, container: Container) {
        let inputs = self.inputs.clone();
        let container_id = container.id.clone();
        let launched = self.containerizer.launch(container);
        tokio::spawn(async move {
            let input = match launched.await {
                Ok(process) => Input::Started { executor, container_id, process },
                Err(error) => Input::NotLaunched { executor, container_id, error },
            };
            // The loop is gone only when the agent ends; the next one finds the container.
            let _ = inputs.send(input).await;
        });
    }

    fn check(&self, executor: &ExecutorKey, container: &Container, checks: Vec<Check>) {
        let Some(context) = self.containerizer.context(container) else { return };
        for check in checks {
            let tell = {
                let (inputs, executor) = (self.inputs.clone(), executor.clone());
                let container_id = container.id.clone();
                move |kind, found| {
                    let (inputs, executor) = (inputs.clone(), executor.clone());
                    let container_id = container_id.clone();
                    async move {
                        let (reply, goes_on) = oneshot::channel();
                        let result = (kind, found);
                        let input = Input::Checked { executor, container_id, result, reply };
                        inputs.send(input).await.is_ok() && goes_on.await.unwrap_or(false)
                    }
                }
            };
            tokio::spawn(check.run(context.clone(), tell));
        }
    }

    fn wait(&self, executor: ExecutorKey, container_id: String) {
        let inputs = self.inputs.clone();
        let ended = self.containerizer.wait(&container_id);
        tokio::spawn(async move {
            let exit = ended.await;
            let _ = inputs.send(Input::Exited { executor, container_id, exit }).await;
        });
    }

    fn change_volumes(&self, remove: &[Volume], make: &[Volume]) {
        for volume in remove {
            let directory = volume.directory(&self.work_dir);
            if let Err(error) = discard(&self.work_dir, &directory) {
                tracing::error!(directory = %directory.display(), %error, "cannot remove a volume");
            }
        }
        for volume in make {
            let directory = volume.directory(&self.work_dir);
            if let Err(error) = fs::create_dir_all(&directory) {
                tracing::error!(directory = %directory.display(), %error, "cannot make a volume");
            }
        }
    }
}

/// Directory of what is to be deleted; cleared when the agent starts.
pub(crate) fn trash(work_dir: &Path) -> PathBuf {
    work_dir.join("volumes/.trash")
}

/// Takes a directory away at once, and deletes it in the background, however large it is.
fn discard(work_dir: &Path, directory: &Path) -> io::Result<()> {
    if !directory.exists() {
        return Ok(());
    }
    let trash = trash(work_dir);
    fs::create_dir_all(&trash)?;
    let place = trash.join(Uuid::new_v4().to_string());
    fs::rename(directory, &place)?;
    tokio::task::spawn_blocking(move || fs::remove_dir_all(place));
    Ok(())
}
