//! Real clusters of real processes, one master and one agent each, from start to end.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long anything may take that should happen soon.
const DEADLINE: Duration = Duration::from_secs(60);

fn mesolith(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mesolith"));
    command.args(words);
    command
}

/// Two ports that nobody listens on now.
fn free_ports() -> [String; 2] {
    let listeners = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|it| it.local_addr().expect("a bound socket").port().to_string())
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        sleep(Duration::from_millis(20));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs one command on a cluster of its own.
fn local(command: &[&str]) -> Output {
    let [port, agent_port] = free_ports();
    let words = ["local", "--port", &port, "--agent-port", &agent_port, "--"];
    mesolith(&[&words, command].concat()).output().expect("mesolith can be run")
}

/// A cluster that stays, and what it says of itself.
struct Cluster {
    process: Child,
    report: serde_json::Value,
}

impl Cluster {
    fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with this in its environment.
    fn start_with(environment: &[(&str, &str)]) -> Self {
        let [port, agent_port] = free_ports();
        let words = ["local", "--json", "--port", &port, "--agent-port", &agent_port];
        let mut command = mesolith(&words);
        command.envs(environment.iter().copied());
        let started = command.stdout(Stdio::piped()).spawn();
        let mut process = started.expect("mesolith can be run");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line of text");
        let report = serde_json::from_str(&line).expect("one line of JSON");
        Self { process, report }
    }

    fn master(&self) -> &str {
        self.report["masters"][0]["address"].as_str().expect("an address")
    }

    fn work_dir(&self) -> &Path {
        Path::new(self.report["work_dir"].as_str().expect("a directory"))
    }

    /// Master and agent.
    fn pids(&self) -> [i64; 2] {
        ["masters", "agents"].map(|kind| self.report[kind][0]["pid"].as_i64().expect("a pid"))
    }

    /// Starts a task that does not end by itself; gives its pid, and the client that waits for it.
    fn start_task(&self) -> (i64, Child) {
        let mark = self.work_dir().join("mark");
        let script = format!("echo $$ > {}; exec sleep 600", mark.display());
        let words = ["execute", "--master", self.master(), &script];
        let started = mesolith(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let client = started.expect("mesolith can be run");
        let mut pid = None;
        eventually("the task has begun", || {
            let mark = fs::read_to_string(&mark).ok();
            pid = mark.and_then(|mark| mark.trim().parse().ok());
            pid.is_some()
        });
        (pid.expect("just found"), client)
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id() as i32), signal).expect("the cluster runs");
    }
}

