"""Resources are reserved and made into a volume; what a task leaves in it, the next one finds."""

import os

from client import Client, Ledger, scalar
from cluster import Cluster

ROLE = "live"
CAPABILITIES = ("MULTI_ROLE", "RESERVATION_REFINEMENT")


def run(mesolith, dice):
    with Cluster(mesolith, masters=1, agents=1) as cluster:
        with Client(cluster.addresses(), role=ROLE, capabilities=CAPABILITIES) as client:
            client.hoard = True
            client.wait("an offer", lambda: client.offers)
            volume = reserved("disk", 16) | {
                "disk": {
                    "persistence": {"id": "v1", "principal": "live"},
                    "volume": {"mode": "RW", "container_path": "data"},
                }
            }
            use(
                client,
                [
                    {"type": "RESERVE", "reserve": {"resources": [reserved("disk", 16)]}},
                    {"type": "CREATE", "create": {"volumes": [volume]}},
                    launch(client, "writes", "echo kept > data/file", volume),
                ],
            )
            client.wait_state("writes", "TASK_FINISHED")
            client.wait("the volume in an offer", lambda: find(client, "v1"))
            use(client, [launch(client, "reads", "grep -q kept data/file", volume)])
            client.wait_state("reads", "TASK_FINISHED")
            client.wait("the volume in an offer", lambda: find(client, "v1"))
            found = [at for at, _, files in os.walk(volumes(cluster)) if "file" in files]
            assert len(found) == 1, found
            use(
                client,
                [
                    {"type": "DESTROY", "destroy": {"volumes": [volume]}},
                    {"type": "UNRESERVE", "unreserve": {"resources": [reserved("disk", 16)]}},
                ],
            )
            client.wait("an offer without it", lambda: client.offers and not find(client, "v1"))
            kinds = [it.get("operation") for it in cluster.journal("master-1") if it.get("operation")]
            assert kinds == ["RESERVE", "CREATE", "DESTROY", "UNRESERVE"], kinds
        cluster.stop()
        cluster.verify("master-1")


def volumes(cluster):
    return cluster.agents["agent-1"]["work_dir"] + "/volumes"


def allocated(name, amount, **more):
    return scalar(name, amount, allocation_info={"role": ROLE}, **more)


def reserved(name, amount):
    reservation = {"type": "DYNAMIC", "role": ROLE, "principal": "live"}
    return allocated(name, amount, reservations=[reservation])


def launch(client, task_id, command, volume):
    info = {
        "task_id": {"value": task_id},
        "name": task_id,
        "command": {"shell": True, "value": command},
        "resources": [allocated("cpus", 0.1), allocated("mem", 16), volume],
    }
    client.tasks[task_id] = Ledger(info)
    return {"type": "LAUNCH", "launch": {"task_infos": [info]}}


def use(client, operations):
    """Takes every offer that is on the table with these operations."""
    with client.changed:
        offers, client.offers = client.offers, {}
        for operation in operations:
            for info in operation.get("launch", {}).get("task_infos", []):
                info["agent_id"] = next(iter(offers.values()))["agent_id"]
        ids = [offer["id"] for offer in offers.values()]
        assert client.call(client.driver.acceptOffers, ids, operations, {"refuse_seconds": 0})


def find(client, volume_id):
    for offer in client.offers.values():
        for resource in offer["resources"]:
            if resource.get("disk", {}).get("persistence", {}).get("id") == volume_id:
                return True
    return False
