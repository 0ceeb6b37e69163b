"""Operators keep resources for a role, make volumes of them, and take machines out of service: with pymesos's operator
driver beside a scheduler that uses what they made, and with our command line."""

import json
import logging
import subprocess
import threading
import time

from pymesos import MesosOperatorMasterDriver, OperatorMaster

from client import Client, amounts, scalar
from cluster import Cluster
from scenarios.reservations import CAPABILITIES, ROLE, allocated, find, launch, use

GRACE_SECONDS = 30

logging.getLogger("pymesos.operator_v1").setLevel(logging.CRITICAL)


def run(mesolith, dice):
    with Cluster(mesolith, masters=1, agents=2) as cluster:
        operator = Operator(cluster.addresses()[0])
        with operator, Client(cluster.addresses(), role=ROLE, capabilities=CAPABILITIES) as client:
            client.hoard = True
            client.wait("offers of both agents", lambda: len(client.offers) == 2)
            first, second = sorted(agents(operator))
            volumes_of_an_operator(operator, client, first)
            roles(operator, client)
            command_line(cluster, first)
            drain(operator, second)
            for kind in ("taskAdded", "taskUpdated"):
                eventually("events of the task", lambda: operator.heard(kind, "uses"))
            eventually("the framework's event", lambda: operator.heard("frameworkAdded", "live"))
            assert not operator.heard("agentAdded"), "both were there before"
            metrics(operator, client)
            maintenance(operator, client, (first, second))
        cluster.stop()
        cluster.verify("master-1")


class Operator(OperatorMaster):
    """pymesos's driver, with what it heard."""

    def __init__(self, master):
        self.events = []
        self.changed = threading.Lock()
        self.driver = MesosOperatorMasterDriver(master, self)

    def __enter__(self):
        self.driver.start()
        name = "master/operator_event_stream_subscribers"
        eventually("the stream of events", lambda: measured(self)[name] == 1)
        return self

    def __exit__(self, *_):
        self.driver.stop()
        self.driver.join()

    def heard(self, kind, part=""):
        with self.changed:
            return [it for it in self.events if it[0] == kind and part in json.dumps(it[1])]

    def refused(self, call, *arguments):
        """Makes a call that must be refused; gives what pymesos says of it."""
        try:
            call(*arguments)
        except RuntimeError as error:
            return str(error)
        raise AssertionError(f"{call.__name__} was not refused")

    def taskAdded(self, event):
        self.note("taskAdded", event)

    def taskUpdated(self, event):
        self.note("taskUpdated", event)

    def frameworkAdded(self, event):
        self.note("frameworkAdded", event)

    def agentAdded(self, event):
        self.note("agentAdded", event)

    def agentRemoved(self, event):
        self.note("agentRemoved", event)

    def note(self, kind, event):
        with self.changed:
            self.events.append((kind, event))


def eventually(what, condition, seconds=GRACE_SECONDS):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(0.1)


def agents(operator):
    found = operator.driver.getAgents()["get_agents"].get("agents", [])
    return {each["agent_info"]["id"]["value"]: each for each in found}


def reserved(name, amount, **more):
    return scalar(name, amount, reservations=[{"type": "DYNAMIC", "role": ROLE, "principal": "ops"}], **more)


def dynamic(operator, agent_id):
    """What is reserved on an agent, volumes included."""
    return [it for it in agents(operator)[agent_id]["total_resources"] if it.get("reservations")]


def volumes_of_an_operator(operator, client, agent_id):
    """What an operator makes, a scheduler uses; what is in use cannot be destroyed."""
    driver = operator.driver
    disk = {"persistence": {"id": "ops", "principal": "ops"}, "volume": {"mode": "RW", "container_path": "data"}}
    space, volume = reserved("disk", 16), reserved("disk", 16, disk=disk)
    driver.reserveResources(agent_id, [space])
    assert [it["scalar"]["value"] for it in dynamic(operator, agent_id)] == [16]
    driver.createVolumes(agent_id, [volume])
    client.wait("the volume in an offer", lambda: find(client, "ops"))
    of_agent = {key: it for key, it in client.offers.items() if it["agent_id"]["value"] == agent_id}
    with client.changed:
        client.offers = of_agent
    mine = volume | {"allocation_info": {"role": ROLE}}
    use(client, [launch(client, "uses", "echo kept > data/file; while [ ! -e data/stop ]; do sleep 0.1; done", mine)])
    client.wait_state("uses", "TASK_RUNNING")
    assert "in use" in operator.refused(driver.destroyVolumes, agent_id, [volume])
    assert "400" in operator.refused(driver.createVolumes, agent_id, [volume])
    assert "400" in operator.refused(driver.unreserveResources, "nobody", [space])
    assert client.call(client.driver.killTask, {"value": "uses"})
    client.wait_state("uses", "TASK_KILLED")
    eventually("the volume to be free", lambda: destroyed(operator, agent_id, volume))
    driver.unreserveResources(agent_id, [space])
    assert dynamic(operator, agent_id) == []


def destroyed(operator, agent_id, volume):
    try:
        operator.driver.destroyVolumes(agent_id, [volume])
        return True
    except RuntimeError as error:
        assert "in use" in str(error), error
        return False


