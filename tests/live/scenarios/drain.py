"""Agents are drained while the leader dies; one is drained by curl, one by our command line."""

import json
import subprocess
import time
import urllib.request

from client import Client
from cluster import Cluster

TASKS = 6


def run(mesolith, dice):
    with Cluster(mesolith, masters=3, agents=2) as cluster:
        with Client(cluster.addresses(), capabilities=("MULTI_ROLE", "PARTITION_AWARE")) as client:
            client.wait("a registration", lambda: client.registrations)
            for number in range(TASKS):
                client.run(f"t{number}", "trap '' TERM; while :; do sleep 0.2; done", cpus=0.1)
            for number in range(TASKS):
                client.wait_state(f"t{number}", "TASK_RUNNING")
            # The shells need a moment to set their traps.
            time.sleep(0.5)
            first = sorted(places(client))[0]
            drain_by_http(cluster, first, seconds=4)
            leader = cluster.leader()
            assert agent(cluster, first)["drain_info"]["state"] == "DRAINING"
            cluster.kill(leader)
            client.wait(
                "the drain's end under the new leader",
                lambda: (agent(cluster, first) or {}).get("drain_info", {}).get("state") == "DRAINED",
                60,
            )
            assert cluster.leader() != leader
            cluster.start(leader)
            for task_id, task in client.tasks.items():
                if task.info["agent_id"]["value"] == first:
                    check(task, ("TASK_KILLED", "REASON_AGENT_DRAINING"))
            second = next(each for each in agents(cluster) if each != first)
            # Something runs there, whether or not the first tasks were spread.
            client.run("last", "sleep 600")
            client.wait_state("last", "TASK_RUNNING")
            assert client.tasks["last"].info["agent_id"]["value"] == second, "offers of a drained agent"
            said = operate(
                cluster, "drain", second, "--max-grace-period", "1secs", "--mark-gone", "--wait", "--json"
            )
            assert json.loads(said) == {"agent_id": second, "state": "GONE"}, said
            check(client.tasks["last"], ("TASK_GONE_BY_OPERATOR", "REASON_AGENT_DRAINING"))
            assert second not in agents(cluster)
            # What the leader that died had counted goes on.
            counted = metrics(cluster)
            assert counted["master/slave_registrations"] == 2, counted
            assert counted["master/tasks_killed"] == count_on(client, first), counted
            assert counted["master/tasks_gone_by_operator"] == count_on(client, second), counted
            operate(cluster, "reactivate", first)
            client.run("again", "true")
            client.wait_state("again", "TASK_FINISHED")
            assert client.tasks["again"].info["agent_id"]["value"] == first
        cluster.stop()
        for master in cluster.masters:
            cluster.verify(master)


def places(client):
    return {task.info["agent_id"]["value"] for task in client.tasks.values()}


def count_on(client, agent_id):
    return sum(task.info["agent_id"]["value"] == agent_id for task in client.tasks.values())


def metrics(cluster):
    address = cluster.masters[cluster.leader()]["address"]
    with urllib.request.urlopen(f"http://{address}/metrics/snapshot", timeout=2) as answer:
        return json.load(answer)


def check(task, expected):
    state, _, reason = task.updates[-1]
    assert (state, reason) == expected, task.updates


def post(cluster, call):
    """An operator call, to whichever master leads; none while nobody does."""
    for address in cluster.addresses():
        request = urllib.request.Request(
            f"http://{address}/api/v1",
            json.dumps(call).encode(),
            {"Content-Type": "application/json", "Accept": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=2) as answer:
                body = answer.read()
                return json.loads(body) if body else {}
        except OSError:  # down, or sends us to another one
            continue
    return None


def agents(cluster):
    answer = post(cluster, {"type": "GET_AGENTS"})
    found = answer["get_agents"].get("agents", []) if answer else []
    return {each["agent_info"]["id"]["value"]: each for each in found}


def agent(cluster, agent_id):
    return agents(cluster).get(agent_id)


def drain_by_http(cluster, agent_id, seconds):
    call = {"agent_id": {"value": agent_id}, "max_grace_period": {"seconds": seconds}}
    answer = post(cluster, {"type": "DRAIN_AGENT", "drain_agent": call})
    assert answer == {}, answer


def operate(cluster, verb, agent_id, *flags):
    masters = ",".join(cluster.addresses())
    command = [cluster.mesolith, "agent", verb, agent_id, "--master", masters, *flags]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=60).stdout
