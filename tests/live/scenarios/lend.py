"""An agent lends out more than it has. Who takes what is revocable is offered it apart and loses it, and nothing else,
when the machine has too much to do."""

import json
import time
import urllib.request

from client import Client, Ledger, scalar
from cluster import Cluster

ABLE = ("MULTI_ROLE", "PARTITION_AWARE", "REVOCABLE_RESOURCES")
FIXED = ["--resource-estimator", "fixed", "--oversubscribed-resources", "cpus:2;mem:256"]
# A machine always has a load of at least 0.
BUSY = ["--qos-controller", "load", "--load-threshold-5min", "0"]


class Watcher(Client):
    """Keeps what is revocable, and writes down of which kinds each offer is."""

    def __init__(self, *arguments, **more):
        self.kinds = []
        self.lent = {}
        super().__init__(*arguments, **more)

    def registered(self, driver, framework_id, master_info):
        with self.changed:
            self.lent.clear()
            super().registered(driver, framework_id, master_info)

    def resourceOffers(self, driver, offers):
        with self.changed:
            firm = []
            for offer in offers:
                kinds = {"revocable" in resource for resource in offer["resources"]}
                self.kinds.append(kinds)
                if kinds == {True}:
                    self.lent[offer["id"]["value"]] = offer
                else:
                    firm.append(offer)
            super().resourceOffers(driver, firm)

    def offerRescinded(self, driver, offer_id):
        with self.changed:
            self.lent.pop(offer_id["value"], None)
            super().offerRescinded(driver, offer_id)

    def run_lent(self, task_id, cpus):
        """Launches a task on an offer of what is revocable."""
        with self.changed:
            _, offer = self.lent.popitem()
            resources = [dict(scalar("cpus", cpus), revocable={}), dict(scalar("mem", 8), revocable={})]
            info = {
                "task_id": {"value": task_id},
                "name": task_id,
                "command": {"shell": True, "value": "exec sleep 600"},
                "resources": resources,
                "agent_id": offer["agent_id"],
            }
            self.tasks[task_id] = Ledger(info)
            self.tasks[task_id].asked = True
            self.call(self.driver.launchTasks, [offer["id"]], [info], {"refuse_seconds": 0})


def run(mesolith, dice):
    with Cluster(mesolith, masters=3, agents=1) as cluster:
        plain_command = list(cluster.agents["agent-1"]["command"])
        restart(cluster, plain_command + FIXED)
        addresses = cluster.addresses()
        with Watcher(addresses, "able", capabilities=ABLE) as able, Watcher(addresses, "plain") as plain:
            able.wait("what is lent out", lambda: able.lent)
            able.run_lent("lent", cpus=1.5)
            able.wait_state("lent", "TASK_RUNNING")
            plain.run("firm", "exec sleep 600")
            plain.wait_state("firm", "TASK_RUNNING")
            # The first run of the agent may have died before it knew its id.
            lender = able.tasks["lent"].info["agent_id"]["value"]
            agent = find_agent(cluster, lender)
            assert agent["resources"]["cpus_revocable"] == 2, agent["resources"]
            assert agent["used_resources"]["cpus_revocable"] == 1.5, agent["used_resources"]
            leader = cluster.leader()
            cluster.kill(leader)
            able.wait("another leader", lambda: cluster.leader() not in (None, leader))
            able.wait("the rest, from the new leader", lambda: able.lent, 60)
            rest = next(iter(able.lent.values()))["resources"]
            assert {it["name"]: it["scalar"]["value"] for it in rest} == {"cpus": 0.5, "mem": 248}, rest
            restart(cluster, plain_command + FIXED + BUSY)
            able.wait_state("lent", "TASK_GONE")
            reason = able.tasks["lent"].updates[-1][2]
            assert reason == "REASON_CONTAINER_PREEMPTED", reason
            restart(cluster, plain_command)
            able.wait("nothing to be lent out", lambda: not able.lent and lent(cluster, lender) == 0)
            assert plain.tasks["firm"].state == "TASK_RUNNING", plain.tasks["firm"].updates
            assert {True, False} not in able.kinds, "what is revocable comes apart"
            assert all(kinds == {False} for kinds in plain.kinds), "for those who ask for it only"
            cluster.start(leader)
        names = [it["event"] for it in cluster.journal(leader)]
        assert "AgentOversubscribed" in names, names
        cluster.stop()
        for master in cluster.masters:
            cluster.verify(master)


def restart(cluster, command):
    """Starts the agent again under its tasks, with other flags."""
    pid = cluster.agents["agent-1"]["pid"]
    cluster.kill("agent-1")
    # Its port is free once it has ended.
    deadline = time.monotonic() + 10
    while not has_ended(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    cluster.agents["agent-1"]["command"] = command
    cluster.start("agent-1")


def has_ended(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rsplit(b")", 1)[1].split()[0] == b"Z"
    except OSError:
        return True


def find_agent(cluster, agent_id):
    """An agent as `/state` of the leader has it; none while nobody leads or it is not there."""
    for address in cluster.addresses():
        try:
            with urllib.request.urlopen(f"http://{address}/state", timeout=2) as answer:
                agents = json.load(answer)["slaves"]
                return next((each for each in agents if each["id"] == agent_id), None)
        except OSError:
            continue
    return None


def lent(cluster, agent_id):
    """How many CPUs an agent lends out; none while it is not there."""
    agent = find_agent(cluster, agent_id)
    return agent["resources"].get("cpus_revocable", 0) if agent else None