def roles(operator, client):
    """Weights and quotas are what was set; nothing above a limit is offered."""
    driver = operator.driver
    driver.updateWeights([{"role": ROLE, "weight": 2.5}])
    assert driver.getWeights()["get_weights"]["weight_infos"] == [{"role": ROLE, "weight": 2.5}]
    driver.setQuota({"role": ROLE, "force": True, "guarantee": [scalar("cpus", 0.5)]})
    configs = driver.getQuota()["get_quota"]["status"]["configs"]
    assert configs == [{"role": ROLE, "guarantees": {"cpus": {"value": 0.5}}, "limits": {"cpus": {"value": 0.5}}}], configs
    assert "400" in operator.refused(driver.setQuota, {"role": ROLE, "guarantee": [scalar("cpus", 1)]})
    client.wait("offers within the limit", lambda: round(sum(cpus(client)), 3) == 0.5)
    found = {it["name"]: it for it in driver.getRoles()["get_roles"]["roles"]}
    assert found[ROLE]["weight"] == 2.5 and found[ROLE]["frameworks"], found
    driver.removeQuota(ROLE)
    assert "400" in operator.refused(driver.removeQuota, ROLE)
    client.wait("offers of all that there is", lambda: sum(cpus(client)) > 0.5)


def cpus(client):
    return [amount for offer in client.offers.values() for amount in amounts(offer, "cpus")]


def command_line(cluster, agent_id):
    """The same by our own verbs, which wait for what the agent makes of it."""

    def mesolith(*words, fails=None):
        masters = ",".join(cluster.addresses())
        command = [cluster.mesolith, *words, "--master", masters, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if fails:
            assert done.returncode == 1 and fails in done.stderr, done
            return None
        assert done.returncode == 0, done
        return json.loads(done.stdout)

    rows = mesolith("reserve", agent_id, "disk:48;cpus:0.1", "--role", ROLE, "--label", "by=us", "--wait")
    assert [(it["role"], it["resources"], it["labels"]) for it in rows] == [(ROLE, "cpus:0.1;disk:48", ["by=us"])], rows
    assert mesolith("reservations") == rows
    (made,) = mesolith("volume", "create", agent_id, "v", "--role", ROLE, "--size", "32", "--path", "data", "--wait")
    assert (made["volume_id"], made["size"], made["path"]) == ("v", 32, "data"), made
    assert mesolith("volume", "list") == [made]
    (grown,) = mesolith("volume", "grow", agent_id, "v", "--by", "16", "--wait")
    (shrunk,) = mesolith("volume", "shrink", agent_id, "v", "--by", "8", "--wait=30secs")
    assert (grown["size"], shrunk["size"]) == (48, 40), (grown, shrunk)
    mesolith("unreserve", agent_id, "disk:48", "--role", ROLE, fails="is missing")
    assert mesolith("volume", "destroy", agent_id, "v", "--wait") == []
    mesolith("volume", "destroy", agent_id, "v", fails="no volume v")
    assert mesolith("unreserve", agent_id, "disk:48;cpus:0.1", "--role", ROLE, "--wait") == []


def drain(operator, agent_id):
    """pymesos has no call for this, but sends whatever it is given."""
    named = {"agent_id": {"value": agent_id}}
    operator.driver._send({"type": "DRAIN_AGENT", "drain_agent": named})
    state = lambda: agents(operator)[agent_id].get("drain_info", {}).get("state")
    eventually("the drain's end", lambda: state() == "DRAINED")
    operator.driver._send({"type": "REACTIVATE_AGENT", "reactivate_agent": named})
    assert state() is None


def measured(operator):
    found = operator.driver.getMetrics(5_000_000_000)["get_metrics"]["metrics"]
    return {it["name"]: it["value"] for it in found}


def metrics(operator, client):
    found = measured(operator)
    mine = f"master/frameworks/live/{client.framework_id}"
    assert found["master/tasks_killed"] == 1 == found[f"{mine}/tasks/terminal/task_killed"], found
    assert found["master/slave_registrations"] == 2 == found["master/slaves_active"], found
    assert found[f"{mine}/offers/accepted"] >= 1 and found[f"{mine}/offers/rescinded"] >= 1, found


def maintenance(operator, client, agent_ids):
    """Both agents are on one machine: it goes, and they go with it."""
    driver = operator.driver
    # its pid is slave(1)@ip:port
    info = agents(operator)[agent_ids[0]]
    machine = {"hostname": info["agent_info"]["hostname"], "ip": info["pid"].split("@")[1].rsplit(":", 1)[0]}
    start = {"nanoseconds": int(time.time() * 1e9)}
    driver.updateMaintenanceSchedule([{"machine_ids": [machine], "unavailability": {"start": start}}])
    windows = driver.getMaintenanceSchedule()["get_maintenance_schedule"]["schedule"]["windows"]
    assert windows[0]["machine_ids"] == [machine], windows
    draining = driver.getMaintenanceStatus()["get_maintenance_status"]["status"]["draining_machines"]
    assert [it["id"] for it in draining] == [machine], draining
    driver.startMaintenance([machine])
    down = driver.getMaintenanceStatus()["get_maintenance_status"]["status"]["down_machines"]
    assert down == [machine], down
    for agent_id in agent_ids:
        eventually("the agents to go", lambda: operator.heard("agentRemoved", agent_id))
    assert agents(operator) == {}
    client.wait("no offers", lambda: not client.offers)
    driver.stopMaintenance([machine])
    assert driver.getMaintenanceSchedule()["get_maintenance_schedule"]["schedule"].get("windows", []) == []
