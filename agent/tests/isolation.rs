//! Tasks that try to use more than they may, on a real agent process and the real kernel. They need
//! root, and say so where they are skipped.

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::v1;
use protocol::v1::TaskState::{TaskFailed, TaskFinished, TaskKilled, TaskRunning};
use protocol::v1::task_status::Reason;
use serde_json::{Value, json};
use support::cgroups::{can_be_had, holding, of_containers, read};
use support::http::post;
use support::{AgentProcess, FakeMaster, poll, task};

const MEBIBYTE: u64 = 1 << 20;

/// A master and an agent that has registered with it, with flags of the test's own.
async fn connected(work: &Path, flags: &[&str]) -> (FakeMaster, AgentProcess) {
    let master = FakeMaster::start().await;
    let agent = AgentProcess::start_with(&master, work, flags);
    master.wait_connected(1).await;
    (master, agent)
}

fn with(mut task: v1::TaskInfo, cpus: f64, mem: f64) -> v1::TaskInfo {
    task.resources = vec![v1::Resource::scalar("cpus", cpus), v1::Resource::scalar("mem", mem)];
    task
}

fn limited(mut task: v1::TaskInfo, limits: &[(&str, f64)]) -> v1::TaskInfo {
    let limit =
        |(name, value): &(&str, f64)| ((*name).to_owned(), v1::value::Scalar { value: *value });
    task.limits = limits.iter().map(limit).collect();
    task
}

/// A task of a group with cgroups to itself.
fn apart(mut task: v1::TaskInfo) -> v1::TaskInfo {
    let linux = v1::LinuxInfo { share_cgroups: Some(false), ..Default::default() };
    task.container = Some(v1::ContainerInfo {
        r#type: v1::container_info::Type::Mesos.into(),
        linux_info: Some(linux),
        ..Default::default()
    });
    task
}

/// A script that takes memory, in megabytes.
fn hog(megabytes: u32) -> String {
    format!("exec dd if=/dev/zero of=/dev/null bs={megabytes}M count=1")
}

/// Waits until a task runs, and names its container and the process in it.
async fn running(master: &FakeMaster, id: &str) -> (String, u32) {
    let status = master.wait_state(id, TaskRunning).await;
    let container = status.container_status.expect("a container");
    (container.container_id.expect("an id").value, container.executor_pid.expect("a pid"))
}

/// What the agent says of a container's use.
fn statistics(agent: &AgentProcess, container_id: &str) -> Value {
    let body = post(agent.port, "/api/v1", &json!({ "type": "GET_CONTAINERS" })).json();
    let containers = body["get_containers"]["containers"].as_array().cloned().unwrap_or_default();
    let of = |container: &Value| container["container_id"]["value"] == container_id;
    let found = containers.into_iter().find(of).expect("the container is listed");
    found["resource_statistics"].clone()
}

fn wait_gone(agent: &AgentProcess) {
    poll("end of the cgroups", || of_containers(&agent.cgroups_root).is_empty().then_some(()));
}

fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

/// Waits for a file with a number in it.
fn number_in(file: &PathBuf) -> i32 {
    poll("a number in a file", || std::fs::read_to_string(file).ok()?.trim().parse().ok())
}

fn assert_out_of_memory(status: &v1::TaskStatus, limit_mb: u64) {
    assert_eq!(status.reason(), Reason::ContainerLimitationMemory, "{}", status.message());
    let text = format!("Memory limit exceeded: Requested: {limit_mb}MB Maximum Used: {limit_mb}MB");
    assert!(status.message().starts_with(&text), "{}", status.message());
    let limitation = status.limitation.as_ref().expect("what it was that there was too much of");
    assert_eq!(limitation.resources, [v1::Resource::scalar("mem", limit_mb as f64)]);
}

