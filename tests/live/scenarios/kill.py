"""Tasks are killed: those that listen to SIGTERM, those that do not, and those that nobody knows."""

import time

from client import Client
from cluster import Cluster


def run(mesolith, dice):
    with Cluster(mesolith, masters=1, agents=1) as cluster:
        with Client(cluster.addresses()) as client:
            client.wait("a registration", lambda: client.registrations)
            client.run("listens", "sleep 600")
            policy = {"grace_period": {"nanoseconds": 500_000_000}}
            client.run("is-deaf", "trap '' TERM; while :; do sleep 1; done", kill_policy=policy)
            client.wait_state("listens", "TASK_RUNNING")
            client.wait_state("is-deaf", "TASK_RUNNING")
            # The shell needs a moment to set its trap.
            time.sleep(0.5)
            for task_id in ("listens", "is-deaf"):
                assert client.call(client.driver.killTask, {"value": task_id})
                client.wait_state(task_id, "TASK_KILLED")
            client.run("never-launched", "true", cpus=100_000)
            client.driver.killTask({"value": "never-launched"})
            client.wait("an answer", lambda: client.tasks["never-launched"].ended)
            assert client.tasks["never-launched"].state == "TASK_LOST"
            events = cluster.journal("master-1")
        requested = [it["task_id"] for it in events if it["event"] == "TaskKillRequested"]
        assert sorted(requested) == ["is-deaf", "listens"], requested
        cluster.stop()
        cluster.verify("master-1")
