"""A custom executor of pymesos runs tasks in its own process."""

import os
import sys

from client import Client, scalar
from cluster import Cluster

PROGRAM = os.path.join(os.path.dirname(os.path.dirname(__file__)), "echo_executor.py")


def run(mesolith, dice):
    with Cluster(mesolith, masters=1, agents=1) as cluster:
        executor = {
            "executor_id": {"value": "echo"},
            "command": {"shell": True, "value": f"exec {sys.executable} {PROGRAM}"},
            "resources": [scalar("cpus", 0.1), scalar("mem", 32)],
        }
        with Client(cluster.addresses()) as client:
            client.wait("a registration", lambda: client.registrations)
            for number in range(3):
                client.run(f"word-{number}", None, executor=executor)
                info = client.tasks[f"word-{number}"].info
                del info["command"]
            client.wait_ended(60)
            states = {task_id: task.state for task_id, task in client.tasks.items()}
            assert set(states.values()) == {"TASK_FINISHED"}, states
            for task in client.tasks.values():
                assert [state for state, _, _ in task.updates] == ["TASK_RUNNING", "TASK_FINISHED"]
            launched = [it for it in cluster.journal("master-1") if it["event"] == "TaskLaunched"]
            assert {it["executor_id"] for it in launched} == {"echo"}, launched
