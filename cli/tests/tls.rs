//! A cluster that speaks TLS alone: three masters among themselves, an agent with them, and commands.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long anything may take that should happen soon.
const DEADLINE: Duration = Duration::from_secs(60);

/// Processes that end with the test, whatever its outcome.
struct Cluster {
    processes: Vec<Child>,
    masters: String,
    dir: tempfile::TempDir,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A certificate for this machine's loopback address, and its key, as files.
fn certificate(dir: &Path) -> [PathBuf; 2] {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let files = ["cert.pem", "key.pem"].map(|name| dir.join(name));
    std::fs::write(&files[0], made.cert.pem()).expect("written");
    std::fs::write(&files[1], made.signing_key.serialize_pem()).expect("written");
    files
}

fn mesolith(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mesolith"));
    command.args(words);
    command
}

impl Cluster {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let [certificate, key] = certificate(dir.path());
        let listeners = [0; 4].map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let ports = listeners.map(|it| it.local_addr().expect("bound").port().to_string());
        let [first, second, third, agent] = &ports;
        let masters = [first, second, third].map(|port| format!("127.0.0.1:{port}")).join(",");
        let mut cluster = Self { processes: Vec::new(), masters, dir };
        for port in [first, second, third] {
            cluster.spawn("master", port, &[&certificate, &key], "--masters");
        }
        cluster.spawn("agent", agent, &[&certificate, &key], "--master");
        cluster
    }

    fn spawn(&mut self, kind: &str, port: &str, [certificate, key]: &[&PathBuf; 2], list: &str) {
        let work_dir = self.dir.path().join(format!("{kind}-{port}"));
        let mut command = mesolith(&[kind, "--ip", "127.0.0.1", "--port", port]);
        command.arg("--work-dir").arg(&work_dir).args([list, &self.masters]);
        command.arg("--ssl-cert-file").arg(certificate).arg("--ssl-key-file").arg(key);
        command.arg("--ssl-ca-file").arg(certificate).stderr(Stdio::null());
        self.processes.push(command.spawn().expect("mesolith can be run"));
    }

    /// A command of a client that believes this certificate.
    fn ask(&self, words: &[&str], trusted: &Path) -> Output {
        let mut command = mesolith(words);
        command.args(["--master", &self.masters]).arg("--ssl-ca-file").arg(trusted);
        command.output().expect("mesolith can be run")
    }
}

fn check(output: &Output, stdout: &str) {
    let shown = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && shown.contains(stdout), "{shown}\n{said}");
}

#[test]
fn a_cluster_can_speak_tls_alone() {
    let cluster = Cluster::start();
    let certificate = cluster.dir.path().join("cert.pem");
    let deadline = Instant::now() + DEADLINE;
    while !cluster.ask(&["quorum", "show"], &certificate).status.success() {
        assert!(Instant::now() < deadline, "the masters find one another");
        sleep(Duration::from_millis(50));
    }
    let mut execute = mesolith(&["execute", "--master", &cluster.masters, "--ssl-ca-file"]);
    let executed = execute.arg(&certificate).arg("echo sealed").output();
    check(&executed.expect("mesolith can be run"), "sealed\n");
    check(&cluster.ask(&["task", "list", "--all"], &certificate), "TASK_FINISHED");

    // somebody else's certificate is not believed, and plain text is not understood
    let elsewhere = tempfile::tempdir().expect("a directory");
    let [foreign, _] = self::certificate(elsewhere.path());
    let refused = cluster.ask(&["agent", "list"], &foreign);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("certificate"), "{said}");
    let first = cluster.masters.split(',').next().expect("a master");
    let mut plain = TcpStream::connect(first).expect("connected");
    plain.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").expect("written");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
}
