//! From a fork to the container's own program: session, files, limits, user, exec.

use std::convert::Infallible;
use std::ffi::CString;
use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::unistd::{
    Gid, Pid, Uid, dup2_stderr, dup2_stdin, dup2_stdout, execve, pipe2, setgid, setgroups, setsid,
    setuid,
};

use super::init;
use super::spec::{Credentials, Limit, Spec};
use crate::kernel;

/// Where programs are looked for when the environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Longest account of a failed start that is read back from the child.
const FAILURE_LIMIT_BYTES: u64 = 4096;

/// A container that runs.
pub(super) struct Started {
    /// Its first process.
    pub(super) pid: Pid,
    /// Tells how the program ended once the first process has, if that is another.
    pub(super) status: Option<File>,
}

/// Starts the program of `spec`, and returns once it has been exec'd.
///
/// Errors say which step failed; then no process is left.
pub(super) fn start(spec: &Spec) -> io::Result<Started> {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
    let status = spec.has_own_pids.then(|| pipe2(OFlag::O_CLOEXEC)).transpose()?;
    if status.is_some() {
        init::announce()?;
    }
    let Some(pid) = kernel::fork_single_threaded()? else {
        if let Some((_, status)) = status {
            init::run(spec, writer, status);
        }
        let Err(failure) = enter_cgroups(spec).and_then(|()| become_program(spec));
        report_and_exit(writer, &failure);
    };
    drop(writer);
    let status = status.map(|(status, _)| File::from(status));
    let mut failure = String::new();
    File::from(reader).take(FAILURE_LIMIT_BYTES).read_to_string(&mut failure)?;
    if failure.is_empty() {
        return Ok(Started { pid, status });
    }
    nix::sys::wait::waitpid(pid, None)?;
    Err(io::Error::other(failure))
}

#[expect(clippy::exit, reason = "a forked child must not return into the shim's own work")]
pub(super) fn report_and_exit(writer: OwnedFd, failure: &str) -> ! {
    // If even this fails, the parent sees a program that was started and ended with 127.
    let _ = File::from(writer).write_all(failure.as_bytes());
    std::process::exit(127)
}

/// Puts this process, and all that it will fork, where it is held to its limits.
pub(super) fn enter_cgroups(spec: &Spec) -> Result<(), String> {
    for entrance in &spec.cgroups {
        fs::write(entrance, "0").map_err(|error| {
            format!("cannot enter the cgroup by {}: {error}", entrance.display())
        })?;
    }
    if let Some(score) = spec.oom_score {
        fs::write("/proc/self/oom_score_adj", score.to_string())
            .map_err(say("cannot set the score for when memory runs out"))?;
    }
    Ok(())
}

pub(super) fn become_program(spec: &Spec) -> Result<Infallible, String> {
    setsid().map_err(say("cannot make a session"))?;
    kernel::reset_signal_actions().map_err(say("cannot reset signals"))?;
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
        .map_err(say("cannot unblock signals"))?;
    redirect(&spec.directory)?;
    std::env::set_current_dir(&spec.directory).map_err(say("cannot enter the sandbox"))?;
    for limit in &spec.limits {
        apply(*limit)?;
    }
    if let Some(user) = &spec.user {
        switch_to(user).map_err(say("cannot switch to the task's user"))?;
    }
    // After the switch, which clears it: a shim that is killed must not leave its container behind.
    set_pdeathsig(Signal::SIGKILL).map_err(say("cannot tie the program to its shim"))?;
    execute(spec)
}

pub(super) fn say<E: Display>(what: &str) -> impl FnOnce(E) -> String {
    move |error| format!("{what}: {error}")
}

/// Opens the sandbox's files as the container's standard streams. A link in their place, planted by
/// an archive, is not followed.
fn redirect(sandbox: &Path) -> Result<(), String> {
    let open = |name: &str| {
        OpenOptions::new()
            .append(true)
            .create(true)
            .custom_flags(libc::O_NOFOLLOW)
            .open(sandbox.join(name))
            .map_err(|error| format!("cannot open the sandbox file {name}: {error}"))
    };
    let null = File::open("/dev/null").map_err(say("cannot open /dev/null"))?;
    dup2_stdin(&null).map_err(say("cannot redirect stdin"))?;
    dup2_stdout(&open("stdout")?).map_err(say("cannot redirect stdout"))?;
    dup2_stderr(&open("stderr")?).map_err(say("cannot redirect stderr"))
}

fn apply(limit: Limit) -> Result<(), String> {
    kernel::set_resource_limit(limit.resource, limit.soft, limit.hard).map_err(|error| {
        format!("cannot set resource limit {} to {}: {error}", limit.resource, limit.soft)
    })
}

fn switch_to(user: &Credentials) -> nix::Result<()> {
    let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
    setgroups(&groups)?;
    setgid(Gid::from_raw(user.group))?;
    setuid(Uid::from_raw(user.user))
}

fn execute(spec: &Spec) -> Result<Infallible, String> {
    let name = spec.arguments.first().ok_or("no program to run")?;
    let text = |text: &str| {
        CString::new(text).map_err(|_| format!("'{}' holds a NUL byte", text.escape_default()))
    };
    let arguments: Vec<CString> =
        spec.arguments.iter().map(|argument| text(argument)).collect::<Result<_, _>>()?;
    let environment: Vec<CString> = spec
        .environment
        .iter()
        .map(|(name, value)| text(&format!("{name}={value}")))
        .collect::<Result<_, _>>()?;
    let mut last = format!("cannot run '{name}': no such program in PATH");
    for candidate in candidates(name, &spec.environment) {
        let path = text(&candidate.to_string_lossy())?;
        let Err(error) = execve(&path, &arguments, &environment);
        let skipped = matches!(error, nix::Error::ENOENT | nix::Error::ENOTDIR);
        last = format!("cannot run '{}': {}", candidate.display(), error.desc());
        if !skipped {
            break;
        }
    }
    Err(last)
}

/// The files that a program's name may mean, as a shell looks for them.
fn candidates(name: &str, environment: &[(String, String)]) -> Vec<PathBuf> {
    if name.contains('/') {
        return vec![PathBuf::from(name)];
    }
    let path = environment.iter().rev().find(|(key, _)| key == "PATH");
    let path = path.map_or(DEFAULT_PATH, |(_, value)| value.as_str());
    path.split(':').map(|directory| Path::new(directory).join(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, path: Option<&str>, expected: &[&str]) {
        let environment: Vec<_> =
            path.map(|path| ("PATH".to_owned(), path.to_owned())).into_iter().collect();
        let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
        assert_eq!(candidates(name, &environment), expected);
    }

    #[test]
    fn programs_are_found_as_a_shell_finds_them() {
        check("/bin/true", Some("/a:/b"), &["/bin/true"]);
        check("./run", Some("/a:/b"), &["./run"]);
        check("run", Some("/a:/b"), &["/a/run", "/b/run"]);
        let default: Vec<String> =
            DEFAULT_PATH.split(':').map(|directory| format!("{directory}/run")).collect();
        check("run", None, &default.iter().map(String::as_str).collect::<Vec<_>>());
    }
}
