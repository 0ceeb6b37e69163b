"""Two pods on one default executor: their agent dies, a task fails meanwhile, and takes only its own group with it."""

import os
import subprocess

from client import Client, Ledger, scalar
from cluster import Cluster

EXECUTOR = "pod"


def run(mesolith, dice):
    with Cluster(mesolith, masters=1, agents=1) as cluster:
        marks = os.path.join(cluster.directory, "marks")
        go = os.path.join(cluster.directory, "go")
        os.mkdir(marks)
        with Client(cluster.addresses()) as client:
            client.hoard = True
            client.wait("a registration", lambda: client.registrations)
            fails = f"while [ ! -e {go} ]; do sleep 0.05; done; exit 1"
            groups = {
                "first": {"fails": fails, "goes-with-it": waits(marks, "goes-with-it")},
                "second": {"stays": waits(marks, "stays"), "ends-well": f"echo $$ >> {marks}/ends-well; echo well"},
            }
            for commands in groups.values():
                client.wait("an offer", lambda: client.offers)
                launch(client, commands)
                for task_id in commands:
                    client.wait(f"{task_id} to run", lambda: "TASK_RUNNING" in states(client, task_id))
            client.wait_state("ends-well", "TASK_FINISHED")
            assert log(cluster, "ends-well") == "well\n"
            cluster.kill("agent-1")
            open(go, "w").close()
            cluster.start("agent-1")
            client.wait_state("fails", "TASK_FAILED", 60)
            client.wait_state("goes-with-it", "TASK_KILLED")
            assert client.tasks["stays"].state == "TASK_RUNNING", client.summary()
            assert client.call(client.driver.killTask, {"value": "stays"})
            client.wait_state("stays", "TASK_KILLED")
            for task_id in ("goes-with-it", "stays", "ends-well"):
                with open(os.path.join(marks, task_id)) as lines:
                    assert len(lines.readlines()) == 1, f"{task_id} ran once"
            refuse(client)
            client.wait("the executor's end", lambda: events(cluster, "ExecutorEnded"))
        launched = events(cluster, "GroupLaunched")
        assert [it["executor_id"] for it in launched] == [EXECUTOR, EXECUTOR], launched
        cluster.stop()
        cluster.verify("master-1")


def waits(marks, task_id):
    return f"echo $$ >> {marks}/{task_id}; exec sleep 600"


def events(cluster, name):
    return [it for it in cluster.journal("master-1") if it["event"] == name]


def log(cluster, task_id):
    output = subprocess.run(
        [cluster.mesolith, "task", "log", "--master", ",".join(cluster.addresses()), task_id],
        check=True,
        stdout=subprocess.PIPE,
    )
    return output.stdout.decode()


def states(client, task_id):
    return [state for state, _, _ in client.tasks[task_id].updates]


def refuse(client):
    """A group in which one task has a fault is an error as a whole."""
    client.wait("an offer", lambda: client.offers)
    launch(client, {"good": "true", "too-large": "true"}, cpus={"too-large": 100_000})
    for task_id in ("good", "too-large"):
        client.wait("a refusal", lambda: client.tasks[task_id].answers)
        expected = ("TASK_ERROR", "REASON_TASK_GROUP_INVALID")
        assert client.tasks[task_id].answers[-1] == expected, client.tasks[task_id].answers


def launch(client, commands, cpus=None):
    """Launches a group on every offer that is on the table."""
    with client.changed:
        offers, client.offers = list(client.offers.values()), {}
        infos = [
            {
                "task_id": {"value": task_id},
                "name": task_id,
                "agent_id": offers[0]["agent_id"],
                "command": {"shell": True, "value": command},
                "resources": [scalar("cpus", (cpus or {}).get(task_id, 0.01)), scalar("mem", 8)],
            }
            for task_id, command in commands.items()
        ]
        for info in infos:
            client.tasks[info["task_id"]["value"]] = Ledger(info)
            client.tasks[info["task_id"]["value"]].asked = True
    executor = {
        "type": "DEFAULT",
        "executor_id": {"value": EXECUTOR},
        "framework_id": {"value": client.framework_id},
        "resources": [scalar("cpus", 0.1), scalar("mem", 32), scalar("disk", 16)],
    }
    group = {"executor": executor, "task_group": {"tasks": infos}}
    operation = {"type": "LAUNCH_GROUP", "launch_group": group}
    ids = [offer["id"] for offer in offers]
    assert client.call(client.driver.acceptOffers, ids, [operation], {"refuse_seconds": 0})
