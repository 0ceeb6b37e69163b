//! A master that is none, and agents that are real processes.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod cgroups;
pub(crate) mod http;

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use protocol::agents::agents_server::Agents;
use protocol::agents::{
    Acknowledge, FromAgent, Hello, Kill, Launch, LaunchGroup, ToAgent, Unregistered, Update,
    Welcome, from_agent, to_agent,
};
use protocol::v1::framework_info::{Capability, capability};
use protocol::{rpc, v1};
use rand::RngExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

/// How long any test waits for anything: longer than the busiest machine takes, since no test has
/// to see it pass.
pub(crate) const DEADLINE: Duration = Duration::from_secs(300);
pub(crate) const FRAMEWORK: &str = "F-0001";

/// Everything the agent said, and the way to it.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) hellos: Vec<Hello>,
    /// Updates as they came, repetitions included.
    pub(crate) updates: Vec<Update>,
    pub(crate) messages: Vec<from_agent::Message>,
    pub(crate) confirmed: u64,
    to_agent: Option<mpsc::Sender<Result<ToAgent, Status>>>,
    is_acknowledging: bool,
    index: u64,
    /// Custom executors that were launched and have not ended, by id.
    executors: BTreeSet<String>,
    pub(crate) term: u64,
}

/// A master that takes any agent in, and does what the test says.
#[derive(Debug, Clone)]
pub(crate) struct FakeMaster {
    pub(crate) heard: Arc<Mutex<Heard>>,
    pub(crate) port: u16,
}

struct Service(Arc<Mutex<Heard>>);

type Outbound = Pin<Box<dyn futures::Stream<Item = Result<ToAgent, Status>> + Send>>;

#[tonic::async_trait]
impl Agents for Service {
    type SessionStream = Outbound;