/// What a master answers to `GET /version`.
fn version(master: &str) -> serde_json::Value {
    let mut stream = std::net::TcpStream::connect(master).expect("it listens");
    let request = format!("GET /version HTTP/1.1\r\nHost: {master}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(body).expect("JSON")
}

/// A zombie runs no more.
fn runs(pid: i64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_command_is_run_and_its_exit_code_is_ours() {
    let output = local(&["echo out; echo err >&2; exit 3"]);
    let shown = (text(&output.stdout), text(&output.stderr), output.status.code());
    assert_eq!(shown, ("out\n".into(), "err\n".into(), Some(3)));
}

#[test]
fn a_journal_that_was_cut_short_is_read_from_its_snapshot() {
    let small = [
        ("MESOLITH_JOURNAL_SNAPSHOT_ENTRIES", "3"),
        ("MESOLITH_JOURNAL_SEGMENT_BYTES", "1"),
        ("MESOLITH_JOURNAL_MAX_BYTES", "0"),
    ];
    let mut cluster = Cluster::start_with(&small);
    let ran = mesolith(&["execute", "--master", cluster.master(), "true"]).status();
    assert!(ran.expect("mesolith can be run").success());
    let json = |words: &[&str]| -> serde_json::Value {
        let output = mesolith(words).output().expect("mesolith can be run");
        assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let show = ["quorum", "show", "--json", "--master", cluster.master()];
    eventually("the history begins later", || json(&show)["first_index"].as_u64() > Some(1));
    let master = cluster.work_dir().join("master-1");
    let sound = json(&["replay", "verify", "--json", master.to_str().expect("UTF-8")]);
    assert!(sound["first"].as_u64() > Some(1), "{sound}");
    let gone = mesolith(&["events", "--from", "1", "--master", cluster.master()]).output();
    let gone = gone.expect("mesolith can be run");
    assert_eq!(gone.status.code(), Some(1));
    let said = text(&gone.stderr);
    assert!(said.contains("index 1 is not kept any more: the journal begins at"), "{said}");
    cluster.signal(Signal::SIGTERM);
    cluster.process.wait().expect("our child");
}

#[test]
fn without_an_agent_a_command_is_refused_at_once() {
    let output = mesolith(&["local", "--agents", "0", "--", "true"]).output();
    let output = output.expect("mesolith can be run");
    let shown = text(&output.stderr);
    assert!(shown.contains("there is no agent that could run the command"), "{shown}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn several_words_are_a_program_and_its_arguments() {
    let output = local(&["/bin/echo", "$HOME", "a  b"]);
    let shown = (text(&output.stdout), output.status.code());
    assert_eq!(shown, ("$HOME a  b\n".into(), Some(0)), "{}", text(&output.stderr));
}

#[test]
fn sigterm_ends_everything_tasks_included() {
    let mut cluster = Cluster::start();
    let (task, mut client) = cluster.start_task();
    cluster.signal(Signal::SIGTERM);
    let status = cluster.process.wait().expect("our child");
    assert_eq!(status.code(), Some(0));
    assert!(!runs(task), "the task outlives its cluster");
    assert!(!cluster.pids().into_iter().any(runs), "a member outlives its cluster");
    assert!(!cluster.work_dir().exists(), "the directory was ours alone");
    client.kill().expect("our child");
    client.wait().expect("our child");
}

#[test]
fn members_die_with_a_cluster_that_is_killed() {
    let mut cluster = Cluster::start();
    cluster.signal(Signal::SIGKILL);
    cluster.process.wait().expect("our child");
    eventually("the members are gone", || !cluster.pids().into_iter().any(runs));
    fs::remove_dir_all(cluster.work_dir()).expect("what it could not remove itself");
}

#[test]
fn interrupting_a_client_kills_its_task() {
    let mut cluster = Cluster::start();
    let (task, mut client) = cluster.start_task();
    kill(Pid::from_raw(client.id() as i32), Signal::SIGINT).expect("the client runs");
    assert_eq!(client.wait().expect("our child").code(), Some(130));
    eventually("the task is gone", || !runs(task));
    cluster.signal(Signal::SIGINT);
    assert_eq!(cluster.process.wait().expect("our child").code(), Some(0));
}

#[test]
fn listings_and_the_journal_show_what_happened() {
    let mut cluster = Cluster::start();
    let run = |words: &[&str]| {
        let output = mesolith(words).output().expect("mesolith can be run");
        assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    let master = cluster.master().to_owned();
    run(&["execute", "--master", &master, "--name", "greets", "echo hello"]);
    let commit = Command::new("git").args(["rev-parse", "HEAD"]).output();
    // who builds may say another name
    let is_given = option_env!("MESOLITH_GIT_SHA").is_some();
    if let Some(commit) = commit.ok().filter(|it| it.status.success() && !is_given) {
        assert_eq!(version(&master)["git_sha"], text(&commit.stdout).trim());
    }
    let tasks = run(&["task", "list", "--all", "--json", "--master", &master]);
    let tasks: serde_json::Value = serde_json::from_str(&tasks).expect("JSON");
    assert_eq!(tasks[0]["state"], "TASK_FINISHED", "{tasks}");
    let task_id = tasks[0]["task_id"].as_str().expect("an id");
    assert!(task_id.starts_with("greets-"), "{task_id}");
    assert_eq!(run(&["task", "log", "--master", &master, task_id]), "hello\n");
    assert!(run(&["agent", "list", "--master", &master]).contains("ACTIVE"));
    assert!(run(&["framework", "list", "--all", "--master", &master]).contains("COMPLETED"));
    assert!(run(&["quorum", "show", "--master", &master]).contains(&master));
    let journal = cluster.report["masters"][0]["work_dir"].as_str().expect("a directory");
    let log = run(&["replay", "log", journal]);
    assert!(log.contains("TaskLaunched") && log.contains(task_id), "{log}");
    assert!(run(&["replay", "verify", journal]).starts_with("sound: "));
    cluster.signal(Signal::SIGTERM);
    cluster.process.wait().expect("our child");
}

/// gaps 21, 22
#[test]
fn events_are_shown_from_any_index_and_as_they_happen() {
    let mut cluster = Cluster::start();
    let master = cluster.master().to_owned();
    let execute = |name: &str| {
        let ran = mesolith(&["execute", "--master", &master, "--name", name, "true"]).status();
        assert!(ran.expect("mesolith can be run").success());
    };
    let run = |words: &[&str]| {
        let output = mesolith(&[&["events", "--master", &master], words].concat()).output();
        let output = output.expect("mesolith can be run");
        assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
        text(&output.stdout).lines().map(str::to_owned).collect::<Vec<_>>()
    };
    execute("first");
    let launched = run(&["--event", "TaskLaunched", "--json"]);
    let launched: Vec<serde_json::Value> =
        launched.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((launched.len(), &launched[0]["event"]), (1, &"TaskLaunched".into()));
    let index = launched[0]["index"].to_string();
    let later = run(&["--from", &index]);
    let journal = cluster.report["masters"][0]["work_dir"].as_str().expect("a directory");
    let log = mesolith(&["replay", "log", "--from", &index, journal]).output();
    let log = text(&log.expect("mesolith can be run").stdout);
    // what was decided meanwhile is in one of them only, and the file may not know what is committed
    for (shown, logged) in later.iter().zip(log.lines()) {
        assert!(logged.starts_with(shown), "{shown} is not {logged}");
    }
    assert!(later.len() > 1 && later.len() < run(&[]).len());

    let words = ["events", "--follow", "--event", "TaskLaunched", "--master", &master];
    let mut follower = mesolith(&words).stdout(Stdio::piped()).spawn().expect("can be run");
    let mut told = BufReader::new(follower.stdout.take().expect("a pipe"));
    let (done, is_done) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut line = String::new();
        told.read_line(&mut line).expect("text");
        // nobody waits any more if the test has failed
        let _ = done.send(());
        line
    });
    let deadline = Instant::now() + DEADLINE;
    // whoever begins to listen hears of what comes after that
    while is_done.try_recv().is_err() {
        assert!(Instant::now() < deadline, "it hears nothing");
        execute("later");
    }
    let line = reader.join().expect("no panic");
    assert!(line.contains("TaskLaunched") && line.contains("later-"), "{line}");
    follower.kill().expect("our child");
    follower.wait().expect("our child");
    cluster.signal(Signal::SIGTERM);
    cluster.process.wait().expect("our child");
}

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("a bound socket").port().to_string();
    let [agent_port, _] = free_ports();
    let words = ["local", "--port", &port, "--agent-port", &agent_port];
    let output = mesolith(&words).output().expect("mesolith can be run");
    assert_eq!(output.status.code(), Some(1));
    let expected = format!("cannot listen on port {port}, which master-1 needs");
    assert!(text(&output.stderr).contains(&expected), "{}", text(&output.stderr));
}

#[test]
fn a_cluster_that_is_not_there_is_an_error_at_once() {
    let [port, _] = free_ports();
    let master = format!("127.0.0.1:{port}");
    let output = mesolith(&["task", "list", "--master", &master]).output();
    let output = output.expect("mesolith can be run");
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(1), true));
    let error = text(&output.stderr);
    assert!(error.starts_with("mesolith: listing tasks: no master answers: "), "{error}");
}

#[test]
fn a_directory_without_a_journal_cannot_be_replayed() {
    let empty = tempfile::tempdir().expect("a temporary directory");
    let directory = empty.path().to_str().expect("plain text");
    for verb in ["log", "verify"] {
        let output = mesolith(&["replay", verb, directory]).output().expect("mesolith can be run");
        assert_eq!(output.status.code(), Some(2), "{verb}");
        assert!(text(&output.stderr).contains("holds no journal"), "{}", text(&output.stderr));
    }
}
