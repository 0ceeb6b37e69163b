//! A master, agents that are killed, and an operator who gives them up.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long anything may take that should happen soon.
const DEADLINE: Duration = Duration::from_secs(60);

/// A process that ends with the test, whatever its outcome.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(dir: &tempfile::TempDir, words: &[&str]) -> Process {
    let work_dir = dir.path().join(words.join("").replace('/', ""));
    let mut command = Command::new(env!("CARGO_BIN_EXE_mesolith"));
    command.args(words).arg("--ip").arg("127.0.0.1").arg("--work-dir").arg(work_dir);
    Process(command.stderr(Stdio::null()).spawn().expect("mesolith can be run"))
}

fn ask(words: &[&str], master: &str) -> Option<serde_json::Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mesolith"));
    command.args(words).args(["--json", "--master", master]);
    let output = command.output().expect("mesolith can be run");
    output.status.success().then(|| serde_json::from_slice(&output.stdout).expect("JSON"))
}

/// What a command says once it lists so many.
fn eventually(words: &[&str], master: &str, count: usize) -> serde_json::Value {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let said = ask(words, master);
        if let Some(said) = &said
            && said.as_array().map(Vec::len) == Some(count)
        {
            return said.clone();
        }
        assert!(Instant::now() < deadline, "{words:?} does not list {count}: {said:?}");
        sleep(Duration::from_millis(50));
    }
}

/// gaps 47
#[test]
fn agents_that_a_limit_holds_back_are_listed_and_given_up() {
    let dir = tempfile::tempdir().expect("a directory");
    let listeners = [0; 3].map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    let [port, first, second] =
        listeners.map(|it| it.local_addr().expect("bound").port().to_string());
    let master = format!("127.0.0.1:{port}");
    let limits = ["--agent-removal-rate-limit=1/1weeks", "--agent-reregister-timeout=1ms"];
    let _master = start(&dir, &[["master", "--port", &port].as_slice(), &limits].concat());
    let agents =
        [first, second].map(|port| start(&dir, &["agent", "--port", &port, "--master", &master]));
    eventually(&["agent", "list"], &master, 2);
    drop(agents);
    let held = eventually(&["agent", "held"], &master, 1);
    assert_eq!(ask(&["agent", "give-up", "nobody"], &master), None);
    let id = held[0]["agent_id"].as_str().expect("an id");
    let given_up = ask(&["agent", "give-up", id], &master);
    assert_eq!(given_up.expect("an answer")[0]["agent_id"], id);
    eventually(&["agent", "held"], &master, 0);
    eventually(&["agent", "list"], &master, 0);
}