    async fn session(
        &self,
        request: Request<Streaming<FromAgent>>,
    ) -> Result<Response<Outbound>, Status> {
        let (sender, receiver) = mpsc::channel(100_000);
        let heard = Arc::clone(&self.0);
        let mut inbound = request.into_inner();
        tokio::spawn(async move {
            while let Ok(Some(FromAgent { message: Some(message) })) = inbound.message().await {
                // Answered before anybody else can speak on this stream: the first message to an
                // agent must be its welcome.
                let mut heard = heard.lock().expect("heard");
                if let Some(answer) = heard.take(message, &sender) {
                    let _ = sender.try_send(Ok(ToAgent { message: Some(answer) }));
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

impl Heard {
    fn take(
        &mut self,
        message: from_agent::Message,
        sender: &mpsc::Sender<Result<ToAgent, Status>>,
    ) -> Option<to_agent::Message> {
        match message {
            from_agent::Message::Hello(hello) => {
                self.hellos.push(hello);
                self.to_agent = Some(sender.clone());
                Some(to_agent::Message::Welcome(Welcome {
                    cluster_id: "cluster".to_owned(),
                    agent_id: "cluster-S0".to_owned(),
                    term: self.term,
                    ping_interval_ms: 10_000,
                    // Nobody pings: the stream is held for as long as it lives.
                    ping_timeout_ms: 3_600_000,
                    masters: Vec::new(),
                    hostname: "fake.example".to_owned(),
                }))
            }
            from_agent::Message::Update(update) => {
                self.updates.push(update.clone());
                let status = update.status?;
                self.is_acknowledging.then(|| {
                    to_agent::Message::Acknowledge(Acknowledge {
                        framework_id: update.framework_id,
                        task_id: status.task_id.value,
                        uuid: status.uuid.unwrap_or_default().into(),
                    })
                })
            }
            from_agent::Message::Confirm(confirm) => {
                self.confirmed = self.confirmed.max(confirm.index);
                None
            }
            unregister @ from_agent::Message::Unregister(_) => {
                self.messages.push(unregister);
                Some(to_agent::Message::Unregistered(Unregistered {}))
            }
            other => {
                if let from_agent::Message::ExecutorExited(exited) = &other {
                    self.executors.remove(&exited.executor_id);
                }
                self.messages.push(other);
                None
            }
        }
    }

    /// States of a task in the order in which they were first told.
    pub(crate) fn states(&self, task_id: &str) -> Vec<v1::TaskState> {
        self.statuses(task_id).iter().map(v1::TaskStatus::state).collect()
    }

    /// Updates of a task without repetitions.
    pub(crate) fn statuses(&self, task_id: &str) -> Vec<v1::TaskStatus> {
        let mut found: Vec<v1::TaskStatus> = Vec::new();
        for status in self.updates.iter().filter_map(|update| update.status.as_ref()) {
            let is_new = found.iter().all(|known| known.uuid != status.uuid);
            if status.task_id.value == task_id && is_new {
                found.push(status.clone());
            }
        }
        found
    }
}

impl FakeMaster {
    /// Serves on a free port, acknowledging every update.
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let heard = Heard { is_acknowledging: true, term: 1, ..Heard::default() };
        let heard = Arc::new(Mutex::new(heard));
        // Small messages must not wait for one another.
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let service = rpc::agents_server(Service(Arc::clone(&heard)));
        tokio::spawn(
            tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming),
        );
        Self { heard, port }
    }

    pub(crate) fn acknowledge(&self, is_acknowledging: bool) {
        self.heard.lock().expect("heard").is_acknowledging = is_acknowledging;
    }

    pub(crate) async fn say(&self, message: to_agent::Message) {
        let sender = self.heard.lock().expect("heard").to_agent.clone();
        let sender = sender.expect("an agent is connected");
        sender.send(Ok(ToAgent { message: Some(message) })).await.expect("the agent listens");
    }

    /// The index for the next directive.
    pub(crate) fn next_index(&self) -> u64 {
        let mut heard = self.heard.lock().expect("heard");
        heard.index += 1;
        heard.index
    }

    pub(crate) async fn launch(&self, task: v1::TaskInfo) -> u64 {
        let index = self.next_index();
        self.launch_at(index, task).await;
        index
    }

    pub(crate) async fn launch_at(&self, index: u64, task: v1::TaskInfo) {
        let starts_executor = task.executor.as_ref().is_none_or(|executor| {
            let mut heard = self.heard.lock().expect("heard");
            heard.executors.insert(executor.executor_id.value.clone())
        });
        Box::pin(self.launch_saying(index, task, starts_executor)).await;
    }

    /// A launch that says of its executor what the test wants it to.
    pub(crate) async fn launch_saying(
        &self,
        index: u64,
        task: v1::TaskInfo,
        starts_executor: bool,
    ) {
        let (framework, starts_executor) = (Some(framework()), Some(starts_executor));
        let launch = Launch { index, framework, task: Some(task), starts_executor };
        self.say(to_agent::Message::Launch(launch)).await;
    }

    /// Launches tasks together on a default executor.
    pub(crate) async fn launch_group(&self, executor_id: &str, tasks: Vec<v1::TaskInfo>) {
        self.launch_group_on(default_executor(executor_id), tasks).await;
    }

    /// Launches tasks together on any executor.
    pub(crate) async fn launch_group_on(
        &self,
        executor: v1::ExecutorInfo,
        tasks: Vec<v1::TaskInfo>,
    ) {
        let starts_executor = {
            let mut heard = self.heard.lock().expect("heard");
            heard.executors.insert(executor.executor_id.value.clone())
        };
        let (index, framework) = (self.next_index(), Some(framework()));
        let executor = Some(executor);
        let launch = LaunchGroup { index, framework, executor, tasks, starts_executor };
        self.say(to_agent::Message::LaunchGroup(launch)).await;
    }

    pub(crate) async fn kill(&self, task_id: &str, grace: Option<Duration>) {
        let kill_policy = grace.map(|grace| v1::KillPolicy {
            grace_period: Some(v1::DurationInfo { nanoseconds: grace.as_nanos() as i64 }),
        });
        let (framework_id, task_id) = (FRAMEWORK.to_owned(), task_id.to_owned());
        self.say(to_agent::Message::Kill(Kill { framework_id, task_id, kill_policy })).await;
    }

    /// Waits until something was heard, and gives back what the test looks for.
    pub(crate) async fn wait_for<T>(&self, what: &str, look: impl Fn(&Heard) -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = look(&self.heard.lock().expect("heard")) {
                return found;
            }
            assert!(started.elapsed() < DEADLINE, "no {what}: {:#?}", self.summary());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn summary(&self) -> BTreeMap<String, Vec<(v1::TaskState, String)>> {
        let heard = self.heard.lock().expect("heard");
        let mut tasks: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for status in heard.updates.iter().filter_map(|update| update.status.as_ref()) {
            let told = (status.state(), status.message().to_owned());
            tasks.entry(status.task_id.value.clone()).or_default().push(told);
        }
        tasks
    }

    pub(crate) async fn wait_connected(&self, hellos: usize) {
        self.wait_for("agent", |heard| {
            (heard.hellos.len() >= hellos && heard.to_agent.is_some()).then_some(())
        })
        .await;
    }

    pub(crate) async fn wait_state(&self, task_id: &str, state: v1::TaskState) -> v1::TaskStatus {
        self.wait_for(&format!("{state:?} of {task_id}"), |heard| {
            heard.statuses(task_id).into_iter().find(|status| status.state() == state)
        })
        .await
    }
}

pub(crate) fn framework() -> v1::FrameworkInfo {
    let capability = |kind: capability::Type| Capability { r#type: Some(kind.into()) };
    v1::FrameworkInfo {
        user: "root".to_owned(),
        name: "test".to_owned(),
        id: Some(FRAMEWORK.into()),
        checkpoint: Some(true),
        roles: vec!["*".to_owned()],
        capabilities: vec![
            capability(capability::Type::PartitionAware),
            capability(capability::Type::TaskKillingState),
        ],
        ..Default::default()
    }
}

/// A command task that runs this script.
pub(crate) fn task(task_id: &str, script: &str) -> v1::TaskInfo {
    v1::TaskInfo {
        name: task_id.to_owned(),
        task_id: task_id.into(),
        agent_id: "cluster-S0".into(),
        resources: vec![v1::Resource::scalar("cpus", 0.1), v1::Resource::scalar("mem", 32.0)],
        command: Some(v1::CommandInfo { value: Some(script.to_owned()), ..Default::default() }),
        ..Default::default()
    }
}

/// An executor that the agent plays itself.
pub(crate) fn default_executor(executor_id: &str) -> v1::ExecutorInfo {
    v1::ExecutorInfo {
        r#type: Some(v1::executor_info::Type::Default.into()),
        executor_id: executor_id.into(),
        framework_id: Some(FRAMEWORK.into()),
        resources: vec![
            v1::Resource::scalar("cpus", 0.1),
            v1::Resource::scalar("mem", 32.0),
            v1::Resource::scalar("disk", 32.0),
        ],
        ..Default::default()
    }
}

/// An agent as a process of its own, killed when the test ends.
#[derive(Debug)]
pub(crate) struct AgentProcess {
    child: Child,
    pub(crate) port: u16,
    pub(crate) work_dir: PathBuf,
    /// Cgroup below which all of its are, and nobody else's.
    pub(crate) cgroups_root: String,
    master: u16,
    /// Flags beside those that every test needs.
    pub(crate) flags: Vec<String>,
}

impl AgentProcess {
    pub(crate) fn start(master: &FakeMaster, work_dir: &Path) -> Self {
        Self::start_with(master, work_dir, &[])
    }

    /// Starts one with flags of the test's own.
    pub(crate) fn start_with(master: &FakeMaster, work_dir: &Path, flags: &[&str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let (master, port) = (master.port, free_port());
        let cgroups_root = format!("mesolith-test-{}-{number}", std::process::id());
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let child = spawn(master, work_dir, port, &cgroups_root, &flags);
        Self { child, port, work_dir: work_dir.to_owned(), cgroups_root, master, flags }
    }

    /// Starts one that cannot run, and gives back what it says.
    pub(crate) fn failure(master: &FakeMaster, work_dir: &Path, flags: &[&str]) -> String {
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let mut command = command(master.port, work_dir, free_port(), "mesolith-test-none", &flags);
        let output = command.output().expect("an agent");
        assert!(!output.status.success(), "it runs");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("reaped");
    }

    pub(crate) fn restart(&mut self) {
        self.kill();
        let Self { master, work_dir, port, cgroups_root, flags, .. } = &*self;
        self.child = spawn(*master, work_dir, *port, cgroups_root, flags);
    }

    /// Processor time of the agent itself, and of its shims and containers that have ended.
    pub(crate) fn processor_time(&self) -> (Duration, Duration) {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.expect("a running agent");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split(' ').collect();
        // A tick is 10 ms on every Linux that we know.
        let ticks = |first: usize| {
            let numbers = fields.iter().skip(first).take(2);
            Duration::from_millis(
                numbers.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>() * 10,
            )
        };
        (ticks(12), ticks(14))
    }

    /// Ends it for good, and waits for that.
    pub(crate) fn unregister(&mut self) -> std::process::ExitStatus {
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGUSR1).expect("signalled");
        poll("end of the agent", || self.child.try_wait().expect("asked"))
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("asked").is_some()
    }
}

fn spawn(master: u16, work_dir: &Path, port: u16, cgroups_root: &str, flags: &[String]) -> Child {
    let mut command = command(master, work_dir, port, cgroups_root, flags);
    command.stdout(Stdio::null()).spawn().expect("an agent")
}

fn command(
    master: u16,
    work_dir: &Path,
    port: u16,
    cgroups_root: &str,
    flags: &[String],
) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agent-fixture"));
    command
        .args(["--ip", "127.0.0.1", "--port", &port.to_string()])
        .args(["--master", &format!("127.0.0.1:{master}")])
        .args(["--resources", "cpus:4;mem:4096;disk:8192"])
        .args(["--cgroups-root", cgroups_root])
        .args(flags)
        .arg("--work-dir")
        .arg(work_dir);
    command
}

impl Drop for AgentProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        end_shims(&self.work_dir);
        cgroups::remove(&self.cgroups_root);
    }
}

/// Ends the containers that a test leaves: each shim is the session leader named by its claim.
fn end_shims(work_dir: &Path) {
    let Ok(containers) = std::fs::read_dir(work_dir.join("run")) else { return };
    for container in containers.flatten() {
        let claim = std::fs::read_to_string(container.path().join("claim")).unwrap_or_default();
        let claim: serde_json::Value = serde_json::from_str(&claim).unwrap_or_default();
        if let Some(pid) = claim["pid"].as_i64() {
            let _ =
                Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
        }
    }
}

/// A free port below those that the kernel gives to outgoing connections, so that it stays free
/// while an agent is dead.
pub(crate) fn free_port() -> u16 {
    let candidates = std::iter::repeat_with(|| rand::rng().random_range(10_000..30_000));
    let mut free =
        candidates.take(1_000).filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.next().expect("a free port")
}

/// Polls until `look` finds something.
pub(crate) fn poll<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < DEADLINE, "no {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
