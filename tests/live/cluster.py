"""A real cluster of processes, started by `mesolith local`, that can be killed and started again."""

import ctypes
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request

PR_SET_CHILD_SUBREAPER = 36
START_SECONDS = 60
STOP_SECONDS = 30


class Cluster:
    """Ends all that it started when it is left, tasks included. Its files stay after an error."""

    def __init__(self, mesolith, masters, agents):
        self.mesolith = mesolith
        self.shape = (masters, agents)
        self.directory = tempfile.mkdtemp(prefix="mesolith-live-")
        # Agents and all that they start have their cgroups here, and nobody else has.
        self.cgroups = f"mesolith-live-{os.getpid()}-{os.path.basename(self.directory)[-8:]}"
        os.environ["MESOLITH_CGROUPS_ROOT"] = self.cgroups
        self.started = []

    def __enter__(self):
        # Tasks of agents that we start again become ours when their agent dies.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        masters, agents = self.shape
        port = free_ports(10 * max(masters, agents) + 2)
        self.local = subprocess.Popen(
            [self.mesolith, "local", "--json"]
            + ["--masters", str(masters), "--agents", str(agents)]
            + ["--port", str(port), "--agent-port", str(port + 1)]
            + ["--work-dir", self.directory],
            stdout=subprocess.PIPE,
        )
        self.started.append(self.local)
        line = self.local.stdout.readline()
        if not line:
            self.stop()
            raise RuntimeError(f"the local cluster did not come up; files are kept in {self.directory}")
        report = json.loads(line)
        self.masters = {member["name"]: member for member in report["masters"]}
        self.agents = {member["name"]: member for member in report["agents"]}
        return self

    def __exit__(self, error=None, *_):
        self.stop()
        if error is None:
            shutil.rmtree(self.directory)
        else:
            print(f"  files are kept in {self.directory}", flush=True)

    def stop(self):
        """Ends every process; the files stay until the cluster is left."""
        for process in self.started:
            if process.poll() is None:
                process.terminate()
        for process in self.started:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        deadline = time.monotonic() + STOP_SECONDS
        while descendants() and time.monotonic() < deadline:
            for pid in descendants():
                kill(pid)
            reap()
            time.sleep(0.05)
        remove_cgroups(self.cgroups)

    def addresses(self):
        return [member["address"] for member in self.masters.values()]

    def leader(self):
        """Name of the leading master, None while there is none."""
        for address in self.addresses():
            try:
                # A follower redirects to the leader, which answers.
                with urllib.request.urlopen(f"http://{address}/state-summary", timeout=2) as answer:
                    address = urllib.parse.urlparse(answer.geturl()).netloc
            except OSError:
                continue
            return next(name for name, it in self.masters.items() if it["address"] == address)
        return None

    def live_tasks(self):
        """Ids of the tasks that have not ended, or whose end is not confirmed; None while nobody leads."""
        output = subprocess.run(
            [self.mesolith, "task", "list", "--json", "--master", ",".join(self.addresses())],
            stdout=subprocess.PIPE,
        )
        if output.returncode:
            return None
        return [task["task_id"] for task in json.loads(output.stdout)]

    def kill(self, name):
        """kill -9, as if the machine's power had gone; it has let go of its port and files when this returns."""
        pid = self.member(name)["pid"]
        kill(pid)
        deadline = time.monotonic() + STOP_SECONDS
        while is_running(pid):
            assert time.monotonic() < deadline, f"{name} does not die"
            time.sleep(0.01)
        self.member(name)["pid"] = None

    def start(self, name):
        """Starts a member that ended again, with the same command line and files; its process."""
        member = self.member(name)
        with open(member["log"], "ab") as log:
            process = subprocess.Popen(member["command"], stdout=log, stderr=log)
        self.started.append(process)
        member["pid"] = process.pid
        return process

    def member(self, name):
        return (self.masters | self.agents)[name]

    def journal(self, master):
        """What a master's journal says: one dict per event."""
        directory = self.masters[master]["work_dir"]
        output = subprocess.run(
            [self.mesolith, "replay", "log", "--json", directory],
            check=True,
            stdout=subprocess.PIPE,
        )
        return [json.loads(line) for line in output.stdout.splitlines()]

    def verify(self, master):
        """Fails unless the journal of a master is sound; gives what `replay verify` found."""
        directory = self.masters[master]["work_dir"]
        output = subprocess.run(
            [self.mesolith, "replay", "verify", "--json", directory],
            check=True,
            stdout=subprocess.PIPE,
        )
        return json.loads(output.stdout)


def free_ports(count):
    """First of so many ports in a row that nobody listens on now."""
    for first in range(20000, 30000, count):
        sockets = []
        try:
            for port in range(first, first + count):
                sockets.append(socket.socket())
                sockets[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sockets[-1].bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for each in sockets:
                each.close()
    raise RuntimeError(f"no {count} free ports in a row")


def remove_cgroups(root):
    """Removes a cgroup from every hierarchy, with all below it."""
    deadline = time.monotonic() + STOP_SECONDS
    tops = glob.glob(f"/sys/fs/cgroup/{root}") + glob.glob(f"/sys/fs/cgroup/*/{root}")
    for top in tops:
        for directory, _, _ in os.walk(top, topdown=False):
            while os.path.isdir(directory):
                try:
                    os.rmdir(directory)
                except OSError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)


def descendants():
    """Every process below this one."""
    children = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as stat:
                parent = int(stat.read().rsplit(b")", 1)[1].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(entry))
    found, open_ends = [], [os.getpid()]
    while open_ends:
        below = children.get(open_ends.pop(), [])
        found += below
        open_ends += below
    return found


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rsplit(b")", 1)[1].split()[0] not in (b"Z", b"X")
    except FileNotFoundError:
        return False


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
