//! A framework is torn down while its task goes on: nobody gets what the task has before it has ended (gaps 51).

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long anything may take that should happen soon.
const DEADLINE: Duration = Duration::from_secs(60);
/// All that the agent has.
const HAS: [&str; 4] = ["--cpus", "1", "--mem", "256"];

/// A process that ends with the test, whatever its outcome.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn mesolith(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mesolith"));
    command.args(words).stderr(Stdio::null());
    command
}

fn eventually<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        sleep(Duration::from_millis(20));
    }
}

/// A master that offers nothing but at once, an agent that waits for an hour before it kills, and a task that has all
/// of the agent, does not listen to SIGTERM, and ends once there is a file.
struct World {
    dir: tempfile::TempDir,
    ports: [String; 2],
    master: Option<Process>,
    agent: Option<Process>,
    client: Option<Process>,
    /// The task's first process.
    pid: String,
}

impl World {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let listeners = [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let ports = listeners.map(|it| it.local_addr().expect("bound").port().to_string());
        let (master, agent, client, pid) = (None, None, None, String::new());
        let mut world = Self { dir, ports, master, agent, client, pid };
        world.start_master();
        world.start_agent();
        let [mark, gate] = ["mark", "gate"].map(|name| world.path(name));
        let (mark, gate) = (mark.display(), gate.display());
        let script = format!(
            "trap '' TERM; echo $$ > {mark}.new; mv {mark}.new {mark}; while [ ! -e {gate} ]; do sleep 0.05; done"
        );
        world.client = Some(world.execute(&script));
        let mark = world.path("mark");
        let pid = eventually("the task has begun", || fs::read_to_string(&mark).ok());
        pid.trim().clone_into(&mut world.pid);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports[0])
    }

    fn daemon(&self, words: &[&str]) -> Process {
        let mut command = mesolith(words);
        command.arg("--work-dir").arg(self.path(words[0])).args(["--ip", "127.0.0.1"]);
        Process(command.spawn().expect("mesolith can be run"))
    }

    fn start_master(&mut self) {
        let words = ["master", "--port", &self.ports[0], "--allocation-interval", "1hrs"];
        self.master = Some(self.daemon(&words));
        // clients do not wait for a master that is not there
        eventually("a leader", || self.ask(&["framework", "list", "--json"]));
    }

    fn start_agent(&mut self) {
        let (address, grace) = (self.address(), "--executor-shutdown-grace-period=1hrs");
        let has = "--resources=cpus:1;mem:256;disk:0;ports:[1-2]";
        let words = ["agent", "--port", &self.ports[1], "--master", &address, grace, has];
        self.agent = Some(self.daemon(&words));
    }

    /// A client that runs a script on all that the agent has.
    fn execute(&self, script: &str) -> Process {
        let address = self.address();
        let words = [&["execute", "--master", &address], &HAS[..], &[script]].concat();
        Process(mesolith(&words).stdout(Stdio::null()).spawn().expect("mesolith can be run"))
    }

    fn ask(&self, words: &[&str]) -> Option<String> {
        let output = mesolith(words).args(["--master", &self.address()]).output();
        let output = output.expect("mesolith can be run");
        output.status.success().then(|| String::from_utf8(output.stdout).expect("text"))
    }

    /// How often this has happened so far.
    fn count(&self, event: &str) -> Option<usize> {
        Some(self.ask(&["events", "--event", event])?.lines().count())
    }

    /// Tears the framework down whose task runs.
    fn tear_down(&mut self) {
        let listed = eventually("a list", || self.ask(&["framework", "list", "--json"]));
        let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
        let id = listed[0]["framework_id"].as_str().expect("an id").to_owned();
        eventually("the teardown", || self.ask(&["framework", "teardown", &id]));
        self.client = None;
    }

    /// Another client, which the master has looked for offers for; its task fails if the first still runs.
    fn execute_next(&self) -> Process {
        let next = self.execute(&format!("! kill -0 {}", self.pid));
        let known = |count| (count >= 2).then_some(());
        eventually("a second framework", || known(self.count("FrameworkSubscribed")?));
        // all agents are looked at once more
        eventually("an answer", || self.ask(&["role", "set", "any", "--weight", "2"]));
        next
    }

    fn end_task(&self) {
        fs::write(self.path("gate"), "").expect("a writable directory");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.end_task();
        // the shims of its tasks end by themselves
        let proc = format!("/proc/{}", self.pid);
        let deadline = Instant::now() + DEADLINE;
        while !self.pid.is_empty() && fs::exists(&proc).unwrap_or(false) {
            if Instant::now() > deadline {
                return;
            }
            sleep(Duration::from_millis(20));
        }
    }
}

/// Does something between the teardown and the end of the task; whether the task surely goes on after that.
fn check(attack: impl FnOnce(&mut World), goes_on: bool) {
    let mut world = World::start();
    world.tear_down();
    attack(&mut world);
    let mut next = world.execute_next();
    if goes_on {
        assert_eq!(world.count("FrameworkStopped"), Some(0));
        assert_eq!(world.count("TaskLaunched"), Some(1), "nothing is offered");
    }
    world.end_task();
    let status = eventually("the next task", || next.0.try_wait().expect("our child"));
    assert!(status.success(), "the next task ran beside the one before: {status}");
    assert_eq!(world.count("FrameworkStopped"), Some(1));
}

/// gaps 51
#[test]
fn nobody_gets_what_a_task_has_that_was_torn_down_until_it_has_ended() {
    check(|_| {}, true);
}

#[test]
fn not_if_the_leader_is_killed_before_the_task_has_ended() {
    check(
        |world| {
            world.master = None;
            world.start_master();
        },
        true,
    );
}

/// The agent may have heard of the teardown or not. If it has, it does not know when the grace of the task began, and
/// kills it at once when it is back.
#[test]
fn not_if_the_agent_is_killed_before_the_task_has_ended() {
    check(
        |world| {
            world.agent = None;
            world.start_agent();
        },
        false,
    );
}

#[test]
fn not_if_the_framework_is_torn_down_while_the_agent_is_away() {
    let mut world = World::start();
    world.agent = None;
    world.tear_down();
    let mut next = world.execute_next();
    world.start_agent();
    eventually("the agent is back", || world.count("AgentReregistered").filter(|it| *it > 0));
    world.end_task();
    let status = eventually("the next task", || next.0.try_wait().expect("our child"));
    assert!(status.success(), "the next task ran beside the one before: {status}");
}