/// semantics 258
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_too_much_memory_is_ended_and_told_the_numbers() {
    if !can_be_had("who_takes_too_much_memory_is_ended_and_told_the_numbers") {
        return;
    }
    let work = tempfile::tempdir().expect("a temporary directory");
    let (master, agent) = connected(work.path(), &[]).await;
    master.launch(with(task("hog", &hog(200)), 0.1, 64.0)).await;
    assert_out_of_memory(&master.wait_state("hog", TaskFailed).await, 64);
    let child = format!("({}); exec sleep 1000", hog(200));
    master.launch(with(task("child", &child), 0.1, 64.0)).await;
    assert_out_of_memory(&master.wait_state("child", TaskFailed).await, 64);
    let spare = with(task("spare", &hog(20)), 0.1, 64.0);
    master.launch(spare).await;
    master.wait_state("spare", TaskFinished).await;
    wait_gone(&agent);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_memory_is_told_by_an_agent_that_did_not_see_it() {
    if !can_be_had("the_end_of_memory_is_told_by_an_agent_that_did_not_see_it") {
        return;
    }
    let work = tempfile::tempdir().expect("a temporary directory");
    let (master, mut agent) = connected(work.path(), &[]).await;
    let go = work.path().join("go");
    let script = format!("while [ ! -e {} ]; do sleep 0.01; done; {}", go.display(), hog(200));
    master.launch(with(task("late", &script), 0.1, 64.0)).await;
    let (_, pid) = running(&master, "late").await;
    agent.kill();
    std::fs::write(&go, "").expect("written");
    poll("end of the task", || (!is_alive(pid as i32)).then_some(()));
    agent.restart();
    assert_out_of_memory(&master.wait_state("late", TaskFailed).await, 64);
    wait_gone(&agent);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_may_be_higher_than_requests() {
    if !can_be_had("limits_may_be_higher_than_requests") {
        return;
    }
    let work = tempfile::tempdir().expect("a temporary directory");
    let (master, agent) = connected(work.path(), &["--isolation=cgroups/cpu,cgroups/mem"]).await;
    let hello = master.heard.lock().expect("heard").hellos.last().cloned().expect("a hello");
    let limits = v1::agent_info::capability::Type::TaskResourceLimits;
    assert!(hello.capabilities.iter().any(|capability| capability.r#type() == limits));
    let burst = with(task("burst", &hog(200)), 0.5, 64.0);
    master.launch(limited(burst, &[("mem", 128.0), ("cpus", 1.5)])).await;
    assert_out_of_memory(&master.wait_state("burst", TaskFailed).await, 128);
    let free = with(task("free", "cat /proc/self/oom_score_adj; exec sleep 1000"), 0.5, 64.0);
    master.launch(limited(free, &[("mem", f64::INFINITY), ("cpus", 1.5)])).await;
    let (container, _) = running(&master, "free").await;
    let told = statistics(&agent, &container);
    assert_eq!(told["mem_soft_limit_bytes"], 64 * MEBIBYTE, "{told}");
    assert!(told["mem_limit_bytes"].is_null(), "{told}");
    assert_eq!((&told["cpus_soft_limit"], &told["cpus_limit"]), (&json!(0.5), &json!(1.5)));
    let runs = work.path().join("slaves/cluster-S0/frameworks/F-0001/executors/free/runs/latest");
    let score = number_in(&runs.join("stdout"));
    assert!((2..1000).contains(&score), "who may use more goes sooner: {score}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_bomb_gets_no_further_than_its_limit() {
    if !can_be_had("a_fork_bomb_gets_no_further_than_its_limit") {
        return;
    }
    let work = tempfile::tempdir().expect("a temporary directory");
    let (master, agent) = connected(work.path(), &["--cgroups_pids_max=40"]).await;
    // each forks for as long as it can, and then waits
    let bomb = "bomb() { (bomb) & (bomb) & wait; sleep 1000; }; bomb";
    master.launch(with(task("bomb", bomb), 0.1, 64.0)).await;
    let (container, _) = running(&master, "bomb").await;
    let group = holding(&agent.cgroups_root, &container, "pids.max");
    assert_eq!(read(&group, "pids.max"), "40");
    let refused = || {
        let events = read(&group, "pids.events");
        events.split_whitespace().last().and_then(|count| count.parse::<u64>().ok())
    };
    poll("a fork that is refused", || refused().filter(|count| *count > 0));
    let count: u64 = read(&group, "pids.current").parse().expect("a number");
    assert!(count <= 40, "{count}");
    master.kill("bomb", Some(Duration::ZERO)).await;
    master.wait_state("bomb", TaskKilled).await;
    wait_gone(&agent);
    let mut many = with(task("many", "exec sleep 1000"), 0.1, 64.0);
    many.resources.push(v1::Resource::scalar("pids", 77.0));
    master.launch(many).await;
    let (container, _) = running(&master, "many").await;
    let group = holding(&agent.cgroups_root, &container, "pids.max");
    assert_eq!(read(&group, "pids.max"), "77", "it asked for as many");
    assert_eq!(statistics(&agent, &container)["processes"], 1);
}

/// Judged by the kernel's own count of the times at which the task had to wait, whatever the time was.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_too_much_of_the_processors_has_to_wait() {
    if !can_be_had("who_takes_too_much_of_the_processors_has_to_wait") {
        return;
    }
    let work = tempfile::tempdir().expect("a temporary directory");
    let (master, agent) = connected(work.path(), &["--cgroups_enable_cfs"]).await;
    master.launch(with(task("burner", "while :; do :; done"), 0.1, 32.0)).await;
    let (container, _) = running(&master, "burner").await;
    let group = holding(&agent.cgroups_root, &container, "cpu.stat");
    let throttled = || {
        let stat = read(&group, "cpu.stat");
        let line = stat.lines().find_map(|line| line.strip_prefix("nr_throttled "));
        line.and_then(|count| count.parse::<u64>().ok()).filter(|count| *count >= 3)
    };
    let count = poll("throttling", throttled);
    let told = statistics(&agent, &container);
    assert!(told["cpus_nr_throttled"].as_u64().is_some_and(|told| told >= count), "{told}");
    assert!(told["cpus_user_time_secs"].as_f64().is_some_and(|time| time > 0.0), "{told}");
    assert_eq!(told["cpus_limit"], 0.1);
    master.kill("burner", Some(Duration::ZERO)).await;
    master.wait_state("burner", TaskKilled).await;
    wait_gone(&agent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_ends_with_its_task_even_if_its_shim_was_killed() {
    if !can_be_had("a_daemon_ends_with_its_task_even_if_its_shim_was_killed") {
        return;
    }
    let work = tempfile::tempdir().expect("a temporary directory");
    let (master, mut agent) = connected(work.path(), &[]).await;
    let pid_file = work.path().join("daemon");
    // a session of its own, and no parent of the container's
    let daemon = format!(
        "(setsid sh -c 'echo $$ > {0}.new; mv {0}.new {0}; exec sleep 1000' &)",
        pid_file.display()
    );
    let wait = format!("while [ ! -e {} ]; do sleep 0.01; done", pid_file.display());
    master.launch(task("ends", &format!("{daemon}; {wait}"))).await;
    master.wait_state("ends", TaskFinished).await;
    assert!(!is_alive(number_in(&pid_file)), "it went with its task");
    std::fs::remove_file(&pid_file).expect("removed");
    master.launch(task("orphan", &format!("{daemon}; exec sleep 1000"))).await;
    let (container, first) = running(&master, "orphan").await;
    let pid = number_in(&pid_file);
    let entered = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("a process");
    assert!(entered.contains(&agent.cgroups_root), "{entered}");
    agent.kill();
    let stat = std::fs::read_to_string(format!("/proc/{first}/stat")).expect("a process");
    let shim = stat.rsplit(')').next().and_then(|rest| rest.split(' ').nth(2)).expect("a parent");
    std::process::Command::new("kill").args(["-9", shim]).status().expect("killed");
    poll("end of the first process", || (!is_alive(first as i32)).then_some(()));
    assert!(is_alive(pid), "nobody is left to end the daemon");
    agent.restart();
    let status = master.wait_state("orphan", TaskFailed).await;
    assert_eq!(status.reason(), Reason::ExecutorTerminated);
    assert!(!is_alive(pid), "the next agent did, by the cgroup of {container}");
    wait_gone(&agent);
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_of_a_group_share_cgroups_unless_they_want_their_own() {
    if !can_be_had("tasks_of_a_group_share_cgroups_unless_they_want_their_own") {
        return;
    }
    let work = tempfile::tempdir().expect("a temporary directory");
    let (master, agent) = connected(work.path(), &["--cgroups_enable_cfs"]).await;
    let waits = |id: &str| with(task(id, "exec sleep 1000"), 0.5, 64.0);
    master.launch_group("shared", vec![waits("a"), waits("b")]).await;
    let mut parents = Vec::new();
    for id in ["a", "b"] {
        let (_, pid) = running(&master, id).await;
        let entered = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("a process");
        let memory = entered.lines().find(|line| line.contains(":memory:")).map(str::to_owned);
        parents.push(memory);
    }
    assert_eq!(parents[0], parents[1], "they are in one");
    let status = master.wait_state("a", TaskRunning).await;
    let container = status.container_status.and_then(|status| status.container_id);
    let parent = container.and_then(|id| id.parent).expect("a parent").value;
    let memory = holding(&agent.cgroups_root, &parent, "memory.stat");
    let limit = ["memory.limit_in_bytes", "memory.max"].map(|file| read(&memory, file)).concat();
    assert_eq!(limit, (160 * MEBIBYTE).to_string(), "of the executor and both tasks");
    let own = [apart(waits("c")), apart(waits("d"))].map(|task| limited(task, &[("mem", 96.0)]));
    master.launch_group("apart", own.to_vec()).await;
    for id in ["c", "d"] {
        let (container, _) = running(&master, id).await;
        let memory = holding(&agent.cgroups_root, &container, "memory.stat");
        let files = ["memory.limit_in_bytes", "memory.max"];
        assert_eq!(files.map(|file| read(&memory, file)).concat(), (96 * MEBIBYTE).to_string());
    }
    for id in ["a", "c"] {
        master.kill(id, Some(Duration::ZERO)).await;
    }
    for id in ["a", "b", "c", "d"] {
        master.wait_state(id, TaskKilled).await;
    }
    wait_gone(&agent);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_task_of_a_group_that_takes_too_much_ends_those_it_shares_with() {
    if !can_be_had("one_task_of_a_group_that_takes_too_much_ends_those_it_shares_with") {
        return;
    }
    let work = tempfile::tempdir().expect("a temporary directory");
    let (master, agent) = connected(work.path(), &[]).await;
    // one that is killed before it runs is told about otherwise
    let both = work.path().join("both").display().to_string();
    let waits = with(task("waits", &format!("touch {both}; exec sleep 1000")), 0.1, 32.0);
    let hogs = format!("while [ ! -e {both} ]; do sleep 0.01; done; {}", hog(300));
    master.launch_group("pod", vec![with(task("hog", &hogs), 0.1, 32.0), waits]).await;
    // 32 of each task and 32 of the executor
    assert_out_of_memory(&master.wait_state("hog", TaskFailed).await, 96);
    assert_out_of_memory(&master.wait_state("waits", TaskFailed).await, 96);
    let waits = apart(with(task("waits-apart", "exec sleep 1000"), 0.1, 32.0));
    let hogs = apart(with(task("hog-apart", &hog(300)), 0.1, 32.0));
    master.launch_group("pod-apart", vec![hogs, waits]).await;
    assert_out_of_memory(&master.wait_state("hog-apart", TaskFailed).await, 32);
    master.wait_state("waits-apart", TaskKilled).await;
    wait_gone(&agent);
}

/// A task that sees the machine's processes.
fn seeing_all(mut task: v1::TaskInfo) -> v1::TaskInfo {
    let linux = v1::LinuxInfo { share_pid_namespace: Some(true), ..Default::default() };
    task.container = Some(v1::ContainerInfo {
        r#type: v1::container_info::Type::Mesos.into(),
        linux_info: Some(linux),
        ..Default::default()
    });
    task
}

/// What a task has said, once it has said anything.
fn output(work: &Path, id: &str) -> String {
    let executors = work.join("slaves/cluster-S0/frameworks/F-0001/executors");
    let file = executors.join(id).join("runs/latest/stdout");
    poll("output", || std::fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n')))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_sees_and_reaches_no_processes_but_its_own() {
    if !can_be_had("a_container_sees_and_reaches_no_processes_but_its_own") {
        return;
    }
    let work = tempfile::tempdir().expect("a temporary directory");
    let (master, _agent) = connected(work.path(), &["--isolation=namespaces/pid"]).await;
    let mut neighbour = std::process::Command::new("sleep").arg("1000").spawn().expect("started");
    let kill = format!("kill -9 {}", neighbour.id());
    let script = format!("{kill} && exit 1; echo /proc/[0-9]*; echo $$; exit 7");
    master.launch(task("sees", &script)).await;
    let status = master.wait_state("sees", TaskFailed).await;
    assert_eq!(status.message(), "Command exited with status 7", "as the program ended");
    let seen = output(work.path(), "sees");
    assert_eq!(seen, "/proc/1 /proc/2\n2\n", "its first process and its program");
    assert!(neighbour.try_wait().expect("asked").is_none());
    master.launch(seeing_all(task("sees-all", &kill))).await;
    master.wait_state("sees-all", TaskFinished).await;
    assert!(!neighbour.wait().expect("ended").success(), "who sees it can kill it");
}

/// By the namespace alone, without the help of cgroups.
#[tokio::test(flavor = "multi_thread")]
async fn a_container_with_process_ids_of_its_own_ends_as_any_other() {
    if !can_be_had("a_container_with_process_ids_of_its_own_ends_as_any_other") {
        return;
    }
    let work = tempfile::tempdir().expect("a temporary directory");
    let flags = ["--isolation=namespaces/pid", "--launcher=posix"];
    let (master, mut agent) = connected(work.path(), &flags).await;
    master.launch(task("signal", "kill -15 $$")).await;
    let status = master.wait_state("signal", TaskFailed).await;
    assert_eq!(status.message(), "Command terminated with signal Terminated");
    let mut missing = task("missing", "no-such-program");
    missing.command.as_mut().expect("a command").shell = Some(false);
    master.launch(missing).await;
    let status = master.wait_state("missing", TaskFailed).await;
    assert_eq!(status.reason(), Reason::ContainerLaunchFailed, "{}", status.message());
    let trap = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done";
    master.launch(task("asked", trap)).await;
    master.wait_state("asked", TaskRunning).await;
    assert_eq!(output(work.path(), "asked"), "ready\n");
    master.kill("asked", Some(support::DEADLINE)).await;
    let status = master.wait_state("asked", TaskKilled).await;
    assert_eq!(status.message(), "Command exited with status 3", "it had its time");
    // a daemon of a session of its own, found on the machine by what it waits for
    let seconds = format!("4815{}", std::process::id());
    let line = format!("sleep\0{seconds}\0");
    let daemons = || {
        let entries = std::fs::read_dir("/proc").expect("processes").flatten();
        let lines = entries.map(|it| std::fs::read(it.path().join("cmdline")).unwrap_or_default());
        lines.filter(|known| *known == line.as_bytes()).count()
    };
    master.launch(task("daemon", &format!("setsid sleep {seconds} & exec sleep 1000"))).await;
    let (_, first) = running(&master, "daemon").await;
    poll("the daemon", || (daemons() == 1).then_some(()));
    agent.kill();
    let stat = std::fs::read_to_string(format!("/proc/{first}/stat")).expect("a process");
    let shim = stat.rsplit(')').next().and_then(|rest| rest.split(' ').nth(2)).expect("a parent");
    std::process::Command::new("kill").args(["-9", shim]).status().expect("killed");
    poll("end of the daemon", || (daemons() == 0).then_some(()));
    agent.restart();
    master.wait_state("daemon", TaskFailed).await;
}

/// No kernel is needed for it: the agent looks, and the task never ends by itself.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_too_much_of_the_disk_is_ended_and_told_the_numbers() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let isolation = "--isolation=posix/cpu,posix/mem,disk/du";
    let flags = [isolation, "--container_disk_watch_interval=20ms"];
    let enforced = [flags[0], flags[1], "--enforce_container_disk_quota"];
    let (master, mut agent) = connected(&work.path().join("a"), &enforced).await;
    let sized = |id: &str, script: &str| {
        let mut task = with(task(id, script), 0.1, 32.0);
        task.resources.push(v1::Resource::scalar("disk", 8.0));
        task
    };
    let fills = |megabytes: u32| {
        format!("dd if=/dev/zero of=file bs=1M count={megabytes}; exec sleep 1000")
    };
    master.launch(sized("little", &fills(4))).await;
    let (little, pid) = running(&master, "little").await;
    let used = || statistics(&agent, &little)["disk_used_bytes"].as_u64();
    poll("a look at the disk", || used().filter(|used| *used >= 4 * MEBIBYTE));
    assert_eq!(statistics(&agent, &little)["disk_limit_bytes"], 8 * MEBIBYTE);
    agent.restart();
    master.wait_connected(2).await;
    master.launch(sized("much", &fills(16))).await;
    let status = master.wait_state("much", TaskFailed).await;
    assert_eq!(status.reason(), Reason::ContainerLimitationDisk, "{}", status.message());
    assert!(status.message().ends_with("exceeds quota (8MB)"), "{}", status.message());
    let limitation = status.limitation.as_ref().expect("what there was too much of");
    assert_eq!(limitation.resources, [v1::Resource::scalar("disk", 8.0)]);
    assert!(is_alive(pid as i32), "who kept to it runs on");
    let sandbox =
        agent.work_dir.join("slaves/cluster-S0/frameworks/F-0001/executors/little/runs/latest");
    std::fs::write(sandbox.join("later"), vec![1; 8 * MEBIBYTE as usize]).expect("written");
    master.wait_state("little", TaskFailed).await;
    let (master, agent) = connected(&work.path().join("b"), &flags).await;
    master.launch(sized("free", &fills(16))).await;
    let (free, _) = running(&master, "free").await;
    let used = || statistics(&agent, &free)["disk_used_bytes"].as_u64();
    poll("a look at the disk", || used().filter(|used| *used >= 16 * MEBIBYTE));
    assert_eq!(master.heard.lock().expect("heard").states("free").last(), Some(&TaskRunning));
}

#[tokio::test(flavor = "multi_thread")]
async fn cgroups_of_nobody_are_removed_at_the_start_and_those_of_others_are_left() {
    if !can_be_had("cgroups_of_nobody_are_removed_at_the_start_and_those_of_others_are_left") {
        return;
    }
    let work = tempfile::tempdir().expect("a temporary directory");
    let (master, mut agent) = connected(work.path(), &[]).await;
    master.launch(task("stays", "exec sleep 1000")).await;
    let (container, pid) = running(&master, "stays").await;
    agent.kill();
    let memory = holding(&agent.cgroups_root, &container, "memory.stat");
    let place = memory.parent().expect("the agent's place").to_owned();
    let unknown = place.join("4a8c5d38-0000-4000-8000-000000000000/nested");
    let others = place.with_file_name("another-agent").join("container");
    for directory in [&unknown, &others] {
        std::fs::create_dir_all(directory).expect("made");
    }
    let mut stray = std::process::Command::new("sleep").arg("1000").spawn().expect("started");
    std::fs::write(unknown.join("cgroup.procs"), stray.id().to_string()).expect("entered");
    agent.restart();
    master.wait_connected(2).await;
    assert!(!stray.wait().expect("ended").success(), "what runs there is nobody's");
    assert!(!unknown.parent().expect("a parent").exists() && others.exists());
    assert!(is_alive(pid as i32) && memory.exists(), "what is known runs on");
    master.kill("stays", Some(Duration::ZERO)).await;
    master.wait_state("stays", TaskKilled).await;
    poll("removal", || (!memory.exists()).then_some(()));
}

/// An agent that cannot do what it is told to says what is missing, and one that was told nothing does
/// without.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_an_error_only_if_it_was_asked_for() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let nowhere = work.path().join("nowhere");
    let hierarchy = format!("--cgroups_hierarchy={}", nowhere.display());
    let (master, agent) = connected(&work.path().join("a"), &[&hierarchy]).await;
    let hello = master.heard.lock().expect("heard").hellos.last().cloned().expect("a hello");
    let limits = v1::agent_info::capability::Type::TaskResourceLimits;
    assert!(!hello.capabilities.iter().any(|capability| capability.r#type() == limits));
    master.launch(task("plain", "true")).await;
    master.wait_state("plain", TaskFinished).await;
    master.launch_group("pod", vec![apart(task("apart", "true"))]).await;
    let status = master.wait_state("apart", TaskFailed).await;
    assert!(status.message().contains("cgroups of a task's own"), "{}", status.message());
    drop(agent);
    let master = FakeMaster::start().await;
    for flag in ["--isolation=cgroups/mem", "--launcher=linux"] {
        let text = AgentProcess::failure(&master, &work.path().join("b"), &[&hierarchy, flag]);
        assert!(text.contains(flag) && text.contains("no cgroups are mounted"), "{text}");
    }
}
